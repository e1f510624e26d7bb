"""A team with grants that expire, and a clock that stands where a test has put it: the store's never goes back by less
than five minutes (prelude.lua)."""

import time
from typing import Any

from gatekeeper.ledger.codec import parse_figures
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.lots import parse_lots

Raw = Any


class Clock:
    """The store's time for one team, which only moves when told to; 0 is when the test began."""

    def __init__(self, raw: Raw) -> None:
        self.raw = raw
        self.start_ms = time.time_ns() // 1_000_000 + 60_000

    async def at(self, second: int) -> None:
        """It is so many seconds later than at the beginning."""
        figures = parse_figures(await self.raw.client.command("HGET", self.raw.keys.bal, "figures"))
        figures["at"] = str(self.ms(second))
        await self.raw.client.command("HSET", self.raw.keys.bal, "figures", ":".join(figures.values()))

    def ms(self, second: int) -> int:
        """That second, as the store tells time."""
        return self.start_ms + 1000 * second


async def give(clock: Clock, **grants: tuple[int, int | None]) -> None:
    """Grants by id: the amount, and the second at which they expire."""
    for grant_id, (amount, second) in grants.items():
        reply = await clock.raw.grant(grant_id, amount, "" if second is None else clock.ms(second))
        assert "GRANTED" == reply[0]


async def held(clock: Clock, hold_id: str, amount: int, **changes: Any) -> str:
    """An admitted hold."""
    assert "HELD" == (await clock.raw.hold(hold_id, amount=amount, **changes))[0]
    return hold_id


async def lots(raw: Raw) -> dict[str, tuple[int, int, int]]:
    """What of each lot has not lapsed, and what of that is used and held, in the order of use."""
    text = await raw.client.command("HGET", raw.keys.bal, "lots")
    return {lot.grant_id: (lot.amount, lot.used, lot.held) for lot in parse_lots(text or "")}


async def lapses(raw: Raw) -> list[tuple[str, int]]:
    """What lapsed, by the journal: the grant and how much."""
    entries = await Ledger(raw.client).journal(raw.keys.team_id)
    return [(entry.hold_id, entry.amount) for entry in entries if entry.kind == "lapse"]


async def figures(raw: Raw) -> dict[str, int]:
    """What balance.lua tells, by name; the books must add up and replay to what is stored."""
    granted, charged, expired, kept = (await raw.balance("team"))[2:6]
    told = {"granted": granted, "charged": charged, "expired": expired, "held": kept}
    report = await Ledger(raw.client).verify(raw.keys.team_id)
    assert () == report.differences
    return {name: int(figure) for name, figure in told.items()}
