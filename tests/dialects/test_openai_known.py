"""What a body's settings ask for is remembered, and is what reading the body anew would give."""

import json
from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeeper.core.rejection import Rejected
from gatekeeper.core.request import GenerationRequest
from gatekeeper.dialects import openai

_words = st.sampled_from(
    ("gpt-image-1.5", "1024x1024", "high", "auto", "2K", "16:9", "png", "gif", "x" * 300, "", "\n")
)
_values = st.one_of(_words, st.none(), st.booleans(), st.integers(-1, 3), st.just(1.0), st.just([1]), st.just({"a": 1}))
_names = st.sampled_from(
    ("model", "prompt", "size", "Size", "n", "quality", "resolution", "aspect_ratio", "stream", "output_format", "svg",
     "user", "frame_count")
)  # fmt: skip
_prompts = st.one_of(st.text(max_size=20), st.none(), st.integers(0, 2))


def asked(body: Mapping[str, Any]) -> GenerationRequest | str:
    """What the dialect reads, or why it does not."""
    route = openai.find_route("POST", "/v1/images/generations")
    assert route is not None
    try:
        return openai.read_request(route, "application/json", [json.dumps(body).encode()])
    except Rejected as refused:
        return repr(refused.rejection)


def asked_anew(body: Mapping[str, Any]) -> GenerationRequest | str:
    """The same where nothing is remembered."""
    openai._known.__init__(openai.READ_REMEMBERED)  # type: ignore[misc]
    return asked(body)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(_names, _values, max_size=6), _prompts, _prompts)
def test_what_is_remembered_is_what_would_be_read(body: dict[str, Any], prompt: object, other: object) -> None:
    """A body whose settings were met before, with another prompt, reads as if they had not been."""
    expected = asked_anew({**body, "prompt": other})
    digest = expected.prompt_digest if isinstance(expected, GenerationRequest) else None
    asked_anew({**body, "prompt": prompt})

    actual = asked({**body, "prompt": other})

    assert expected == actual
    assert digest == (actual.prompt_digest if isinstance(actual, GenerationRequest) else None)


def test_values_that_are_equal_and_of_other_types_are_told_apart() -> None:
    """`true` is no 1, though Python holds them to be the same."""
    body = {"model": "gpt-image-1.5", "prompt": "a", "n": 1}
    asked_anew(body)

    refused = asked(body | {"n": True})

    assert isinstance(refused, str)


def test_no_prompt_is_remembered() -> None:
    """Any number of prompts with the same settings is one entry."""
    body = {"model": "gpt-image-1.5", "size": "1024x1024"}
    asked_anew(body | {"prompt": "a"})
    for each in range(20):
        asked(body | {"prompt": f"a lighthouse {each}"})

    assert len(openai._known) == 1


def test_long_texts_are_not_remembered() -> None:
    """A prompt in the wrong field is not kept."""
    asked_anew({"model": "gpt-image-1.5", "prompt": "a", "user": "a lighthouse in a storm, oil on canvas"})

    assert len(openai._known) == 0
