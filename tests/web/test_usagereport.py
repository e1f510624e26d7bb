"""What is read of a usage query, and how rows become a report."""

import csv
import json
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from io import StringIO
from typing import Any, cast

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.core.rejection import Code, Rejected
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.reports import UsageRow
from gatekeeper.ledger.teamrecord import TeamRecord
from gatekeeper.ledger.usagebook import ROWS_AT_ONCE_MAX
from gatekeeper.web import usagereport
from gatekeeper.web.usagereport import (
    DIMENSIONS,
    UsageQuery,
    add_up,
    read_usage_query,
    usage_answer,
    usage_csv,
    usage_document,
    usage_report,
)

BERLIN = "Europe/Berlin"
NOW_MS = int(datetime(2026, 11, 22, 14, tzinfo=UTC).timestamp() * 1000)
CREDIT = 1_000_000


def at(*parts: int) -> int:
    """An instant of UTC in milliseconds."""
    return int(datetime(*parts, tzinfo=UTC).timestamp() * 1000)  # type: ignore[misc, arg-type]


NOVEMBER_3 = at(2026, 11, 2, 23)
"""Where that day begins in Berlin."""


def a_row(**changes: Any) -> UsageRow:
    """One generation of 49 credits on the third of November."""
    words = dict.fromkeys(("operation", "phase", "provider", "member"), "")
    boring = {"day_ms": NOVEMBER_3, "model": "a-model", "resolution": "1K", "project": "spring", "traits": (), **words}
    return UsageRow(**boring | {"credits": 49 * CREDIT, "generations": 1, "released": 0, "outputs": 1} | changes)


def the_rest(**counted: int) -> UsageRow:
    """What the ledger kept no row for."""
    blank = {"model": "", "resolution": "", "project": "", "credits": 0, "generations": 0, "outputs": 0}
    return a_row(**blank | counted, other=True)


def asked(**query: str) -> UsageQuery:
    """A query of a team in Berlin; `from_` is `from`."""
    return read_usage_query({name.rstrip("_"): value for name, value in query.items()}, BERLIN, NOW_MS)


def reported(*rows: UsageRow, **query: str) -> Any:
    """The document as its reader sees it."""
    return json.loads(orjson.dumps(usage_document(add_up("studio", asked(**query), rows))), parse_float=Decimal)


@pytest.mark.parametrize(
    ("query", "days"),
    [
        ({}, ("2026-11-01", "2026-11-22")),
        ({"from_": "2026-10-30"}, ("2026-10-30", "2026-11-22")),
        ({"to": "2026-10-30"}, ("2026-10-01", "2026-10-30")),
        ({"from_": "2026-11-03T23:30:00Z", "to": "2026-11-04T23:00:00Z"}, ("2026-11-04", "2026-11-04")),
        ({"from_": "2026-11-03T23:30:00", "to": "2026-11-04T00:00:01"}, ("2026-11-03", "2026-11-04")),
    ],
)
def test_the_days_of_a_query(query: dict[str, str], days: tuple[str, str]) -> None:
    """This month so far by default; an instant is its whole day in the team's time zone, and midnight is an end."""
    found = asked(**query)

    assert days == (found.first.isoformat(), found.last.isoformat())


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"since": "2026-11-01"}, "There is no parameter since; there are from, to, by, format."),
        ({"from_": "yesterday"}, "`from` is yesterday: write a day like 2026-11-30"),
        ({"to": "2026-02-30"}, "`to` is 2026-02-30: write a day like"),
        ({"from_": "0001-01-01"}, "there is usage from the years 2000 to 2999 only"),
        ({"from_": "2026-11-02", "to": "2026-11-01"}, "`from` is after `to`"),
        ({"from_": "2020-11-02"}, "are more than 800 days; ask for fewer at once"),
        ({"by": "model,colour"}, "`by` has colour: use model, resolution,"),
        ({"by": ""}, "`by` has an empty word"),
        ({"format": "xml"}, "`format` is xml: there are json and csv."),
        ({"from_": "9" * 5000}, "write a day like"),
    ],
)
def test_a_query_that_cannot_be_answered(query: dict[str, str], says: str) -> None:
    """Each mistake is named with what there is."""
    with pytest.raises(Rejected) as caught:
        asked(**query)

    assert Code.MALFORMED_REQUEST is caught.value.rejection.code
    assert says in caught.value.rejection.detail


def test_a_report_by_what_was_asked() -> None:
    """Rows of one combination are one, those that cost most come first, and all add up to the total."""
    dear = a_row(resolution="4K", credits=98_500_000, outputs=2)

    found = reported(a_row(), dear, a_row(member="amy", released=1), by="resolution")

    assert [
        {"resolution": "4K", "other": False, "credits": Decimal("98.5"), "generations": 1, "released": 0, "outputs": 2},
        {"resolution": "1K", "other": False, "credits": 98, "generations": 2, "released": 1, "outputs": 2},
    ] == found["rows"]
    assert {"credits": Decimal("196.5"), "generations": 3, "released": 1, "outputs": 4} == found["total"]
    assert ("studio", BERLIN, "2026-11-01", "2026-11-22", ["resolution"]) == tuple(
        found[name] for name in ("team", "timezone", "from", "to", "by")
    )


