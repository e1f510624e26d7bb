"""The torture in its short form: seconds of what `make torture` does for as long as it is told.

A few kills, every fault, and the whole verdict: journal, bills and what clients were told, against each other.
"""

from pathlib import Path

import pytest

from tests.torture.gateways import torture_gateways
from tests.torture.model import own_server, torture_model
from tests.torture.parts import Played, row_of
from tests.torture.scenes import Least
from tests.torture.workers import torture_faults, torture_workers

STEPS_EACH = 2_500
"""Eight times this is what the ledger is held against its model for on every run of the tests."""


def broken(played: Played) -> dict[str, int]:
    """The zeros that are none, with the first cases of each."""
    row = row_of("short", 0, played)
    return {name: count for name, count in row.zeros.items() if count} | dict.fromkeys(row.samples, 1)


@pytest.mark.timeout(300)  # an end in mid-example would be taken for a finding, and made smaller for ever
@pytest.mark.parametrize("first_seed", range(1, 8000, 1000))
def test_the_scripts_agree_with_the_model_for_20000_steps(first_seed: int) -> None:
    """An eighth of 20,000 random steps on a real server: every answer, balance and counter is what the model says."""
    with own_server() as socket:
        _, steps = torture_model(socket, steps=STEPS_EACH, first_seed=first_seed, seconds=240, say=lambda _: None)

    assert steps >= STEPS_EACH


@pytest.mark.timeout(120)
async def test_workers_and_store_are_killed_and_nothing_is_lost(directory: Path) -> None:
    """Killed in the midst of holds and settles: every hold ends once, and what was billed is charged."""
    least = Least(calls=600, kills=2)
    played = await torture_workers(directory, seconds=5, seed=1, say=print, waits=False, workers=2, least=least)

    run, verdict, victims = played
    assert {} == broken(played)
    assert verdict.holds > 500
    assert sum(victim.kills for victim in victims) + run.store.kills >= 2


@pytest.mark.timeout(120)
async def test_a_way_to_the_store_that_breaks_loses_nothing(directory: Path) -> None:
    """Commands and replies are delayed, dropped, cut, left hanging, and run long after."""
    played = await torture_faults(directory, seconds=5, seed=1, say=print, waits=False, least=Least(calls=600))

    assert {} == broken(played)
    assert played[1].holds > 500


@pytest.mark.timeout(120)
async def test_gateways_and_store_are_killed_under_load(directory: Path) -> None:
    """Two real gateways, real clients: no credit is lost or doubled by a kill, and no client was told an untruth."""
    least = Least(calls=60, kills=1)
    played = await torture_gateways(directory, seconds=8, seed=1, say=print, waits=False, least=least)

    run, verdict, victims = played
    assert {} == broken(played)
    assert verdict.holds > 50
    assert sum(victim.kills for victim in victims) + run.store.kills >= 1
