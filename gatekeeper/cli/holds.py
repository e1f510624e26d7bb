"""`holds`: what keeps credits aside now, and the way to end by hand what neither its result nor time will end."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import typer

from gatekeeper.admin.bodies import PageQuery, ReleaseBody, SettleBody
from gatekeeper.admin.operations import holds
from gatekeeper.admin.paging import PAGE_MAX
from gatekeeper.cli.operating import by, credits_of, given, operate
from gatekeeper.cli.options import ConfigOption, CursorOption, JsonOption, PageOption, TeamArgument
from gatekeeper.cli.show import cell, plain, print_json, tell_more
from gatekeeper.cli.stores import counted, span
from gatekeeper.cli.tables import is_wide, print_rows
from gatekeeper.cli.who import WhyOption
from gatekeeper.clock import SystemClock

HoldArgument = Annotated[
    str, typer.Argument(metavar="HOLD", help="The hold's id, as `holds list` has it.", show_default=False)
]

RunningOption = Annotated[
    bool, typer.Option("--running", help="End a hold whose generation runs, too: what it comes to is then not booked.")
]


def list_holds(
    team: TeamArgument,
    limit: PageOption = PAGE_MAX,
    cursor: CursorOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List a team's open holds, the oldest first.

    A hold without a deadline waits for its own result, or for `holds settle` and `holds release`: its provider's policy
    for outcomes that nobody knows is `keep`.
    """
    page = PageQuery(limit=limit, cursor=cursor)
    document = operate(config, lambda ledger: holds.list_holds(ledger, team, page), team=team).plain()
    if as_json:
        print_json(document)
        return
    found = plain(document)
    now = SystemClock().now()
    rows = [
        {**hold, "age": _ago(hold["held_at"], now), "due": _deadline(hold["deadline"], now)} for hold in found["holds"]
    ]
    if is_wide():
        columns = {"Hold": "id", "State": "state", "Credits": "credits", "Age": "age", "Deadline": "due"}
        columns |= {"Then": "on_unknown", "Project": "project", "Member": "member"}
    else:
        columns = {"Hold, who": "hold_who", "State, then": "state_then", "Credits": "credits", "Age, deadline": "times"}
    print_rows([row | _in_few_words(row) for row in rows], columns, right=("Credits",), whole=("Hold",))
    held = sum((Decimal(hold["credits"]) for hold in found["holds"]), Decimal(0))
    print(f"{counted(len(rows), 'open hold')}, {held} credits." if rows else f"Team {team} has no open holds.")
    tell_more(found["next_cursor"])


def _in_few_words(row: dict[str, Any]) -> dict[str, str]:
    """The columns of a narrow window, in which related facts share one."""
    who = ", ".join(filter(None, (row["project"], row["member"])))
    return {
        "hold_who": "\n".join(filter(None, (row["id"], who))),
        "state_then": f"{row['state']}\n{row['on_unknown']}",
        "times": f"{row['age']}\n{row['due']}",
    }


def _ago(at: str, now: datetime) -> str:
    return span((now - datetime.fromisoformat(at)).total_seconds())


def _deadline(at: str | None, now: datetime) -> str:
    if at is None:
        return "none"
    left_s = (datetime.fromisoformat(at) - now).total_seconds()
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
    said = {"credits": credits_of(amount), "running": running, "why": why}
    done = operate(
        config, lambda ledger: holds.settle_hold(ledger, team, hold, given(SettleBody, **said), by("")), team=team,
        name=hold,
    )  # fmt: skip
    _report(done.plain(), as_json)


def release(
    team: TeamArgument,
    hold: HoldArgument,
    why: WhyOption,
    running: RunningOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a hold by hand and charge nothing; its credits are free again."""
    body = given(ReleaseBody, running=running, why=why)
    done = operate(
        config, lambda ledger: holds.release_hold(ledger, team, hold, body, by("")), team=team, name=hold
    )  # fmt: skip
    _report(done.plain(), as_json)


def _report(document: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(document)
        return
    done = plain(document)
    was, charged, freed = cell(done["was"]), done["credits_charged"], done["credits_freed"]
    match done["status"]:
        case "duplicate":
            print(f"The hold is {was} already, with {charged} credits charged; nothing was changed.")
        case "late":
            print(f"Time had {was} the hold; now it is charged with {charged} credits.")
        case _:
            print(f"{charged} credits charged, {freed} freed; the hold's state was {was}.")
    print(f"Available: {done['credits_available']} credits.")
