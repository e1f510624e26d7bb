"""Credits that expire, kept by hand: which grant a hold takes from, what goes back to it, what of it lapses.

The credits of a grant with an expiry are a lot; all other credits are one common pot, which has no book of its own: it
is what the team's figures leave over. Pure. The scripts keep the same lots in their own way; what is here says it once
more, so that a journal can be checked against them.

- A hold takes from the lots, the soonest expiring first (of two, the one granted first), and from the pot at last.
- A settle charges what the hold took in that order; the rest goes back to where it came from.
- A lot past its time loses what is neither used nor held, at most what is available: credits that cover a debt stay,
  in the pot. What a hold still keeps of it is not lost; what comes back of that is lost at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from gatekeeper.ledger.errors import LedgerBroken

REMINDER: Final = "lapse:"
"""How members of `due` begin that are no holds: this and the sequence of a grant, scored with its expiry."""

Parts = list[tuple[int, int]]
"""What a hold took from lots: the sequence of each grant and how many micro-credits, in the order of use."""


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
    return ",".join(f"{seq}={amount}" for seq, amount in parts)


@dataclass(slots=True)
class Lots:
    """A team's lots, from grant to lapse, in the order of use."""

    by_use: list[Lot] = field(default_factory=list)

    def add(self, lot: Lot) -> None:
        """A new grant with an expiry."""
        self.by_use = sorted([*self.by_use, lot], key=lambda each: (each.expires_ms, each.seq))

    def hold(self, amount: int) -> Parts:
        """Keep up to this much aside; what of it is in lots."""
        parts: Parts = []
        for lot, part in self._shares(amount):
            lot.held += part
            parts.append((lot.seq, part))
        return parts

    def spend(self, amount: int) -> None:
        """Use up to this much that no hold kept aside."""
        for lot, part in self._shares(amount):
            lot.used += part

    def settle(self, parts: Parts, charged: int) -> None:
        """End a hold that cost `charged`."""
        for seq, part, spent in _divided(parts, charged):
            lot = self._find(seq)
            if lot is not None:
                lot.held -= part
                lot.used += spent

    def correct(self, parts: Parts, charged: int) -> None:
        """A hold that was charged in full cost only `charged`. What comes back to a lot that is gone has lapsed."""
        for seq, part, spent in _divided(parts, charged):
            lot = self._find(seq)
            if lot is not None:
                lot.used -= part - spent
            elif spent < part:
                self.by_use.append(Lot(seq, 0, part - spent, 0, 0, ""))

    def due(self, now_ms: int) -> list[Lot]:
        """Lots past their time with something left that nobody holds."""
        return [lot for lot in self.by_use if lot.expires_ms <= now_ms and lot.free]

    def drop(self, now_ms: int) -> None:
        """Forget lots past their time of which nothing is free or held."""
        self.by_use = [lot for lot in self.by_use if lot.expires_ms > now_ms or lot.free or lot.held]

    def _find(self, seq: int) -> Lot | None:
        return next((lot for lot in self.by_use if lot.seq == seq), None)

    def _shares(self, amount: int) -> Iterator[tuple[Lot, int]]:
        for lot in self.by_use:
            part = min(lot.free, amount)
            if part > 0:
                amount -= part
                yield lot, part


def _divided(parts: Parts, charged: int) -> Iterator[tuple[int, int, int]]:
    """Each part with what of it is spent if all of them cost `charged`."""
    for seq, part in parts:
        spent = min(part, charged)
        charged -= spent
        yield seq, part, spent
