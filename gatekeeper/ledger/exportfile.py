"""The file that a team's journal is exported to: JSON lines, one entry each, appended and never rewritten.

Every field of an entry has its name, and amounts are whole micro-credits, so a line can be read without this program.
The file begins with entry 1 and has no gap. A last line that was cut, by a crash or a full disk, is no line: it is
dropped and written again. It knows no store.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson

from gatekeeper.ledger.codec import ENTRY_FIELDS
from gatekeeper.ledger.errors import ExportBroken
from gatekeeper.ledger.records import Entry, EntryKind

LINE_BYTES_MAX: Final = 64 * 1024
"""Far above the longest entry (meta of 4 KiB, every byte escaped): what is longer is no line of ours."""

_TEXTS: Final = tuple(name for name in ENTRY_FIELDS if name not in {"kind", "at", "amount", "charged"})
"""The fields that are kept as the texts they are."""


def entry_document(team_id: str, entry: Entry) -> dict[str, Any]:
    """A journal entry with every field by name."""
    return {
        "team": team_id,
        "seq": entry.seq,
        "at_ms": entry.at_ms,
        "kind": str(entry.kind),
        "amount_microcredits": entry.amount,
        "charged_microcredits": entry.charged,
        **{name: entry.fields[name] for name in _TEXTS},
    }


def to_line(team_id: str, entry: Entry) -> bytes:
    """The entry as a line of the file."""
    return orjson.dumps(entry_document(team_id, entry), option=orjson.OPT_APPEND_NEWLINE)


def from_line(team_id: str, line: bytes) -> Entry:
    """The entry that a line tells. Raises ValueError with what is wrong."""
    told = orjson.loads(line)
    if not isinstance(told, dict) or told.get("team") != team_id:
        raise ValueError(f"it is no journal entry of team {team_id}")
    try:
        fields = {name: told[name] for name in _TEXTS}
        numbers = [told[name] for name in ("seq", "at_ms", "amount_microcredits", "charged_microcredits")]
        if not all(isinstance(text, str) for text in fields.values()) or not all(type(n) is int for n in numbers):
            raise ValueError("a field has a value of another type")
        seq, at_ms, amount, charged = numbers
        return Entry(seq, at_ms, EntryKind(told["kind"]), fields["id"], amount, charged, fields)
    except KeyError as error:
        raise ValueError(f"it has no {error.args[0]}") from error


def export_path(directory: Path, team_id: str) -> Path:
    """Where the journal of this team is exported to; team ids are file names as they are."""
    return directory / f"{team_id}.jsonl"


def read_export(directory: Path, team_id: str) -> Iterator[Entry]:
    """Every whole line of the file in order; nothing if there is no file. Raises ExportBroken where it is damaged."""
    path = export_path(directory, team_id)
    if not path.exists():
        return
    with path.open("rb") as file:
        expected = 1
        while (line := file.readline(LINE_BYTES_MAX)).endswith(b"\n"):
            entry = _read_line(path, expected, team_id, line)
            if entry.seq != expected:
                raise ExportBroken(f"{path}, line {expected}: entry {entry.seq} stands where {expected} belongs")
            yield entry
            expected += 1
        if len(line) == LINE_BYTES_MAX:
            raise ExportBroken(f"{path}, line {expected}: it is longer than any journal entry")


def _read_line(path: Path, number: int | str, team_id: str, line: bytes) -> Entry:
    try:
        return from_line(team_id, line)
    except ValueError as error:
        raise ExportBroken(
            f"{path}, line {number}: {error}. Restore the file, or export to an empty directory"
        ) from error


@dataclass(slots=True)
class ExportFile:
    """The file of one team, locked against a second export. `last` is the entry it ends with, if it has any."""

    team_id: str
    path: Path
    file: BinaryIO
    last: Entry | None

    def append(self, entries: Iterable[Entry]) -> None:
        """Writes entries that follow the last one. Raises ExportBroken if one does not, and OSError."""
        wanted = list(entries)
        at = self.last.seq if self.last else 0
        for expected, entry in enumerate(wanted, at + 1):
            if entry.seq != expected:
                raise ExportBroken(
                    f"the journal of team {self.team_id} has a gap: entry {entry.seq} follows entry {expected - 1}. "
                    f"Nothing more was exported; gatekeeper verify {self.team_id} tells more"
                )
        self.file.write(b"".join(to_line(self.team_id, entry) for entry in wanted))
        self.last = wanted[-1] if wanted else self.last

    def sync(self) -> None:
        """Everything appended is on disk when this returns."""
        self.file.flush()
        os.fsync(self.file.fileno())

    def close(self) -> None:
        """Lets the file go; what was not synced may be lost with the machine."""
        self.file.close()


def open_export(directory: Path, team_id: str) -> ExportFile:
    """The team's file, made if there is none, cut to its whole lines. Raises ExportBroken and OSError."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = export_path(directory, team_id)
    is_new = not path.exists()
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    file = os.fdopen(fd, "r+b")
    try:
        _lock(path, fd)
        if is_new:
            _sync_directory(directory)
        return ExportFile(team_id, path, file, _cut_to_whole_lines(path, team_id, file))
    except BaseException:
        file.close()
        raise


def _lock(path: Path, fd: int) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ExportBroken(f"{path}: another export is writing to it; wait for it to end") from error


def _cut_to_whole_lines(path: Path, team_id: str, file: BinaryIO) -> Entry | None:
    size = file.seek(0, os.SEEK_END)
    begin = max(0, size - 2 * LINE_BYTES_MAX)
    file.seek(begin)
    tail = file.read()
    whole = tail[: tail.rfind(b"\n") + 1]
    if begin + len(whole) < size:
        if len(tail) - len(whole) > LINE_BYTES_MAX:
            raise ExportBroken(
                f"{path}: its end is no journal entry. Restore the file, or export to an empty directory"
            )
        file.truncate(begin + len(whole))
    file.seek(0, os.SEEK_END)
    if not whole:
        return None
    return _read_line(path, "the last one", team_id, whole[whole.rfind(b"\n", 0, -1) + 1 :])


def _sync_directory(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
