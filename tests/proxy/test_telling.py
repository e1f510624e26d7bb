"""What a log line tells of a request and of what was made can be read again, and holds no free text."""

from fractions import Fraction
from typing import Any

import hypothesis.strategies as st
import orjson
import pytest
from hypothesis import given

from gatekeeper.core.outcome import Made
from gatekeeper.core.request import GenerationRequest, Operation
from gatekeeper.core.sizes import Pixels
from gatekeeper.proxy.telling import admitted_words, asked_words, made_words, read_asked, read_made

WORDS = st.sampled_from([None, "a-model", "owner/name:1.2", "2K", "16:9", "auto"])
COUNTS = st.one_of(st.none(), st.integers(-5, 1000))
NUMBERS = st.one_of(st.none(), st.fractions(0, 100, max_denominator=1000))
SIZES = st.one_of(st.none(), st.builds(Pixels, st.integers(-1, 10**5), st.integers(0, 10**5)))
FLAGS = st.sampled_from([None, True, False])
REQUESTS = st.builds(
    GenerationRequest,
    model=WORDS,
    operation=st.sampled_from([None, *Operation]),
    resolution=WORDS,
    aspect_ratio=WORDS,
    size=WORDS,
    outputs=COUNTS,
    duration_s=NUMBERS,
    audio=FLAGS,
    scale=NUMBERS,
    input_pixels=SIZES,
    quality=WORDS,
    enhance_prompt=FLAGS,
    prompt_length=st.sampled_from([0, 1]),
    reference_images=COUNTS,
    input_video=st.booleans(),
)
OUTCOMES = st.builds(
    Made,
    outputs=st.integers(0, 10),
    pixels=st.lists(SIZES, max_size=10).filter(lambda sizes: not sizes or any(sizes)).map(tuple),
    quality=WORDS,
    duration_s=NUMBERS,
    resolution=WORDS,
    audio=FLAGS,
    tokens=st.one_of(st.none(), st.integers(0, 10**8)),
)


def written(words: dict[str, Any]) -> Any:
    """What a reader of the line gets."""
    return orjson.loads(orjson.dumps(words))


@given(REQUESTS)
def test_a_request_is_read_as_it_was_told(asked: GenerationRequest) -> None:
    """Everything that a price or a refusal depends on comes back."""
    assert asked == read_asked(written(asked_words(asked)))


@given(st.lists(REQUESTS, min_size=1, max_size=3))
def test_admitted_requests_are_told_as_any_others(several: list[GenerationRequest]) -> None:
    """With the name under which they are sent."""
    for asked in (*several, *several):
        assert asked_words(asked) | {"model": "sent-as"} == admitted_words(asked, "sent-as")


def test_a_length_that_is_left_open_is_told_as_such() -> None:
    """`auto` is neither no length nor a number."""
    asked = GenerationRequest(model="m", duration_auto=True, prompt_length=0)

    assert asked == read_asked(written(asked_words(asked)))


@given(OUTCOMES)
def test_an_outcome_is_read_as_it_was_told(made: Made) -> None:
    """Everything that a charge depends on comes back."""
    assert made == read_made(written(made_words(made)))


def test_free_text_is_not_told() -> None:
    """A sentence in a setting stays out of the line, and so does every name of another job."""
    asked = GenerationRequest(model="a cat that eats a gk_secret", size="wide please", sources=("job-1",))

    assert {"model": "(not logged)", "size": "(not logged)"} == asked_words(asked)


def test_huge_numbers_can_be_told() -> None:
    """Whatever a caller writes, a line can be written about it."""
    asked = GenerationRequest(outputs=10**400, scale=Fraction(10**400), input_pixels=Pixels(10**400, 1))

    told = written(asked_words(asked))

    assert (10**9, "1000000000x1") == (told["outputs"], told["input"])


@pytest.mark.parametrize("told", [{"outputs": True}, {"outputs": 1.5}, {"model": 3}, {"pixels": "2"}, {"input": [1]}])
def test_what_nobody_told_is_refused(told: dict[str, Any]) -> None:
    """A line of another make is no request."""
    with pytest.raises(ValueError, match="no "):
        read_asked(told) if "pixels" not in told else read_made(told)
