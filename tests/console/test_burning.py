"""What is left day by day, when it ends, and how that is drawn."""

from datetime import UTC, date, datetime, timedelta

import orjson
import pytest

from gatekeeper.console.burning import DAYS, Burn, burn_of, days_query
from gatekeeper.console.pages.team import burn_document
from gatekeeper.console.pages.teams import states_of
from gatekeeper.console.sparks import HEIGHT, WIDTH, bar_of, spark_of
from gatekeeper.core.credits import MICRO
from gatekeeper.ledger.reports import Balance, UsageRow
from gatekeeper.ledger.teamrecord import TeamRecord

TODAY = date(2026, 11, 22)


def row(days_ago: int, credits: int) -> UsageRow:  # noqa: A002
    """Spend of one day, in credits."""
    begins = datetime.combine(TODAY - timedelta(days=days_ago), datetime.min.time(), UTC)
    day_ms = int(begins.timestamp() * 1000)
    return UsageRow(day_ms, "m", "o", "1K", "", "p", (), "", "", credits * MICRO, 1, 0, 1)


def burn(*rows: UsageRow, available: int = 100) -> Burn:
    return burn_of(rows, available * MICRO, days_query("UTC", TODAY))


def balance(**changes: int) -> Balance:
    """A team with 100 of 1,000 credits."""
    facts = {"granted": 1000, "available": 100, "held": 0, "charged": 900, "expired": 0, "debt": 0} | changes
    return Balance(
        "studio", **{name: value * MICRO for name, value in facts.items()}, open_holds=0, limits=(), seq=1, at_ms=0
    )


def test_the_line_goes_down_to_what_is_available() -> None:
    """Before each day there was what was spent since, and today there is what there is."""
    found = burn(row(2, 30), row(1, 20))

    assert [150, 120, 100, 100] == [day.left // MICRO for day in found.days[-4:]]
    assert (DAYS, TODAY) == (len(found.days), found.today)


def test_spend_of_other_days_is_left_out() -> None:
    """A row from before the first day is in no figure."""
    assert burn() == burn(row(DAYS, 500))


def test_the_pace_is_that_of_two_weeks() -> None:
    """140 credits in the last two weeks are ten a day: a hundred last ten days."""
    found = burn(*(row(day, 10) for day in range(14)), row(20, 500))

    assert (10 * MICRO, date(2026, 12, 2), 10) == (found.pace, found.ends_on, found.days_left)


def test_who_began_a_moment_ago_has_a_pace_of_those_days() -> None:
    """Twenty credits on each of two days, and nothing before: twenty a day."""
    found = burn(row(1, 20), row(0, 20))

    assert (20 * MICRO, 5) == (found.pace, found.days_left)


@pytest.mark.parametrize("rows", [(), (row(0, -5),), (row(20, 10),)])
def test_who_spends_nothing_has_no_end(rows: tuple[UsageRow, ...]) -> None:
    """Nor who was given back more than was charged, nor who stopped three weeks ago."""
    assert burn(*rows).ends_on is None


def test_what_lasts_ten_years_lasts() -> None:
    """A date in the far future says nothing."""
    assert burn(row(0, 1), available=10**6).ends_on is None


def test_the_figures_of_the_chart_fit_together() -> None:
    """One line ends where the other begins, today, and nothing goes below zero."""
    document = orjson.loads(orjson.dumps(burn_document(burn(*(row(day, 30) for day in range(14))))))

    assert {len(document["days"])} == {len(document[name]) for name in ("left", "ahead", "charged")}
    assert document["left"][DAYS - 1] == document["ahead"][DAYS - 1] == 100
    assert [70, 40, 10, 0] == document["ahead"][DAYS:]
    assert "2026-11-26" == document["ends_on"] == document["days"][-1]


def test_a_spark_stays_in_its_drawing() -> None:
    """Every point of it, and none where nothing was spent."""
    found = spark_of(burn(row(3, 50), row(1, 50)))

    assert found is not None
    points = [point.split() for point in f"{found.line}{found.ahead}".replace("L", "M").split("M") if point]
    assert all(0 <= float(x) <= WIDTH and 0 <= float(y) <= HEIGHT for x, y in points)
    assert spark_of(burn()) is None


@pytest.mark.parametrize(
    ("used", "held", "whole", "expected"),
    [
        (50, 10, 100, (50.0, 10.0, "")),
        (70, 10, 100, (70.0, 10.0, "near")),
        (90, 20, 100, (90.0, 10.0, "full")),
        (200, 5, 100, (100.0, 0.0, "full")),
        (0, 0, 0, (100.0, 0.0, "full")),
        (-5, 0, 100, (0.0, 0.0, "")),
    ],
)
def test_a_bar_is_never_longer_than_it_is(used: int, held: int, whole: int, expected: tuple[float, float, str]) -> None:
    """And says in a word how it stands."""
    found = bar_of(used, held, whole)

    assert expected == (found.used, found.held, found.level)


@pytest.mark.parametrize(
    ("record", "figures", "rows", "words"),
    [
        ({}, {}, (), ["Open"]),
        ({"frozen": True, "shadow": True}, {}, (), ["Frozen", "Shadow"]),
        ({}, {"available": 0, "debt": 5}, (), ["In debt"]),
        ({}, {"available": 0}, (), ["Out of credits"]),
        ({}, {"available": 0, "granted": 0}, (), ["No credits yet"]),
        ({}, {}, (row(0, 50),), ["Ends soon"]),
    ],
)
def test_a_team_stands_as_its_figures_say(
    record: dict[str, bool], figures: dict[str, int], rows: tuple[UsageRow, ...], words: list[str]
) -> None:
    """What keeps it from working comes first."""
    states = states_of(TeamRecord("studio", **record), balance(**figures), burn(*rows))

    assert words == [state.word for state in states]
