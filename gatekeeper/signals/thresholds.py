"""At how many percent of a limit or a budget its team is told, and which of those points have been reached. Pure.

What counts is what was charged (`used`): what is held may yet be freed, and a point that was told is not taken back. A
limit of nothing has no percentages.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gatekeeper.ledger.reports import LimitUsage
from gatekeeper.ledger.teamrecord import Per
from gatekeeper.ledger.windows import Windows, windows_at

BUDGET = "budget:"
"""What stands before a project's name in the scope of its budget; a limit's scope is never of this kind."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """A point that was reached in this window. `window_start_ms` is None where it is for life."""

    usage: LimitUsage
    percent: int
    window_start_ms: int | None

    @property
    def claim(self) -> str:
        """What it is told under, once."""
        return claim_text(self.usage.scope, self.usage.per, self.window_start_ms, str(self.percent))


def crossings(usages: Iterable[LimitUsage], percents: Sequence[int], at_ms: int, timezone: str) -> list[Crossing]:
    """Every point that these limits have reached at this instant, the lowest first."""
    points = [(usage, percent) for usage in usages for percent in reached(usage.used, usage.limit, percents)]
    if not points:  # mostly; and to know when windows begin costs more than all else here
        return []
    windows = windows_at(at_ms, timezone)
    return [Crossing(usage, percent, _start_ms(windows, usage)) for usage, percent in points]


def _start_ms(windows: Windows, usage: LimitUsage) -> int | None:
    window = windows.of(usage.per)
    return None if window is None else window.start_ms


def reached(used: int, limit: int, percents: Iterable[int]) -> list[int]:
    """Which of these percentages of a limit are used, in order."""
    return sorted({percent for percent in percents if limit > 0 and percent > 0 and used * 100 >= limit * percent})


def claim_text(scope: str, per: Per, window_start_ms: int | None, what: str) -> str:
    """The name of something that is told once per window: a percentage or a diagnosis. No part of it holds a tab."""
    return "\t".join((scope, per, "" if window_start_ms is None else str(window_start_ms), what))
