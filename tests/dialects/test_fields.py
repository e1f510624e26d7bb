"""The limits of reading JSON, and content types."""

import json
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest

from gatekeeper.core.rejection import Rejected, Rejection
from gatekeeper.dialects.complaints import VIOLATIONS_MAX
from gatekeeper.dialects.contenttype import is_json
from gatekeeper.dialects.fields import DIGEST_BYTES, TEXT_LENGTH_MAX, WHOLE_BYTES_MAX, read_json
from gatekeeper.dialects.strictjson import DEPTH_MAX
from tests.cases import each_case

PADDING = b'"pad":"' + b"A" * WHOLE_BYTES_MAX + b'"'


def refused(call: Callable[[], Any]) -> Rejection:
    with pytest.raises(Rejected) as caught:
        call()
    return caught.value.rejection


def nested(levels: int) -> bytes:
    return b'{"a":' * levels + b"1" + b"}" * levels


@each_case("levels", [DEPTH_MAX + 1, 5_000, 10_000])
@each_case("opening", [b"[", b'{"a":'])
def test_nesting_is_bounded(levels: int, opening: bytes) -> None:
    """Nesting beyond the limit is refused, however deep, closed or not."""
    assert "nested" in refused(lambda: read_json([b'{"a":' + opening * levels])).detail


def test_nesting_up_to_the_limit_is_read() -> None:
    """The deepest nesting that is allowed is read, and brackets inside texts do not count."""
    body = nested(DEPTH_MAX - 1)
    quoted = b'"' + b'[\\"{' * 500 + b'"'

    fields = read_json([b'{"q":' + quoted + b',"b":' + body + b"}"])

    assert fields.text_length("q") == 4 * 500 - 500 + 500 - 500


@each_case("padding", [b'"pad":0', PADDING], ids=["small", "large"])
@each_case(
    "rest",
    [
        b'"a":1,"a":2',
        b'"a":NaN',
        b'"a":"\xff"',
        b'"a":"\xc0\xa2"',
        b'"a":01',
        b"\"a\":'b'",
        b'"a":"\n"',
        b'"a":1}{',
        b"",
    ],
)
def test_small_and_large_bodies_are_read_alike(padding: bytes, rest: bytes) -> None:
    """What is refused in a small body is refused in one that was skimmed."""
    assert refused(lambda: read_json([b"{" + padding + b"," + rest + b"}"])).code == "malformed_request"


def test_a_body_of_nothing_but_fields_is_refused() -> None:
    """A hundred thousand fields are no request."""
    body = b"{" + b",".join(b'"k%d":0' % n for n in range(100_000)) + b"}"

    assert "fields" in refused(lambda: read_json([body])).detail


def test_complaints_are_bounded() -> None:
    """A body with many mistakes gets as many complaints as help."""
    fields = read_json([b"{" + b",".join(b'"k%d":0' % n for n in range(100)) + b"}"])
    for n in range(100):
        fields.text(f"k{n}")

    assert len(refused(fields.finish).violations) == VIOLATIONS_MAX


@each_case(
    ("given", "sentence"),
    [
        (b'"2"', 'n must be a whole number, not "2" (a text).'),
        (b"2.0", "n must be a whole number, not 2.0 (a number with decimals)."),
        (b"true", "n must be a whole number, not true."),
        (b"[2]", "n must be a whole number, not a list."),
        (b'{"a":2}', "n must be a whole number, not an object."),
        (b"1" + b"0" * 19, "n must be a whole number of at most 18 digits, not a longer one."),
        (b"1" + b"0" * 9999, "n must be a whole number, not 1" + "0" * 36 + "... (a number with decimals)."),
    ],
)
def test_a_complaint_says_what_was_given_and_what_is_wanted(given: bytes, sentence: str) -> None:
    """The detail names the field, the value with its type, and the type that is wanted."""
    fields = read_json([b'{"n":' + given + b"}"])
    fields.whole("n")

    assert refused(fields.finish).detail == sentence


def test_a_prompt_is_never_quoted() -> None:
    """A prompt of the wrong type is named by its type alone."""
    fields = read_json([b'{"prompt":["a secret kite"]}'])
    fields.text_length("prompt")

    assert "secret" not in repr(refused(fields.finish))


