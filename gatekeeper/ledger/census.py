"""Counts all teams and their open holds: what no single call knows, for whoever watches the whole.

It reads and changes nothing. The counts are of no one instant, for teams are looked at one after another, at a pace;
what `verify` proves is proved elsewhere.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.codec import StoredHold, pairs, parse_figures, parse_hold
from gatekeeper.ledger.errors import LedgerBroken
from gatekeeper.ledger.keys import TeamKeys
from gatekeeper.ledger.looking import in_chunks, scan, team_ids
from gatekeeper.ledger.records import HoldState

TEAMS_AT_ONCE: Final = 100
"""Teams whose figures are asked for in one pipeline."""

PAUSE_S: Final = 0.2
"""Between two of those: 500 teams a second at most, a hundredth of a core of whoever counts."""


@dataclass(slots=True)
class Tally:
    """Open holds of one state, and when the oldest of them was made (0: there is none)."""

    count: int = 0
    oldest_ms: int = 0

    def add(self, at_ms: int) -> None:
        """One more that was made then."""
        self.count += 1
        self.oldest_ms = min(self.oldest_ms or at_ms, at_ms)


@dataclass(slots=True)
class Census:
    """What was counted; amounts in micro-credits. `holds` is by state: held, job, unknown, kept, overdue. Of teams that
    are `unreadable` some record is nothing that the ledger wrote; the rest is counted without them."""

    teams: int = 0
    unreadable: int = 0
    owing: int = 0
    held: int = 0
    owed: int = 0
    holds: dict[str, Tally] = field(default_factory=dict)

    def add_team(self, figures: Mapping[str, str]) -> None:
        """One more with these figures; none yet if it was never given anything."""
        self.teams += 1
        if not figures:
            return
        granted, charged, expired, held = (int(figures[name]) for name in ("granted", "charged", "expired", "held"))
        free = granted - charged - expired - held
        self.held += held
        self.owing += free < 0
        self.owed += max(-free, 0)

    def add_hold(self, state: str, at_ms: int) -> None:
        """One more that is open."""
        self.holds.setdefault(state, Tally()).add(at_ms)


async def count_all(client: StoreClient, rest: Callable[[float], Awaitable[object]] = asyncio.sleep) -> Census:
    """Goes over all teams once. Raises the ledger's errors."""
    census = Census()
    async for some in in_chunks(team_ids(client), TEAMS_AT_ONCE):
        texts = await asyncio.gather(
            *(client.command("HGET", TeamKeys(team_id).bal, "figures", bulk=True) for team_id in some)
        )
        for team_id, text in zip(some, texts, strict=True):
            try:
                await _count_team(client, TeamKeys(team_id), text or "", census)
            except LedgerBroken:
                census.unreadable += 1
        await rest(PAUSE_S)
    return census


async def _count_team(client: StoreClient, keys: TeamKeys, text: str, census: Census) -> None:
    figures = parse_figures(text)
    census.add_team(figures)
    if int(figures.get("open", 0)):
        await _count_holds(client, keys, census)


async def _count_holds(client: StoreClient, keys: TeamKeys, census: Census) -> None:
    """A hold that comes or ends meanwhile may be counted or not."""
    async for page in scan(client, "HSCAN", keys.open):
        holds = {hold_id: parse_hold(text) for hold_id, text in pairs(page).items()}
        kept = await _kept(client, keys, [hold_id for hold_id, hold in holds.items() if _waits_for_time(hold)])
        for hold_id, hold in holds.items():
            census.add_hold("kept" if hold_id in kept else _state_of(hold), hold.held_at_ms)


async def _kept(client: StoreClient, keys: TeamKeys, doubted: list[str]) -> set[str]:
    """Those that no deadline ends."""
    if not doubted:
        return set()
    scores: Iterable[str | None] = await client.command("ZMSCORE", keys.due, *doubted, bulk=True)
    return {hold_id for hold_id, score in zip(doubted, scores, strict=True) if score is None}


def _waits_for_time(hold: StoredHold) -> bool:
    return hold.state is HoldState.UNKNOWN and not hold.follows_job


def _state_of(hold: StoredHold) -> str:
    if hold.state is HoldState.UNKNOWN:
        return "overdue" if hold.follows_job else "unknown"
    return "job" if hold.follows_job else "held"
