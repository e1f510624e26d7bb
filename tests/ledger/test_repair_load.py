"""Two gateways work on teams whose store loses entries again and again: no charge is lost, none is booked twice."""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from redis.asyncio import Redis

from gatekeeper.ledger.batch import Patience
from gatekeeper.ledger.client import StoreClient, connect
from gatekeeper.ledger.errors import LedgerUnavailable
from gatekeeper.ledger.history import History
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.records import Held, HoldContext, HoldOrder, SettleStatus
from gatekeeper.ledger.repair import LostHistory, Repair
from gatekeeper.ledger.teamrecord import TeamRecord
from tests.ledger.conftest import fresh_id
from tests.ledger.test_repair import Past

LOSSES = 4
WORKERS = 12
GRANTED = 10**9


@dataclass
class Traffic:
    """Holds and their ends; `charged` is what was acknowledged."""

    team: str
    random: random.Random
    charged: int = 0
    ended: int = 0
    stop: bool = False
    unbooked: list[SettleStatus] = field(default_factory=list)

    async def work(self, ledger: Ledger) -> None:
        """One generation after the other until it is told to stop."""
        while not self.stop:
            order = HoldOrder(fresh_id(), self.team, 1000, ttl_ms=60_000, once=self.random.choice(["", fresh_id()]))
            try:
                held = await ledger.hold(order)
            except LedgerUnavailable as away:
                if away.maybe_executed:
                    await ledger.undo(order.hold_id, self.team)
                await asyncio.sleep(0.01)
                continue
            assert isinstance(held, Held)
            await asyncio.sleep(self.random.random() * 0.1)
            await self._end(ledger, held)

    async def _end(self, ledger: Ledger, held: Held) -> None:
        amount = self.random.choice([0, 500, 1000])
        if self.random.random() < 0.1:
            await ledger.mark_unknown(held.hold_id, self.team)
        context = HoldContext(held.amount, windows=held.windows)
        settled = await ledger.settle(held.hold_id, self.team, amount, context=context)
        if settled.status in {SettleStatus.MISMATCH, SettleStatus.GONE}:
            self.unbooked.append(settled.status)
        self.charged += amount
        self.ended += 1

    async def until_more(self, count: int) -> None:
        """Waits (bounded) until so many more generations have ended."""
        goal = self.ended + count
        async with asyncio.timeout(20):
            while self.ended < goal:  # noqa: ASYNC110 - many tasks move it
                await asyncio.sleep(0.01)


@pytest.fixture
async def gateways(real_redis: Redis) -> AsyncIterator[list[Ledger]]:
    """Two ledgers on one store, each with a repair of its own that waits a moment for the other."""
    path = real_redis.connection_pool.connection_kwargs["path"]
    patience = Patience(budget_s=5, attempts=3, wait_s=0.01)
    ledgers = [Ledger(StoreClient(connect(f"unix://{path}"), patience)) for _ in range(2)]
    for ledger in ledgers:
        ledger.repair = Repair(ledger._client, History(), ledger._again, others_wait_s=0.2)
    yield ledgers
    for ledger in ledgers:
        await ledger.close()


async def test_every_charge_is_there_once_after_many_losses(gateways: list[Ledger], server_socket: str) -> None:
    """Also after a loss in the middle of a repair, and of what a repair had told."""
    team, lost = "studio", list[LostHistory]()
    await gateways[0].put_team(TeamRecord(team))
    await gateways[0].grant(team, "opening", GRANTED)
    traffic = Traffic(team, random.Random(7))
    for ledger in gateways:
        ledger.repair.on_lost = lost.append
    workers = [asyncio.ensure_future(traffic.work(gateways[n % 2])) for n in range(WORKERS)]
    async with Redis(unix_socket_path=str(server_socket)) as store:
        for number in range(LOSSES):
            await traffic.until_more(30)
            past = await Past.take(store, team)
            await traffic.until_more(20)
            for _ in range(1 + number % 2):
                await past.come_back()
                for ledger in gateways:
                    ledger.repair.check_soon()
                await asyncio.sleep(0.1)
    await traffic.until_more(60)
    traffic.stop = True
    await asyncio.gather(*workers)
    for ledger in gateways:
        await asyncio.gather(*ledger.repair._closed.values())

    balance = await gateways[0].balance(team)
    assert [] == traffic.unbooked
    assert (traffic.charged, 0) == (balance.charged, balance.held)
    assert (await gateways[0].verify(team)).clean
    assert len(lost) >= LOSSES
