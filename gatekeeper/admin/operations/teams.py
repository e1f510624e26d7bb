"""Teams: list, make, change, remove. Removing one takes its keys and freezes it; what was spent is never touched."""

import asyncio
import heapq
from dataclasses import replace
from typing import Any

from gatekeeper.admin.bodies import PageQuery, TeamBody, TeamPatch
from gatekeeper.admin.documents import (
    BalanceDocument,
    CapsDocument,
    Document,
    ModelsDocument,
    TeamDocument,
    TeamList,
    TeamRemoved,
)
from gatekeeper.admin.operations.asking import Created, Who, change_team, team_of
from gatekeeper.admin.pieces import CapsBody
from gatekeeper.admin.problems import differs
from gatekeeper.ledger.allowances import moved
from gatekeeper.ledger.errors import LedgerConflict
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.looking import in_chunks
from gatekeeper.ledger.reports import Balance
from gatekeeper.ledger.teamrecord import Caps, TeamRecord

AT_ONCE = 100
"""Teams read at a time for a page: one pipeline to the store."""

IDS_AT_ONCE = 1000
"""Ids that are looked through at a time for those of a page."""


async def list_teams(ledger: Ledger, page: PageQuery) -> TeamList:
    """The teams by id."""
    ids: list[str] = []
    async for some in in_chunks(ledger.teams(), IDS_AT_ONCE):
        # Kept is one page and no more, however many there are; and the same id may come twice.
        ids = heapq.nsmallest(page.limit + 1, {*ids, *(team_id for team_id in some if team_id > page.cursor)})
    shown = ids[: page.limit]
    found: list[TeamDocument | None] = []
    for begin in range(0, len(shown), AT_ONCE):
        found += await asyncio.gather(*(_listed(ledger, team_id) for team_id in shown[begin : begin + AT_ONCE]))
    cursor = shown[-1] if len(ids) > len(shown) else None
    return TeamList(teams=[team for team in found if team is not None], next_cursor=cursor)


async def _listed(ledger: Ledger, team_id: str) -> TeamDocument | None:
    record = await ledger.team(team_id)  # None: its making was never finished
    return None if record is None else team_document(record, await ledger.balance(team_id))


async def get_team(ledger: Ledger, team_id: str) -> TeamDocument:
    """One team."""
    return team_document(await team_of(ledger, team_id), await ledger.balance(team_id))


async def create_team(ledger: Ledger, body: TeamBody, who: Who) -> Created[TeamDocument]:
    """A new team; the same again changes nothing. Raises AdminProblem if one of this id is otherwise."""
    why = who.because(body.why)
    wanted = patched(TeamRecord(body.id), body)
    before = await ledger.team(body.id)
    if before is None:
        try:
            record = await ledger.put_team(wanted, actor=why.actor, why=why.why, expected_revision=0)
            return Created(team_document(record, await ledger.balance(body.id)), new=True)
        except LedgerConflict:
            before = await team_of(ledger, body.id)
    other = _differing(before, wanted, body)
    if other:
        raise differs(f"a team {body.id}", other)
    return Created(team_document(before, await ledger.balance(body.id)), new=False)


async def change(ledger: Ledger, team_id: str, body: TeamPatch, who: Who) -> TeamDocument:
    """Change what the body says; all else stays as it is."""
    record = await change_team(ledger, team_id, lambda before: patched(before, body), who.because(body.why))
    return team_document(record, await ledger.balance(team_id))


async def freeze(ledger: Ledger, team_id: str, who: Who) -> TeamDocument:
    """From now on nothing of this team is forwarded."""
    return await change(ledger, team_id, TeamPatch(frozen=True), who)


async def unfreeze(ledger: Ledger, team_id: str, who: Who) -> TeamDocument:
    """The team may go on."""
    return await change(ledger, team_id, TeamPatch(frozen=False), who)


async def remove_team(ledger: Ledger, team_id: str, who: Who) -> TeamRemoved:
    """Freeze the team and remove all of its keys. Its books stay, and so does its id."""
    await change_team(ledger, team_id, lambda before: replace(before, frozen=True), who)
    keys = await ledger.keyring.of_team(team_id)
    gone = [await ledger.keyring.remove(team_id, key.key_id, actor=who.actor, why=who.why) for key in keys]
    return TeamRemoved(id=team_id, frozen=True, keys_removed=sum(gone))


def patched(before: TeamRecord, body: TeamPatch) -> TeamRecord:
    """The record with what the body says; fields that it leaves out stay."""
    said = body.model_fields_set
    record = before
    if "timezone" in said:
        record = replace(record, allowances=moved(record.allowances, before.timezone, body.timezone))
    for name in ("timezone", "organisation", "frozen", "shadow", "retry_guard"):
        if name in said:
            record = replace(record, **{name: getattr(body, name)})
    if "caps" in said:
        record = replace(record, caps=_caps(body.caps))
    if "models" in said:
        record = replace(record, models_allow=tuple(body.models.allow), models_deny=tuple(body.models.deny))
    return record


def _caps(body: CapsBody) -> Caps:
    return Caps(body.per_request, body.open_holds, body.held_credits, body.requests_per_minute)


def _differing(before: TeamRecord, wanted: TeamRecord, body: TeamPatch) -> dict[str, tuple[Any, Any]]:
    """What a team has otherwise than a create says; a create that says nothing of it agrees."""
    is_, asked = _facts(before), _facts(wanted)
    other = [name for name in asked if name in body.model_fields_set and is_[name] != asked[name]]
    return {name: (_plain(is_[name]), _plain(asked[name])) for name in other}


def _facts(record: TeamRecord) -> dict[str, Any]:
    """What of a team's record a body may say, as an answer has it."""
    return {
        "timezone": record.timezone,
        "organisation": record.organisation,
        "frozen": record.frozen,
        "shadow": record.shadow,
        "retry_guard": record.retry_guard,
        "caps": caps_document(record.caps),
        "models": ModelsDocument(allow=list(record.models_allow), deny=list(record.models_deny)),
    }


def _plain(value: Any) -> Any:
    return value.plain() if isinstance(value, Document) else value


def caps_document(caps: Caps) -> CapsDocument:
    """Bounds as an answer has them."""
    return CapsDocument(
        per_request=caps.per_request,
        open_holds=caps.open_holds,
        held_credits=caps.held_credits,
        requests_per_minute=caps.requests_per_minute,
    )


def team_document(record: TeamRecord, balance: Balance) -> TeamDocument:
    """A team as an answer has it."""
    return TeamDocument(
        id=record.id, **_facts(record), balance=balance_document(balance), revision=record.revision
    )  # fmt: skip


def balance_document(balance: Balance) -> BalanceDocument:
    """A team's credits as an answer has them."""
    return BalanceDocument(
        granted=balance.granted,
        available=balance.available,
        held=balance.held,
        charged=balance.charged,
        expired=balance.expired,
        debt=balance.debt,
        open_holds=balance.open_holds,
    )
