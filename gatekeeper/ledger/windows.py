"""Calendar windows: which hour, day, week and month an instant falls into, in a team's time zone.

Pure. The gateway computes the window of now and the one after it; the script picks the one that holds its own
clock's now, so neither clock has to be exact. Days run from local midnight to local midnight (23 or 25 hours when
clocks change), weeks from Monday, months from the 1st. Hours are counted in full hours from the day's start, so an
hour never lasts longer than one and no instant is in two.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from gatekeeper.ledger.teamrecord import Per

TIMEZONES_KNOWN_MAX: Final = 10_000
"""Teams whose time zone is remembered; a forgotten one costs its next hold a second round trip."""

_HOUR_MS: Final = 3_600_000
_LONG_AGO_MS: Final = 946_684_800_000  # 2000-01-01: never now, and no window of it starts before 1970

_Span = Callable[[int, ZoneInfo], tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time [start, end) and the end of the one that follows it, in ms since 1970 UTC."""

    start_ms: int
    end_ms: int
    next_end_ms: int

    def holds(self, at_ms: int) -> bool:
        """Whether the instant is in [start, end)."""
        return self.start_ms <= at_ms < self.end_ms


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows of one instant in one time zone."""

    timezone: str
    hour: Window
    day: Window
    week: Window
    month: Window
    argument: str = field(init=False, repr=False, compare=False)
    """The form hold.lua takes: their zone, while when all four hold, then their starts, ends and next ends. Every hold
    sends it: it is written once, not each time."""

    def __post_init__(self) -> None:
        spans = (self.hour, self.day, self.week, self.month)
        whole = (max(w.start_ms for w in spans), min(w.end_ms for w in spans))
        starts, ends = [w.start_ms for w in spans], [w.end_ms for w in spans]
        next_ends = [w.next_end_ms for w in spans]
        text = ";".join(":".join(map(str, instants)) for instants in (whole, starts, ends, next_ends))
        object.__setattr__(self, "argument", f"{self.timezone};{text}")

    def of(self, per: Per) -> Window | None:
        """The window of a limit; None for `lifetime`."""
        by_per = {Per.HOUR: self.hour, Per.DAY: self.day, Per.WEEK: self.week, Per.MONTH: self.month}
        return by_per.get(per)

    def hold(self, at_ms: int) -> bool:
        """Whether all four are the windows of this instant."""
        return all(window.holds(at_ms) for window in (self.hour, self.day, self.week, self.month))


def windows_at(at_ms: int, timezone: str) -> Windows:
    """The windows that hold this instant in this time zone (an IANA name, checked before)."""
    zone = ZoneInfo(timezone)
    return Windows(
        timezone,
        hour=_window(_hour, at_ms, zone),
        day=_window(_day, at_ms, zone),
        week=_window(_week, at_ms, zone),
        month=_window(_month, at_ms, zone),
    )


def _window(span: _Span, at_ms: int, zone: ZoneInfo) -> Window:
    start, end = span(at_ms, zone)
    return Window(start, end, span(end, zone)[1])


def _hour(at_ms: int, zone: ZoneInfo) -> tuple[int, int]:
    day_start, day_end = _day(at_ms, zone)
    start = day_start + (at_ms - day_start) // _HOUR_MS * _HOUR_MS
    return start, min(start + _HOUR_MS, day_end)


def _day(at_ms: int, zone: ZoneInfo) -> tuple[int, int]:
    today = _local_date(at_ms, zone)
    return _midnight_ms(today, zone), _midnight_ms(today + timedelta(days=1), zone)


def _week(at_ms: int, zone: ZoneInfo) -> tuple[int, int]:
    today = _local_date(at_ms, zone)
    monday = today - timedelta(days=today.weekday())
    return _midnight_ms(monday, zone), _midnight_ms(monday + timedelta(days=7), zone)


def _month(at_ms: int, zone: ZoneInfo) -> tuple[int, int]:
    first = _local_date(at_ms, zone).replace(day=1)
    next_first = (first + timedelta(days=31)).replace(day=1)
    return _midnight_ms(first, zone), _midnight_ms(next_first, zone)


def _local_date(at_ms: int, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(at_ms // 1000, tz=UTC).astimezone(zone).date()


def _midnight_ms(day: date, zone: ZoneInfo) -> int:
    """The day's first instant. A midnight that clocks skip is the instant they skip at; of two, the first counts."""
    return int(datetime.combine(day, time(), tzinfo=zone).timestamp()) * 1000


class WindowCache:
    """The last windows computed for each time zone, and which zone teams are in. Not a clock: whoever asks brings the
    store's instant."""

    def __init__(self) -> None:
        self._latest: dict[str, Windows] = {}
        self._timezones: dict[str, str] = {}

    def of_team(self, team_id: str) -> Windows:
        """The latest in the zone in which the team was last known to be."""
        timezone = self._timezones.get(team_id, "UTC")
        return self._latest.get(timezone) or self.latest(timezone)

    def remember(self, team_id: str, timezone: str) -> None:
        """This is the team's zone now."""
        if len(self._timezones) >= TIMEZONES_KNOWN_MAX:
            self._timezones.clear()
        self._timezones[team_id] = timezone

    def latest(self, timezone: str) -> Windows:
        """The windows computed last, long gone ones if there are none; the script says if they no longer hold."""
        return self._latest.get(timezone) or self.at(_LONG_AGO_MS, timezone)

    def at(self, at_ms: int, timezone: str) -> Windows:
        """The windows of this instant, kept for the next call."""
        known = self._latest.get(timezone)
        if known is None or not known.hold(at_ms):
            known = self._latest[timezone] = windows_at(at_ms, timezone)
        return known
