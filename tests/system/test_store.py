"""A store by URL: it serves, it goes away, it comes back; and one that cannot keep credits is refused."""

import asyncio
import signal
from pathlib import Path

import aiohttp
import pytest
from redis.asyncio import Redis

from gatekeeper.app import running_gateway
from gatekeeper.ledger.errors import StoreRefused
from gatekeeper.ledger.records import Ending, Settlement
from gatekeeper.settings import StoreSettings
from tests.ledger.topologies import ClusterOf, free_port
from tests.system.conftest import StartWorld
from tests.system.provider import Provider
from tests.system.storeserver import AOF, store_server
from tests.system.world import settings_for


async def test_credits_can_live_in_a_store_by_url(start_world: StartWorld, tmp_path: Path) -> None:
    """A generation is held and settled on a server of the operator's own."""
    port = free_port()
    async with store_server(tmp_path / "store", port, *AOF):
        world = await start_world(store_url=f"redis://127.0.0.1:{port}/0")
        answer = await world.native(await world.key())
        started = await world.event("server.started")

        assert (200, "49") == (answer.status, answer.headers["Gatekeeper-Credits-Charged"])
        assert started["store"].startswith("remote")
        assert "crash-safe" == started["durability"]
        await world.assert_books_clean()


async def test_credits_can_live_in_a_cluster(start_world: StartWorld) -> None:
    """A generation is held and settled on whichever node has the team, and the gateway is ready when all are."""
    cluster = await asyncio.to_thread(ClusterOf, 3, 0, *AOF)
    try:
        world = await start_world(store_url=cluster.url)
        answer = await world.native(await world.key())
        started = await world.event("server.started")
        async with world.session.get(f"{world.gateway.admin_url}/readyz") as response:
            ready = response.status

        assert (200, "49") == (answer.status, answer.headers["Gatekeeper-Credits-Charged"])
        assert (200, "crash-safe") == (ready, started["durability"])
        await world.assert_books_clean()
    finally:
        cluster.close()


async def test_a_restarted_store_is_looked_at_again(start_world: StartWorld, tmp_path: Path) -> None:
    """A server that comes back set up worse is told in the log and in /readyz, without a restart of the gateway."""
    port = free_port()
    async with store_server(tmp_path / "store", port, *AOF):
        world = await start_world(store_url=f"redis://127.0.0.1:{port}/0")
        key = await world.key()
    async with store_server(tmp_path / "store", port, "--appendonly", "yes"):
        await world.native(key)
        warned = await world.event("store.warning")
        async with world.session.get(f"{world.gateway.admin_url}/readyz") as response:
            durability = (await response.json())["durability"]

    assert "appendfsync is everysec" in warned["warning"]
    assert "crash-likely" == durability


async def test_without_a_store_nothing_is_forwarded_and_with_it_all_goes_on(
    start_world: StartWorld, tmp_path: Path
) -> None:
    """Fails closed: 503 with Retry-After while it is away, not ready, and no restart is needed when it is back."""
    port = free_port()
    async with store_server(tmp_path / "store", port, *AOF):
        world = await start_world(store_url=f"redis://127.0.0.1:{port}/0")
        key = await world.key()
        before = await world.native(key)
    away = await world.native(key)
    async with world.session.get(f"{world.gateway.admin_url}/readyz") as response:
        ready = response.status
    async with store_server(tmp_path / "store", port, *AOF):
        after = await world.native(key)
        charged = (await world.balance()).charged
        await world.assert_books_clean()

    assert (200, 503, 503, 200) == (before.status, away.status, ready, after.status)
    assert ("ledger_unavailable", True) == (away.json["code"], away.json["retryable"])
    assert int(away.headers["Retry-After"]) >= 1
    assert 2 == (await world.provider())["generations"]
    assert 98_000_000 == charged


async def test_a_store_that_pauses_in_mid_generation_still_gets_its_settlement(
    start_world: StartWorld, provider: Provider, tmp_path: Path
) -> None:
    """Stopped while the provider draws and running again soon after: the charge is booked once."""
    port = free_port()
    provider.gate.clear()
    async with store_server(tmp_path / "store", port, *AOF) as store:
        world = await start_world(provider_url=provider.url, store_url=f"redis://127.0.0.1:{port}/0")
        ledger, asked = world.gateway.store.ledger, asyncio.Event()
        end = ledger.end

        async def noted(team: str, ending: Ending) -> Settlement:
            asked.set()
            return await end(team, ending)

        ledger.end = noted  # type: ignore[method-assign]
        answer = asyncio.ensure_future(world.native(await world.key()))
        await world.event("generation.admitted")
        store.send_signal(signal.SIGSTOP)
        provider.gate.set()
        await asked.wait()
        store.send_signal(signal.SIGCONT)

        assert 200 == (await answer).status
        assert 49_000_000 == (await world.balance()).charged
        await world.assert_books_clean()


async def test_a_store_that_evicts_is_refused_at_the_start(tmp_path: Path) -> None:
    """A server that drops keys when its memory is full would drop credits: the message says what to set."""
    port = free_port()
    arguments = ("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
    async with store_server(tmp_path / "store", port, *arguments), aiohttp.ClientSession():
        settings = settings_for(tmp_path, "http://127.0.0.1:9")
        store = StoreSettings(url=f"redis://127.0.0.1:{port}/0")
        with pytest.raises(StoreRefused, match="noeviction"):
            async with running_gateway(settings.model_copy(update={"store": store})):
                pass


async def test_a_charge_waits_for_a_store_that_takes_our_rights_away(
    start_world: StartWorld, provider: Provider, tmp_path: Path
) -> None:
    """Its operator forbids us to write while the provider draws: the charge is booked when we may again."""
    port = free_port()
    provider.gate.clear()
    async with store_server(tmp_path / "store", port, *AOF), Redis(port=port) as store:
        world = await start_world(provider_url=provider.url, store_url=f"redis://127.0.0.1:{port}/0")
        answer = asyncio.ensure_future(world.native(await world.key()))
        await world.event("generation.admitted")
        await store.execute_command("ACL", "SETUSER", "default", "-evalsha")
        provider.gate.set()
        status = (await answer).status
        await world.event("settle.deferred")
        await store.execute_command("ACL", "SETUSER", "default", "+evalsha")
        await world.event("settle.replayed")

        assert (200, 49_000_000) == (status, (await world.balance()).charged)
        await world.assert_books_clean()
