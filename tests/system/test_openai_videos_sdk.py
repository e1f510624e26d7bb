"""Videos after OpenAI's manner, which other hosts have copied, by OpenAI's own SDK."""

from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from tests.system.conftest import StartWorld
from tests.system.test_jobs_reconciled import SOON
from tests.system.world import World

pytestmark = pytest.mark.filterwarnings("ignore:The Sora API is scheduled:DeprecationWarning")

ELSEWHERE = {"openai": {"offers_of": "elsewhere"}}
"""Another host that sells the model: OpenAI itself has retired it."""


@pytest.fixture(name="host")
async def _host(start_world: StartWorld) -> World:
    return await start_world(providers=ELSEWHERE)


def sdk(world: World, key: str) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=f"{world.url}/openai/v1", api_key=key)


def asked(words: str = "job=0.05", **changes: Any) -> Any:
    """Four seconds of a landscape: 84.4 credits."""
    fields = {"model": "sora-2", "prompt": f"a kite [sandbox: {words}]", "seconds": "4", "size": "1280x720"}
    return fields | changes


async def test_a_video_is_submitted_polled_downloaded_and_settled_once(host: World) -> None:
    """A form in; the poll that finds the end settles; the file comes through the gateway."""
    async with sdk(host, await host.key()) as client:
        video = await client.videos.create(**asked())
        held = (await host.balance()).held
        done = await client.videos.poll(video.id)
        film = await client.videos.download_content(video.id)
        still = await client.videos.download_content(video.id, variant="thumbnail")

    assert ("completed", b"ftyp", b"\xff\xd8") == (done.status, film.content[4:8], still.content[:2])
    assert (84_400_000, 84_400_000, 0) == (held, (await host.balance()).charged, (await host.balance()).held)
    assert 1 == len(host.events("generation.settled"))
    await host.assert_books_clean()


@pytest.mark.parametrize("word", ["job_fail", "job_moderated"])
async def test_a_video_that_fails_is_refunded_once(host: World, word: str) -> None:
    """The hold is free again."""
    async with sdk(host, await host.key()) as client:
        video = await client.videos.create_and_poll(**asked(f"job=0, {word}"))

    assert ("failed", 0) == (video.status, (await host.balance()).charged)
    assert 1 == len(host.events("generation.released"))
    await host.assert_books_clean()


async def test_a_video_as_json_is_read_too(host: World) -> None:
    """Other clients send JSON: twelve seconds are held."""
    answer = await host.send("POST", "/openai/v1/videos", await host.key(), json=asked("job_wait", seconds=12))

    assert (200, 253_200_000) == (answer.status, (await host.balance()).held)


async def test_out_of_credits_raises_402_after_one_attempt(host: World) -> None:
    """Nothing is sent, and nothing sent again."""
    async with sdk(host, await host.key("84.3")) as client:
        with pytest.raises(openai.APIStatusError) as caught:
            await client.videos.create(**asked())

    assert (402, "insufficient_credits") == (caught.value.status_code, caught.value.code)
    assert (1, 0) == (len(host.events("generation.rejected")), (await host.provider())["requests"])


@pytest.mark.parametrize(
    ("changes", "allowed"), [({"seconds": "5"}, r"4.*8.*12"), ({"size": "640x360"}, r"1280x720.*720x1280")]
)
async def test_what_is_not_sold_is_refused_with_what_is(host: World, changes: Any, allowed: str) -> None:
    """The allowed set is in the message."""
    async with sdk(host, await host.key()) as client:
        with pytest.raises(openai.UnprocessableEntityError, match=allowed):
            await client.videos.create(**asked(**changes))


async def test_a_video_of_another_team_is_not_found(host: World) -> None:
    """Neither to be polled, nor downloaded, nor deleted."""
    async with sdk(host, await host.key()) as client:
        video = await client.videos.create(**asked("job_wait"))
    seen = (await host.provider())["requests"]

    async with sdk(host, await host.key()) as other:
        for question in (other.videos.retrieve, other.videos.download_content, other.videos.delete):
            with pytest.raises(openai.NotFoundError):
                await question(video.id)

    assert seen == (await host.provider())["requests"]


async def test_a_video_deleted_before_anybody_read_its_end_is_charged(start_world: StartWorld) -> None:
    """It could have been downloaded before: a delete is no way to a free video."""
    world = await start_world(providers=ELSEWHERE, jobs=SOON | {"first_poll_s": 600.0})
    async with sdk(world, await world.key()) as client:
        video = await client.videos.create(**asked("job=0"))
        film = await client.videos.with_raw_response.download_content(video.id)
        await client.videos.delete(video.id)

    assert (200, 84_400_000) == (film.status_code, (await world.balance()).charged)
    await world.assert_books_clean()


async def test_a_remix_costs_what_its_source_did(host: World) -> None:
    """It takes over model, seconds and size, which are not in its body."""
    async with sdk(host, await host.key()) as client:
        source = await client.videos.create_and_poll(**asked("job=0", seconds="8"))
        remix = await client.videos.remix(source.id, prompt="at night [sandbox: job=0]")
        done = await client.videos.poll(remix.id)

    assert ("completed", "8", source.id) == (done.status, done.seconds, done.remixed_from_video_id)
    assert 2 * 168_800_000 == (await host.balance()).charged
    await host.assert_books_clean()


async def test_a_remix_of_another_teams_video_is_not_found(host: World) -> None:
    """And nothing is sent."""
    async with sdk(host, await host.key()) as client:
        source = await client.videos.create(**asked("job_wait"))
    seen = (await host.provider())["requests"]

    async with sdk(host, await host.key()) as other:
        with pytest.raises(openai.NotFoundError):
            await other.videos.remix(source.id, prompt="at night")

    assert seen == (await host.provider())["requests"]


async def test_a_remix_out_of_credits_is_refused(host: World) -> None:
    """One video was affordable, two are not."""
    async with sdk(host, await host.key("100")) as client:
        source = await client.videos.create_and_poll(**asked("job=0"))
        with pytest.raises(openai.APIStatusError) as caught:
            await client.videos.remix(source.id, prompt="at night")

    assert 402 == caught.value.status_code


async def test_an_abandoned_video_is_settled_all_the_same(start_world: StartWorld) -> None:
    """Nobody polls: the gateway does."""
    world = await start_world(providers=ELSEWHERE, jobs=SOON)
    async with sdk(world, await world.key()) as client:
        await client.videos.create(**asked("job=0"))

    finished = await world.event("job.finished")

    assert ("made", "reconciler", 84.4) == (finished["outcome"], finished["via"], finished["credits_charged"])


async def test_what_openai_itself_no_longer_sells_is_refused(world: World) -> None:
    """A retired model is told with what to take instead."""
    async with sdk(world, await world.key()) as client:
        with pytest.raises(openai.NotFoundError, match=r"veo-3\.1"):
            await client.videos.create(**asked())


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/videos"),
        ("POST", "/v1/videos/edits"),
        ("POST", "/v1/videos/extensions"),
        ("POST", "/v1/videos/characters"),
        ("GET", "/v1/videos/characters"),
    ],
)
async def test_the_rest_of_the_api_is_closed(world: World, method: str, path: str) -> None:
    """No way to spend around the gate, and no list of other teams' videos."""
    answer = await world.send(method, f"/openai{path}", await world.key())

    assert answer.headers["Gatekeeper-Rejection"] in {"route_not_gated", "job_not_found"}
    assert 0 == (await world.provider())["requests"]