@each_case("number", [b"1e400", b"1e18", b"1e-400", b"0." + b"1" * 19, b"-1", b"1" + b"0" * 50])
def test_a_quantity_that_is_silly_or_huge_is_refused(number: bytes) -> None:
    """No number is expanded into more digits than a quantity has."""
    fields = read_json([b'{"d":' + number + b"}"])
    fields.quantity("d", "s")

    assert [v.field for v in refused(fields.finish).violations] == ["d"]


def test_a_quantity_is_exact() -> None:
    """One tenth is one tenth."""
    assert read_json([b'{"d":0.1}']).quantity("d", "s") == Fraction(1, 10)


@each_case(("length", "read"), [(TEXT_LENGTH_MAX, True), (TEXT_LENGTH_MAX + 1, False)])
@each_case("padding", [b'"pad":0', PADDING], ids=["small", "large"])
def test_a_setting_has_a_longest_length(length: int, read: bool, padding: bytes) -> None:
    """A name is read up to its limit, in small bodies and large ones."""
    fields = read_json([b'{"m":"' + b"m" * length + b'",' + padding + b"}"])

    assert read is (fields.text("m") is not None)


def test_prompt_length_counts_characters_or_bytes() -> None:
    """A prompt is measured in characters; a long one in a large body in bytes."""
    prompt = "é" * 600
    small, large = (read_json([b'{"p":"' + prompt.encode() + b'",' + pad + b"}"]) for pad in (b'"pad":0', PADDING))

    assert (small.text_length("p"), large.text_length("p")) == (600, 1200)


@each_case(
    ("content_type", "expected"),
    [
        ("application/json", True),
        ("Application/JSON; charset=UTF-8", True),
        ('application/json;charset="utf-8"', True),
        ("application/json; charset=utf-8; charset=utf-16", False),
        ("application/json; charset=latin-1", False),
        ("application/json; boundary=x", False),
        ("application/json, text/plain", False),
        ("application/json;", False),
        ("application/vnd.api+json", False),
        ("text/json", False),
        ("", False),
        ("application/json; a=" + "b" * 300, False),
    ],
)
def test_only_plain_json_is_json(content_type: str, expected: bool) -> None:
    """A type that another server may take for something else is not JSON."""
    assert expected is is_json(content_type)


def test_objects_of_a_list_are_read_each_under_its_place() -> None:
    """What is wrong in an object of a list is named by its place, and look-alikes in it are found."""
    fields = read_json([b'{"parts":[{"n":1},{"n":"x","imageSize":"1K","imagesize":"4K"}]}'])

    numbers = [(part.whole("n"), part.text("imageSize")) for part in fields.objects("parts")]

    assert [(1, None), (None, "1K")] == numbers
    assert ["parts[1].n", "parts[1].imagesize"] == [v.field for v in refused(fields.finish).violations]


@pytest.mark.parametrize("body", [b'{"parts":{}}', b'{"parts":[1]}', b'{"parts":"x"}'])
def test_a_list_of_objects_holds_nothing_else(body: bytes) -> None:
    """Anything but a list of objects is refused where one is read."""
    fields = read_json([body])

    assert () == fields.objects("parts")
    assert ["parts"] == [violation.field for violation in refused(fields.finish).violations]


def test_words_are_short_texts() -> None:
    """A list of texts is read; one with a number in it is refused."""
    fields = read_json([b'{"a":["TEXT","IMAGE"],"b":[1]}'])

    assert (("TEXT", "IMAGE"), ()) == (fields.words("a"), fields.words("b"))
    assert ["b"] == [violation.field for violation in refused(fields.finish).violations]


@each_case("prompt", ["a cat", "a cat\ud800", "x" * WHOLE_BYTES_MAX, ""])
def test_a_text_is_known_again_by_its_digest(prompt: str) -> None:
    """The same in every body, another for another text, and too short to tell the text."""
    quoted = json.dumps(prompt).encode()
    first, again = read_json([b'{"p":' + quoted + b"}"]), read_json([b'{"q":1,"p":' + quoted + b"}"])
    other = read_json([b'{"p":"another"}'])

    assert first.text_digest("p") == again.text_digest("p") != other.text_digest("p")
    assert DIGEST_BYTES == len(first.text_digest("p") or b"")
    assert first.text_digest("q") is None
