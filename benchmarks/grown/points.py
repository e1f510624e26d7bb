"""A point of growth: a store that holds so much of something, a gateway on it, and what both cost there.

All points of a thing have a store and a gateway each, and take their turns in every round. What a gateway does beside
requests (walks over all teams, questions about jobs) is measured for itself, before and after, and the lesser
of both is taken off the cost of a request.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from redis.asyncio import Redis

from benchmarks.bench import Bench, Site
from benchmarks.grown.sizes import sizes_of
from benchmarks.lab import Running
from benchmarks.load import OK, Make, Window
from benchmarks.rounds import Cell, measure
from benchmarks.servers import Gateway, gateway_settings, start_gateway

FSYNC: Final = "no"
"""A disk costs a write the same whatever there is in the store; without one it is filled sooner."""
SETTLES_S: Final = 0.5
"""After its start a gateway has this long before what it does by itself is measured."""

GATEWAY, STORE = "gateway, us of CPU a request", "store, us of CPU a request"
BESIDE, STORE_BESIDE = "gateway, ms of CPU a second without requests", "store, ms of CPU a second without requests"
START_S, START_CPU = "seconds until it serves", "ms of CPU until it serves"
RSS, RSS_AFTER, STORE_MB = "gateway's memory at its start, MB", "gateway's memory after the load, MB", "store, MB"


@dataclass(eq=False)
class Point:
    """What was found at one size. `found` has the rounds of each figure, by its name."""

    size: int
    who: str
    settings: dict[str, Any]
    store: Running
    gateway: Gateway | None = None
    makes: dict[str, Make] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    """What is answered to each of them where it is not 200."""
    found: dict[str, list[float]] = field(default_factory=dict)

    @property
    def serving(self) -> Gateway:
        """The gateway, which has been started."""
        assert self.gateway is not None, "no gateway was started at this size"
        return self.gateway

    def note(self, name: str, value: float) -> None:
        """One more round of a figure."""
        self.found.setdefault(name, []).append(value)


async def new_point(bench: Bench, what: str, size: int) -> Point:
    """A store with nothing in it, and the settings of a gateway on it."""
    who = f"{what}{size}"
    url = await bench.store(who, FSYNC)
    store = next(each for each in bench.lab.running if each.url == url)
    return Point(size, who, gateway_settings(bench.mock.url, url, who), store)


async def start(bench: Bench, point: Point) -> Gateway:
    """A gateway at this point, its start measured; its books are checked at the end."""
    begun = time.monotonic()
    gateway = await start_gateway(bench.lab, point.settings)
    point.note(START_S, time.monotonic() - begun)
    point.note(START_CPU, gateway.process.cpu_us() / 1000)
    point.note(RSS, gateway.process.rss_bytes() / 2**20)
    point.gateway = gateway
    bench.sites[point.who] = Site(f"store of {point.who}", point.who, gateway.store_url, gateway)
    return gateway


async def start_all(bench: Bench, points: Sequence[Point]) -> None:
    """Each so often as the run wants it, in turn; the last ones stay."""
    for done in range(sizes_of(bench).starts):
        for point in points:
            if done:
                bench.lab.stop(point.serving.process)
            await start(bench, point)


async def look_beside(bench: Bench, points: Sequence[Point]) -> None:
    """One round of what each does without requests."""
    await asyncio.sleep(SETTLES_S)
    before = [(each.serving.process.cpu_us(), each.store.cpu_us()) for each in points]
    begun = time.monotonic()
    await asyncio.sleep(sizes_of(bench).idle_s)
    taken_ms = (time.monotonic() - begun) * 1000
    for point, (gateway_us, store_us) in zip(points, before, strict=True):
        point.note(BESIDE, (point.serving.process.cpu_us() - gateway_us) / taken_ms)
        point.note(STORE_BESIDE, (point.store.cpu_us() - store_us) / taken_ms)


async def store_bytes(point: Point) -> int:
    """Memory of everything in the store."""
    redis = Redis.from_url(point.settings["store"]["url"], decode_responses=True)
    told = await redis.info("memory")
    await redis.aclose()
    return int(told["used_memory"])


async def load(bench: Bench, points: Sequence[Point]) -> None:
    """The requests of every point, in turn, and what is done beside before and after; of each request the cost to the
    gateway and to the store."""
    cells, meters = list[Cell](), dict[str, StoreMeter]()
    for point in points:
        for kind, make in point.makes.items():
            name = f"{kind} {point.size}"
            meter = meters[name] = StoreMeter(point)
            status = point.statuses.get(kind, OK)
            cells.append(Cell(name, point.serving.process, make, status, before=meter.before, after=meter.after))
    for point in points:
        point.note(STORE_MB, await store_bytes(point) / 2**20)
    await look_beside(bench, points)
    readings = await measure(cells, bench.sizes.rounds, bench.sizes.seconds, bench.budget)
    await look_beside(bench, points)
    for point in points:
        beside_us_s, store_beside_us_s = (1000 * min(point.found[name]) for name in (BESIDE, STORE_BESIDE))
        for kind in point.makes:
            name = f"{kind} {point.size}"
            windows = zip(readings[name], meters[name].us[1:], strict=True)  # the first one is thrown away, as ever
            for reading, store_us in windows:
                point.note(f"{kind}: {GATEWAY}", request_us(reading.cpu_us, reading.window, beside_us_s))
                point.note(f"{kind}: {STORE}", request_us(store_us, reading.window, store_beside_us_s))
        point.note(RSS_AFTER, point.serving.process.rss_bytes() / 2**20)


def request_us(cpu_us: float, window: Window, beside_us_s: float) -> float:
    """CPU of a request alone, without what is done beside."""
    return (cpu_us - beside_us_s * window.seconds) / window.requests


@dataclass(eq=False)
class StoreMeter:
    """The store's CPU during the windows of a cell."""

    point: Point
    us: list[float] = field(default_factory=list)
    _before: float = 0.0

    async def before(self) -> None:
        """A window begins."""
        self._before = self.point.store.cpu_us()

    async def after(self, _window: Window) -> None:
        """A window has ended."""
        self.us.append(self.point.store.cpu_us() - self._before)


async def end(bench: Bench, points: Sequence[Point], tidy: Callable[[Point], Awaitable[None]] | None = None) -> None:
    """The gateways are stopped, after what is to be tidied up; the stores stay for their books."""
    for point in points:
        if tidy is not None:
            await tidy(point)
        bench.lab.stop(point.serving.process)
