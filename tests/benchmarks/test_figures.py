"""Medians, ratios, percentiles."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.figures import Figure, percentile, ratios
from tests.cases import each_case


def test_a_figure_has_the_median_and_the_range() -> None:
    """In whatever order rounds came; all of them are kept."""
    assert Figure(2, 1, 9, (9, 1, 2)) == Figure.of([9, 1, 2])


def test_ratios_are_taken_within_a_round() -> None:
    """A round in which all is slow changes no ratio."""
    assert [2, 2, 2] == ratios([2, 20, 4], [1, 10, 2])


def test_rounds_without_a_partner_have_no_ratio() -> None:
    """A cell that was measured more often than its base is a mistake."""
    with pytest.raises(ValueError, match="2 rounds cannot be compared with 1"):
        ratios([1, 2], [1])


@each_case("case", [(0.5, 2), (0.51, 3), (0.99, 4), (1.0, 4), (0.0, 1), (0.25, 1)])
def test_a_percentile_is_one_of_the_values(case: tuple[float, int]) -> None:
    """The nearest rank: half of four values do not exceed the second."""
    share, expected = case

    assert expected == percentile([1, 2, 3, 4], share)


@given(st.lists(st.floats(0, 1e9), min_size=1), st.floats(0, 1))
def test_as_many_as_promised_do_not_exceed_a_percentile(values: list[float], share: float) -> None:
    """Its definition."""
    found = percentile(sorted(values), share)

    assert sum(value <= found for value in values) >= share * len(values)


def test_nothing_has_no_percentile() -> None:
    """An empty window is told, not taken for zero."""
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)
