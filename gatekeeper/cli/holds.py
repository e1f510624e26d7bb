"""`holds`: what keeps credits aside now, and the way to end by hand what neither its result nor time will end."""

import asyncio
from typing import Annotated, Any

import typer

from gatekeeper.app import open_ledger
from gatekeeper.cli.locate import find_settings
from gatekeeper.cli.options import ConfigOption, JsonOption, TeamArgument
from gatekeeper.cli.show import new_table, print_json, terminal
from gatekeeper.cli.stores import chosen_teams, counted, instant, span
from gatekeeper.cli.who import WhyOption, who
from gatekeeper.clock import SystemClock
from gatekeeper.core.credits import credits_text, parse_credits
from gatekeeper.dialects.facts import credits_number
from gatekeeper.ledger.errors import LedgerInvalid
from gatekeeper.ledger.records import HoldState, Settlement, SettleStatus
from gatekeeper.ledger.reports import OpenHold
from gatekeeper.settings import Settings

LISTED = 1000
"""Holds listed unless told otherwise: more than any team should have open."""

LISTED_MAX = 10_000
"""Holds listed at most."""

HoldArgument = Annotated[str, typer.Argument(help="The hold's id, as `holds list` has it.", show_default=False)]

RunningOption = Annotated[
    bool, typer.Option("--running", help="End a hold whose generation runs, too: what it comes to is then not booked.")
]


def list_holds(
    team: TeamArgument,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, max=LISTED_MAX, help="How many holds at most.")
    ] = LISTED,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List a team's open holds, the oldest first.

    A hold without a deadline waits for its own result, or for `holds settle` and `holds release`: its provider's policy
    for outcomes that nobody knows is `keep`.
    """
    holds = asyncio.run(_holds(find_settings(config), team, limit))
    if as_json:
        print_json({"team": team, "holds": [_document(hold) for hold in holds]})
        return
    if holds:
        _print_holds(holds)
    held = credits_text(sum(hold.amount for hold in holds))
    print(f"{counted(len(holds), 'open hold')}, {held} credits." if holds else f"Team {team} has no open holds.")


async def _holds(settings: Settings, team: str, limit: int) -> tuple[OpenHold, ...]:
    async with open_ledger(settings) as store:
        await chosen_teams(store.ledger, [team])
        return await store.ledger.holds(team, limit)


def _document(hold: OpenHold) -> dict[str, Any]:
    return {
        "id": hold.hold_id,
        "state": hold.state,
        "credits": credits_number(hold.amount),
        "held_at": instant(hold.held_at_ms),
        "deadline": None if hold.deadline_ms is None else instant(hold.deadline_ms),
        "grace_s": hold.grace_ms / 1000,
        "on_unknown": hold.on_unknown,
        "project": hold.project,
        "member": hold.member,
        "key_id": hold.key_id,
        "price_list": hold.price_list,
        "seq": hold.seq,
    }


def _print_holds(holds: tuple[OpenHold, ...]) -> None:
    now_ms = int(SystemClock().now().timestamp() * 1000)
    table = new_table("Hold", "State", "Credits", "Age", "Deadline", "Then", "Project", "Member", right=("Credits",),
        whole=("Hold",))  # fmt: skip
    for hold in holds:
        table.add_row(
            hold.hold_id, hold.state, credits_text(hold.amount), span((now_ms - hold.held_at_ms) / 1000),
            _deadline(hold, now_ms), hold.on_unknown, hold.project, hold.member,
        )  # fmt: skip
    terminal().print(table)


def _deadline(hold: OpenHold, now_ms: int) -> str:
    if hold.deadline_ms is None:
        return "none"
    left_s = (hold.deadline_ms - now_ms) / 1000
    return f"in {span(left_s)}" if left_s >= 0 else f"{span(-left_s)} ago"


def settle(
    team: TeamArgument,
    hold: HoldArgument,
    amount: Annotated[str, typer.Argument(metavar="CREDITS", help="What to charge.", show_default=False)],
    why: WhyOption,
    running: RunningOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a hold by hand and charge what it really came to; the rest of it is freed.

    Doing it twice changes nothing. A hold that was ended with another amount stays as it is, and exit code 1 says so.
    """
    done = asyncio.run(_resolve(find_settings(config), team, hold, _amount(amount), why, running=running))
    _report(team, hold, done, as_json)


def release(
    team: TeamArgument,
    hold: HoldArgument,
    why: WhyOption,
    running: RunningOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a hold by hand and charge nothing; its credits are free again."""
    done = asyncio.run(_resolve(find_settings(config), team, hold, 0, why, running=running))
    _report(team, hold, done, as_json)


def _amount(text: str) -> int:
    try:
        amount = parse_credits(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="CREDITS") from None
    if amount < 0:
        raise typer.BadParameter("nothing below 0 can be charged", param_hint="CREDITS")
    return amount


async def _resolve(
    settings: Settings, team: str, hold_id: str, amount: int, why: str, *, running: bool
) -> Settlement:  # fmt: skip
    if not why.strip():
        raise LedgerInvalid("--why is empty: say why, for whoever reads the journal")
    async with open_ledger(settings) as store:
        await chosen_teams(store.ledger, [team])
        hold = await store.ledger.open_hold(hold_id, team)
        if hold is None:
            ended = await store.ledger.terms.ended(hold_id, team)
            _check_amount(hold_id, "over", None if ended is None else ended.amount, amount)
        else:
            _check_open(hold, amount, running)
        return await store.ledger.settle(hold_id, team, amount, outcome=f"by hand ({who()}): {why}")


def _check_open(hold: OpenHold, amount: int, running: bool) -> None:
    if hold.state is HoldState.HELD and not running:
        raise LedgerInvalid(
            f"Hold {hold.hold_id} is held: its generation runs, and its own result or its deadline "
            f"({instant(hold.deadline_ms or 0)}) ends it. With --running it is ended now, and the result is not booked."
        )
    _check_amount(hold.hold_id, hold.state, hold.amount, amount)


def _check_amount(hold_id: str, state: str, held: int | None, amount: int) -> None:
    if held is not None and amount > held:
        holds = "held" if state == "over" else "holds"
        raise LedgerInvalid(
            f"Hold {hold_id} is {state} and {holds} {credits_text(held)} credits: nobody agreed to more."
        )


def _report(team: str, hold_id: str, done: Settlement, as_json: bool) -> None:
    charged, was = credits_text(done.charged), done.was or "gone"
    if done.status is SettleStatus.GONE:
        raise LedgerInvalid(f"Team {team} has no hold {hold_id}: there never was one, or it ended over 72 hours ago.")
    if done.status is SettleStatus.MISMATCH:
        raise LedgerInvalid(f"Hold {hold_id} is {was} already, with {charged} credits charged; nothing was changed.")
    if as_json:
        print_json(_settlement_document(team, hold_id, done))
        return
    match done.status:
        case SettleStatus.DUPLICATE:
            print(f"The hold is {was} already, with {charged} credits charged; nothing was changed.")
        case SettleStatus.LATE:
            print(f"Time had {was} the hold; now it is charged with {charged} credits.")
        case _:
            print(f"The hold was {was}: {charged} credits charged, {credits_text(done.freed)} freed.")
    print(f"Available: {credits_text(done.available)} credits.")


def _settlement_document(team: str, hold_id: str, done: Settlement) -> dict[str, Any]:
    return {
        "team": team,
        "id": hold_id,
        "status": done.status,
        "was": done.was,
        "credits_charged": credits_number(done.charged),
        "credits_freed": credits_number(done.freed),
        "credits_available": credits_number(done.available),
    }
