"""No answer and no event shows the caller the address that the gateway gave the provider: it is a secret of theirs."""

import asyncio
import base64
import io
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
import orjson
import pytest
from PIL import Image

from gatekeeper.dialects.registry import DIALECTS
from gatekeeper.proxy import answering
from gatekeeper.proxy.webhooks import inbound
from gatekeeper.proxy.webhooks.keys import CALLBACKS
from tests.receiver import Receiver, listening
from tests.system.conftest import StartProvider, StartWorld
from tests.system.tasks import ARK, KLING, MINIMAX, Tasks
from tests.system.webhooking import hooked, signed, signed_event

PROMPT = "a cat [sandbox: job_wait]"


@dataclass(frozen=True)
class Echo:
    """How a job with a webhook is asked for, where it is asked about, and where its answers have the webhook again."""

    path: str
    sent: Callable[[str], dict[str, Any]]
    poll: Callable[[Any], str]
    shown: Callable[[Any], Any] | None = None
    polled: Callable[[Any], Any] | None = None


def picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 48), "teal").save(out, "PNG")
    return out.getvalue()


def upscale_form(url: str) -> dict[str, Any]:
    form = aiohttp.FormData()
    form.add_field("image", picture(), filename="a.png", content_type="image/png")
    for name, value in {"output_width": "128", "model": "Standard V2", "note": PROMPT, "webhook_url": url}.items():
        form.add_field(name, value)
    return {"data": form}


def task(tasks: Tasks) -> Echo:
    return Echo(
        path=f"/{tasks.provider}{tasks.submit}",
        sent=lambda url: {"json": tasks.body(PROMPT) | {"callback_url": url}, "headers": dict(tasks.headers)},
        poll=lambda json: f"/{tasks.provider}{tasks.poll.format(tasks.id_of(json))}",
    )


def path_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


ECHOES = {
    "replicate": Echo(
        path="/replicate/v1/predictions",
        sent=lambda url: {
            "json": {
                "version": "nano-banana-2",
                "webhook": url,
                "input": {"prompt": PROMPT, "aspect_ratio": "1:1", "resolution": "1K"},
            }
        },
        poll=lambda json: path_of(json["urls"]["get"]),
        shown=lambda json: json["webhook"],
        polled=lambda json: json["webhook"],
    ),
    "fal": Echo(
        path="/fal/queue/fal-ai/nano-banana-2?fal_webhook=",
        sent=lambda _url: {"json": {"prompt": PROMPT, "aspect_ratio": "1:1", "resolution": "1K"}},
        poll=lambda json: path_of(json["status_url"]),
    ),
    "bfl": Echo(
        path="/bfl/v1/flux-2-pro",
        sent=lambda url: {"json": {"prompt": PROMPT, "width": 1024, "height": 1024, "webhook_url": url}},
        poll=lambda json: path_of(json["polling_url"]),
        shown=lambda json: json["webhook_url"],
    ),
    "luma": Echo(
        path="/luma/dream-machine/v1/generations/video",
        sent=lambda url: {
            "json": {
                "prompt": PROMPT,
                "model": "ray-flash-2",
                "resolution": "540p",
                "duration": "5s",
                "aspect_ratio": "16:9",
                "callback_url": url,
            }
        },
        poll=lambda json: f"/luma/dream-machine/v1/generations/{json['id']}",
        shown=lambda json: json["request"]["callback_url"],
        polled=lambda json: json["request"]["callback_url"],
    ),
    "ark": task(ARK),
    "kling": task(KLING),
    "minimax": task(MINIMAX),
    "freepik": Echo(
        path="/freepik/v1/ai/image-upscaler-precision-v2",
        sent=lambda url: {
            "json": {
                "image": base64.b64encode(picture()).decode(),
                "scale_factor": 2,
                "note": PROMPT,
                "webhook_url": url,
            }
        },
        poll=lambda json: f"/freepik/v1/ai/image-upscaler-precision-v2/{json['data']['task_id']}",
    ),
    "topaz": Echo(
        path="/topaz/enhance/async", sent=upscale_form, poll=lambda json: f"/topaz/status/{json['process_id']}"
    ),
}


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with listening() as receiver:
        yield receiver


