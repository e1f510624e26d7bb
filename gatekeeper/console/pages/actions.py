"""What can be done to a team: credits, limits, the freeze, keys, holds. Each asks, says who and why, and is in the
journal; each is the admin operation of the same name.
"""

import secrets
from decimal import Decimal
from typing import Final

from gatekeeper.admin.bodies import GrantBody, KeyBody, LimitName, ReleaseBody, SettleBody, TeamBody
from gatekeeper.admin.operations import grants, holds, keys, single, teams
from gatekeeper.admin.operations.asking import Who, team_of
from gatekeeper.admin.pieces import LimitBody
from gatekeeper.admin.problems import AdminProblem, Violation
from gatekeeper.console.acting import Done, Field, Sheet, action, body_of, credits_of, time_of
from gatekeeper.console.visiting import Route, Visit, path_of
from gatekeeper.console.words import credits_shown, time_shown
from gatekeeper.core.credits import credits_text
from gatekeeper.ledger.records import HoldState, SettleStatus
from gatekeeper.ledger.teamrecord import KeyScope, Per

TEAM: Final = "/teams/{team}"

ID_BYTES: Final = 4
"""Enough to tell the grants of a day apart."""

PERIODS: Final = tuple((per.value, per.value) for per in Per)

SCOPES: Final = (
    ("team", "the team together"),
    ("project", "each project by itself"),
    ("member", "each member by itself"),
    ("key", "each key by itself"),
)

KEY_SCOPES: Final = (
    (KeyScope.GENERATE.value, "generate: gated routes, jobs and decisions"),
    (KeyScope.QUOTE.value, "quote: prices, dry runs and models"),
    (KeyScope.READ.value, "read: balance, usage, holds and models"),
)


def team_path(visit: Visit, part: str = "") -> str:
    """The team's page, at one of its parts."""
    return path_of("teams", visit.ids["team"]) + (f"#{part}" if part else "")


def _sheet(visit: Visit, title: str, lead: str, button: str, *fields: Field, part: str, danger: bool = False) -> Sheet:
    return Sheet(title, lead, button, team_path(visit, part), visit.ids["team"], fields, danger)


async def _new_team_sheet(_: Visit) -> Sheet:
    fields = (
        Field("id", "Name", required=True, hint="Letters, digits and . _ - ; it is never given to another team."),
        Field("timezone", "Time zone", value="UTC", required=True, hint="Its days and months: Europe/Berlin."),
        Field("organisation", "Organisation", hint="Teams of one organisation may hand credits on."),
    )
    return Sheet("New team", "It begins with no credits and no key.", "Make the team", "/", "Teams", fields)


async def _make_team(visit: Visit, who: Who) -> Done:
    form = visit.form
    names = {name: form.get(name, "").strip() for name in ("id", "timezone", "organisation")}
    made = await teams.create_team(visit.ledger, body_of(TeamBody, **names), who)
    said = f"Team {made.document.id} is made." if made.new else f"Team {made.document.id} is there already."
    return Done(page=visit.see(path_of("teams", made.document.id), said))


async def _grant_sheet(visit: Visit) -> Sheet:
    team = await team_of(visit.ledger, visit.ids["team"])
    return _sheet(
        visit, f"Grant credits to {team.id}", "They can be spent at once.", "Grant",
        Field("credits", "Credits", "credits", required=True, hint="Like 1000 or 73.5."),
        Field("expires_at", "Until", "time", hint=f"In the time of {team.timezone}; what is left lapses then."),
        Field("id", "Name of the grant", value=f"grant-{secrets.token_hex(ID_BYTES)}", required=True,
              hint="It is given once under this name, however often it is sent."),
        part="credits",
    )  # fmt: skip


async def _grant(visit: Visit, who: Who) -> Done:
    team, form = await team_of(visit.ledger, visit.ids["team"]), visit.form
    body = body_of(
        GrantBody, id=form.get("id", "").strip(), credits=credits_of(form.get("credits", "")),
        expires_at=time_of(form.get("expires_at", ""), team.timezone),
    )  # fmt: skip
    given = await grants.give_grant(visit.ledger, team.id, body, who)
    amount = credits_shown(given.document.credits)
    return Done(
        f"{amount} credits are granted." if given.new else f"Grant {body.id} was given before; nothing changed."
    )


