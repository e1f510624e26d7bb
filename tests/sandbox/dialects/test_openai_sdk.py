"""The official openai SDK against the sandbox: the judge of whether the dialect is right."""

import base64
from collections.abc import AsyncIterator, Callable
from typing import Any

import openai
import pytest


@pytest.fixture
async def sdk(client: Any) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{client.url}/v1", api_key="sk-any", max_retries=0) as sdk:
        yield sdk


async def test_generate(sdk: openai.AsyncOpenAI, pixels: Callable[[bytes], Any]) -> None:
    """Parsed into the SDK's own types, usage and all."""
    answer = await sdk.images.generate(model="gpt-image-2", prompt="a cat", n=2, size="1024x1536", quality="low")

    assert answer.data is not None
    assert answer.usage is not None
    assert [("PNG", (1024, 1536))] * 2 == [pixels(base64.b64decode(item.b64_json or "")) for item in answer.data]
    assert ("1024x1536", "low") == (answer.size, answer.quality)
    assert answer.usage.total_tokens > 0


@pytest.mark.parametrize("several", [False, True], ids=["one image", "a list of images"])
async def test_edit(
    sdk: openai.AsyncOpenAI, several: bool, png: Callable[..., bytes], pixels: Callable[[bytes], Any]
) -> None:
    """With files, as `image` or as `image[]`, and a mask."""
    file = ("in.png", png(), "image/png")

    answer = await sdk.images.edit(
        model="gpt-image-2",
        prompt="add a hat",
        image=[file, file] if several else file,
        mask=file,
        size="1024x1024",
        n=1,
    )

    assert answer.data is not None
    assert ("PNG", (1024, 1024)) == pixels(base64.b64decode(answer.data[0].b64_json or ""))


async def test_stream(sdk: openai.AsyncOpenAI, pixels: Callable[[bytes], Any]) -> None:
    """Events of the SDK's own classes, in order."""
    stream = await sdk.images.generate(
        model="gpt-image-2", prompt="a cat", size="1024x1024", stream=True, partial_images=2
    )

    events = [event async for event in stream]

    kinds = ["image_generation.partial_image"] * 2 + ["image_generation.completed"]
    assert kinds == [event.type for event in events]
    assert {("PNG", (1024, 1024))} == {pixels(base64.b64decode(event.b64_json)) for event in events}


async def test_streamed_edit(sdk: openai.AsyncOpenAI, png: Callable[..., bytes]) -> None:
    """The edit's own event classes."""
    file = ("in.png", png(), "image/png")
    stream = await sdk.images.edit(model="gpt-image-2", prompt="a hat", image=file, size="1024x1024", stream=True)

    assert ["image_edit.completed"] == [event.type async for event in stream]


async def test_models(sdk: openai.AsyncOpenAI) -> None:
    """List and single model."""
    names = [model.id async for model in sdk.models.list()]

    assert names[0] == (await sdk.models.retrieve(names[0])).id


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (402, openai.APIStatusError),
        (403, openai.PermissionDeniedError),
        (404, openai.NotFoundError),
        (422, openai.UnprocessableEntityError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
    ],
)
async def test_failures_raise_the_sdks_own_errors(
    sdk: openai.AsyncOpenAI, status: int, expected: type[openai.APIStatusError]
) -> None:
    """With the code that the body carries and an id to find the request again."""
    with pytest.raises(expected) as caught:
        await sdk.images.generate(model="m", prompt=f"a cat [sandbox: fail={status}]")

    assert (status, "sandbox_failure", "sandbox-1") == (
        caught.value.status_code, caught.value.code, caught.value.request_id,
    )  # fmt: skip


async def test_a_stream_that_fails_raises_in_the_middle(sdk: openai.AsyncOpenAI) -> None:
    """The SDK turns the error event into its own exception."""
    stream = await sdk.images.generate(
        model="m", prompt="a cat [sandbox: error_event]", size="1024x1024", stream=True, partial_images=1
    )

    with pytest.raises(openai.APIError, match="fail in mid-stream"):
        [event async for event in stream]


async def test_a_cut_connection_raises_a_connection_error(sdk: openai.AsyncOpenAI) -> None:
    """Without an answer there is no status to report."""
    with pytest.raises(openai.APIConnectionError):
        await sdk.images.generate(model="m", prompt="a cat [sandbox: cut_before]")
