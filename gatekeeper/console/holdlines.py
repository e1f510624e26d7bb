"""Open holds, as lines: how old, until when, and what ends each. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from gatekeeper.console.standing import State
from gatekeeper.ledger.records import HoldState, OnUnknown
from gatekeeper.ledger.reports import OpenHold

AFTERWARDS = {
    OnUnknown.RELEASE: "then released",
    OnUnknown.CHARGE: "then charged",
    OnUnknown.KEEP: "then kept",
}
"""What time does to a hold when nobody says how it ended."""


@dataclass(frozen=True, slots=True)
class HoldLine:
    """An open hold; `left_s` is below 0 when its deadline is past, None when time does not end it."""

    hold: OpenHold
    state: State
    age_s: float
    left_s: float | None
    ends: str


def hold_lines(holds: Iterable[OpenHold], now_ms: int) -> list[HoldLine]:
    """The lines, the oldest first."""
    return [_line(hold, now_ms) for hold in sorted(holds, key=lambda each: each.held_at_ms)]


def _line(hold: OpenHold, now_ms: int) -> HoldLine:
    left_s = None if hold.deadline_ms is None else (hold.deadline_ms - now_ms) / 1000
    return HoldLine(hold, _state(hold), max(now_ms - hold.held_at_ms, 0) / 1000, left_s, _ends(hold))


def _state(hold: OpenHold) -> State:
    if hold.state is HoldState.UNKNOWN:
        return State("Outcome unknown", "warn")
    return State("Follows a job" if hold.follows_job else "Running", "good")


def _ends(hold: OpenHold) -> str:
    if hold.deadline_ms is None:
        return "kept until somebody ends it"
    if hold.follows_job and hold.state is HoldState.HELD:
        return "then kept"
    return AFTERWARDS[hold.on_unknown]
