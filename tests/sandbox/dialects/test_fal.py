"""The fal dialect of the sandbox: outputs at once, the queue with its four addresses, ends of every kind."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gatekeeper.dialects import fal
from gatekeeper.dialects.base import RouteKind

DEV = "/fal/run/fal-ai/flux/dev"
QUEUE = "/fal/queue/fal-ai/flux/dev"


@pytest.fixture(name="start_hook")
async def _start_hook() -> AsyncIterator[tuple[list[Any], str]]:
    """What is told to an address, and the address."""
    seen: list[Any] = []

    async def take(request: web.Request) -> web.Response:
        seen.append(await request.json())
        return web.Response()

    application = web.Application()
    application.router.add_post("/hook", take)
    async with TestServer(application) as server:
        yield seen, str(server.make_url("/hook"))


async def submitted(client: Any, behaviour: str = "job=0", path: str = QUEUE, **fields: Any) -> Any:
    """The place in the queue of one small picture."""
    body = {"prompt": f"a cat [sandbox: {behaviour}]", "image_size": {"width": 64, "height": 48}, **fields}
    return (await client.send("POST", path, json=body)).json


async def ended(client: Any, place: Any) -> Any:
    """The answer to the status once it is a 200."""
    for _ in range(500):
        reply = await client.send("GET", place["status_url"].removeprefix(client.url))
        if reply.status == 200:
            return reply
    raise AssertionError("the job did not end")


async def result_of(client: Any, place: Any) -> Any:
    await ended(client, place)
    return await client.send("GET", place["response_url"].removeprefix(client.url))


async def test_run_answers_with_pictures_that_decode(client: Any, pixels: Any) -> None:
    """As many as asked for, each a PNG of its stated size, with what fal would bill."""
    body = {"prompt": "a cat", "image_size": {"width": 64, "height": 48}, "num_images": 2}

    reply = await client.send("POST", DEV, json=body)

    first = reply.json["images"][0]
    assert (2, 64, 48) == (len(reply.json["images"]), first["width"], first["height"])
    assert "2" == reply.headers["x-fal-billable-units"]
    assert ("PNG", (64, 48)) == pixels((await client.send("GET", first["url"].removeprefix(client.url))).body)


async def test_a_film_is_a_file_of_its_own(client: Any) -> None:
    """What has a length is an MP4, billed by the second."""
    reply = await client.send("POST", "/fal/run/fal-ai/veo3.1", json={"prompt": "a cat", "duration": "8s"})

    film = await client.send("GET", reply.json["video"]["url"].removeprefix(client.url))
    assert ("8", 1280, b"ftyp") == (
        reply.headers["x-fal-billable-units"], reply.json["video"]["width"], film.body[4:8],
    )  # fmt: skip


async def test_an_upscale_is_larger_than_what_goes_in(client: Any, png: Any) -> None:
    """By the factor that was asked for, where what goes in can be seen."""
    picture = base64.b64encode(png(64, 48)).decode()
    bodies = [{"image_url": f"data:image/png;base64,{picture}", "upscale_factor": 2},
              {"image_url": "https://a.test/1.png", "upscale_factor": 2}]  # fmt: skip

    replies = [await client.send("POST", "/fal/run/fal-ai/topaz/upscale/image", json=body) for body in bodies]

    assert [128, 2048] == [reply.json["images"][0]["width"] for reply in replies]


async def test_a_webhook_tells_each_end(client: Any, start_hook: Any) -> None:
    """OK with the output, ERROR with what the result would say."""
    seen, url = start_hook
    for behaviour in ("job=0", "job=0, job_fail", "job=0, job_moderated"):
        await submitted(client, behaviour, f"{QUEUE}?fal_webhook={quote(url, safe='')}")
    for _ in range(500):
        if len(seen) == 3:
            break
        await asyncio.sleep(0.01)

    assert {"OK", "ERROR"} == {event["status"] for event in seen}
    assert ["images"] == [next(iter(event["payload"])) for event in seen if event["status"] == "OK"]


async def test_addresses_about_a_job_drop_the_end_of_the_id(client: Any) -> None:
    """`fal-ai/flux/dev` is asked for under `fal-ai/flux`; a namespace stays."""
    place = await submitted(client)
    other = await submitted(client, path="/fal/queue/workflows/acme/kites/red")

    assert f"{client.url}/fal/queue/fal-ai/flux/requests/{place['request_id']}/status" == place["status_url"]
    assert "/fal/queue/workflows/acme/kites/requests/" in other["cancel_url"]


async def test_a_job_is_202_until_it_is_over(client: Any) -> None:
    """Then it is COMPLETED, and its result is the output."""
    place = await submitted(client, "job_wait")
    path = place["status_url"].removeprefix(client.url)
    early = await client.send("GET", path)
    too_early = await client.send("GET", place["response_url"].removeprefix(client.url))

    await client.send("POST", "/sandbox/jobs/end")
    late = await ended(client, place)

    assert (202, 400, "COMPLETED") == (early.status, too_early.status, late.json["status"])
    assert {"logs", "metrics"} <= set(late.json)


@pytest.mark.parametrize(
    ("behaviour", "status", "error_type", "failed"),
    [
        ("job=0, job_fail", 500, "runner_server_error", "500 runner_server_error"),
        ("job=0, job_expire", 504, "request_timeout", "504 request_timeout"),
        ("job=0, job_moderated", 422, "content_policy_violation", "422 content_policy_violation"),
    ],
)
async def test_a_failed_job_is_completed_too(
    client: Any, behaviour: str, status: int, error_type: str, failed: str
) -> None:
    """Only its result says so, with the status of the model; the gateway's dialect reads it as that."""
    reply = await result_of(client, await submitted(client, behaviour))
    route = fal.find_route("GET", "/queue/fal-ai/flux/requests/x")
    assert route is not None
    assert RouteKind.POLL is route.kind
    reader = fal.outcome_reader(
        route, reply.status, "application/json", {k.lower(): v for k, v in reply.headers.items()}
    )
    reader.feed(reply.body)

    assert (status, error_type) == (reply.status, reply.headers["x-fal-error-type"])
    assert failed == reader.finish(complete=True).reason


