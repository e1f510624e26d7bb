"""What can be done to a team: made, given credits, frozen, given keys. Each asks, says who and why, and is in the
journal; each is the admin operation of the same name.
"""

import secrets
from typing import Final

from gatekeeper.admin.bodies import GrantBody, KeyBody, TeamBody
from gatekeeper.admin.operations import grants, keys, teams
from gatekeeper.admin.operations.asking import Who, team_of
from gatekeeper.admin.problems import AdminProblem, Violation
from gatekeeper.console.acting import TEAM, Done, Field, Sheet, action, body_of, credits_of, team_sheet, time_of
from gatekeeper.console.visiting import Route, Visit, path_of
from gatekeeper.console.words import credits_shown
from gatekeeper.ledger.teamrecord import KeyScope

ID_BYTES: Final = 4
"""Enough to tell the grants of a day apart."""

KEY_SCOPES: Final = (
    (KeyScope.GENERATE.value, "generate: gated routes, jobs and decisions"),
    (KeyScope.QUOTE.value, "quote: prices, dry runs and models"),
    (KeyScope.READ.value, "read: balance, usage, holds and models"),
)


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
    return team_sheet(
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
    return team_sheet(visit, f"Freeze {team.id}", lead, "Freeze", part="", danger=True)


async def _freeze(visit: Visit, who: Who) -> Done:
    await teams.freeze(visit.ledger, visit.ids["team"], who)
    return Done("The team is frozen.")


async def _unfreeze_sheet(visit: Visit) -> Sheet:
    team = await team_of(visit.ledger, visit.ids["team"])
    return team_sheet(visit, f"Unfreeze {team.id}", "The team may go on.", "Unfreeze", part="")


async def _unfreeze(visit: Visit, who: Who) -> Done:
    await teams.unfreeze(visit.ledger, visit.ids["team"], who)
    return Done("The team may go on.")


async def _key_sheet(visit: Visit) -> Sheet:
    team = await team_of(visit.ledger, visit.ids["team"])
    return team_sheet(
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
    return team_sheet(visit, f"Revoke the key {key.id}", lead, "Revoke", part="keys", danger=True)


async def _revoke(visit: Visit, who: Who) -> Done:
    await keys.revoke_key(visit.ledger, visit.ids["team"], visit.ids["key"], who)
    return Done(f"Key {visit.ids['key']} is revoked.")


ROUTES: Final[tuple[Route, ...]] = (
    *action("/new-team", _new_team_sheet, _make_team),
    *action(f"{TEAM}/grant", _grant_sheet, _grant),
    *action(f"{TEAM}/freeze", _freeze_sheet, _freeze),
    *action(f"{TEAM}/unfreeze", _unfreeze_sheet, _unfreeze),
    *action(f"{TEAM}/keys/new", _key_sheet, _issue_key),
    *action(f"{TEAM}/keys/{{key}}/revoke", _revoke_sheet, _revoke),
)
