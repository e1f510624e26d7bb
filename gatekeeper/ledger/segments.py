"""The outbox's files: segments that are appended to and fsynced, locked by who writes them, and removed when done.

A segment belongs to the process that holds its lock, which dies with the process: what a dead one left behind is
adopted by the next that opens the directory, or that looks there, in the order in which the files were made. Several
living processes share a directory, each with segments of its own. Blocking, and used by one thread at a time:
`outbox.py` sees to that.
"""

import errno
import fcntl
import os
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gatekeeper.ledger.resolution import done_frame, record_frame, scan

SEGMENT_BYTES_MAX: Final = 4 * 1024 * 1024
"""A segment this large is followed by another: space comes back in pieces, and a full outbox has few open files."""
REJECTED_NAME: Final = "rejected.jsonl"
"""Resolutions that the ledger would not book, one JSON object a line, for a person to look at."""

_NAME: Final = re.compile(r"\d{12}-w\d+-p\d+\.outbox")
_NAME_TRIES: Final = 100
_PRIVATE: Final = 0o600


@dataclass(slots=True, eq=False)
class Segment:
    """One file, locked by us. `size` is how much of it is whole; whatever lies beyond is overwritten. `written_s` is
    when a file that was adopted had been written last, in seconds since 1970."""

    path: Path
    fd: int
    size: int = 0
    records: int = 0
    open_numbers: set[int] = field(default_factory=set)
    written_s: float = 0.0


@dataclass(slots=True, eq=False)
class Entry:
    """A record that is on disk and not done yet."""

    segment: Segment
    number: int
    payload: bytes


class Segments:
    """The files of one process. Every method may raise OSError; nothing is half done then that is not redone safely."""

    def __init__(self, directory: Path, *, worker: int = 0) -> None:
        self.damaged: list[Path] = []
        self._directory = directory
        self._worker = worker
        self._mine: list[Segment] = []
        self._current: Segment | None = None

    @property
    def size_bytes(self) -> int:
        """How much of the disk is taken."""
        return sum(segment.size for segment in self._mine)

    @property
    def rejected_bytes(self) -> int:
        """How much was set aside."""
        path = self._directory / REJECTED_NAME
        return path.stat().st_size if path.exists() else 0

    def open(self) -> list[Entry]:
        """Makes the directory and adopts what dead processes left; gives their records that are not done, in order."""
        for directory in (self._directory.parent, self._directory):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.damaged += sorted(self._directory.glob("*.damaged"))
        return self.adopt()

    def adopt(self) -> list[Entry]:
        """Takes over what processes have left that are dead by now. A living one's is locked, and so are our own."""
        entries: list[Entry] = []
        for path in self._paths():
            segment = _lock(path)
            if segment is not None:
                entries += self._adopt(segment)
        return entries

    def append(self, payloads: Sequence[bytes]) -> list[Entry]:
        """Writes records with one fsync, all or none."""
        segment = self._current or self._create()
        self._current = segment
        first = segment.records
        frames = b"".join(record_frame(first + n, payload) for n, payload in enumerate(payloads))
        try:
            _write(segment, frames)
            os.fsync(segment.fd)
        except OSError:
            self._current = None  # after a failed fsync nobody knows what is on disk: go on in a new file
            if not segment.open_numbers:
                self._remove(segment)
            raise
        segment.size += len(frames)
        segment.records += len(payloads)
        entries = [Entry(segment, first + n, payload) for n, payload in enumerate(payloads)]
        segment.open_numbers.update(entry.number for entry in entries)
        if segment.size >= SEGMENT_BYTES_MAX:
            self._current = None
        return entries

    def finish(self, entries: Iterable[Entry], rejected: Sequence[bytes] = ()) -> None:
        """Notes that records are done, after what is to be set aside of them is on disk; removes empty segments."""
        if rejected:
            self._set_aside(rejected)
        by_segment: dict[Segment, list[int]] = {}
        for entry in entries:
            if entry.number in entry.segment.open_numbers:
                entry.segment.open_numbers.remove(entry.number)
                by_segment.setdefault(entry.segment, []).append(entry.number)
        for segment, numbers in by_segment.items():
            # A note that cannot be written, on a full disk say, costs a replay after a restart, which changes nothing.
            with suppress(OSError):
                self._note_done(segment, numbers) if segment.open_numbers else self._remove(segment)

    def close(self) -> None:
        """Gives the locks back; the files stay for whoever comes next."""
        for segment in self._mine:
            os.close(segment.fd)
        self._mine, self._current = [], None

    def _paths(self) -> list[Path]:
        return sorted(path for path in self._directory.iterdir() if _NAME.fullmatch(path.name))

    def _adopt(self, segment: Segment) -> list[Entry]:
        data, segment.written_s = segment.path.read_bytes(), segment.path.stat().st_mtime
        found = scan(data)
        if found.damaged:
            self._keep_damaged(segment.path, data[found.good_bytes :])
        segment.size, segment.records, segment.open_numbers = found.good_bytes, found.records, set(found.payloads)
        self._mine.append(segment)
        if not found.payloads:
            self._remove(segment)
            return []
        # What was cut off goes: behind the notes that are written from here on, its end would look like damage.
        os.ftruncate(segment.fd, segment.size)
        return [Entry(segment, number, payload) for number, payload in found.payloads.items()]

    def _keep_damaged(self, path: Path, rest: bytes) -> None:
        kept = path.with_suffix(".damaged")
        _append_durably(kept, rest)
        if kept not in self.damaged:
            self.damaged.append(kept)

    def _create(self) -> Segment:
        for _ in range(_NAME_TRIES):
            last = max((int(path.name[:12]) for path in self._paths()), default=0)
            path = self._directory / f"{last + 1:012d}-w{self._worker}-p{os.getpid()}.outbox"
            with suppress(FileExistsError):
                path.touch(mode=_PRIVATE, exist_ok=False)
                segment = _lock(path)
                if segment is not None:
                    self._mine.append(segment)
                    self._make_known(segment)
                    return segment
        raise OSError(errno.EEXIST, "no name for a new segment could be had", str(self._directory))

    def _make_known(self, segment: Segment) -> None:
        """A file whose name is not on disk is lost with all that is in it."""
        try:
            _sync_directory(self._directory)
        except OSError:
            self._remove(segment)
            raise

    def _note_done(self, segment: Segment, numbers: Sequence[int]) -> None:
        frames = b"".join(map(done_frame, numbers))
        _write(segment, frames)
        os.fsync(segment.fd)
        segment.size += len(frames)

    def _remove(self, segment: Segment) -> None:
        segment.path.unlink(missing_ok=True)
        os.close(segment.fd)
        self._mine.remove(segment)
        if self._current is segment:
            self._current = None

    def _set_aside(self, lines: Sequence[bytes]) -> None:
        _append_durably(self._directory / REJECTED_NAME, b"".join(line + b"\n" for line in lines))


def _lock(path: Path) -> Segment | None:
    """The file, locked; None if a living process has it, or it went away meanwhile."""
    try:
        fd = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    except OSError:
        os.close(fd)
        raise
    if os.fstat(fd).st_nlink == 0:
        os.close(fd)
        return None
    return Segment(path, fd)


def _write(segment: Segment, data: bytes) -> None:
    """Writes behind what is whole."""
    written = 0
    while written < len(data):
        written += os.pwrite(segment.fd, data[written:], segment.size + written)


def _append_durably(path: Path, data: bytes) -> None:
    is_new = not path.exists()
    path.touch(mode=_PRIVATE)
    with path.open("ab") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    if is_new:
        _sync_directory(path.parent)


def _sync_directory(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
