"""One cap, limit, allowance or project of a team, set or taken away: what a person does who has no list at hand.

Each changes the team's record from what it is at that moment, so that two people at once lose nothing of each other's.
"""

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import TypeVar

from gatekeeper.admin.bodies import (
    AllowanceBody,
    LimitName,
    LimitsPatch,
    ModelsBody,
    ProjectBody,
    TeamPatch,
)
from gatekeeper.admin.documents import AllowancesDocument, LimitsDocument, ProjectsDocument, TeamDocument
from gatekeeper.admin.operations.asking import Who, change_team, team_of
from gatekeeper.admin.operations.limits import change_limits, get_limits
from gatekeeper.admin.operations.plans import (
    allowance_of,
    allowances_document,
    project_of,
    projects_document,
)
from gatekeeper.admin.operations.teams import patched, team_document
from gatekeeper.admin.pieces import CapsBody, LimitBody, raise_going_on
from gatekeeper.admin.problems import AdminProblem, invalid
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.teamrecord import Allowance, Limit, Project, TeamRecord
from gatekeeper.web.answers import iso_time

Thing = TypeVar("Thing", Allowance, Project)


async def set_team(ledger: Ledger, team_id: str, body: TeamPatch, who: Who) -> TeamDocument:
    """Change what the body says; of caps and models, too, what it does not name stays as it is."""
    record = await change_team(ledger, team_id, lambda team: patched(team, _completed(team, body)), who)
    return team_document(record, await ledger.balance(team_id))


def _completed(team: TeamRecord, body: TeamPatch) -> TeamPatch:
    """The body with the caps and patterns that the team has where it says none."""
    caps, models = body.caps, body.models
    has = asdict(team.caps)
    named = {name: getattr(caps, name) for name in caps.model_fields_set}
    allow = models.allow if "allow" in models.model_fields_set else list(team.models_allow)
    deny = models.deny if "deny" in models.model_fields_set else list(team.models_deny)
    whole = {
        "caps": CapsBody.model_construct(**has | named),
        "models": ModelsBody.model_construct(allow=allow, deny=deny),
    }
    return body.model_copy(update={name: value for name, value in whole.items() if name in body.model_fields_set})


async def set_limit(ledger: Ledger, team_id: str, body: LimitBody, who: Who) -> LimitsDocument:
    """This limit in place of one of the same scope and period; a raise of it goes on where it is more."""
    await team_of(ledger, team_id)

    def changed(team: TeamRecord) -> TeamRecord:
        raised = raise_going_on(_limit_of(team, body), body.credits)
        return _with_limit(team, Limit(body.scope, body.per, body.credits, *raised))

    await change_team(ledger, team_id, changed, who)
    return await get_limits(ledger, team_id)


async def raise_limit(
    ledger: Ledger, team_id: str, name: LimitName, to: int, until_ms: int, who: Who
) -> LimitsDocument:  # fmt: skip
    """Let this limit be another one until then. Raises AdminProblem if there is none, or if that is past."""
    await team_of(ledger, team_id)
    if until_ms <= await ledger.now_ms(team_id):
        raise invalid("until", f"{iso_time(until_ms)} is past", "Write a later time.")
    await change_team(ledger, team_id, _raised(name, to, until_ms), who)
    return await get_limits(ledger, team_id)


async def lower_limit(ledger: Ledger, team_id: str, name: LimitName, who: Who) -> LimitsDocument:
    """End a raise of this limit now."""
    await change_team(ledger, team_id, _raised(name, None, None), who)
    return await get_limits(ledger, team_id)


async def remove_limit(ledger: Ledger, team_id: str, name: LimitName, who: Who) -> LimitsDocument:
    """Take this limit away."""
    return await change_limits(ledger, team_id, LimitsPatch(remove=[name]), who)


def _raised(name: LimitName, to: int | None, until_ms: int | None) -> Callable[[TeamRecord], TeamRecord]:
    def changed(team: TeamRecord) -> TeamRecord:
        before = _limit_of(team, name)
        if before is None:
            raise AdminProblem("limit_not_found", f"Team {team.id} has no limit {name.scope} per {name.per}.")
        return _with_limit(team, replace(before, raised_to=to, raised_until_ms=until_ms))

    return changed


def _limit_of(team: TeamRecord, name: LimitName | LimitBody) -> Limit | None:
    return next((each for each in team.limits if (each.scope, each.per) == (name.scope, name.per)), None)


def _with_limit(team: TeamRecord, limit: Limit) -> TeamRecord:
    limits = {(each.scope, each.per): each for each in team.limits} | {(limit.scope, limit.per): limit}
    return replace(team, limits=tuple(limits.values()))


async def set_allowance(ledger: Ledger, team_id: str, body: AllowanceBody, who: Who) -> AllowancesDocument:
    """This allowance, anew or in place of the one of its id."""
    await team_of(ledger, team_id)
    now_ms = await ledger.now_ms(team_id)

    def changed(team: TeamRecord) -> TeamRecord:
        known = {each.id: each for each in team.allowances}
        return replace(team, allowances=tuple((known | {body.id: allowance_of(body, team, now_ms)}).values()))

    return allowances_document(await change_team(ledger, team_id, changed, who))


async def remove_allowance(ledger: Ledger, team_id: str, allowance_id: str, who: Who) -> AllowancesDocument:
    """Give no more of it; what was given stays given."""

    def changed(team: TeamRecord) -> TeamRecord:
        return replace(team, allowances=_without(team.id, "allowance", team.allowances, allowance_id))

    return allowances_document(await change_team(ledger, team_id, changed, who))


async def set_project(ledger: Ledger, team_id: str, body: ProjectBody, who: Who) -> ProjectsDocument:
    """This project's budget, anew or in place of the one of its id."""

    def changed(team: TeamRecord) -> TeamRecord:
        known: dict[str, Project] = {each.id: each for each in team.projects}
        return replace(team, projects=tuple((known | {body.id: project_of(body)}).values()))

    return projects_document(await change_team(ledger, team_id, changed, who))


async def remove_project(ledger: Ledger, team_id: str, project_id: str, who: Who) -> ProjectsDocument:
    """Take a project's budget away; what it spent stays in the books, and its limits stay."""

    def changed(team: TeamRecord) -> TeamRecord:
        return replace(team, projects=_without(team.id, "project", team.projects, project_id))

    return projects_document(await change_team(ledger, team_id, changed, who))


def _without(team_id: str, noun: str, things: tuple[Thing, ...], name: str) -> tuple[Thing, ...]:
    """The others. Raises AdminProblem if there is none of this id."""
    known = [each.id for each in things]
    if name not in known:
        there = f"There are: {', '.join(known)}." if known else "There are none."
        raise invalid(noun, f"team {team_id} has no {noun} {name}", there)
    return tuple(each for each in things if each.id != name)
