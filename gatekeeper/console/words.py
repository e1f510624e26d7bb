"""Figures as people read them: credits, times, ages, shares. Filters of the templates; pure."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from gatekeeper.core.credits import MICRO, credits_text

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400


def credits_shown(amount_microcredits: int) -> str:
    """Exact, with spaces between the thousands: 12 345.5."""
    text = credits_text(amount_microcredits)
    sign = "−" if text.startswith("-") else ""
    whole, point, rest = text.removeprefix("-").partition(".")
    return f"{sign}{int(whole):,}".replace(",", "\u202f") + point + rest


def about_shown(amount_microcredits: int) -> str:
    """With no more digits than a guess is worth: whole credits, or hundredths of a few."""
    step = MICRO if abs(amount_microcredits) >= 10 * MICRO else MICRO // 100
    return credits_shown(amount_microcredits // step * step)


def count_shown(number: int) -> str:
    """A number of things, with spaces between the thousands."""
    return f"{number:,}".replace(",", "\u202f")


def percent_shown(value: float | None) -> str:
    """With no more decimals than it needs."""
    return "–" if value is None else f"{value:g}\u202f%"


def length_shown(seconds: float) -> str:
    """A stretch of time in its two largest units: 2 d 3 h."""
    left = max(0, int(seconds))
    units = (("d", DAY_S), ("h", HOUR_S), ("min", MINUTE_S), ("s", 1))
    for place, (name, size) in enumerate(units):
        if left >= size:
            below = units[place + 1] if place + 1 < len(units) else None
            rest = left % size // below[1] if below else 0
            return f"{left // size}\u202f{name}" + (f" {rest}\u202f{below[0]}" if below and rest else "")
    return "0\u202fs"


def time_shown(at_ms: int, timezone: str = "UTC") -> str:
    """Day and minute in a time zone: 2026-11-22 14:05."""
    return _local(at_ms, timezone).strftime("%Y-%m-%d %H:%M")


def second_shown(at_ms: int, timezone: str = "UTC") -> str:
    """The same with its second."""
    return _local(at_ms, timezone).strftime("%Y-%m-%d %H:%M:%S")


def clock_shown(at_ms: int, timezone: str = "UTC") -> str:
    """The time of day alone."""
    return _local(at_ms, timezone).strftime("%H:%M:%S")


def day_shown(at_ms: int, timezone: str = "UTC") -> str:
    """The day alone."""
    return _local(at_ms, timezone).strftime("%Y-%m-%d")


def machine_time(at_ms: int) -> str:
    """For the `datetime` of a `<time>`."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _local(at_ms: int, timezone: str) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(timezone))


FILTERS = {
    "credits": credits_shown,
    "about": about_shown,
    "number": count_shown,
    "percent": percent_shown,
    "lasting": length_shown,
    "time": time_shown,
    "second": second_shown,
    "clock": clock_shown,
    "day": day_shown,
    "machine_time": machine_time,
}
