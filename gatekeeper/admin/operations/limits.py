"""Limits: what a team has, how far each is used, and all of them or some replaced. A limit below what is used already
is taken: it says so, and nothing more is admitted under it until its window ends.
"""

import asyncio
from dataclasses import replace

from gatekeeper.admin.bodies import LimitsBody, LimitsPatch
from gatekeeper.admin.documents import LimitDocument, LimitsDocument
from gatekeeper.admin.operations.asking import Who, change_team, team_of
from gatekeeper.admin.pieces import LimitBody
from gatekeeper.admin.problems import AdminProblem, invalid
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.limituse import in_force
from gatekeeper.ledger.reports import LimitUsage
from gatekeeper.ledger.teamrecord import Limit, TeamRecord
from gatekeeper.web.answers import iso_time

Uses = dict[tuple[str, str], LimitUsage]
"""How far limits are used, by scope and period."""


async def get_limits(ledger: Ledger, team_id: str) -> LimitsDocument:
    """The team's limits, each with its use."""
    return await _document(ledger, await team_of(ledger, team_id))


async def put_limits(ledger: Ledger, team_id: str, body: LimitsBody, who: Who) -> LimitsDocument:
    """All of the team's limits, in place of those it has."""
    await _check(ledger, team_id, body.limits, "limits")
    limits = tuple(_limit(each) for each in body.limits)
    record = await change_team(ledger, team_id, lambda team: replace(team, limits=limits), who.because(body.why))
    return await _document(ledger, record)


async def change_limits(ledger: Ledger, team_id: str, body: LimitsPatch, who: Who) -> LimitsDocument:
    """Set these limits and remove those; all others stay. Raises AdminProblem for one to remove that is not there."""
    await _check(ledger, team_id, body.set, "set")
    record = await change_team(ledger, team_id, lambda team: _changed(team, body), who.because(body.why))
    return await _document(ledger, record)


def _changed(team: TeamRecord, body: LimitsPatch) -> TeamRecord:
    limits = {(limit.scope, limit.per): limit for limit in team.limits}
    for name in body.remove:
        if limits.pop((name.scope, name.per), None) is None:
            raise AdminProblem("limit_not_found", f"Team {team.id} has no limit {name.scope} per {name.per}.")
    limits |= {(each.scope, each.per): _limit(each) for each in body.set}
    return replace(team, limits=tuple(limits.values()))


async def _check(ledger: Ledger, team_id: str, limits: list[LimitBody], field: str) -> None:
    await team_of(ledger, team_id)
    now_ms = await ledger.now_ms(team_id)
    seen: set[tuple[str, str]] = set()
    for number, each in enumerate(limits):
        place = f"{field}.{number}"
        if (each.scope, each.per) in seen:
            raise invalid(place, f"{each.scope} per {each.per} is there twice", "Keep one of the two.")
        seen.add((each.scope, each.per))
        if each.raised_until is not None and each.raised_until <= now_ms:
            raise invalid(f"{place}.raised_until", f"{iso_time(each.raised_until)} is past", "Write a later time.")


def _limit(body: LimitBody) -> Limit:
    return Limit(body.scope, body.per, body.credits, body.raised_to, body.raised_until)


async def _document(ledger: Ledger, team: TeamRecord) -> LimitsDocument:
    usage, now_ms = await asyncio.gather(_usage(ledger, team), ledger.now_ms(team.id))
    return LimitsDocument(limits=[_limit_document(limit, usage, now_ms) for limit in team.limits])


async def _usage(ledger: Ledger, team: TeamRecord) -> Uses:
    """The use of every limit that has a name or is the team's: one question for each name."""
    names = dict.fromkeys(limit.scope for limit in team.limits if ":" in limit.scope)
    asked = [{}, *({kind if kind != "key" else "key_id": name} for kind, _, name in map(_parted, names))]
    balances = await asyncio.gather(*(ledger.balance(team.id, **each) for each in asked))
    return {(use.scope, use.per): use for balance in balances for use in balance.limits}


def _parted(scope: str) -> tuple[str, str, str]:
    return scope.partition(":")


def _limit_document(limit: Limit, usage: Uses, now_ms: int) -> LimitDocument:
    use = usage.get((limit.scope, limit.per))
    most, _ = in_force(limit, now_ms)
    return LimitDocument(
        scope=limit.scope,
        per=limit.per,
        credits=limit.credits,
        raised_to=limit.raised_to,
        raised_until=limit.raised_until_ms,
        in_force=most,
        used=use.used if use else None,
        held=use.held if use else None,
        resets_at=use.resets_at_ms if use else None,
        exhausted=use is not None and use.used + use.held >= most,
    )
