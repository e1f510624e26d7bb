"""Reading an answer that is one JSON object, and the numbers that such answers tell.

What the object means is its dialect's business; what an HTTP error means, or no object at all, is the same for all.
"""

import re
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

from gatekeeper.core.outcome import Outcome, Unknown
from gatekeeper.core.sizes import Tier, read_size
from gatekeeper.dialects.answers import Answer, Object, failed, not_told, read_job_id, succeeded

COUNT_MAX = 10**12
"""No answer counts more of anything, tokens included."""

SECONDS_MAX = 10**5
"""Longer than any film."""

_DECIMAL = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")


class JsonAnswer:
    """Feeds the object to `read` when it is there. `about_job`: an HTTP error does not tell how the job stands."""

    __slots__ = ("_about_job", "_object", "_read", "_status")

    def __init__(self, status: int, read: Callable[[Answer], Outcome], *, about_job: bool = False) -> None:
        self._status = status
        self._read = read
        self._about_job = about_job
        self._object = Object()

    def feed(self, chunk: bytes) -> None:
        self._object.feed(chunk)

    def finish(self, *, complete: bool) -> Outcome:
        """An object that reads to its last brace is a fact, even when the connection broke after it."""
        answer = self._object.read()
        if not succeeded(self._status):
            return not_told(self._status, answer) if self._about_job else failed(self._status, answer)
        if answer is None:
            return Unknown("the answer is no JSON object" if complete else "the answer was cut")
        return self._read(answer)


def not_an_end(answer: Answer) -> Outcome:
    """For answers to a cancel that say only that it was heard."""
    return Unknown("a cancel does not tell how the task ends")


def inner(answer: Answer, name: str) -> Answer:
    """The object in a field, or an empty one."""
    value = answer.get(name)
    return value if isinstance(value, dict) else {}


def listed(answer: Answer, name: str) -> list[Answer]:
    """The objects of a list in a field; one that is something else counts as an empty object."""
    value = answer.get(name)
    return [each if isinstance(each, dict) else {} for each in value] if isinstance(value, list) else []


def read_id(value: object) -> str | None:
    """A job's or file's id, which some answers write as a number."""
    whole = read_count(value) if not isinstance(value, str) else None
    return str(whole) if whole else read_job_id(value)


def read_count(value: object) -> int | None:
    """A whole number, 0 or more, as such or as a text."""
    if isinstance(value, str) and len(value) <= len(str(COUNT_MAX)) and value.isascii() and value.isdecimal():
        value = int(value)
    whole = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= COUNT_MAX
    return int(value) if whole and isinstance(value, int) else None


def read_amount(value: object) -> Fraction | None:
    """A number above 0 with decimals or without, as such or as a text."""
    text = value if isinstance(value, str) else None
    if isinstance(value, int | float) and not isinstance(value, bool):
        text = format(Decimal(str(value)), "f") if abs(value) < COUNT_MAX else None
    return Fraction(text) or None if text is not None and _DECIMAL.fullmatch(text) else None


def read_seconds(value: object) -> Fraction | None:
    """A duration as an amount of seconds."""
    seconds = read_amount(value)
    return seconds if seconds is not None and seconds <= SECONDS_MAX else None


def read_tier(value: object) -> str | None:
    """A resolution tier as `sizes` spells it: `720p` and 720 are `720P`."""
    if (lines := read_count(value)) is not None:
        value = f"{lines}P"
    meaning = read_size(value) if isinstance(value, str) else None
    return meaning.name if isinstance(meaning, Tier) else None
