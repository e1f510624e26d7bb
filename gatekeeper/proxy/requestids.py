"""Draws the ids of requests: random, hexadecimal, of one length.

Every answer and log line of a request has its id; it is no secret, and nothing is looked up by it.
"""

import os
from typing import Final

ID_BYTES: Final = 12
"""96 random bits: enough to be found alone among all the requests of a year."""

DRAWN_AT_ONCE: Final = 256
"""The system is asked for so many at once: to ask it takes longer than all else about an id."""


class RequestIds:
    """A new id with every call."""

    def __init__(self) -> None:
        self._drawn: list[str] = []

    def __call__(self) -> str:
        if not self._drawn:
            digits, length = os.urandom(ID_BYTES * DRAWN_AT_ONCE).hex(), 2 * ID_BYTES
            self._drawn = [digits[at : at + length] for at in range(0, len(digits), length)]
        return self._drawn.pop()
