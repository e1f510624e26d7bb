"""Events reach the address that was named, signed so that each provider's own verifier accepts them."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks.webhooks import Webhook

from gatekeeper.sandbox.behaviour import Behaviour
from gatekeeper.sandbox.hooks import Hooks
from gatekeeper.sandbox.jobs import Job, JobStore, Teller
from gatekeeper.sandbox.record import Record
from gatekeeper.sandbox.settings import WEBHOOK_SECRET


@dataclass
class Receiver:
    """A server that keeps what it is told, and answers the statuses given, then 200."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        self.received.append((dict(request.headers), await request.read()))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    application = web.Application()
    application.router.add_post("/hook", receiver.take)
    async with TestServer(application) as server:
        receiver.url = str(server.make_url("/hook"))
        yield receiver


@pytest.fixture
async def hooks(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hooks]:
    monkeypatch.setattr("gatekeeper.sandbox.hooks.PAUSES_S", (0.0, 0.0))
    hooks = Hooks(WEBHOOK_SECRET, Record(10))
    yield hooks
    await hooks.close()


def body(job: Job) -> dict[str, Any]:
    return {"id": job.id, "state": job.state}


async def end_a_job(hooks: Hooks, teller: Teller) -> None:
    """A job lives and ends, and its event has been sent when this returns."""
    store = JobStore(jobs=3, job_s=0.0, record=hooks._record, now_s=lambda: 0.0)
    job = store.start("image", "m", (), Behaviour(), teller, job_id="job-1")
    life = store._lives[job.id]
    await life


async def test_a_standard_event_satisfies_the_standards_own_library(hooks: Hooks, receiver: Receiver) -> None:
    """Replicate's way."""
    await end_a_job(hooks, hooks.standard(receiver.url, body))

    ((headers, text),) = receiver.received
    assert {"id": "job-1", "state": "done"} == Webhook(WEBHOOK_SECRET).verify(text, headers)


async def test_a_fal_event_is_signed_with_the_published_key(hooks: Hooks, receiver: Receiver) -> None:
    """Four lines, the last of which is the body's digest."""
    await end_a_job(hooks, hooks.fal(receiver.url, body))

    ((headers, text),) = receiver.received
    (key,) = hooks.jwks()["keys"]
    public = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(key["x"] + "="))
    facts = [headers[f"X-Fal-Webhook-{name}"] for name in ("Request-Id", "User-Id", "Timestamp")]
    message = "\n".join([*facts, hashlib.sha256(text).hexdigest()]).encode()
    public.verify(bytes.fromhex(headers["X-Fal-Webhook-Signature"]), message)
    assert ("OKP", "Ed25519") == (key["kty"], key["crv"])


@pytest.mark.parametrize("secret", ["s3cret", ""])
async def test_a_bfl_event_is_signed_with_the_requests_secret(hooks: Hooks, receiver: Receiver, secret: str) -> None:
    """And not at all without one."""
    await end_a_job(hooks, hooks.bfl(receiver.url, secret, body))

    ((headers, text),) = receiver.received
    expected = f"sha256={hmac.new(secret.encode(), text, 'sha256').hexdigest()}" if secret else None
    assert expected == headers.get("X-BFL-Signature")


async def test_an_event_is_sent_until_it_is_taken(hooks: Hooks, receiver: Receiver) -> None:
    """The same bytes each time; every answer is on record."""
    receiver.statuses[:] = [500, 302]

    await end_a_job(hooks, hooks.standard(receiver.url, body))

    (seen,) = hooks._record.report()["webhooks_recent"]
    assert 1 == len({(text, headers["webhook-id"]) for headers, text in receiver.received})
    assert ("job-1", receiver.url, [500, 302, 200]) == (seen["job"], seen["url"], seen["answers"])


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "no address", "http://[::1"])
async def test_nobody_at_the_address_is_no_error(hooks: Hooks, url: str) -> None:
    """It gives up after a few attempts."""
    await end_a_job(hooks, hooks.plain(url, body))

    assert [0, 0, 0] == hooks._record.report()["webhooks_recent"][0]["answers"]


async def test_events_can_be_sent_once_more(hooks: Hooks, receiver: Receiver) -> None:
    """Byte for byte, signature and all."""
    await end_a_job(hooks, hooks.standard(receiver.url, body))

    assert 1 == await hooks.again()
    first, second = receiver.received
    assert (first[1], first[0]["webhook-signature"]) == (second[1], second[0]["webhook-signature"])


async def test_the_application_has_the_switches(client: Any) -> None:
    """Jobs are ended and events sent again by request, and the key of fal's events is where fal has it."""
    ended = await client.send("POST", "/sandbox/jobs/end")
    sent = await client.send("POST", "/sandbox/webhooks/again")
    keys = await client.send("GET", "/fal/.well-known/jwks.json")

    assert ({"ended": 0}, {"sent": 0}) == (ended.json, sent.json)
    assert "Ed25519" == json.loads(keys.body)["keys"][0]["crv"]
