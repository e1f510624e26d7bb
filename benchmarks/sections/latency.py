"""Latency at 200 requests a second in an open loop: what each adds to a call of the stand-in itself.

Two gateways: on the store as the product starts it, with its disk behind every write, and on one without a disk.
"""

import random
import statistics

from benchmarks.bench import Bench
from benchmarks.figures import Figure, percentile
from benchmarks.lab import Running
from benchmarks.load import Make, OpenLoop, Window
from benchmarks.results import Row, Section
from benchmarks.rounds import expect
from benchmarks.traffic import Generations

RATE = 200.0
SHARES = {"p50": 0.5, "p99": 0.99}
REACH = {"p50": 1.4, "p99": 1.5}
DIRECT, AIO, GATEWAY, NO_DISK = "the stand-in itself", "aio", "gateway", "gateway, store without a disk"
COMPARED = (GATEWAY, NO_DISK)

Target = tuple[Running, Make]
Latencies = dict[str, list[list[float]]]


async def run(bench: Bench) -> list[Section]:
    """A table for each percentile."""
    bench.say(f"latency at {RATE:.0f} requests a second")
    gateway, aio, other = await bench.gateway(), await bench.aio(), await bench.gateway("nodisk", "no")
    urls = {
        DIRECT: (bench.mock, f"{bench.mock.url}/direct/plain/v1"),
        AIO: (aio, f"{aio.url}/aio/plain/v1"),
        GATEWAY: (gateway.process, f"{gateway.url}/openai/v1"),
        NO_DISK: (other.process, f"{other.url}/openai/v1"),
    }
    targets = {name: (process, Generations(url).maker()) for name, (process, url) in urls.items()}
    found, late = await _measure(bench, targets)
    bench.lab.stop(gateway.process, aio, other.process)
    note = f"{percentile(late, 0.5) * 1e3:.2f} ms (p50) and {percentile(late, 0.99) * 1e3:.2f} ms (p99) after its time"
    return [_section(share, found, f"requests were sent {note}, which counts for all alike") for share in SHARES]


async def _measure(bench: Bench, targets: dict[str, Target]) -> tuple[Latencies, list[float]]:
    """The ordered latencies of each target's rounds, and how late requests were sent."""
    lots, found, late = random.Random(1), Latencies((name, []) for name in targets), list[float]()
    seconds = bench.sizes.latency_seconds
    for name, target in targets.items():
        expect(name, await _window(target, seconds / 3), 200)
    for done in range(bench.sizes.rounds):
        order = list(targets)
        lots.shuffle(order)
        for name in order:
            window = await _window(targets[name], seconds)
            expect(name, window, 200)
            found[name].append(sorted(window.latencies_s))
            late += window.late_s
        missing = bench.sizes.rounds - done - 1
        if missing and not bench.budget.allows(len(targets) * seconds, f"{missing} rounds of latency"):
            break
    return found, sorted(late)


async def _window(target: Target, seconds: float) -> Window:
    async with OpenLoop(target[0].url, target[1], RATE) as loop:
        return await loop.run(seconds)


def _section(share: str, found: Latencies, note: str) -> Section:
    direct = [percentile(each, SHARES[share]) * 1e3 for each in found[DIRECT]]
    added = {
        name: [percentile(each, SHARES[share]) * 1e3 - base for each, base in zip(rounds, direct, strict=True)]
        for name, rounds in found.items()
        if name != DIRECT
    }
    rows = [Row.of(DIRECT, direct, note="its own latency; the others are what they add to it")]
    for name, values in added.items():
        rows.append(_row(name, values, added[AIO], REACH[share] if name in COMPARED else None))
    title = f"Latency at {RATE:.0f} requests a second, open loop: added {share}"
    return Section(f"latency-{share}", title, "ms", tuple(rows), (note,))


def _row(name: str, values: list[float], base: list[float], reach: float | None) -> Row:
    """Compared round by round; where noise has the reference add nothing in one, by the medians of all of them."""
    if min(base) > 0:
        return Row.of(name, values, (AIO, base), reach=reach)
    value, unit = Figure.of(values), statistics.median(base)
    if unit <= 0:
        return Row(name, value, note="the reference added nothing")
    note = "the ratio is that of the medians: in some round the reference added nothing"
    return Row(name, value, Figure.of([value.median / unit]), AIO, reach, note)
