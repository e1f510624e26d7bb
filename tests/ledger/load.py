"""Traffic on a ledger while its store is being hurt, and what was promised to whom meanwhile."""

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from gatekeeper.ledger.errors import LedgerUnavailable
from gatekeeper.ledger.holdid import new_hold_id
from gatekeeper.ledger.keys import TeamKeys
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.records import EntryKind, Held, HoldOrder, Refused, SettleStatus
from gatekeeper.ledger.slots import slot_of
from gatekeeper.ledger.teamrecord import TeamRecord

WORKERS = 24
CALL_WITHIN_S = 10.0
"""Budget of a call (5 s), and the attempt that may begin at its end."""


@dataclass
class Findings:
    """What the store's books say about what was acknowledged."""

    lost_holds: int
    lost_settles: int
    admitted_beyond: int
    unclean: list[str]


@dataclass
class Load:
    """Holds of 1 and their settles, on many teams at once; each acknowledgement is remembered.

    `forgetful`: the store may lose a hold before it is settled.
    """

    ledger: Ledger
    teams: list[str]
    granted: int
    held: dict[str, str] = field(default_factory=dict)
    settled: dict[str, str] = field(default_factory=dict)
    by_team: Counter[str] = field(default_factory=Counter)
    forgetful: bool = False
    unavailable: int = 0
    slowest_s: float = 0.0
    refused: int = 0
    _stop: bool = False
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: list["asyncio.Task[None]"] = field(default_factory=list)

    async def start(self) -> None:
        for team in self.teams:
            await self.ledger.put_team(TeamRecord(team))
            await self.ledger.grant(team, "opening", self.granted)
        self._tasks = [asyncio.create_task(self._work(number)) for number in range(WORKERS)]

    async def stop(self) -> None:
        """Let every call end, and see that none ended in anything but an answer or LedgerUnavailable."""
        self._stop = True
        await asyncio.gather(*self._tasks)

    async def until(self, done: Callable[[], bool], within_s: float = 30.0) -> None:
        """Wait until the traffic so far fulfils this."""
        async with asyncio.timeout(within_s):
            while not done():
                self._news.clear()
                await self._news.wait()
                for task in self._tasks:
                    if task.done():
                        task.result()

    async def until_more(self, count: int, teams: list[str] | None = None) -> None:
        """Wait until so many more holds were settled, on each of these teams if there are any."""
        watched = teams or []
        goal = {team: self.by_team[team] + count for team in watched}
        total = len(self.settled) + count
        await self.until(
            lambda: (
                all(self.by_team[team] >= least for team, least in goal.items())
                and (watched or len(self.settled) >= total)
            )
        )

    def on_slots(self, serves: Callable[[int], bool]) -> list[str]:
        """The teams whose slot is one of these."""
        return [team for team in self.teams if serves(slot_of(TeamKeys(team).bal))]

    async def _work(self, number: int) -> None:
        team = self.teams[number % len(self.teams)]
        while not self._stop:
            began = time.monotonic()
            try:
                await self._generation(team)
            except LedgerUnavailable:
                self.unavailable += 1
                await asyncio.sleep(0.01)  # a refusal may come without a look at the store, and others want their turn
            self.slowest_s = max(self.slowest_s, (time.monotonic() - began) / 2)
            self._news.set()

    async def _generation(self, team: str) -> None:
        hold_id = new_hold_id(time.time_ns() // 1_000_000, secrets.randbits(74))
        result = await self.ledger.hold(HoldOrder(hold_id, team, 1, ttl_ms=600_000))
        if isinstance(result, Refused):
            self.refused += 1
            await asyncio.sleep(0.01)
            return
        assert isinstance(result, Held), result
        self.held[hold_id] = team
        settlement = await self.ledger.settle(hold_id, team, 1)
        if self.forgetful and settlement.status is SettleStatus.GONE:
            return
        assert settlement.status in {SettleStatus.SETTLED, SettleStatus.DUPLICATE}, settlement
        self.settled[hold_id] = team
        self.by_team[team] += 1

    async def findings(self) -> Findings:
        """Compare what was acknowledged with the journal of every team."""
        holds: set[str] = set()
        settles: set[str] = set()
        unclean = []
        for team in self.teams:
            report = await self.ledger.verify(team)
            unclean += [f"{team}: {difference}" for difference in report.differences]
            after = 0
            while page := await self.ledger.journal(team, after, 1000):
                after = page[-1].seq
                holds |= {entry.hold_id for entry in page if entry.kind is EntryKind.HOLD}
                settles |= {entry.hold_id for entry in page if entry.kind is EntryKind.SETTLE}
        admitted = Counter(self.held.values())
        return Findings(
            len(self.held.keys() - holds),
            len(self.settled.keys() - settles),
            sum(max(0, count - self.granted) for count in admitted.values()),
            unclean,
        )
