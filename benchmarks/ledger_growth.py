"""Whether what the ledger costs stays: bytes for a hold, calls among many teams and settled holds, a sweeper's walk.

Part of `python -m benchmarks.ledger_cost`.
"""

import asyncio
import secrets
import statistics
import time
from typing import Final

from redis.asyncio import Redis

from benchmarks.ledger_store import (
    AT_ONCE,
    META,
    Rounds,
    Sizes,
    Store,
    base_calls,
    found,
    hold_all,
    new_store,
    orders,
    server_us,
    settle_all,
)
from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.keys import TeamKeys
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.sweeper import Sweeper

FILL: Final = """
for i = 1, tonumber(ARGV[1]) do
  local id, seq = ARGV[2] .. string.format('%014x', ARGV[3] + i), ARGV[3] + i
  redis.call('HSET', KEYS[1], id, 'S\\t500\\t1000\\t' .. ARGV[4])
  redis.call('XADD', KEYS[2], seq .. '-0', 'e', ARGV[5])
end
"""
"""Settled holds as settle.lua leaves them, and the second half of their journal, without the way there."""


async def memory(client: StoreClient, *names: str) -> int:
    """Bytes of these keys, as the server counts them."""
    sizes = [await client.command("MEMORY", "USAGE", name, "SAMPLES", 0, at=name) for name in names]
    return sum(int(size or 0) for size in sizes)


async def measure_bytes(sizes: Sizes, core: int) -> None:
    """Bytes for each hold: while it is open, once it is settled, and of the journal, which has two entries for it."""
    async with new_store(core) as store:
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


async def measure_flatness(sizes: Sizes, core: int) -> None:
    """Whether a call costs more the more there is: teams, of which some or all are at work, and settled holds."""
    print(f"\nserver, us a call: median, best{'':7} hold           settle         three HINCRBY")
    ten = [f"team{number}" for number in range(10)]
    async with new_store(core) as store:
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
