"""What requests came to: how many, how long, how they ended, and what their holds were.

One request is counted once, when it has its answer. Every label is bounded: providers come from the configuration,
models from the catalog, operations and codes from closed lists. What a caller wrote is never a label: a model that the
catalog does not know counts under none.
"""

from collections.abc import Callable, Container
from typing import Final

from prometheus_client import CollectorRegistry

from gatekeeper.clock import Clock, SystemClock
from gatekeeper.core.credits import MICRO
from gatekeeper.events import GenerationFacts
from gatekeeper.tallies import ELSE, Counts, Labels, Spread

REQUEST_BUCKETS_S: Final = (0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600)
"""Pictures take seconds, films minutes."""

HOLD_BUCKETS_S: Final = (1, 5, 15, 60, 300, 900, 3600, 14_400, 86_400, 604_800)
"""Most holds are over with their request, those of jobs after minutes, a kept one when somebody ends it."""

REFUSED_FROM: Final = 400
FAILED_FROM: Final = 500
"""Statuses from which on a provider has refused, or failed."""

FREED: Final = (None, "released")
"""Ends of what cost nothing, which the answer's status tells apart."""

ENDS: Final = (
    "made", "partial", "failed_billable", "released", "unknown", "job", "deferred", "not_booked", "answered",
    "provider_refused", "provider_failed", "client_left", "internal_error",
)  # fmt: skip
"""How a request ends that nothing refused; all other codes are those of refusals."""


class Traffic:
    """Requests, and the holds that ended. Only `providers`, and models that `knows_model` says the catalog has, are
    counted apart."""

    def __init__(self, registry: CollectorRegistry, clock: Clock | None = None) -> None:
        self.providers: Container[str] = ()
        self.knows_model: Callable[[str], bool] = lambda _model: False
        self._clock = clock or SystemClock()
        kind = ("provider", "model", "operation")
        self._requests = Counts(
            "gatekeeper_requests", "Requests on the data port that ended, by the code of their refusal or by their end",
            (*kind, "code"),
        )  # fmt: skip
        self._seconds = Spread(
            "gatekeeper_request_seconds", "From a generation's request to the end of its answer", kind,
            REQUEST_BUCKETS_S,
        )  # fmt: skip
        self._holds = Spread(
            "gatekeeper_hold_seconds", "Age of a hold when it was resolved, by what resolved it", ("via",),
            HOLD_BUCKETS_S,
        )  # fmt: skip
        self._credits_refused = Counts(
            "gatekeeper_credits_refused", "Credits that refused requests would have needed, by code", ("code",),
            unit=MICRO,
        )  # fmt: skip
        self._failures = Counts(
            "gatekeeper_upstream_failures", "Generations that got no answer of their provider, by the reason",
            ("provider", "reason"),
        )  # fmt: skip
        self._requests.fold = self._seconds.fold = self._folded
        for each in (self._requests, self._seconds, self._holds, self._credits_refused, self._failures):
            registry.register(each)
        self.hold_ended: Callable[[float], None] = self._holds.bars(("request",)).observe
        """A hold whose own request resolved it, so old."""

    def refused(self, facts: GenerationFacts, code: str) -> None:
        """One more that was refused, with this code."""
        provider, model, operation = facts.provider or ELSE, facts.model or ELSE, facts.operation or ELSE
        try:
            self._requests.cells[provider, model, operation, code] += 1
        except KeyError:
            # What the catalog does not know has the name that the caller gave it.
            self._requests.add((provider, model if self.knows_model(model) else ELSE, operation, code))

    def answered(self, facts: GenerationFacts, end: str | None, status: int, took_s: float) -> None:
        """One more that has an answer with this status. `end` is that of a generation; all else has none."""
        kind = provider, model, operation = facts.provider or ELSE, facts.model or ELSE, facts.operation or ELSE
        code = end or "answered"
        if status >= REFUSED_FROM and end in FREED:
            code = "provider_failed" if status >= FAILED_FROM else "provider_refused"
        labels = provider, model, operation, code
        try:
            self._requests.cells[labels] += 1
        except KeyError:
            self._requests.add(labels)
        if end is not None:
            bars = self._seconds.cells.get(kind)
            if bars is None:
                bars = self._seconds.bars(self._folded(kind))
            bars.observe(took_s)

    def credits_refused(self, code: str, amount: int) -> None:
        """A request that would have needed so much, in micro-credits."""
        self._credits_refused.add((code,), amount)

    def upstream_failed(self, provider: str, reason: str) -> None:
        """A configured provider's, and one of the few reasons of `upstream/failure.py`."""
        self._failures.add((provider, reason))

    def hold_ended_via(self, via: str, age_s: float) -> None:
        """A hold that `job`, `time` or `outbox` resolved."""
        self._holds.observe((via,), max(age_s, 0.0))

    def hold_ended_since(self, via: str, since_ms: int) -> None:
        """The same for one that was made at this time, in ms since 1970."""
        self.hold_ended_via(via, self._clock.now().timestamp() - since_ms / 1000)

    def _folded(self, labels: Labels) -> Labels:
        provider, model, *rest = labels
        known_provider = provider if provider in self.providers else ELSE
        return known_provider, model if self.knows_model(model) else ELSE, *rest
