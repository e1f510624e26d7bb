"""The model of credit leases: what it must never do, and what it says about their price."""

from pathlib import Path

import pytest

from benchmarks.leases import Plan, simulate, table

SHORT = Plan(seconds=2.0, rate=500.0, gateways=4)
ROOT = Path(__file__).parents[2]


def test_the_same_plan_gives_the_same_figures() -> None:
    """A run has a clock and a luck of its own."""
    assert simulate(SHORT) == simulate(SHORT)


@pytest.mark.parametrize("lease_s", [0.0, 0.1, 1.0, 60.0])
def test_credits_run_out_exactly(lease_s: float) -> None:
    """However large leases are: nothing is spent that was not there, and what is left pays for no generation more."""
    found = simulate(Plan(seconds=4.0, rate=500.0, gateways=4, grant=20_000, lease_s=lease_s))

    assert 0 == found.overspent
    assert 20_000 == found.charged + found.available
    assert found.refused > 0


def test_nobody_is_refused_for_credits_that_lie_idle() -> None:
    """Before a refusal every gateway gives back what it does not use."""
    assert 0 == simulate(Plan(seconds=4.0, rate=500.0, gateways=4, grant=20_000, lease_s=5.0)).refused_early


def test_leases_spare_the_store_most_of_its_calls() -> None:
    """Without them a generation takes two."""
    without, with_leases = simulate(Plan(seconds=2.0, lease_s=0)), simulate(Plan(seconds=2.0, lease_s=1.0))

    assert 1.9 < without.calls_each <= 2.01
    assert with_leases.calls_each < 0.1


def test_a_crash_loses_what_was_not_reported_and_no_more() -> None:
    """The lease of a dead gateway comes back when it lapses; a generation it had in hand is charged to nobody."""
    found = simulate(Plan(seconds=2.0, rate=500.0, gateways=4, lease_s=1.0, crashes=(1.03,)))
    whole = simulate(Plan(seconds=2.0, rate=500.0, gateways=4, lease_s=1.0))

    assert found.lapsed > found.unreported > 0
    assert whole.charged - found.unreported == found.charged


def test_the_document_has_the_table() -> None:
    """What it shows is what the model says."""
    assert "\n".join(table()) in (ROOT / "docs" / "scaling.md").read_text()
