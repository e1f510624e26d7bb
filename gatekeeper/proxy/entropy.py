"""Random bytes for ids, drawn from the system a page at a time: a call to it for each id costs more than the id.

For ids alone: what must stay secret is not kept in memory before it is needed. A process that goes on as two, which no
gateway does (its workers are programs of their own), would have the same ids twice.
"""

import os
from typing import Final

DRAWN_BYTES: Final = 4096
"""Ids of some two hundred requests."""


class Entropy:
    """Random bytes that nobody has had before."""

    __slots__ = ("_at", "_drawn")

    def __init__(self) -> None:
        self._drawn = b""
        self._at = 0

    def take(self, size_bytes: int) -> bytes:
        """So many of them, at most a page."""
        start, end = self._at, self._at + size_bytes
        if end > len(self._drawn):
            self._drawn, start, end = os.urandom(DRAWN_BYTES), 0, size_bytes
        self._at = end
        return self._drawn[start:end]

    def hex(self, size_bytes: int) -> str:
        """So many of them in hexadecimal digits."""
        start, end = self._at, self._at + size_bytes
        if end > len(self._drawn):
            return self.take(size_bytes).hex()
        self._at = end
        return self._drawn[start:end].hex()

    def bits(self, size_bits: int) -> int:
        """A number of so many random bits."""
        size_bytes = (size_bits + 7) // 8
        return int.from_bytes(self.take(size_bytes)) >> (8 * size_bytes - size_bits)
