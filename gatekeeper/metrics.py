"""The metrics, declared with their help texts; names follow the Prometheus conventions. What requests came to is in
`traffic.py`, how process and store are in `vitals.py`; docs/metrics.md has all of them.

Labels are bounded: providers and models come from config and catalog, codes and outcomes from closed lists. A team,
a key or a project is never a label; the journal answers for those.
"""

from collections.abc import Callable, Iterable
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from gatekeeper.core.credits import MICRO
from gatekeeper.tallies import Spread
from gatekeeper.traffic import Traffic
from gatekeeper.vitals import Vitals

UPSTREAM_BUCKETS_S = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
"""Pictures take seconds, videos minutes."""

JOB_BUCKETS_S = (5, 15, 30, 60, 120, 300, 600, 1800, 3600, 14_400, 86_400)
"""A video takes minutes; a job that nobody could end takes as long as it takes."""


class _Tally:
    """What is counted with every request: here it is a plain number, which its metric gets when somebody looks.

    Every addition to a metric takes its lock, and a turn through three functions.
    """

    __slots__ = ("_metric", "_unit", "waiting")

    def __init__(self, metric: Counter, unit: int = 1) -> None:
        self.waiting = 0
        self._metric, self._unit = metric, unit

    def hand_on(self) -> None:
        """To the metric."""
        if self.waiting:
            waiting, self.waiting = self.waiting, 0
            self._metric.inc(waiting / self._unit)


