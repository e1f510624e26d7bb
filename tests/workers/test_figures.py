"""The sums that are shown: of processes that live, of those that are gone, and what is a gauge."""

from collections.abc import Callable

from gatekeeper.events import GenerationFacts
from gatekeeper.metrics import Metrics, exposition
from gatekeeper.workers.figures import GAUGES, Figures, Totals, figures_of


def a_worker(count: Callable[[Metrics], None] = lambda _: None) -> Figures:
    """The figures of a process that has counted something."""
    metrics = Metrics()
    count(metrics)
    return figures_of(metrics.families())


def totals(*living: Figures) -> Totals:
    """What a leader shows that has counted nothing itself."""
    return Totals(Metrics().families, lambda: living)


def shown(of: Totals, name: str) -> str:
    """The value of a sample in the text that is scraped."""
    return next(line.rpartition(" ")[2] for line in exposition(of).decode().splitlines() if line.startswith(name))


def test_counters_are_summed_over_all_processes() -> None:
    """Three refusals here and one there are four."""
    of = totals(
        a_worker(lambda metrics: [metrics.rejected("unsupported_size") for _ in range(3)] and None),
        a_worker(lambda metrics: metrics.rejected("unsupported_size")),
    )

    assert "4.0" == shown(of, 'gatekeeper_rejections_total{code="unsupported_size"}')


def test_the_leaders_own_count_is_in_the_sum() -> None:
    """Reloads are counted where they are made."""
    own = Metrics()
    own.reloaded(ok=True)

    assert "1.0" == shown(Totals(own.families, lambda: (a_worker(),)), 'gatekeeper_catalog_reloads_total{result="ok"}')


def test_the_buckets_of_a_histogram_are_summed_in_their_order() -> None:
    """0.2 s and 3 s: one is within 0.25 s, both are within 5 s, and the text has the buckets as they grow."""
    of = totals(
        a_worker(lambda metrics: metrics.upstream_took("openai", 0.2)),
        a_worker(lambda metrics: metrics.upstream_took("openai", 3)),
    )
    lines = [line for line in exposition(of).decode().splitlines() if line.startswith("gatekeeper_upstream_seconds_b")]

    assert [0, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2] == [float(line.rpartition(" ")[2]) for line in lines]
    assert "2.0" == shown(of, 'gatekeeper_upstream_seconds_count{provider="openai"}')


def test_what_a_dead_worker_had_counted_stays_and_what_it_had_in_hand_does_not() -> None:
    """A generation admitted is counted for ever; in flight it is no more."""
    one = a_worker(lambda metrics: metrics.admitted("openai", "gpt-image", 5_000_000))
    living = [one]
    of = Totals(Metrics().families, lambda: living)
    before = shown(of, "gatekeeper_generations_admitted_total"), shown(of, "gatekeeper_generations_in_flight")
    living.remove(one)
    of.retire(one)

    after = shown(of, "gatekeeper_generations_admitted_total"), shown(of, "gatekeeper_generations_in_flight")

    assert (("1.0", "1.0"), ("1.0", "0.0")) == (before, after)
    assert "5.0" == shown(of, "gatekeeper_credits_held_total")


def test_a_counter_never_goes_down_by_a_rounding() -> None:
    """Fractions in another order make another sum; what was shown once is the least that is shown after."""
    parts = [
        a_worker(lambda metrics, held=held: metrics.admitted("p", "m", held)) for held in (100_000, 200_000, 300_000)
    ]
    living = list(parts)
    of = Totals(Metrics().families, lambda: living)
    seen = [float(shown(of, "gatekeeper_credits_held_total"))]
    for part in (parts[2], parts[0], parts[1]):
        living.remove(part)
        of.retire(part)
        seen.append(float(shown(of, "gatekeeper_credits_held_total")))

    assert sorted(seen) == seen


def test_of_jobs_that_all_workers_follow_the_most_are_shown() -> None:
    """Each knows jobs of the others by its walk: a sum would count them twice."""
    of = totals(
        a_worker(lambda metrics: metrics.jobs_open(lambda: 3)), a_worker(lambda metrics: metrics.jobs_open(lambda: 5))
    )

    assert "5.0" == shown(of, "gatekeeper_jobs_open")


def test_what_only_the_leader_knows_is_the_leaders() -> None:
    """The events on disk are counted once, where all of them lie."""
    own = Metrics()
    own.webhooks_waiting(lambda: 7)
    of = Totals(own.families, lambda: (a_worker(lambda metrics: metrics.webhooks_waiting(lambda: 2)),))

    assert "7.0" == shown(of, "gatekeeper_webhooks_waiting")


def test_since_when_is_counted_is_since_the_first_began() -> None:
    """A worker that was started later does not make the count younger."""
    first, second = a_worker(), a_worker()
    of = Totals(Metrics().families, lambda: (second,))
    of.retire(first)
    name = "gatekeeper_internal_errors_created"
    ages = [value for (sample, _), value in first.families["gatekeeper_internal_errors"].items() if sample == name]

    assert ages == [float(shown(of, name))]


def test_counts_and_bars_of_a_worker_that_starts_again_stay() -> None:
    """Requests and their durations of the one that died, and of the one that took its place: none goes down."""

    def worked(metrics: Metrics) -> None:
        facts = GenerationFacts(request_id="r", provider="openai", model="m", operation="image.generate")
        metrics.traffic.providers, metrics.traffic.knows_model = ("openai",), bool
        metrics.traffic.answered(facts, "made", 200, 3.0)
        metrics.vitals.loop_lag.observe(0.002)

    first = a_worker(worked)
    living = [first]
    of = Totals(Metrics().families, lambda: living)
    names = ("gatekeeper_requests_total{", "gatekeeper_request_seconds_count{", "gatekeeper_event_loop_lag_seconds_sum")
    before = [shown(of, name) for name in names]
    living[:] = []
    of.retire(first)
    between = [shown(of, name) for name in names]
    living[:] = [a_worker(worked)]

    assert before == between == ["1.0", "1.0", "0.002"]
    assert ["2.0", "2.0", "0.004"] == [shown(of, name) for name in names]


def test_of_what_waits_the_oldest_is_shown_and_of_what_is_held_in_memory_the_sum() -> None:
    """A minute here, a second there: a minute. Two requests here, three there: five."""

    def with_figures(age_s: float, requests: int) -> Callable[[Metrics], None]:
        def count(metrics: Metrics) -> None:
            metrics.vitals.outbox_age_s(lambda: age_s)
            metrics.vitals.in_hand(lambda: requests)

        return count

    of = totals(a_worker(with_figures(60, 2)), a_worker(with_figures(1, 3)))

    assert "60.0" == shown(of, "gatekeeper_outbox_oldest_age_seconds")
    assert "5.0" == shown(of, "gatekeeper_requests_in_flight")


def test_what_the_leader_asks_the_store_is_shown_once() -> None:
    """Its workers do not go the rounds: their zero is no answer."""
    own = Metrics()
    own.vitals.store_answered(0.001)
    own.vitals.holds_counted("unknown", 7, 12.0)
    of = Totals(own.families, lambda: (a_worker(), a_worker()))

    assert "1.0" == shown(of, "gatekeeper_store_up")
    assert "7.0" == shown(of, "gatekeeper_holds_open")


def test_every_gauge_has_a_rule() -> None:
    """Whoever adds a gauge says what it is of many processes."""
    gauges = {family.name for family in Metrics().families() if family.type == "gauge"}

    assert gauges == set(GAUGES)
