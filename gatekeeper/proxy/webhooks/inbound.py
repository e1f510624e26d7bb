"""A provider calls: is it the provider, which job does it tell of, what of that is new. It is booked, and passed on.

In that order, and 200 only when both are safe: booked, or in the outbox; on disk for the caller. Until then the
provider is asked to call again. Who is not believed learns nothing but that there is nothing here.

A call that nobody signed is a hint. What it says is not believed: the provider is asked, in a call of our own.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import unquote

from aiohttp import web

from gatekeeper.core.outcome import Failed, Made, Outcome, Pending
from gatekeeper.core.pieces import release
from gatekeeper.core.rejection import Rejected
from gatekeeper.dialects.base import Webhook
from gatekeeper.ledger.errors import LedgerError
from gatekeeper.logs import emit
from gatekeeper.proxy.answering import REWRITTEN_AT_ONCE_BYTES
from gatekeeper.proxy.body import read_body
from gatekeeper.proxy.gate import Gate, Provider
from gatekeeper.proxy.jobs.asking import ask
from gatekeeper.proxy.jobs.desk import Job
from gatekeeper.proxy.jobs.rewriting import rewrite
from gatekeeper.proxy.jobs.settling import finish
from gatekeeper.proxy.mounts import mount_of
from gatekeeper.proxy.webhooks.jwks import KeysUnavailable
from gatekeeper.proxy.webhooks.keys import (
    CALLBACKS,
    is_callback_mac,
    message_id,
    provider_secret,
)
from gatekeeper.proxy.webhooks.letters import BoxFull, Letter
from gatekeeper.proxy.webhooks.signatures import bfl_signature, is_bfl, is_fal, is_standard
from gatekeeper.proxy.webhooks.take import own_shown
from gatekeeper.web.outgoing import SERVER
from gatekeeper.webhookevents import WebhookReceived, WebhookRefusal, WebhookRejected, WebhookResult

EVENT_BYTES_MAX: Final = 1024 * 1024
"""Events hold addresses and a log's end; a picture in one is the exception."""

EVENT_TIMEOUT_S: Final = 15
"""Senders are programs, with the whole event at hand."""

JOB_LOOKS: Final = 8
JOB_LOOK_PAUSE_S: Final = 0.25
"""An event may overtake the answer to its own submission: two seconds are long for that."""

RETRY_AFTER_S: Final = 5
"""For senders that heed it."""

END: Final = b"end"
"""In the place of an event's own name where nobody signed it: of such there is one for each job."""

Trust = Literal["signed", "hint"]


class _Turned(Exception):
    """The call ends here. Its status says whether to call again (503) or not; the reason is for the log alone."""

    def __init__(self, reason: WebhookRefusal, status: int = 404) -> None:
        super().__init__(reason)
        self.reason: WebhookRefusal = reason
        self.status = status


@dataclass(frozen=True, slots=True)
class _Event:
    """What came: from which provider, about which hold, and the message itself. Names of headers in lower case."""

    provider: Provider
    trait: Webhook
    team: str
    hold_id: str
    headers: Mapping[str, str]
    body: bytes


async def receive(gate: Gate, request: web.BaseRequest) -> web.Response:
    """Answers a call to an address below `/v1/callbacks/`."""
    provider, hold_id = None, None
    try:
        provider, team, hold_id = _addressed(gate, request)
        event = await _read(gate, request, provider, team, hold_id)
        if event.trait.echo is not None and (wanted := event.trait.echo(event.body)) is not None:
            return web.Response(body=wanted, content_type="application/json", headers={"Server": SERVER})
        result = await _take(gate, request, event)
    except _Turned as turned:
        name = None if provider is None else provider.name
        gate.metrics.webhook_heard(name or "", turned.reason)
        emit(WebhookRejected(provider=name, reason=turned.reason, hold_id=hold_id))
        return _answer(turned.status)
    gate.metrics.webhook_heard(provider.name, result)
    emit(WebhookReceived(provider=provider.name, team=team, hold_id=hold_id, outcome=result))
    return _answer(503 if result == "unconfirmed" else 200)


def _answer(status: int) -> web.Response:
    answer = web.json_response({"status": status}, status=status, headers={"Server": SERVER})
    if status == 503:
        answer.headers["Retry-After"] = str(RETRY_AFTER_S)
    return answer


def _addressed(gate: Gate, request: web.BaseRequest) -> tuple[Provider, str, str]:
    """Whose event it is, by its address alone, in which only we can have put what it says."""
    segments = request.raw_path.partition("?")[0].removeprefix(CALLBACKS).split("/")
    names = [unquote(segment, errors="replace") for segment in segments]
    if request.method != "POST" or len(names) != 4 or any("\0" in name for name in names):
        raise _Turned("address")
    name, team, hold_id, mac = names
    known = is_callback_mac(mac, gate.webhooks.secret, name, team, hold_id)
    provider = gate.providers.get(name)
    if not known or provider is None:
        raise _Turned("address")
    return provider, team, hold_id


async def _read(gate: Gate, request: web.BaseRequest, provider: Provider, team: str, hold_id: str) -> _Event:
    trait = provider.dialect.TRAITS.webhook
    if trait is None:
        raise _Turned("address")
    try:
        pieces = await read_body(request, gate.room, max_bytes=EVENT_BYTES_MAX, timeout_s=EVENT_TIMEOUT_S)
    except Rejected as refused:
        raise _Turned("size", refused.rejection.status) from None
    headers = {name.lower(): value for name, value in request.headers.items()}
    body = b"".join(pieces)
    release(pieces)
    return _Event(provider, trait, team, hold_id, headers, body)


