"""The catalog as it is shipped, and with many models more: one of them asked for, and all of them in turn."""

from typing import Final

from benchmarks.bench import Bench
from benchmarks.grown.filling import model_name, write_models
from benchmarks.grown.points import (
    GATEWAY,
    RSS,
    RSS_AFTER,
    START_CPU,
    START_S,
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

WHY: Final = {
    START_S: "each model is read, checked and made into tables once",
    START_CPU: "each model is read, checked and made into tables once",
    RSS: "the tables of each model",
    RSS_AFTER: "the tables of each model, and the metrics of each that was asked for",
    f"all in turn: {GATEWAY}": "what is made at a model's first request and remembered (4,096 "
    "decisions as they are told, a metric of each), and the processor's caches: each request reads another's tables",
}


async def run(bench: Bench) -> list[Section]:
    """The table."""
    points = list[Point]()
    for size in sizes_of(bench).models:
        bench.say(f"{size:,} models more than are shipped")
        points.append(point := await new_point(bench, "models", size))
        if size:
            point.settings["catalog"] += map(str, write_models(bench.lab.folder("catalog"), size))
    await start_all(bench, points)
    for point in points:
        url = f"{point.serving.url}/openai/v1"
        every = list(map(model_name, range(point.size)))
        point.makes = {"one model": of_many(url), "all in turn": of_many(url, models=every)}
    bench.say("one model, and all in turn")
    await load(bench, points)
    await end(bench, points)
    return [table("models", "Growth: models beyond those that are shipped", "models", points, WHY)]
