"""Answers that came packed are read, and nothing that is packed badly is taken for an end."""

import gzip
import random
import zlib
from types import SimpleNamespace
from typing import Any

import pytest

from gatekeeper.core.outcome import Made, Outcome, Unknown
from gatekeeper.proxy import unpacking
from gatekeeper.proxy.unpacking import is_packed, reading, unpacked
from tests.cases import each_case

TEXT = b"what was made " * 20_000


class Heard:
    """A reader that remembers."""

    def __init__(self) -> None:
        self.body = b""

    def feed(self, chunk: bytes) -> None:
        self.body += chunk

    def finish(self, *, complete: bool) -> Outcome:
        return Made(1) if complete else Unknown("cut")


def answered(*encodings: bytes) -> Any:
    return SimpleNamespace(raw_headers=tuple((b"Content-Encoding", each) for each in encodings))


def read(packed: bytes, *, step: int = 1000) -> tuple[bytes, Outcome]:
    """What a reader heard of an answer that came in pieces, and what it said at its end."""
    heard = Heard()
    reader = reading(answered(b"gzip"), heard)
    for at in range(0, len(packed), step):
        reader.feed(packed[at : at + step])
    return heard.body, reader.finish(complete=True)


@each_case(
    ("encodings", "expected"),
    [([b"gzip"], True), ([b" GZIP"], True), ([b"deflate"], True), ([], False), ([b"identity"], False), ([b"br"], False),
     ([b"gzip", b"gzip"], False), ([b"gzip, br"], False)],
)  # fmt: skip
def test_what_is_known_is_unpacked(encodings: list[bytes], expected: bool) -> None:
    """One of two ways, and that one alone."""
    heard = Heard()

    assert expected == is_packed(answered(*encodings)) == (reading(answered(*encodings), heard) is not heard)


@each_case("packed", [gzip.compress(TEXT), zlib.compress(TEXT), gzip.compress(TEXT[:7]) + gzip.compress(TEXT[7:])])
@each_case("step", [1, 1000, 10**6])
def test_an_answer_is_read_whole(packed: bytes, step: int) -> None:
    """However it is cut into pieces, also if it is two."""
    assert (TEXT, Made(1)) == read(packed, step=step)
    assert unpacked(packed, len(TEXT)) == TEXT


@each_case("packed", [b"", gzip.compress(TEXT)[:-9], TEXT, gzip.compress(TEXT) + b"more"])
def test_what_is_packed_badly_is_cut(packed: bytes) -> None:
    """It is no end of anything."""
    assert Unknown("cut") == read(packed)[1]
    assert unpacked(packed, 10**9) is None


def test_a_trap_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """A little that holds far too much is not unpacked to its end."""
    monkeypatch.setattr(unpacking, "UNPACKED_BYTES_MAX", 1000)

    heard, outcome = read(gzip.compress(TEXT))

    assert (b"", Unknown("cut")) == (heard, outcome)
    assert unpacked(gzip.compress(TEXT), 1000) is None


def test_what_packs_too_well_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Zeros unpack to a thousand times their length, in which nobody else is served; no picture does."""
    monkeypatch.setattr(unpacking, "UNPACKED_FREELY_BYTES", 1000)
    zeros, noise = b"\0" * len(TEXT), random.Random(1).randbytes(len(TEXT) // 20) * 20

    assert (b"", Unknown("cut")) == read(gzip.compress(zeros))
    assert (noise, Made(1)) == read(gzip.compress(noise))
