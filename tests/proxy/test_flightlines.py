"""The lines of a generation are those of its events, whatever they have in common with others."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.core.outcome import Cost
from gatekeeper.core.request import Operation
from gatekeeper.events import GenerationAdmitted, GenerationFacts, GenerationSettled
from gatekeeper.logs import configure_logs, emit, reset_logs
from gatekeeper.proxy.flightlines import FlightLines
from gatekeeper.proxy.owing import Ended, Owed

WORDS = st.none() | st.sampled_from(["a", 'quo"te', "per%cent", "%s", "ünï\\"])
AMOUNTS = st.integers(-(10**13), 10**13) | st.sampled_from([0, 1_000_000, 73_500_000])
FACTS = st.builds(
    GenerationFacts, request_id=st.sampled_from("ab"), team=WORDS, project=WORDS, member=WORDS, phase=WORDS,
    model=WORDS, operation=st.sampled_from(Operation), outputs=st.none() | st.integers(1, 3),
    duration_s=st.none() | st.floats(0, 100), credits=st.none() | st.integers(0, 10**9),
    hold_id=st.sampled_from(["0", "1"]),
)  # fmt: skip
ENDS = st.builds(
    Ended, st.builds(Owed, AMOUNTS, AMOUNTS, note=st.just("5% less")), st.sampled_from(["made", "partial"]),
    st.none() | st.builds(Cost, st.integers(1, 9), st.just("output_tokens")), st.just("{}"),
    words=st.none() | st.just({"outputs": 1, "pixels": ["1x1"]}), is_usual=st.booleans(),
)  # fmt: skip


@pytest.fixture(autouse=True)
def _reset() -> Iterator[None]:
    yield
    reset_logs()


def lines(log: io.BytesIO) -> list[list[tuple[str, Any]]]:
    """Their fields in order, without the time."""
    told = [json.loads(line, parse_float=float) for line in log.getvalue().splitlines()]
    return [[(name, value) for name, value in each.items() if name != "timestamp"] for each in told]


@given(st.lists(FACTS, min_size=1, max_size=4), AMOUNTS)
def test_who_is_let_in_is_told_as_its_event_is(several: list[GenerationFacts], available: int) -> None:
    """Field by field and in order, the first time and again."""
    told, expected, asked = io.BytesIO(), io.BytesIO(), {"model": "100%"}
    configure_logs("info", "json", told)
    for facts in (*several, *several):
        FlightLines(facts).admitted(available, asked)

    configure_logs("info", "json", expected)
    for facts in (*several, *several):
        emit(GenerationAdmitted(facts=facts, credits_available=available, asked=asked))
    assert lines(expected) == lines(told)


@given(FACTS, AMOUNTS, ENDS, st.none() | st.integers(0, 10**6), st.integers(-100, 10**7))
def test_what_is_booked_is_told_as_its_event_is(
    facts: GenerationFacts, held: int, end: Ended, upstream_ms: int | None, overhead: int
) -> None:
    """Field by field and in order, the first time and again, whether others end alike or not."""
    told, expected, overhead_ms = io.BytesIO(), io.BytesIO(), overhead / 100
    configure_logs("info", "json", told)
    for _ in range(2):
        FlightLines(facts).settled(held, 5, 1, end, 200, upstream_ms, overhead_ms)

    cost = end.cost
    event = GenerationSettled(
        facts=facts, credits_held=held, credits_charged=5, credits_over=1, outcome=end.settled_as, note=end.due.note,
        outputs_made=end.outputs_made, quality_made=end.quality_made, made=end.words,
        cost_reported=cost and float(cost.amount), cost_unit=cost and cost.unit, upstream_status=200,
        upstream_ms=upstream_ms, overhead_ms=overhead_ms,
    )  # fmt: skip
    configure_logs("info", "json", expected)
    for _ in range(2):
        emit(event)
    assert lines(expected) == lines(told)
