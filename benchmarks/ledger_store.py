"""A store of its own for measurements of the ledger, and what is measured: holds, settles, and a script beside them.

No gateway, no disk: what is measured is the ledger's scripts on a server, and its client in this process.
"""

import asyncio
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from redis.asyncio import Redis

from benchmarks.machine import on_core
from gatekeeper.ledger.binary import find_server
from gatekeeper.ledger.client import StoreClient, connect
from gatekeeper.ledger.holdid import new_hold_id
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.records import Held, HoldOrder
from gatekeeper.ledger.teamrecord import Limit, Per, TeamRecord

AT_ONCE: Final = 50
GRANT: Final = 9 * 10**14
START_WITHIN_S: Final = 10.0
META: Final = '{"model":"seedream-4.5","operation":"image.generate","resolution":"2K","outputs":1}'
USAGE: Final = "seedream-4.5|image.generate|2K|draft|volcengine|"
BASE: Final = "for i = 1, 3 do redis.call('HINCRBY', KEYS[1], ARGV[i], 1) end return 1"
"""What all figures are compared with: a script of three HINCRBY."""


Rounds = dict[str, list[float]]
"""Rounds of each thing that is measured, by its name."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of each is measured."""

    rounds: int
    calls: int  # in a round
    holds: int  # whose bytes are counted
    teams: int
    settled: int


FULL: Final = Sizes(rounds=15, calls=1000, holds=100_000, teams=100_000, settled=1_000_000)
QUICK: Final = Sizes(rounds=5, calls=500, holds=5_000, teams=1_000, settled=10_000)


@dataclass(frozen=True, slots=True)
class Store:
    """A server, by the library's client, and by ours with a ledger on it."""

    redis: Redis
    client: StoreClient
    ledger: Ledger


def start_server(directory: Path, core: int) -> subprocess.Popen[bytes]:
    """A server on a socket `s` in this directory, without a disk behind it."""
    where = ("--port", "0", "--unixsocket", str(directory / "s"), "--dir", str(directory))
    with on_core(core):
        return subprocess.Popen([str(find_server()), *where, "--save", ""], stdout=subprocess.DEVNULL)


@asynccontextmanager
async def new_store(core: int) -> AsyncIterator[Store]:
    """A store on this core that lives as long as this is open."""
    directory = Path(tempfile.mkdtemp(prefix="gk-cost-"))
    process = start_server(directory, core)
    try:
        until = time.monotonic() + START_WITHIN_S
        while not (directory / "s").exists():
            if time.monotonic() > until:
                raise TimeoutError(f"the server did not start within {START_WITHIN_S:g} s")
            await asyncio.sleep(0.01)
        address = f"unix://{directory / 's'}"
        redis, client = connect(address), StoreClient(connect(address))
        ledger = Ledger(client)
        yield Store(redis, client, ledger)
        await ledger.close()
        await redis.aclose()
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(directory)


def orders(team: str, count: int) -> list[HoldOrder]:
    """New holds of two scopes, such as the gateway makes them."""
    now_ms = time.time_ns() // 1_000_000
    return [
        HoldOrder(
            new_hold_id(now_ms, secrets.randbits(74)), team, 1000, 600_000, grace_ms=60_000, member="amy",
            fingerprint="0123456789abcdef", price_list="1c88", meta=META, usage=USAGE,
        )
        for _ in range(count)
    ]  # fmt: skip


async def found(ledger: Ledger, team: str, *, limits: bool = False) -> None:
    """A team with credits, and with two limits or none."""
    two = (Limit("team", Per.MONTH, GRANT), Limit("member", Per.DAY, GRANT))
    await ledger.put_team(TeamRecord(team, timezone="Europe/Berlin", limits=two if limits else ()))
    await ledger.grant(team, "opening", GRANT)


async def hold_all(ledger: Ledger, todo: list[HoldOrder]) -> None:
    """Hold all of them; each has to be admitted."""
    for start in range(0, len(todo), AT_ONCE):
        results = await asyncio.gather(*(ledger.hold(order) for order in todo[start : start + AT_ONCE]))
        if not all(isinstance(result, Held) for result in results):
            raise AssertionError(f"not admitted: {results[0]}")


async def settle_all(ledger: Ledger, todo: list[HoldOrder]) -> None:
    """Charge half of each."""
    for start in range(0, len(todo), AT_ONCE):
        batch = todo[start : start + AT_ONCE]
        await asyncio.gather(
            *(
                ledger.settle(order.hold_id, order.team, 500, outcome="made", meta='{"n":1}', outputs=1)
                for order in batch
            )
        )


async def server_us(client: StoreClient, work: Awaitable[None]) -> float:
    """What the server says a script of this work has cost it, in microseconds."""
    await client.command("CONFIG", "RESETSTAT")
    await work
    told = str(await client.command("INFO", "commandstats"))
    (line,) = (line for line in told.splitlines() if line.startswith("cmdstat_evalsha:"))
    return float(line.split("usec_per_call=")[1].split(",")[0])


async def base_calls(redis: Redis, count: int) -> None:
    """The base script so often, pipelined like the others."""
    sha = await redis.script_load(BASE)
    for _ in range(0, count, AT_ONCE):
        pipeline = redis.pipeline(transaction=False)
        for _ in range(AT_ONCE):
            pipeline.execute_command("EVALSHA", sha, 1, "base", "a", "b", "c")
        await pipeline.execute()


async def cpu_us(count: int, work: Awaitable[None]) -> float:
    """CPU time of this process for each of so many calls, in microseconds."""
    start = time.process_time()
    await work
    return (time.process_time() - start) * 1e6 / count
