"""Webhooks when something fails: the gateway is killed, the store is away, the disk is full."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from standardwebhooks.webhooks import Webhook

from gatekeeper.proxy.webhooks.letters import LetterBox
from gatekeeper.sandbox import RunningSandbox, SandboxSettings, start_sandbox
from tests.ledger.topologies import free_port
from tests.receiver import Receiver, listening
from tests.system.conftest import StartWorld
from tests.system.process import gatekeeper, write_config
from tests.system.storeserver import AOF, store_server
from tests.system.test_process import ENVIRONMENT, balance, verify
from tests.system.webhooking import LOCAL, hooked, signed, signed_event

KEY = ENVIRONMENT["STUDIO_KEY"]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with listening() as receiver:
        yield receiver


@pytest.fixture
async def sandbox() -> AsyncIterator[RunningSandbox]:
    sandbox = await start_sandbox(SandboxSettings(job_s=0.0))
    yield sandbox
    await sandbox.close()


def configured(directory: Path, sandbox: RunningSandbox) -> Path:
    """A configuration with Replicate at the sandbox, signed, and receivers on this machine."""
    path = write_config(directory, sandbox.url)
    config = json.loads(path.read_bytes())
    replicate = {"dialect": "replicate", "base_url": f"{sandbox.url}/replicate", "models": ["*"], **signed(directory)}
    config["providers"]["replicate"] = replicate
    config["webhooks"] = LOCAL
    path.write_bytes(orjson.dumps(config))
    return path


async def ask(url: str, method: str, path: str, **options: Any) -> Any:
    headers = {"Authorization": f"Bearer {KEY}"}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url + path, headers=headers, **options) as got,
    ):
        assert got.status < 300, await got.text()
        return await got.json()


async def submit(url: str, receiver: Receiver) -> Any:
    body = {
        "version": "nano-banana-2",
        "input": {"prompt": "a cat", "aspect_ratio": "1:1", "resolution": "1K"},
        "webhook": receiver.url,
    }
    return await ask(url, "POST", "/replicate/v1/predictions", json=body)


async def test_a_gateway_that_is_killed_before_it_has_delivered(
    sandbox: RunningSandbox, receiver: Receiver, tmp_path: Path
) -> None:
    """kill -9 with the event on disk; the next process delivers it, and the job is charged once."""
    config = configured(tmp_path, sandbox)
    arguments = ("serve", "--config", str(config))
    receiver.gate.clear()
    async with gatekeeper(*arguments, cwd=tmp_path, **ENVIRONMENT) as server:
        await submit((await server.event("server.started"))["url"], receiver)
        await receiver.until_received(1)
        server.signal(signal.SIGKILL)
        await server.ended()
    receiver.gate.set()
    async with gatekeeper(*arguments, cwd=tmp_path, **ENVIRONMENT) as server:
        url = (await server.event("server.started"))["url"]
        await server.event("webhook.delivered")
        secret = (await ask(url, "GET", "/v1/webhooks/default/secret"))["key"]
        after = await balance(url)

    headers, body = receiver.received[-1]
    assert "succeeded" == Webhook(secret).verify(body, headers)["status"]
    assert 1 == len({headers["webhook-id"] for headers, _ in receiver.received})
    assert (951, 0, 49) == (after["available"], after["held"], after["charged"])
    await verify(config)


async def test_a_receiver_that_is_up_after_a_restart(
    sandbox: RunningSandbox, receiver: Receiver, tmp_path: Path
) -> None:
    """It failed before the gateway stopped in order; it is told by the one that starts."""
    config = configured(tmp_path, sandbox)
    arguments = ("serve", "--config", str(config))
    receiver.statuses[:] = [500]
    async with gatekeeper(*arguments, cwd=tmp_path, **ENVIRONMENT) as server:
        await submit((await server.event("server.started"))["url"], receiver)
        await server.event("webhook.failed")
        server.signal(signal.SIGTERM)
        assert 0 == await server.ended()
    async with gatekeeper(*arguments, cwd=tmp_path, **ENVIRONMENT) as server:
        await server.event("server.started")
        await receiver.until_received(2)

    assert 1 == len({headers["webhook-id"] for headers, _ in receiver.received})


async def test_a_store_that_is_away_when_the_event_comes(
    start_world: StartWorld, receiver: Receiver, tmp_path: Path
) -> None:
    """The end waits in the outbox, the caller is told at once, and the charge is there when the store is back."""
    port = free_port()
    async with store_server(tmp_path / "store", port, *AOF) as store:
        scene = await hooked(
            start_world, receiver, store_url=f"redis://127.0.0.1:{port}/0", providers={"replicate": signed(tmp_path)}
        )
        await scene.submit("job_wait")
        store.kill()
        await store.wait()
        await scene.end_jobs()
        await receiver.until_received(1)
        deferred = await scene.world.event("settle.deferred")
    async with store_server(tmp_path / "store", port, *AOF):
        await scene.world.event("settle.replayed")

        assert ("settle", 49) == (deferred["act"], deferred["credits_to_charge"])
        assert 49_000_000 == (await scene.world.balance()).charged
        assert 1 == len(receiver.received)
        await scene.world.assert_books_clean()


async def test_an_event_that_cannot_be_kept_is_asked_for_again(
    start_world: StartWorld, receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full: the job is settled, the provider hears 503, and its next attempt finds room."""
    real, failures = LetterBox.put, [OSError("no space"), OSError("no space")]

    def put(box: LetterBox, letter: Any) -> Any:
        if failures:
            raise failures.pop()
        return real(box, letter)

    monkeypatch.setattr(LetterBox, "put", put)
    scene = await hooked(start_world, receiver, providers={"replicate": signed(tmp_path)})
    await scene.submit()

    await receiver.until_received(1)

    (sending,) = await scene.sendings()
    assert [503, 503, 200] == sending["answers"]
    assert ["hold", "job", "settle"] == await scene.kinds()
    assert {"full"} == {line["reason"] for line in scene.world.events("webhook.rejected")}


