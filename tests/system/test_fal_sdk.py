"""fal's own SDK, unchanged but for its hosts and key, is the judge of the fal dialect."""

import asyncio
import base64
import io
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image

from tests.system.conftest import StartWorld
from tests.system.test_jobs import count_commands
from tests.system.test_jobs_reconciled import SOON
from tests.system.tlsrelay import CERTIFICATE, TlsRelay
from tests.system.world import World

PROGRAM = Path(__file__).with_name("falprogram.py")
DEV = "fal-ai/flux/dev"
PICTURE = {"prompt": "a cat", "image_size": {"width": 1024, "height": 1024}}
"""5 credits a picture."""


@pytest.fixture(name="relay")
async def _relay() -> AsyncIterator[TlsRelay]:
    relay = TlsRelay()
    await relay.start()
    yield relay
    await relay.close()


@pytest.fixture(name="world")
async def _world(start_world: StartWorld, relay: TlsRelay) -> World:
    """A gateway that is reached by https."""
    world = await start_world(public_url=relay.url)
    relay.target = world.url
    return world


async def sdk(relay: TlsRelay, key: str, do: str, app: str, arguments: Any) -> Any:
    """Runs a user's program, and gives what it printed."""
    host = urlsplit(relay.url).netloc
    environment = {
        "FAL_RUN_HOST": f"{host}/fal/run",
        "FAL_QUEUE_RUN_HOST": f"{host}/fal/queue",
        "FAL_KEY": key,
        "SSL_CERT_FILE": str(CERTIFICATE),
        "PATH": os.environ["PATH"],
    }
    order = json.dumps({"do": do, "app": app, "arguments": arguments})
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(PROGRAM), order,
        env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, trouble = await process.communicate()
    assert process.returncode == 0, trouble.decode()
    return json.loads(out)


async def fetched(world: World, url: str) -> bytes:
    async with world.session.get(url) as response:
        return await response.read()


async def test_subscribe_polls_and_brings_pictures(world: World, relay: TlsRelay) -> None:
    """Submitted, polled and fetched through the gateway; the pictures decode, and they are what is charged."""
    came = await sdk(relay, await world.key(), "subscribe", DEV, {**PICTURE, "num_images": 2})

    images = came["result"]["images"]
    assert (2, "Completed") == (len(images), came["seen"][-1])
    assert (1024, 1024) == Image.open(io.BytesIO(await fetched(world, images[0]["url"]))).size
    assert (10_000_000, 0) == ((await world.balance()).charged, (await world.balance()).held)
    settled = await world.event("generation.settled")
    assert ("fal_units", 2) == (settled["cost_unit"], settled["cost_reported"])
    await world.assert_books_clean()


async def test_run_answers_at_once(world: World, relay: TlsRelay) -> None:
    """No queue: the output is in the answer, and charged."""
    came = await sdk(relay, await world.key(), "run", DEV, PICTURE)

    assert [1024] == [image["width"] for image in came["images"]]
    assert 5_000_000 == (await world.balance()).charged
    await world.assert_books_clean()


async def test_a_stream_is_charged_by_its_last_event(world: World, relay: TlsRelay) -> None:
    """Events pass as they come, and what the last one shows is charged."""
    came = await sdk(relay, await world.key(), "stream", DEV, PICTURE)

    assert [False, True] == ["images" in event for event in came]
    assert 5_000_000 == (await world.balance()).charged
    await world.assert_books_clean()


async def test_an_upscale_is_priced_by_the_picture_that_goes_in(world: World, relay: TlsRelay) -> None:
    """A full HD picture at 2x is 41 credits; one that only has an address has no price."""
    picture = io.BytesIO()
    Image.new("RGB", (1920, 1080), "teal").save(picture, "PNG")
    seen = f"data:image/png;base64,{base64.b64encode(picture.getvalue()).decode()}"
    key, topaz = await world.key(), "fal-ai/topaz/upscale/image"

    came = await sdk(relay, key, "run", topaz, {"image_url": seen, "upscale_factor": 2})
    refused = await sdk(relay, key, "run", topaz, {"image_url": "https://a.test/1.png", "upscale_factor": 2})

    assert [3840] == [image["width"] for image in came["images"]]
    assert (422, "missing_parameter") == (refused["status"], refused["error_type"])
    assert 41_000_000 == (await world.balance()).charged
    await world.assert_books_clean()


async def test_every_address_of_a_job_leads_through_the_gateway(world: World, relay: TlsRelay) -> None:
    """Those of the answer and those that the SDK makes of its own: the provider's host is nowhere in them."""
    came = await sdk(relay, await world.key(), "by_hand", DEV, PICTURE)

    about = f"{relay.url}/fal/queue/fal-ai/flux/requests/{came['request_id']}"
    assert [f"{about}/status", about, f"{about}/cancel"] == came["urls"]
    assert ("Completed", "Completed", 1) == (came["last"], came["again"], len(came["result"]["images"]))
    await world.assert_books_clean()