async def test_a_cancelled_job_is_over(client: Any) -> None:
    """A wish that is granted; a second one comes too late."""
    place = await submitted(client, "job_wait")
    path = place["cancel_url"].removeprefix(client.url)

    first, second = await client.send("PUT", path), await client.send("PUT", path)

    assert (202, 400) == (first.status, second.status)
    assert 499 == (await result_of(client, place)).status


async def test_a_stream_ends_with_the_pictures(client: Any) -> None:
    """Each event shows all there is."""
    reply = await client.send("POST", f"{DEV}/stream", json={"prompt": "a cat", "image_size": "square"})

    events = [json.loads(line.removeprefix(b"data: ")) for line in reply.body.split(b"\n\n") if line]
    assert [False, True] == ["images" in event for event in events]


async def test_a_job_of_another_app_is_not_found(client: Any) -> None:
    """An address with another app in it leads nowhere."""
    place = await submitted(client)

    reply = await client.send("GET", f"/fal/queue/fal-ai/other/requests/{place['request_id']}/status")

    assert (404, "Request not found") == (reply.status, reply.json["detail"])


@pytest.mark.parametrize("fields", [{"num_images": 0}, {"image_size": "huge"}, {"duration": "long"}, {"prompt": ""}])
async def test_a_bad_field_is_refused(client: Any, fields: dict[str, Any]) -> None:
    """400 with a text; nothing is made."""
    reply = await client.send("POST", DEV, json={"prompt": "a cat", **fields})

    assert 400 == reply.status
    assert isinstance(reply.json["detail"], str)
