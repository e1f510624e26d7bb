"""Several workers as operators and callers meet them: one gateway, whichever process answers."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import jsonschema
import orjson
import pytest

from gatekeeper.sandbox import RunningSandbox, SandboxSettings, start_sandbox
from tests.certificates import Authority
from tests.system.process import write_config
from tests.system.provider import Provider
from tests.system.test_process import verify
from tests.system.test_tls_ports import serial
from tests.system.workering import KEY, Gateway, until_gone, workers
from tests.system.world import CATALOG

SCHEMA = Path(__file__).parents[2] / "docs" / "log-events.schema.json"


@pytest.fixture(name="sandbox")
async def _sandbox() -> AsyncIterator[RunningSandbox]:
    sandbox = await start_sandbox(SandboxSettings())
    yield sandbox
    await sandbox.close()


def counts(gateway: Gateway) -> dict[str, int]:
    """How often each event was logged."""
    names = [each["event"] for each in gateway.events]
    return {name: names.count(name) for name in names}


async def test_connections_are_dealt_out_to_all_workers(tmp_path: Path, sandbox: RunningSandbox) -> None:
    """Sixty callers who stay connected are served by three processes, and the admin plane by a fourth."""
    config = write_config(tmp_path, sandbox.url)
    async with workers(config) as gateway:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, headers=KEY) as session:
            asked = [session.get(f"{gateway.url}/v1/balance") for _ in range(60)]
            answers = await asyncio.gather(*asked)
            dealt = gateway.connections()
            for answer in answers:
                answer.close()
        ready, started = await gateway.ready(), counts(gateway)

    assert {200} == {answer.status for answer in answers}
    assert set(gateway.worker_pids()) == set(dealt)
    assert {"wanted": 3, "accepting": 3} == ready["workers"]
    assert (3, 1) == (started["worker.started"], started["server.started"])


async def test_a_burst_over_all_workers_spends_the_grant_exactly(tmp_path: Path, sandbox: RunningSandbox) -> None:
    """Credits for ten pictures, sixty callers at once at three processes: ten are made, and nothing is left."""
    config = write_config(tmp_path, sandbox.url, grant="490")
    async with workers(config) as gateway:
        statuses = await asyncio.gather(*(gateway.generate() for _ in range(60)))
        left = await gateway.balance()
        admitted = await gateway.metric("gatekeeper_generations_admitted_total")
        refused = await gateway.metric("gatekeeper_rejections_total")
        gateway.process.signal(signal.SIGTERM)
        code = await gateway.process.ended()

    assert (10, 50) == (statuses.count(200), statuses.count(402))
    assert (0, 0, 490) == (left["available"], left["held"], left["charged"])
    assert (10, 50, 0) == (admitted, refused, code)
    await verify(config)


async def test_a_killed_worker_is_replaced_and_nothing_is_lost(tmp_path: Path, sandbox: RunningSandbox) -> None:
    """Under load: who is connected to another one notices nothing, metrics do not go down, no credit is unaccounted."""
    config = write_config(tmp_path, sandbox.url, grant="100000")
    async with workers(config) as gateway:
        await asyncio.gather(*(gateway.generate() for _ in range(20)))
        before = await gateway.metric("gatekeeper_generations_admitted_total")
        load = [asyncio.ensure_future(gateway.generate("a cat [sandbox: latency=0.2]")) for _ in range(60)]
        await gateway.process.event("generation.admitted")
        os.kill(gateway.worker_pids()[0], signal.SIGKILL)
        during = await gateway.metric("gatekeeper_generations_admitted_total")
        statuses = await asyncio.gather(*load)
        died = await gateway.process.event("worker.died")
        await gateway.until_accepting(3)
        after = [await gateway.generate() for _ in range(6)]
        last = await gateway.metric("gatekeeper_generations_admitted_total")
        deaths = await gateway.metric("gatekeeper_worker_deaths_total")
        in_flight = await gateway.metric("gatekeeper_generations_in_flight")
        left = await gateway.balance()
        gateway.process.signal(signal.SIGTERM)
        code = await gateway.process.ended()

    made = 20 + statuses.count(200) + 6
    assert {0, 200} >= set(statuses)
    assert ([200] * 6, 0, 1) == (after, in_flight, deaths)
    assert before <= during <= last
    # What the dead worker was about to charge is still held: its outcome is not known, and time decides.
    assert 100_000 == left["available"] + left["held"] + left["charged"]
    assert 49 * made <= left["charged"] <= 100_000 - left["available"]
    assert (1, "it was ended by SIGKILL", 0) == (died["worker"], died["reason"], code)
    await verify(config)


async def test_what_a_killed_worker_held_can_be_released(tmp_path: Path, sandbox: RunningSandbox) -> None:
    """The hold is known to all: the admin plane, which had nothing to do with it, frees its credits."""
    config = write_config(tmp_path, sandbox.url)
    async with workers(config, 2) as gateway:
        answer = asyncio.ensure_future(gateway.generate("a cat [sandbox: hang]"))
        admitted = await gateway.process.event("generation.admitted")
        for pid in gateway.worker_pids():
            os.kill(pid, signal.SIGKILL)
        status = await answer
        await gateway.until_accepting(2)
        held = await gateway.balance()
        path = f"/admin/v1/teams/studio/holds/{admitted['hold_id']}/release"
        released, _ = await gateway.admin("POST", path, json={"running": True, "why": "its worker is gone"})
        left = await gateway.balance()

    assert (0, 200) == (status, released)
    assert (49, 951) == (held["held"], held["available"])
    assert (0, 1000, 0) == (left["held"], left["available"], left["charged"])
    await verify(config)


async def test_sigterm_drains_all_workers(tmp_path: Path, provider: Provider) -> None:
    """What is in flight anywhere is answered and settled, the exit code is 0, and the log is whole."""
    config = write_config(tmp_path, provider.url)
    provider.gate.clear()
    async with workers(config, 2) as gateway:
        answers = [asyncio.ensure_future(gateway.generate()) for _ in range(12)]
        await gateway.until_in_flight(12)
        gateway.process.signal(signal.SIGTERM)
        await gateway.until_stopping(*gateway.worker_pids())
        provider.gate.set()
        statuses = await asyncio.gather(*answers)
        code = await gateway.process.ended()

    found = counts(gateway)
    validator = jsonschema.Draft202012Validator(orjson.loads(SCHEMA.read_bytes()))
    assert ([200] * 12, 0) == (statuses, code)
    assert (12, 2, 1) == (found["generation.settled"], found["worker.stopped"], found["server.stopped"])
    assert ("server.stopped", 0) == (gateway.events[-1]["event"], gateway.events[-1]["abandoned"])
    assert [] == [error.message for each in gateway.events for error in validator.iter_errors(each)]
    await verify(config)


async def test_what_is_cut_off_is_told_of_all_workers(tmp_path: Path, provider: Provider) -> None:
    """Nobody answers before the grace is over: each of them ends as unknown, and the last line says how many."""
    config = write_config(tmp_path, provider.url, shutdown_grace_s=0.1)
    provider.gate.clear()
    async with workers(config, 2) as gateway:
        answers = [asyncio.ensure_future(gateway.generate()) for _ in range(6)]
        await gateway.until_in_flight(6)
        gateway.process.signal(signal.SIGTERM)
        statuses = await asyncio.gather(*answers)
        code = await gateway.process.ended()

    assert ([0] * 6, 0, 6) == (statuses, code, counts(gateway)["hold.unknown"])
    assert ("server.stopped", 6) == (gateway.events[-1]["event"], gateway.events[-1]["abandoned"])
    await verify(config)


async def test_a_worker_that_is_told_to_stop_finishes_and_is_followed(
    tmp_path: Path, provider: Provider
) -> None:  # fmt: skip
    """One after the other can be replaced so, and nobody's generation is cut off."""
    config = write_config(tmp_path, provider.url)
    provider.gate.clear()
    async with workers(config, 2) as gateway:
        answers = [asyncio.ensure_future(gateway.generate()) for _ in range(8)]
        await gateway.until_in_flight(8)
        first = gateway.worker_pids()[0]
        os.kill(first, signal.SIGTERM)
        await gateway.until_stopping(first)
        provider.gate.set()
        stopped = await gateway.process.event("worker.stopped")
        statuses = await asyncio.gather(*answers)
        await gateway.until_accepting(2)
        deaths = await gateway.metric("gatekeeper_worker_deaths_total")
        admitted = await gateway.metric("gatekeeper_generations_admitted_total")

    assert ([200] * 8, 1, 0) == (statuses, stopped["worker"], stopped["abandoned"])
    assert (0, 8) == (deaths, admitted)