async def _take(gate: Gate, request: web.BaseRequest, event: _Event) -> WebhookResult:
    trust = await _trust(gate, event)
    name, told = event.trait.read(event.body)
    job = await _find(gate, event, name)
    on_its_way = isinstance(told, Pending) and not told.ended
    if on_its_way and trust == "hint":
        # Nothing to book, and nobody stands for it: the caller is told of the end alone.
        return "pending"
    if not on_its_way and not await _book_end(gate, event, job, told if trust == "signed" else None):
        return "unconfirmed"
    if not await _pass_on(gate, request, event, job, trust):
        return "repeated"
    return "pending" if on_its_way else "settled"


async def _book_end(gate: Gate, event: _Event, job: Job, told: Outcome | None) -> bool:
    """Books how the job ended: as it was told, if that can be believed, else as the provider says when it is asked.

    False: it says that there is no end yet. Raises if the end is neither booked nor kept for later: the provider is to
    say it again.
    """
    if not isinstance(told, Made | Failed):
        if job.ended:
            return True
        told = await ask(event.provider, job.record.link, gate.jobs.poll_timeout_s)
        if not isinstance(told, Made | Failed):
            return False
    ended = await finish(gate, job.record, told, "webhook")
    if not ended.ended:
        raise _Turned("store", 503)
    return True


async def _trust(gate: Gate, event: _Event) -> Trust:
    """Whether the provider said this. Raises for a signature that is wrong, or missing where there must be one."""
    name, now_s = event.provider.name, gate.clock.now().timestamp()
    signed = False
    match event.trait.signature:
        case "standard" if name in gate.webhooks.standard_secrets:
            signed = is_standard(gate.webhooks.standard_secrets[name], event.headers, event.body, now_s)
        case "bfl" if "x-bfl-signature" in event.headers:
            signed = is_bfl(provider_secret(gate.webhooks.secret, event.hold_id), event.headers, event.body)
        case "fal":
            signed = await _is_fal(gate, event, now_s)
        case _:
            return "hint"
    if not signed:
        raise _Turned("signature")
    return "signed"


async def _is_fal(gate: Gate, event: _Event, now_s: float) -> bool:
    """With the keys that are at hand, and then once more with new ones: fal may have changed them."""
    ring = gate.webhooks.key_rings[event.provider.name]
    try:
        return is_fal(await ring.keys(), event.headers, event.body, now_s) or is_fal(
            await ring.keys(newer=True), event.headers, event.body, now_s
        )
    except KeysUnavailable:
        raise _Turned("keys", 503) from None


async def _find(gate: Gate, event: _Event, name: str | None) -> Job:
    """The job that the event is about, which must be the one of the address."""
    if name is None:
        raise _Turned("job")
    try:
        job = gate.desk.of_hold(event.hold_id) or await _look_for(gate, event, name)
    except LedgerError:
        raise _Turned("store", 503) from None
    record = job.record
    if (record.hold_id, record.link.job_id, record.provider) != (event.hold_id, name, event.provider.name):
        raise _Turned("job")
    return job


async def _look_for(gate: Gate, event: _Event, name: str) -> Job:
    """The job as the ledger knows it, waited for a moment. Raises if there is none: as long as its hold is open, its
    submission may still be on its way; else it failed with that, and its caller knows."""
    for _ in range(JOB_LOOKS):
        job = await gate.desk.find(event.team, event.provider.name, name)
        if job is not None:
            return job
        await asyncio.sleep(JOB_LOOK_PAUSE_S)
    held = await gate.ledger.open_hold(event.hold_id, event.team)
    raise _Turned("job", 404 if held is None else 503)


async def _pass_on(gate: Gate, request: web.BaseRequest, event: _Event, job: Job, trust: Trust) -> bool:
    """Puts the event on disk for the caller. False: it was there before."""
    hook = job.record.hook
    if hook is None:
        return True
    body = await _for_caller(gate, request, event, hook.url)
    own_name = event.headers.get("webhook-id", "") if event.trait.signature == "standard" else ""
    named = own_name.encode("utf-8", "surrogateescape") or event.body  # a header may hold any bytes
    letter = Letter(
        id=message_id(event.provider.name, event.hold_id, named if trust == "signed" else END),
        url=hook.url,
        body=body,
        headers=_headers(event, hook.secret, body),
        team=event.team,
        provider=event.provider.name,
        hold_id=event.hold_id,
        written_at_ms=int(gate.clock.now().timestamp() * 1000),
    )
    try:
        return await gate.webhooks.deliveries.put(letter)
    except (BoxFull, OSError):
        raise _Turned("full", 503) from None


async def _for_caller(gate: Gate, request: web.BaseRequest, event: _Event, url: str) -> bytes:
    """The event as it came, but for links, which lead through the gateway, and our address, if the event repeats it."""
    change = mount_of(gate, request, event.provider).through
    if len(event.body) <= REWRITTEN_AT_ONCE_BYTES:
        return _shown(event, url, change)
    return await asyncio.to_thread(_shown, event, url, change)


def _shown(event: _Event, url: str, change: Callable[[str], str | None]) -> bytes:
    return own_shown(event.trait, rewrite(event.body, event.provider.dialect.TRAITS.links, change), url)


def _headers(event: _Event, secret: str, body: bytes) -> dict[str, str]:
    content_type = event.headers.get("content-type", "")
    headers = {"Content-Type": content_type if content_type.isprintable() and content_type else "application/json"}
    if event.trait.signature == "bfl" and secret:
        headers["X-BFL-Signature"] = bfl_signature(secret, body)
    return headers
