"""An SDK that sends a request again by itself pays once: the official one, unchanged, is the judge."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import openai
import pytest
from openai import AsyncOpenAI
from openai.types import ImagesResponse

from tests.system.conftest import StartWorld
from tests.system.provider import PICTURE, Provider
from tests.system.test_openai_sdk import a_picture
from tests.system.world import World

PATIENCE_S = 1.0
"""The SDK's, short for the test, long for a busy machine; between attempts it pauses half a second and more."""

RETRY = {"x-stainless-retry-count": "1"}
FIRST = {"x-stainless-retry-count": "0"}


@pytest.fixture(name="world")
async def _world(start_world: StartWorld, provider: Provider) -> World:
    """A gateway in front of the provider that counts."""
    return await start_world(provider_url=provider.url)


@asynccontextmanager
async def impatient(world: World, **team: bool) -> AsyncIterator[AsyncOpenAI]:
    """The SDK with its usual two retries, and a new team."""
    key = await world.key(**team)
    async with AsyncOpenAI(base_url=f"{world.url}/openai/v1", api_key=key, timeout=PATIENCE_S) as client:
        yield client


def a_cat(client: AsyncOpenAI) -> "asyncio.Task[ImagesResponse]":
    """Asks for a picture, with whatever the SDK does about it."""
    asking = client.images.generate(model="gpt-image-1.5", prompt="a cat", size="1024x1024")
    return asyncio.get_running_loop().create_task(asking)


async def test_an_impatient_sdk_gets_its_answer_and_pays_once(world: World, provider: Provider) -> None:
    """It gives up on the first attempt, is told to wait on the second, and gets the answer on the third."""
    provider.gate.clear()
    async with impatient(world) as client:
        asking = a_cat(client)
        refused = await world.event("generation.rejected")
        provider.gate.set()
        answer = await asking

    assert "generation_in_progress" == refused["code"]
    assert "http://pictures/1.png" == answer.data[0].url
    assert (1, 35_000_000) == (provider.calls, (await world.balance()).charged)
    assert refused["hold_id"] == (await world.event("generation.replayed"))["hold_id"]
    await world.assert_books_clean()


async def test_a_picture_that_was_not_kept_is_accounted_for(world: World, provider: Provider) -> None:
    """Too large to be kept: the SDK raises once, with what was charged in its message, and pays once."""
    provider.document = PICTURE
    provider.gate.clear()
    async with impatient(world) as client:
        asking = a_cat(client)
        await world.event("generation.rejected")
        provider.gate.set()
        with pytest.raises(openai.ConflictError, match="35 credits were charged") as raised:
            await asking

    assert "already_generated" == raised.value.code
    assert (1, 35_000_000) == (provider.calls, (await world.balance()).charged)
    await world.assert_books_clean()


async def test_a_provider_slower_than_every_attempt_is_paid_once(world: World, provider: Provider) -> None:
    """All three attempts are over before it answers: the SDK is told that it runs, and nothing is made twice."""
    provider.gate.clear()
    async with impatient(world) as client:
        with pytest.raises(openai.ConflictError, match="is running") as raised:
            await a_cat(client)
    provider.gate.set()
    await world.event("generation.settled")

    assert "generation_in_progress" == raised.value.code
    assert (1, 35_000_000) == (provider.calls, (await world.balance()).charged)
    await world.assert_books_clean()


async def test_an_edit_with_a_file_is_guarded_too(world: World, provider: Provider) -> None:
    """The SDK winds the file back and draws a new boundary: it is the same request."""
    provider.gate.clear()
    async with impatient(world) as client:
        edit = client.images.edit(model="gpt-image-1.5", image=a_picture(), prompt="a hat", size="1024x1024")
        asking = asyncio.get_running_loop().create_task(edit)
        await world.event("generation.rejected")
        provider.gate.set()
        answer = await asking

    assert "http://pictures/1.png" == answer.data[0].url
    assert (1, 35_000_000) == (provider.calls, (await world.balance()).charged)


async def test_a_failure_is_tried_again_for_real(world: World, provider: Provider) -> None:
    """The provider said 500 and nothing was charged: the SDK's retry is forwarded."""
    provider.status = 500
    async with impatient(world) as client:
        asking = a_cat(client)
        await world.event("generation.released")
        provider.status = 200
        answer = await asking

    assert "http://pictures/1.png" == answer.data[0].url
    assert (2, 35_000_000) == (provider.calls, (await world.balance()).charged)
    await world.assert_books_clean()


async def test_without_the_guard_a_retry_is_another_paid_request(world: World, provider: Provider) -> None:
    """A team that turned it off gets what it asked for: three attempts, three pictures."""
    provider.gate.clear()
    async with impatient(world, retry_guard=False) as client:
        with pytest.raises(openai.APITimeoutError):
            await a_cat(client)
    provider.gate.set()
    await world.event("generation.settled", 3)

    assert (3, 105_000_000) == (provider.calls, (await world.balance()).charged)
    await world.assert_books_clean()


async def test_first_attempts_are_never_taken_for_each_other(world: World, provider: Provider) -> None:
    """Two people who ask for the same picture at once, with one API key, get two."""
    provider.gate.clear()
    async with AsyncOpenAI(base_url=f"{world.url}/openai/v1", api_key=await world.key()) as client:
        asking = [a_cat(client), a_cat(client)]
        await world.event("generation.admitted", 2)
        provider.gate.set()
        answers = await asyncio.gather(*asking)

    assert (2, 2, 70_000_000) == (len(answers), provider.calls, (await world.balance()).charged)


async def test_another_api_keys_retry_is_another_request(world: World, provider: Provider) -> None:
    """The guard looks at the key: colleagues with keys of their own do not get each other's pictures."""
    first, second = await world.key(), await world.another_key("team-0")

    answers = [await world.native(first, headers=FIRST), await world.native(second, headers=RETRY)]

    assert [None, None] == [answer.headers.get("Gatekeeper-Replayed") for answer in answers]
    assert 2 == provider.calls


async def test_after_its_window_a_retry_is_a_new_request(start_world: StartWorld, provider: Provider) -> None:
    """Half an hour by default, here a moment: no retry of an SDK comes so late."""
    world = await start_world(provider_url=provider.url, retry_guard_window_s=0.001)
    key = await world.key()

    answers = [await world.native(key, headers=FIRST), await world.native(key, headers=RETRY)]

    assert ([200, 200], 2) == ([answer.status for answer in answers], provider.calls)


async def test_the_guard_works_on_the_native_route(world: World, provider: Provider) -> None:
    """Any client that says how often it has tried is guarded."""
    key = await world.key()

    answers = [await world.native(key, headers=headers) for headers in (FIRST, RETRY)]

    assert (answers[0].body, "true") == (answers[1].body, answers[1].headers["Gatekeeper-Replayed"])
    assert 1 == provider.calls


async def test_a_request_that_says_nothing_leaves_nothing_behind(world: World, provider: Provider) -> None:
    """Neither header: no name, no kept answer, and the same again is made again."""
    key = await world.key()

    await world.native(key)
    await world.native(key)

    client = world.gateway.store.client
    assert [] == await client.command("KEYS", "gk:{team-0}:answer:*")
    assert [] == await client.command("KEYS", "gk:{team-0}:once:*")
    assert 2 == provider.calls
