"""Whether something stands in a body that came in pieces."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.proxy.body import contains

BODY = b'{"prompt": "gk_abc"}'


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
