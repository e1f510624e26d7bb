"""The official SDK, unchanged but for `base_url` and key, is the judge of the openai dialect."""

import base64
import io

import openai
import pytest
from openai import AsyncOpenAI
from PIL import Image

from tests.system.world import World


def sdk(world: World, key: str, **options: object) -> AsyncOpenAI:
    """The SDK as a team would set it up."""
    return AsyncOpenAI(base_url=f"{world.url}/openai/v1", api_key=key, **options)


def size_of(encoded: str | None) -> tuple[int, int]:
    """Decodes the picture whole, as a viewer would."""
    image = Image.open(io.BytesIO(base64.b64decode(encoded or "")))
    image.load()
    return image.size


def a_picture() -> io.BytesIO:
    """A small PNG with a name, as a file on disk has."""
    picture = io.BytesIO()
    Image.new("RGB", (64, 64), "teal").save(picture, "PNG")
    picture.name = "input.png"
    picture.seek(0)
    return picture


@pytest.mark.parametrize("size", ["1024x1024", "1536x1024", "1024x1536"])
async def test_generate_returns_a_picture_of_the_size_asked_for(world: World, size: str) -> None:
    """Each size that is sold decodes to its pixels."""
    async with sdk(world, await world.key()) as client:
        answer = await client.images.generate(model="gpt-image-1.5", prompt="a cat", size=size)

    assert tuple(map(int, size.split("x"))) == size_of(answer.data[0].b64_json)
    await world.assert_books_clean()


async def test_generate_charges_each_picture_that_came(world: World) -> None:
    """Three pictures at 35 are 105 credits."""
    async with sdk(world, await world.key()) as client:
        answer = await client.images.generate(model="gpt-image-1.5", prompt="a cat", size="1024x1024", n=3)

    balance = await world.balance()
    assert 3 == len(answer.data)
    assert (105_000_000, 0) == (balance.charged, balance.held)


async def test_edit_with_a_file_arrives_byte_for_byte(world: World) -> None:
    """A multipart edit makes a picture, and the body that the provider got is the one that was sent."""
    async with sdk(world, await world.key()) as client:
        answer = await client.images.edit(
            model="gpt-image-1.5", image=a_picture(), prompt="a hat on it", size="1024x1024"
        )

    seen = (await world.provider())["recent"][-1]
    assert (1024, 1024) == size_of(answer.data[0].b64_json)
    assert "/images/edits" in seen["path"]
    assert seen["headers"]["content-length"] == str(seen["body_bytes"])
    await world.assert_books_clean()


async def test_stream_yields_partial_pictures_and_then_the_picture(world: World) -> None:
    """Server-sent events pass through as they come and the completed one is what is charged."""
    async with sdk(world, await world.key()) as client:
        stream = await client.images.generate(
            model="gpt-image-1.5", prompt="a cat", size="1024x1024", stream=True, partial_images=2
        )
        events = [event async for event in stream]

    assert ["image_generation.partial_image"] * 2 + ["image_generation.completed"] == [e.type for e in events]
    assert (1024, 1024) == size_of(events[-1].b64_json)
    assert 35_000_000 == (await world.balance()).charged
    await world.assert_books_clean()


async def test_out_of_credits_raises_402_after_one_attempt(world: World) -> None:
    """The SDK retries 429 and 5xx, not 402: the refusal reaches its caller at once."""
    async with sdk(world, await world.key("34.999999")) as client:
        with pytest.raises(openai.APIStatusError) as caught:
            await client.images.generate(model="gpt-image-1.5", prompt="a cat", size="1024x1024")

    assert 402 == caught.value.status_code
    assert "insufficient_credits" == caught.value.code
    assert 1 == len(world.events("generation.rejected"))
    assert 0 == (await world.provider())["requests"]


async def test_a_bad_size_raises_with_the_allowed_set_in_the_message(world: World) -> None:
    """What would be allowed is in the only text that the SDK shows."""
    async with sdk(world, await world.key()) as client:
        with pytest.raises(openai.UnprocessableEntityError, match=r"1024x1024.*1024x1536.*1536x1024"):
            await client.images.generate(model="gpt-image-1.5", prompt="a cat", size="512x512")

    assert 0 == (await world.provider())["requests"]


async def test_the_list_of_models_passes_free(world: World) -> None:
    """A free route is let by with the provider's credential and costs nothing."""
    async with sdk(world, await world.key()) as client:
        models = [model async for model in client.models.list()]

    assert models
    assert 0 == (await world.balance()).charged


async def test_the_teams_key_never_reaches_the_provider(world: World) -> None:
    """No request upstream carries a gatekeeper key."""
    key = await world.key()
    async with sdk(world, key, default_headers={"x-key": key}) as client:
        await client.images.generate(model="gpt-image-1.5", prompt="a cat", size="1024x1024")

    assert 0 == (await world.provider())["team_key_seen"]


async def test_a_wrong_key_raises_the_sdks_authentication_error(world: World) -> None:
    """401 in the shape that the SDK knows."""
    async with sdk(world, "gk_wrong") as client:
        with pytest.raises(openai.AuthenticationError):
            await client.images.generate(model="gpt-image-1.5", prompt="a cat", size="1024x1024")


@pytest.mark.parametrize("base", ["", "/v1"])
async def test_a_base_url_without_the_provider_is_told_what_it_should_be(world: World, base: str) -> None:
    """The likeliest mistake of all, in the SDK's own exception."""
    async with AsyncOpenAI(base_url=f"{world.url}{base}", api_key=await world.key()) as client:
        with pytest.raises(openai.PermissionDeniedError, match="/openai/v1"):
            await client.images.generate(model="gpt-image-1.5", prompt="a cat", size="1024x1024")


async def test_a_ratio_in_size_is_told_the_pixels_too(world: World) -> None:
    """OpenAI's `size` takes pixels; a ratio that is not sold is answered with both."""
    async with sdk(world, await world.key()) as client:
        with pytest.raises(openai.UnprocessableEntityError, match="1536x1024"):
            await client.images.generate(model="gpt-image-1.5", prompt="a cat", size="16x9")
