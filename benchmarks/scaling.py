"""What more processes bring: one gateway with 1, 2 and 3 workers, and as many gateways on one cluster.

    python -m benchmarks.scaling [--rounds 5] [--seconds 3]

The store has a core to itself, and so have the first two workers, or gateways. Load, provider and the leading process
share the fourth core, and the third worker shares it with them: what it adds is what they leave of it. The cells of a
round follow one another and are compared within it. The store writes no file: what is compared is CPU. It needs four
cores, and takes about two minutes.
"""

import argparse
import asyncio
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks import accounting
from benchmarks.figures import Figure, ratios
from benchmarks.lab import Lab
from benchmarks.load import ClosedLoop, Make
from benchmarks.machine import Cores
from benchmarks.servers import (
    TEAMS,
    Gateway,
    gateway_settings,
    run_command,
    start_gateway,
    start_mock,
    start_store,
)  # fmt: skip
from benchmarks.traffic import Generations, in_turn
from tests.ledger.topologies import ClusterOf

CORES: Final = 4
MANY: Final = 3
"""As many workers, or gateways, as there are cores beside the store's."""
CONNECTIONS: Final = 96
TEAMS_SPREAD: Final = 48
"""Enough for every node of a cluster of three to have about a third of them."""
WARM_S: Final = 2.0


@dataclass(eq=False)
class Cell:
    """One way to serve: who does, and where the load goes."""

    name: str
    pids: Sequence[int]
    makes: Sequence[tuple[str, Make]]
    per_s: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    store_us: list[float] = field(default_factory=list)


