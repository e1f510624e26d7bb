"""The arithmetic of the benchmarks: medians with their range, ratios within a round, percentiles. No clock, no I/O."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Figure:
    """What some rounds came to. `values` has every round, in order."""

    median: float
    least: float
    most: float
    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Of at least one round."""
        return cls(statistics.median(values), min(values), max(values), tuple(values))

    def document(self) -> dict[str, object]:
        """As it stands in a results file."""
        return {"median": self.median, "min": self.least, "max": self.most, "rounds": list(self.values)}


def ratios(values: Sequence[float], base: Sequence[float]) -> list[float]:
    """Each round's value to the base's of the same round: what slows both down in a round falls out."""
    if len(values) != len(base):
        raise ValueError(f"{len(values)} rounds cannot be compared with {len(base)}")
    return [value / unit for value, unit in zip(values, base, strict=True)]


def percentile(ordered: Sequence[float], share: float) -> float:
    """The least value that this share of them (0 to 1) do not exceed: the nearest rank, never between two values."""
    if not ordered:
        raise ValueError("no values have no percentile")
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
