"""Grants: credits that are given once, by their id."""

from typing import Any

from gatekeeper.admin.bodies import GrantBody, PageQuery
from gatekeeper.admin.documents import GrantDocument, GrantList
from gatekeeper.admin.operations.asking import Created, Who, noted, page_of, team_of
from gatekeeper.admin.problems import AdminProblem, differs, invalid
from gatekeeper.core.rejection import quoted
from gatekeeper.dialects.facts import credits_number
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.records import GrantStatus
from gatekeeper.ledger.reports import Grant
from gatekeeper.web.answers import iso_time


async def list_grants(ledger: Ledger, team_id: str, page: PageQuery) -> GrantList:
    """The team's grants by id."""
    await team_of(ledger, team_id)
    grants, cursor = page_of(await ledger.grants(team_id), page, lambda grant: grant.id)
    return GrantList(grants=[grant_document(grant) for grant in grants], next_cursor=cursor)


async def get_grant(ledger: Ledger, team_id: str, grant_id: str) -> GrantDocument:
    """One grant."""
    await team_of(ledger, team_id)
    return grant_document(await _grant_of(ledger, team_id, grant_id))


async def give_grant(ledger: Ledger, team_id: str, body: GrantBody, who: Who) -> Created[GrantDocument]:
    """Give credits; the same again changes nothing. Raises AdminProblem if the id was given otherwise."""
    await team_of(ledger, team_id)
    given = {grant.id: grant for grant in await ledger.grants(team_id)}
    if body.expires_at is not None and body.id not in given and body.expires_at <= await ledger.now_ms(team_id):
        raise invalid("expires_at", f"{iso_time(body.expires_at)} is past", "Write a later time.")
    why = who.because(body.why)
    status = await ledger.grant(
        team_id, body.id, body.credits, note=noted(body.note, why.why), actor=why.actor, expires_at_ms=body.expires_at
    )
    grant = await _grant_of(ledger, team_id, body.id)
    if status is GrantStatus.MISMATCH:
        raise differs(f"a grant {body.id} of team {team_id}", _differing(grant, body))
    return Created(grant_document(grant), new=status is GrantStatus.GRANTED)


async def _grant_of(ledger: Ledger, team_id: str, grant_id: str) -> Grant:
    for grant in await ledger.grants(team_id):
        if grant.id == grant_id:
            return grant
    raise AdminProblem("grant_not_found", f"Team {team_id} has no grant {quoted(grant_id)}.")


def _differing(grant: Grant, body: GrantBody) -> dict[str, tuple[Any, Any]]:
    found: dict[str, tuple[Any, Any]] = {}
    if grant.amount != body.credits:
        found["credits"] = credits_number(grant.amount), credits_number(body.credits)
    if grant.expires_at_ms != body.expires_at:
        found["expires_at"] = _time(grant.expires_at_ms), _time(body.expires_at)
    return found


def _time(at_ms: int | None) -> str | None:
    return None if at_ms is None else iso_time(at_ms)


def grant_document(grant: Grant) -> GrantDocument:
    """A grant as an answer has it."""
    return GrantDocument(
        id=grant.id, credits=grant.amount, expires_at=grant.expires_at_ms, remaining=grant.remaining
    )  # fmt: skip