def settle_on(pid: int, core: int) -> None:
    """All threads of a process on a core."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})


def settings(mock_url: str, store_url: str) -> dict[str, Any]:
    """The gateway as it is shipped, at the path of the provider that answers at once."""
    return gateway_settings(mock_url, store_url)


async def with_workers(lab: Lab, mock_url: str, store_url: str, count: int) -> Cell:
    """A gateway with so many workers."""
    gateway = await start_gateway(lab, settings(mock_url, store_url), "--workers", str(count))
    pids = _workers_of(gateway) if count > 1 else [gateway.process.pid]
    for core, pid in enumerate(pids):
        settle_on(pid, core)
    if count > 1:
        settle_on(gateway.process.pid, lab.cores.load)
    url = f"{gateway.url}/openai/v1"
    return Cell(f"{count} worker{'s' * (count > 1)}", pids, [(url, Generations(url).maker())] * count)


def _workers_of(gateway: Gateway) -> list[int]:
    lines = gateway.process.log.read_text()
    return [int(pid) for pid in re.findall(r'"pid":(\d+),"starts":1,"event":"worker.started"', lines)]


async def with_gateways(lab: Lab, mock_url: str, store_url: str, count: int, keys: Sequence[str]) -> Cell:
    """So many gateways on one store, each with its share of the load; the load is of all these keys in turn."""
    found = [await start_gateway(lab, settings(mock_url, store_url)) for _ in range(count)]
    for core, gateway in enumerate(found):
        settle_on(gateway.process.pid, core)
    urls = [f"{gateway.url}/openai/v1" for gateway in found]
    makes = [(url, in_turn([Generations(url, key=key).maker() for key in keys])) for url in urls]
    return Cell(f"{count} gateway{'s' * (count > 1)}", [each.process.pid for each in found], makes)


async def window(cell: Cell, stores: Sequence[int], seconds: float) -> None:
    """One window of load: its rate, and what a request cost the gateway and the store."""
    async with asyncio.TaskGroup() as group:
        loops = [group.create_task(_run(url, make, len(cell.makes), seconds)) for url, make in cell.makes]
        before = _cpu_us(cell.pids), _cpu_us(stores)
    after = _cpu_us(cell.pids), _cpu_us(stores)
    total = sum(each.result()[0] for each in loops)
    cell.per_s.append(sum(count / taken for count, taken in (each.result() for each in loops)))
    cell.cpu_us.append((after[0] - before[0]) / total)
    cell.store_us.append((after[1] - before[1]) / total)


async def _run(url: str, make: Make, share: int, seconds: float) -> tuple[int, float]:
    async with ClosedLoop(url, make, CONNECTIONS // share) as loop:
        found = await loop.run(seconds)
    if found.wrong(200):
        raise RuntimeError(f"{url} answered {found.wrong(200)}")
    return found.requests, found.seconds


def _cpu_us(pids: Sequence[int]) -> float:
    return sum(map(accounting.cpu_ns, pids)) / 1000


async def compare(cells: Sequence[Cell], stores: Sequence[int], rounds: int, seconds: float) -> None:
    """All cells in turn, so often, after a warm-up; prints the table."""
    for number in range(rounds + 1):
        for cell in cells:
            await window(cell, stores, seconds if number else WARM_S)
            if not number:
                cell.per_s, cell.cpu_us, cell.store_us = [], [], []
    for cell in cells:
        times = Figure.of(ratios(cell.per_s, cells[0].per_s))
        rate, own, store = Figure.of(cell.per_s), Figure.of(cell.cpu_us), Figure.of(cell.store_us)
        sys.stdout.write(
            f"  {cell.name:12} {rate.median:7.0f} requests/s  {times.median:5.2f}x ({times.least:.2f}-{times.most:.2f})"
            f"   gateway {own.median:5.0f} us   store {store.median:4.0f} us\n"
        )


def spread_teams() -> list[str]:
    """Further teams for the gateways, each with a key of its own, which stands in the environment."""
    keys = []
    for number in range(TEAMS_SPREAD):
        key = f"gk_spreadspreadspread{number:04d}"
        os.environ[f"SPREAD_{number}"] = key
        TEAMS["teams"].append(
            {
                "id": f"spread-{number}",
                "grants": [{"id": "opening", "credits": 9_000_000}],
                "keys": [{"id": "key", "secret": {"env": f"SPREAD_{number}"}}],
            }
        )
        keys.append(key)
    return keys


async def measure(rounds: int, seconds: float) -> None:
    """Both tables, and whether the books are right afterwards."""
    shared, alone = CORES - 2, CORES - 1
    keys = spread_teams()
    sys.stdout.write("the store has a core; load, provider and leader share one with the third that serves\n")
    async with Lab(Cores(0, shared, shared, alone)) as lab:
        mock = await start_mock(lab)
        store_url = await start_store(lab, "no")
        store = next(each.pid for each in lab.running if each.name == "store")
        cells = [await with_workers(lab, mock.url, store_url, count) for count in range(1, MANY + 1)]
        sys.stdout.write(f"one gateway, one store, one team, {CONNECTIONS} connections\n")
        await compare(cells, [store], rounds, seconds)
        await check(lab, mock.url, store_url)
    cluster = await asyncio.to_thread(ClusterOf, MANY)
    try:
        for server in cluster.servers:
            settle_on(server.process.pid, alone)
        async with Lab(Cores(0, shared, shared, alone)) as lab:
            mock = await start_mock(lab)
            pids = [server.process.pid for server in cluster.servers]
            cells = [await with_gateways(lab, mock.url, cluster.url, count, keys) for count in range(1, MANY + 1)]
            sys.stdout.write(
                f"gateways on a cluster of {MANY} masters, {TEAMS_SPREAD} teams, {CONNECTIONS} connections\n"
            )
            before = [_calls(server.info("commandstats")) for server in cluster.servers]
            await compare(cells, pids, rounds, seconds)
            calls = [_calls(s.info("commandstats")) - was for s, was in zip(cluster.servers, before, strict=True)]
            sys.stdout.write(f"  shares of the calls by node: {', '.join(f'{n / sum(calls):.2f}' for n in calls)}\n")
            await check(lab, mock.url, cluster.url)
    finally:
        cluster.close()


def _calls(stats: dict[str, Any]) -> int:
    return int(stats["cmdstat_evalsha"]["calls"])


async def check(lab: Lab, mock_url: str, store_url: str) -> None:
    """Speed that was bought with correctness shows here."""
    gateway = await start_gateway(lab, settings(mock_url, store_url))
    code, said = await run_command(gateway, "verify")
    sys.stdout.write(f"  verify: {'clean' if code == 0 else said}\n")


def main() -> None:
    """`python -m benchmarks.scaling`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    given = parser.parse_args()
    if len(os.sched_getaffinity(0)) < CORES:
        sys.exit(f"this takes {CORES} cores: each worker has one to itself")
    asyncio.run(measure(given.rounds, given.seconds))


if __name__ == "__main__":
    main()
