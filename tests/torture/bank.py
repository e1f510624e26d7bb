"""Readers who look at the books while everything goes on, and never may see a sum that is broken."""

import asyncio
from collections import Counter
from collections.abc import Sequence

from gatekeeper.ledger import scripts
from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.codec import parse_counters, parse_hold
from gatekeeper.ledger.errors import LedgerUnavailable
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.scripts import Snapshot

PAUSE_S = 0.05
VERIFY_EVERY = 100
"""Snapshots between two whole verifications: those read the journal from its beginning."""
FAULTS_TOLD = 5


def broken_sums(snapshot: Snapshot) -> list[str]:
    """Everything in one snapshot that does not add up."""
    figures = {name: int(text) for name, text in snapshot.bal.items()}
    if not figures:
        return []
    holds = [parse_hold(text) for text in snapshot.open.values()]
    team = parse_counters(snapshot.use.get("team", ""))
    sums = {
        "open holds": (figures["open"], len(holds)),
        "held by holds": (figures["held"], sum(hold.amount for hold in holds)),
        "held of the team": (figures["held"], team.held),
        "used by the team": (figures["charged"], team.used),
        "granted": (figures["granted"], sum(int(text.partition("\t")[0]) for text in snapshot.grants.values())),
    }
    return [f"{name}: {stored} is not {derived}" for name, (stored, derived) in sums.items() if stored != derived]


class Bank:
    """Reads until it is stopped."""

    def __init__(self, client: StoreClient, teams: Sequence[str], verified: Sequence[str]) -> None:
        self.seen: Counter[str] = Counter()
        self.broken: list[str] = []
        self._client = client
        self._teams = teams
        self._verified = verified
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._seqs: dict[str, int] = {}

    def start(self) -> None:
        """Begin to read."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """No more reads; the connections are closed."""
        self._stopping.set()
        assert self._task is not None
        await self._task
        await self._client.close()

    async def _run(self) -> None:
        while not self._stopping.is_set():
            for team in self._teams:
                try:
                    await self._look(team)
                except LedgerUnavailable:
                    self.seen["store away"] += 1
            try:
                await asyncio.wait_for(self._stopping.wait(), PAUSE_S)
            except TimeoutError:
                continue

    async def _look(self, team: str) -> None:
        snapshot = await scripts.snapshot(self._client, team, ())
        self.seen["snapshots"] += 1
        self.broken += [f"{team}: {what}" for what in broken_sums(snapshot)]
        balance = await Ledger(self._client).balance(team)
        spent = balance.available + balance.held + balance.charged + balance.expired - balance.debt
        if balance.granted != spent or balance.seq < self._seqs.get(team, 0):
            self.broken.append(f"{team}: {balance}")
        self._seqs[team] = balance.seq
        if team in self._verified and self.seen["snapshots"] % VERIFY_EVERY < len(self._teams):
            report = await Ledger(self._client).verify(team)
            self.seen["verified"] += 1
            self.broken += [f"{team}: {difference}" for difference in report.differences]