async def test_an_event_that_overtakes_the_answer_to_its_submission(
    start_world: StartWorld, receiver: Receiver, tmp_path: Path
) -> None:
    """The job is not known yet when the provider tells its end: it is waited for, then settled."""
    scene = await hooked(start_world, receiver, providers={"replicate": signed(tmp_path)})

    await asyncio.gather(*(scene.submit("job=0,slow_body=0.5") for _ in range(3)))
    await receiver.until_received(3)

    assert 3 == (await scene.kinds()).count("settle")
    await scene.world.assert_books_clean()


async def test_any_gateway_of_a_store_hears_a_provider(
    start_world: StartWorld, receiver: Receiver, tmp_path: Path
) -> None:
    """The job was submitted through one, its events reach both at once: it is settled once, and the caller knows both
    deliveries by one id."""
    port = free_port()
    common = {"store_url": f"redis://127.0.0.1:{port}/0", "providers": {"replicate": signed(tmp_path)}}
    async with store_server(tmp_path / "store", port, *AOF):
        first = await hooked(start_world, receiver, directory=tmp_path / "first", **common)
        second = await hooked(start_world, receiver, directory=tmp_path / "second", **common)
        submitted = await first.submit("job_wait")
        now_s = first.now_s()
        event = {"id": submitted.json["id"], "status": "succeeded", "output": ["http://pictures/1.png"]}
        path = first.callback(submitted.headers["Gatekeeper-Hold-Id"]).removeprefix(first.world.url)

        answers = await asyncio.gather(
            *(each.forge(each.world.url + path, *signed_event(event, now_s)) for each in (first, second) * 3)
        )
        await receiver.until_received(2)

        assert [200] * 6 == [status for status, _ in answers]
        assert ["hold", "job", "settle"] == await first.kinds()
        assert 1 == len({headers["webhook-id"] for headers, _ in receiver.received})
        await first.world.assert_books_clean()
