"""Each way of signing, what is not signed at all, and what is refused before anything is held."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest

from gatekeeper.proxy.webhooks.signatures import bfl_signature
from gatekeeper.sandbox.dialects import fal as sandbox_fal
from tests.receiver import Receiver, listening
from tests.system.conftest import StartWorld
from tests.system.webhooking import Hooked, hooked
from tests.system.world import Answer

PICTURE = {"prompt": "a cat", "aspect_ratio": "1:1", "resolution": "1K"}


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with listening() as receiver:
        yield receiver


@pytest.fixture
async def scene(start_world: StartWorld, receiver: Receiver) -> Hooked:
    """Replicate's events are not signed with anything that the gateway knows."""
    return await hooked(start_world, receiver)


async def fal(scene: Hooked, prompt: str = "a cat") -> Answer:
    """A picture from fal's queue, whose end the receiver is to be told."""
    path = f"/fal/queue/fal-ai/nano-banana-2?fal_webhook={quote(scene.receiver.url, safe='')}"
    return await scene.world.send("POST", path, scene.key, json={**PICTURE, "prompt": prompt})


async def bfl(scene: Hooked, **fields: Any) -> Answer:
    """A picture of BFL's, whose end the receiver is to be told."""
    body = {"prompt": "a cat", "width": 1024, "height": 1024, "webhook_url": scene.receiver.url, **fields}
    return await scene.world.send("POST", "/bfl/v1/flux-2-pro", scene.key, json=body)


async def test_an_event_of_fals_is_believed_by_its_published_key(scene: Hooked) -> None:
    """It is passed on with a signature of ours, for nobody can make one of fal's."""
    submitted = await fal(scene)

    await scene.receiver.until_received(1)
    event = await scene.verified()

    assert (200, "OK", submitted.json["request_id"]) == (submitted.status, event["status"], event["request_id"])
    assert ["hold", "job", "settle"] == await scene.kinds()
    assert "webhook" == (await scene.world.event("job.finished"))["via"]
    await scene.world.assert_books_clean()


