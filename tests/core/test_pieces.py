"""A body in pieces is what it would be in one piece, for whoever looks through it or changes it."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.core.pieces import Spliced, contains, found, release, size_of, stretch

BODY = b'{"prompt": "gk_abc"}'

few_letters = st.lists(st.text("ab\\", max_size=6).map(str.encode), max_size=8)


@given(st.lists(st.integers(0, len(BODY)), max_size=6).map(sorted))
def test_however_it_is_cut(cuts: list[int]) -> None:
    """What is in the whole is in the pieces, wherever one ends and the next begins."""
    ends = [0, *cuts, len(BODY)]
    pieces = [BODY[begin:end] for begin, end in pairwise(ends)]

    assert contains(pieces, b"gk_abc")
    assert not contains(pieces, b"gk_abd")


@given(st.lists(st.binary(max_size=5), max_size=8), st.binary(min_size=1, max_size=6))
def test_pieces_are_as_the_whole(pieces: list[bytes], wanted: bytes) -> None:
    """Nothing is found that is not there, and nothing missed that is."""
    assert (wanted in b"".join(pieces)) == contains(pieces, wanted)


@pytest.mark.parametrize("pieces", [[], [b""], [b"", b"gk_", b"ab"]])
def test_a_part_is_not_all(pieces: list[bytes]) -> None:
    """A beginning of it is not it."""
    assert not contains(pieces, b"gk_abc")


@given(few_letters, st.text("ab\\", min_size=1, max_size=4).map(str.encode), st.integers(0, 9))
def test_every_place_is_found_with_what_is_behind_it(pieces: list[bytes], wanted: bytes, behind: int) -> None:
    """Each once, in order, also those that overlap or are cut."""
    whole = b"".join(pieces)
    expected = [match.start() for match in re.finditer(b"(?=%b)" % re.escape(wanted), whole)]

    places = list(found(pieces, wanted, behind))

    assert [(at, whole[at : at + len(wanted) + behind]) for at in expected] == places


@given(few_letters, st.integers(0, 50), st.integers(0, 50))
def test_a_stretch_is_a_slice(pieces: list[bytes], start: int, stop: int) -> None:
    """Of the whole, and shorter where that ends before."""
    assert b"".join(pieces)[start : max(start, stop)] == stretch(pieces, start, max(start, stop))


@given(st.data(), few_letters, st.text("xy", max_size=5).map(str.encode))
def test_a_splice_changes_only_its_place(data: st.DataObject, pieces: list[bytes], new: bytes) -> None:
    """Every other byte is as it was, and its size is known without reading it."""
    pieces = [*pieces, b"."]
    whole = b"".join(pieces)
    start = data.draw(st.integers(0, len(whole)))
    stop = data.draw(st.integers(start, len(whole)))

    spliced = Spliced(pieces, start, stop, new)

    expected = whole[:start] + new + whole[stop:]
    assert (expected, len(expected)) == (b"".join(spliced), size_of(spliced))
    assert list(spliced) == [spliced[number] for number in range(len(spliced))]
    release(spliced)
