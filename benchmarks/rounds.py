"""Rounds: everything that is compared takes its turn in each, in another order each time, and the first one is thrown
away. So what the machine does beside falls on all of them alike, and only ratios within a round are told."""

import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from benchmarks.client import LOST
from benchmarks.lab import Running
from benchmarks.load import ClosedLoop, Make, Window

WARM_UP_SHARE: Final = 0.5
"""How long the round that is thrown away is, of the others."""


class WrongAnswersError(RuntimeError):
    """Answers were not what the cell expects: its figures would tell of something else."""


@dataclass(eq=False, slots=True)
class Budget:
    """How long a run may take, and what was left out to keep it."""

    seconds: float
    begun_s: float = field(default_factory=time.monotonic)
    left_out: list[str] = field(default_factory=list)

    @property
    def left_s(self) -> float:
        """What there is left."""
        return self.begun_s + self.seconds - time.monotonic()

    def allows(self, seconds: float, what: str) -> bool:
        """Whether so much is left; if not, that it was left out is noted."""
        if self.left_s >= seconds:
            return True
        self.left_out.append(f"{what}: it takes about {seconds:.0f} s, {max(0.0, self.left_s):.0f} s were left")
        return False


@dataclass(eq=False, slots=True)
class Cell:
    """One thing that is measured: who is loaded, with what, and what the answers have to be."""

    name: str
    process: Running
    make: Make
    status: int = 200
    connections: int = 64
    before: Callable[[], Awaitable[object]] | None = None
    """Called before each window, and `after` after it: for counters that are looked at beside."""
    after: Callable[[Window], Awaitable[object]] | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """One window of one cell."""

    cpu_us: float
    window: Window

    @property
    def cpu_us_per_request(self) -> float:
        """CPU of the measured process for each request."""
        return self.cpu_us / self.window.requests

    @property
    def cpu_ms_per_mb(self) -> float:
        """CPU of the measured process for each million bytes of answers."""
        return self.cpu_us * 1000 / self.window.body_bytes

    @property
    def requests_per_second(self) -> float:
        """Throughput; with a fast server the load's, not the server's."""
        return self.window.requests / self.window.seconds


Readings = dict[str, list[Reading]]


async def measure(cells: Sequence[Cell], rounds: int, seconds: float, budget: Budget, seed: int = 1) -> Readings:
    """The readings of each cell, one for each round. Stops early, after a whole round, where the budget ends."""
    lots, found = random.Random(seed), Readings((cell.name, []) for cell in cells)
    for cell in cells:
        await _window(cell, seconds * WARM_UP_SHARE)
    for done in range(rounds):
        begun, order = time.monotonic(), list(cells)
        lots.shuffle(order)
        for cell in order:
            found[cell.name].append(await _window(cell, seconds))
        took_s, missing = time.monotonic() - begun, rounds - done - 1
        if missing and not budget.allows(took_s, f"{missing} of {rounds} rounds of {cells[0].name} and its neighbours"):
            break
    return found


async def _window(cell: Cell, seconds: float) -> Reading:
    async with ClosedLoop(cell.process.url, cell.make, cell.connections) as loop:
        if cell.before is not None:
            await cell.before()
        before = cell.process.cpu_us()
        window = await loop.run(seconds)
        spent = cell.process.cpu_us() - before
        if cell.after is not None:
            await cell.after(window)
    expect(cell.name, window, cell.status)
    return Reading(spent, window)


def expect(name: str, window: Window, status: int) -> None:
    """Raises WrongAnswersError if any answer was another."""
    wrong = window.wrong(status)
    if wrong:
        told = ", ".join(f"{count} x {'broken off' if each == LOST else each}" for each, count in wrong.items())
        raise WrongAnswersError(f"{name}: {told} among {window.requests} answers that should have been {status}")
