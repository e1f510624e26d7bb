"""The skimmer: a small skeleton that says the same as the whole."""

import json
import time
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.dialects.skim import HEAD_BYTES, SKELETON_BYTES_MAX, STRING_BYTES_MAX, WINDOW_BYTES, Skimmer
from tests.cases import each_case

ODD = st.sampled_from(['"', "\\", "\n", "\x00", "é", "€", "😀", "/", "a", "u", "}", "\ud7ff"])
LONG = st.builds(lambda unit, times, end: unit * times + end, st.text(ODD, min_size=1), st.integers(1, 700), st.text())
STRINGS = st.text() | st.text(ODD) | LONG
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | STRINGS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(STRINGS, inner, max_size=4),
    max_leaves=8,
)


def skim(chunks: Sequence[bytes]) -> Skimmer:
    skimmer = Skimmer()
    for chunk in chunks:
        skimmer.feed(chunk)
    return skimmer


def cut_text(text: str, spell: Callable[[str], bytes]) -> str:
    """What a long string is cut to, written the slow way: the longest run of whole characters that fits the head."""
    if len(spell(text)) <= STRING_BYTES_MAX:
        return text
    return next(text[:n] for n in range(HEAD_BYTES, -1, -1) if len(spell(text[:n])) <= HEAD_BYTES)


def cut_all(value: object, spell: Callable[[str], bytes]) -> object:
    match value:
        case str():
            return cut_text(value, spell)
        case list():
            return [cut_all(each, spell) for each in value]
        case dict():
            return {cut_text(key, spell): cut_all(each, spell) for key, each in value.items()}
        case _:
            return value


def in_chunks(body: bytes, places: Sequence[int]) -> list[bytes]:
    cuts = sorted({place % (len(body) + 1) for place in places} | {0, len(body)})
    return [body[a:b] for a, b in pairwise(cuts)]


@given(value=VALUES, ascii_only=st.booleans(), places=st.lists(st.integers(0, 10**6), max_size=30))
def test_skeleton_says_the_same_as_the_whole(value: object, ascii_only: bool, places: list[int]) -> None:
    """For any JSON in any chunks the parsed skeleton is the parsed whole with its long strings cut."""

    def spell(text: str) -> bytes:
        return json.dumps(text, ensure_ascii=ascii_only).encode()[1:-1]

    body = json.dumps(value, ensure_ascii=ascii_only).encode()

    skimmer = skim(in_chunks(body, places))

    assert (cut_all(value, spell), True) == (json.loads(skimmer.skeleton), skimmer.utf8)


@given(body=st.binary(max_size=60) | st.text('{}[]",:\\u00ff "').map(str.encode), data=st.data())
def test_chunking_makes_no_difference(body: bytes, data: st.DataObject) -> None:
    """Whatever the bytes, one byte at a time or all at once comes to the same."""
    places = data.draw(st.lists(st.integers(0, len(body)), max_size=8))

    whole, pieces = skim([body]), skim(in_chunks(body, places))

    assert (whole.skeleton, whole.cut, whole.utf8) == (pieces.skeleton, pieces.cut, pieces.utf8)


@given(body=st.text('{}[]",:1a\\n', max_size=40))
def test_what_has_no_long_string_is_copied(body: str) -> None:
    """Without a long string the skeleton is the body itself, JSON or not, but for a string that never ends."""
    skeleton = skim([body.encode()]).skeleton.decode()

    assert body.startswith(skeleton)
    assert skeleton == body or skeleton.endswith('"')


@each_case("unit", ['"', "\\", "\n", "é", "😀", "a"])
@each_case("shift", range(13))
def test_the_cut_splits_nothing(unit: str, shift: int) -> None:
    """Wherever the 64th byte falls, escapes, surrogate pairs and UTF-8 sequences stay whole."""
    for ascii_only in (True, False):
        body = json.dumps("x" * shift + unit * 600, ensure_ascii=ascii_only).encode()

        text = json.loads(skim([body]).skeleton)

        assert text == "x" * shift + unit * (len(text) - shift)
        text.encode()


@pytest.mark.parametrize(("length", "kept"), [(STRING_BYTES_MAX, STRING_BYTES_MAX), (STRING_BYTES_MAX + 1, HEAD_BYTES)])
def test_the_limit_is_where_it_says(length: int, kept: int) -> None:
    """A string of the limit is whole, one byte more is cut."""
    assert kept == len(json.loads(skim([b'"' + b"a" * length + b'"']).skeleton))


def test_true_length_of_a_cut_string_is_known() -> None:
    """The length in bytes of a cut string is kept beside its head."""
    skimmer = skim([b'{"p":"', b"a" * 5000, b"b" * 5000, b'"}'])

    assert skimmer.cut == {b"a" * HEAD_BYTES: 10_000}


def test_a_huge_skeleton_is_given_up() -> None:
    """A body of nothing but short strings overflows, stops being kept, and says so."""
    skimmer = skim([b'["a",' + b'"b",' * SKELETON_BYTES_MAX])

    assert (skimmer.overflowed, skimmer.skeleton) == (True, b"")


@each_case("bad", [b"\xff", b"\xc0\xa2", b"\xed\xa0\x80", b"\xc3("])
@each_case("chunk_bytes", [1, WINDOW_BYTES])
def test_bytes_that_are_no_utf8_are_noticed_in_the_dropped_part(bad: bytes, chunk_bytes: int) -> None:
    """Overlong quotes and the like are seen even where the string is not kept."""
    body = b'{"p":"' + b"a" * 1000 + bad + b'"}'

    assert not skim([body[i : i + chunk_bytes] for i in range(0, len(body), chunk_bytes)]).utf8


@each_case("content", [b"QUJD" * 5_000_000, b'\\"' * 10_000_000, b"\\\\" * 10_000_000, b"\\n" * 10_000_000])
def test_twenty_megabytes_take_a_moment(content: bytes) -> None:
    """20 MB of base64, or of the worst escapes, leave a small skeleton at the speed of memory."""
    body = b'{"image":"' + content + b'","n":1}'
    started = time.process_time()

    skimmer = skim([body])

    assert json.loads(skimmer.skeleton)["n"] == 1
    assert len(skimmer.skeleton) < 100
    assert time.process_time() - started < 1.0
