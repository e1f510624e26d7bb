"""`make bench-peers`: LiteLLM and Portkey beside the gateway, in one run, each alone on the measured core.

    python -m benchmarks.peers [--quick] [--rounds 5]

They are set up under `.peers` at the first run, which uses the network; where that is impossible the run says so and
goes on without. Each is warmed up for long, because Portkey's engine compiles what is called often, and LiteLLM loads
parts at first use. No figure of these is of like with like: beside each stands what the peer did not enforce.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from benchmarks.accounting import family
from benchmarks.bench import FULL, QUICK, Bench
from benchmarks.lab import NotStartedError, Running
from benchmarks.load import ClosedLoop
from benchmarks.peers import KEY, PEERS, NotInstalledError, Peer, ready
from benchmarks.results import Row, Section
from benchmarks.rounds import Cell, Readings, expect, measure
from benchmarks.running import Part, carry_out
from benchmarks.traffic import Generations

WARM_UP_S: Final = {"full": 15.0, "quick": 6.0}
SIZES: Final = {
    "full": replace(FULL, rounds=5, seconds=5, budget_s=600),
    "quick": replace(QUICK, rounds=3, seconds=3, budget_s=180),
}
OURS, AIO = "gateway", "aio"
Started = list[tuple[Peer, Running]]


async def start_peers(bench: Bench) -> Started:
    """Those that can be set up here; the others are noted as left out."""
    found: Started = []
    for peer in PEERS:
        bench.say(f"setting up {peer.name}")
        try:
            peer.setup()
            found.append((peer, await ready(peer.start(bench.lab, bench.mock.url))))
        except (NotInstalledError, NotStartedError) as error:
            bench.budget.left_out.append(f"{peer.name}: {error}")
    return found


async def run(bench: Bench) -> list[Section]:
    """CPU and throughput of all of them."""
    peers = await start_peers(bench)
    bench.budget.begun_s = time.monotonic()  # to set them up may take minutes, once
    gateway, aio = await bench.gateway(), await bench.aio()
    cells = [
        Cell(AIO, aio, Generations(f"{aio.url}/aio/plain/v1").maker()),
        Cell(OURS, gateway.process, Generations(f"{gateway.url}/openai/v1").maker()),
        *(_cell(bench, peer, process) for peer, process in peers),
    ]
    for cell in cells[2:]:
        bench.say(f"warming up {cell.name}")
        async with ClosedLoop(cell.process.url, cell.make, cell.connections) as loop:
            expect(cell.name, await loop.run(WARM_UP_S[bench.sizes.mode]), cell.status)
        cell.process.pids = tuple(family(cell.process.pid))
    bench.say("measuring")
    readings = await measure(cells, bench.sizes.small_rounds, bench.sizes.seconds, bench.budget)
    return sections(readings, [peer for peer, _ in peers])


def _cell(bench: Bench, peer: Peer, process: Running) -> Cell:
    make = Generations(f"{process.url}/v1", KEY, headers=peer.headers(bench.mock.url)).maker()
    return Cell(peer.name, process, make)


def sections(readings: Readings, peers: Sequence[Peer]) -> list[Section]:
    """What ours is of theirs: CPU as a multiple of ours, throughput on one core as ours to theirs."""
    cpu = {name: [each.cpu_us_per_request for each in found] for name, found in readings.items()}
    rps = {name: [each.requests_per_second for each in found] for name, found in readings.items()}
    base, marks = (OURS, cpu[OURS]), {peer.name: peer.at_least for peer in peers}
    costs = [Row.of(name, values, base, reach=marks.get(name), at_least=True) for name, values in cpu.items()]
    speeds = [Row.of(name, values) for name, values in rps.items()]
    speeds += [Row.of(f"{OURS} to {peer.name}", rps[OURS], (peer.name, rps[peer.name])) for peer in peers]
    per_core = "throughput for each core is the inverse of this: to wait for the store's disk costs no core"
    notes = (per_core, *(f"{peer.name} did not enforce: {peer.not_enforced}" for peer in peers))
    return [
        Section("peers-cpu", "Peers: CPU, small JSON, 64 at once", "us a request", tuple(costs), notes),
        Section("peers-speed", "Peers: throughput, each alone on one core", "requests a second", tuple(speeds)),
    ]


if __name__ == "__main__":
    sys.exit(carry_out("benchmarks.peers", "Other gateways beside this one.", {"peers": Part(run)}, SIZES, "-peers"))
