"""The store is away when an outcome has to be booked: the answer goes out, the outcome waits on disk, and is booked."""

import asyncio
import json
import os
import signal
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import aiohttp
import jsonschema
import pytest

from gatekeeper.app import running_gateway
from gatekeeper.ledger.errors import OutboxFull
from gatekeeper.ledger.outbox import Outbox
from gatekeeper.ledger.resolution import Act, Resolution
from gatekeeper.sandbox import SandboxSettings, start_sandbox
from gatekeeper.web import auth
from tests.ledger.topologies import free_port
from tests.system.conftest import StartWorld
from tests.system.process import gatekeeper, write_config
from tests.system.provider import FAILS, Provider
from tests.system.storeserver import AOF, store_server
from tests.system.test_logs import SCHEMA
from tests.system.test_process import ENVIRONMENT, balance, generate, verify
from tests.system.world import World, settings_for


def segments(data_dir: Path) -> list[Path]:
    """The outbox's files with something waiting in them."""
    return sorted((data_dir / "outbox").glob("*.outbox"))


async def until_empty(data_dir: Path) -> None:
    """Waits (bounded) until nothing waits in the outbox."""
    for _ in range(2000):
        if not segments(data_dir):
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"something waits in {segments(data_dir)}")


async def killed(store: asyncio.subprocess.Process) -> None:
    """The store is gone."""
    store.kill()
    await store.wait()


async def metric(world: World, name: str) -> str:
    """The value of a metric, labels and all in its name."""
    async with world.session.get(f"{world.gateway.admin_url}/metrics") as response:
        lines = (await response.text()).splitlines()
    return next(line.rpartition(" ")[2] for line in lines if line.startswith(f"{name} "))


async def test_a_charge_waits_for_the_store_and_is_booked_once(
    start_world: StartWorld, provider: Provider, tmp_path: Path
) -> None:
    """Store killed while the provider draws: the client gets its picture, the books get the charge when it is back."""
    port = free_port()
    provider.gate.clear()
    async with store_server(tmp_path / "store", port, *AOF) as store:
        world = await start_world(provider_url=provider.url, store_url=f"redis://127.0.0.1:{port}/0")
        answer = asyncio.ensure_future(world.native(await world.key()))
        await world.event("generation.admitted")
        await killed(store)
        provider.gate.set()
        status = (await answer).status
        deferred = await world.event("settle.deferred")
    waiting = await metric(world, "gatekeeper_outbox_resolutions")
    async with store_server(tmp_path / "store", port, *AOF):
        replayed = await world.event("settle.replayed")
        await until_empty(tmp_path / "data")
        booked = await world.kinds()
        charged = (await world.balance()).charged
        await world.assert_books_clean()

    assert (200, "1.0", ["hold", "settle"], 49_000_000) == (status, waiting, booked, charged)
    assert ("settle", 49, deferred["hold_id"]) == (deferred["act"], deferred["credits_to_charge"], replayed["hold_id"])
    assert ("settled", deferred["request_id"]) == (replayed["status"], replayed["request_id"])
    assert "0.0" == await metric(world, "gatekeeper_outbox_resolutions")
    assert "1.0" == await metric(world, 'gatekeeper_outbox_replays_total{status="settled"}')
    assert "49.0" == await metric(world, "gatekeeper_credits_charged_total")
    assert "0.0" == await metric(world, "gatekeeper_generations_in_flight")
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
    assert [] == [error.message for line in world.events() for error in validator.iter_errors(line)]


async def test_many_outcomes_wait_and_each_is_booked_once(
    start_world: StartWorld, provider: Provider, tmp_path: Path
) -> None:
    """Ten pictures and two failures at once: ten charges, two releases, nothing double, and the books verify."""
    port = free_port()
    provider.gate.clear()
    async with store_server(tmp_path / "store", port, *AOF) as store:
        world = await start_world(provider_url=provider.url, store_url=f"redis://127.0.0.1:{port}/0")
        key = await world.key()
        prompts = ["x"] * 10 + [FAILS] * 2
        answers = asyncio.gather(*(world.native(key, prompt=prompt) for prompt in prompts))
        await world.event("generation.admitted", len(prompts))
        await killed(store)
        provider.gate.set()
        statuses = [answer.status for answer in await answers]
    async with store_server(tmp_path / "store", port, *AOF):
        await until_empty(tmp_path / "data")
        booked = await world.kinds()
        charged = (await world.balance()).charged
        await world.assert_books_clean()

    assert [200] * 10 == statuses[:10]
    assert 490_000_000 == charged
    assert {"hold": 12, "settle": 10, "release": 2} == {kind: booked.count(kind) for kind in set(booked)}


