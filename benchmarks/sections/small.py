"""Small requests: CPU for each of them, of a gateway that does everything and of its baselines, 64 at once.

The gateway twice: on a store that writes to its disk before each answer, as the product starts it, and on one without.
"""

from dataclasses import dataclass

from redis.asyncio import Redis

from benchmarks.baselines.nginx import lua_books, lua_modules, nginx_binary, start_lua_gate, start_nginx
from benchmarks.bench import Bench
from benchmarks.figures import Figure
from benchmarks.load import Window
from benchmarks.mock import RUNNING
from benchmarks.results import Row, Section
from benchmarks.rounds import Cell, Readings, measure
from benchmarks.sections.jobs import Jobs
from benchmarks.servers import BROKE_KEY, CREDITS, MODEL
from benchmarks.traffic import WRONG_SIZES, Generations, fal_gets, gets

AIO, AIO_GET, PASS, ADMITTED = "aio", "aio, a GET", "gateway: free route, a GET", "gateway: admitted"
UNSUPPORTED, BROKE, POLL = "gateway: unsupported size", "gateway: over budget", "gateway: poll of a running job"
ADMITTED_NO_DISK = "gateway: admitted, store without a disk"
PASS_POLL = "gateway: free route, a poll's answer"
ONCE, NGINX, LUA = "gateway: admitted, idempotency key", "nginx", "nginx and Lua gate"

REACH = {ADMITTED: 1.25, ADMITTED_NO_DISK: 1.25, UNSUPPORTED: 0.45, BROKE: 0.6}
"""Of aio's CPU."""
REACH_POLL, REACH_GATE = 1.05, 0.42
"""Of our own free route's with the same answer, and what the gate adds, of aio's."""
CALLS_PER_POLL_MAX = 0.02
"""Calls of the store for each poll: what a gateway does in the background falls into the window too."""


class AskedTheLedgerError(RuntimeError):
    """Polls of a running job cost calls of the store."""


@dataclass(eq=False, slots=True)
class StoreCalls:
    """How many commands a store took during the windows of a cell."""

    url: str
    calls: int = 0
    requests: int = 0
    _before: int = 0

    async def before(self) -> None:
        """A window begins."""
        self._before = await self._all()

    async def after(self, window: Window) -> None:
        """A window has ended."""
        self.calls += await self._all() - self._before
        self.requests += window.requests

    async def _all(self) -> int:
        redis = Redis.from_url(self.url, decode_responses=True)
        told = await redis.info("commandstats")
        await redis.aclose()
        return sum(int(each["calls"]) for name, each in told.items() if name not in OWN_COMMANDS)


OWN_COMMANDS = frozenset({"cmdstat_info", "cmdstat_ping", "cmdstat_hello", "cmdstat_client|setinfo"})
"""What asking for the figure costs itself."""


async def run(bench: Bench) -> list[Section]:
    """The table, and one more with what the gate adds."""
    bench.say("small requests")
    gateway, other = await bench.gateway(), await bench.gateway("nodisk", "no")
    aio = await bench.aio()
    calls = StoreCalls(gateway.store_url)
    async with Jobs(bench, gateway) as jobs:
        url = f"{gateway.url}/openai/v1"
        gate = gateway.process
        cells = [
            Cell(AIO, aio, Generations(f"{aio.url}/aio/plain/v1").maker()),
            Cell(AIO_GET, aio, gets(f"{aio.url}/aio/plain/v1/models")),
            Cell(PASS, gate, gets(f"{url}/models")),
            Cell(ADMITTED, gate, Generations(url).maker()),
            Cell(ADMITTED_NO_DISK, other.process, Generations(f"{other.url}/openai/v1").maker()),
            Cell(ONCE, gate, Generations(url, once=True).maker()),
            Cell(UNSUPPORTED, gate, Generations(url, sizes=WRONG_SIZES).maker(), 422),
            Cell(BROKE, gate, Generations(url, key=BROKE_KEY).maker(), 402),
            Cell(PASS_POLL, gate, fal_gets(f"{gateway.url}/polled/status"), RUNNING),
            Cell(POLL, gate, jobs.polls(), RUNNING, before=calls.before, after=calls.after),
        ]
        cells += await _nginx_cells(bench)
        readings = await measure(cells, bench.sizes.small_rounds, bench.sizes.seconds, bench.budget)
    if calls.calls > calls.requests * CALLS_PER_POLL_MAX:
        raise AskedTheLedgerError(f"{calls.requests} polls of running jobs cost {calls.calls} calls of the store")
    await _check_lua(bench)
    bench.lab.stop(aio, other.process)
    return _sections(readings, calls)


async def _nginx_cells(bench: Bench) -> list[Cell]:
    """What is installed; what is not is told."""
    if nginx_binary() is None:
        bench.budget.left_out.append("nginx, and nginx with Lua: nginx is not installed")
        return []
    nginx = await start_nginx(bench.lab, bench.mock.url)
    cells = [Cell(NGINX, nginx, Generations(f"{nginx.url}/nginx/plain/v1").maker())]
    if lua_modules() is None:
        bench.budget.left_out.append("nginx with Lua: its Lua module is not installed")
        return cells
    lua = await start_lua_gate(bench.lab, bench.mock.url, await bench.store("lua", bench.fsync))
    url = f"{lua.url}/lua/plain/v1"
    return [
        *cells,
        Cell(LUA, lua, Generations(url).maker()),
        Cell(f"{LUA}: unsupported size", lua, Generations(url, sizes=WRONG_SIZES).maker(), 400),
        Cell(f"{LUA}: over budget", lua, Generations(url, key=BROKE_KEY).maker(), 402),
    ]


async def _check_lua(bench: Bench) -> None:
    """The baseline's books have to agree too, or it did less than it says."""
    if "lua" not in bench.stores:
        return
    made = (await bench.tallies())["lua"]["outputs"] * CREDITS[MODEL]
    books = await lua_books(bench.stores["lua"])
    if (made, 0, 0) != (books["charged"], books["held"], books["open_holds"]):
        raise RuntimeError(f"the Lua gate's books are off: {made} credits were made, {books}")


def _sections(readings: Readings, calls: StoreCalls) -> list[Section]:
    cpu = {name: [each.cpu_us_per_request for each in found] for name, found in readings.items()}
    rows = [Row.of(name, cpu[name], (AIO, cpu[AIO]), reach=REACH.get(name)) for name in cpu if name != POLL]
    note = f"{calls.calls} calls of the store in {calls.requests} polls"
    rows.append(Row.of(POLL, cpu[POLL], (PASS_POLL, cpu[PASS_POLL]), reach=REACH_POLL, note=note))
    added = [one - other for one, other in zip(cpu[ADMITTED], cpu[PASS], strict=True)]
    rows.append(Row.of("the gate adds: admitted less free route", added, (AIO, cpu[AIO]), reach=REACH_GATE))
    rps = {name: [each.requests_per_second for each in found] for name, found in readings.items()}
    speed = [Row(name, Figure.of(values)) for name, values in rps.items()]
    return [
        Section("small", "Small JSON requests, 64 at once: CPU of the measured process", "us a request", tuple(rows)),
        Section(
            "throughput", "Small JSON requests, 64 at once: throughput", "requests a second", tuple(speed),
            ("what costs less than about 60 us is as fast as the load generator and the stand-in, not faster",),
        ),
    ]  # fmt: skip
