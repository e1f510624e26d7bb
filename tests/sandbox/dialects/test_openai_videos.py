"""Videos after OpenAI's manner, by its own SDK."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import openai
import pytest

pytestmark = pytest.mark.filterwarnings("ignore:The Sora API is scheduled:DeprecationWarning")
"""The shape outlives the product: other hosts have copied it."""


@pytest.fixture
async def sdk(client: Any) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{client.url}/v1", api_key="sk-any", max_retries=0) as sdk:
        yield sdk


async def test_a_video(sdk: openai.AsyncOpenAI, png: Callable[..., bytes]) -> None:
    """Created from a form with a picture, polled, and downloaded as a real file."""
    video = await sdk.videos.create_and_poll(
        model="sora-2",
        prompt="a kite [sandbox: job=0.05]",
        seconds="4",
        size="1280x720",
        input_reference=("in.png", png(), "image/png"),
    )
    film = await sdk.videos.download_content(video.id)

    assert ("completed", "4", "1280x720") == (video.status, video.seconds, video.size)
    assert b"ftyp" == film.content[4:8]


async def test_a_thumbnail(sdk: openai.AsyncOpenAI, pixels: Callable[[bytes], Any]) -> None:
    """A still picture of the same size."""
    video = await sdk.videos.create_and_poll(model="m", prompt="a kite [sandbox: job=0]", size="720x1280")

    still = await sdk.videos.download_content(video.id, variant="thumbnail")

    assert ("JPEG", (720, 1280)) == pixels(still.content)


@pytest.mark.parametrize(("word", "code"), [("job_fail", "internal_error"), ("job_moderated", "moderation_blocked")])
async def test_a_video_that_fails(sdk: openai.AsyncOpenAI, word: str, code: str) -> None:
    """Its error tells why."""
    video = await sdk.videos.create_and_poll(model="m", prompt=f"a kite [sandbox: job=0, {word}]")

    assert video.error is not None
    assert ("failed", code) == (video.status, video.error.code)


async def test_a_deleted_video_is_gone(sdk: openai.AsyncOpenAI) -> None:
    """It can be deleted once it has ended, and is not known any more."""
    video = await sdk.videos.create_and_poll(model="m", prompt="a kite [sandbox: job=0]")

    assert (await sdk.videos.delete(video.id)).deleted
    with pytest.raises(openai.NotFoundError):
        await sdk.videos.retrieve(video.id)


async def test_a_running_video_cannot_be_deleted(sdk: openai.AsyncOpenAI) -> None:
    """It is refused, and goes on."""
    video = await sdk.videos.create(model="m", prompt="a kite [sandbox: job_wait]")

    with pytest.raises(openai.BadRequestError):
        await sdk.videos.delete(video.id)


async def test_a_video_as_json(client: Any) -> None:
    """Other clients send JSON, with seconds as a number."""
    reply = await client.send("POST", "/v1/videos", json={"prompt": "a kite", "seconds": 8})

    assert (200, "8", "720x1280") == (reply.status, reply.json["seconds"], reply.json["size"])
