"""How much of each is grown to, and how long it is measured."""

from dataclasses import dataclass
from typing import Final

from benchmarks.bench import Bench, Sizes


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowthSizes(Sizes):
    """A run's sizes. The first of each is what the others are compared with."""

    teams: tuple[int, ...]
    models: tuple[int, ...]
    settled: tuple[int, ...]
    jobs: tuple[int, ...]
    starts: int
    idle_s: float


def _sizes(mode: str, budget_s: float, rounds: int, seconds: float) -> tuple[str, float, int, int, float, float, float]:
    return mode, budget_s, rounds, 0, seconds, 0.0, 0.0


_NONE: Final = (0,) * 6
"""What other runs measure, and this one does not."""

# Of the 20 minutes some are kept for the books: 1,000,000 settled holds are derived again, and 20,000 teams.
FULL: Final = GrowthSizes(
    *_sizes("full", 950, 7, 2.0), *_NONE,
    teams=(10, 10_000, 1_000_000), models=(0, 1_000, 10_000), settled=(0, 100_000, 1_000_000), jobs=(1, 1_000, 10_000),
    starts=3, idle_s=6.0,
)  # fmt: skip
QUICK: Final = GrowthSizes(
    *_sizes("quick", 170, 3, 0.6), *_NONE,
    teams=(10, 20_000), models=(0, 2_000), settled=(0, 20_000), jobs=(1, 500),
    starts=1, idle_s=1.5,
)  # fmt: skip


def sizes_of(bench: Bench) -> GrowthSizes:
    """The run's sizes, which are this kind's."""
    sizes = bench.sizes
    if not isinstance(sizes, GrowthSizes):
        raise TypeError("growth needs sizes of its own")
    return sizes
