"""Few open jobs and many, all submitted by requests: what a poll costs, and a generation beside them.

The gateway that is measured is not the one that the jobs were submitted to: it finds them in the store at its start.
"""

from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

import orjson

from benchmarks.bench import Bench
from benchmarks.client import message
from benchmarks.grown.asking import ask_all
from benchmarks.grown.points import (
    BESIDE,
    GATEWAY,
    RSS,
    RSS_AFTER,
    STORE,
    Point,
    end,
    load,
    new_point,
    start,
    start_all,
)
from benchmarks.grown.sizes import sizes_of
from benchmarks.grown.tables import table
from benchmarks.grown.traffic import of_many
from benchmarks.load import Make
from benchmarks.mock import RUNNING
from benchmarks.results import Section
from benchmarks.servers import KEY
from benchmarks.traffic import fal_gets, fal_polls, in_turn

POLL: Final = "a poll"

WHY: Final = {
    BESIDE: "jobs are asked about that nobody polls, at most 20 at once and the less often the older they are",
    "store, ms of CPU a second without requests": "the same questions: who asks about a job has a lease for it",
    f"{POLL}: {GATEWAY}": "each poll is of another job: the processor's caches have neither its record nor its answer, "
    "and beyond 4,096 paths where one leads is looked up",
    f"a generation: {STORE}": "the memory that a request touches is no longer in the processor's caches",
    RSS: "what is remembered of each job, at most 100,000 of them, and 10,000 by their names",
    RSS_AFTER: "what is remembered of each job, at most 100,000 of them, and 10,000 by their names",
}


async def run(bench: Bench) -> list[Section]:
    """The table."""
    points, paths = list[Point](), dict[int, list[str]]()
    for size in sizes_of(bench).jobs:
        bench.say(f"{size:,} open jobs")
        points.append(point := await new_point(bench, "jobs", size))
        paths[size] = await _submit(bench, point)
    await start_all(bench, points)
    for point in points:
        await ask_all(point.serving.url, _asked(point, paths[point.size], fal_polls))
        url = point.serving.url
        polling = in_turn([fal_polls(f"{url}{path}") for path in paths[point.size]])
        point.makes = {"a generation": of_many(f"{url}/openai/v1"), POLL: polling}
        point.statuses = {POLL: RUNNING}
    bench.say("generations, and polls of all jobs in turn")
    await load(bench, points)
    bench.say("the jobs' ends")
    await bench.tell_mock("end")

    async def settle(point: Point) -> None:
        await ask_all(point.serving.url, _asked(point, paths[point.size], fal_polls))
        await ask_all(point.serving.url, _asked(point, paths[point.size], fal_gets))

    await end(bench, points, settle)
    await bench.tell_mock("restart")
    return [table("jobs", "Growth: open jobs", "jobs", points, WHY)]


async def _submit(bench: Bench, point: Point) -> list[str]:
    """The paths of so many jobs of one team, submitted to a gateway that is then gone."""
    gateway = await start(bench, point)
    body = orjson.dumps({"prompt": "a lighthouse"})
    url = f"{gateway.url}/fal/queue/bench/studio"
    request = message("POST", url, body, Authorization=f"Key {KEY}", Content_Type="application/json")
    answers = await ask_all(gateway.url, [request] * point.size)
    bench.lab.stop(gateway.process)
    point.found.clear()
    return [urlsplit(orjson.loads(each)["response_url"]).path for each in answers]


def _asked(point: Point, paths: list[str], maker: Callable[[str], Make]) -> list[bytes]:
    return [maker(f"{point.serving.url}{path}")() for path in paths]