async def test_out_of_credits_raises_402_after_one_attempt(world: World, relay: TlsRelay) -> None:
    """The SDK's own exception, with the reason as its message; nothing reached the provider."""
    came = await sdk(relay, await world.key("4.999999"), "subscribe", DEV, PICTURE)

    assert (402, "insufficient_credits") == (came["status"], came["error_type"])
    assert "4.999999" in came["raised"]
    assert 1 == len(world.events("generation.rejected"))
    assert 0 == (await world.provider())["requests"]


@pytest.mark.parametrize(
    ("app", "arguments", "allowed"),
    [
        ("fal-ai/nano-banana-2", {"prompt": "a cat", "resolution": "8K"}, "1K, 2K, 4K"),
        (DEV, {"prompt": "a cat", "image_size": "landscape_4_3"}, "16:9"),
        ("fal-ai/ideogram/v3", {"prompt": "a cat", "aspect_ratio": "1:1", "num_images": 9}, "1 to 8"),
    ],
)
async def test_what_would_be_allowed_is_in_the_message(
    world: World, relay: TlsRelay, app: str, arguments: Any, allowed: str
) -> None:
    """It is the only text that the SDK shows."""
    came = await sdk(relay, await world.key(), "run", app, arguments)

    assert (422, True) == (came["status"], allowed in came["raised"])
    assert 0 == (await world.provider())["requests"]


@pytest.mark.parametrize(
    ("behaviour", "status", "error_type"),
    [
        ("job_fail", 500, "runner_server_error"),
        ("job_moderated", 422, "content_policy_violation"),
        ("job_expire", 504, "request_timeout"),
    ],
)
async def test_a_job_that_failed_is_refunded_once(
    world: World, relay: TlsRelay, behaviour: str, status: int, error_type: str
) -> None:
    """COMPLETED is no success: the result is the model's error, which the SDK raises, and nothing is charged."""
    arguments = {**PICTURE, "prompt": f"a cat [sandbox: {behaviour}]"}

    came = await sdk(relay, await world.key(), "subscribe", DEV, arguments)

    assert (status, error_type) == (came["status"], came["error_type"])
    assert (0, 0) == ((await world.balance()).charged, (await world.balance()).held)
    assert 1 == len(world.events("generation.released"))
    await world.assert_books_clean()


async def test_a_cancelled_job_is_refunded(world: World, relay: TlsRelay) -> None:
    """Not by the wish to cancel, but by the end that the result tells."""
    arguments = {**PICTURE, "prompt": "a cat [sandbox: job_wait]"}

    came = await sdk(relay, await world.key(), "cancel", DEV, arguments)

    assert 499 == came["status"]
    assert (0, 0) == ((await world.balance()).charged, (await world.balance()).held)
    await world.assert_books_clean()


async def test_polls_of_a_running_job_are_cheap(world: World, relay: TlsRelay, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred polls ask the provider a hundred times and the ledger not once."""
    key = await world.key()
    submitted = await sdk(relay, key, "submit", DEV, {**PICTURE, "prompt": "a cat [sandbox: job_wait]"})
    path = f"/fal/queue/fal-ai/flux/requests/{submitted['request_id']}/status"
    asked = count_commands(world, monkeypatch)

    answers = [await world.send("GET", path, key) for _ in range(100)]

    assert ({202}, []) == ({answer.status for answer in answers}, asked)


async def test_a_job_of_another_team_is_not_found(world: World, relay: TlsRelay) -> None:
    """Its id alone opens nothing, and its provider hears nothing of the question."""
    submitted = await sdk(relay, await world.key(), "submit", DEV, PICTURE)
    seen = (await world.provider())["requests"]

    came = await sdk(relay, await world.key(), "poll", DEV, submitted)

    assert (404, "job_not_found") == (came["status"], came["error_type"])
    assert seen == (await world.provider())["requests"]


async def test_an_abandoned_job_is_settled(start_world: StartWorld, relay: TlsRelay) -> None:
    """Its status says that it is over, so its result is asked for in the same breath."""
    world = await start_world(public_url=relay.url, jobs=SOON)
    relay.target = world.url
    await sdk(relay, await world.key(), "submit", DEV, PICTURE)

    finished = await world.event("job.finished")

    assert ("made", "reconciler", 5) == (finished["outcome"], finished["via"], finished["credits_charged"])
    await world.assert_books_clean()


async def test_the_teams_key_never_reaches_the_provider(world: World, relay: TlsRelay) -> None:
    """Neither with the submission nor with polls; the provider's own credential does."""
    await sdk(relay, await world.key(), "by_hand", DEV, PICTURE)

    assert 0 == (await world.provider())["team_key_seen"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/fal/run/fal-ai/flux/dev"),
        ("GET", "/fal/queue/fal-ai/flux/requests"),
        ("GET", "/fal/queue/fal-ai/flux/requests/r-1/status/stream"),
        ("POST", "/fal/fal-ai/flux/dev"),
        ("POST", "/fal/tokens/"),
        ("POST", "/fal/storage/upload/initiate"),
    ],
)
async def test_other_routes_are_not_open(world: World, method: str, path: str) -> None:
    """What the dialect does not know is refused in its shape."""
    answer = await world.send(method, path, await world.key())

    assert (403, "route_not_gated") == (answer.status, answer.json["error_type"])
    assert 0 == (await world.provider())["requests"]
