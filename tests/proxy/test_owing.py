"""What is booked for an outcome: the list's price, who bears more than was held, and what if the list is gone."""

import json
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gatekeeper.core.credits import AMOUNT_MICROCREDITS_MAX
from gatekeeper.core.decide import Priced, decide
from gatekeeper.core.outcome import Cost, Failed, Made
from gatekeeper.core.request import GenerationRequest
from gatekeeper.core.rules import FlatPrice
from gatekeeper.core.sizes import Pixels
from gatekeeper.core.spec import ModelSpec, OverRun
from gatekeeper.proxy.owing import (
    LIST_GONE,
    Owed,
    _outcomes,
    cost_facts,
    ended_with,
    made_as,
    outcome_meta,
    outputs_made,
    owed,
)
from gatekeeper.proxy.telling import made_words
from tests.cases import each_case
from tests.core.strategies import PROPERTY, mades, models, valid_looking_requests
from tests.factories import a_capability, a_model, a_price, a_valid_request

FLAT = 20_000_000


def a_flat_model(over: OverRun = OverRun.ABSORB) -> ModelSpec:
    """20 credits an output."""
    return a_model(a_capability(price=a_price(FlatPrice(FLAT)), over=over))


@pytest.mark.parametrize(
    ("over", "expected"),
    [
        (OverRun.ABSORB, Owed(FLAT, 2 * FLAT)),
        (OverRun.CHARGE, Owed(2 * FLAT, 2 * FLAT, within_available=True)),
        (OverRun.DEBT, Owed(2 * FLAT, 2 * FLAT)),
    ],
)
def test_who_bears_what_is_beyond_the_hold(over: OverRun, expected: Owed) -> None:
    """Two came where one was held: the house bears it, the team as far as its credits go, or the team in any case."""
    assert expected == owed(a_flat_model(over), a_valid_request(), Made(2), FLAT)


@pytest.mark.parametrize("over", list(OverRun))
def test_no_more_is_owed_than_an_entry_can_hold(over: OverRun) -> None:
    """However absurd an answer is, its outcome can be told to the ledger."""
    due = owed(a_flat_model(over), a_valid_request(), Made(10**12), FLAT)

    assert due.worth == AMOUNT_MICROCREDITS_MAX
    assert due.amount <= AMOUNT_MICROCREDITS_MAX


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [(Made(3), 3), (Made(-1), 0), (Made(10**12), 1_000_000), (Failed("moderated", billable=True), 0)],
)
def test_outputs_that_are_counted(outcome: Made | Failed, expected: int) -> None:
    """As many as the answer says, in the bounds of what is believed; none of a failure."""
    assert expected == outputs_made(outcome)


@pytest.mark.parametrize("over", list(OverRun))
def test_what_fits_the_hold_is_charged_as_it_is(over: OverRun) -> None:
    """No policy matters where there is nothing to bear."""
    assert Owed(FLAT, FLAT) == owed(a_flat_model(over), a_valid_request(outputs=2), Made(1), 2 * FLAT)


@each_case(
    ("made", "expected"),
    [
        (Made(4), 100),
        (Made(9), 100),
        (Made(1), 25),
        (Made(0), 0),
        (Made(4, duration_s=Fraction(4)), 50),
        (Made(2, duration_s=Fraction(4)), 25),
        (Made(4, duration_s=Fraction(80)), 100),
        (Made(4, duration_s=Fraction(0)), 100),
        (Made(4, duration_s=Fraction(-8)), 100),
        (Made(4, duration_s=Fraction(1, 3)), 5),
    ],
)
def test_without_its_list_the_hold_is_divided(made: Made, expected: int) -> None:
    """By outputs and by seconds, rounded up, never more than was held; and the note says so."""
    valid = a_valid_request(outputs=4, duration_s=Fraction(8))

    assert Owed(expected, expected, note=LIST_GONE) == owed(None, valid, made, 100)


@PROPERTY
@given(models, st.data())
def test_what_is_remembered_is_what_would_be_found(model: ModelSpec, data: st.DataObject) -> None:
    """For whatever came out of one request, in whatever order it came, and again."""
    asked = data.draw(valid_looking_requests(model))
    decision = decide(model, asked)
    assume(isinstance(decision, Priced))
    assert isinstance(decision, Priced)
    valid, outcomes = decision.valid, data.draw(st.lists(mades(model), min_size=1, max_size=4)) * 2

    ends = [ended_with(model, valid, each, FLAT, asked) for each in outcomes]
    assert [owed(model, valid, each, FLAT) for each in outcomes] == [end.due for end in ends]
    assert [made_words(each) for each in outcomes] == [end.words for end in ends]
    assert [json.loads(outcome_meta(each, each.cost)) for each in outcomes] == [json.loads(end.meta) for end in ends]
    assert [outputs_made(each) for each in outcomes] == [end.outputs for end in ends]


def test_an_outcome_that_can_never_be_met_again_is_not_remembered() -> None:
    """Its request is decided anew each time, or was let by in the place of another: only the first is remembered."""
    model = a_flat_model()
    asked = GenerationRequest(model=model.id, prompt_length=1)
    decision = decide(model, asked)
    assert isinstance(decision, Priced)
    before = len(_outcomes)
    for outputs in range(1, 4):
        ended_with(model, decision.valid, Made(outputs), FLAT, replace(asked, quality="x" * 200))
        ended_with(model, replace(decision.valid), Made(outputs), FLAT, asked)
    met_never = len(_outcomes) - before
    ended_with(model, decision.valid, Made(1), FLAT, asked)

    assert (0, 1) == (met_never, len(_outcomes) - before)


def test_without_its_list_an_open_length_counts_as_the_longest() -> None:
    """What was held was the dearest that could come."""
    valid = a_valid_request(durations_possible=(Fraction(4), Fraction(10)))

    assert 40 == owed(None, valid, Made(1, duration_s=Fraction(4)), 100).amount


def test_the_journal_is_told_what_came() -> None:
    """Exact numbers as texts; what is not known is left out."""
    made = Made(2, (Pixels(10, 20), None), duration_s=Fraction(15, 2), tokens=9, audio=True, resolution="720P")

    told = json.loads(outcome_meta(made, Cost(Fraction(3, 100), "usd"), "poll"))

    assert told == {
        "via": "poll", "outputs": 2, "sizes": ["10x20"], "audio": True, "resolution": "720P", "tokens": 9,
        "duration_s": "15/2", "cost": "3/100", "cost_unit": "usd",
    }  # fmt: skip


def test_a_failure_has_little_to_tell() -> None:
    """Only what it cost, if it cost something."""
    assert {"cost": "2", "cost_unit": "fal_units"} == json.loads(
        outcome_meta(Failed("x", billable=True), Cost(Fraction(2), "fal_units"))
    )


def test_a_reported_cost_is_a_number_in_the_line() -> None:
    """And nothing where none was reported."""
    assert {"cost_reported": 0.03, "cost_unit": "usd"} == cost_facts(Cost(Fraction(3, 100), "usd"))
    assert {} == cost_facts(None)


@pytest.mark.parametrize(("made", "expected"), [(Made(2), "made"), (Made(3), "made"), (Made(1), "partial")])
def test_fewer_than_asked_is_a_part(made: Made, expected: str) -> None:
    """Whether all came that was asked for."""
    assert expected == made_as(a_valid_request(outputs=2), made)
