"""A cluster: calls find their node, follow its slots while they move, and nothing is booked twice on the way."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from gatekeeper.ledger.address import read_address
from gatekeeper.ledger.batch import Patience
from gatekeeper.ledger.client import StoreClient, open_client
from gatekeeper.ledger.errors import LedgerBroken, LedgerUnavailable, StoreRefused
from gatekeeper.ledger.keys import TeamKeys
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.opening import open_store
from gatekeeper.ledger.slots import hash_tag, slot_of
from gatekeeper.ledger.teamrecord import TeamRecord
from tests.ledger.load import CALL_WITHIN_S, Load
from tests.ledger.topologies import ClusterOf, Server, happens, until

TEAMS = [f"team-{number}" for number in range(6)]


@pytest.fixture(scope="module")
def started() -> Iterator[ClusterOf]:
    """Three masters."""
    started = ClusterOf(3)
    yield started
    started.close()


@pytest.fixture
async def client(started: ClusterOf) -> AsyncIterator[StoreClient]:
    """A client of the cluster, which is empty."""
    client = await open_client(read_address(started.url))
    await client.each("FLUSHALL")
    yield client
    await client.close()


@pytest.fixture
async def load(client: StoreClient) -> Load:
    """Traffic that has begun."""
    load = Load(Ledger(client), TEAMS, 10**6)
    await load.start()
    await load.until_more(50)
    return load


class Move:
    """One slot on its way from the node that has it to another, in the steps an operator's tool takes."""

    def __init__(self, cluster: ClusterOf, slot: int) -> None:
        self.cluster, self.slot = cluster, slot
        self.source = cluster.master_of(slot)
        self.target = next(master for master in cluster.masters if master is not self.source)

    def begin(self) -> None:
        self.target.call("CLUSTER", "SETSLOT", self.slot, "IMPORTING", self.source.call("CLUSTER", "MYID"))
        self.source.call("CLUSTER", "SETSLOT", self.slot, "MIGRATING", self.target.call("CLUSTER", "MYID"))

    def keys(self, count: int = 100) -> int:
        """Move up to so many keys; says how many there were."""
        names = self.source.call("CLUSTER", "GETKEYSINSLOT", self.slot, count)
        if names:
            self.source.call("MIGRATE", "127.0.0.1", self.target.port, "", 0, 5000, "KEYS", *names)
        return len(names)

    def end(self) -> None:
        name = self.target.call("CLUSTER", "MYID")
        for server in (self.target, self.source, *self.cluster.masters):
            server.call("CLUSTER", "SETSLOT", self.slot, "NODE", name)

    def at_once(self) -> None:
        """All of it, as fast as it goes."""
        self.begin()
        while self.keys():
            pass
        self.end()


async def assert_exact(load: Load) -> None:
    """All that was acknowledged is in the books, once, and they are clean."""
    await load.stop()
    found = await load.findings()
    charged = [(await load.ledger.balance(team)).charged for team in load.teams]

    assert (0, 0, 0, []) == (found.lost_holds, found.lost_settles, found.admitted_beyond, found.unclean)
    assert [load.by_team[team] for team in load.teams] == charged
    assert (0, True) == (load.unavailable, load.slowest_s < CALL_WITHIN_S)


def test_slot_of_a_key():
    """The hash tag alone decides, as the cluster's own specification has it (its example value is 0x31C3)."""
    assert 0x31C3 == slot_of("123456789")
    assert ["a", "{}x", "b", "x{"] == [hash_tag(key) for key in ("gk:{a}:bal", "{}x", "y{b}{c}", "x{")]


async def test_the_servers_agree_on_slots(started: ClusterOf):
    """What we compute is what a node computes."""
    keys = [TeamKeys(team).bal for team in TEAMS] + ["gk:teams", "gk:schema", "gk:key:" + "a" * 64]

    assert [started.masters[0].call("CLUSTER", "KEYSLOT", key) for key in keys] == [slot_of(key) for key in keys]


async def test_a_tick_is_one_pipeline_for_each_node(client: StoreClient):
    """Sixty calls made at once, for keys of every node, need one pipeline to each."""
    before = [node.money.pipelines for node in client.masters]
    await asyncio.gather(*(client.command("GET", f"key-{number}") for number in range(60)))

    assert [1, 1, 1] == [node.money.pipelines - n for node, n in zip(client.masters, before, strict=True)]


async def test_command_without_a_key_says_where(client: StoreClient):
    """TIME is a node's own; without a key it would be anybody's."""
    with pytest.raises(LedgerBroken, match="say which node"):
        await client.command("TIME")

    assert 2 == len(await client.command("TIME", at="gk:{a}:bal"))
    assert 3 == len(await client.each("TIME"))


async def test_key_that_moved_is_followed(started: ClusterOf, client: StoreClient):
    """A node that says MOVED is believed, for this call and the next ones; another server answers from now on."""
    key = TeamKeys("team-1").bal
    await client.command("SET", key, "1")
    epoch = client.epoch(key)
    await asyncio.to_thread(Move(started, slot_of(key)).at_once)

    assert "1" == await client.command("GET", key)
    assert epoch != client.epoch(key)
    assert started.master_of(slot_of(key)).info("server")["run_id"] == client.epoch(key)


