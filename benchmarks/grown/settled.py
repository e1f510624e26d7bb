"""A team that has just begun, and one with very many settled holds of today."""

from dataclasses import replace
from typing import Final

from redis.asyncio import Redis

from benchmarks.bench import Bench
from benchmarks.grown.filling import CHARGE, settle_many
from benchmarks.grown.points import Point, end, load, new_point, start, start_all
from benchmarks.grown.sizes import sizes_of
from benchmarks.grown.tables import table
from benchmarks.grown.traffic import of_many
from benchmarks.results import Section
from gatekeeper.ledger.client import StoreClient, connect
from gatekeeper.ledger.ledger import Ledger

TEAM: Final = "bench"
WHY: Final = {"store, us of CPU a request": "the memory that a request touches is no longer in the processor's caches"}


async def run(bench: Bench) -> list[Section]:
    """The table."""
    points = list[Point]()
    for size in sizes_of(bench).settled:
        bench.say(f"{size:,} settled holds in one team")
        points.append(point := await new_point(bench, "settled", size))
        await _fill(bench, point, size)
    await start_all(bench, points)
    for point in points:
        point.makes = {"that team": of_many(f"{point.serving.url}/openai/v1")}
        bench.sites[point.who] = replace(bench.sites[point.who], before=point.size * CHARGE)
    bench.say("requests of that team")
    await load(bench, points)
    await end(bench, points)
    return [table("settled", "Growth: settled holds of one team, all of today", "holds", points, WHY)]


async def _fill(bench: Bench, point: Point, size: int) -> None:
    gateway = await start(bench, point)  # makes the team
    bench.lab.stop(gateway.process)
    point.found.clear()
    url = gateway.store_url
    ledger, redis = Ledger(StoreClient(connect(url))), Redis.from_url(url, decode_responses=True)
    await settle_many(ledger, redis, TEAM, size)
    await ledger.close()
    await redis.aclose()
