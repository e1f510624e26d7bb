"""xAI by plain HTTP, and by OpenAI's SDK where xAI's users take that."""

import asyncio
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from tests.system.conftest import StartWorld
from tests.system.test_jobs_reconciled import SOON
from tests.system.world import Answer, World

FILM = {
    "model": "grok-imagine-video",
    "prompt": "a kite [sandbox: job=0.05]",
    "duration": 4,
    "resolution": "480p",
    "aspect_ratio": "16:9",
}
"""Four seconds at 10.55: 42.2 credits."""


def sdk(world: World, key: str) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=f"{world.url}/xai/v1", api_key=key)


async def film(world: World, key: str, words: str = "job=0.05", **changes: Any) -> Answer:
    body = FILM | {"prompt": f"a kite [sandbox: {words}]"} | changes
    return await world.send("POST", "/xai/v1/videos/generations", key, json=body)


async def ended(world: World, key: str, path: str) -> Answer:
    """Polls (bounded) until the answer is no 202."""
    for _ in range(300):
        answer = await world.send("GET", path, key)
        if answer.status != 202:
            return answer
        await asyncio.sleep(0.02)
    raise TimeoutError


async def test_a_picture_by_the_sdk(world: World) -> None:
    """Two pictures are charged, and what xAI says they cost stands beside it."""
    async with sdk(world, await world.key()) as client:
        answer = await client.images.generate(
            model="grok-imagine-image", prompt="a kite", n=2, extra_body={"aspect_ratio": "16:9", "resolution": "1k"}
        )

    settled = await world.event("generation.settled")
    assert (2, 2) == (len(answer.data or ()), settled["outputs_made"])
    assert (0.04, "usd") == (settled["cost_reported"], settled["cost_unit"])
    await world.assert_books_clean()


async def test_out_of_credits_raises_402_after_one_attempt(world: World) -> None:
    """In the SDK's own exception."""
    async with sdk(world, await world.key("0.1")) as client:
        with pytest.raises(openai.APIStatusError) as caught:
            await client.images.generate(model="grok-imagine-image", prompt="a kite")

    assert (402, "insufficient_credits") == (caught.value.status_code, caught.value.code)
    assert (1, 0) == (len(world.events("generation.rejected")), (await world.provider())["requests"])


async def test_a_bad_ratio_is_refused_with_the_allowed_set(world: World) -> None:
    """In the message."""
    async with sdk(world, await world.key()) as client:
        with pytest.raises(openai.UnprocessableEntityError, match=r"1:1.*16:9"):
            await client.images.generate(
                model="grok-imagine-image", prompt="a kite", extra_body={"aspect_ratio": "7:3"}
            )


async def test_deferred_pictures_are_settled_by_the_poll(world: World) -> None:
    """A job, though it is of pictures."""
    key = await world.key()
    body = {"model": "grok-imagine-image", "prompt": "a kite [sandbox: job=0]", "deferred": True}
    submitted = await world.send("POST", "/xai/v1/images/generations", key, json=body)

    done = await ended(world, key, f"/xai/v1/images/{submitted.json['request_id']}")

    assert ("done", 1) == (done.json["status"], len(done.json["data"]))
    assert 1 == (await world.event("generation.settled"))["outputs_made"]
    await world.assert_books_clean()


async def test_a_video_is_submitted_polled_and_settled_once(world: World) -> None:
    """By its seconds; the polls after the end book nothing more."""
    key = await world.key()
    submitted = await film(world, key)
    held = (await world.balance()).held
    path = f"/xai/v1/videos/{submitted.json['request_id']}"

    done = await ended(world, key, path)
    await world.send("GET", path, key)

    settled = await world.event("generation.settled")
    assert ("done", 42_200_000, 42.2) == (done.json["status"], held, settled["credits_charged"])
    assert (0.2, "usd") == (settled["cost_reported"], settled["cost_unit"])
    assert 1 == len(world.events("generation.settled"))
    await world.assert_books_clean()


@pytest.mark.parametrize("word", ["job_fail", "job_expire"])
async def test_a_video_that_comes_to_nothing_is_refunded_once(world: World, word: str) -> None:
    """Failure comes in a 200."""
    key = await world.key()
    submitted = await film(world, key, f"job=0, {word}")

    await ended(world, key, f"/xai/v1/videos/{submitted.json['request_id']}")

    assert (0, 0) == ((await world.balance()).charged, (await world.balance()).held)
    assert 1 == len(world.events("generation.released"))
    await world.assert_books_clean()


async def test_a_video_that_moderation_takes_is_charged(world: World) -> None:
    """As xAI charges it."""
    key = await world.key()
    submitted = await film(world, key, "job=0, job_moderated")

    await ended(world, key, f"/xai/v1/videos/{submitted.json['request_id']}")

    assert 42_200_000 == (await world.balance()).charged
    await world.assert_books_clean()


async def test_an_abandoned_video_is_settled_all_the_same(start_world: StartWorld) -> None:
    """Nobody polls: the gateway does."""
    world = await start_world(jobs=SOON)
    await film(world, await world.key(), "job=0")

    finished = await world.event("job.finished")

    assert ("made", "reconciler", 42.2) == (finished["outcome"], finished["via"], finished["credits_charged"])


async def test_a_video_of_another_team_is_not_found(world: World) -> None:
    """404, and nothing is asked of xAI."""
    submitted = await film(world, await world.key(), "job_wait")
    seen = (await world.provider())["requests"]

    answer = await world.send("GET", f"/xai/v1/videos/{submitted.json['request_id']}", await world.key())

    assert (404, "job_not_found") == (answer.status, answer.json["error"]["code"])
    assert seen == (await world.provider())["requests"]


@pytest.mark.parametrize(
    ("changes", "allowed"),
    [({"resolution": "1080p"}, "480P, 720P"), ({"duration": 16}, "15"), ({"seconds": 1}, "seconds")],
)
async def test_what_is_not_sold_is_refused_with_what_is(world: World, changes: Any, allowed: str) -> None:
    """The allowed set is in the message; a length under both of its names is malformed."""
    answer = await film(world, await world.key(), **changes)

    assert answer.status in {400, 422}
    assert allowed in answer.json["error"]["message"]
