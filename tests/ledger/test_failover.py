"""A master is killed under load and its replica takes over: what was acknowledged, and that all goes on."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from gatekeeper.ledger.address import read_address
from gatekeeper.ledger.client import open_client
from gatekeeper.ledger.confirm import Confirm
from gatekeeper.ledger.keys import TeamKeys
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.repair import LostHistory
from tests.ledger.load import CALL_WITHIN_S, Load
from tests.ledger.topologies import SLOTS, ClusterOf, SentinelSet, Server, happens

EVERY_SECOND = ("--appendonly", "yes")
"""An append-only file, and the server's own default for when it is on disk."""
TEAMS = [f"team-{number}" for number in range(12)]
ONE_REPLICA = Confirm(replicas=1, timeout_ms=500)


@pytest.fixture
def cluster() -> Iterator[ClusterOf]:
    """Three masters, a replica for each."""
    started = ClusterOf(3, 1, *EVERY_SECOND)
    yield started
    started.close()


@pytest.fixture
def sentinels() -> Iterator[SentinelSet]:
    """A master, two replicas, three sentinels."""
    started = SentinelSet(2, *EVERY_SECOND)
    yield started
    started.close()


@pytest.fixture
async def load_on() -> AsyncIterator[Callable[..., Any]]:
    """Starts traffic on a store."""
    ledgers: list[Ledger] = []

    async def start(url: str, confirm: Confirm, granted: int = 10**6) -> Load:
        load = Load(Ledger(await open_client(read_address(url), None, confirm)), TEAMS, granted)
        ledgers.append(load.ledger)
        await load.start()
        return load

    yield start
    for ledger in ledgers:  # with what it repairs after a fail-over, which else would connect once more
        await ledger.close()


def is_master(server: Server) -> bool:
    return bool(server.process.poll() is None and server.info("replication")["role"] == "master")


@pytest.mark.parametrize("how", ["killed", "hung"])
async def test_cluster_fails_over_under_load(cluster: ClusterOf, load_on: Any, how: str):
    """With WAIT 1 nothing acknowledged is lost, nothing is admitted twice over, and traffic goes on by itself.

    A master that only hung finds out that it is none any more when it wakes up.
    """
    load = await load_on(cluster.url, ONE_REPLICA)
    await load.until_more(300)
    victim, heir = cluster.masters[0], cluster.replicas[0]
    met: list[str] = []
    load.ledger._client.on_new_server = met.append
    (victim.kill if how == "killed" else victim.pause)()
    await happens(lambda: is_master(heir), "promoted replica")
    await asyncio.to_thread(victim.restart if how == "killed" else victim.go_on)
    hit = load.on_slots(lambda slot: slot < SLOTS // 3)
    await load.until_more(20, hit)
    await load.stop()
    found = await load.findings()

    assert hit
    assert (0, 0, 0, []) == (found.lost_holds, found.lost_settles, found.admitted_beyond, found.unclean)
    assert load.slowest_s < CALL_WITHIN_S
    assert heir.info("server")["run_id"] in met
    assert {heir.info("server")["run_id"]} == {load.ledger._client.epoch(TeamKeys(team).bal) for team in hit}


async def test_sentinels_fail_over_under_load(sentinels: SentinelSet, load_on: Any):
    """With WAIT 1 nothing acknowledged is lost, nothing is admitted twice over, and traffic goes on by itself."""
    load = await load_on(sentinels.url, ONE_REPLICA)
    await load.until_more(300)
    sentinels.master.kill()
    await load.until_more(300)
    await load.stop()
    found = await load.findings()

    assert (0, 0, 0, []) == (found.lost_holds, found.lost_settles, found.admitted_beyond, found.unclean)
    assert load.slowest_s < CALL_WITHIN_S


@pytest.mark.parametrize("confirm", [ONE_REPLICA, Confirm()], ids=["wait", "no wait"])
async def test_replicas_that_lag_when_the_master_dies(sentinels: SentinelSet, load_on: Any, confirm: Confirm):
    """The store loses what no replica had. With WAIT 1 none of that was acknowledged; without it, it was, and whoever
    did it finds out and tells it again. Either way nothing acknowledged is missing in the end, and the books agree.
    """
    load = await load_on(sentinels.url, confirm)
    lost: list[LostHistory] = []
    load.ledger.repair.on_lost = lost.append
    load.forgetful = not confirm
    await load.until_more(100)
    for replica in sentinels.replicas:
        replica.pause()
    sentinels.master.call("CLIENT", "KILL", "TYPE", "replica")
    sent = load.ledger._client.money.pipelines
    if confirm:
        await happens(lambda: load.ledger._client.money.pipelines >= sent + 2, "unconfirmed batch")
    else:
        await load.until_more(200)
    sentinels.master.kill()
    for replica in sentinels.replicas:
        replica.go_on()
    await load.until_more(20, TEAMS)  # a team that lacks entries goes on when they are told again
    await load.stop()
    found = await load.findings()

    assert (0, 0, 0, []) == (found.lost_holds, found.lost_settles, found.admitted_beyond, found.unclean)
    assert (sum(each.told_again for each in lost) >= 200) == (not confirm)
    assert [0] * len(lost) == [each.missing for each in lost]
