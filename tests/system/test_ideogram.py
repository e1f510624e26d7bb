"""Ideogram through the gateway, by plain HTTP: it has no official SDK."""

import io
from typing import Any

import aiohttp
import pytest
from PIL import Image

from tests.system.world import Answer, World

GENERATE = "/ideogram/v1/ideogram-v3/generate"


async def draw(world: World, key: str, path: str = GENERATE, **fields: str) -> Answer:
    """A form; the key stands where Ideogram's own would."""
    form = aiohttp.FormData({"prompt": "a cat", **fields}, default_to_multipart=True)
    return await world.send("POST", path, data=form, headers={"Api-Key": key})


async def test_pictures_are_charged_as_they_come(world: World) -> None:
    """Two at 25 are 50 credits, and each has the size that its shape comes to."""
    answer = await draw(world, await world.key(), resolution="1312x736", num_images="2")

    async with world.session.get(answer.json["data"][0]["url"]) as response:
        image = Image.open(io.BytesIO(await response.read()))
    assert (1312, 736) == image.size
    assert 50_000_000 == (await world.balance()).charged
    assert 0 == (await world.provider())["team_key_seen"]
    await world.assert_books_clean()


@pytest.mark.parametrize(("word", "charged"), [("partial=1", 25), ("empty", 50), ("fail=422", 0), ("fail=500", 0)])
async def test_what_is_withheld_or_fails(world: World, word: str, charged: int) -> None:
    """Of some withheld the others are charged; all withheld as Ideogram charges them; a failure not at all."""
    await draw(world, await world.key(), prompt=f"a cat [sandbox: {word}]", aspect_ratio="1x1", num_images="2")

    assert charged * 10**6 == (await world.balance()).charged
    await world.assert_books_clean()


async def test_out_of_credits_is_402(world: World) -> None:
    """In Ideogram's own shape, and nothing goes upstream."""
    answer = await draw(world, await world.key("24"), aspect_ratio="1x1")

    assert (402, "insufficient_credits") == (answer.status, answer.json["code"])
    assert "24" in answer.json["error"]
    assert 0 == (await world.provider())["requests"]


@pytest.mark.parametrize(
    ("fields", "allowed"),
    [
        ({"aspect_ratio": "21x9"}, "1:1, 4:3, 3:4, 9:16, 16:9"),
        ({"resolution": "1024x1025"}, "1024x1024, 1152x864"),
        ({"num_images": "9"}, "1 to 8"),
    ],
)
async def test_a_bad_setting_is_told_with_the_allowed_set(world: World, fields: dict[str, str], allowed: str) -> None:
    """In the one sentence there is."""
    answer = await draw(world, await world.key(), **fields)

    assert 422 == answer.status
    assert allowed in answer.json["error"]
    assert 0 == (await world.provider())["requests"]


@pytest.mark.parametrize(
    "path", ["/v1/ideogram-v3/reframe", "/v1/ideogram-v4/generate", "/v2/generations/g", "/upscale"]
)
async def test_what_is_not_gated_is_refused(world: World, path: str) -> None:
    """Nothing goes upstream."""
    answer: Any = await draw(world, await world.key(), path=f"/ideogram{path}")

    assert (403, "route_not_gated") == (answer.status, answer.json["code"])
    assert 0 == (await world.provider())["requests"]