async def test_key_on_its_way_is_asked_for_at_its_target(started: ClusterOf, client: StoreClient):
    """ASK is followed for this call only: the slot stays where it is until it has moved."""
    ledger, key = Ledger(client), TeamKeys("team-2").team
    record = await ledger.put_team(TeamRecord("team-2"))
    move, epoch = Move(started, slot_of(key)), client.epoch(key)
    move.begin()
    while move.keys():
        pass
    asked = await ledger.team("team-2")
    during = client.epoch(key)
    move.end()

    assert (record, epoch) == (asked, during)
    assert record == await ledger.team("team-2")


async def test_move_that_does_not_end(started: ClusterOf, client: StoreClient):
    """A team with records on two nodes cannot be worked with: told in time, and certainly not executed."""
    await Ledger(client).put_team(TeamRecord("team-3"))
    hasty = await open_client(read_address(started.url), Patience(budget_s=0.3))
    move = Move(started, slot_of(TeamKeys("team-3").bal))
    move.begin()
    move.keys(1)
    with pytest.raises(LedgerUnavailable, match="slot is on its way") as caught:
        await Ledger(hasty).grant("team-3", "gift", 5)
    move.at_once()
    await hasty.close()

    assert not caught.value.maybe_executed
    assert () == await Ledger(client).grants("team-3")


async def test_slots_move_under_load(started: ClusterOf, load: Load):
    """Keys go over one by one while holds and settles go on: every figure is exact, no call fails."""
    for team in TEAMS[:3]:
        move = Move(started, slot_of(TeamKeys(team).bal))
        await asyncio.to_thread(move.begin)
        while await asyncio.to_thread(move.keys, 1):
            await load.until_more(1, TEAMS[3:4])
        await asyncio.to_thread(move.end)
        await load.until_more(20, [team])
    await assert_exact(load)


async def test_slots_move_atomically_under_load(started: ClusterOf, load: Load):
    """The server's own migration of a run of slots, where it has one, is followed too."""
    slot = slot_of(TeamKeys(TEAMS[0]).bal)
    move = Move(started, slot)
    command = ("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", move.target.call("CLUSTER", "MYID"))
    if await asyncio.to_thread(knows, move.source, "MIGRATESLOTS"):
        await asyncio.to_thread(move.source.call, *command)
        await happens(lambda: started.master_of(slot) is move.target, "slot at its target")
        await load.until_more(20, TEAMS)
    await assert_exact(load)


def knows(server: Server, subcommand: str) -> bool:
    """Whether the server has this subcommand of CLUSTER."""
    return any(subcommand in str(line) for line in server.call("CLUSTER", "HELP"))


async def test_node_that_goes_and_comes_back(started: ClusterOf, client: StoreClient):
    """A node that is stopped for a moment delays its own teams' calls, and only theirs."""
    ledger = Ledger(client)
    for team in TEAMS:
        await ledger.put_team(TeamRecord(team))
    slow = started.master_of(slot_of(TeamKeys(TEAMS[0]).bal))
    elsewhere = [t for t in TEAMS if started.master_of(slot_of(TeamKeys(t).bal)) is not slow]
    slow.pause()
    waiting = asyncio.ensure_future(ledger.grant(TEAMS[0], "extra", 5))
    for team in elsewhere:
        await ledger.grant(team, "extra", 5)
    was_waiting = not waiting.done()
    slow.go_on()
    await waiting

    assert was_waiting
    assert elsewhere


async def test_cluster_node_as_a_single_server(started: ClusterOf, tmp_path: Path):
    """redis:// with a cluster node's address is refused with what to write."""
    with pytest.raises(StoreRefused, match=r"write redis\+cluster://"):
        await open_store(f"redis://{started.masters[0].place}", tmp_path)


async def test_single_server_as_a_cluster(tmp_path: Path):
    """redis+cluster:// with the address of a server that is none is refused with what to write."""
    server = Server(tmp_path / "single")
    until(server.answers, "answer")
    try:
        with pytest.raises(StoreRefused, match="write redis://"):
            await open_store(f"redis+cluster://{server.place}", tmp_path)
    finally:
        server.close()


async def test_every_master_is_checked(started: ClusterOf, tmp_path: Path):
    """One node that would evict is a problem of the whole store, and named."""
    bad = started.masters[2]
    bad.call("CONFIG", "SET", "maxmemory", "1gb", "maxmemory-policy", "allkeys-lru")
    try:
        with pytest.raises(StoreRefused, match=f"{bad.place}: maxmemory-policy is allkeys-lru"):
            await open_store(started.url, tmp_path)
    finally:
        bad.call("CONFIG", "SET", "maxmemory", "0", "maxmemory-policy", "noeviction")


async def test_address_may_name_any_node(started: ClusterOf, tmp_path: Path):
    """One node that answers is enough, and one that does not is no harm."""
    store = await open_store(f"redis+cluster://127.0.0.1:1,{started.masters[1].place}", tmp_path)
    try:
        names = {node.name for node in store.client.masters}
        reports: dict[str, Any] = store.report.nodes
    finally:
        await store.close()

    assert {server.place for server in started.masters} == names == set(reports)
