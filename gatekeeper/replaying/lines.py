"""Log files as a stream of events in the order of their time: several files, packed or not, in bounded memory.

Whatever is no line of the gateway's is counted and passed by: logs have other programs' lines in them, and ends that
are cut off. Nothing here knows what an event means.
"""

import gzip
import heapq
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import orjson

from gatekeeper.core.credits import parse_credits

LINE_BYTES_MAX: Final = 1024 * 1024
"""The longest line of the gateway's has some KB; a longer one is passed by, and never in memory as a whole."""

TOLD_EVERY: Final = 1000
"""So many lines go by between two words about how far it is."""

YEARS: Final = range(2000, 2200)
"""A line of another time is none of the gateway's, and calendars end somewhere."""

_GZIP: Final = b"\x1f\x8b"

Progress = Callable[[int, int], None]
"""Is told how many bytes are read, and of how many."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One event. `fields` is the whole line."""

    at_ms: int
    event: str
    fields: dict[str, Any]


@dataclass(slots=True)
class LogFiles:
    """Files to be read once. `lines` were read in all; `unreadable` are no JSON of the gateway's, or too long; `cut`
    are packed files that end before their end."""

    paths: Sequence[Path]
    lines: int = 0
    unreadable: int = 0
    cut: list[str] = field(default_factory=list)
    _read_bytes: dict[Path, int] = field(default_factory=dict)

    def events(self, on_progress: Progress) -> Iterator[LogLine]:
        """Every event of the files, in the order of time as far as each file is. Raises OSError."""
        total = sum(path.stat().st_size for path in self.paths)
        told_at = 0
        for line in heapq.merge(*map(self._of_file, self.paths), key=lambda each: each.at_ms):
            yield line
            if self.lines - told_at >= TOLD_EVERY:
                told_at = self.lines
                on_progress(sum(self._read_bytes.values()), total)
        on_progress(total, total)

    def _of_file(self, path: Path) -> Iterator[LogLine]:
        with path.open("rb") as raw:
            is_packed = raw.peek(len(_GZIP))[: len(_GZIP)] == _GZIP
            stream = cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if is_packed else raw
            try:
                for text in self._texts(stream):
                    self._read_bytes[path] = raw.tell()
                    line = read_line(text)
                    if line is None:
                        self.unreadable += 1
                    else:
                        yield line
            except (EOFError, zlib.error, gzip.BadGzipFile):
                self.cut.append(str(path))

    def _texts(self, stream: BinaryIO) -> Iterator[bytes]:
        """The lines that have something in them and can be held in memory."""
        too_long = False
        while text := stream.readline(LINE_BYTES_MAX):
            was_too_long, too_long = too_long, not text.endswith(b"\n") and len(text) == LINE_BYTES_MAX
            if was_too_long:
                continue
            if too_long:
                self.lines, self.unreadable = self.lines + 1, self.unreadable + 1
            elif text.strip():
                self.lines += 1
                yield text


def read_credits(value: Any) -> int | None:
    """Credits of a line, which JSON has read as a number, in micro-credits; None for what no line of ours has there."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return parse_credits(value if isinstance(value, int) else f"{value:.6f}")
    except ValueError:
        return None


def read_line(text: bytes) -> LogLine | None:
    """The event of a line; None if it is none. What a log collector wrote in front of it does not matter."""
    begin = text.find(b"{")
    try:
        found = orjson.loads(text[begin:]) if begin >= 0 else None
        if not isinstance(found, dict):
            return None
        event, at = found["event"], datetime.fromisoformat(found["timestamp"])
    except (KeyError, TypeError, ValueError):
        return None
    if at.year not in YEARS:
        return None
    at_ms = int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
    return LogLine(at_ms, event, found) if isinstance(event, str) else None
