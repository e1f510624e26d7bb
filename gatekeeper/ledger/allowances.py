"""Recurring grants: which of them are due at an instant, under which ids, and when what is left of them lapses.

Pure. A period is a day, a week or a month of the team's own time zone, as `windows.py` cuts them. Its grant is known by
the allowance and the date on which the period begins, so it is given once, by whomever and however often it is asked.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from gatekeeper.ledger.teamrecord import Allowance, Per, TeamRecord
from gatekeeper.ledger.windows import Window, windows_at

PERIODS_BACK_MAX: Final = 31
"""Periods that are made up for when nobody was there to give them, the present one included: a month of days. Also how
many periods an allowance may last, so that nothing is missed that has not lapsed."""

PERS: Final = (Per.DAY, Per.WEEK, Per.MONTH)
"""What an allowance may be given by."""

Due = tuple[str, int, int | None]
"""The grant's id, its micro-credits, and when it expires (ms; None: never)."""


def due(record: TeamRecord, now_ms: int) -> tuple[Due, ...]:
    """Every grant of the team's allowances that should be there by now and has not lapsed, the oldest first.

    An allowance begins with the period that its `since_ms` falls into.
    """
    return tuple(each for allowance in record.allowances for each in _due_of(allowance, record.timezone, now_ms))


def next_due_ms(record: TeamRecord, now_ms: int) -> int | None:
    """When the next grant is due: the first instant of a next period, or of a first one; None without allowances."""
    return min((_next_of(allowance, record.timezone, now_ms) for allowance in record.allowances), default=None)


def begins_ms(before: TeamRecord, allowance_id: str, per: Per, now_ms: int) -> int:
    """Since when an allowance is given that does not say: since it was there with this period, else from now on. Of a
    new period those that were over before it came are not made up for: the old ones were given for that time."""
    known = next((each for each in before.allowances if each.id == allowance_id), None)
    return known.since_ms if known is not None and known.per == per else now_ms


def moved(allowances: Iterable[Allowance], before: str, after: str) -> tuple[Allowance, ...]:
    """Allowances of a team that goes from one time zone to another: each begins on the same day and hour there, or a
    zone further west would find a period before its first one, and give that too."""
    if before == after:
        return tuple(allowances)
    return tuple(replace(each, since_ms=_same_there(each.since_ms, before, after)) for each in allowances)


def _same_there(at_ms: int, before: str, after: str) -> int:
    here = datetime.fromtimestamp(at_ms // 1000, tz=UTC).astimezone(ZoneInfo(before))
    return max(0, int(here.replace(tzinfo=ZoneInfo(after), fold=0).timestamp()) * 1000 + at_ms % 1000)


def _next_of(allowance: Allowance, timezone: str, now_ms: int) -> int:
    first = _period(allowance.since_ms, allowance.per, timezone)
    return first.start_ms if first.start_ms > now_ms else _period(now_ms, allowance.per, timezone).end_ms


def _due_of(allowance: Allowance, timezone: str, now_ms: int) -> list[Due]:
    lasts, per = allowance.lasts_periods, allowance.per
    first = _period(allowance.since_ms, per, timezone)
    if first.start_ms > now_ms:
        return []
    periods = list(_back(_period(now_ms, per, timezone), per, timezone, first.start_ms, lasts or PERIODS_BACK_MAX))
    return [
        (
            f"allowance:{allowance.id}:{_date(period.start_ms, timezone)}",
            allowance.credits,
            _end_of(period, per, timezone, lasts) if lasts else None,
        )
        for period in reversed(periods)
    ]


def _back(period: Window, per: Per, timezone: str, first_ms: int, count: int) -> Iterator[Window]:
    """This period and those before it, down to the one that begins at `first_ms`, so many at most."""
    for _ in range(min(count, PERIODS_BACK_MAX)):
        yield period
        if period.start_ms <= first_ms:
            return
        period = _period(period.start_ms - 1, per, timezone)


def _end_of(period: Window, per: Per, timezone: str, lasts: int) -> int:
    """When the last of so many periods from this one on is over."""
    for _ in range(lasts - 1):
        period = _period(period.end_ms, per, timezone)
    return period.end_ms


def _period(at_ms: int, per: Per, timezone: str) -> Window:
    window = windows_at(at_ms, timezone).of(per)
    if window is None:
        raise ValueError(f"an allowance is given by {', '.join(PERS)}, not by {per}")
    return window


def _date(at_ms: int, timezone: str) -> str:
    return datetime.fromtimestamp(at_ms // 1000, tz=UTC).astimezone(ZoneInfo(timezone)).date().isoformat()