async def test_a_failure_that_fal_bills_is_charged(scene: Hooked, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its event does not say what was billed: the result does, and is asked for."""
    real = sandbox_fal.json_answer

    def billed(told: Any, status: int = 200, headers: dict[str, str] | None = None) -> Any:
        return real(told, status, (headers or {}) | ({"x-fal-billable-units": "1"} if status == 422 else {}))

    monkeypatch.setattr(sandbox_fal, "json_answer", billed)
    await fal(scene, "a cat [sandbox: job_moderated]")

    finished = await scene.world.event("job.finished")

    assert ("failed_billable", "webhook", 49) == tuple(finished[each] for each in ("outcome", "via", "credits_charged"))
    await scene.world.assert_books_clean()


async def test_an_event_of_fals_without_its_signature_is_not_believed(scene: Hooked) -> None:
    """fal signs every one."""
    submitted = await fal(scene, "a cat [sandbox: job_wait]")
    url = scene.callback(submitted.headers["Gatekeeper-Hold-Id"], "fal")

    status, _ = await scene.forge(url, {"request_id": submitted.json["request_id"], "status": "ERROR", "payload": {}})

    assert (404, ["hold", "job"]) == (status, await scene.kinds())


async def test_without_fals_keys_it_is_asked_to_call_again(start_world: StartWorld, receiver: Receiver) -> None:
    """Whether the event is fal's cannot be told; nothing is lost by waiting."""
    keyless = {"fal": {"webhook_jwks_url": "http://127.0.0.1:1/jwks.json"}}
    scene = await hooked(start_world, receiver, providers=keyless)

    await fal(scene)

    assert "keys" == (await scene.world.event("webhook.rejected"))["reason"]
    assert ["hold", "job"] == await scene.kinds()


async def test_bfl_signs_with_a_secret_that_the_caller_does_not_know(scene: Hooked) -> None:
    """Else the caller could tell the gateway how its own job ended. What it gets is signed with its own."""
    submitted = await bfl(scene, webhook_secret="callers-own")

    await scene.receiver.until_received(1)
    ((headers, body),) = scene.receiver.received

    assert 200 == submitted.status
    assert scene.receiver.url == submitted.json["webhook_url"]
    assert bfl_signature("callers-own", body) == headers["X-BFL-Signature"]
    assert "Ready" == (await scene.verified())["status"]
    assert ["hold", "job", "settle"] == await scene.kinds()


async def test_the_caller_cannot_forge_bfls_event(scene: Hooked) -> None:
    """It knows its own secret, and may learn the address; that is not enough."""
    submitted = await bfl(scene, prompt="a cat [sandbox: job_wait]", webhook_secret="callers-own")
    event = json.dumps({"id": submitted.json["id"], "status": "Content Moderated"}).encode()
    url = scene.callback(submitted.headers["Gatekeeper-Hold-Id"], "bfl")

    status, _ = await scene.forge(url, event, {"X-BFL-Signature": bfl_signature("callers-own", event)})

    assert (404, ["hold", "job"]) == (status, await scene.kinds())


async def test_an_event_that_nobody_signed_is_a_hint(scene: Hooked) -> None:
    """The provider is asked, and says so too: then it is booked and passed on."""
    await scene.submit()

    await scene.receiver.until_received(1)

    assert "succeeded" == (await scene.verified())["status"]
    assert ["hold", "job", "settle"] == await scene.kinds()
    assert "webhook" == (await scene.world.event("job.finished"))["via"]
    await scene.world.assert_books_clean()


async def test_a_provider_may_try_the_address_out(scene: Hooked) -> None:
    """MiniMax does before it takes the task; then its event, which it does not sign, is confirmed like any other."""
    body = {"model": "MiniMax-Hailuo-2.3", "prompt": "a cat", "duration": 6, "resolution": "768P",
            "callback_url": scene.receiver.url}  # fmt: skip

    answer = await scene.world.send("POST", "/minimax/v1/video_generation", scene.key, json=body)
    await scene.receiver.until_received(1)

    assert 0 == answer.json["base_resp"]["status_code"], answer.body
    assert ["settled"] == [line["outcome"] for line in scene.world.events("webhook.received")]
    assert ["hold", "job", "settle"] == await scene.kinds()
    assert answer.json["task_id"] == (await scene.verified())["task_id"]


@pytest.mark.parametrize("told", ["succeeded", "failed", "canceled"])
async def test_a_hint_that_the_provider_does_not_confirm_books_nothing(scene: Hooked, told: str) -> None:
    """Whoever knows the address may say what he likes; the provider is asked to say it again later."""
    submitted = await scene.submit("job_wait")
    url = scene.callback(submitted.headers["Gatekeeper-Hold-Id"])
    event = {"id": submitted.json["id"], "status": told, "output": ["http://evil.example/1.png"]}

    statuses = [(await scene.forge(url, event))[0] for _ in range(3)]

    assert ([503] * 3, ["hold", "job"], []) == (statuses, await scene.kinds(), scene.receiver.received)
    assert "unconfirmed" == (await scene.world.event("webhook.received"))["outcome"]


async def test_of_hints_one_is_passed_on(scene: Hooked) -> None:
    """However many different ones are made up after the job's end."""
    submitted = await scene.submit()
    await scene.receiver.until_received(1)
    url = scene.callback(submitted.headers["Gatekeeper-Hold-Id"])

    for number in range(3):
        event = {"id": submitted.json["id"], "status": "succeeded", "output": [f"http://evil.example/{number}"]}
        assert 200 == (await scene.forge(url, event))[0]
    assert 200 == (await scene.forge(url, {"id": submitted.json["id"], "status": "processing"}))[0]

    assert 1 == len(scene.receiver.received)


@pytest.mark.parametrize(
    ("webhook", "reason"),
    [
        ("http://example.com/hook", "must begin with https"),
        ("https://10.0.0.1/hook", "private network"),
        ("https://[::1]/hook", "private network"),
        ("https://user:word@example.com/hook", "names a user"),
        ("https://example.com:22/hook", "port 22"),
    ],
)
async def test_an_address_that_may_not_be_called_is_refused(scene: Hooked, webhook: str, reason: str) -> None:
    """Before anything is held or sent."""
    body = {"version": "nano-banana-2", "input": PICTURE, "webhook": webhook}

    refused = await scene.world.send("POST", "/replicate/v1/predictions", scene.key, json=body)

    assert (400, "malformed_request") == (refused.status, refused.headers["Gatekeeper-Rejection"])
    assert reason in refused.json["detail"]
    assert ([], 0) == (await scene.kinds(), (await scene.world.provider())["requests"])


async def test_a_provider_that_cannot_reach_us_is_not_asked_to(start_world: StartWorld, receiver: Receiver) -> None:
    """Without a public address a webhook would never come: better to say so before the job runs."""
    scene = await hooked(start_world, receiver, providers={"replicate": {"base_url": "https://api.replicate.com"}})
    body = {"version": "nano-banana-2", "input": PICTURE, "webhook": receiver.url}

    refused = await scene.world.send("POST", "/replicate/v1/predictions", scene.key, json=body)

    assert (400, "malformed_request") == (refused.status, refused.headers["Gatekeeper-Rejection"])
    assert "server.public_url" in refused.json["detail"]
    assert [] == await scene.kinds()


async def test_the_public_address_is_the_one_that_is_given(start_world: StartWorld, receiver: Receiver) -> None:
    """Where one is configured, whatever the caller calls us."""
    scene = await hooked(start_world, receiver, public_url="http://127.0.0.1:1/gate")

    await scene.submit()

    for _ in range(500):
        sent = (await scene.sandbox("GET", "/sandbox/ledger"))["webhooks_recent"]
        if sent:
            break
        await asyncio.sleep(0.01)
    assert sent[0]["url"].startswith("http://127.0.0.1:1/gate/v1/callbacks/replicate/")


async def test_the_secret_is_where_replicates_sdk_looks(scene: Hooked) -> None:
    """It is the team's own, not the one with which Replicate signs what comes to us."""
    paths = ("/replicate/v1/webhooks/default/secret", "/replicate/webhooks/default/secret")

    found = [(await scene.world.send("GET", path, scene.key)).json["key"] for path in paths]

    assert [await scene.secret()] * 2 == found
    other = await scene.world.key()
    assert found[0] != (await scene.world.send("GET", paths[0], other)).json["key"]
    assert 401 == (await scene.world.send("GET", paths[0])).status
    assert 0 == (await scene.world.provider())["requests"]


async def test_no_line_tells_more_of_an_address_than_its_host(scene: Hooked) -> None:
    """Path and query may be a secret between the caller and its receiver."""
    scene.receiver.statuses[:] = [500]
    await scene.submit(webhook=scene.receiver.url.replace("/hook", "/s3cret-path?token=s3cret"))

    await scene.world.event("webhook.delivered")

    assert b"s3cret" not in scene.world.log.getvalue()