async def _freeze_sheet(visit: Visit) -> Sheet:
    team = await team_of(visit.ledger, visit.ids["team"])
    lead = "Nothing of this team is forwarded from now on. What runs may end, and is booked."
    return _sheet(visit, f"Freeze {team.id}", lead, "Freeze", part="", danger=True)


async def _freeze(visit: Visit, who: Who) -> Done:
    await teams.freeze(visit.ledger, visit.ids["team"], who)
    return Done("The team is frozen.")


async def _unfreeze_sheet(visit: Visit) -> Sheet:
    team = await team_of(visit.ledger, visit.ids["team"])
    return _sheet(visit, f"Unfreeze {team.id}", "The team may go on.", "Unfreeze", part="")


async def _unfreeze(visit: Visit, who: Who) -> Done:
    await teams.unfreeze(visit.ledger, visit.ids["team"], who)
    return Done("The team may go on.")


async def _limit_sheet(visit: Visit) -> Sheet:
    team = await team_of(visit.ledger, visit.ids["team"])
    scope, per = visit.query.get("scope", "team"), visit.query.get("per", Per.MONTH.value)
    now = next((credits_text(each.credits) for each in team.limits if (each.scope, each.per) == (scope, per)), "")
    return _sheet(
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
    return _sheet(
        visit, f"Raise the limit of {scope} per {per}", "When that is over, it is by itself what it was.", "Raise",
        Field("scope", kind="kept", value=scope), Field("per", kind="kept", value=per),
        Field("credits", "Credits until then", "credits", required=True),
        Field("until", "Until", "time", required=True, hint=f"In the time of {team.timezone}."),
        part="limits",
    )  # fmt: skip


async def _raise_limit(visit: Visit, who: Who) -> Done:
    team, form = await team_of(visit.ledger, visit.ids["team"]), visit.form
    missing = [Violation(name, "is missing", "Fill it in.") for name in ("credits", "until") if not form.get(name)]
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
    return _sheet(
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
    return _sheet(
        visit, f"Remove the limit of {scope} per {per}", f"Nothing else bounds what {team.id} spends there.", "Remove",
        Field("scope", kind="kept", value=scope), Field("per", kind="kept", value=per), part="limits", danger=True,
    )  # fmt: skip


async def _remove_limit(visit: Visit, who: Who) -> Done:
    name = _limit_name(visit)
    await single.remove_limit(visit.ledger, visit.ids["team"], name, who)
    return Done(f"The limit of {name.scope} per {name.per} is gone.")


async def _key_sheet(visit: Visit) -> Sheet:
    team = await team_of(visit.ledger, visit.ids["team"])
    return _sheet(
        visit, f"Issue a key of {team.id}", "Its secret is shown once, and not kept.", "Issue the key",
        Field("id", "Name", required=True, hint="Who or what uses it: ci, amy."),
        Field("project", "Project", hint="Then it works for this project alone."),
        Field("member", "Member", hint="Then all it does is this member's."),
        Field("scopes", "May", "checks", options=KEY_SCOPES, hint="None chosen: all of them."),
        Field("expires_at", "Until", "time", hint=f"In the time of {team.timezone}."),
        part="keys",
    )  # fmt: skip


async def _issue_key(visit: Visit, who: Who) -> Done:
    team, form = await team_of(visit.ledger, visit.ids["team"]), visit.form
    names = {name: form.get(name, "").strip() for name in ("id", "project", "member")}
    scopes = [scope for scope, _ in KEY_SCOPES if form.get(f"scopes_{scope}")]
    expires_at = time_of(form.get("expires_at", ""), team.timezone)
    made = await keys.create_key(
        visit.ledger, team.id, body_of(KeyBody, **names, scopes=scopes, expires_at=expires_at), who
    )
    if made.document.secret is None:
        mend = "Choose another name, or revoke that key first. Its secret was shown once and is not kept."
        detail = f"There is a key {made.document.id} already. Nothing was changed."
        raise AdminProblem("already_exists", detail, violations=(Violation("id", "is taken", mend),))
    return Done(page=visit.page("secret.html", team=team.id, key=made.document, timezone=team.timezone))


async def _revoke_sheet(visit: Visit) -> Sheet:
    key = await keys.get_key(visit.ledger, visit.ids["team"], visit.ids["key"])
    lead = "Whoever has it is refused within a second, on every gateway. Its record stays."
    return _sheet(visit, f"Revoke the key {key.id}", lead, "Revoke", part="keys", danger=True)


async def _revoke(visit: Visit, who: Who) -> Done:
    await keys.revoke_key(visit.ledger, visit.ids["team"], visit.ids["key"], who)
    return Done(f"Key {visit.ids['key']} is revoked.")


async def _release_sheet(visit: Visit) -> Sheet:
    hold = await holds.get_hold(visit.ledger, visit.ids["team"], visit.ids["hold"])
    lead = f"{credits_shown(hold.credits)} credits are available again, and nothing is charged."
    return _sheet(visit, "Release a hold", lead, "Release", *_running(hold.state, hold.deadline), part="holds")


async def _release(visit: Visit, who: Who) -> Done:
    body = ReleaseBody(running=bool(visit.form.get("running")))
    done = await holds.release_hold(visit.ledger, visit.ids["team"], visit.ids["hold"], body, who)
    if done.status == SettleStatus.DUPLICATE:
        return Done("The hold was released before; nothing changed.")
    return Done(f"{credits_shown(done.credits_freed)} credits are available again.")


async def _settle_sheet(visit: Visit) -> Sheet:
    hold = await holds.get_hold(visit.ledger, visit.ids["team"], visit.ids["hold"])
    return _sheet(
        visit, "Settle a hold", "What was made is charged, and the rest is available again.", "Settle",
        Field("credits", "Credits to charge", "credits", value=credits_text(hold.credits), required=True,
              hint=f"At most {credits_shown(hold.credits)}, which is what is held."),
        *_running(hold.state, hold.deadline), part="holds",
    )  # fmt: skip


async def _settle(visit: Visit, who: Who) -> Done:
    running = bool(visit.form.get("running"))
    body = body_of(SettleBody, credits=credits_of(visit.form.get("credits", "")), running=running)
    done = await holds.settle_hold(visit.ledger, visit.ids["team"], visit.ids["hold"], body, who)
    return Done(f"{credits_shown(done.credits_charged)} credits are charged.")


def _running(state: str, deadline_ms: int | None) -> tuple[Field, ...]:
    """For a generation that runs: its own result would end the hold."""
    if state != HoldState.HELD:
        return ()
    until = f" It ends by itself by {time_shown(deadline_ms)} UTC." if deadline_ms else ""
    hint = f"Its result is then not booked.{until}"
    return (Field("running", "End it though its generation runs", "check", hint=hint),)


ROUTES: Final[tuple[Route, ...]] = (
    *action("/new-team", _new_team_sheet, _make_team),
    *action(f"{TEAM}/grant", _grant_sheet, _grant),
    *action(f"{TEAM}/freeze", _freeze_sheet, _freeze),
    *action(f"{TEAM}/unfreeze", _unfreeze_sheet, _unfreeze),
    *action(f"{TEAM}/limits/set", _limit_sheet, _set_limit),
    *action(f"{TEAM}/limits/raise", _raise_sheet, _raise_limit),
    *action(f"{TEAM}/limits/lower", _lower_sheet, _lower_limit),
    *action(f"{TEAM}/limits/remove", _no_limit_sheet, _remove_limit),
    *action(f"{TEAM}/keys/new", _key_sheet, _issue_key),
    *action(f"{TEAM}/keys/{{key}}/revoke", _revoke_sheet, _revoke),
    *action(f"{TEAM}/holds/{{hold}}/release", _release_sheet, _release),
    *action(f"{TEAM}/holds/{{hold}}/settle", _settle_sheet, _settle),
)
