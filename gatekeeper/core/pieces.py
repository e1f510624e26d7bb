"""A body in the pieces it came in: looked through and changed without ever being joined.

Whoever reads a body takes any sequence of bytes. `Pieces` are a body that knows its size and can be given up: it may be
in memory or elsewhere, so each pass over it may read it anew. Nothing here knows where it is.
"""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final, overload

PIECE_BYTES: Final = 64 * 1024
"""What is read, written or unpacked at a time: large enough to cost few system calls, and some microseconds only, small
enough that what waits in memory stays small."""

_PLAIN: Final = (list, tuple)
"""What most bodies are."""


class Pieces(Sequence[bytes]):
    """A body that may be large. Once it is released it is gone: reading it then raises ValueError."""

    __slots__ = ()

    @property
    @abstractmethod
    def size_bytes(self) -> int:
        """How large it is, without reading it."""

    @abstractmethod
    def release(self) -> None:
        """Nobody reads it any more; may be repeated."""

    def __bool__(self) -> bool:
        return self.size_bytes > 0

    @abstractmethod
    def __iter__(self) -> Iterator[bytes]: ...

    @overload
    def __getitem__(self, index: int) -> bytes: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[bytes]: ...

    def __getitem__(self, index: int | slice) -> bytes | Sequence[bytes]:
        if isinstance(index, slice):
            return tuple(self)[index]
        for piece in islice(self, index if index >= 0 else index + len(self), None):
            return piece
        raise IndexError(index)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Spliced(Pieces):
    """A body with other bytes in place of those from `start` to `stop`. It shares the rest and the end with it."""

    __slots__ = ("_body", "_new", "_start", "_stop")

    def __init__(self, body: Sequence[bytes], start: int, stop: int, new: bytes) -> None:
        self._body = body
        self._start, self._stop, self._new = start, stop, new

    @property
    def size_bytes(self) -> int:
        return size_of(self._body) - (self._stop - self._start) + len(self._new)

    def release(self) -> None:
        release(self._body)

    def __iter__(self) -> Iterator[bytes]:
        at, new = 0, self._new
        for piece in self._body:
            end = at + len(piece)
            if at < self._start:
                yield piece[: self._start - at]
            if end >= self._start and new:
                yield new
                new = b""
            if end > self._stop:
                yield piece[max(self._stop - at, 0) :]
            at = end


def size_of(body: Sequence[bytes]) -> int:
    """How many bytes there are."""
    # To ask whether something is a `Pieces` takes longer than to count the one piece of a list.
    if type(body) not in _PLAIN and isinstance(body, Pieces):
        return body.size_bytes
    return sum(map(len, body))


def release(body: Sequence[bytes]) -> None:
    """Nobody reads this body any more."""
    if type(body) not in _PLAIN and isinstance(body, Pieces):
        body.release()


def contains(body: Sequence[bytes], wanted: bytes) -> bool:
    """Whether these bytes stand in the body, also where one piece ends and the next begins."""
    if len(body) == 1:
        # `in` takes it for a number first, which costs more than to look.
        return body[0].find(wanted) >= 0
    end = b""
    for piece in body:
        if wanted in piece or wanted in end + piece[: len(wanted)]:
            return True
        end = (end + piece[-len(wanted) :])[-len(wanted) :]
    return False


def found(body: Sequence[bytes], wanted: bytes, behind: int = 0) -> Iterator[tuple[int, bytes]]:
    """Each place where these bytes begin, in order, and what stands there: they, and up to so many bytes `behind` them.

    In one pass. Of the body a piece is joined with as much of the one before as may belong to a place.
    """
    length = len(wanted) + behind
    window, begun = b"", 0
    for piece in body:
        window = window + piece if window else piece
        # What begins after it may go on in the next piece.
        last = len(window) - length
        at = window.find(wanted)
        while 0 <= at <= last:
            yield begun + at, window[at : at + length]
            at = window.find(wanted, at + 1)
        passed = max(last + 1, 0)
        window, begun = window[passed:], begun + passed
    at = window.find(wanted)
    while at >= 0:
        yield begun + at, window[at : at + length]
        at = window.find(wanted, at + 1)


def stretch(body: Sequence[bytes], start: int, stop: int) -> bytes:
    """The bytes from `start` to `stop`, fewer where the body ends before."""
    parts, at = list[bytes](), 0
    for piece in body:
        if at >= stop:
            break
        if at + len(piece) > start:
            parts.append(piece[max(start - at, 0) : stop - at])
        at += len(piece)
    return b"".join(parts)
