"""Loops in place of parameters leave no case out, and the processes that share the tests lose none."""

from pathlib import Path

import pytest

from tests.cases import each_case
from tests.scheduling import LONG_FIRST, ONE_BY_ONE, unit_of


def test_every_case_runs() -> None:
    """Each with each, where there are two loops."""
    seen = []

    @each_case("letter", "ab")
    @each_case("low, high", [(1, 2), (3, 4)])
    def check(letter: str, low: int, high: int) -> None:
        seen.append((letter, low, high))

    check()  # type: ignore[call-arg]

    assert [("a", 1, 2), ("a", 3, 4), ("b", 1, 2), ("b", 3, 4)] == seen


async def test_a_coroutine_is_awaited_in_every_case() -> None:
    """A test that waits for something is no exception."""
    seen = []

    @each_case("number", [1, 2])
    async def check(number: int) -> None:
        seen.append(number)

    await check()  # type: ignore[call-arg]

    assert [1, 2] == seen


def test_the_case_that_fails_is_named() -> None:
    """By its arguments; the failure itself stays what it is."""

    @each_case("number", [1, 2])
    def check(number: int) -> None:
        assert number < 2

    with pytest.raises(AssertionError) as caught:
        check()  # type: ignore[call-arg]

    assert "in the case {'number': 2}" in caught.value.__notes__


def test_a_loop_over_nothing_is_refused() -> None:
    """It would pass whatever happens."""
    with pytest.raises(AssertionError, match="without a case"):
        each_case("number", [])


def test_the_long_files_are_there(root: Path) -> None:
    """Whoever renames one of them renames it in the schedule too."""
    assert [] == [path for path in LONG_FIRST if not (root / path).exists()]


@pytest.mark.parametrize(
    ("nodeid", "unit"),
    [
        ("tests/core/test_price.py::test_one[a]", "tests/core/test_price.py"),
        ("tests/system/test_outbox.py::test_one[a]", "tests/system/test_outbox.py::test_one[a]"),
        ("tests/ledger/test_everywhere.py::test_one[sentinel-3]", "tests/ledger/test_everywhere.py sentinel"),
        ("tests/ledger/test_everywhere.py::test_one[True-cluster]", "tests/ledger/test_everywhere.py cluster"),
    ],
)
def test_a_unit_is_a_file_a_long_test_or_a_store(nodeid: str, unit: str) -> None:
    """What is started once for many tests is started in one process."""
    assert unit == unit_of(nodeid)
    assert ONE_BY_ONE <= {*LONG_FIRST}
