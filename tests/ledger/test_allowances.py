"""Recurring grants: which are due when, under which ids, in any time zone."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from gatekeeper.ledger.allowances import PERIODS_BACK_MAX, due, next_due_ms
from gatekeeper.ledger.teamrecord import Allowance, Per, TeamRecord

ZONES = ("UTC", "Europe/Berlin", "America/Los_Angeles", "Asia/Kolkata", "Pacific/Kiritimati", "Pacific/Apia",
         "Africa/Cairo", "Australia/Lord_Howe", "Pacific/Pago_Pago")  # fmt: skip


def ms(text: str, zone: str = "UTC") -> int:
    """A local time as milliseconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def team(zone: str = "UTC", per: Per = Per.MONTH, since: str = "2026-01-01T00:00", **changes: Any) -> TeamRecord:
    """A team with one allowance of 100."""
    return TeamRecord("a", timezone=zone, allowances=(Allowance("m", 100, per, ms(since, zone), **changes),))


@pytest.mark.parametrize("zone", ZONES)
def test_a_month_is_the_teams_own(zone: str):
    """From its first instant to that of the next one, wherever the team is."""
    record = team(zone)
    march, april = ms("2026-03-01T00:00", zone), ms("2026-04-01T00:00", zone)

    assert (("allowance:m:2026-03-01", 100, april),) == due(record, march) == due(record, april - 1)
    assert (("allowance:m:2026-02-01", 100, march),) == due(record, march - 1)
    assert (march, april) == (next_due_ms(record, march - 1), next_due_ms(record, march))


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", "2026-03-29", 23),
        ("Europe/Berlin", "2026-10-25", 25),
        ("America/Los_Angeles", "2026-03-08", 23),
        ("Africa/Cairo", "2026-04-24", 23),  # midnight itself is skipped
        ("Australia/Lord_Howe", "2026-04-05", 24.5),
    ],
)
def test_a_day_on_which_clocks_change(zone: str, day: str, hours: float):
    """The day is as long as it is, and has one grant."""
    record = team(zone, Per.DAY)
    noon = ms(f"{day}T12:00", zone)
    ((grant_id, _, end),) = due(record, noon)
    ((before, _, start),) = due(record, noon - 86_400_000)

    assert (f"allowance:m:{day}", hours * 3_600_000) == (grant_id, end - start)
    assert before < grant_id


def test_weeks_begin_on_monday():
    """A week's grant has the date of its Monday, also across a month's end."""
    ((grant_id, _, end),) = due(team(per=Per.WEEK), ms("2026-03-01T23:59"))

    assert ("allowance:m:2026-02-23", ms("2026-03-02T00:00")) == (grant_id, end)


def test_roll_over_lasts_for_more_periods():
    """With three periods three grants are there at a time, each to its own end, the oldest first."""
    assert (
        ("allowance:m:2026-03-01", 100, ms("2026-06-01T00:00")),
        ("allowance:m:2026-04-01", 100, ms("2026-07-01T00:00")),
        ("allowance:m:2026-05-01", 100, ms("2026-08-01T00:00")),
    ) == due(team(lasts_periods=3), ms("2026-05-20T00:00"))


def test_what_never_lapses_is_made_up_for_a_while():
    """After a long silence the last 31 periods are, and none before the first."""
    days = due(team(per=Per.DAY, lasts_periods=0), ms("2026-12-01T00:00"))
    months = due(team(lasts_periods=0), ms("2026-03-05T00:00"))

    assert (PERIODS_BACK_MAX, "allowance:m:2026-11-01", None) == (len(days), days[0][0], days[0][2])
    assert ["allowance:m:2026-01-01", "allowance:m:2026-02-01", "allowance:m:2026-03-01"] == [
        each[0] for each in months
    ]


def test_the_first_period_is_the_one_it_begins_in():
    """Begun in the middle of a month, all of that month's is given, and nothing before it."""
    record = team(since="2026-03-15T12:00", lasts_periods=3)

    assert () == due(record, ms("2026-02-28T23:59"))
    assert ms("2026-03-01T00:00") == next_due_ms(record, ms("2026-02-10T00:00"))
    assert ["allowance:m:2026-03-01"] == [each[0] for each in due(record, ms("2026-03-15T12:00"))]


def test_nothing_is_due_where_nothing_recurs():
    """A team without allowances has neither grants nor a time at which to look again."""
    assert ((), None) == (due(TeamRecord("a"), 0), next_due_ms(TeamRecord("a"), 0))


INSTANTS = st.integers(ms("2003-01-01T00:00"), ms("2060-01-01T00:00"))


@settings(max_examples=60)
@given(
    now=INSTANTS, zone=st.sampled_from(ZONES), per=st.sampled_from([Per.DAY, Per.WEEK, Per.MONTH]),
    lasts=st.integers(0, 5), hours=st.integers(0, 24 * 70),
)  # fmt: skip
def test_every_instant_has_its_grant_and_no_two_have_one_id_with_other_words(
    now: int, zone: str, per: Per, lasts: int, hours: int
):
    """Whenever it is asked, the present period's grant is due and has not lapsed; what is told of a period is always
    the same; and no more than so many last at a time."""
    record = team(zone, per, "2000-01-01T00:00", lasts_periods=lasts)
    later = now + hours * 3_600_000
    first, second = due(record, now), due(record, later)
    known = {grant_id: (amount, end) for grant_id, amount, end in first}

    assert all(end is None or end > now for _, _, end in first)
    assert (lasts or PERIODS_BACK_MAX) == len(first) == len(known)
    assert all(known.get(grant_id, (amount, end)) == (amount, end) for grant_id, amount, end in second)
    if lasts:
        missed = {grant_id for grant_id, _, end in first if end is not None and end > later}
        assert missed <= {grant_id for grant_id, _, _ in second}
