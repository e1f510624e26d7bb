"""The official lumaai SDK, unchanged but for `base_url` and token, is the judge of the luma dialect."""

import asyncio
from typing import Any

import pytest

from tests.later import Later
from tests.system.world import World

lumaai = Later("lumaai")

RAY_FLASH_540P_5S = 42_200_000
"""What five seconds of Ray Flash 2 cost at 540p, in micro-credits."""

RAY_FLASH_720P_5S = 71_740_000


def sdk(world: World, key: str) -> Any:
    """The SDK as a team would set it up."""
    return lumaai.AsyncLumaAI(base_url=f"{world.url}/luma/dream-machine/v1", auth_token=key)


async def film(client: Any, words: str = "", **fields: Any) -> Any:
    """A film of five seconds, submitted; `words` are the sandbox's."""
    wanted = {"model": "ray-flash-2", "resolution": "540p", "duration": "5s", "aspect_ratio": "16:9", **fields}
    return await client.generations.video.create(prompt=f"a cat [sandbox: {words or 'none'}]", **wanted)


async def ended(client: Any, generation_id: str) -> Any:
    """The generation once it has ended (bounded)."""
    for _ in range(500):
        generation = await client.generations.get(generation_id)
        if generation.state in {"completed", "failed"}:
            return generation
        await asyncio.sleep(0.01)
    raise AssertionError(f"still {generation.state}")


async def test_a_film_is_submitted_polled_and_fetched(world: World) -> None:
    """While it is made its price is held; its end is charged, and the film is a film."""
    async with sdk(world, await world.key()) as client:
        begun = await film(client)
        held = (await world.balance()).held
        done = await ended(client, begun.id)

    async with world.session.get(done.assets.video) as response:
        data = await response.read()
    balance = await world.balance()
    assert (RAY_FLASH_540P_5S, RAY_FLASH_540P_5S, 0) == (held, balance.charged, balance.held)
    assert b"ftyp" == data[4:8]
    await world.assert_books_clean()


async def test_what_is_left_open_is_held_at_most_and_charged_as_made(world: World) -> None:
    """Without a tier and a length the dearest film is held, and Luma's answer tells which one it was."""
    async with sdk(world, await world.key("2000")) as client:
        begun = await client.generations.video.create(model="ray-flash-2", prompt="a cat")
        held = (await world.balance()).held
        await ended(client, begun.id or "")

    balance = await world.balance()
    assert held >= balance.charged == RAY_FLASH_720P_5S
    assert 0 == balance.held
    await world.assert_books_clean()


async def test_out_of_credits_raises_402_after_one_attempt(world: World) -> None:
    """The SDK retries 429 and 5xx, not 402: the refusal reaches its caller at once, facts and all."""
    async with sdk(world, await world.key("42")) as client:
        with pytest.raises(lumaai.APIStatusError, match="insufficient_credits") as caught:
            await film(client)

    assert 402 == caught.value.status_code
    assert 1 == len(world.events("generation.rejected"))
    assert 0 == (await world.provider())["requests"]


@pytest.mark.parametrize(
    ("fields", "allowed"),
    [
        ({"aspect_ratio": "5:4"}, "1:1, 16:9, 9:16, 4:3, 3:4, 21:9, 9:21"),
        ({"resolution": "8k"}, "540P, 720P, 1080P, 4K"),
        ({"duration": "7s"}, "duration.*5.*9"),
    ],
)
async def test_a_bad_setting_raises_with_the_allowed_set(world: World, fields: dict[str, Any], allowed: str) -> None:
    """What would be allowed is in the only text that the SDK shows."""
    async with sdk(world, await world.key()) as client:
        with pytest.raises(lumaai.UnprocessableEntityError, match=allowed):
            await film(client, **fields)

    assert 0 == (await world.provider())["requests"]


@pytest.mark.parametrize("word", ["job_fail", "job_moderated"])
async def test_a_failed_generation_is_refunded_once(world: World, word: str) -> None:
    """Nothing is charged; asking again changes nothing."""
    async with sdk(world, await world.key()) as client:
        begun = await film(client, word)
        states = [(await ended(client, begun.id)).state for _ in range(2)]

    balance = await world.balance()
    assert ["failed", "failed"] == states
    assert (0, 0) == (balance.charged, balance.held)
    assert 1 == len(world.events("job.finished"))
    await world.assert_books_clean()


async def test_a_deleted_generation_stays_held_until_its_end_is_known(world: World) -> None:
    """Luma forgets what was deleted, so nobody can tell what it cost: a poll passes on its 404, and settles nothing."""
    async with sdk(world, await world.key()) as client:
        begun = await film(client, "job_wait")
        await client.generations.delete(begun.id)
        with pytest.raises(lumaai.NotFoundError):
            await client.generations.get(begun.id)

    balance = await world.balance()
    assert (0, RAY_FLASH_540P_5S) == (balance.charged, balance.held)


async def test_another_teams_generation_is_not_found(world: World) -> None:
    """Neither asked for nor deleted; and the provider hears nothing of it."""
    async with sdk(world, await world.key()) as client:
        begun = await film(client, "job_wait")
    requests = (await world.provider())["requests"]

    async with sdk(world, await world.key()) as other:
        for ask in (other.generations.get, other.generations.delete):
            with pytest.raises(lumaai.NotFoundError, match="job_not_found"):
                await ask(begun.id)

    assert requests == (await world.provider())["requests"]


async def test_what_is_not_gated_is_refused(world: World) -> None:
    """Sound and size for a film that is there, and the list of everybody's films."""
    async with sdk(world, await world.key()) as client:
        for ask in (client.generations.upscale("g"), client.generations.audio("g"), client.generations.list()):
            with pytest.raises(lumaai.PermissionDeniedError, match="route_not_gated"):
                await ask

    assert 0 == (await world.provider())["requests"]


async def test_another_generation_is_no_first_frame(world: World) -> None:
    """It may be another team's."""
    frame = {"frame0": {"type": "generation", "id": "g"}}
    async with sdk(world, await world.key()) as client:
        with pytest.raises(lumaai.BadRequestError, match="another team"):
            await film(client, keyframes=frame)


async def test_ping_is_free(world: World) -> None:
    """It goes on, and costs nothing."""
    async with sdk(world, await world.key()) as client:
        assert "pong" == (await client.ping.check()).message

    assert 0 == (await world.balance()).charged
