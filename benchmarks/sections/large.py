"""Large answers: 2 MB of base64 in JSON, 16 at once. CPU for each million bytes."""

from benchmarks.baselines.nginx import nginx_binary, start_nginx
from benchmarks.bench import Bench
from benchmarks.results import Row, Section
from benchmarks.rounds import Cell, measure
from benchmarks.traffic import Generations

AT_ONCE = 16
MANNER = "large-2000000"
REACH = 1.0


async def run(bench: Bench) -> list[Section]:
    """The table."""
    bench.say("answers of 2 MB")
    gateway, aio = await bench.gateway(), await bench.aio()
    cells = [
        Cell("aio", aio, Generations(f"{aio.url}/aio/{MANNER}/v1").maker(), connections=AT_ONCE),
        Cell("gateway", gateway.process, Generations(f"{gateway.url}/large/v1").maker(), connections=AT_ONCE),
    ]
    started = [aio, gateway.process]
    if nginx_binary() is not None:
        nginx = await start_nginx(bench.lab, bench.mock.url)
        cells.append(Cell("nginx", nginx, Generations(f"{nginx.url}/nginx/{MANNER}/v1").maker(), connections=AT_ONCE))
        started.append(nginx)
    readings = await measure(cells, bench.sizes.rounds, bench.sizes.large_seconds, bench.budget)
    bench.lab.stop(*started)
    cpu = {name: [each.cpu_ms_per_mb for each in found] for name, found in readings.items()}
    rows = [Row.of(name, cpu[name], ("aio", cpu["aio"]), reach=REACH if name == "gateway" else None) for name in cpu]
    return [Section("large", f"Answers of 2 MB, {AT_ONCE} at once: CPU", "ms a MB", tuple(rows))]
