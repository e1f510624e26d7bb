"""What is counted of requests: once each, under labels that nobody but the house can make."""

from datetime import UTC, datetime

from prometheus_client import CollectorRegistry

from gatekeeper.events import GenerationFacts
from gatekeeper.traffic import Traffic

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Noon:
    """A clock that stands still."""

    def now(self) -> datetime:
        return NOON

    def monotonic_s(self) -> float:
        return 0.0


def traffic() -> tuple[CollectorRegistry, Traffic]:
    """With one provider and one model."""
    registry = CollectorRegistry()
    of = Traffic(registry, Noon())
    of.providers, of.knows_model = {"openai"}, "gpt-image".__eq__
    return registry, of


def facts(provider: str | None = "openai", model: str | None = "gpt-image") -> GenerationFacts:
    """Of a picture."""
    return GenerationFacts(request_id="r", provider=provider, model=model, operation="image.generate")


def requests(registry: CollectorRegistry, **labels: str) -> float | None:
    """How many were counted so."""
    usual = {"provider": "openai", "model": "gpt-image", "operation": "image.generate"}
    return registry.get_sample_value("gatekeeper_requests_total", usual | labels)


def test_a_generation_counts_under_its_end_with_its_duration() -> None:
    """Provider, model, operation and how it ended; how long it took without the end."""
    registry, of = traffic()
    of.answered(facts(), "made", 200, 3.0)

    kind = {"provider": "openai", "model": "gpt-image", "operation": "image.generate"}
    assert 1 == requests(registry, code="made")
    assert 3.0 == registry.get_sample_value("gatekeeper_request_seconds_sum", kind)


def test_a_refusal_counts_under_its_code() -> None:
    """And has no duration, for a generation's is something else."""
    registry, of = traffic()
    of.refused(facts(), "unsupported_size")

    assert 1 == requests(registry, code="unsupported_size")
    assert None is registry.get_sample_value("gatekeeper_request_seconds_count")


def test_what_a_provider_answered_no_to_is_told_from_what_it_failed_at() -> None:
    """The hold is freed in both cases; a 400 is the caller's matter, a 500 the provider's."""
    registry, of = traffic()
    of.answered(facts(), "released", 400, 1.0)
    of.answered(facts(), "released", 503, 1.0)
    of.answered(facts(), None, 502, 1.0)

    assert (1, 2) == (requests(registry, code="provider_refused"), requests(registry, code="provider_failed"))


def test_what_a_caller_writes_is_no_label() -> None:
    """A model that the catalog does not have, and a provider that is only named, count under none."""
    registry, of = traffic()
    for n in range(3):
        of.refused(facts(model=f"my-model-{n}"), "model_not_found")
    of.answered(facts(provider="somebody"), "job", 201, 1.0)

    assert 3 == requests(registry, model="", code="model_not_found")
    assert 1 == requests(registry, provider="", code="job")


def test_credits_that_were_refused_are_added_up_by_code() -> None:
    """In credits, not in millionths."""
    registry, of = traffic()
    of.credits_refused("insufficient_credits", 49_000_000)
    of.credits_refused("insufficient_credits", 500_000)

    labels = {"code": "insufficient_credits"}
    assert 49.5 == registry.get_sample_value("gatekeeper_credits_refused_total", labels)


def test_holds_have_an_age_when_they_end() -> None:
    """By their request at once, by time a minute after they were made."""
    registry, of = traffic()
    of.hold_ended(0.5)
    of.hold_ended_since("time", int(NOON.timestamp() - 60) * 1000)

    ages = {via: registry.get_sample_value("gatekeeper_hold_seconds_sum", {"via": via}) for via in ("request", "time")}
    assert {"request": 0.5, "time": 60.0} == ages