async def test_a_reload_reaches_every_worker(tmp_path: Path, sandbox: RunningSandbox) -> None:
    """By SIGHUP or by the admin plane: whoever is asked afterwards has the new price; a bad file changes nobody's."""
    config = write_config(tmp_path, sandbox.url)
    catalog = tmp_path / "google.yaml"
    catalog.write_text((CATALOG / "google.yaml").read_text())
    config.write_text(config.read_text().replace(str(CATALOG / "google.yaml"), str(catalog)))
    async with workers(config, 2) as gateway:
        before = {await gateway.price() for _ in range(12)}
        catalog.write_text(catalog.read_text().replace("49", "50"))
        gateway.process.signal(signal.SIGHUP)
        told = await gateway.process.event("catalog.reloaded")
        after = {await gateway.price() for _ in range(12)}
        catalog.write_text("models: 7\n")
        status, bad = await gateway.admin("POST", "/admin/v1/catalog/reload")
        os.kill(gateway.worker_pids()[1], signal.SIGKILL)
        await gateway.process.event("worker.died")
        await gateway.until_accepting(2)
        still = {await gateway.price() for _ in range(12)}
        reloads = await gateway.metric("gatekeeper_catalog_reloads_total")

    assert ({49}, {50}, {50}) == (before, after, still)
    assert (True, 2) == (told["ok"], reloads)
    assert (422, False) == (status, orjson.loads(bad)["ok"])