async def test_a_kill_9_of_the_gateway_loses_no_charge(provider: Provider, tmp_path: Path) -> None:
    """Store gone, charge on disk, gateway killed; both are started again: charged once, and the books verify."""
    port, store_dir = free_port(), tmp_path / "store"
    environment = ENVIRONMENT | {"GATEKEEPER_STORE__URL": f"redis://127.0.0.1:{port}/0"}
    provider.gate.clear()
    config = write_config(tmp_path, provider.url)
    arguments = ("serve", "--config", str(config))
    async with (
        store_server(store_dir, port, *AOF) as store,
        gatekeeper(*arguments, cwd=tmp_path, **environment) as server,
    ):
        url = (await server.event("server.started"))["url"]
        answer = asyncio.ensure_future(generate(url))
        await server.event("generation.admitted")
        await killed(store)
        provider.gate.set()
        status, _ = await answer
        await server.event("settle.deferred")
        server.signal(signal.SIGKILL)
        await server.ended()
    left = segments(tmp_path / "data")
    async with store_server(store_dir, port, *AOF):
        async with gatekeeper(*arguments, cwd=tmp_path, **environment) as server:
            url = (await server.event("server.started"))["url"]
            replayed = await server.event("settle.replayed")
            after = await balance(url)
            server.signal(signal.SIGTERM)
            assert 0 == await server.ended()
        assert 0 == await verify_by_url(tmp_path, config, environment)

    assert (200, 1, []) == (status, len(left), segments(tmp_path / "data"))
    assert ("settled", 49) == (replayed["status"], replayed["credits_charged"])
    assert (951, 0, 49) == (after["available"], after["held"], after["charged"])


async def verify_by_url(cwd: Path, config: Path, environment: dict[str, str]) -> int:
    """`gatekeeper verify` on the store that the environment names."""
    async with gatekeeper("verify", "--config", str(config), cwd=cwd, **environment) as command:
        return await command.ended()


async def test_a_kill_9_with_the_embedded_store_loses_no_charge(provider: Provider, tmp_path: Path) -> None:
    """The gateway's own store stopped, the charge on disk, all killed: the next start books it."""
    provider.gate.clear()
    config = write_config(tmp_path, provider.url)
    arguments = ("serve", "--config", str(config))
    async with gatekeeper(*arguments, cwd=tmp_path, **ENVIRONMENT) as server:
        started = await server.event("server.started")
        answer = asyncio.ensure_future(generate(started["url"]))
        await server.event("generation.admitted")
        with Stopped(child_of(server.pid)):
            provider.gate.set()
            status, _ = await answer
            await server.event("settle.deferred")
            server.signal(signal.SIGKILL)
            await server.ended()
    async with gatekeeper(*arguments, cwd=tmp_path, **ENVIRONMENT) as server:
        url = (await server.event("server.started"))["url"]
        await server.event("settle.replayed")
        after = await balance(url)

    assert (200, 951, 0, 49) == (status, after["available"], after["held"], after["charged"])
    await verify(config)


def child_of(pid: int) -> int:
    """The one child of a gateway: its store."""
    (child,) = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return child


