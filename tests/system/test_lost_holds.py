"""A store that has lost what it had acknowledged, as after a fail-over to a replica that lagged: outcomes count."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import jsonschema
import pytest

from gatekeeper.ledger.records import Ending, Settlement, SettleStatus
from gatekeeper.ledger.teamrecord import Limit, Per
from tests.ledger.topologies import free_port
from tests.system.conftest import StartWorld
from tests.system.provider import Provider
from tests.system.storeserver import AOF, store_server
from tests.system.test_logs import SCHEMA
from tests.system.test_outbox import metric
from tests.system.world import Answer, World

TEAM_KEYS = "gk:{team-0}:*"
PAST = "past:"
FLAGGED = 'gatekeeper_settlements_flagged_total{status="orphan"}'


@pytest.fixture(name="world")
async def _world(start_world: StartWorld, provider: Provider) -> World:
    """A gateway in front of the provider that counts."""
    return await start_world(provider_url=provider.url)


async def forgotten_in_flight(world: World, provider: Provider, status: int = 200) -> Answer:
    """A native generation whose hold the store forgets, with all that it did, while the provider works."""
    key = await world.key()
    command = world.gateway.store.client.command
    for name in await command("KEYS", TEAM_KEYS):
        await command("COPY", name, PAST + name)
    provider.status = status
    provider.gate.clear()
    sent = asyncio.ensure_future(world.native(key))
    await world.event("generation.admitted")
    for name in await command("KEYS", TEAM_KEYS):
        await command("DEL", name)
    for name in await command("KEYS", f"{PAST}*"):
        await command("RENAME", name, name.removeprefix(PAST))
    provider.gate.set()
    return await sent


async def test_a_charge_without_its_hold_is_booked(world: World, provider: Provider) -> None:
    """The picture was made: it is charged as the fact it is, flagged, counted and logged, and the books verify."""
    answer = await forgotten_in_flight(world, provider)

    line = await world.event("settle.orphan")
    balance = await world.balance()
    assert (200, "49") == (answer.status, answer.headers["Gatekeeper-Credits-Charged"])
    assert "951" == answer.headers["Gatekeeper-Credits-Available"]
    assert (answer.headers["Gatekeeper-Hold-Id"], 49, 49, "error") == (
        line["hold_id"],
        line["credits_held"],
        line["credits_charged"],
        line["level"],
    )
    assert (951_000_000, 0, 49_000_000) == (balance.available, balance.held, balance.charged)
    assert (["orphan"], "1.0") == (await world.kinds(), await metric(world, FLAGGED))
    await world.assert_books_clean()


async def test_a_flag_is_told_of_an_outcome_whose_answer_nobody_heard(world: World, provider: Provider) -> None:
    """The request is cancelled when its charge is booked and not answered; told again, the ledger has it already."""
    ledger, met = world.gateway.store.ledger, list[Settlement]()
    end = ledger.end

    async def unheard(team_id: str, ending: Ending) -> Settlement:
        met.append(await end(team_id, ending))
        if len(met) == 1:
            raise asyncio.CancelledError
        return met[-1]

    ledger.end = unheard  # type: ignore[method-assign]
    with pytest.raises(aiohttp.ClientError):
        await forgotten_in_flight(world, provider)
    settled = await world.event("generation.settled")
    flags = world.events("settle.orphan")

    assert [SettleStatus.ORPHAN, SettleStatus.DUPLICATE] == [each.status for each in met]
    assert [(settled["hold_id"], 49)] == [(line["hold_id"], line["credits_charged"]) for line in flags]
    assert "1.0" == await metric(world, FLAGGED)


async def test_a_failure_without_its_hold_costs_nothing(world: World, provider: Provider) -> None:
    """Nothing to charge and nothing to free; that the store has lost something is told all the same."""
    answer = await forgotten_in_flight(world, provider, status=500)

    line = await world.event("settle.orphan")
    assert (500, "0", 0) == (answer.status, answer.headers["Gatekeeper-Credits-Charged"], line["credits_charged"])
    assert "1000" == answer.headers["Gatekeeper-Credits-Available"]
    assert 1_000_000_000 == (await world.balance()).available
    assert "1.0" == await metric(world, FLAGGED)
    await world.assert_books_clean()


async def test_a_charge_in_the_outbox_brings_along_what_its_hold_was(
    start_world: StartWorld, provider: Provider, tmp_path: Path
) -> None:
    """The store dies and comes back as it was before the hold: the charge is booked in the member's limit too."""
    port, now, before = free_port(), tmp_path / "store", tmp_path / "before"
    async with store_server(now, port, *AOF) as store:
        world = await start_world(provider_url=provider.url, store_url=f"redis://127.0.0.1:{port}/0")
        key = await world.key(limits=(Limit("member", Per.DAY, 100_000_000),))
        shutil.copytree(now, before)
        provider.gate.clear()
        sent = asyncio.ensure_future(world.native(key, headers={"Gatekeeper-Member": "amy"}))
        await world.event("generation.admitted")
        store.kill()
        provider.gate.set()
        status = (await sent).status
    async with store_server(before, port, *AOF):
        line = await world.event("settle.orphan")
        balance = await world.gateway.store.ledger.balance("team-0", member="amy")
        await world.assert_books_clean()

    assert (200, 49, 49_000_000) == (status, line["credits_charged"], balance.charged)
    assert [49_000_000] == [limit.used for limit in balance.limits]


async def test_the_lines_are_as_published(world: World, provider: Provider) -> None:
    """Each is described by the schema."""
    await forgotten_in_flight(world, provider)
    await world.event("generation.settled")

    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
    assert [] == [error.message for line in world.events() for error in validator.iter_errors(line)]


@asynccontextmanager
async def a_lost_charge(
    start_world: StartWorld, provider: Provider, tmp_path: Path
) -> AsyncIterator[tuple[World, str]]:
    """A gateway, and the key of a team that it has charged, on a store that has come back as it was before that."""
    port, now, before = free_port(), tmp_path / "store", tmp_path / "before"
    async with store_server(now, port, *AOF) as store:
        world = await start_world(provider_url=provider.url, store_url=f"redis://127.0.0.1:{port}/0")
        key = await world.key()
        shutil.copytree(now, before)
        assert 200 == (await world.native(key)).status
        store.kill()
    async with store_server(before, port, *AOF):
        yield world, key


async def test_a_store_that_comes_back_older_is_found_out(
    start_world: StartWorld, provider: Provider, tmp_path: Path
) -> None:
    """The store comes back without a charge that it had acknowledged: it is told, and the charge is booked again."""
    async with a_lost_charge(start_world, provider, tmp_path) as (world, _):
        told = await world.event("ledger.history_lost")
        balance = await world.balance()
        await world.assert_books_clean()

    assert (2, 0, "error") == (told["told_again"], told["missing"], told["level"])
    assert (49_000_000, 0) == (balance.charged, balance.held)
    assert "1.0" == await metric(world, "gatekeeper_histories_lost_total")


async def test_while_entries_are_told_again_the_team_waits(
    start_world: StartWorld, provider: Provider, tmp_path: Path
) -> None:
    """Until other gateways have had time to tell their part, nothing is admitted for the team, and it may try again."""
    async with a_lost_charge(start_world, provider, tmp_path) as (world, key):
        await world.event("ledger.history_lost")
        refused = await world.native(key)

    assert (503, "ledger_unavailable") == (refused.status, refused.headers["Gatekeeper-Rejection"])
    assert 1 == provider.calls
