"""What a body's settings ask for is remembered, and is what reading the body anew would give."""

import json
from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeeper.core.memo import Memo
from gatekeeper.core.rejection import Rejected
from gatekeeper.core.request import GenerationRequest
from gatekeeper.dialects import openai
from gatekeeper.dialects.known import AROUND_BYTES_MAX, KNOWN_MAX

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
    return asked_in(json.dumps(body).encode())


def asked_in(body: bytes) -> GenerationRequest | str:
    """The same of a body as it comes."""
    route = openai.find_route("POST", "/v1/images/generations")
    assert route is not None
    try:
        return openai.read_request(route, "application/json", [body])
    except Rejected as refused:
        return repr(refused.rejection)


def asked_anew(body: Mapping[str, Any]) -> GenerationRequest | str:
    """The same where nothing is remembered."""
    forget()
    return asked(body)


def forget() -> None:
    """Nothing is remembered."""
    openai._known._known = Memo(KNOWN_MAX)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(_names, _values, max_size=6), _prompts, _prompts)
def test_what_is_remembered_is_what_would_be_read(body: dict[str, Any], prompt: object, other: object) -> None:
    """A body whose settings were met before, with another prompt, reads as if they had not been."""
    expected = asked_anew({**body, "prompt": other})
    asked_anew({**body, "prompt": prompt})

    actual = asked({**body, "prompt": other})

    assert expected == actual
    assert digest(expected) == digest(actual)


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


_ENDS = ('"', '\\"', '\\\\"', "\\", "\\u0041", "\\ud800", "\n", "\x00", "\u00e4", "[", "}", '","size":"1x1', "a", " ")
_texts = st.lists(st.sampled_from(_ENDS), max_size=4).map("".join)
_heads = st.sampled_from(
    ('{"prompt":', '{"n":1,"prompt": ', '{"a\\"prompt":', '{"user":"\\"prompt\\":","prompt":', '{"x":{"prompt":', "{",
     '[{"prompt":', '{"prompt":  ', '{"prompt":"b","prompt":', '{"prompt":null,"user":', '{"PROMPT":"c","prompt":')
)  # fmt: skip
_tails = st.sampled_from(("}", ',"size":"1x1"}', ',"prompt":"d"}', ',"n":1.5}', "} ", "}}", '},"prompt":"e"}', ""))


@settings(max_examples=1000, deadline=None)
@given(_heads, _tails, st.lists(_texts, min_size=2, max_size=3))
def test_bytes_around_another_text_say_the_same(head: str, tail: str, texts: list[str]) -> None:
    """Whatever bytes they are, and whatever ends the text: what is found for them is what reading them finds."""
    bodies = [f'{head}"{text}"{tail}'.encode() for text in ("a", *texts)]
    expected = []
    for body in bodies:
        forget()
        expected.append(asked_in(body))
    forget()

    actual = [asked_in(body) for body in bodies]

    assert expected == actual
    assert list(map(digest, expected)) == list(map(digest, actual))


def digest(asked: GenerationRequest | str) -> bytes | None:
    """Of its prompt."""
    return asked.prompt_digest if isinstance(asked, GenerationRequest) else None


def test_a_prompt_with_quotes_is_one_of_known_settings() -> None:
    """What people write has quotes and new lines in it."""
    body = {"model": "gpt-image-1.5", "size": "1024x1024"}
    asked_anew(body | {"prompt": "a"})

    actual = asked(body | {"prompt": 'He said: "Draw!"\n\\'})

    assert (18, 1) == (actual.prompt_length if isinstance(actual, GenerationRequest) else actual, len(openai._known))


def test_blanks_in_a_body_are_kept_within_bounds() -> None:
    """What is between settings is no setting, and is remembered up to a length."""
    forget()
    asked_in(b'{"model":"gpt-image-1.5","prompt":"a"' + b" " * AROUND_BYTES_MAX + b"}")

    assert 0 == len(openai._known)