async def test_workers_end_with_their_leader(tmp_path: Path, sandbox: RunningSandbox) -> None:
    """Killed, it cannot tell them; they notice, and the port and the store are free for the next."""
    config = write_config(tmp_path, sandbox.url)
    async with workers(config, 2) as gateway:
        assert 200 == await gateway.generate()
        gateway.process.signal(signal.SIGKILL)
        for pid in gateway.worker_pids():
            await until_gone(pid)
    port = int(gateway.url.rpartition(":")[2])
    config.write_bytes(orjson.dumps(orjson.loads(config.read_bytes()) | {"server": {"port": port, "admin_port": 0}}))
    async with workers(config, 2) as gateway:
        left = await gateway.balance()

    assert (951, 49) == (left["available"], left["charged"])
    await verify(config)


async def test_a_renewed_certificate_reaches_every_worker(tmp_path: Path, sandbox: RunningSandbox) -> None:
    """By a reload, also where the catalog has a mistake; all show the new one then, and the admin port its own."""
    authority = Authority(tmp_path)
    first = authority.sign()
    named = {"TLS_CERTIFICATE": str(first.certificate), "TLS_KEY": str(first.key)}
    stated = {f"GATEKEEPER_SERVER__{name}": value for name, value in named.items()}
    config = write_config(tmp_path, sandbox.url)
    catalog = tmp_path / "google.yaml"
    catalog.write_text((CATALOG / "google.yaml").read_text())
    config.write_text(config.read_text().replace(str(CATALOG / "google.yaml"), str(catalog)))
    async with workers(config, 2, **stated) as gateway:
        before = {await serial(gateway.url, authority) for _ in range(12)}
        second = authority.sign()
        status, _ = await gateway.admin("POST", "/admin/v1/catalog/reload")
        after = {await serial(gateway.url, authority) for _ in range(12)}
        third = authority.sign()
        catalog.write_text("models: 7\n")
        bad, _ = await gateway.admin("POST", "/admin/v1/catalog/reload")
        at_last = {await serial(gateway.url, authority) for _ in range(12)}
        third.key.write_text("half of a")
        _, told = await gateway.admin("POST", "/admin/v1/catalog/reload")
        still = {await serial(gateway.url, authority) for _ in range(12)}

    assert ({first.serial}, {second.serial}, {third.serial}, {third.serial}) == (before, after, at_last, still)
    assert (200, 422, True) == (status, bad, "server.key holds no private key" in told)
    assert gateway.url.startswith("https://")
