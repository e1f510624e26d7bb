"""A gateway to look at, and somebody who is signed in."""

import pytest

from gatekeeper.core.credits import MICRO
from gatekeeper.ledger.teamrecord import TeamRecord
from tests.console.consoleworld import Console
from tests.system.conftest import _start_world, _world, store_url
from tests.system.world import World

__all__ = ["_start_world", "_world", "store_url"]


@pytest.fixture(name="console")
async def _console(world: World) -> Console:
    """Somebody who is signed in, at a gateway with the team `studio`, which has 1,000 credits."""
    ledger = world.gateway.store.ledger
    await ledger.put_team(TeamRecord("studio"))
    await ledger.grant("studio", "opening", 1000 * MICRO)
    console = Console(world)
    await console.sign_in()
    return console
