"""Calendar windows at the edges: clock changes, month ends, midnights that are skipped or come twice."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.ledger.teamrecord import Per
from gatekeeper.ledger.windows import Window, WindowCache, windows_at
from tests.cases import each_case

HOUR = 3_600_000
BERLIN = ZoneInfo("Europe/Berlin")


def ms(text: str, zone: str = "UTC") -> int:
    """The instant of a local wall-clock time."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * 1000


def span(per: Per, at: str, zone: str = "Europe/Berlin") -> tuple[str, str]:
    """Start and end of the window of a local time, as UTC text."""
    window = windows_at(ms(at, zone), zone).of(per)
    assert window is not None
    return _text(window.start_ms), _text(window.end_ms)


def _text(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms // 1000, tz=UTC).strftime("%Y-%m-%d %H:%M")


@each_case(
    ("per", "at", "start", "end"),
    [
        (Per.DAY, "2026-11-22 12:00", "2026-11-21 23:00", "2026-11-22 23:00"),
        (Per.DAY, "2026-03-29 12:00", "2026-03-28 23:00", "2026-03-29 22:00"),  # 23 hours
        (Per.DAY, "2026-10-25 12:00", "2026-10-24 22:00", "2026-10-25 23:00"),  # 25 hours
        (Per.WEEK, "2026-11-22 23:59", "2026-11-15 23:00", "2026-11-22 23:00"),  # Sunday belongs to its Monday
        (Per.WEEK, "2026-11-23 00:00", "2026-11-22 23:00", "2026-11-29 23:00"),
        (Per.WEEK, "2026-10-25 12:00", "2026-10-18 22:00", "2026-10-25 23:00"),
        (Per.MONTH, "2026-10-31 23:59", "2026-09-30 22:00", "2026-10-31 23:00"),
        (Per.MONTH, "2026-12-31 23:59", "2026-11-30 23:00", "2026-12-31 23:00"),
        (Per.MONTH, "2028-02-29 12:00", "2028-01-31 23:00", "2028-02-29 23:00"),
        (Per.MONTH, "2027-01-31 12:00", "2026-12-31 23:00", "2027-01-31 23:00"),
        (Per.HOUR, "2026-11-22 12:34", "2026-11-22 11:00", "2026-11-22 12:00"),
    ],
)
def test_window_in_berlin(per: Per, at: str, start: str, end: str):
    """Days, weeks and months begin at local midnight, whatever the clocks do in between."""
    assert (start, end) == span(per, at)


def test_the_hour_that_comes_twice_is_two_windows():
    """When clocks go back, both hours called 02 are windows of their own."""
    first = ms("2026-10-25 00:30")
    windows = [windows_at(first + n * HOUR, "Europe/Berlin").hour for n in range(2)]

    assert (HOUR, windows[0].end_ms) == (windows[1].end_ms - windows[1].start_ms, windows[1].start_ms)


@pytest.mark.parametrize(
    ("zone", "at", "start", "end"),
    [
        ("America/Havana", "2026-03-08 12:00", "2026-03-08 05:00", "2026-03-09 04:00"),  # midnight is skipped
        ("America/Havana", "2026-11-01 12:00", "2026-11-01 04:00", "2026-11-02 05:00"),  # midnight comes twice
        ("Asia/Kathmandu", "2026-06-01 12:00", "2026-05-31 18:15", "2026-06-01 18:15"),  # UTC+5:45
        ("Pacific/Apia", "2011-12-29 12:00", "2011-12-29 10:00", "2011-12-30 10:00"),  # the 30th never was
        ("Pacific/Apia", "2011-12-31 12:00", "2011-12-30 10:00", "2011-12-31 10:00"),
    ],
)
def test_odd_midnights(zone: str, at: str, start: str, end: str):
    """A skipped midnight is the instant it is skipped at; of two, the first one counts; a lost day is no window."""
    assert (start, end) == span(Per.DAY, at, zone)


def test_hours_of_a_half_hour_clock_change_do_not_overlap():
    """Lord Howe moves clocks by 30 minutes: each instant of that day is still in exactly one hour."""
    day = windows_at(ms("2026-10-04 12:00", "Australia/Lord_Howe"), "Australia/Lord_Howe").day
    starts, at = [], day.start_ms
    while at < day.end_ms:
        hour = windows_at(at, "Australia/Lord_Howe").hour
        starts.append(hour.start_ms)
        at = hour.end_ms

    assert (day.end_ms, starts) == (at, sorted(set(starts)))


@given(
    at_ms=st.integers(ms("2000-01-02 00:00"), ms("2037-12-30 00:00")),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/Havana", "Australia/Lord_Howe", "Asia/Kathmandu"]),
)
def test_windows_tile_time(at_ms: int, zone: str):
    """Every instant is inside its own windows, and the window after one begins where it ends."""
    now = windows_at(at_ms, zone)
    spans = (now.hour, now.day, now.week, now.month)
    pers = (Per.HOUR, Per.DAY, Per.WEEK, Per.MONTH)
    following = [windows_at(span.end_ms, zone).of(per) for span, per in zip(spans, pers, strict=True)]

    assert now.hold(at_ms)
    assert [(s.end_ms, s.next_end_ms) for s in spans] == [(f.start_ms, f.end_ms) for f in following if f]


def test_lifetime_has_no_window():
    """A lifetime limit counts in no window."""
    assert windows_at(0, "UTC").of(Per.LIFETIME) is None


def test_cache_computes_only_when_the_windows_are_over():
    """The same windows are given until one of them no longer holds."""
    cache, at = WindowCache(), ms("2026-11-22 12:30")
    first = cache.at(at, "UTC")

    assert cache.at(at + HOUR // 4, "UTC") is first
    assert cache.latest("UTC") is first
    assert cache.at(at + HOUR, "UTC") is not first


def test_cache_without_knowledge_gives_windows_that_never_hold():
    """Before the store has told its time, the windows given are long over."""
    assert not WindowCache().latest("Europe/Berlin").hold(ms("2026-01-01 00:00"))


def test_argument_lists_starts_ends_and_next_ends():
    """The script gets their zone, while when all four windows hold, then twelve numbers, hour first."""
    windows = windows_at(ms("2026-11-22 12:30"), "UTC")
    zone, whole, *numbers = (part.split(":") for part in windows.argument.split(";"))
    four = (windows.hour, windows.day, windows.week, windows.month)

    assert ["UTC"] == zone
    assert [[str(windows.hour.start_ms), str(windows.hour.end_ms)], [4, 4, 4]] == [whole, [len(n) for n in numbers]]
    assert list(four) == [Window(*map(int, instants)) for instants in zip(*numbers, strict=True)]
