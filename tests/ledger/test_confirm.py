"""Writes that count only once a replica, or a disk, has them: what is a proof, and what only looks like one."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gatekeeper.ledger.address import read_address
from gatekeeper.ledger.batch import Patience
from gatekeeper.ledger.client import StoreClient, open_client
from gatekeeper.ledger.confirm import Confirm
from gatekeeper.ledger.errors import LedgerUnavailable, StoreRefused
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.opening import open_store
from gatekeeper.ledger.records import Held, HoldOrder
from gatekeeper.ledger.teamrecord import TeamRecord
from tests.ledger.conftest import fresh_id
from tests.ledger.topologies import DURABLE, Pair, until

SHORT = Patience(budget_s=5, attempts=2, wait_s=0.01)
ONE_REPLICA = Confirm(replicas=1, timeout_ms=500)
BOTH_DISKS = Confirm(replicas=1, fsync=True, timeout_ms=500)
"""A disk that others are writing to, too, takes its time."""


@pytest.fixture(scope="module")
def started() -> Iterator[Pair]:
    """A master and a replica, both with every write on disk."""
    pair = Pair(*DURABLE)
    yield pair
    pair.close()


@pytest.fixture
def pair(started: Pair) -> Iterator[Pair]:
    """The two, empty, the replica up to date on its disk."""
    started.master.call("FLUSHALL")
    until(lambda: confirmed(started), "replica that confirms")
    yield started
    started.replica.go_on()


def confirmed(pair: Pair) -> bool:
    """Whether the replica has on its disk what the master wrote just now."""
    pair.master.call("SET", "gk:{a}:fence", "1")
    return bool(pair.master.call("WAITAOF", 1, 1, 2000) == [1, 1])


@pytest.fixture(params=[ONE_REPLICA, BOTH_DISKS], ids=["replica", "disks"])
async def client(pair: Pair, request: pytest.FixtureRequest) -> AsyncIterator[StoreClient]:
    """A client that waits for the replica, and a team with 100 credits."""
    client = await open_client(read_address(pair.url), SHORT, request.param)
    await Ledger(client).put_team(TeamRecord("studio"))
    await Ledger(client).grant("studio", "opening", 100)
    yield client
    await client.close()


async def test_write_that_the_replica_has_counts(client: StoreClient):
    """With the replica there, a hold is a hold."""
    assert isinstance(await Ledger(client).hold(HoldOrder(fresh_id(), "studio", 1, ttl_ms=60_000)), Held)


async def test_write_that_the_replica_lacks_does_not_count(pair: Pair, client: StoreClient):
    """It may have been made, so it is told as unavailable and may be asked again; the replica back, it is the same."""
    ledger, order = Ledger(client), HoldOrder(fresh_id(), "studio", 1, ttl_ms=60_000)
    await ledger.hold(replace(order, hold_id=fresh_id()))
    pair.replica.pause()
    with pytest.raises(LedgerUnavailable, match="not confirmed the write: 0 of 1 replicas") as caught:
        await ledger.hold(order)
    pair.replica.go_on()
    until(lambda: confirmed(pair), "replica that confirms")
    again = await ledger.hold(order)

    assert caught.value.maybe_executed
    assert isinstance(again, Held)
    assert (True, 2) == (again.repeated, (await ledger.balance("studio")).held)


async def test_repeat_on_a_new_connection_proves_nothing(pair: Pair, client: StoreClient):
    """A repeat writes nothing, and WAIT answers at once where nothing was written: it must not pass for a proof."""
    hold_id = fresh_id()
    await Ledger(client).hold(HoldOrder(hold_id, "studio", 1, ttl_ms=60_000))
    pair.replica.pause()
    with pytest.raises(LedgerUnavailable):
        await Ledger(client).settle(hold_id, "studio", 1)
    other = await open_client(read_address(pair.url), SHORT, client.confirm)
    with pytest.raises(LedgerUnavailable, match="0 of 1 replicas"):
        await Ledger(other).settle(hold_id, "studio", 1)
    await other.close()


async def test_reading_waits_for_nobody(pair: Pair, client: StoreClient):
    """Keys, teams and balances are read while no replica confirms anything."""
    pair.replica.pause()

    assert 100 == (await Ledger(client).balance("studio")).available
    assert TeamRecord("studio", revision=1) == await Ledger(client).team("studio")
    assert None is await Ledger(client).keyring.find("a" * 64)


async def test_one_question_for_a_whole_batch(client: StoreClient):
    """Fifty writes at once leave, and are confirmed, together."""
    before = client.money.pipelines
    await asyncio.gather(*(client.command("SADD", "gk:teams", f"t{number}") for number in range(50)))

    assert 1 == client.money.pipelines - before


async def test_disks_cannot_confirm_without_a_file(pair: Pair, tmp_path: Path):
    """wait_fsync on a server without an append-only file is refused at the start."""
    pair.master.call("CONFIG", "SET", "appendonly", "no")
    try:
        with pytest.raises(StoreRefused, match="wait_fsync needs an append-only file"):
            await open_store(pair.url, tmp_path, SHORT, BOTH_DISKS)
    finally:
        pair.master.call("CONFIG", "SET", "appendonly", "yes")