def test_days_come_in_their_order() -> None:
    """By day, the earlier first, whatever it cost."""
    rows = a_row(day_ms=at(2026, 11, 4, 23), credits=CREDIT * 100), a_row()

    assert ["2026-11-03", "2026-11-05"] == [row["day"] for row in reported(*rows, by="day")["rows"]]


def test_the_ends_of_a_stretch() -> None:
    """Both days that were named count, and none beside them."""
    rows = [a_row(day_ms=at(2026, 11, day, 23)) for day in (1, 2, 3, 4)]

    found = reported(*rows, from_="2026-11-03", to="2026-11-04", by="day")

    assert ["2026-11-03", "2026-11-04"] == [row["day"] for row in found["rows"]]


def test_days_of_another_zone_keep_their_date() -> None:
    """A team that moved from UTC to Berlin sees its old days as they were."""
    utc_day = a_row(day_ms=at(2026, 11, 1))

    (row,) = reported(utc_day, from_="2026-11-01", to="2026-11-01", by="day")["rows"]

    assert "2026-11-01" == row["day"]


def test_what_is_not_known_is_null() -> None:
    """A generation without a phase is in a row without one; its traits are words with a plus between them."""
    found = reported(a_row(), a_row(phase="final", traits=("audio_default", "retry")), by="phase,traits")

    assert [(None, None), ("final", "audio_default+retry")] == [(row["phase"], row["traits"]) for row in found["rows"]]


def test_what_was_not_kept_apart() -> None:
    """It stands behind the rest and says so; by day alone nothing of it is missing."""
    rest = the_rest(credits=500 * CREDIT, generations=9, outputs=9)

    apart, together = reported(rest, a_row(), by="model"), reported(rest, a_row(), by="day")

    assert [("a-model", False), (None, True)] == [(row["model"], row["other"]) for row in apart["rows"]]
    assert [("2026-11-03", False, 549)] == [(row["day"], row["other"], row["credits"]) for row in together["rows"]]


def test_a_table_for_spreadsheets() -> None:
    """The same rows as CSV; what would be a formula is text."""
    rows = a_row(model="=HYPERLINK()", credits=73_500_000), a_row(model="a,b"), the_rest()

    text = usage_csv(add_up("studio", asked(by="model,phase", format="csv"), rows))

    assert [
        ["model", "phase", "credits", "generations", "released", "outputs"],
        ["'=HYPERLINK()", "", "73.5", "1", "0", "1"],
        ["a,b", "", "49", "1", "0", "1"],
        ["(other)", "(other)", "0", "0", "0", "0"],
    ] == list(csv.reader(StringIO(text)))


ROWS = st.lists(
    st.builds(
        a_row,
        day_ms=st.integers(at(2026, 10, 1), at(2026, 12, 31)),
        model=st.sampled_from(["", "a", "b"]),
        phase=st.sampled_from(["", "final"]),
        traits=st.sampled_from([(), ("retry",)]),
        credits=st.integers(0, 10**9),
        generations=st.integers(0, 9),
        other=st.booleans(),
    )
)


@given(rows=ROWS, by=st.lists(st.sampled_from(DIMENSIONS), min_size=1, unique=True))
def test_groups_always_add_up(rows: list[UsageRow], by: list[str]) -> None:
    """However rows are grouped, the groups come to the same total as all rows of the days."""
    query = asked(from_="2026-10-01", to="2026-12-31", by=",".join(by))

    found = add_up("studio", query, rows)

    inside = [row for row in rows if date(2026, 10, 1) <= query.day_of(row) <= date(2026, 12, 31)]
    assert sum(row.credits for row in inside) == found.total.credits == sum(g.sum.credits for g in found.groups)
    assert sum(row.generations for row in inside) == sum(g.sum.generations for g in found.groups)
    assert all(query.from_ms <= row.day_ms < query.to_ms for row in inside)


class Books:
    """A ledger with these rows of usage."""

    def __init__(self, rows: list[UsageRow]) -> None:
        self.usage = self
        self._rows = rows

    async def now_ms(self, _team: str) -> int:
        return NOW_MS

    async def rows(self, _team: str, _from_ms: int, _to_ms: int) -> list[UsageRow]:
        return self._rows


@pytest.mark.parametrize(("count", "is_here"), [(ROWS_AT_ONCE_MAX, True), (ROWS_AT_ONCE_MAX + 1, False)])
async def test_many_rows_hold_nobody_up(monkeypatch: pytest.MonkeyPatch, count: int, is_here: bool) -> None:
    """They are added up, and written, beside the event loop."""
    threads = list[int]()

    def seen(do: Callable[..., Any]) -> Callable[..., Any]:
        def doing(*args: Any) -> Any:
            threads.append(threading.get_ident())
            return do(*args)

        return doing

    for name in ("add_up", "usage_document"):
        monkeypatch.setattr(usagereport, name, seen(getattr(usagereport, name)))
    books = Books([a_row(project=f"p{number}") for number in range(count)])

    report = await usage_report(cast("Ledger", books), TeamRecord("studio"), {"by": "project"})
    answer = await usage_answer(report)

    assert (200, count) == (answer.status, len(report.groups))
    assert [is_here] * 2 == [each == threading.get_ident() for each in threads]
