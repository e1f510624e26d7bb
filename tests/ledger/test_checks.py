"""Start-up checks: what is refused, what is warned about, and which grade a server gets."""

from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from gatekeeper.ledger.address import Kind
from gatekeeper.ledger.checks import Durability, check_store, combine, judge
from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.confirm import Confirm
from gatekeeper.ledger.errors import LedgerUnavailable, StoreRefused
from gatekeeper.ledger.slots import SLOTS
from tests.cases import each_case

GOOD = {
    "redis_version": "7.0.15",
    "server_name": "valkey",
    "valkey_version": "9.1.2",
    "role": "master",
    "aof_enabled": "1",
    "maxmemory": "0",
    "run_id": "r",
}


@pytest.mark.parametrize(
    ("aof", "appendfsync", "grade"),
    [
        ("1", "always", Durability.CRASH_SAFE),
        ("1", "everysec", Durability.CRASH_LIKELY),
        ("1", "no", Durability.CRASH_LIKELY),
        ("1", None, Durability.CRASH_LIKELY),
        ("0", "always", Durability.VOLATILE),
    ],
)
def test_grade(aof: str, appendfsync: str | None, grade: Durability):
    """Only an append-only file with an fsync per write is crash-safe; what is not told is not assumed."""
    assert grade == judge({**GOOD, "aof_enabled": aof}, appendfsync).durability


@pytest.mark.parametrize(
    ("appendfsync", "confirm", "grade"),
    [
        ("always", Confirm(replicas=1), Durability.FAILOVER_LIKELY),
        ("everysec", Confirm(replicas=1), Durability.CRASH_LIKELY),
        ("everysec", Confirm(fsync=True), Durability.CRASH_SAFE),
        ("everysec", Confirm(replicas=1, fsync=True), Durability.FAILOVER_DISK),
    ],
)
def test_grade_with_confirmed_writes(appendfsync: str, confirm: Confirm, grade: Durability):
    """Replicas in memory make a fail-over harmless only if the master's own disk is; disks that confirm do both."""
    told = {
        **GOOD,
        "redis_version": "7.2.4",
        "server_name": "valkey",
        "valkey_version": "9.1.2",
        "connected_slaves": "1",
    }

    assert grade == judge(told, appendfsync, Kind.SENTINEL, confirm).durability


@pytest.mark.parametrize(
    ("kind", "said", "problem"),
    [
        (Kind.SENTINEL, {"aof_enabled": "0"}, "set appendonly yes"),
        (Kind.SENTINEL, {"role": "slave"}, "a fail-over"),
        (Kind.CLUSTER, {"cluster_enabled": "0"}, "write redis://"),
        (Kind.SENTINEL, {"cluster_enabled": "1"}, "redis\\+cluster://"),
        (Kind.SINGLE, {"redis_mode": "sentinel"}, "redis\\+sentinel://"),
    ],
)
def test_problem_of_a_store_of_several(kind: Kind, said: dict[str, str], problem: str):
    """What stands behind an address has to be what the address says."""
    with pytest.raises(StoreRefused, match=problem):
        judge({**GOOD, **said}, "always", kind).require_usable()


def test_disks_need_a_server_that_asks_them():
    """WAITAOF came with 7.2: on an older server the setting is refused."""
    with pytest.raises(StoreRefused, match="WAITAOF"):
        judge(GOOD, "always", Kind.SINGLE, Confirm(fsync=True)).require_usable()


def test_replicas_that_are_to_confirm_have_to_be_there():
    """With fewer replicas than are to confirm no write could be: told by the name of the setting."""
    with pytest.raises(StoreRefused, match=r"store\.wait_replicas is 2 and the server has 1 replicas"):
        judge({**GOOD, "connected_slaves": "1"}, "always", Kind.SENTINEL, Confirm(replicas=2)).require_usable()


def test_a_disk_that_is_waited_for_is_no_warning():
    """With wait_fsync each write is on disk when it is acknowledged, whatever the server does by itself."""
    told = {**GOOD, "redis_version": "7.2.4"}

    assert () == judge(told, "everysec", Kind.SINGLE, Confirm(fsync=True)).warnings


