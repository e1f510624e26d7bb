"""Moves a team's journal out of the store: to a file, and, once it is there, off the store.

Export first puts entries on disk and then says so in the store; a trim believes the store, never a file. Both go on
where the last one ended, and both may run beside a gateway that writes. It prints nothing: progress goes to a callback.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Final

from gatekeeper.ledger.checkpoint import from_text, to_text
from gatekeeper.ledger.errors import ExportBroken, LedgerBroken
from gatekeeper.ledger.exportfile import ExportFile, open_export
from gatekeeper.ledger.journal import JOURNAL_PAGE_MAX
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.records import Entry

SYNC_ENTRIES: Final = 20_000
"""Entries between two fsyncs: an export that is stopped has at most this many to write again."""
CUT_ENTRIES: Final = 100_000
"""Entries cut off in one step: the store's other clients wait for a few milliseconds."""

Progress = Callable[[int, int], None]
"""Told how many entries are done, and how many there are to do."""


def _silent(_done: int, _of: int) -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What one export did: `entries` were written behind what the file had, which now ends with entry `seq`."""

    team: str
    file: Path
    entries: int
    seq: int


@dataclass(frozen=True, slots=True)
class Trimmed:
    """What one trim did, or would do: `entries` are cut off; the journal begins after entry `seq`."""

    team: str
    entries: int
    seq: int
    exported: int


async def export_team(ledger: Ledger, team_id: str, directory: Path, on_progress: Progress = _silent) -> Exported:
    """Write what the team's journal has beyond its file to the file, and confirm it to the store.

    Goes up to the entry that is the last when it begins. Raises LedgerNoTeam, LedgerUnavailable, OSError, and
    ExportBroken for a file that this journal does not continue: then neither is changed.
    """
    last = (await ledger.balance(team_id)).seq
    file = await asyncio.to_thread(open_export, directory, team_id)
    try:
        before = file.last.seq if file.last else 0
        await _check_same(ledger, file, last)
        await _append(ledger, file, last, on_progress)
        after = file.last.seq if file.last else 0
        return Exported(team_id, file.path, after - before, after)
    finally:
        await asyncio.to_thread(file.close)


async def _check_same(ledger: Ledger, file: ExportFile, last: int) -> None:
    """A file of another store, or of a time that this store has lost, is not continued."""
    if file.last is None:
        return
    mine = file.last
    if mine.seq > last:
        raise ExportBroken(
            f"{file.path} ends with entry {mine.seq}, but the journal of team {file.team_id} with {last}: the file is "
            "another store's, or the store has lost history. Export to an empty directory, and run gatekeeper verify"
        )
    there = await ledger.journal(file.team_id, mine.seq - 1, 1)
    if there and there[0].seq == mine.seq and there[0] != mine:
        raise ExportBroken(
            f"{file.path} ends with another entry {mine.seq} than the journal of team {file.team_id} has: the file is "
            "another store's. Export to an empty directory"
        )


async def _append(ledger: Ledger, file: ExportFile, last: int, on_progress: Progress) -> None:
    first = synced = file.last.seq if file.last else 0
    at = first
    while at < last:
        page = [entry for entry in await ledger.journal(file.team_id, at, JOURNAL_PAGE_MAX) if entry.seq <= last]
        await _check_follows(ledger, file, at, page)
        await asyncio.to_thread(file.append, page)
        at = page[-1].seq
        if at - synced >= SYNC_ENTRIES and at < last:
            await _confirm(ledger, file, at)
            synced = at
        on_progress(at - first, last - first)
    if at:
        await _confirm(ledger, file, at)


async def _confirm(ledger: Ledger, file: ExportFile, seq: int) -> None:
    """On disk first, then said to be: whatever fails between the two costs nothing but another call."""
    await asyncio.to_thread(file.sync)
    await ledger.confirm_exported(file.team_id, seq)


async def _check_follows(ledger: Ledger, file: ExportFile, at: int, page: list[Entry]) -> None:
    if page and page[0].seq == at + 1:
        return
    cut = (await ledger.checkpoint(file.team_id)).seq
    if cut > at:
        raise ExportBroken(
            f"{file.path} ends with entry {at}, but entries up to {cut} were exported to another directory and cut off "
            f"the journal of team {file.team_id}: export to that directory"
        )
    found = f"entry {page[0].seq}" if page else "nothing"
    raise ExportBroken(
        f"the journal of team {file.team_id} has a gap: {found} follows entry {at}. Nothing more was exported; "
        f"gatekeeper verify {file.team_id} tells more"
    )


async def trim_team(
    ledger: Ledger, team_id: str, *, before_ms: int, dry_run: bool = False, on_progress: Progress = _silent
) -> Trimmed:
    """Cut the entries off the team's journal that were exported and are older than `before_ms`.

    Raises LedgerConflict if another trim came in between, and LedgerBroken for a journal that does not add up:
    nothing of it is cut before somebody has looked at it.
    """
    checkpoint = await ledger.checkpoint(team_id)
    replay, cut = from_text(checkpoint.state), checkpoint.seq
    while page := await ledger.journal(team_id, replay.seq, JOURNAL_PAGE_MAX):
        old = list(takewhile(lambda entry: entry.seq <= checkpoint.exported and entry.at_ms < before_ms, page))
        replay.add(old)
        if replay.differences:
            first = replay.differences[0]
            what = f"{first.what} is {first.stored}, not {first.derived}"
            raise LedgerBroken(f"the journal of team {team_id} does not add up: {what}. Nothing was cut from there on")
        if replay.seq - cut >= CUT_ENTRIES and not dry_run:
            await ledger.cut_journal(team_id, cut, replay.seq, to_text(replay))
            cut = replay.seq
        on_progress(replay.seq - checkpoint.seq, checkpoint.exported - checkpoint.seq)
        if len(old) < len(page):
            break
    if replay.seq > cut and not dry_run:
        await ledger.cut_journal(team_id, cut, replay.seq, to_text(replay))
    return Trimmed(team_id, replay.seq - checkpoint.seq, replay.seq, checkpoint.exported)
