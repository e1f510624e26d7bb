"""Losses that are easily overlooked: of settles whose answer was lost.

The store is a real server behind a proxy that loses answers; the loss is real too (see test_repair.py).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from gatekeeper.ledger.batch import Patience
from gatekeeper.ledger.client import StoreClient, connect
from gatekeeper.ledger.history import History
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.records import Held, HoldContext, HoldOrder, SettleStatus
from gatekeeper.ledger.repair import LostHistory, Repair
from gatekeeper.ledger.teamrecord import TeamRecord
from tests.ledger.test_repair import Past
from tests.ledger.topologies import Server, until
from tests.torture.faultproxy import FaultProxy, Trap

CREDIT = 1_000_000
LOST_WITHIN_S = 10
Order = Callable[..., HoldOrder]
Lost = asyncio.Queue[LostHistory]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A store on a port of its own."""
    server = Server(tmp_path / "store")
    until(server.answers, "answer")
    yield server
    server.close()


@pytest.fixture
async def proxy(server: Server) -> AsyncIterator[FaultProxy]:
    """What stands between the ledger and its store."""
    proxy = FaultProxy(server.port, seed=1)
    await proxy.start()
    yield proxy
    await proxy.close()


@pytest.fixture
async def bytes_redis(server: Server) -> AsyncIterator[Redis]:
    """The store itself, with replies as bytes: a dump is no text."""
    redis = Redis(port=server.port)
    yield redis
    await redis.aclose()


@pytest.fixture
async def ledger(proxy: FaultProxy) -> AsyncIterator[Ledger]:
    """A ledger behind the proxy whose repairs keep a team closed only while they tell."""
    ledger = Ledger(StoreClient(connect(proxy.url), Patience(budget_s=5, attempts=3, wait_s=0.01)))
    ledger.repair = Repair(ledger._client, History(), ledger._again, others_wait_s=0)
    yield ledger
    await ledger.close()


@pytest.fixture
def lost(ledger: Ledger) -> Lost:
    """What the ledger reports as lost."""
    queue: Lost = asyncio.Queue()
    ledger.repair.on_lost = queue.put_nowait
    return queue


def context(order: HoldOrder, held: Held) -> HoldContext:
    """What a settle brings along."""
    return HoldContext(order.amount, fingerprint=order.fingerprint, price_list=order.price_list, windows=held.windows)


async def settle_unheard(ledger: Ledger, proxy: FaultProxy, ended: HoldOrder, held: Held) -> SettleStatus:
    """Settle with 40 credits; the first answer is lost, so the one that comes tells of a repeat."""
    await ledger.release(ended.hold_id[:-4] + "0000", ended.team)  # the store knows the script now
    proxy.trap = Trap("settle", is_after=True, strike=lambda: None)
    settled = await ledger.settle(ended.hold_id, ended.team, 40 * CREDIT, context=context(ended, held))
    return settled.status


async def test_a_settle_whose_answer_was_lost_is_booked_again(
    ledger: Ledger, proxy: FaultProxy, order: Order, team: TeamRecord, bytes_redis: Redis, lost: Lost
) -> None:
    """A settle that was confirmed as a repeat is told again after a loss, and its hold is not held anew."""
    past = await Past.take(bytes_redis, team.id)
    ended = order()
    told = await settle_unheard(ledger, proxy, ended, await ledger.hold(ended))
    await past.come_back()

    ledger.repair.check_soon()

    report = await asyncio.wait_for(lost.get(), LOST_WITHIN_S)
    balance = await ledger.balance(team.id)
    assert (SettleStatus.DUPLICATE, 40 * CREDIT, 0) == (told, balance.charged, balance.held)
    assert (0, True) == (report.missing, (await ledger.verify(team.id)).clean)


async def test_the_loss_of_nothing_but_such_a_settle_is_noticed(
    ledger: Ledger, proxy: FaultProxy, order: Order, team: TeamRecord, bytes_redis: Redis, lost: Lost
) -> None:
    """The entry of a repeat is not told; that the journal ended with it is remembered all the same."""
    ended = order()
    held = await ledger.hold(ended)
    past = await Past.take(bytes_redis, team.id)
    await settle_unheard(ledger, proxy, ended, held)
    await past.come_back()

    ledger.repair.check_soon()

    report = await asyncio.wait_for(lost.get(), LOST_WITHIN_S)
    balance = await ledger.balance(team.id)
    assert (40 * CREDIT, 0, 1, 0) == (balance.charged, balance.held, report.told_again, report.missing)


async def test_a_release_that_time_had_done_does_not_undo_a_late_charge(
    ledger: Ledger, order: Order, team: TeamRecord, bytes_redis: Redis, lost: Lost
) -> None:
    """A release of an expired hold ends nothing; told again before its late result it would be the end."""
    past = await Past.take(bytes_redis, team.id)
    expired = order(ttl_ms=0)
    held = await ledger.hold(expired)
    await ledger.expire_due(team.id)
    amounts = (0, 40 * CREDIT)
    told = [await ledger.settle(expired.hold_id, team.id, n, context=context(expired, held)) for n in amounts]
    await past.come_back()

    ledger.repair.check_soon()

    await asyncio.wait_for(lost.get(), LOST_WITHIN_S)
    assert [SettleStatus.DUPLICATE, SettleStatus.LATE] == [each.status for each in told]
    assert (40 * CREDIT, True) == ((await ledger.balance(team.id)).charged, (await ledger.verify(team.id)).clean)


async def test_another_entry_of_the_same_hold_hides_no_loss(
    ledger: Ledger, order: Order, team: TeamRecord, bytes_redis: Redis, lost: Lost, server: Server
) -> None:
    """In the place of a lost settle another gateway's sweep has put that its hold is unknown."""
    due = order(ttl_ms=0, grace_ms=60_000)
    held = await ledger.hold(due)
    past = await Past.take(bytes_redis, team.id)
    await ledger.settle(due.hold_id, team.id, 40 * CREDIT, context=context(due, held))
    await past.come_back()
    other = Ledger(StoreClient(connect(f"redis://127.0.0.1:{server.port}")))
    await other.expire_due(team.id)
    await other.close()

    ledger.repair.check_soon()

    report = await asyncio.wait_for(lost.get(), LOST_WITHIN_S)
    assert (1, 0) == (report.told_again, report.missing)
    assert 40 * CREDIT == (await ledger.balance(team.id)).charged
