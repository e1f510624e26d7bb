"""Counting that costs an addition: plain numbers, made into metrics when somebody looks.

For what is counted with every request. The library's own counters take a lock and several calls for each addition. Each
of these has a bound on its series; what is beyond it is counted together. They are for one thread.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

SERIES_MAX: Final = 2000
"""Combinations of labels that one metric counts apart: about 150 KB of text when it is scraped."""

ELSE: Final = ""
"""The label of what is not counted apart."""

Labels = tuple[str, ...]


class Counts(Collector):
    """A counter with labels. `fold` says under which labels a combination counts that was not met before. Who counts
    with every request may add to `cells` itself where there is one, and calls `add` where there is none."""

    def __init__(
        self, name: str, about: str, labels: Sequence[str], *, unit: int = 1, series_max: int = SERIES_MAX
    ) -> None:
        self.name, self.about, self.labels = name, about, tuple(labels)
        self.fold: Callable[[Labels], Labels] = _as_it_is
        self._unit = unit
        self._series_max = series_max
        self.cells: dict[Labels, int] = {}

    def add(self, labels: Labels, amount: int = 1) -> None:
        """As many as `amount` more."""
        try:
            self.cells[labels] += amount
        except KeyError:
            place = self._place(self.fold(labels))
            self.cells[place] = self.cells.get(place, 0) + amount

    def _place(self, labels: Labels) -> Labels:
        has_room = labels in self.cells or len(self.cells) < self._series_max
        return labels if has_room else (ELSE,) * len(self.labels)

    def collect(self) -> Iterable[Metric]:
        """The counter as it is now."""
        family = CounterMetricFamily(self.name, self.about, labels=self.labels)
        for labels, count in self.cells.items():
            family.add_metric(labels, count / self._unit)
        yield family


class Bars:
    """How many were how large: one series of a `Spread`."""

    __slots__ = ("_bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """One more; a bound belongs to the bar below it."""
        self.counts[bisect_left(self._bounds, value)] += 1
        self.total += value


class Spread(Collector):
    """A histogram with labels; `fold` and `cells` are as those of `Counts`."""

    def __init__(
        self, name: str, about: str, labels: Sequence[str], bounds: Sequence[float], *, series_max: int = SERIES_MAX
    ) -> None:
        self.name, self.about, self.labels = name, about, tuple(labels)
        self.fold: Callable[[Labels], Labels] = _as_it_is
        self._bounds = tuple(bounds)
        self._names = [*map(floatToGoString, bounds), "+Inf"]
        self._most = series_max // (len(bounds) + 3)
        self.cells: dict[Labels, Bars] = {}

    def observe(self, labels: Labels, value: float) -> None:
        """One more."""
        bars = self.cells.get(labels)
        if bars is None:
            bars = self.bars(self.fold(labels))
        bars.observe(value)

    def bars(self, labels: Labels = ()) -> Bars:
        """The series of these labels, for whoever has only one to fill."""
        if labels not in self.cells and len(self.cells) >= self._most:
            labels = (ELSE,) * len(self.labels)
        return self.cells.setdefault(labels, Bars(self._bounds))

    def collect(self) -> Iterable[Metric]:
        """The histogram as it is now."""
        family = HistogramMetricFamily(self.name, self.about, labels=self.labels)
        for labels, bars in self.cells.items():
            buckets = list(zip(self._names, accumulate(bars.counts), strict=True))
            family.add_metric(labels, buckets, bars.total)
        yield family


def _as_it_is(labels: Labels) -> Labels:
    return labels
