"""Requests in flight on a provider that does not answer yet: memory for each, and whether all of them end well.

The stand-in holds every answer until it is told to release them, so that all are in flight at once, however long it
takes to get there. Each measurement has a process of its own: what Python once took it hardly gives back.
"""

import asyncio
import time
from dataclasses import dataclass
from typing import Final

from benchmarks.bench import Bench
from benchmarks.lab import Running
from benchmarks.load import Burst, ClosedLoop, Make
from benchmarks.results import Row, Section
from benchmarks.rounds import expect
from benchmarks.traffic import Generations

REACH: Final = 1.1
WARM_REQUESTS_S: Final = 0.3
ARRIVE_S: Final = 120.0
"""How long all of them may take to reach the stand-in."""
END_S: Final = 120.0
LOOK_S: Final = 0.02
TOGETHER: Final = 100
"""Asked in the same moment; then these are waited for. How many may come at once is not what is looked at here."""
FILES_SPARE: Final = 200


@dataclass(frozen=True, slots=True)
class Flight:
    """What so many at once took."""

    kb_each: float
    peak_mb: float
    cpu_us_each: float
    """CPU of the process for each, until all had reached the provider."""
    arrived_s: float
    ended_s: float


async def run(bench: Bench) -> list[Section]:
    """A table against aio, and one for the most in one process."""
    sizes, sections = bench.sizes, list[Section]()
    found: dict[str, list[Flight]] = {"aio": [], "gateway": []}
    for done in range(sizes.flying_rounds):
        begun = time.monotonic()
        bench.say(f"{sizes.flying} requests in flight, round {done + 1} of {sizes.flying_rounds}")
        for name in ("aio", "gateway") if done % 2 else ("gateway", "aio"):
            found[name].append(await _fly(bench, name, sizes.flying))
        took_s, missing = time.monotonic() - begun, sizes.flying_rounds - done - 1
        if missing and not bench.budget.allows(took_s, f"{missing} rounds of {sizes.flying} in flight"):
            break
    kb = {name: [each.kb_each for each in flights] for name, flights in found.items()}
    notes = {name: f"all had reached the provider after {_each(flights)}" for name, flights in found.items()}
    reach = {"gateway": REACH}
    rows = [Row.of(name, kb[name], ("aio", kb["aio"]), reach=reach.get(name), note=notes[name]) for name in kb]
    sections.append(
        Section("flying", f"{sizes.flying} requests in flight: memory (RSS)", "KB a request", tuple(rows), NOTES)
    )
    most = min(sizes.flying_most, (bench.open_files - FILES_SPARE) // 2)
    if most < sizes.flying_most:
        bench.budget.left_out.append(f"{sizes.flying_most} in flight: this system allows {bench.open_files} open files")
    if bench.budget.allows(took_s, f"{most} generations in flight in one process"):
        bench.say(f"{most} generations in flight in one process")
        sections.append(_most(most, await _fly(bench, "gateway", most)))
    return sections


NOTES: Final = (
    "no request failed, or the run would have",
    "the process's own memory; the kernel's socket buffers are nobody's",
)


def _each(flights: list[Flight]) -> str:
    return ", ".join(f"{flight.arrived_s:.1f} s and {flight.cpu_us_each:.0f} us of CPU each" for flight in flights)


def _most(count: int, flight: Flight) -> Section:
    rows = (
        Row.of("KB each", [flight.kb_each]),
        Row.of("peak of the process, MB", [flight.peak_mb]),
        Row.of("us of CPU each, until it has reached the provider", [flight.cpu_us_each]),
        Row.of("seconds until all had reached the provider", [flight.arrived_s]),
        Row.of("seconds from its release to the last answer", [flight.ended_s]),
    )
    return Section("flying-most", f"{count} generations in flight in one process, all answered and settled", "", rows)


async def _fly(bench: Bench, name: str, count: int) -> Flight:
    """In a new process: warm it, ask all, look at its memory when all are in flight, release, wait for all."""
    if name == "aio":
        process, who = await bench.aio(), "aio"
        warm, hold = (Generations(f"{process.url}/aio/{manner}/v1").maker() for manner in ("plain", "hold"))
    else:
        gateway = await bench.gateway()
        process, who = gateway.process, "gate"
        warm, hold = (Generations(f"{gateway.url}/{provider}/v1").maker() for provider in ("openai", "slow"))
    try:
        return await _measure(bench, process, who, (warm, hold), count)
    finally:
        bench.lab.stop(process)


async def _measure(bench: Bench, process: Running, who: str, makes: tuple[Make, Make], count: int) -> Flight:
    async with ClosedLoop(process.url, makes[0], 64) as loop:
        expect(f"warm-up of {who}", await loop.run(WARM_REQUESTS_S), 200)
    process.reset_peak()
    before, cpu_us, begun = process.rss_bytes(), process.cpu_us(), time.monotonic()
    async with Burst(process.url) as burst:
        for asked in range(0, count, TOGETHER):
            together = min(TOGETHER, count - asked)
            await burst.ask(together, makes[1])
            await _arrived(bench, who, asked + together)
        kb_each, arrived_s = (process.rss_bytes() - before) / 1024 / count, time.monotonic() - begun
        cpu_us_each = (process.cpu_us() - cpu_us) / count
        released = time.monotonic()
        await bench.tell_mock("release")
        expect(f"{count} in flight through {who}", await burst.answered(END_S), 200)
        return Flight(kb_each, process.peak_rss_bytes() / 2**20, cpu_us_each, arrived_s, time.monotonic() - released)


async def _arrived(bench: Bench, who: str, count: int) -> None:
    """Wait until the stand-in holds all of them."""
    until = time.monotonic() + ARRIVE_S
    while (waiting := (await bench.tallies())[who]["waiting"]) < count:
        if time.monotonic() > until:
            raise TimeoutError(f"{waiting} of {count} requests through {who} arrived within {ARRIVE_S:.0f} s")
        await asyncio.sleep(LOOK_S)
