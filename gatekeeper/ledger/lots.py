"""Credits that expire, kept by hand: which grant a hold takes from, what goes back to it, what of it lapses.

The credits of a grant with an expiry are a lot; all other credits are one common pot, which has no book of its own: it
is what the team's figures leave over. Pure. The scripts keep the same lots in their own way; what is here says it once
more, so that a journal can be checked against them.

- A hold takes from the lots, the soonest expiring first (of two, the one granted first), and from the pot at last.
- A settle charges what the hold took in that order; the rest goes back to where it came from.
- A lot past its time loses what is neither used nor held, at most what is available: credits that cover a debt stay,
  in the pot. What a hold still keeps of it is not lost; what comes back of that is lost at once.
"""

from dataclasses import dataclass

from gatekeeper.ledger.errors import LedgerBroken

REMINDER = "lapse:"
"""How members of `due` begin that are no holds: this and the sequence of a grant, scored with its expiry."""

Parts = dict[int, int]
"""What a hold took from lots: micro-credits by the sequence of the grant, in the order of use."""


@dataclass(slots=True)
class Lot:
    """The credits of one grant with an expiry. `amount` is what of them has not lapsed; `seq` its journal entry."""

    seq: int
    expires_ms: int
    amount: int
    used: int
    held: int
    grant_id: str

    @property
    def free(self) -> int:
        """What may still be held."""
        return self.amount - self.used - self.held

    def text(self) -> str:
        """The lot as the scripts write it."""
        return "\t".join(str(part) for part in (
            self.seq, self.expires_ms, self.amount, self.used, self.held, self.grant_id,
        ))  # fmt: skip


def parse_lots(text: str) -> tuple[Lot, ...]:
    """A team's lots from the value in its books, in the order of use; none if it has no such value."""
    try:
        rows = (line.split("\t") for line in text.split("\n")[:-1])
        return tuple(
            Lot(int(seq), int(expires), int(amount), int(used), int(held), grant_id)
            for seq, expires, amount, used, held, grant_id in rows
        )
    except ValueError as error:
        raise LedgerBroken(f"the lots of a team cannot be read: {error}") from error


def parts_text(parts: Parts) -> str:
    """What a hold took from lots, as the scripts write it."""
    return ",".join(f"{seq}={amount}" for seq, amount in parts.items())


class Lots:
    """A team's lots, from grant to lapse."""

    def __init__(self) -> None:
        self.by_use: list[Lot] = []

    def add(self, lot: Lot) -> None:
        """A new grant with an expiry."""
        self.by_use = sorted([*self.by_use, lot], key=lambda each: (each.expires_ms, each.seq))

    def hold(self, amount: int) -> Parts:
        """Keep up to this much aside; what of it is in lots."""
        parts = self._allocate(amount)
        for lot in self.by_use:
            lot.held += parts.get(lot.seq, 0)
        return parts

    def spend(self, amount: int) -> None:
        """Use up to this much that no hold kept aside."""
        parts = self._allocate(amount)
        for lot in self.by_use:
            lot.used += parts.get(lot.seq, 0)

    def settle(self, parts: Parts, charged: int) -> None:
        """End a hold that cost `charged`."""
        spent = _spent(parts, charged)
        for lot in self.by_use:
            lot.held -= parts.get(lot.seq, 0)
            lot.used += spent.get(lot.seq, 0)

    def correct(self, parts: Parts, charged: int) -> None:
        """A hold that was charged in full cost only `charged`. What comes back to a lot that is gone has lapsed."""
        spent = _spent(parts, charged)
        there = {lot.seq: lot for lot in self.by_use}
        for seq, part in parts.items():
            back = part - spent[seq]
            if seq in there:
                there[seq].used -= back
            elif back:
                self.by_use.append(Lot(seq, 0, back, 0, 0, ""))

    def due(self, now_ms: int) -> list[Lot]:
        """Lots past their time with something left that nobody holds."""
        return [lot for lot in self.by_use if lot.expires_ms <= now_ms and lot.free]

    def drop(self, now_ms: int) -> None:
        """Forget lots past their time of which nothing is free or held."""
        self.by_use = [lot for lot in self.by_use if lot.expires_ms > now_ms or lot.free or lot.held]

    def _allocate(self, amount: int) -> Parts:
        parts: Parts = {}
        for lot in self.by_use:
            part = min(lot.free, amount - sum(parts.values()))
            if part > 0:
                parts[lot.seq] = part
        return parts


def _spent(parts: Parts, charged: int) -> Parts:
    spent: Parts = {}
    for seq, part in parts.items():
        spent[seq] = min(part, charged - sum(spent.values()))
    return spent
