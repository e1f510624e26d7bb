"""The parts of a torture run: each goes on for so many seconds, round after round, and gives its row of the table.

A round has a store of its own that starts empty, so that a long run is not slowed down by its own past.
"""

import asyncio
import shutil
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from tests.torture.gateways import torture_gateways
from tests.torture.judge import Verdict
from tests.torture.model import own_server, torture_model
from tests.torture.rows import Row
from tests.torture.scenes import Run
from tests.torture.steps import STEPS
from tests.torture.victims import Victim, python
from tests.torture.workers import torture_faults, torture_workers

Say = Callable[[str], None]
Part = Callable[[float, int, Say], Row]
Played = tuple[Run, Verdict, Sequence[Victim]]

ROUND_S = {"workers": 120.0, "gateways": 240.0, "faults": 90.0}
REST_S = {"workers": 45.0, "gateways": 110.0, "faults": 45.0}
"""What coming to rest and judging may take."""
TRIES = 3
"""A moment that was waited for so often and never came is a fault of this run."""
LEAST_S = 15.0
"""A shorter round is not worth its start."""
MODEL_STEPS = 500_000
"""In one process; two of them make the million."""
ROOT = Path(__file__).parents[2]


def _rounds(part: str, play: Callable[..., Awaitable[Played]], seconds: float, seed: int, say: Say) -> Row:
    """Rounds until the time is over."""
    row, end_s, number = Row(part, seed), time.monotonic() + seconds, 0
    while (left_s := end_s - time.monotonic() - REST_S[part]) > LEAST_S or number == 0:
        directory = Path(tempfile.mkdtemp(prefix=f"gk-{part}-"))
        length_s = max(min(ROUND_S[part], left_s), LEAST_S)
        row.add(asyncio.run(_round(part, play, directory, length_s, seed + number, say)))
        if row.samples or row.error:
            say(f"{part}: what is left of round {number} is in {directory}")
            return row
        shutil.rmtree(directory, ignore_errors=True)
        number += 1
    return row


async def _round(
    part: str, play: Callable[..., Awaitable[Played]], directory: Path, seconds: float, seed: int, say: Say
) -> Row:
    played = await play(directory, seconds=seconds, seed=seed, say=lambda text: say(f"{part}: {text}"), waits=True)
    row = row_of(part, seed, played)
    say(f"{part}: round over, {row.holds} holds, {row.kills} kills, {'good' if not any(row.zeros.values()) else 'BAD'}")
    return row


def row_of(part: str, seed: int, played: Played) -> Row:
    """What one round adds to the table. A step that was tried often must have been hit; a short round tries not all."""
    run, verdict, victims = played
    kills = sum(victim.kills for victim in victims) + run.store.kills
    wanted = {f"killed: {name}": run.hits[name] for name in STEPS if run.hits[name] or run.tries[name] >= TRIES}
    figures = {f"not tried: {name}": 1 for name in STEPS if run.tries and not run.tries[name]}
    figures |= dict(verdict.figures) | {f"provider: {manner}": count for manner, count in run.bills.manners.items()}
    return Row(part, seed, 1, verdict.holds, kills, dict(verdict.zeros), wanted, figures, list(verdict.samples))


def workers(seconds: float, seed: int, say: Say) -> Row:
    """Workers and the store killed at every step, a million holds."""
    return _rounds("workers", torture_workers, seconds, seed, say)


def faults(seconds: float, seed: int, say: Say) -> Row:
    """Nobody is killed; the way to the store breaks in every manner, many times a second."""
    return _rounds("faults", torture_faults, seconds, seed, say)


def gateways(seconds: float, seed: int, say: Say) -> Row:
    """Real gateways over HTTP, and the store, killed at every step."""
    return _rounds("gateways", torture_gateways, seconds, seed, say)


def model(seconds: float, seed: int, say: Say) -> Row:
    """The state machine against its model."""
    told = time.monotonic()

    def tell(steps: int) -> None:
        nonlocal told
        if time.monotonic() - told > 10:
            told = time.monotonic()
            say(f"model: {steps} steps")

    with own_server() as socket:
        rounds, steps = torture_model(socket, steps=MODEL_STEPS, first_seed=seed, seconds=seconds, say=tell)
    return Row("model", seed, rounds, 0, 0, {"answers that differ": 0}, {"steps": steps})


def mutations(seconds: float, seed: int, say: Say) -> Row:
    """Every guard of the scripts taken out, one at a time."""
    command = python("pytest", "-q", "-p", "no:cacheprovider", "tests/torture/test_mutations.py")
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=max(seconds, 120), check=False)
    say(f"mutations: {(ended.stdout.strip().splitlines() or ['no output'])[-1]}")
    failed = [line for line in ended.stdout.splitlines() if line.startswith("FAILED")]
    missed = max(len(failed), int(ended.returncode != 0))
    return Row("mutations", seed, 1, zeros={"guards that nobody misses": missed}, samples=failed)


PARTS: dict[str, Part] = {
    "mutations": mutations, "model": model, "workers": workers, "gateways": gateways, "faults": faults,
}  # fmt: skip
