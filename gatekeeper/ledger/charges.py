"""Finds in a team's journal what a hold was charged. Reads only; bounded, for a journal may be long."""

from typing import Final

from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.errors import LedgerInvalid
from gatekeeper.ledger.holdid import hold_id_ms
from gatekeeper.ledger.journal import JOURNAL_PAGE_MAX, read_page
from gatekeeper.ledger.keys import TeamKeys
from gatekeeper.ledger.records import Entry, EntryKind

SCAN_ENTRIES_MAX: Final = 200_000
"""Entries looked through for one hold: hours of the busiest team, and a second or two of reading."""
CLOCKS_MAX_MS: Final = 300_000
"""How much later an id may say it is than the store: more than clocks of hosts that are looked after differ."""

_FINAL: Final = {EntryKind.SETTLE, EntryKind.LATE, EntryKind.ORPHAN, EntryKind.RELEASE, EntryKind.VOID}
_ENDS: Final = _FINAL | {EntryKind.EXPIRE, EntryKind.CHARGE}


async def find_charge(client: StoreClient, team_id: str, hold_id: str) -> tuple[Entry, bool]:
    """The entry that charged this hold: the last one, if a late result came in place of another; and whether no such
    result can stand further behind.

    Raises LedgerInvalid if it was not charged, or not found in `SCAN_ENTRIES_MAX` entries from the time in its id.
    """
    first = await _first_since(client, team_id, hold_id_ms(hold_id) - CLOCKS_MAX_MS)
    entry, is_last = await last_end(client, team_id, hold_id, first - 1)
    if entry is None:
        raise LedgerInvalid(
            f"the journal of team {team_id} does not tell the end of hold {hold_id}: it runs, or its entries were cut "
            "off after an export. Give a grant with a note instead, or name the entry"
        )
    if not entry.charged:
        raise LedgerInvalid(f"hold {hold_id} of team {team_id} was not charged: nothing to refund")
    return entry, is_last


async def last_end(client: StoreClient, team_id: str, hold_id: str, after: int) -> tuple[Entry | None, bool]:
    """The last entry above `after` that ended this hold, None if there is none; False if the journal goes on behind
    what was looked at. Raises LedgerInvalid if nothing was found so far."""
    found: Entry | None = None
    last = after + SCAN_ENTRIES_MAX
    while page := await read_page(client, team_id, after, JOURNAL_PAGE_MAX, last):
        for entry in page:
            if entry.hold_id == hold_id and entry.kind in _ENDS:
                found = entry
                if entry.kind in _FINAL:
                    return found, True
        after = page[-1].seq
    if found is None and after >= last:
        raise LedgerInvalid(
            f"no end of hold {hold_id} in {SCAN_ENTRIES_MAX} entries of team {team_id}: name the entry that charged it"
        )
    return found, after < last


async def entry_at(client: StoreClient, team_id: str, seq: int) -> Entry | None:
    """The journal entry of this sequence, or None."""
    page = await read_page(client, team_id, seq - 1, 1, seq)
    return page[0] if page else None


async def _first_since(client: StoreClient, team_id: str, at_ms: int) -> int:
    """The first entry that was written at this time or later, by halves; one behind the last if none was."""
    journal = TeamKeys(team_id).journal
    ends = [await client.command(name, journal, *ends, "COUNT", 1, bulk=True)
            for name, ends in (("XRANGE", ("-", "+")), ("XREVRANGE", ("+", "-")))]  # fmt: skip
    if not ends[0]:
        return 1
    low, high = (int(rows[0][0].partition("-")[0]) for rows in ends)
    high += 1
    while low < high:
        middle = (low + high) // 2
        entry = await entry_at(client, team_id, middle)
        if entry is not None and entry.at_ms < at_ms:
            low = middle + 1
        else:
            high = middle
    return low