class Stopped:
    """A process that stands still inside the block."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def __enter__(self) -> None:
        os.kill(self._pid, signal.SIGSTOP)

    def __exit__(self, *_: object) -> None:
        os.kill(self._pid, signal.SIGCONT)


async def test_a_hold_that_nobody_confirmed_is_undone(
    start_world: StartWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Store stopped at the hold: 503 and nothing forwarded; when it wakes up and makes the hold, it is released, though
    the provider's policy would have charged it."""
    monkeypatch.setattr(auth, "REMEMBER_S", 60)  # the key is known, so that it is the hold that waits for the store
    port = free_port()
    async with store_server(tmp_path / "store", port, *AOF) as store:
        world = await start_world(store_url=f"redis://127.0.0.1:{port}/0", on_unknown="charge")
        key = await world.key()
        await world.native(key)
        store.send_signal(signal.SIGSTOP)
        refused = await world.native(key)
        deferred = await world.event("settle.deferred")
        store.send_signal(signal.SIGCONT)
        replayed = await world.event("settle.replayed")
        figures = await world.balance()
        booked = await world.kinds()
        await world.assert_books_clean()

    assert (503, "ledger_unavailable") == (refused.status, refused.json["code"])
    assert ("undo", "released") == (deferred["act"], replayed["status"])
    assert ["hold", "settle", "hold", "release"] == booked
    assert (0, 49_000_000, 1) == (figures.held, figures.charged, (await world.provider())["generations"])


async def test_what_time_resolved_meanwhile_is_booked_late(
    start_world: StartWorld, provider: Provider, tmp_path: Path
) -> None:
    """The store comes back after the hold's time and releases it first: the charge is booked all the same, and told."""
    port = free_port()
    provider.gate.clear()
    async with store_server(tmp_path / "store", port, *AOF) as store:
        world = await start_world(provider_url=provider.url, store_url=f"redis://127.0.0.1:{port}/0")
        answer = asyncio.ensure_future(world.native(await world.key()))
        await world.event("generation.admitted")
        (hold,) = await world.gateway.store.ledger.holds("team-0")
        # Time itself, without the waiting: the deadline of the hold moves into the past, and the sweep takes it.
        await world.gateway.store.client.command("ZADD", "gk:{team-0}:due", 1, hold.hold_id)
        await world.gateway.store.ledger.expire_due("team-0")
        await killed(store)
        provider.gate.set()
        await answer
        await world.event("settle.deferred")
    async with store_server(tmp_path / "store", port, *AOF):
        late = await world.event("settle.late")
        await until_empty(tmp_path / "data")
        booked = await world.kinds()
        await world.assert_books_clean()

    assert ["hold", "unknown", "expire", "late"] == booked
    assert (49, hold.hold_id) == (late["credits_charged"], late["hold_id"])


async def test_what_a_shutdown_cuts_off_is_booked_by_the_next_start(tmp_path: Path) -> None:
    """SIGTERM while the store is away and the provider hangs: unknown, on disk first, later in the books."""
    port, store_dir = free_port(), tmp_path / "store"
    environment = ENVIRONMENT | {"GATEKEEPER_STORE__URL": f"redis://127.0.0.1:{port}/0"}
    sandbox = await start_sandbox(SandboxSettings())
    config = write_config(tmp_path, sandbox.url, shutdown_grace_s=0.2)
    arguments = ("serve", "--config", str(config))
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(store_server(store_dir, port, *AOF))
        server = await stack.enter_async_context(gatekeeper(*arguments, cwd=tmp_path, **environment))
        url = (await server.event("server.started"))["url"]
        answer = asyncio.ensure_future(generate(url, "a cat [sandbox: hang]"))
        await server.event("generation.admitted")
        store.kill()
        server.signal(signal.SIGTERM)
        with pytest.raises(aiohttp.ClientError):
            await answer
        deferred = await server.event("settle.deferred")
        code = await server.ended()
    async with store_server(store_dir, port, *AOF), gatekeeper(*arguments, cwd=tmp_path, **environment) as server:
        replayed = await server.event("settle.replayed")
    await sandbox.close()

    assert (0, "unknown") == (code, deferred["act"])
    assert ("unknown", deferred["hold_id"]) == (replayed["status"], replayed["hold_id"])


