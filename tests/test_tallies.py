"""Plain numbers that become metrics when somebody looks."""

from gatekeeper.tallies import Counts, Spread


def samples(of: Counts | Spread) -> dict[tuple[str, ...], float]:
    """Each sample by the end of its name and its labels."""
    (family,) = of.collect()
    return {(each.name, *each.labels.values()): each.value for each in family.samples}


def test_each_combination_is_counted_apart() -> None:
    """Two of one, one of another."""
    counts = Counts("c", "Things", ("a", "b"))
    for labels in (("x", "1"), ("x", "1"), ("x", "2")):
        counts.add(labels)

    assert {("c_total", "x", "1"): 2, ("c_total", "x", "2"): 1} == samples(counts)


def test_a_unit_is_divided_by_when_it_is_shown() -> None:
    """Micro-credits are added as they are, and shown as credits."""
    counts = Counts("c", "Credits", ("a",), unit=1_000_000)
    counts.add(("x",), 1_500_000)

    assert {("c_total", "x"): 1.5} == samples(counts)


def test_what_is_beyond_the_bound_is_counted_together() -> None:
    """The third combination has no room of its own, and neither has the fourth."""
    counts = Counts("c", "Things", ("a",), series_max=2)
    for label in ("x", "y", "z", "u", "x"):
        counts.add((label,))

    assert {("c_total", "x"): 2, ("c_total", "y"): 1, ("c_total", ""): 2} == samples(counts)


def test_a_combination_that_is_not_to_be_counted_apart_is_folded() -> None:
    """Whoever has the names says so, each time: it takes no room."""
    counts = Counts("c", "Things", ("a",))
    counts.fold = lambda _labels: ("",)
    counts.add(("one caller's word",))
    counts.add(("another's",))

    assert {("c_total", ""): 2} == samples(counts)


def test_bars_are_cumulated() -> None:
    """A bound belongs to the bar below it, as Prometheus has it; the sum is that of all."""
    spread = Spread("s", "Sizes", ("a",), (1, 5))
    for value in (0.5, 1, 3, 7):
        spread.observe(("x",), value)
    found = {(name, *rest): value for (name, *rest), value in samples(spread).items()}

    assert [2, 3, 4] == [found["s_bucket", "x", bound] for bound in ("1.0", "5.0", "+Inf")]
    assert (4, 11.5) == (found["s_count", "x"], found["s_sum", "x"])


def test_a_histogram_has_a_bound_too() -> None:
    """Series of bars count as many as they are: with room for one combination the second is counted without a name."""
    spread = Spread("s", "Sizes", ("a",), (1, 5), series_max=5)
    for label in ("x", "y", "z"):
        spread.observe((label,), 1)

    assert {"x": 1, "": 2} == {
        labels[0]: value for (name, *labels), value in samples(spread).items() if "_count" in name
    }


def test_one_series_is_filled_by_itself() -> None:
    """Whoever has only one to fill takes its bars once."""
    spread = Spread("s", "Sizes", (), (1,))
    spread.bars().observe(0.5)

    assert 1 == samples(spread)["s_count",]