class Metrics:
    """The process's metrics, with a small function for each thing that is counted. They are for one thread."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self._tallies: list[_Tally] = []
        self._admitted = self._tallied(Counter(
            "gatekeeper_generations_admitted_total", "Generations that were forwarded", ["provider", "model"],
            registry=registry))  # fmt: skip
        self._rejected = self._tallied(Counter(
            "gatekeeper_rejections_total", "Requests that were refused, by code", ["code"], registry=registry
        ))  # fmt: skip
        self._shadowed = Counter(
            "gatekeeper_shadowed_total", "Requests that shadow mode let by, by the code that would have refused them",
            ["code"], registry=registry)  # fmt: skip
        self._resolved = self._tallied(Counter(
            "gatekeeper_generations_resolved_total", "Generations whose hold was resolved, by outcome",
            ["provider", "outcome"], registry=registry))  # fmt: skip
        self._by_time = Counter(
            "gatekeeper_hold_transitions_total",
            "What time did to holds that nobody resolved, by kind",
            ["kind"],
            registry=registry,
        )
        self._flagged = Counter(
            "gatekeeper_settlements_flagged_total",
            "Outcomes that were booked after time had resolved their hold (late) or the store had lost it (orphan)",
            ["status"], registry=registry)  # fmt: skip
        self._again = Counter(
            "gatekeeper_generations_replayed_total", "Requests that got the answer of an earlier one", ["provider"],
            registry=registry)  # fmt: skip
        self._add_credits(registry)
        upstream_s = Spread(
            "gatekeeper_upstream_seconds", "From sending to the end of the provider's answer", ("provider",),
            UPSTREAM_BUCKETS_S)  # fmt: skip
        registry.register(upstream_s)
        self._upstream_s = cache(lambda provider: upstream_s.bars((provider,)))
        self._outbox = Gauge(
            "gatekeeper_outbox_resolutions", "Resolutions on disk that wait for the store", registry=registry
        )
        self._replays = Counter(
            "gatekeeper_outbox_replays_total", "Resolutions from the outbox that the ledger answered, by its answer",
            ["status"], registry=registry)  # fmt: skip
        self._reloads = Counter(
            "gatekeeper_catalog_reloads_total", "Catalog reloads, by result", ["result"], registry=registry
        )
        self._errors = Counter("gatekeeper_internal_errors_total", "Unforeseen failures", registry=registry)
        self._durability = Gauge(
            "gatekeeper_store_durability", "1 for the durability grade of the store", ["grade"], registry=registry
        )

        self._add_jobs(registry)
        self._add_proofs(registry)
        self._add_webhooks(registry)
        self._add_signals(registry)
        self._add_workers(registry)
        self.traffic = Traffic(registry)
        self.vitals = Vitals(registry)

    def _tally(self, metric: Counter, unit: int = 1) -> _Tally:
        tally = _Tally(metric, unit)
        self._tallies.append(tally)
        return tally

    def _hand_on(self) -> None:
        for tally in self._tallies:
            tally.hand_on()

    def _tallied(self, counter: Counter) -> Callable[..., _Tally]:
        """The tally of each child by its labels, which are bounded."""
        return cache(lambda *labels: self._tally(counter.labels(*labels)))

    def _add_credits(self, registry: CollectorRegistry) -> None:
        """What is held and charged, and the generations that hold it."""
        held = Counter("gatekeeper_credits_held_total", "Credits that were held", registry=registry)
        charged = Counter("gatekeeper_credits_charged_total", "Credits that were charged", registry=registry)
        over = Counter(
            "gatekeeper_credits_over_total", "Worth of outcomes beyond their holds, not charged", registry=registry
        )
        self._credits_held, self._credits_charged = self._tally(held, MICRO), self._tally(charged, MICRO)
        self._credits_over = self._tally(over, MICRO)
        self._in_flight = 0
        in_flight = Gauge(
            "gatekeeper_generations_in_flight", "Generations between hold and settlement", registry=registry
        )
        in_flight.set_function(lambda: self._in_flight)

    def _add_jobs(self, registry: CollectorRegistry) -> None:
        """What outlives its request."""
        self._jobs_accepted = Counter(
            "gatekeeper_jobs_accepted_total", "Jobs that providers took", ["provider"], registry=registry
        )
        self._jobs_open = Gauge(
            "gatekeeper_jobs_open", "Jobs without an end that this process watches", registry=registry
        )
        self._jobs_ended = Counter(
            "gatekeeper_jobs_ended_total", "Jobs that ended, by outcome and by who learnt it",
            ["provider", "outcome", "via"], registry=registry)  # fmt: skip
        self._job_age_s = Histogram(
            "gatekeeper_job_seconds", "From a job's submission to the booking of its end", ["provider"],
            buckets=JOB_BUCKETS_S, registry=registry)  # fmt: skip

    def _add_proofs(self, registry: CollectorRegistry) -> None:
        """What is known of the books themselves."""
        self._histories_lost = Counter(
            "gatekeeper_histories_lost_total", "Teams whose acknowledged journal entries the store was found to lack",
            registry=registry)  # fmt: skip
        self._entries_missing = Counter(
            "gatekeeper_journal_entries_missing_total", "Lost journal entries that this process cannot account for",
            registry=registry)  # fmt: skip
        self._verify_differences = Gauge(
            "gatekeeper_verify_differences", "Figures that the last verification of all teams found off",
            registry=registry)  # fmt: skip
        self._verified_at_s = Gauge(
            "gatekeeper_verify_timestamp_seconds", "When all teams were verified last; 0: not since the start",
            registry=registry)  # fmt: skip

    def _add_webhooks(self, registry: CollectorRegistry) -> None:
        """What comes from providers, and what goes on to callers."""
        self._webhooks_heard = Counter(
            "gatekeeper_webhooks_received_total", "Calls of providers about jobs, by what became of them",
            ["provider", "result"], registry=registry)  # fmt: skip
        self._webhook_tries = Counter(
            "gatekeeper_webhook_deliveries_total", "Attempts to call a caller's webhook, by result", ["result"],
            registry=registry)  # fmt: skip
        self._webhooks_waiting = Gauge(
            "gatekeeper_webhooks_waiting", "Events on disk that their receivers do not have yet", registry=registry
        )

    def _add_signals(self, registry: CollectorRegistry) -> None:
        """What teams are told about their credits."""
        self._thresholds = Counter(
            "gatekeeper_limit_thresholds_total", "Points of limits and budgets that were reached and told, by percent",
            ["percent"], registry=registry)  # fmt: skip
        self._signals = Counter(
            "gatekeeper_budget_signals_total", "Causes of spend ahead of plan that were told", ["diagnosis"],
            registry=registry)  # fmt: skip
        self._alert_tries = Counter(
            "gatekeeper_alert_deliveries_total", "Attempts to call a team's alert address, by result", ["result"],
            registry=registry)  # fmt: skip

    def _add_workers(self, registry: CollectorRegistry) -> None:
        """The processes of one gateway."""
        self._workers = Gauge("gatekeeper_workers", "Processes that accept requests", registry=registry)
        self._worker_deaths = Counter(
            "gatekeeper_worker_deaths_total", "Workers that ended without being told to", registry=registry
        )

    def workers(self, accepting: Callable[[], int]) -> None:
        """From now on the gauge asks this function."""
        self._workers.set_function(accepting)

    def worker_died(self) -> None:
        self._worker_deaths.inc()

    def threshold_told(self, percent: int) -> None:
        """One of the few that teams state, 1 to 100."""
        self._thresholds.labels(str(percent)).inc()

    def signal_told(self, diagnosis: str) -> None:
        self._signals.labels(diagnosis).inc()

    def alert_delivery(self, result: str) -> None:
        """`delivered`, `retried` or `failed`."""
        self._alert_tries.labels(result).inc()

    def webhook_heard(self, provider: str, result: str) -> None:
        """`provider` is a configured one's name, or nothing."""
        self._webhooks_heard.labels(provider, result).inc()

    def webhook_delivery(self, result: str) -> None:
        """`delivered`, `retried` or `failed`."""
        self._webhook_tries.labels(result).inc()

    def webhooks_waiting(self, depth: Callable[[], int]) -> None:
        """From now on the gauge asks this function."""
        self._webhooks_waiting.set_function(depth)

    def admitted(self, provider: str, model: str, held: int) -> None:
        self._admitted(provider, model).waiting += 1
        self._credits_held.waiting += held
        self._in_flight += 1

    def rejected(self, code: str) -> None:
        self._rejected(code).waiting += 1

    def shadowed(self, code: str) -> None:
        self._shadowed.labels(code).inc()

    def resolved(self, provider: str, outcome: str, *, charged: int = 0, over: int = 0) -> None:
        self._in_flight -= 1
        self._resolved(provider, outcome).waiting += 1
        self._credits_charged.waiting += charged
        self._credits_over.waiting += over

    def job_accepted(self, provider: str) -> None:
        """The request has its answer; from now on the job counts, and not the request."""
        self._jobs_accepted.labels(provider).inc()
        self._in_flight -= 1

    def left(self) -> None:
        """The request has its answer, and somebody else ends what is held for it: it counts no more."""
        self._in_flight -= 1

    def jobs_open(self, count: Callable[[], int]) -> None:
        """From now on the gauge asks this function."""
        self._jobs_open.set_function(count)

    def job_ended(self, provider: str, outcome: str, via: str, *, age_s: float) -> None:
        self._jobs_ended.labels(provider, outcome, via).inc()
        self._job_age_s.labels(provider).observe(age_s)

    def job_resolved(self, provider: str, outcome: str, *, charged: int = 0, over: int = 0) -> None:
        """As `resolved`, for what is no request in flight any more."""
        self._resolved(provider, outcome).waiting += 1
        self._credits_charged.waiting += charged
        self._credits_over.waiting += over

    def flagged(self, status: str) -> None:
        """`late` or `orphan`."""
        self._flagged.labels(status).inc()

    def history_lost(self, *, missing: int) -> None:
        self._histories_lost.inc()
        self._entries_missing.inc(missing)

    def answered_again(self, provider: str) -> None:
        self._again.labels(provider).inc()

    def unbooked(self, provider: str, outcome: str) -> None:
        """`deferred` to the outbox, or `not_booked` at all."""
        self.resolved(provider, outcome)

    def resolved_by_time(self, kind: str, *, charged: int) -> None:
        self._by_time.labels(kind).inc()
        self._credits_charged.waiting += charged

    def outbox_depth(self, depth: Callable[[], int]) -> None:
        """From now on the gauge asks this function."""
        self._outbox.set_function(depth)

    def replayed(self, status: str, *, charged: int) -> None:
        """`charged` is what this replay booked, 0 if it changed nothing."""
        self._replays.labels(status).inc()
        self._credits_charged.waiting += charged

    def upstream_took(self, provider: str, seconds: float) -> None:
        self._upstream_s(provider).observe(seconds)

    def reloaded(self, *, ok: bool) -> None:
        self._reloads.labels("ok" if ok else "refused").inc()

    def internal_error(self) -> None:
        self._errors.inc()

    def durability(self, grade: str) -> None:
        self._durability.clear()
        self._durability.labels(grade).set(1)

    def verified(self, differences: int) -> None:
        """All teams were verified just now."""
        self._verify_differences.set(differences)
        self._verified_at_s.set_to_current_time()

    def families(self) -> Iterable[Metric]:
        """Every metric with its samples as they are now."""
        self._hand_on()
        return self._registry.collect()

    async def shown(self) -> bytes:
        """The text that Prometheus scrapes."""
        self._hand_on()
        return exposition(self._registry)


def exposition(collector: Collector) -> bytes:
    """The text of these metrics, in the format that Prometheus scrapes."""
    return generate_latest(collector)
