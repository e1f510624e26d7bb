"""Few teams and many: one of them at work, and very many in turn."""

from dataclasses import replace
from typing import Final

from redis.asyncio import Redis

from benchmarks.bench import Bench
from benchmarks.grown.filling import copy_teams, make_pattern, secret_of, team_name
from benchmarks.grown.points import (
    BESIDE,
    GATEWAY,
    RSS_AFTER,
    STORE,
    Point,
    end,
    load,
    new_point,
    start_all,
)
from benchmarks.grown.sizes import sizes_of
from benchmarks.grown.tables import table
from benchmarks.grown.traffic import of_many
from benchmarks.results import Section
from gatekeeper.ledger.client import StoreClient, connect
from gatekeeper.ledger.ledger import Ledger

AT_WORK_MAX: Final = 20_000
"""Teams that ask in turn: twice as many as the gateway remembers keys and teams of, five times its key names."""

WHY: Final = {
    f"in turn: {GATEWAY}": "a team that has not asked for a second is looked up: its key, and its record; and whoever "
    "spends is looked at once in five seconds, to tell what its limits have reached. That follows from how many ask "
    "within those times, not from how many there are",
    f"one team: {STORE}": "the memory that a request touches is no longer in the processor's caches",
    f"in turn: {STORE}": "the same look-ups on the store's side, and its memory's caches",
    BESIDE: "four walks over all teams (deadlines, jobs, limits, counts), at paces that have bounds: beyond these a "
    "walk takes longer, and costs no more",
    "store, ms of CPU a second without requests": "the store's side of the same walks",
    RSS_AFTER: "what is remembered of teams that were at work, each kind with its bound: records (10,000), key names "
    "(4,096 days of teams), the last entry seen (100,000), deadlines (200,000)",
}


async def run(bench: Bench) -> list[Section]:
    """The table."""
    sizes = sizes_of(bench)
    points = list[Point]()
    for size in sizes.teams:
        bench.say(f"{size:,} teams")
        points.append(point := await new_point(bench, "teams", size))
        await _fill(point, size)
    await start_all(bench, points)
    for point in points:
        at_work = some_of(point.size)
        url = f"{point.serving.url}/openai/v1"
        keys = [secret_of(number) for number in at_work]
        point.makes = {"one team": of_many(url, keys[:1]), "all in turn": of_many(url, keys)}
        bench.sites[point.who] = replace(bench.sites[point.who], teams=tuple(map(team_name, at_work)))
    bench.say("one team, and all in turn")
    await load(bench, points)
    await end(bench, points)
    return [table("teams", "Growth: teams", "teams", points, WHY)]


def some_of(size: int) -> list[int]:
    """So many of them as are asked for, from the first to the last at even distances."""
    count = min(size, AT_WORK_MAX)
    return [size * number // count for number in range(count)]


async def _fill(point: Point, size: int) -> None:
    url = point.settings["store"]["url"]
    ledger, redis = Ledger(StoreClient(connect(url))), Redis.from_url(url, decode_responses=True)
    await make_pattern(ledger)
    await copy_teams(redis, 0, size)
    await ledger.close()
    await redis.aclose()
