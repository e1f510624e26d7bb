"""Open holds that a person ends: released, or settled for what was made."""

from typing import Final

from gatekeeper.admin.bodies import ReleaseBody, SettleBody
from gatekeeper.admin.operations import holds
from gatekeeper.admin.operations.asking import Who
from gatekeeper.console.acting import TEAM, Done, Field, Sheet, action, body_of, credits_of, team_sheet
from gatekeeper.console.visiting import Route, Visit
from gatekeeper.console.words import credits_shown, time_shown
from gatekeeper.core.credits import credits_text
from gatekeeper.ledger.records import HoldState, SettleStatus


async def _release_sheet(visit: Visit) -> Sheet:
    hold = await holds.get_hold(visit.ledger, visit.ids["team"], visit.ids["hold"])
    lead = f"{credits_shown(hold.credits)} credits are available again, and nothing is charged."
    return team_sheet(visit, "Release a hold", lead, "Release", *_running(hold.state, hold.deadline), part="holds")


async def _release(visit: Visit, who: Who) -> Done:
    body = ReleaseBody(running=bool(visit.form.get("running")))
    done = await holds.release_hold(visit.ledger, visit.ids["team"], visit.ids["hold"], body, who)
    if done.status == SettleStatus.DUPLICATE:
        return Done("The hold was released before; nothing changed.")
    return Done(f"{credits_shown(done.credits_freed)} credits are available again.")


async def _settle_sheet(visit: Visit) -> Sheet:
    hold = await holds.get_hold(visit.ledger, visit.ids["team"], visit.ids["hold"])
    return team_sheet(
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
    *action(f"{TEAM}/holds/{{hold}}/release", _release_sheet, _release),
    *action(f"{TEAM}/holds/{{hold}}/settle", _settle_sheet, _settle),
)
