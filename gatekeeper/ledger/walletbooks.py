"""Refunds and transfers kept by hand, from the journal: what the store's own notes of them have to say.

Pure; a part of a `Replay`. What each hold was charged is remembered only for the entries that were replayed: of a
refund whose charge stands before a checkpoint nobody can say here whether it was too much.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import orjson

from gatekeeper.ledger.records import Entry, EntryKind

_CHARGES: Final = {EntryKind.SETTLE, EntryKind.LATE, EntryKind.CHARGE, EntryKind.ORPHAN}


class Charges:
    """What entries charged, in their order: 16 bytes each, for there are as many as requests."""

    def __init__(self) -> None:
        self._seqs = array("q")
        self._amounts = array("q")

    def note(self, seq: int, amount: int) -> None:
        """One more, behind those before."""
        if not self._seqs or seq > self._seqs[-1]:
            self._seqs.append(seq)
            self._amounts.append(amount)

    def of(self, seq: int) -> int | None:
        """What this entry charged; None if it is not known."""
        place = bisect_left(self._seqs, seq)
        if place < len(self._seqs) and self._seqs[place] == seq:
            return self._amounts[place]
        return None


@dataclass(slots=True)
class BookedWallet:
    """A team's refunds and transfers, as the store has them: by refund id, by charge, by transfer id."""

    refunds: dict[str, str] = field(default_factory=dict)
    transfers: dict[str, str] = field(default_factory=dict)
    _charges: Charges = field(default_factory=Charges, repr=False)

    def note_charge(self, entry: Entry) -> None:
        """An entry that charged can be refunded from now on."""
        if entry.kind in _CHARGES:
            self._charges.note(entry.seq, entry.charged)

    def refund(self, entry: Entry) -> Iterator[tuple[str, object, object]]:
        """Book a refund; gives what is wrong with it: what, what it says, what would be right."""
        of = f"of:{entry.fields['hold_seq']}"
        before = int(self.refunds.get(of, "0").partition("\t")[0])
        gross = before + entry.amount + entry.charged
        charged = self._charges.of(int(entry.fields["hold_seq"]))
        if entry.hold_id in self.refunds:
            yield f"refund {entry.hold_id}", "given twice", "once"
        if charged is not None and charged != gross:
            yield (
                f"what is left of the charge in entry {entry.fields['hold_seq']}",
                entry.charged,
                (charged - before - entry.amount),
            )
        parts = (entry.fields["hold_seq"], entry.amount, hold_of(entry), entry.at_ms, entry.seq)
        self.refunds[entry.hold_id] = "\t".join(map(str, parts))
        self.refunds[of] = f"{before + entry.amount}\t{gross}"

    def transfer(self, entry: Entry) -> None:
        """Book a transfer to another team; whether that team has it yet is not told by this journal."""
        to = str(_meta(entry).get("to", ""))
        self.transfers[entry.hold_id] = "\t".join(map(str, (to, entry.amount, entry.at_ms, entry.seq)))

    def compared(self, refunds: Mapping[str, str], transfers: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
        """What the store has of each, and what it should have."""
        for name in sorted({*refunds, *self.refunds}):
            yield f"refund {name}", refunds.get(name, "none"), self.refunds.get(name, "none")
        for name in sorted({*transfers, *self.transfers}):
            stored = transfers.get(name, "none")
            yield f"transfer {name}", stored.removeprefix("p\t").removeprefix("d\t"), self.transfers.get(name, "none")


def hold_of(entry: Entry) -> str:
    """The hold whose charge a refund gives back."""
    return str(_meta(entry).get("hold", ""))


def _meta(entry: Entry) -> dict[str, object]:
    try:
        known = orjson.loads(entry.fields["meta"])
    except ValueError:
        return {}
    return known if isinstance(known, dict) else {}