async def test_a_settlement_that_a_shutdown_interrupts_is_not_lost(provider: Provider, tmp_path: Path) -> None:
    """SIGTERM, and the grace ends while the settle waits for a store that stands still: the charge goes to disk."""
    port, store_dir = free_port(), tmp_path / "store"
    environment = ENVIRONMENT | {"GATEKEEPER_STORE__URL": f"redis://127.0.0.1:{port}/0"}
    provider.gate.clear()
    config = write_config(tmp_path, provider.url, shutdown_grace_s=2)
    arguments = ("serve", "--config", str(config))
    async with store_server(store_dir, port, *AOF) as store:
        async with gatekeeper(*arguments, cwd=tmp_path, **environment) as server:
            url = (await server.event("server.started"))["url"]
            answer = asyncio.ensure_future(generate(url))
            await server.event("generation.admitted")
            with Stopped(store.pid):
                provider.gate.set()
                server.signal(signal.SIGTERM)
                with pytest.raises(aiohttp.ClientError):
                    await answer
                deferred = await server.event("settle.deferred")
                code = await server.ended()
        async with gatekeeper(*arguments, cwd=tmp_path, **environment) as server:
            url = (await server.event("server.started"))["url"]
            await server.event("settle.replayed")
            after = await balance(url)

    assert (0, "settle", 49) == (code, deferred["act"], deferred["credits_to_charge"])
    assert (951, 0, 49) == (after["available"], after["held"], after["charged"])


async def fill(outbox: Outbox) -> bool:
    """Writes until not even a small resolution finds room."""
    large = Resolution(act=Act.RELEASE, team="filler", hold_id="01a201c134fa70a7b9f44622bd514020", meta="x" * 4000)
    small = replace(large, meta="")
    await asyncio.gather(*(outbox.write(large) for _ in range(300)), return_exceptions=True)
    for _ in range(1000):
        try:
            await outbox.write(small)
        except OutboxFull:
            return True
    return False


async def test_a_full_outbox_is_told_loudly(start_world: StartWorld, provider: Provider, tmp_path: Path) -> None:
    """Beyond `store.outbox_max_mb` an outcome is not kept: an error line says so, and the client gets its answer."""
    port = free_port()
    provider.gate.clear()
    async with store_server(tmp_path / "store", port, *AOF) as store:
        url = f"redis://127.0.0.1:{port}/0"
        world = await start_world(provider_url=provider.url, store_url=url, outbox_max_mb=1)
        answer = asyncio.ensure_future(world.native(await world.key()))
        await world.event("generation.admitted")
        await killed(store)
        full = await fill(world.gateway.gate.outbox)
        provider.gate.set()
        status = (await answer).status
        failed = await world.event("settle.failed")

    assert full
    assert ["sweeper"] * len(world.events("error")) == [line["where"] for line in world.events("error")]
    assert (200, "OutboxFull", "error", 49) == (status, failed["reason"], failed["level"], failed["credits_held"])


async def test_an_outbox_that_cannot_be_written_is_told_loudly(
    start_world: StartWorld, provider: Provider, tmp_path: Path
) -> None:
    """The client still gets its answer, the line is an error that names the reason, and time resolves the hold."""
    port = free_port()
    provider.gate.clear()
    async with store_server(tmp_path / "store", port, *AOF) as store:
        world = await start_world(provider_url=provider.url, store_url=f"redis://127.0.0.1:{port}/0")
        answer = asyncio.ensure_future(world.native(await world.key()))
        await world.event("generation.admitted")
        await killed(store)
        await world.gateway.gate.outbox.close()
        provider.gate.set()
        status = (await answer).status
        failed = await world.event("settle.failed")

    assert (200, "OutboxFailed", "error", 49) == (status, failed["reason"], failed["level"], failed["credits_held"])
    resolved = 'gatekeeper_generations_resolved_total{outcome="not_booked",provider="studio"}'
    assert "1.0" == await metric(world, resolved)


async def test_two_gateways_on_one_directory_keep_apart(
    start_world: StartWorld, provider: Provider, tmp_path: Path
) -> None:
    """A second gateway beside the first has an outbox of its own in the same place, and takes nothing from it."""
    port = free_port()
    async with store_server(tmp_path / "store", port, *AOF) as store:
        url = f"redis://127.0.0.1:{port}/0"
        world = await start_world(provider_url=provider.url, store_url=url)
        provider.gate.clear()
        answer = asyncio.ensure_future(world.native(await world.key()))
        await world.event("generation.admitted")
        async with running_gateway(settings_for(tmp_path, provider.url, store_url=url)) as second:
            await killed(store)
            provider.gate.set()
            await answer
            depths = (world.gateway.gate.outbox.depth, second.gate.outbox.depth)

    assert (1, 0) == depths