def test_every_format_with_a_webhook_is_looked_at() -> None:
    """The next one too."""
    with_webhooks = {name for name, dialect in DIALECTS.items() if dialect.TRAITS.webhook is not None}

    assert with_webhooks == set(ECHOES)


@pytest.mark.parametrize("name", sorted(ECHOES))
async def test_nobody_is_shown_the_address_that_the_provider_calls(
    start_world: StartWorld, receiver: Receiver, name: str
) -> None:
    """Not by a submission, a poll of a job that runs or has ended, nor an event: each has the caller's own."""
    scene, echo = await hooked(start_world, receiver), ECHOES[name]
    path = f"{echo.path}{quote(receiver.url, safe='')}" if echo.path.endswith("=") else echo.path

    submitted = await scene.world.send("POST", path, scene.key, **echo.sent(receiver.url))
    assert submitted.status in {200, 201}, submitted.body
    running = await scene.world.send("GET", echo.poll(submitted.json), scene.key)
    await scene.end_jobs()
    await receiver.until_received(1)
    ended = await scene.world.send("GET", echo.poll(submitted.json), scene.key)

    assert {200, 202} >= {running.status, ended.status}, (running.body, ended.body)
    told = [submitted.body, running.body, ended.body, *(body for _, body in receiver.received)]
    assert [] == [body for body in told if CALLBACKS.encode() in body]
    repeated = [echo.shown(submitted.json)] if echo.shown else []
    repeated += [echo.polled(each.json) for each in (running, ended)] if echo.polled else []
    assert {receiver.url} >= set(repeated)


STEPS = {"logs": "\n", "input": {"steps": [0] * 100_000}}
"""What a prediction may repeat of its request: as many words as a request may have, and no end of texts."""


class Looks:
    """Who looked through an answer or event for our own address: threads by their idents."""

    def __init__(self, look: Callable[..., bytes]) -> None:
        self._look = look
        self.threads: list[int] = []

    def __call__(self, *args: Any) -> bytes:
        self.threads.append(threading.get_ident())
        return self._look(*args)


async def test_a_large_answer_that_repeats_the_webhook_holds_nobody_up(
    start_world: StartWorld, start_provider: StartProvider, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its caller may have made it as dear to look through as a request may be: the event loop goes on meanwhile."""
    provider_url = await start_provider({"id": "p1", "status": "starting", **STEPS}, 201)
    scene = await hooked(start_world, receiver, provider_url=provider_url)
    looks = Looks(answering.own_webhook_shown)
    monkeypatch.setattr(answering, "own_webhook_shown", looks)

    await scene.submit()

    assert 1 == len(looks.threads)
    assert threading.get_ident() not in looks.threads


async def test_a_large_event_holds_nobody_up(
    start_world: StartWorld, receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event repeats the request too."""
    scene = await hooked(start_world, receiver, providers={"replicate": signed(tmp_path)})
    submitted = await scene.submit("job_wait,no_webhook")
    looks = Looks(inbound.own_shown)
    monkeypatch.setattr(inbound, "own_shown", looks)
    event = {"id": submitted.json["id"], "status": "succeeded", "output": ["https://pictures/1.png"], **STEPS}

    status, _ = await scene.forge(
        scene.callback(submitted.headers["Gatekeeper-Hold-Id"]), *signed_event(event, scene.now_s())
    )
    await receiver.until_received(1)

    assert (200, 1) == (status, len(looks.threads))
    assert threading.get_ident() not in looks.threads


async def test_an_event_whose_name_is_no_text_is_passed_on(start_world: StartWorld, receiver: Receiver) -> None:
    """Nobody signed it, and its `webhook-id` is some bytes: it is booked, and the caller is told."""
    scene = await hooked(start_world, receiver)
    submitted = await scene.submit("job_wait,no_webhook")
    await scene.end_jobs()
    event = {"id": submitted.json["id"], "status": "succeeded", "output": ["https://pictures/1.png"]}
    url = urlsplit(scene.callback(submitted.headers["Gatekeeper-Hold-Id"]))
    body = orjson.dumps(event)

    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    writer.write(b"POST %b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" % url.path.encode())
    writer.write(b"webhook-id: \xff\xfe\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    await receiver.until_received(1)

    assert b"HTTP/1.1 200 OK" == answer.split(b"\r\n")[0]
    assert ["hold", "job", "settle"] == await scene.kinds()
