"""The run with workers: no HTTP in front of the ledger, and so as many holds as the machine can make."""

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path

from tests.torture.judge import Verdict
from tests.torture.lineprovider import LineProvider
from tests.torture.scenes import CREDIT, FAULTS_PER_S, NOTHING, RICH, Cast, Least, Run, teams_of
from tests.torture.steps import STEPS, Step
from tests.torture.victims import Victim
from tests.torture.worker import GRACE_MS, TTL_MS, Orders

AT_ONCE = 100
"""Generations beside each other in one worker."""
PRICE = 5 * CREDIT
MANY_FAULTS_PER_S = 4.0
"""Of each proxy, when faults are all there is."""
ROOT = Path(__file__).parents[2]


async def _hire(run: Run, name: str, socket: Path) -> Victim:
    cwd = run.directory / name
    cwd.mkdir()
    proxy = await run.proxy()
    teams = [*RICH * 6, *(team.id for team in teams_of(PRICE))]
    orders = Orders(name, proxy.url, str(socket), str(cwd / "data" / "outbox"), teams, AT_ONCE)
    command = ["tests.torture.worker", json.dumps(asdict(orders))]
    return Victim(name, command, cwd, proxy, "up", PYTHONPATH=str(ROOT))


async def torture_workers(
    directory: Path,
    *,
    seconds: float,
    seed: int,
    say: Callable[[str], None],
    waits: bool,
    workers: int = 3,
    steps: Mapping[str, Step] = STEPS,
    faults_per_s: float = FAULTS_PER_S,
    least: Least = NOTHING,
) -> tuple[Run, Verdict, list[Victim]]:
    """One run with so many workers."""
    run = Run(directory, seed, waits, say)
    async with AsyncExitStack() as stack:
        await run.open()
        stack.push_async_callback(run.close)
        await run.found_teams(PRICE)
        provider = LineProvider(run.bills, directory / "provider.sock")
        await provider.start()
        stack.push_async_callback(provider.close)
        victims = [await _hire(run, f"w{number}", provider.socket) for number in range(workers)]
        for victim in victims:
            await victim.start()
            stack.callback(victim.kill)

        async def finish() -> None:
            run.codes = await asyncio.gather(*(victim.stop() for victim in victims))

        cast = Cast(victims, _idle, finish, PRICE, TTL_MS + GRACE_MS, "meta", None, steps, faults_per_s, least)
        return run, await run.play(cast, seconds), victims


async def torture_faults(
    directory: Path,
    *,
    seconds: float,
    seed: int,
    say: Callable[[str], None],
    waits: bool,
    least: Least = NOTHING,
) -> tuple[Run, Verdict, list[Victim]]:
    """One run in which nobody is killed and every way to the store breaks all the time."""
    return await torture_workers(
        directory, seconds=seconds, seed=seed, say=say, waits=waits, steps={}, faults_per_s=MANY_FAULTS_PER_S,
        least=least,
    )  # fmt: skip


async def _idle() -> None:
    """Workers make their own load."""
    await asyncio.Event().wait()
