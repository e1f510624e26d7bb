"""What is told of outcomes that met no open hold, when they come out of the outbox."""

import io
import json
from pathlib import Path
from typing import Any

from gatekeeper.ledger.holdid import new_hold_id
from gatekeeper.ledger.records import HoldState, SettleStatus
from gatekeeper.ledger.replay import Replayed
from gatekeeper.ledger.resolution import Act, Resolution
from gatekeeper.logs import configure_logs
from gatekeeper.metrics import Metrics
from gatekeeper.proxy.deferring import report_replayed
from tests.cases import each_case

HOLD = new_hold_id(1_700_000_000_000, 1)


def told(act: Act, status: SettleStatus, was: HoldState | None = None) -> tuple[list[dict[str, Any]], Metrics]:
    """The lines and metrics of one replayed resolution of a hold of 49 credits."""
    log, metrics = io.BytesIO(), Metrics()
    configure_logs("info", "json", log)
    resolution = Resolution(act=act, team="studio", hold_id=HOLD, amount=49_000_000, held=49_000_000, request_id="r")
    replayed = Replayed(resolution, status, charged=49_000_000, booked=True, was=was)
    report_replayed(metrics, Path("rejected"), replayed)
    return [json.loads(line) for line in log.getvalue().splitlines()], metrics


@each_case(
    ("act", "status", "event"),
    [
        (Act.SETTLE, SettleStatus.SETTLED, None),
        (Act.SETTLE, SettleStatus.LATE, "settle.late"),
        (Act.SETTLE, SettleStatus.ORPHAN, "settle.orphan"),
        (Act.RELEASE, SettleStatus.VOIDED, "settle.orphan"),
        (Act.UNDO, SettleStatus.VOIDED, None),
    ],
)
async def test_what_met_no_open_hold_is_flagged(act: Act, status: SettleStatus, event: str | None) -> None:
    """Late and orphaned outcomes have a line and a count of their own; an undo that met nothing is what it was for."""
    lines, metrics = told(act, status)

    assert ["settle.replayed", *filter(None, [event])] == [line["event"] for line in lines]
    assert (event is not None) == (b"gatekeeper_settlements_flagged_total{" in await metrics.shown())


@each_case(
    ("was", "event"),
    [
        (HoldState.LATE, "settle.late"),
        (HoldState.ORPHAN, "settle.orphan"),
        (HoldState.VOID, "settle.orphan"),
        (HoldState.SETTLED, None),
    ],
)
def test_what_the_ledger_knew_already_is_flagged_by_what_it_was_booked_as(was: HoldState, event: str | None) -> None:
    """It is in the outbox because its first answer was not heard, so nobody has told of it yet."""
    lines, _ = told(Act.SETTLE, SettleStatus.DUPLICATE, was)

    assert ["settle.replayed", *filter(None, [event])] == [line["event"] for line in lines]


def test_a_flagged_line_says_whose_it_is() -> None:
    """Team, hold and request are those of the generation."""
    lines, _ = told(Act.SETTLE, SettleStatus.ORPHAN)

    assert ("studio", HOLD, "r", 49, 49) == tuple(
        lines[1][name] for name in ("team", "hold_id", "request_id", "credits_held", "credits_charged")
    )
