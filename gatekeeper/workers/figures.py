"""The metrics of a gateway in several processes: each counts for itself, and what is shown is made of all.

Counting costs a worker what it costs a process alone: its figures are told once a second and when somebody scrapes, not
at each step. Counters and histograms are summed, and what a dead worker had told stays in the sums, so that none ever
goes down; what it had counted since is lost with it, at most a second's. The journal answers for credits, not these.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from prometheus_client import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

Key = tuple[str, tuple[tuple[str, str], ...]]
"""A sample's name and its labels."""

Values = Mapping[Key, float]

Rule = Literal["sum", "max", "own"]

IN_FLIGHT: Final = "gatekeeper_generations_in_flight"
"""Of a process: its generations between hold and settlement."""

GAUGES: Final[Mapping[str, Rule]] = {
    IN_FLIGHT: "sum",
    "gatekeeper_outbox_resolutions": "sum",
    # Every worker follows the jobs that it took, and those that its walk has found, which may be all.
    "gatekeeper_jobs_open": "max",
    # Workers share one directory, in which their leader counts.
    "gatekeeper_webhooks_waiting": "own",
    "gatekeeper_store_durability": "own",
    "gatekeeper_verify_differences": "own",
    "gatekeeper_verify_timestamp_seconds": "own",
    "gatekeeper_workers": "own",
    "gatekeeper_build_info": "own",
    "gatekeeper_requests_in_flight": "sum",
    "gatekeeper_outbox_oldest_age_seconds": "max",
    # The jobs that one process is behind with may be another's too; whoever is behind most is what callers feel.
    "gatekeeper_jobs_behind_seconds": "max",
    # The leader goes the rounds for all.
    "gatekeeper_store_up": "own",
    "gatekeeper_store_ping_seconds": "own",
    "gatekeeper_holds_open": "own",
    "gatekeeper_hold_oldest_age_seconds": "own",
    "gatekeeper_credits_held_open": "own",
    "gatekeeper_credits_owed": "own",
    "gatekeeper_teams": "own",
    "gatekeeper_teams_owing": "own",
    "gatekeeper_teams_unreadable": "own",
    "gatekeeper_holds_counted_timestamp_seconds": "own",
    "process_virtual_memory_bytes": "sum",
    "process_resident_memory_bytes": "sum",
    # Each process has a bound of its own, which is the same for all: whoever has most open is nearest to it.
    "process_open_fds": "max",
    "process_max_fds": "own",
    "process_start_time_seconds": "own",
}
"""What is shown of a gauge that every process has: the sum over living workers, the largest, or the leader's own."""

CREATED: Final = "_created"
"""The end of the name of a sample that says since when is counted: since the first began."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What a process has counted: for each metric its samples."""

    families: Mapping[str, Values] = field(default_factory=dict)

    def value(self, name: str) -> float:
        """The sum of this metric's samples; 0 where there are none."""
        return sum(self.families.get(name, {}).values())


def figures_of(families: Iterable[Metric]) -> Figures:
    """The figures of these metrics as they are now."""
    return Figures({family.name: _values(family) for family in families})


class Totals(Collector):
    """The figures of all. `own` are the leader's metrics, which know each by name; `living` asks for the workers'."""

    def __init__(self, own: Callable[[], Iterable[Metric]], living: Callable[[], Iterable[Figures]]) -> None:
        self._own = own
        self._living = living
        self._past: dict[str, dict[Key, float]] = {}
        self._shown: dict[Key, float] = {}

    def retire(self, figures: Figures) -> None:
        """A worker is gone: what it had counted stays, what it had in hand does not."""
        for name, values in figures.families.items():
            past = self._past.setdefault(name, {})
            for key, value in values.items():
                past[key] = min(past.get(key, value), value) if _is_created(key) else past.get(key, 0.0) + value

    def collect(self) -> Iterable[Metric]:
        """Each metric once, its samples those of all processes."""
        living = tuple(self._living())
        for family in self._own():
            parts = [figures.families[family.name] for figures in living if family.name in figures.families]
            values = self._gauge(family, parts) if family.type == "gauge" else self._counted(family, parts)
            family.samples = [Sample(name, dict(labels), value) for (name, labels), value in values.items()]
            yield family

    def _gauge(self, family: Metric, parts: Iterable[Values]) -> Values:
        values, rule = dict(_values(family)), GAUGES.get(family.name, "sum")
        for part in parts if rule != "own" else ():
            for key, value in part.items():
                before = values.get(key, 0.0)
                values[key] = max(before, value) if rule == "max" else before + value
        return values

    def _counted(self, family: Metric, parts: Iterable[Values]) -> Values:
        values = dict(_values(family))
        for part in (self._past.get(family.name, {}), *parts):
            for key, value in part.items():
                values[key] = min(values.get(key, value), value) if _is_created(key) else values.get(key, 0.0) + value
        # Sums of fractions depend on the order: whoever reads a counter takes the smallest step down for a restart.
        shown = {
            key: value if _is_created(key) else max(value, self._shown.get(key, 0.0)) for key, value in values.items()
        }
        self._shown.update(shown)
        return shown


def _values(family: Metric) -> dict[Key, float]:
    return {(sample.name, tuple(sample.labels.items())): sample.value for sample in family.samples}


def _is_created(key: Key) -> bool:
    return key[0].endswith(CREATED)
