"""Reads a team's journal as the store has it, page by page. Decides nothing about what it reads."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.codec import pairs, parse_entry
from gatekeeper.ledger.keys import TeamKeys
from gatekeeper.ledger.records import Entry

JOURNAL_PAGE_MAX: Final = 1000
"""Journal entries in one page: about 300 kB."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a team's journal begins: `seq` is the last entry that was cut off (0: none was), `state` what those came
    to, as text of `checkpoint.py`; `exported` is the last entry known to be in files on disk."""

    exported: int
    seq: int
    state: str


async def read_page(client: StoreClient, team_id: str, after: int, count: int, last: int | None = None) -> list[Entry]:
    """Up to `count` (at most 1000) entries with a sequence above `after`, up to `last`, in order."""
    wanted = max(1, min(count, JOURNAL_PAGE_MAX))
    to = "+" if last is None else f"{last}-0"
    rows = await client.command(
        "XRANGE", TeamKeys(team_id).journal, f"{after + 1}-0", to, "COUNT", wanted, bulk=True
    )  # fmt: skip
    return [parse_entry(entry_id, flat) for entry_id, flat in rows]


async def read_pages(client: StoreClient, team_id: str, after: int, last: int) -> AsyncIterator[list[Entry]]:
    """All entries above `after` up to `last` that are there, in pages."""
    while after < last:
        page = await read_page(client, team_id, after, JOURNAL_PAGE_MAX, last)
        if not page:
            return
        yield page
        after = page[-1].seq


async def read_checkpoint(client: StoreClient, team_id: str) -> Checkpoint:
    """Where the journal begins, and how far it was exported."""
    return checkpoint_of(pairs(await client.command("HGETALL", TeamKeys(team_id).base, bulk=True)))


def checkpoint_of(base: dict[str, str]) -> Checkpoint:
    """The same from the hash as it is stored."""
    return Checkpoint(int(base.get("exported", "0")), int(base.get("seq", "0")), base.get("state", ""))
