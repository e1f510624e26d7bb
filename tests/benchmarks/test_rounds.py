"""Rounds and budgets: everything takes its turn, the first round is thrown away, wrong answers end a run."""

from dataclasses import dataclass
from typing import Any, cast

import pytest

from benchmarks.load import Window
from benchmarks.machine import Cores, plan_cores
from benchmarks.rounds import Budget, Cell, Reading, WrongAnswersError, expect, measure
from benchmarks.traffic import Generations, gets
from tests.benchmarks.conftest import StandIn
from tests.cases import each_case

MOMENT_S = 0.02


@dataclass
class Counted:
    """A process whose CPU moves by 10 us with each look."""

    url: str
    looks: int = 0

    def cpu_us(self) -> float:
        self.looks += 1
        return self.looks * 10.0


def cell(stand_in: StandIn, name: str = "posts", status: int = 200) -> Cell:
    """A cell that loads the stand-in."""
    process = cast("Any", Counted(stand_in.url))
    return Cell(name, process, Generations(f"{stand_in.url}/test/plain/v1").maker(), status, connections=2)


async def test_each_cell_is_measured_in_each_round(stand_in: StandIn) -> None:
    """In the order of the cells, whatever turns they took; the first round is not among the readings."""
    gets_cell = Cell("gets", cast("Any", Counted(stand_in.url)), gets(f"{stand_in.url}/test/plain/v1/models"))

    found = await measure([cell(stand_in), gets_cell], 3, MOMENT_S, Budget(60))

    assert [("posts", 3), ("gets", 3)] == [(name, len(readings)) for name, readings in found.items()]
    assert {10.0} == {reading.cpu_us for readings in found.values() for reading in readings}
    assert stand_in.tally.requests > sum(each.window.requests for readings in found.values() for each in readings)


async def test_rounds_end_where_the_budget_does(stand_in: StandIn) -> None:
    """After a whole round, and it is said how many are missing."""
    budget = Budget(0)

    found = await measure([cell(stand_in)], 3, MOMENT_S, budget)

    assert 1 == len(found["posts"])
    assert budget.left_out[0].startswith("2 of 3 rounds of posts")


async def test_a_wrong_answer_ends_the_run(stand_in: StandIn) -> None:
    """Fast errors are no speed."""
    with pytest.raises(WrongAnswersError, match="x 200 among"):
        await measure([cell(stand_in, status=402)], 1, MOMENT_S, Budget(60))


def test_what_broke_is_named() -> None:
    """Lost connections among wrong statuses."""
    window = Window()
    window.statuses.update({200: 5, 0: 2, 503: 1})

    with pytest.raises(WrongAnswersError, match="2 x broken off, 1 x 503 among 8 answers that should have been 200"):
        expect("cell", window, 200)


def test_cost_is_for_each_request_and_each_million_bytes() -> None:
    """CPU in microseconds; bytes of answers."""
    window = Window(seconds=2.0, body_bytes=4_000_000)
    window.statuses[200] = 50
    reading = Reading(1000.0, window)

    assert (20.0, 0.25, 25.0) == (reading.cpu_us_per_request, reading.cpu_ms_per_mb, reading.requests_per_second)


@each_case(
    "case",
    [
        ([0], Cores(0, 0, 0, 0), "one core"),
        ([2, 3], Cores(2, 3, 3, 3), "two cores"),
        ([0, 1, 2], Cores(0, 1, 2, 2), "three cores"),
        ([0, 1, 2, 3, 4], Cores(0, 1, 2, 3), "four cores"),
    ],
)
def test_what_is_measured_has_a_core_to_itself(case: tuple[list[int], Cores, str]) -> None:
    """Wherever there are two; and a reader is told."""
    available, expected, note = case

    assert expected == plan_cores(available)
    assert expected.note.startswith(note)
