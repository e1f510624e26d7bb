"""How the process and its store are: what is asked when somebody looks, and what is heard now and then.

Here is only where the figures are kept; `rounds.py` asks the store for those that only it knows.
"""

from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Metric, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from gatekeeper.core.credits import MICRO
from gatekeeper.logs import lines_lost
from gatekeeper.tallies import Bars, Spread

CALL_BUCKETS_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
"""A store beside the gateway takes a millisecond, one with an fsync ten; after five seconds a call has failed."""

LAG_BUCKETS_S: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
"""From what is nothing to what every caller notices."""

HOLD_STATES: Final = ("held", "job", "unknown", "kept", "overdue")
"""Of open holds: a request's own; a job's; one whose outcome nobody knows, in its grace; one that its policy keeps; and
one whose job should have ended long ago."""


class Vitals:
    """What is asked: each gauge has a function. What is heard: each has a method."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._build = _Build()
        registry.register(self._build)
        registry.register(_LinesLost())
        self.spans_lost = Counter(
            "gatekeeper_spans_lost_total", "Spans that the queue had no room for, or that the collector did not take",
            registry=registry)  # fmt: skip
        ProcessCollector(registry=registry)
        self._calls = Spread(
            "gatekeeper_ledger_call_seconds",
            "Time of a call of the ledger until its answer, by script; one call in 16 is measured",
            ("operation",), CALL_BUCKETS_S,
        )  # fmt: skip
        lag = Spread(
            "gatekeeper_event_loop_lag_seconds",
            "How long a turn of the event loop took that began with a request", (), LAG_BUCKETS_S,
        )  # fmt: skip
        registry.register(self._calls)
        registry.register(lag)
        self.loop_lag: Bars = lag.bars()
        self._add_store(registry)
        self._add_holds(registry)
        self._outbox_age_s = Gauge(
            "gatekeeper_outbox_oldest_age_seconds", "How long the oldest resolution on disk waits for the store",
            registry=registry)  # fmt: skip
        self._jobs_behind_s = Gauge(
            "gatekeeper_jobs_behind_seconds", "How late the next question about a job is", registry=registry
        )
        self._in_hand = Gauge(
            "gatekeeper_requests_in_flight", "Requests that are being worked on", registry=registry
        )  # fmt: skip

    def _add_store(self, registry: CollectorRegistry) -> None:
        self._up = Gauge(
            "gatekeeper_store_up", "1 while the store answers; it is asked every 5 s", registry=registry
        )  # fmt: skip
        self._ping_s = Gauge(
            "gatekeeper_store_ping_seconds", "How long the store took to answer when it was asked last",
            registry=registry)  # fmt: skip

    def _add_holds(self, registry: CollectorRegistry) -> None:
        self._holds_open = Gauge(
            "gatekeeper_holds_open", "Open holds, by state, as they were counted last", ["state"], registry=registry
        )
        self._oldest_age_s = Gauge(
            "gatekeeper_hold_oldest_age_seconds", "Age of the oldest open hold, by state, when they were counted last",
            ["state"], registry=registry)  # fmt: skip
        self._credits_open = Gauge(
            "gatekeeper_credits_held_open", "Credits that open holds keep aside", registry=registry
        )
        self._credits_owed = Gauge("gatekeeper_credits_owed", "Credits that teams owe", registry=registry)
        self._teams = Gauge("gatekeeper_teams", "Teams in the store", registry=registry)
        self._teams_unreadable = Gauge(
            "gatekeeper_teams_unreadable", "Teams with a record that the ledger did not write", registry=registry
        )
        self._teams_owing = Gauge("gatekeeper_teams_owing", "Teams that owe credits", registry=registry)
        self._counted_at_s = Gauge(
            "gatekeeper_holds_counted_timestamp_seconds",
            "When open holds and teams were counted last; 0: not since the start", registry=registry)  # fmt: skip

    def built(self, version: str, python: str, catalog: Callable[[], str]) -> None:
        """What runs; `catalog` is asked for the digest of the one in use."""
        self._build.facts = version, python
        self._build.catalog = catalog

    def ledger_call(self, operation: str, seconds: float) -> None:
        """One of the calls that are measured; `operation` is a script's name, or `command`."""
        self._calls.observe((operation,), seconds)

    def store_answered(self, seconds: float | None) -> None:
        """How long it took; None: it does not."""
        self._up.set(0 if seconds is None else 1)
        if seconds is not None:
            self._ping_s.set(seconds)

    def holds_counted(self, state: str, count: int, oldest_age_s: float) -> None:
        """`state` is one of `HOLD_STATES`; the age of the oldest is 0 if there is none."""
        self._holds_open.labels(state).set(count)
        self._oldest_age_s.labels(state).set(oldest_age_s)

    def teams_counted(self, teams: int, owing: int, unreadable: int, *, held: int, owed: int) -> None:
        """All teams were looked at just now; amounts in micro-credits."""
        self._teams.set(teams)
        self._teams_owing.set(owing)
        self._teams_unreadable.set(unreadable)
        self._credits_open.set(held / MICRO)
        self._credits_owed.set(owed / MICRO)
        self._counted_at_s.set_to_current_time()

    def outbox_age_s(self, age_s: Callable[[], float]) -> None:
        """From now on the gauge asks this function."""
        self._outbox_age_s.set_function(age_s)

    def jobs_behind_s(self, behind_s: Callable[[], float]) -> None:
        """From now on the gauge asks this function."""
        self._jobs_behind_s.set_function(behind_s)

    def in_hand(self, count: Callable[[], int]) -> None:
        """From now on the gauge asks this function."""
        self._in_hand.set_function(count)


class _Build(Collector):
    """1, with what runs as its labels."""

    labels = ("version", "python", "catalog")

    def __init__(self) -> None:
        self.name, self.about = "gatekeeper_build_info", "1, with what runs: version, Python, digest of the catalog"
        self.facts: tuple[str, str] | None = None
        self.catalog: Callable[[], str] = str

    def collect(self) -> Iterable[Metric]:
        family = GaugeMetricFamily(self.name, self.about, labels=self.labels)
        if self.facts is not None:
            family.add_metric([*self.facts, self.catalog()], 1)
        yield family


class _LinesLost(Collector):
    """What the log knows of itself."""

    name = "gatekeeper_log_lines_lost"

    def collect(self) -> Iterable[Metric]:
        yield CounterMetricFamily(self.name, "Log lines that could not be written to stdout", value=lines_lost())
