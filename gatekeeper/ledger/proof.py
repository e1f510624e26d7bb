"""Drives a verification: takes a snapshot, replays the journal up to it, compares.

If the first entries were cut off, the replay begins with the checkpoint that stands for them; given the exported files
it begins with those, and the checkpoint itself is one more figure to be derived. A trim that comes between snapshot and
reading takes entries away that were to be read: then all begins again, with the new checkpoint.
"""

import asyncio
from itertools import islice
from pathlib import Path
from typing import Final

from gatekeeper.ledger import looking, scripts
from gatekeeper.ledger.checkpoint import first_difference, from_text, to_text
from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.errors import ExportBroken, LedgerBroken, LedgerConflict
from gatekeeper.ledger.exportfile import export_path, read_export, to_line
from gatekeeper.ledger.halves import unbalanced
from gatekeeper.ledger.journal import (
    JOURNAL_PAGE_MAX,
    Checkpoint,
    checkpoint_of,
    read_checkpoint,
    read_page,
    read_pages,
)
from gatekeeper.ledger.records import Entry
from gatekeeper.ledger.reports import VerifyReport
from gatekeeper.ledger.usagebook import living_months
from gatekeeper.ledger.verify import DIFFERENCES_MAX, Replay, compare

TRIES_MAX: Final = 5
"""Trims are rare: one that comes in between this often is no chance."""


async def prove(client: StoreClient, team_id: str, directory: Path | None = None) -> VerifyReport:
    """The verdict on one team; with the directory of exported journals on its whole history.

    Raises the ledger's errors; LedgerConflict if the journal is cut again and again meanwhile.
    """
    for _ in range(TRIES_MAX):
        report = await _try(client, team_id, directory)
        if report is not None:
            return report
    raise LedgerConflict(f"the journal of team {team_id} is being cut while it is read")


async def _try(client: StoreClient, team_id: str, directory: Path | None) -> VerifyReport | None:
    months = living_months(await looking.now_ms(client, team_id))
    snapshot = await scripts.snapshot(client, team_id, months)
    checkpoint, last = checkpoint_of(snapshot.base), int(snapshot.bal.get("seq", "0"))
    files = _Files(team_id, directory)
    replay = await _begin(checkpoint, files)
    trusted = 0 if files.taken >= checkpoint.seq else checkpoint.seq
    read = files.taken
    async for page in read_pages(client, team_id, replay.seq, last):
        if page[0].seq != replay.seq + 1 and await _moved(client, team_id, checkpoint):
            return None
        await files.compare(page, replay)
        replay.add(page)
        read += len(page)
    if replay.seq < last and await _moved(client, team_id, checkpoint):
        return None
    await files.compare_rest(client, replay)
    differences = compare(snapshot, replay) + await unbalanced(client, team_id, snapshot)
    return VerifyReport(team_id, last, read, differences[:DIFFERENCES_MAX], trusted)


async def _moved(client: StoreClient, team_id: str, checkpoint: Checkpoint) -> bool:
    return (await read_checkpoint(client, team_id)).seq != checkpoint.seq


async def _begin(checkpoint: Checkpoint, files: "_Files") -> Replay:
    """The books at the checkpoint: derived from the exported entries if they are all there, else as they are stored."""
    derived = Replay()
    while page := await files.take(min(JOURNAL_PAGE_MAX, checkpoint.seq - derived.seq)):
        derived.add(page)
    if derived.seq < checkpoint.seq:
        stored = _stored(checkpoint)
        if files.path is not None:
            found = files.problem or f"{files.path} ends with entry {derived.seq}"
            stored.differ("exported journal", found, f"entries 1 to {checkpoint.seq}, which were cut off")
            files.problem = ""
        files.taken = 0
        return stored
    difference = first_difference(checkpoint.state, to_text(derived)) if checkpoint.seq else None
    if difference is not None:
        derived.differ(difference.what, difference.stored, difference.derived)
    return derived


def _stored(checkpoint: Checkpoint) -> Replay:
    try:
        return from_text(checkpoint.state)
    except LedgerBroken as error:
        unread = Replay()
        unread.seq = checkpoint.seq
        unread.differ("checkpoint", error, "a text that can be read")
        return unread


class _Files:
    """A team's exported journal, read along with the one in the store. Without a directory it has nothing."""

    def __init__(self, team_id: str, directory: Path | None) -> None:
        self.path = export_path(directory, team_id) if directory is not None else None
        self.problem = ""
        self.taken = 0
        self._team_id = team_id
        self._entries = read_export(directory, team_id) if directory is not None else iter(())

    async def take(self, count: int) -> list[Entry]:
        """The next entries; fewer or none where the file ends, or cannot be read: then `problem` says why."""
        return await asyncio.to_thread(self._take, count)

    def _take(self, count: int) -> list[Entry]:
        found: list[Entry] = []
        try:
            found.extend(islice(self._entries, count))
        except ExportBroken as error:
            self.problem = str(error)
        self.taken += len(found)
        return found

    async def compare(self, page: list[Entry], replay: Replay) -> None:
        """Note the first exported entry that is another one than the store has under its number."""
        mine = await self.take(len(page))
        unlike = next(((a, b) for a, b in zip(mine, page, strict=False) if a != b), None)
        if unlike is not None:
            self._differ(replay, *unlike)

    async def compare_rest(self, client: StoreClient, replay: Replay) -> None:
        """Note what is exported and is not in the store: entries that came after the snapshot are there by now."""
        for entry in await self.take(1):
            there = await read_page(client, self._team_id, entry.seq - 1, 1)
            if there[:1] != [entry]:
                self._differ(replay, entry, there[0] if there else None)
        if self.problem:
            replay.differ("exported journal", self.problem, "a line for each entry")

    def _differ(self, replay: Replay, exported: Entry, there: Entry | None) -> None:
        stored = "none" if there is None else to_line(self._team_id, there).decode().strip()
        replay.differ(f"exported entry {exported.seq}", stored, to_line(self._team_id, exported).decode().strip())
        self._entries = iter(())
