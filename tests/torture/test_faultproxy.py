"""The fault proxy breaks what it says and nothing else, or the judge would judge a healthy network."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from gatekeeper.ledger.client import connect
from gatekeeper.ledger.lua import script
from tests.ledger.topologies import free_port
from tests.system.storeserver import store_server
from tests.torture.faultproxy import GHOST_S, Fault, FaultProxy, Trap
from tests.torture.resp import script_name, whole_end


class Deciding(FaultProxy):
    """Does one thing to the next command that is a SET."""

    def __init__(self, target_port: int) -> None:
        super().__init__(target_port, seed=0)
        self.next: Fault | Trap | None = None

    def fault_of(self, name: str) -> Fault | Trap | None:
        fault, self.next = self.next, None
        return fault


@pytest.fixture
async def proxy(directory: Path) -> AsyncIterator[Deciding]:
    """A proxy in front of a real server."""
    port = free_port()
    async with store_server(directory, port):
        proxy = Deciding(port)
        await proxy.start()
        yield proxy
        await proxy.close()


async def was_set(proxy: Deciding) -> bool:
    """Whether the store has what was written, asked past the proxy."""
    direct = connect(f"redis://127.0.0.1:{proxy.target_port}/0")
    found = await direct.get("key")
    await direct.aclose()
    return found is not None


async def fails(redis: Redis) -> bool:
    """Whether a write through the proxy has no answer."""
    try:
        await redis.set("key", "value")
    except (RedisConnectionError, RedisTimeoutError):
        return True
    return False


@pytest.mark.parametrize(
    ("fault", "is_lost", "runs"),
    [
        (None, False, True), (Fault.DELAY, False, True), (Fault.BEFORE, True, False), (Fault.AFTER, True, True),
        (Fault.CUT, True, True), (Fault.SILENT, True, False), (Fault.DEAF, True, True),
    ],
)  # fmt: skip
async def test_a_fault_is_what_its_name_says(proxy: Deciding, fault: Fault | None, is_lost: bool, runs: bool) -> None:
    """Whether the caller has an answer and whether the command ran are what the fault's name says."""
    redis = connect(proxy.url)
    await redis.ping()
    proxy.next = fault

    found = (await fails(redis), await was_set(proxy))
    await redis.aclose()

    assert (is_lost, runs) == found


async def test_a_ghost_runs_when_its_caller_is_gone(proxy: Deciding) -> None:
    """No answer within the caller's time and nothing written, and then it is written after all."""
    redis = connect(proxy.url)
    await redis.ping()
    proxy.next = Fault.GHOST
    lost, early = await fails(redis), await was_set(proxy)
    await redis.aclose()
    direct = connect(f"redis://127.0.0.1:{proxy.target_port}/0")
    async with asyncio.timeout(GHOST_S[1]):
        while (late := await direct.get("key")) is None:  # noqa: ASYNC110 - the store has no event to wait for
            await asyncio.sleep(0.01)
    await direct.aclose()

    assert (True, False, "value") == (lost, early, late)


@pytest.mark.parametrize(("is_after", "runs"), [(False, False), (True, True)])
async def test_a_trap_strikes_at_its_moment(proxy: Deciding, is_after: bool, runs: bool) -> None:
    """Before: the store never hears of it. After: it has run, and nobody is told."""
    struck: list[str] = []
    redis = connect(proxy.url)
    await redis.ping()
    proxy.next = Trap("", is_after, lambda: struck.append("now"))

    found = (await fails(redis), await was_set(proxy))
    await redis.aclose()

    assert ((True, runs), ["now"]) == (found, struck)


@pytest.mark.parametrize(
    "value", [b"+OK\r\n", b":12\r\n", b"$3\r\nabc\r\n", b"$-1\r\n", b"*0\r\n", b"*2\r\n*1\r\n:1\r\n$0\r\n\r\n"]
)
def test_a_value_is_whole_at_its_last_byte(value: bytes) -> None:
    """Not one byte earlier, and what follows is not part of it."""
    ends = [whole_end(value[:length], 0) for length in range(len(value))]

    assert [None] * len(value) == ends
    assert len(value) == whole_end(value + b"+more\r\n", 0)


def test_a_script_is_known_by_its_command() -> None:
    """A command that runs a script of ours has its name, any other none."""
    sha = script("settle").sha.encode()

    assert "settle" == script_name(b"*5\r\n$7\r\nEVALSHA\r\n$40\r\n" + sha + b"\r\n$1\r\n0\r\n", 0)
    assert "" == script_name(b"*1\r\n$4\r\nPING\r\n", 0)
