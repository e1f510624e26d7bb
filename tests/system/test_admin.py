"""The admin port: health, figures, and a catalog read anew."""

import asyncio
import shutil
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import aiohttp
import pytest

from gatekeeper.app import running_gateway
from gatekeeper.ledger.keys import TeamKeys
from tests.system.conftest import StartWorld
from tests.system.world import CATALOG, World, settings_for


async def _get(world: World, path: str, **options: object) -> tuple[int, str]:
    async with world.session.get(f"{world.gateway.admin_url}{path}", **options) as response:
        return response.status, await response.text()


async def test_health_and_readiness_need_no_token(start_world: StartWorld) -> None:
    """They say that it lives, where credits are kept, and what a crash would lose."""
    world = await start_world(store_url="embedded")

    healthy, ready = await _get(world, "/healthz"), await _get(world, "/readyz")

    assert (200, 200) == (healthy[0], ready[0])
    assert '"durability":"crash-safe"' in ready[1]
    assert "embedded" in ready[1]


async def test_metrics_count_what_was_spent(world: World) -> None:
    """49 credits held and charged, no generation in flight any more."""
    await world.native(await world.key())

    _, metrics = await _get(world, "/metrics")

    assert "gatekeeper_credits_charged_total 49.0" in metrics
    assert "gatekeeper_generations_in_flight 0.0" in metrics


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic x"}])
async def test_admin_routes_need_the_token(world: World, headers: dict[str, str]) -> None:
    """401 without it, whatever the route, and the answer says where it is, but not which directory that is."""
    async with world.session.post(f"{world.gateway.admin_url}/admin/v1/catalog/reload", headers=headers) as response:
        told = (await response.json())["detail"]

        assert 401 == response.status
        assert "GATEKEEPER_ADMIN_TOKEN says where the gateway runs, else what the file admin-token in its data" in told
        assert [] == [word for word in (world.gateway.admin_token, "/") if word in told]


async def test_verify_is_clean_after_a_generation(world: World) -> None:
    """Every balance is derived again from the journal."""
    await world.native(await world.key())
    token = {"Authorization": f"Bearer {world.gateway.admin_token}"}

    status, text = await _get(world, "/admin/v1/verify", headers=token)

    assert 200 == status
    assert '"clean":true' in text


async def test_the_last_verification_is_a_metric(world: World) -> None:
    """How many figures were off, and when that was found out; 0 before the first time."""
    token = {"Authorization": f"Bearer {world.gateway.admin_token}"}
    await world.native(await world.key())
    _, before = await _get(world, "/metrics")
    store = world.gateway.store
    await store.client.command("HSET", TeamKeys("team-0").grants, "gift", "1")
    _, verdict = await _get(world, "/admin/v1/verify", headers=token)
    _, after = await _get(world, "/metrics")

    assert '"clean":false' in verdict
    assert "gatekeeper_verify_timestamp_seconds 0.0" in before
    assert "gatekeeper_verify_differences 1.0" in after
    assert "gatekeeper_verify_timestamp_seconds 1." in after


async def test_a_reload_changes_prices_and_a_bad_file_does_not(tmp_path: Path) -> None:
    """The new price holds from the next request; a file with mistakes keeps the old catalog and says where."""
    files = tmp_path / "catalog"
    shutil.copytree(CATALOG, files)
    settings = settings_for(tmp_path, "http://127.0.0.1:9").model_copy(
        update={"catalog": tuple(str(path) for path in sorted(files.glob("*.yaml")))}
    )
    async with running_gateway(settings) as gateway, aiohttp.ClientSession() as session:
        before = gateway.gate.shelf.catalog.digest
        google = files / "google.yaml"
        google.write_text(google.read_text().replace("1K: 49", "1K: 50"))
        token = {"Authorization": f"Bearer {gateway.admin_token}"}
        url = f"{gateway.admin_url}/admin/v1/catalog/reload"
        async with session.post(url, headers=token) as response:
            good = response.status, await response.json()
        google.write_text(google.read_text().replace("1K: 50", "1K: -50"))
        async with session.post(url, headers=token) as response:
            bad = response.status, await response.json()
        after = gateway.gate.shelf.catalog.digest

    assert (200, True) == (good[0], good[1]["ok"])
    assert (422, False) == (bad[0], bad[1]["ok"])
    assert before != good[1]["digest"] == bad[1]["digest"] == after
    assert "google.yaml:" in bad[1]["problems"][0]


async def test_an_operators_request_that_never_ends_does_not_keep_a_gateway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its body is half sent when the gateway stops: it is waited for, but not as long as callers are."""
    monkeypatch.setattr("gatekeeper.listening.ADMIN_GRACE_S", 0.05)
    stack = AsyncExitStack()
    gateway = await stack.enter_async_context(running_gateway(settings_for(tmp_path, "http://127.0.0.1:9")))
    address = gateway.admin_url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(*address)
    head = "POST /admin/v1/teams HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {gateway.admin_token}"
    writer.write("\r\n".join((*head, "Content-Length: 100", "", "{")).encode())

    async with asyncio.timeout(20):
        await stack.aclose()

    with suppress(ConnectionResetError):
        assert b"" == await reader.read()
    writer.close()
