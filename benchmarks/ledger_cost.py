"""What the ledger costs: the server's time and the client's CPU for a call, bytes for a hold, and whether that stays.

    python -m benchmarks.ledger_cost [--quick]

It starts a store of its own on a unix socket in a scratch directory, without a disk behind it, and throws it away. The
server's time for a call is what it says itself (`INFO commandstats`), so other work on the machine counts in it: look
at the ratio to a script of three HINCRBY in the same rounds, at medians, and at the best round. All of it takes about
two minutes, `--quick` a few seconds at sizes that are too small for the last two tables to tell much.
"""

import argparse
import asyncio
import statistics
import time
from typing import Any, Final

from redis.asyncio import Redis

from benchmarks.ledger_growth import measure_bytes, measure_flatness
from benchmarks.ledger_store import (
    AT_ONCE,
    FULL,
    QUICK,
    Rounds,
    Sizes,
    base_calls,
    cpu_us,
    found,
    hold_all,
    new_store,
    orders,
    server_us,
    settle_all,
)
from benchmarks.machine import own_cores
from gatekeeper.ledger.codec import order_words
from gatekeeper.ledger.holdid import hold_id_day
from gatekeeper.ledger.keys import hold_names
from gatekeeper.ledger.lua import script
from gatekeeper.ledger.records import HoldOrder
from gatekeeper.ledger.windows import windows_at
from gatekeeper.ledger.wire import unpacked

HINCRBY: Final = "three HINCRBY"
PIPELINE: Final = "redis-py's pipeline"


async def server_rounds(sizes: Sizes, core: int) -> Rounds:
    """The server's time for a call, in microseconds: everything in turn in each round."""
    rows = Rounds()
    async with new_store(core) as store:
        await found(store.ledger, "plain")
        await found(store.ledger, "limited", limits=True)
        for _ in range(sizes.rounds):
            for team, name in (("plain", "hold, 2 scopes"), ("limited", "hold, 2 scopes, a limit on each")):
                todo = orders(team, sizes.calls)
                rows.setdefault(name, []).append(await server_us(store.client, hold_all(store.ledger, todo)))
                rows.setdefault("settle, 2 scopes", []).append(
                    await server_us(store.client, settle_all(store.ledger, todo))
                )
            rows.setdefault(HINCRBY, []).append(await server_us(store.client, base_calls(store.redis, sizes.calls)))
    return rows


def print_times(title: str, rows: dict[str, list[float]], base: str) -> None:
    """Median, best round, and the medians' ratio to one of the rows."""
    unit = statistics.median(rows[base])
    print(f"\n{title:36} median    best   ratio")
    for name, values in rows.items():
        middle = statistics.median(values)
        print(f"  {name:33} {middle:7.1f} {min(values):7.1f} {middle / unit:7.1f}")


async def pipeline_calls(redis: Redis, todo: list[HoldOrder]) -> None:
    """The same holds by the library's own pipeline, AT_ONCE in each."""
    sha = await redis.script_load(script("hold").text)
    windows = windows_at(time.time_ns() // 1_000_000, "Europe/Berlin")
    for start in range(0, len(todo), AT_ONCE):
        pipeline: Any = redis.pipeline(transaction=False)
        for order in todo[start : start + AT_ONCE]:
            day = hold_id_day(order.hold_id)
            keys, first = hold_names(order.team, day), f"{day};{windows.argument}"
            pipeline.execute_command("EVALSHA", sha, len(keys), *keys, first, *unpacked(order_words(order)))
        await pipeline.execute()


async def client_rounds(sizes: Sizes, core: int) -> Rounds:
    """The client's CPU for a call, in microseconds, with AT_ONCE of them on their way."""
    rows = Rounds()
    async with new_store(core) as store:
        await found(store.ledger, "plain")
        for _ in range(sizes.rounds):
            todo, others = orders("plain", sizes.calls), orders("plain", sizes.calls)
            rows.setdefault("hold", []).append(await cpu_us(sizes.calls, hold_all(store.ledger, todo)))
            rows.setdefault("settle", []).append(await cpu_us(sizes.calls, settle_all(store.ledger, todo)))
            rows.setdefault(PIPELINE, []).append(await cpu_us(sizes.calls, pipeline_calls(store.redis, others)))
            await settle_all(store.ledger, others)
    return rows


async def main() -> None:
    """All tables, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ledger_cost", description="What the ledger costs.")
    parser.add_argument("--quick", action="store_true", help="a few seconds, at small sizes")
    sizes = QUICK if parser.parse_args().quick else FULL
    core = own_cores().store
    print_times("server, us a call", await server_rounds(sizes, core), base=HINCRBY)
    print_times("client, us of CPU a call", await client_rounds(sizes, core), base=PIPELINE)
    await measure_bytes(sizes, core)
    await measure_flatness(sizes, core)


if __name__ == "__main__":
    asyncio.run(main())
