"""Answers that a provider packs although it was asked not to: unpacked for whoever reads what was made.

The caller gets the bytes as they came, unless links in them have to change. Of the ways to pack only gzip and deflate
are known here; an answer in any other tells nothing, as before.
"""

import zlib
from collections.abc import Iterator
from typing import Final

from gatekeeper.core.outcome import Outcome
from gatekeeper.core.pieces import PIECE_BYTES
from gatekeeper.dialects.base import OutcomeReader
from gatekeeper.upstream.messages import UpstreamAnswer

PACKED_AS: Final = frozenset({"gzip", "x-gzip", "deflate"})

UNPACKED_BYTES_MAX: Final = 256 * 1024**2
"""No film in text is larger; what goes on beyond it is a trap."""

UNPACKED_FREELY_BYTES: Final = 8 * 1024**2
"""So much is read whatever it was packed into: some hundredths of a second, in which nobody else is served."""

UNPACKED_TIMES_MAX: Final = 100
"""Beyond that an answer is at most so many times as long as what came: no picture packs so well, but zeros do, and a
quarter of a megabyte of them would keep everybody waiting for seconds."""


def is_packed(answer: UpstreamAnswer) -> bool:
    """Whether the answer says that it is packed in a way that is known here, and in that one alone."""
    said = [value.decode("latin-1") for name, value in answer.raw_headers if name.lower() == b"content-encoding"]
    return len(said) == 1 and said[0].strip().lower() in PACKED_AS


def reading(answer: UpstreamAnswer, reader: OutcomeReader) -> OutcomeReader:
    """The reader for the answer's bytes as they come."""
    return _Unpacking(reader) if is_packed(answer) else reader


def unpacked(body: bytes, bytes_max: int) -> bytes | None:
    """A whole body; None for one that cannot be unpacked, or is larger."""
    stream, pieces, size = _Stream(), list[bytes](), 0
    try:
        for piece in stream.feed(body):
            pieces.append(piece)
            size += len(piece)
            if size > bytes_max:
                return None
    except zlib.error:
        return None
    return b"".join(pieces) if stream.is_whole else None


class _Stream:
    """What comes out of packed bytes, piece by piece; several streams may stand one behind the other."""

    def __init__(self) -> None:
        self._now = zlib.decompressobj(zlib.MAX_WBITS | 32)

    @property
    def is_whole(self) -> bool:
        return self._now.eof

    def feed(self, packed: bytes) -> Iterator[bytes]:
        """Raises zlib.error for what is not packed so."""
        while packed:
            if self._now.eof:
                self._now = zlib.decompressobj(zlib.MAX_WBITS | 32)
            yield self._now.decompress(packed, PIECE_BYTES)
            packed = self._now.unconsumed_tail or self._now.unused_data


class _Unpacking:
    """Reads what is inside; an answer that cannot be unpacked to its end is a cut one."""

    __slots__ = ("_broken", "_came", "_reader", "_size", "_stream")

    def __init__(self, reader: OutcomeReader) -> None:
        self._reader = reader
        self._stream = _Stream()
        self._came = self._size = 0
        self._broken = False

    def feed(self, chunk: bytes) -> None:
        if self._broken:
            return
        self._came += len(chunk)
        size_max = min(max(UNPACKED_FREELY_BYTES, UNPACKED_TIMES_MAX * self._came), UNPACKED_BYTES_MAX)
        try:
            for piece in self._stream.feed(chunk):
                self._size += len(piece)
                if self._size > size_max:
                    self._broken = True
                    return
                self._reader.feed(piece)
        except zlib.error:
            self._broken = True

    def finish(self, *, complete: bool) -> Outcome:
        return self._reader.finish(complete=complete and not self._broken and self._stream.is_whole)
