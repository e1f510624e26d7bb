"""A team's limits: set, raised for a while, removed. As all actions, each asks who and why, and is in the journal."""

from decimal import Decimal
from typing import Final

from gatekeeper.admin.bodies import LimitName
from gatekeeper.admin.operations import single
from gatekeeper.admin.operations.asking import Who, team_of
from gatekeeper.admin.pieces import LimitBody
from gatekeeper.admin.problems import AdminProblem, Violation
from gatekeeper.console.acting import TEAM, Done, Field, Sheet, action, body_of, credits_of, team_sheet, time_of
from gatekeeper.console.visiting import Route, Visit
from gatekeeper.console.words import credits_shown
from gatekeeper.core.credits import credits_text
from gatekeeper.ledger.teamrecord import Per

PERIODS: Final = tuple((per.value, per.value) for per in Per)

SCOPES: Final = (
    ("team", "the team together"),
    ("project", "each project by itself"),
    ("member", "each member by itself"),
    ("key", "each key by itself"),
)


async def _limit_sheet(visit: Visit) -> Sheet:
    team = await team_of(visit.ledger, visit.ids["team"])
    scope, per = visit.query.get("scope", "team"), visit.query.get("per", Per.MONTH.value)
    now = next((credits_text(each.credits) for each in team.limits if (each.scope, each.per) == (scope, per)), "")
    return team_sheet(
        visit, f"Set a limit of {team.id}", "It takes the place of one of the same scope and period.", "Set the limit",
        Field("scope", "For", value=scope, options=SCOPES, required=True,
              hint="team, project, member or key; or one by name, like member:amy."),
        Field("per", "Per", "choice", value=per, options=PERIODS, required=True),
        Field("credits", "Credits", "credits", value=now, required=True,
              hint="Below what is used already, nothing more is admitted until it begins anew."),
        part="limits",
    )  # fmt: skip


async def _set_limit(visit: Visit, who: Who) -> Done:
    form = visit.form
    body = body_of(
        LimitBody, scope=form.get("scope", "").strip(), per=form.get("per", ""),
        credits=credits_of(form.get("credits", "")),
    )  # fmt: skip
    await single.set_limit(visit.ledger, visit.ids["team"], body, who)
    return Done(f"{body.scope} may spend {credits_shown(body.credits)} credits per {body.per}.")


async def _raise_sheet(visit: Visit) -> Sheet:
    team = await team_of(visit.ledger, visit.ids["team"])
    scope, per = visit.query.get("scope", ""), visit.query.get("per", "")
    return team_sheet(
        visit, f"Raise the limit of {scope} per {per}", "When that is over, it is by itself what it was.", "Raise",
        Field("scope", kind="kept", value=scope), Field("per", kind="kept", value=per),
        Field("credits", "Credits until then", "credits", required=True),
        Field("until", "Until", "time", required=True, hint=f"In the time of {team.timezone}."),
        part="limits",
    )  # fmt: skip


async def _raise_limit(visit: Visit, who: Who) -> Done:
    team, form = await team_of(visit.ledger, visit.ids["team"]), visit.form
    asked = ("credits", "until")
    missing = [Violation(name, "is missing", "Fill it in.") for name in asked if not form.get(name, "").strip()]
    if missing:
        raise AdminProblem("invalid", "Nothing was done.", violations=tuple(missing))
    name = _limit_name(visit)
    now = next((each.credits for each in team.limits if (each.scope, each.per) == (name.scope, name.per)), 0)
    until = time_of(form.get("until", ""), team.timezone)
    body = body_of(
        LimitBody, scope=name.scope, per=name.per, credits=Decimal(credits_text(now)),
        raised_to=credits_of(form.get("credits", "")), raised_until=until,
    )  # fmt: skip
    assert body.raised_to is not None
    assert body.raised_until is not None
    await single.raise_limit(visit.ledger, team.id, name, body.raised_to, body.raised_until, who)
    return Done(f"{name.scope} may spend {credits_shown(body.raised_to)} credits per {name.per} for a while.")


async def _lower_sheet(visit: Visit) -> Sheet:
    await team_of(visit.ledger, visit.ids["team"])
    scope, per = visit.query.get("scope", ""), visit.query.get("per", "")
    return team_sheet(
        visit, f"End the raise of {scope} per {per}", "The limit is what it was before.", "End the raise",
        Field("scope", kind="kept", value=scope), Field("per", kind="kept", value=per), part="limits",
    )  # fmt: skip


async def _lower_limit(visit: Visit, who: Who) -> Done:
    name = _limit_name(visit)
    await single.lower_limit(visit.ledger, visit.ids["team"], name, who)
    return Done(f"The limit of {name.scope} per {name.per} is what it was.")


def _limit_name(visit: Visit) -> LimitName:
    return body_of(LimitName, scope=visit.form.get("scope", ""), per=visit.form.get("per", ""))


async def _no_limit_sheet(visit: Visit) -> Sheet:
    team = await team_of(visit.ledger, visit.ids["team"])
    scope, per = visit.query.get("scope", ""), visit.query.get("per", "")
    return team_sheet(
        visit, f"Remove the limit of {scope} per {per}", f"Nothing else bounds what {team.id} spends there.", "Remove",
        Field("scope", kind="kept", value=scope), Field("per", kind="kept", value=per), part="limits", danger=True,
    )  # fmt: skip


async def _remove_limit(visit: Visit, who: Who) -> Done:
    name = _limit_name(visit)
    await single.remove_limit(visit.ledger, visit.ids["team"], name, who)
    return Done(f"The limit of {name.scope} per {name.per} is gone.")


ROUTES: Final[tuple[Route, ...]] = (
    *action(f"{TEAM}/limits/set", _limit_sheet, _set_limit),
    *action(f"{TEAM}/limits/raise", _raise_sheet, _raise_limit),
    *action(f"{TEAM}/limits/lower", _lower_sheet, _lower_limit),
    *action(f"{TEAM}/limits/remove", _no_limit_sheet, _remove_limit),
)
