"""Reads an answer that is one JSON object: the part that dialects without streams have in common.

What the object means is the dialect's to say; here is only what is no object, an error, or cut.
"""

from collections.abc import Callable

from gatekeeper.core.outcome import Outcome, Unknown
from gatekeeper.dialects.answers import Answer, failed, not_told, read_answer, succeeded
from gatekeeper.dialects.skim import Skimmer


class JsonAnswer:
    """`read` takes the object of a success to its outcome. Of a `poll` an error is no end; of anything else it is."""

    __slots__ = ("_poll", "_read", "_skimmer", "_status")

    def __init__(self, status: int, read: Callable[[Answer], Outcome], *, poll: bool = False) -> None:
        self._status = status
        self._read = read
        self._poll = poll
        self._skimmer = Skimmer()

    def feed(self, chunk: bytes) -> None:
        self._skimmer.feed(chunk)

    def finish(self, *, complete: bool) -> Outcome:
        """An object that reads to its last brace is a fact, even when the connection broke after it."""
        answer = read_answer(self._skimmer.skeleton)
        if not succeeded(self._status):
            return not_told(self._status, answer) if self._poll else failed(self._status, answer)
        if answer is None:
            return Unknown("the answer is no JSON object" if complete else "the answer was cut")
        return self._read(answer)
