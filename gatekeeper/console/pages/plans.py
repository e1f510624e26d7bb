"""What a team is given anew, what one request may be, and what is given back for a charge. As all actions, each asks
who and why, is the admin operation of the same name, and is in the journal.
"""

import secrets
from typing import Final

from gatekeeper.admin.bodies import AllowanceBody, RefundBody, TeamPatch
from gatekeeper.admin.operations import single, wallet
from gatekeeper.admin.operations.asking import Who, team_of
from gatekeeper.admin.pieces import CapsBody
from gatekeeper.console.acting import TEAM, Done, Field, Sheet, action, body_of, credits_of, team_sheet
from gatekeeper.console.visiting import Route, Visit
from gatekeeper.console.words import credits_shown
from gatekeeper.core.credits import credits_text

ID_BYTES: Final = 4
"""Enough to tell the refunds of a day apart."""

DIGITS_MAX: Final = 15
"""Of a whole number, beyond any here."""

PERIODS: Final = (("month", "month"), ("week", "week"), ("day", "day"))


async def _caps_sheet(visit: Visit) -> Sheet:
    team = await team_of(visit.ledger, visit.ids["team"])
    caps = team.caps
    return team_sheet(
        visit, f"Caps of {team.id}", "Bounds of one request and of what runs at once. What is left empty has none.",
        "Set the caps",
        Field("per_request", "Credits of one request", "credits", value=_credits(caps.per_request)),
        Field("held_credits", "Credits held at once", "credits", value=_credits(caps.held_credits)),
        Field("open_holds", "Holds open at once", value=_number(caps.open_holds)),
        Field("requests_per_minute", "Requests in a minute", value=_number(caps.requests_per_minute)),
        part="limits",
    )  # fmt: skip


async def _set_caps(visit: Visit, who: Who) -> Done:
    form = visit.form
    amounts = {name: form.get(name, "").strip() for name in ("per_request", "held_credits")}
    counts = {name: _whole(form.get(name, "")) for name in ("open_holds", "requests_per_minute")}
    said = body_of(CapsBody, **{name: text and credits_of(text) for name, text in amounts.items()}, **counts)
    # All four are said: what was left empty is taken away.
    caps = CapsBody.model_construct(**{name: getattr(said, name) for name in CapsBody.model_fields})
    await single.set_team(visit.ledger, visit.ids["team"], TeamPatch(caps=caps), who)
    return Done("The caps are set.")


async def _allowance_sheet(visit: Visit) -> Sheet:
    team = await team_of(visit.ledger, visit.ids["team"])
    return team_sheet(
        visit, f"Give {team.id} an allowance",
        f"It is given anew as each period of {team.timezone} begins, this one included.", "Give it",
        Field("id", "Name", value=visit.query.get("id", ""), required=True,
              hint="One of the same name is replaced; what it gave stays given."),
        Field("credits", "Credits", "credits", required=True),
        Field("per", "Every", "choice", value="month", options=PERIODS, required=True),
        Field("lasts_periods", "Lasts, in periods", value="1", required=True,
              hint="What is left of it lapses then; after 0 never."),
        part="grants",
    )  # fmt: skip


async def _set_allowance(visit: Visit, who: Who) -> Done:
    form = visit.form
    body = body_of(
        AllowanceBody, id=form.get("id", "").strip(), credits=credits_of(form.get("credits", "")),
        per=form.get("per", ""), lasts_periods=_whole(form.get("lasts_periods", "")),
    )  # fmt: skip
    await single.set_allowance(visit.ledger, visit.ids["team"], body, who)
    return Done(f"{credits_shown(body.credits)} credits are given every {body.per}.")


async def _end_sheet(visit: Visit) -> Sheet:
    await team_of(visit.ledger, visit.ids["team"])
    lead = "Nothing more is given by it. What was given stays given."
    title = f"End the allowance {visit.ids['allowance']}"
    return team_sheet(visit, title, lead, "End it", part="grants", danger=True)


async def _end_allowance(visit: Visit, who: Who) -> Done:
    await single.remove_allowance(visit.ledger, visit.ids["team"], visit.ids["allowance"], who)
    return Done(f"The allowance {visit.ids['allowance']} is ended.")


async def _refund_sheet(visit: Visit) -> Sheet:
    await team_of(visit.ledger, visit.ids["team"])
    return team_sheet(
        visit, f"Refund the charge of entry {visit.ids['seq']}", "The credits are available again.", "Refund",
        Field("credits", "Credits", "credits", hint="Empty: all that is left of the charge."),
        Field("id", "Name of the refund", value=f"refund-{secrets.token_hex(ID_BYTES)}", required=True,
              hint="It is given once under this name, however often it is sent."),
        part="journal",
    )  # fmt: skip


async def _refund(visit: Visit, who: Who) -> Done:
    text = visit.form.get("credits", "").strip()
    body = body_of(
        RefundBody, id=visit.form.get("id", "").strip(), seq=_whole(visit.ids["seq"]), credits=text and credits_of(text)
    )
    given = await wallet.give_refund(visit.ledger, visit.ids["team"], body, who)
    if not given.new:
        return Done(f"Refund {body.id} was given before; nothing changed.")
    return Done(f"{credits_shown(given.document.credits)} credits are given back.")


def _credits(amount: int | None) -> str:
    return "" if amount is None else credits_text(amount)


def _number(count: int | None) -> str:
    return "" if count is None else str(count)


def _whole(text: str) -> int | str:
    """A whole number as a person writes it; what is none stays as it is, and is refused with its words."""
    plain = text.strip()
    return int(plain) if plain.isascii() and plain.isdigit() and len(plain) <= DIGITS_MAX else plain


ROUTES: Final[tuple[Route, ...]] = (
    *action(f"{TEAM}/caps", _caps_sheet, _set_caps),
    *action(f"{TEAM}/allowances/set", _allowance_sheet, _set_allowance),
    *action(f"{TEAM}/allowances/{{allowance}}/end", _end_sheet, _end_allowance),
    *action(f"{TEAM}/entries/{{seq}}/refund", _refund_sheet, _refund),
)
