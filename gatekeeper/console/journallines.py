"""The journal as people read it: the last entry first, each with what it did to the credits, who did it and why."""

from dataclasses import dataclass
from typing import Final

from gatekeeper.admin.bookdocuments import EntryDocument
from gatekeeper.admin.operations.books import entry_document
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.records import EntryKind

WORDS: Final = {
    EntryKind.TEAM: "Team changed",
    EntryKind.GRANT: "Granted",
    EntryKind.HOLD: "Held",
    EntryKind.SETTLE: "Settled",
    EntryKind.RELEASE: "Released",
    EntryKind.UNKNOWN: "Outcome unknown",
    EntryKind.EXPIRE: "Expired",
    EntryKind.CHARGE: "Charged by time",
    EntryKind.KEEP: "Kept",
    EntryKind.LATE: "Settled late",
    EntryKind.LAPSE: "Lapsed",
    EntryKind.VOID: "Voided",
    EntryKind.ORPHAN: "Settled without its hold",
    EntryKind.JOB: "Follows a job",
    EntryKind.REFUND: "Refunded",
    EntryKind.TRANSFER: "Handed on",
    EntryKind.KEY: "Key changed",
    EntryKind.EXTEND: "Put off",
}
"""The kinds of entry, in words."""

WITHOUT_CREDITS: Final = frozenset({EntryKind.TEAM, EntryKind.KEY})

CHARGES: Final = frozenset({EntryKind.SETTLE, EntryKind.CHARGE, EntryKind.LATE, EntryKind.ORPHAN})


@dataclass(frozen=True, slots=True)
class JournalLine:
    """An entry. `charged` is None where nothing could be; `credits` None where there are none."""

    entry: EntryDocument
    word: str
    credits: int | None
    charged: int | None
    by: str


@dataclass(frozen=True, slots=True)
class JournalPage:
    """A page, the last entry first; `older` is the number before which the next one begins, None at the end."""

    lines: list[JournalLine]
    older: int | None
    newer: int | None
    cut_seq: int


async def last_entries(ledger: Ledger, team_id: str, seq: int, count: int) -> list[JournalLine]:
    """The last so many up to this one."""
    after = max(seq - count, 0)
    entries = await ledger.journal(team_id, after, seq - after) if seq else ()
    return [line_of(entry_document(each)) for each in reversed(entries)]


async def read_page(ledger: Ledger, team_id: str, before: int, last: int, count: int) -> JournalPage:
    """The entries before this number; 0 begins with the last one, which is `last`."""
    cut_seq = (await ledger.checkpoint(team_id)).seq
    top = min(before - 1, last) if before else last
    lines = await last_entries(ledger, team_id, top, count) if top > 0 else []
    first = lines[-1].entry.seq if lines else 0
    newer = min(top + count, last) + 1 if top < last else None
    return JournalPage(lines, first if first > cut_seq + 1 else None, newer, cut_seq)


def line_of(entry: EntryDocument) -> JournalLine:
    """An entry in words."""
    kind = EntryKind(entry.kind)
    by = ", ".join(dict.fromkeys(filter(None, (entry.actor, entry.member, entry.project, entry.key_id))))
    return JournalLine(
        entry, WORDS[kind], None if kind in WITHOUT_CREDITS else entry.credits,
        entry.charged if kind in CHARGES else None, by,
    )  # fmt: skip
