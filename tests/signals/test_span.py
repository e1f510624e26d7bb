"""The window of a budget: the team's own calendar, or a campaign's days."""

from datetime import UTC, datetime

import pytest

from gatekeeper.core.credits import MICRO
from gatekeeper.ledger.teamrecord import Per, Project
from gatekeeper.signals.span import day_of, instant, rows_from_ms, span_of
from tests.signals.scene import DAY_MS, START_MS, a_row

BERLIN = "Europe/Berlin"


def at(text: str) -> int:
    """An instant in milliseconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def project(per: Per, since_ms: int | None = None, until_ms: int | None = None) -> Project:
    return Project("spring", MICRO, per, since_ms=since_ms, until_ms=until_ms)


@pytest.mark.parametrize(
    ("per", "start", "end"),
    [
        (Per.DAY, "2026-10-24T22:00", "2026-10-25T23:00"),  # clocks go back: 25 hours
        (Per.WEEK, "2026-10-18T22:00", "2026-10-25T23:00"),
        (Per.MONTH, "2026-09-30T22:00", "2026-10-31T23:00"),
    ],
)
def test_a_calendar_window_is_the_teams_own(per: Per, start: str, end: str) -> None:
    """From local midnight to local midnight; its rows are those of its days."""
    span = span_of(project(per), at("2026-10-25T12:00"), BERLIN)

    assert (at(start), at(end), at(start)) == (span.start_ms, span.end_ms, span.rows_from_ms)


def test_an_hour_has_no_rows() -> None:
    """Usage is kept by the day."""
    now_ms = START_MS + DAY_MS // 2
    span = span_of(project(Per.HOUR), now_ms, "UTC")

    assert not span.has(a_row(day_ms=START_MS))
    assert rows_from_ms(project(Per.HOUR), now_ms, "UTC") > now_ms


def test_a_campaign_has_the_days_that_it_says() -> None:
    """From the day of its beginning, whole, to its end."""
    since_ms, until_ms = START_MS + DAY_MS // 2, START_MS + 3 * DAY_MS
    span = span_of(project(Per.LIFETIME, since_ms, until_ms), START_MS + DAY_MS, "UTC")

    days = [span.has(a_row(day_ms=START_MS + number * DAY_MS)) for number in range(-1, 4)]
    assert ([False, True, True, True, False], since_ms, until_ms) == (days, span.start_ms, span.end_ms)


def test_a_life_begins_with_its_first_day() -> None:
    """That of its own first row, and has no end."""
    rows = (a_row(day_ms=START_MS - DAY_MS, project="autumn"), a_row(day_ms=START_MS))
    span = span_of(project(Per.LIFETIME), START_MS + 9 * DAY_MS, "UTC", rows)

    assert (START_MS, None, 0) == (span.start_ms, span.end_ms, rows_from_ms(project(Per.LIFETIME), START_MS, "UTC"))


def test_instants_and_days_as_people_read_them() -> None:
    """The instant in UTC, the day as it is for the team."""
    assert ("2026-10-31T23:30:00Z", "2026-11-01") == (
        instant(at("2026-10-31T23:30")),
        day_of(at("2026-10-31T23:30"), BERLIN),
    )
