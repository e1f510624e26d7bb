"""Start-up checks: what is refused, what is warned about, and which grade a server gets."""

from pathlib import Path

import pytest
from redis.asyncio import Redis

from gatekeeper.ledger.checks import Durability, check_store, judge
from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.errors import StoreRefused

GOOD = {"redis_version": "7.0.15", "role": "master", "aof_enabled": "1", "maxmemory": "0", "run_id": "r"}


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
    ("said", "problem"),
    [
        ({"redis_version": "6.0.16"}, "6.0.16 is older than 6.2"),
        ({"redis_version": "what"}, "older than 6.2"),
        ({"role": "slave"}, "give the master's address"),
        ({"maxmemory": "100", "maxmemory_policy": "allkeys-lru"}, "set it to noeviction"),
        ({"maxmemory": "100"}, "set it to noeviction"),
        ({"aof_last_write_status": "err"}, "free or mend its disk"),
        ({"cluster_enabled": "1"}, "cluster node"),
        ({"aof_enabled": "0", "connected_slaves": "1"}, "set appendonly yes"),
    ],
)
def test_problem(said: dict[str, str], problem: str):
    """Whatever would lose credits silently is a problem, and the gateway must not start on it."""
    report = judge({**GOOD, **said}, "always")

    with pytest.raises(StoreRefused, match=problem):
        report.require_usable()


@pytest.mark.parametrize(
    ("said", "appendfsync", "warning"),
    [
        ({"aof_enabled": "0"}, "always", "loses every balance"),
        ({}, "everysec", "a crash may lose the last writes"),
        ({}, None, "does not tell"),
        ({"maxmemory": "100", "maxmemory_policy": "noeviction", "used_memory": "71"}, "always", "70 %"),
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

    assert ("redis", "7.0.15", "r", (), ()) == (
        report.server, report.version, report.run_id, report.problems, report.warnings,
    )  # fmt: skip


async def test_real_server_is_asked(real_redis: Redis, server_socket: Path):
    """A real server tells what it is; the one of these tests keeps no file and is told to be volatile."""
    report = await check_store(StoreClient(real_redis))

    assert (Durability.VOLATILE, ()) == (report.durability, report.problems)
    assert report.server in {"valkey", "redis"}
    assert report.version[0].isdigit()
    assert 40 == len(report.run_id)
