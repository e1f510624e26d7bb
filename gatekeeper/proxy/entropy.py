"""Random digits for ids, drawn from the system a page at a time: a call to it for each id costs more than the id.

For ids alone: what must stay secret is not kept in memory before it is needed. A process that goes on as two, which no
gateway does (its workers are programs of their own), would have the same ids twice.
"""

import os
from typing import Final

DRAWN_BYTES: Final = 4096
"""Ids of some two hundred requests."""


class Entropy:
    """Random digits that nobody has had before."""

    __slots__ = ("_at", "_drawn")

    def __init__(self) -> None:
        self._drawn = ""
        self._at = 0

    def digits(self, count: int) -> str:
        """So many hexadecimal ones, at most a page."""
        start = self._at
        end = start + count
        if end > len(self._drawn):
            self._drawn, start, end = os.urandom(DRAWN_BYTES).hex(), 0, count
        self._at = end
        return self._drawn[start:end]
