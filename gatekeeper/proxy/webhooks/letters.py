"""Events on disk until their receiver has them: one file each, written whole or not at all, and a mark when it is done.

Blocking; `deliveries` calls it from threads. A file's name is its event's, so an event that comes again meets its own
file, or the mark that it left. Several processes may share the directory: a letter is locked by whoever delivers it.
"""

import base64
import binascii
import fcntl
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Final

import orjson

MARKS_KEPT_S: Final = 3 * 86_400
"""How long an event is known again after its delivery. Providers repeat theirs for two hours to a day."""

MARKS_MAX: Final = 100_000
"""As many are kept at most; the oldest go first."""

_LETTER: Final = ".letter"
_MARK: Final = ".done"
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}@[A-Za-z0-9_-]{1,80}")
"""A team's id and the event's: neither has the sign between them."""

TEAM_SHARE: Final = 4
"""One team may fill a quarter of the box: its silent receiver must not take the room of the others'."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """An event on its way to a caller. `headers` are those that do not depend on when it is sent. An alert, which is
    about a team and no generation, has neither provider nor hold."""

    id: str
    url: str = field(repr=False)
    body: bytes = field(repr=False)
    headers: dict[str, str] = field(repr=False)
    team: str
    provider: str
    hold_id: str
    written_at_ms: int

    @property
    def is_alert(self) -> bool:
        """Whether it goes to a team's alert address."""
        return not self.provider

    @property
    def name(self) -> str:
        """What its file is called."""
        return f"{self.team}@{self.id}"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A letter that is to be delivered: what must be known without reading it."""

    name: str
    size_bytes: int


class BoxFull(Exception):
    """No more is kept: too many letters wait, or too many bytes of them."""


class LetterBox:
    """The letters of one directory. Every method may raise OSError."""

    def __init__(self, directory: Path, *, letters_max: int, bytes_max: int) -> None:
        self._directory = directory
        self._letters_max = letters_max
        self._bytes_max = bytes_max
        self._waiting: dict[str, int] = {}

    @property
    def depth(self) -> int:
        """How many letters wait."""
        return len(self._waiting)

    def open(self) -> list[Waiting]:
        """Makes the directory, gives what waits in it, the oldest first, and throws away what nobody needs."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.tidy()
        return self.look()

    def look(self) -> list[Waiting]:
        """What waits in it and is not known here yet, the oldest first: others put it there, and may be gone."""
        found = sorted((_looked_at(path), path) for path in self._directory.glob(f"*{_LETTER}"))
        new = [Waiting(path.stem, size) for (at_s, size), path in found if at_s and path.stem not in self._waiting]
        self._waiting |= {waiting.name: waiting.size_bytes for waiting in new}
        return new

    def tidy(self) -> None:
        """Removes marks that have grown old or too many, and what a crash left half written."""
        paths = (*self._directory.glob(f"*{_MARK}"), *self._directory.glob("*.tmp"))
        newest_first = sorted(((_mtime_s(path), path) for path in paths), reverse=True)
        oldest_s = time.time() - MARKS_KEPT_S
        for place, (at_s, path) in enumerate(newest_first):
            if at_s < oldest_s or place >= MARKS_MAX:
                path.unlink(missing_ok=True)

    def put(self, letter: Letter) -> Waiting | None:
        """Keeps a letter; on disk when this returns. None: it is, or was, there already. Raises BoxFull."""
        name, text = letter.name, _text(letter)
        if not _NAME.fullmatch(name):
            raise ValueError("team and id of a letter stand in a file name")
        # In this order: a mark is there before its letter goes, and one that is delivered just now would be neither.
        if self._path(name, _LETTER).exists() or self._path(name, _MARK).exists():
            return None
        self._check_room(letter.team, len(text))
        if not self._write(name, text):
            return None
        if self._path(name, _MARK).exists():  # somebody else has put and delivered it since it was looked for
            self._path(name, _LETTER).unlink(missing_ok=True)
            return None
        self._waiting[name] = len(text)
        return Waiting(name, len(text))

    def _check_room(self, team: str, size_bytes: int) -> None:
        """Raises BoxFull when there is none for one more, or none for this team."""
        waiting = list(self._waiting.items())  # at once: other threads finish letters meanwhile
        all_sizes = [size for _, size in waiting]
        teams = [size for name, size in waiting if name.startswith(f"{team}@")]
        for sizes, share in ((all_sizes, 1), (teams, TEAM_SHARE)):
            if len(sizes) >= max(1, self._letters_max // share) or sum(sizes) + size_bytes > self._bytes_max // share:
                raise BoxFull

    @contextmanager
    def opened(self, name: str) -> Iterator[Letter | None]:
        """The letter, for whoever delivers it alone. None: another process does, or it is done, or cannot be read."""
        try:
            fd = os.open(self._path(name, _LETTER), os.O_RDWR)
        except FileNotFoundError:
            self._waiting.pop(name, None)
            yield None
            return
        try:
            yield self._read(name, fd) if _locked(fd) else None
        finally:
            os.close(fd)

    def has(self, name: str) -> bool:
        """Whether the letter waits, as far as this process knows."""
        return name in self._waiting

    def finish(self, name: str) -> None:
        """Puts the mark in the letter's place."""
        self._path(name, _MARK).touch(mode=0o600)
        self._path(name, _LETTER).unlink(missing_ok=True)
        self._sync()
        self._waiting.pop(name, None)

    def _read(self, name: str, fd: int) -> Letter | None:
        """One that cannot be read is set aside under another name, for a person to look at."""
        letter = _read(fd)
        if letter is None:
            self._path(name, _LETTER).rename(self._path(name, ".damaged"))
            self._waiting.pop(name, None)
        return letter

    def _write(self, name: str, text: bytes) -> bool:
        """Under a name of its own first; the last step is the one that cannot be half done."""
        half = self._directory / f"{name}-{os.getpid()}-{time.monotonic_ns()}.tmp"
        fd = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            self._path(name, _LETTER).hardlink_to(half)
        except FileExistsError:
            return False
        finally:
            half.unlink(missing_ok=True)
        self._sync()
        return True

    def _sync(self) -> None:
        fd = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def _path(self, name: str, suffix: str) -> Path:
        return self._directory / f"{name}{suffix}"


def letters_in(directory: Path) -> int:
    """How many letters wait in a directory, whichever process knows of them."""
    return sum(1 for _ in directory.glob(f"*{_LETTER}"))


def _mtime_s(path: Path) -> float:
    return _looked_at(path)[0]


def _looked_at(path: Path) -> tuple[float, int]:
    """When a file was written, and its bytes; 0 for one that another process has just removed."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return 0.0, 0
    return found.st_mtime, found.st_size


def _text(letter: Letter) -> bytes:
    return orjson.dumps({**asdict(letter), "body": base64.b64encode(letter.body).decode()})


def _read(fd: int) -> Letter | None:
    """The letter in an open file; None for one that this version cannot read."""
    with os.fdopen(os.dup(fd), "rb") as file:
        file.seek(0)
        text = file.read()
    try:
        values = orjson.loads(text)
        known = {each.name: values[each.name] for each in fields(Letter)}
        return Letter(**{**known, "body": base64.b64decode(known["body"])})
    except (orjson.JSONDecodeError, KeyError, TypeError, binascii.Error):
        return None


def _locked(fd: int) -> bool:
    """Whether it is ours now and has not been finished while we came."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return os.fstat(fd).st_nlink > 0
