"""Recraft's format, mostly by OpenAI's own SDK."""

import base64
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import openai
import pytest


@pytest.fixture
async def sdk(client: Any) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{client.url}/recraft/v1", api_key="any", max_retries=0) as sdk:
        yield sdk


async def test_generate(sdk: openai.AsyncOpenAI, pixels: Callable[..., Any]) -> None:
    """Pictures in the SDK's own types, and what they cost beside them."""
    answer = await sdk.images.generate(
        model="recraftv4",
        prompt="a cat",
        n=2,
        size="128x64",
        response_format="b64_json",  # type: ignore[arg-type]
    )

    assert answer.data is not None
    assert [("PNG", (128, 64))] * 2 == [pixels(base64.b64decode(item.b64_json or "")) for item in answer.data]
    assert {"credits": 80} == answer.model_extra


async def test_a_shape_is_a_size(client: Any, sdk: openai.AsyncOpenAI, pixels: Callable[..., Any]) -> None:
    """And a picture has an address."""
    answer = await sdk.images.generate(model="recraftv4", prompt="a cat", size="1:1")  # type: ignore[arg-type]

    assert answer.data is not None
    url = answer.data[0].url or ""
    assert (1024, 1024) == pixels((await client.send("GET", url.removeprefix(client.url))).body)[1]


async def test_an_edit_takes_json_and_a_form(client: Any, png: Callable[..., bytes]) -> None:
    """Both come to the same."""
    fields = {"model": "recraftv4", "prompt": "a cat", "n": "2", "size": "64x64"}
    form = aiohttp.FormData(fields)
    form.add_field("image", png(), filename="a.png", content_type="image/png")
    path = "/recraft/v1/images/imageToImage"

    replies = [
        await client.send("POST", path, data=form),
        await client.send("POST", path, json={**fields, "n": 2}),
    ]

    assert [(200, 2)] * 2 == [(reply.status, len(reply.json["data"])) for reply in replies]


async def test_a_refusal_raises_the_sdks_own_error(sdk: openai.AsyncOpenAI) -> None:
    """With its code."""
    with pytest.raises(openai.BadRequestError) as caught:
        await sdk.images.generate(model="recraftv4", prompt="a cat", n=7)

    assert "integer_out_of_range" == caught.value.code
