"""xAI's shapes, by raw HTTP and by OpenAI's SDK, which xAI's users point there."""

import asyncio
import base64
from collections.abc import Callable
from typing import Any

import openai
import pytest

BODY = {"model": "grok-imagine-image", "prompt": "a kite", "aspect_ratio": "1:1", "resolution": "1k"}
FILM = {"model": "grok-imagine-video", "prompt": "a kite [sandbox: job=0]", "duration": 4, "resolution": "480p"}


async def ended(client: Any, path: str) -> Any:
    """Polls (bounded) until the answer is no 202."""
    for _ in range(200):
        reply = await client.send("GET", path)
        if reply.status != 202:
            return reply.json
        await asyncio.sleep(0.02)
    raise TimeoutError


async def submitted(client: Any, path: str, **fields: Any) -> str:
    return str((await client.send("POST", path, json=fields)).json["request_id"])


async def test_pictures_by_the_sdk(client: Any, pixels: Callable[[bytes], Any]) -> None:
    """OpenAI's SDK reads the answer, and the pixels are those of the ratio."""
    async with openai.AsyncOpenAI(base_url=f"{client.url}/xai/v1", api_key="any") as sdk:
        answer = await sdk.images.generate(
            model="m", prompt="a kite", n=2, response_format="b64_json", extra_body={"aspect_ratio": "2:1"}
        )

    assert answer.data is not None
    assert [("PNG", (1448, 728))] * 2 == [pixels(base64.b64decode(each.b64_json or "")) for each in answer.data]


async def test_a_picture_by_its_address(client: Any) -> None:
    """An address that can be fetched, and the cost in ticks."""
    reply = await client.send("POST", "/xai/v1/images/generations", json=BODY)

    fetched = await client.send("GET", reply.json["data"][0]["url"].removeprefix(client.url))
    assert (200, 200_000_000) == (fetched.status, reply.json["usage"]["cost_in_usd_ticks"])


async def test_deferred_pictures(client: Any) -> None:
    """A job that is polled: 202 with nothing in it, then the pictures."""
    job = await submitted(client, "/xai/v1/images/generations", **BODY, deferred=True)

    assert 1 == len((await ended(client, f"/xai/v1/images/{job}"))["data"])


async def test_size_is_refused(client: Any) -> None:
    """As xAI refuses it."""
    reply = await client.send("POST", "/xai/v1/images/generations", json=BODY | {"size": "1x1"})

    assert (400, "size") == (reply.status, reply.json["error"]["param"])


async def test_a_video(client: Any) -> None:
    """A real file at its address, its length and its cost."""
    job = await submitted(client, "/xai/v1/videos/generations", **FILM)

    told = await ended(client, f"/xai/v1/videos/{job}")

    film = await client.send("GET", told["video"]["url"].removeprefix(client.url))
    assert ("done", 4, 2_000_000_000) == (
        told["status"],
        told["video"]["duration"],
        told["usage"]["cost_in_usd_ticks"],
    )
    assert b"ftyp" == film.body[4:8]


@pytest.mark.parametrize(("path", "seconds"), [("edits", 5), ("extensions", 9)])
async def test_a_video_from_a_video(client: Any, path: str, seconds: int) -> None:
    """An edit is as long as its source; an extension counts its source too."""
    job = await submitted(client, f"/xai/v1/videos/{path}", **FILM, video={"url": "u"})

    assert seconds == (await ended(client, f"/xai/v1/videos/{job}"))["video"]["duration"]


@pytest.mark.parametrize(("word", "status"), [("job_fail", "failed"), ("job_expire", "expired")])
async def test_a_video_that_comes_to_nothing(client: Any, word: str, status: str) -> None:
    """Told in a 200."""
    job = await submitted(client, "/xai/v1/videos/generations", **FILM | {"prompt": f"x [sandbox: job=0, {word}]"})

    assert status == (await ended(client, f"/xai/v1/videos/{job}"))["status"]


async def test_a_video_that_moderation_takes(client: Any) -> None:
    """Done, without an address, and with a cost."""
    fields = FILM | {"prompt": "x [sandbox: job=0, job_moderated]"}
    job = await submitted(client, "/xai/v1/videos/generations", **fields)

    told = await ended(client, f"/xai/v1/videos/{job}")

    assert ("done", "", False) == (told["status"], told["video"]["url"], told["video"]["respect_moderation"])


async def test_a_job_that_nobody_knows(client: Any) -> None:
    """404 in the shape of an error."""
    assert 404 == (await client.send("GET", "/xai/v1/videos/none")).status
