"""Recurring grants in a whole gateway: given in the background and when needed, and told in the log."""

import asyncio
from typing import Any

import pytest

from gatekeeper.ledger import allowing
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.records import GrantStatus
from gatekeeper.ledger.teamrecord import Allowance, Per, TeamRecord
from tests.system.conftest import StartWorld
from tests.system.world import World


async def given(world: World) -> dict[str, Any]:
    """The line that says that a recurring grant was given, once it and the other team's credits are there (bounded)."""
    for _ in range(1000):
        lines = world.events("allowance.given")
        if lines and (await world.gateway.store.ledger.balance("there")).available:
            return lines[0]
        await asyncio.sleep(0.005)
    raise AssertionError("nothing was given")


async def test_the_background_gives_what_nobody_asks_for(
    start_world: StartWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A team that somebody else gave an allowance is given it, and the transfer that a crash cut in two is finished."""
    monkeypatch.setattr(allowing.AllowanceLoop.__init__, "__kwdefaults__", {"look_s": 0.01})
    world = await start_world()
    ledger = world.gateway.store.ledger
    other = Ledger(world.gateway.store.client)
    monkeypatch.setattr(other.allowances, "_give", nothing)
    monkeypatch.setattr(other.wallet, "_give", nothing)
    for team_id in ("here", "there"):
        await other.put_team(TeamRecord(team_id, organisation="o"))
    assert GrantStatus.GRANTED is await other.grant("here", "opening", 100)
    await other.wallet.transfer("here", "t", "there", 30)
    monthly = Allowance("monthly", 5_000_000, Per.MONTH, await ledger.now_ms("here"))
    await other.put_team(TeamRecord("here", organisation="o", allowances=(monthly,)))
    line = await given(world)

    assert ("here", 5) == (line["team"], line["credits"])
    assert str(line["grant"]).startswith("allowance:monthly:")
    assert (70 + 5_000_000, 30) == (
        (await ledger.balance("here")).available, (await ledger.balance("there")).available,
    )  # fmt: skip


async def nothing(*_: object) -> bool:
    """What a gateway does that dies here."""
    return False
