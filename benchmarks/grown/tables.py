"""Points of growth as a table: every figure at every size, as a multiple of itself at the smallest."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, Protocol

from benchmarks.grown.points import RSS_AFTER, STORE_MB
from benchmarks.results import Row, Section

REACH: Final = 1.1
"""Flat: within so much of what it is at the smallest size."""
LEAST: Final = 0.5
"""Figures below this (milliseconds a second, microseconds) have no ratio worth telling."""


class Grown(Protocol):
    """A size, and what was found at it."""

    @property
    def size(self) -> int: ...
    @property
    def found(self) -> dict[str, list[float]]: ...


def table(name: str, title: str, items: str, points: Sequence[Grown], why: Mapping[str, str]) -> Section:
    """One row for each figure and size. `why` says of a figure, by the end of its name, why it is not flat; it is said
    where that is so."""
    first, *others = points
    rows = list[Row]()
    for figure, base in first.found.items():
        rows.append(Row.of(f"{figure}: {first.size:,} {items}", base))
        rows += [_beside(figure, base, first.size, point, items, why) for point in others]
    return Section(name, title, "", (*rows, *_each(points, items)))


def _beside(
    figure: str, base: Sequence[float], size: int, point: Grown, items: str, why: Mapping[str, str]
) -> Row:  # fmt: skip
    count = min(len(base), len(point.found[figure]))
    values, base = point.found[figure][:count], base[:count]
    compared = (f"{size:,} {items}", base) if min(base) >= LEAST else None
    reach = None if figure == STORE_MB else REACH  # what is stored takes room; how much each takes is told below
    row = Row.of(f"{figure}: {point.size:,} {items}", values, compared, reach=reach)
    if row.ratio is not None and row.ratio.median <= REACH:
        return row
    return replace(row, note=next((text for end, text in why.items() if figure.endswith(end)), ""))


def _each(points: Sequence[Grown], items: str) -> list[Row]:
    """What each item adds to the memory of the store and of the gateway."""
    first, *others = points
    return [
        Row.of(f"{who}, KB that each adds: {point.size:,} {items}", [kb_each(first, point, figure)])
        for who, figure in (("store", STORE_MB), ("gateway", RSS_AFTER))
        for point in others
    ]


def kb_each(first: Grown, point: Grown, figure: str) -> float:
    """The KB that each item beyond the smallest size adds to a figure in MB."""
    return (point.found[figure][-1] - first.found[figure][-1]) * 1024 / (point.size - first.size)
