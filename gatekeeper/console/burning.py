"""How long credits last: what was charged day by day, what was left after each, and when nothing will be. Pure.

Looked at from today: what is available now, and before each day that much more as was charged since. So grants count
from the beginning, and the line goes down by spend alone. The pace is that of the last two weeks; a project's budget
has a pace of its own, which the signals tell.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from gatekeeper.ledger.reports import UsageRow
from gatekeeper.web.usagereport import UsageQuery

DAYS: Final = 31
"""The longest month, today its last day: what a chart shows, and the month that runs is always in it."""

PACE_DAYS: Final = 14
"""Two weeks have their weekends, and a habit of last month is over."""

AHEAD_DAYS_MAX: Final = 3650
"""What lasts ten years lasts."""

SOON_DAYS: Final = 7
"""Credits that end within a week need somebody today."""


@dataclass(frozen=True, slots=True)
class BurnDay:
    """A day: micro-credits charged in it, less refunds, and what was left when it was over."""

    day: date
    charged: int
    left: int


@dataclass(frozen=True, slots=True)
class Burn:
    """A month of days, the last is today. `pace` is micro-credits a day; `ends_on` None: not to be seen from here."""

    days: tuple[BurnDay, ...]
    available: int
    pace: int
    ends_on: date | None

    @property
    def today(self) -> date:
        return self.days[-1].day

    @property
    def days_left(self) -> int | None:
        return None if self.ends_on is None else (self.ends_on - self.today).days

    @property
    def ends_soon(self) -> bool:
        return self.days_left is not None and self.days_left <= SOON_DAYS


def days_query(timezone: str, today: date) -> UsageQuery:
    """The days of a chart."""
    return UsageQuery(timezone, today - timedelta(days=DAYS - 1), today)


def burn_of(rows: Iterable[UsageRow], available: int, query: UsageQuery) -> Burn:
    """The burn-down of these rows; those of other days are left out."""
    charged = dict.fromkeys((query.first + timedelta(days=n) for n in range(DAYS)), 0)
    for row in rows:
        day = query.day_of(row)
        if day in charged:
            charged[day] += row.credits
    left, days = available, list[BurnDay]()
    for day, spent in reversed(charged.items()):
        days.append(BurnDay(day, spent, left))
        left += spent
    pace = _pace([each.charged for each in reversed(days)])
    return Burn(tuple(reversed(days)), available, pace, _end(available, pace, query.last))


def _pace(charged: list[int]) -> int:
    """A day's share of the last two weeks, or of less, where spending began less long ago."""
    recent = charged[-PACE_DAYS:]
    first = next((place for place, spent in enumerate(recent) if spent), len(recent))
    since = recent if any(charged[:-PACE_DAYS]) else recent[first:]
    return max(sum(since), 0) // len(since) if since else 0


def _end(available: int, pace: int, today: date) -> date | None:
    if pace <= 0:
        return None
    days = -(-available // pace)
    return today + timedelta(days=days) if days <= AHEAD_DAYS_MAX else None
