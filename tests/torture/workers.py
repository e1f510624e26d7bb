"""The run with workers: no HTTP in front of the ledger, and so as many holds as the machine can make."""

import asyncio
import json
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path

from tests.torture.judge import Verdict
from tests.torture.lineprovider import LineProvider
from tests.torture.scenes import CREDIT, RICH, Cast, Run, teams_of
from tests.torture.victims import Victim, python
from tests.torture.worker import GRACE_MS, TTL_MS, Orders

AT_ONCE = 100
"""Generations beside each other in one worker."""
PRICE = 5 * CREDIT
ROOT = Path(__file__).parents[2]


async def _hire(run: Run, name: str, socket: Path) -> Victim:
    cwd = run.directory / name
    cwd.mkdir()
    proxy = await run.proxy()
    teams = [*RICH * 6, *(team.id for team in teams_of(PRICE))]
    orders = Orders(name, proxy.url, str(socket), str(cwd / "data" / "outbox"), teams, AT_ONCE)
    command = python("tests.torture.worker", json.dumps(asdict(orders)))
    return Victim(name, command, cwd, proxy, "up", PYTHONPATH=str(ROOT))


async def torture_workers(
    directory: Path, *, seconds: float, seed: int, say: Callable[[str], None], waits: bool, workers: int = 3
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
            codes = await asyncio.gather(*(victim.stop() for victim in victims))
            assert codes == [0] * len(victims), codes

        cast = Cast(victims, asyncio.Event().wait, finish, PRICE, TTL_MS + GRACE_MS, "meta")  # type: ignore[arg-type]
        return run, await run.play(cast, seconds), victims