def test_weakest_node_is_the_verdict():
    """A cluster is as durable as its weakest master, and a problem says whose it is."""
    told = {**GOOD, "cluster_enabled": "1"}
    nodes = {
        "a:1": judge(told, "always", Kind.CLUSTER),
        "b:1": judge({**told, "role": "slave"}, "everysec", Kind.CLUSTER),
    }
    report = combine(nodes, 16384)

    assert (Durability.CRASH_LIKELY, nodes) == (report.durability, report.nodes)
    assert [True] == [problem.startswith("b:1: the server is a replica") for problem in report.problems]


def test_uncovered_slots_are_a_problem():
    """A cluster that does not serve every slot cannot serve every team."""
    nodes = {"a:1": judge({**GOOD, "cluster_enabled": "1"}, "always", Kind.CLUSTER)}

    assert ("384 of the cluster's slots have no master: mend it first",) == combine(nodes, 16000).problems


@each_case(
    ("said", "problem"),
    [
        ({"redis_version": "6.0.16"}, "6.0.16 is older than 6.2"),
        ({"redis_version": "what"}, "older than 6.2"),
        ({"role": "slave"}, "give the master's address"),
        ({"maxmemory": "100", "maxmemory_policy": "allkeys-lru"}, "set it to noeviction"),
        ({"maxmemory": "100"}, "set it to noeviction"),
        ({"aof_last_write_status": "err"}, "free or mend its disk"),
        ({"cluster_enabled": "1"}, "write redis\\+cluster://"),
        ({"aof_enabled": "0", "connected_slaves": "1"}, "set appendonly yes"),
    ],
)
def test_problem(said: dict[str, str], problem: str):
    """Whatever would lose credits silently is a problem, and the gateway must not start on it."""
    report = judge({**GOOD, **said}, "always")

    with pytest.raises(StoreRefused, match=problem):
        report.require_usable()


@each_case(
    ("said", "appendfsync", "warning"),
    [
        ({"aof_enabled": "0"}, "always", "loses every balance"),
        ({}, "everysec", "a crash may lose the last writes"),
        ({}, None, "does not tell"),
        ({"maxmemory": "100", "maxmemory_policy": "noeviction", "used_memory": "71"}, "always", "70 %"),
        ({"connected_slaves": "1"}, "always", "wait_replicas is 0"),
        ({"valkey_version": "9.1.1"}, "always", "half a script"),
        ({"server_name": "redis", "valkey_version": ""}, "always", "half a script"),
    ],
)
def test_warning(said: dict[str, str], appendfsync: str | None, warning: str):
    """What is risky but known is a warning, not a refusal."""
    report = judge({**GOOD, **said}, appendfsync)

    assert ((), 1) == (report.problems, len(report.warnings))
    assert warning in report.warnings[0]


def test_good_server():
    """A server that is set up well has neither problems nor warnings."""
    report = judge(GOOD, "always")
    report.require_usable()

    assert ("valkey", "9.1.2", "r", (), ()) == (
        report.server, report.version, report.run_id, report.problems, report.warnings,
    )  # fmt: skip


async def test_real_server_is_asked(real_redis: Redis, server_socket: Path):
    """A real server tells what it is; the one of these tests keeps no file and is told to be volatile."""
    report = await check_store(StoreClient(real_redis))

    assert (Durability.VOLATILE, ()) == (report.durability, report.problems)
    assert report.server in {"valkey", "redis"}
    assert report.version[0].isdigit()
    assert 40 == len(report.run_id)


class Changing:
    """A client whose masters are others at the second question than at the first."""

    kind, slots_covered, confirm = Kind.CLUSTER, SLOTS, Confirm()

    async def each(self, *args: str) -> dict[str, object]:
        return {"heir": ["appendfsync", "always"]} if args[0] == "CONFIG" else {"old": "role:master"}


async def test_a_fail_over_between_two_questions():
    """Half an answer is no verdict: whoever asked is told to ask again."""
    client: Any = Changing()

    with pytest.raises(LedgerUnavailable, match="changed while they were asked"):
        await check_store(client)
