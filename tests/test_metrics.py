"""What is counted with every request is told as the library's own metrics would tell it."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram

from gatekeeper.metrics import UPSTREAM_BUCKETS_S, Metrics, exposition

SECONDS = st.floats(0, 1000) | st.sampled_from(UPSTREAM_BUCKETS_S)


def shown(registry: CollectorRegistry) -> list[str]:
    """The lines about the provider's time, but for when they began, which the library tells besides."""
    lines = exposition(registry).decode().splitlines()
    return [line for line in lines if "upstream_seconds" in line and "_created" not in line]


@given(took=st.lists(st.tuples(st.sampled_from(("fal", "openai")), SECONDS)))
def test_the_time_of_providers_is_told_as_by_the_librarys_histogram(took: list[tuple[str, float]]) -> None:
    """Word for word, whatever was observed."""
    registry, metrics = CollectorRegistry(), Metrics()
    library = Histogram(
        "gatekeeper_upstream_seconds", "From sending to the end of the provider's answer", ["provider"],
        buckets=UPSTREAM_BUCKETS_S, registry=registry)  # fmt: skip
    for provider, seconds in took:
        library.labels(provider).observe(seconds)
        metrics.upstream_took(provider, seconds)

    assert shown(registry) == shown(metrics._registry)


async def test_who_is_left_to_somebody_else_is_in_flight_no_more() -> None:
    """A decision ends when whoever does the work says so."""
    metrics = Metrics()
    metrics.admitted("fal", "m", 5)
    metrics.left()

    assert "gatekeeper_generations_in_flight 0.0" in (await metrics.shown()).decode()
