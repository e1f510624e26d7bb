"""Server-sent events, as far as an outcome needs them: the name of each event and the skeleton of its JSON.

Reads lines that end in LF, CRLF or CR, however the chunks fall, in memory that does not grow with an event. Ids,
retry times and comments are passed over.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from gatekeeper.dialects.skim import Skimmer

LINE_KEPT_BYTES = 200
"""Of a line that is not data so much is kept; names of events are far shorter."""

LINES_MAX = 100_000
"""After so many lines, which is hours of keep-alive comments, the rest of a stream is not read."""

_DATA = b"data:"
_EVENT = b"event:"


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `skeleton` is its data with long strings collapsed, empty when even that outgrew the limit."""

    name: str
    skeleton: bytes


class EventSkimmer:
    """Feed it chunks, it yields the events that ended in them."""

    __slots__ = ("_after_cr", "_has_data", "_in_data", "_line", "_lines_left", "_name", "_skimmer")

    def __init__(self) -> None:
        self._after_cr = False
        self._line = bytearray()
        self._lines_left = LINES_MAX
        self._in_data = False
        self._name = ""
        self._has_data = False
        self._skimmer = Skimmer(is_answer=True)

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """The events that this chunk ends, in order. Never raises."""
        chunk = self._with_plain_newlines(chunk)
        at = 0
        while self._lines_left and (newline := chunk.find(b"\n", at)) >= 0:
            self._lines_left -= 1
            self._take(chunk[at:newline])
            if (event := self._end_line()) is not None:
                yield event
            at = newline + 1
        if self._lines_left:
            self._take(chunk[at:])

    def rest(self) -> Event | None:
        """The last event, when the stream stopped short of the blank line that ends it. It may be incomplete."""
        return self._event() if self._has_data else None

    def _with_plain_newlines(self, chunk: bytes) -> bytes:
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
            self._after_cr = False
        if not chunk:
            return chunk
        self._after_cr = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in chunk else chunk

    def _take(self, piece: bytes) -> None:
        """A piece of the current line. What it is shows in its first bytes; data goes on to the skimmer at once."""
        if not self._in_data and len(self._line) < len(_DATA):
            missing = len(_DATA) - len(self._line)
            self._line += piece[:missing]
            piece = piece[missing:]
            self._in_data = self._line == _DATA
        if self._in_data:
            self._has_data = True
            self._skimmer.feed(piece)
        else:
            self._line += piece[: LINE_KEPT_BYTES - len(self._line)]

    def _end_line(self) -> Event | None:
        line, was_data = bytes(self._line), self._in_data
        self._line.clear()
        self._in_data = False
        if was_data:
            self._skimmer.feed(b"\n")
        elif line.startswith(_EVENT):
            self._name = line.removeprefix(_EVENT).decode("utf-8", "replace").strip()
        elif not line:
            return self._end_event()
        return None

    def _end_event(self) -> Event | None:
        event = self._event() if self._has_data else None
        self._start_event()
        return event

    def _event(self) -> Event:
        return Event(self._name, self._skimmer.skeleton)

    def _start_event(self) -> None:
        self._name = ""
        self._has_data = False
        self._skimmer = Skimmer(is_answer=True)
