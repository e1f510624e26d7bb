"""OpenAI's SDK, pointed at Recraft through the gateway, is the judge of the recraft dialect."""

import io
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from PIL import Image

from tests.system.world import World


def sdk(world: World, key: str) -> AsyncOpenAI:
    """The SDK as a team would set it up."""
    return AsyncOpenAI(base_url=f"{world.url}/recraft/v1", api_key=key)


async def draw(client: AsyncOpenAI, **fields: Any) -> Any:
    return await client.images.generate(**({"model": "recraftv4", "prompt": "a cat", "size": "1344x768"} | fields))


async def test_pictures_are_charged_and_their_cost_is_noted(world: World) -> None:
    """Two pictures at 24 are 48 credits; what Recraft says they cost stands beside it."""
    async with sdk(world, await world.key()) as client:
        answer = await draw(client, n=2)

    async with world.session.get(answer.data[1].url) as response:
        image = Image.open(io.BytesIO(await response.read()))
    settled = await world.event("generation.settled")
    assert (1344, 768) == image.size
    assert (48_000_000, 80) == ((await world.balance()).charged, settled["cost_reported"])
    await world.assert_books_clean()


async def test_fewer_pictures_are_charged_as_fewer(world: World) -> None:
    """One of three came, one is charged."""
    async with sdk(world, await world.key()) as client:
        answer = await draw(client, prompt="a cat [sandbox: partial=1]", n=3)

    assert (1, 24_000_000) == (len(answer.data), (await world.balance()).charged)


async def test_out_of_credits_raises_402_after_one_attempt(world: World) -> None:
    """The SDK's own exception, with its code."""
    async with sdk(world, await world.key("23.999999")) as client:
        with pytest.raises(openai.APIStatusError) as caught:
            await draw(client)

    assert (402, "insufficient_credits") == (caught.value.status_code, caught.value.code)
    assert 1 == len(world.events("generation.rejected"))
    assert 0 == (await world.provider())["requests"]


@pytest.mark.parametrize(("size", "allowed"), [("21:9", "1:1, 4:3, 3:4, 16:9, 9:16"), ("640x480", "1024x1024")])
async def test_a_bad_size_raises_with_the_allowed_set(world: World, size: str, allowed: str) -> None:
    """What would be allowed is in the only text that the SDK shows."""
    async with sdk(world, await world.key()) as client:
        with pytest.raises(openai.UnprocessableEntityError, match=allowed):
            await draw(client, size=size)

    assert 0 == (await world.provider())["requests"]


async def test_a_model_must_be_named(world: World) -> None:
    """Recraft would take its newest one, at another price."""
    answer = await world.send("POST", "/recraft/v1/images/generations", await world.key(), json={"prompt": "a cat"})

    assert (422, "missing_parameter") == (answer.status, answer.json["code"])
    assert 0 == (await world.provider())["requests"]


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/images/vectorize"), ("POST", "/images/crispUpscale"), ("GET", "/users/me")]
)
async def test_what_is_not_gated_is_refused(world: World, method: str, path: str) -> None:
    """What has no price here, and the operator's own account."""
    answer = await world.send(method, f"/recraft/v1{path}", await world.key())

    assert (403, "route_not_gated") == (answer.status, answer.json["code"])
    assert 0 == (await world.provider())["requests"]
