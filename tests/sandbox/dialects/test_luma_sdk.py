"""The official lumaai SDK against the sandbox: the judge of whether the dialect is right."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.later import Later

lumaai = Later("lumaai")


@pytest.fixture
async def sdk(client: Any) -> AsyncIterator[Any]:
    async with lumaai.AsyncLumaAI(base_url=f"{client.url}/luma", auth_token="any", max_retries=0) as sdk:
        yield sdk


async def ended(sdk: Any, generation_id: str) -> Any:
    """The generation once it has ended."""
    for _ in range(500):
        generation = await sdk.generations.get(generation_id)
        if generation.state not in {"queued", "dreaming"}:
            return generation
        await asyncio.sleep(0.01)
    raise AssertionError("it does not end")


async def test_a_video(client: Any, sdk: Any) -> None:
    """A real film behind an address."""
    begun = await sdk.generations.video.create(
        model="ray-2", prompt="a cat", aspect_ratio="16:9", resolution="540p", duration="5s"
    )
    done = await ended(sdk, begun.id or "")

    file = await client.send("GET", done.assets.video.removeprefix(client.url))
    assert ("queued", "completed") == (begun.state, done.state)
    assert ("video/mp4", b"ftyp") == (file.headers["Content-Type"], file.body[4:8])


async def test_a_picture_at_once(client: Any, sdk: Any, pixels: Callable[..., Any]) -> None:
    """With `sync` it is there in the first answer."""
    done = await sdk.generations.image.create(model="photon-1", prompt="a cat", aspect_ratio="1:1", sync=True)

    assert done.assets is not None
    file = await client.send("GET", (done.assets.image or "").removeprefix(client.url))
    assert ("completed", ("JPEG", (1024, 1024))) == (done.state, pixels(file.body))


@pytest.mark.parametrize("word", ["job_fail", "job_moderated", "empty"])
async def test_a_failure(sdk: Any, word: str) -> None:
    """With a reason."""
    begun = await sdk.generations.video.create(model="ray-2", prompt=f"a cat [sandbox: {word}]")

    assert "failed" == (await ended(sdk, begun.id or "")).state


async def test_a_deleted_generation_is_not_known(sdk: Any) -> None:
    """Neither running nor done."""
    begun = await sdk.generations.video.create(model="ray-2", prompt="a cat [sandbox: job_wait]")

    await sdk.generations.delete(begun.id or "")

    with pytest.raises(lumaai.NotFoundError):
        await sdk.generations.get(begun.id or "")


async def test_a_call_back_is_the_generation(sdk: Any) -> None:
    """What a poll would give comes to the address that the request named."""
    came: asyncio.Queue[Any] = asyncio.Queue()

    async def take(request: web.Request) -> web.Response:
        came.put_nowait(await request.json())
        return web.Response()

    app = web.Application()
    app.router.add_post("/", take)
    async with TestServer(app) as server:
        begun = await sdk.generations.video.create(
            model="ray-2", prompt="a cat", resolution="540p", callback_url=str(server.make_url("/"))
        )
        event = await asyncio.wait_for(came.get(), 10)

    assert (begun.id, "completed") == (event["id"], event["state"])


async def test_concepts_and_ping(client: Any) -> None:
    """What is free answers."""
    replies = [await client.send("GET", f"/luma/{path}") for path in ("ping", "generations/concepts/list")]

    assert [200, 200] == [reply.status for reply in replies]


async def test_a_bad_duration_is_told(sdk: Any) -> None:
    """In one sentence."""
    with pytest.raises(lumaai.BadRequestError, match="5s, 9s"):
        await sdk.generations.video.create(model="ray-2", prompt="a cat", duration="7s")
