"""Decisions are remembered, and nobody can tell but by the clock."""

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.core import alternatives as near
from gatekeeper.core import decide as deciding
from gatekeeper.core.alternatives import affordable, alternatives
from gatekeeper.core.decide import DECISIONS_REMEMBERED, SETTINGS, Priced, decide, settings_of
from gatekeeper.core.memo import Memo
from gatekeeper.core.price import worth
from gatekeeper.core.request import GenerationRequest, ValidRequest
from gatekeeper.core.sizes import TEXT_LENGTH_MAX
from gatekeeper.core.spec import ModelSpec
from gatekeeper.core.validate import validate
from tests.core.strategies import PROPERTY, any_requests, models
from tests.factories import a_capability, a_model

NOT_LOOKED_AT = {"model", "audio_unsaid", "prompt_length", "prompt_digest", "stream", "sources", "settings"}
"""What no decision follows from, but for whether there is a prompt."""


def computed(model: ModelSpec, asked: GenerationRequest) -> object:
    valid = validate(model, asked)
    return Priced(valid, worth(model, valid)) if isinstance(valid, ValidRequest) else valid


@PROPERTY
@given(models, models, st.data())
def test_a_remembered_decision_is_the_computed_one(model: ModelSpec, other: ModelSpec, data: st.DataObject) -> None:
    """For any models and requests, in any order, with whatever else differs between two that ask for the same."""
    asked = data.draw(st.lists(any_requests(model), min_size=1, max_size=4))
    twins = [replace(each, prompt_digest=b"another", stream=True, model="else") for each in asked]

    for each in (*asked, *twins, *asked):
        assert [computed(model, each), computed(other, each)] == [decide(model, each), decide(other, each)]


@PROPERTY
@given(models, st.data())
def test_what_is_affordable_does_not_depend_on_what_was_asked_before(model: ModelSpec, data: st.DataObject) -> None:
    """With decisions remembered and without, for any amounts of credits."""
    asked = data.draw(any_requests(model))
    amounts = data.draw(st.lists(st.integers(0, 10**9), min_size=1, max_size=3))

    for amount in amounts:
        remembered = affordable(model, asked, amount), alternatives(model, asked)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(near, "_cheaper_found", Memo[Any, Any](1))
            patch.setattr(deciding, "_decisions", Memo[Any, Any](1))
            assert remembered == (affordable(model, asked, amount), alternatives(model, asked))


def test_every_setting_is_in_the_key_or_named_here() -> None:
    """A field that is added later has to be one or the other: a decision must not be another request's."""
    names = {each.name for each in fields(GenerationRequest)}

    assert names == {*SETTINGS, *NOT_LOOKED_AT}


def test_only_whether_there_is_a_prompt_is_in_the_key() -> None:
    """No prompt's length, digest or source keeps two requests for the same apart."""
    model = a_model(a_capability())

    first = decide(model, GenerationRequest(prompt_length=3, prompt_digest=b"one"))
    second = decide(model, GenerationRequest(prompt_length=4000, prompt_digest=b"two", sources=("job",)))

    assert first is second


def test_a_request_that_is_changed_has_settings_of_its_own() -> None:
    """What is known of one is not taken over by another that was made from it."""
    asked = GenerationRequest(size="1x1", prompt_length=3)
    settings_of(asked)

    changed = replace(asked, size="2x2")

    assert settings_of(GenerationRequest(size="2x2", prompt_length=3)) == settings_of(changed)


def test_a_request_without_a_prompt_is_decided_by_itself() -> None:
    """What lacks a prompt is not what has one."""
    model = a_model(a_capability())

    found = [isinstance(decide(model, GenerationRequest(prompt_length=length)), Priced) for length in (3, 0, None, 3)]

    assert [True, False, False, True] == found


def test_text_that_is_no_setting_is_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer than any spelling in use, it may be a prompt in the wrong field."""
    memo = Memo[Any, Any](DECISIONS_REMEMBERED)
    monkeypatch.setattr(deciding, "_decisions", memo)

    decide(a_model(a_capability()), GenerationRequest(size="a" * (TEXT_LENGTH_MAX + 1), prompt_length=3))

    assert len(memo) == 0
