"""Black Forest Labs' own SDK is the judge of the bfl dialect; it needs a host name, for it drops a path."""

import asyncio
import io
import warnings
from typing import Any

import pytest
from PIL import Image

from tests.system.conftest import StartWorld
from tests.system.test_jobs_reconciled import SOON
from tests.system.world import World

with warnings.catch_warnings():
    # Its models are written for an older pydantic.
    warnings.simplefilter("ignore", DeprecationWarning)
    from blackforest import BFLClient, BFLError
    from blackforest.types.general.client_config import ClientConfig

SQUARE = {"prompt": "a cat", "width": 1024, "height": 1024}
"""5 credits with Flux Dev."""


@pytest.fixture(name="world")
async def _world(start_world: StartWorld) -> World:
    """A gateway with a host name for this provider."""
    return await start_world(providers={"bfl": {"host": "localhost"}})


def submit(world: World, key: str, **inputs: Any) -> Any:
    """Submits as the SDK does; it is not asynchronous."""
    client = BFLClient(api_key=key, base_url=by_name(world))
    with client.session:
        return client.generate("flux-dev", {**SQUARE, **inputs})


def by_name(world: World) -> str:
    return world.url.replace("127.0.0.1", "localhost")


async def generate(world: World, key: str, model: str = "flux-dev", **inputs: Any) -> Any:
    """Submits and polls as the SDK does, but less patiently."""
    config = ClientConfig(sync=True, polling_interval=0.1, max_retries=20)
    client = BFLClient(api_key=key, base_url=by_name(world))
    with client.session:
        return await asyncio.to_thread(client.generate, model, {**SQUARE, **inputs}, config)


async def test_generate_polls_and_brings_a_picture(world: World) -> None:
    """Submitted and polled through the gateway; the picture decodes, and BFL's cost stands beside the charge."""
    came = await generate(world, await world.key())

    async with world.session.get(came.result.sample) as answer:
        assert (1024, 1024) == Image.open(io.BytesIO(await answer.read())).size
    assert (5_000_000, 0) == ((await world.balance()).charged, (await world.balance()).held)
    settled = await world.event("generation.settled")
    assert ("bfl_credits", 3) == (settled["cost_unit"], settled["cost_reported"])
    await world.assert_books_clean()


async def test_the_address_to_poll_is_the_gateways(world: World) -> None:
    """At the host name by which the caller came."""
    submitted = await asyncio.to_thread(submit, world, await world.key())

    assert f"{by_name(world)}/v1/get_result?id={submitted.id}" == submitted.polling_url


async def test_below_a_path_it_is_the_same(world: World) -> None:
    """Whoever can keep a path in a base URL needs no host name."""
    key = await world.key()
    submitted = await world.send("POST", "/bfl/v1/flux-dev", json=SQUARE, headers={"x-key": key})

    assert f"{world.url}/bfl/v1/get_result?id={submitted.json['id']}" == submitted.json["polling_url"]


async def test_out_of_credits_raises_after_one_attempt(world: World) -> None:
    """The SDK's own exception with the reason; nothing reached the provider."""
    with pytest.raises(BFLError, match=r"4\.999999"):
        await generate(world, await world.key("4.999999"))

    assert ["insufficient_credits"] == [event["code"] for event in world.events("generation.rejected")]
    assert 0 == (await world.provider())["requests"]


@pytest.mark.parametrize(
    ("model", "inputs", "allowed"),
    [("flux-dev", {"width": 1024, "height": 768}, "16:9"), ("flux-pro-1.1-ultra", {"aspect_ratio": "21:9"}, "16:9")],
)
async def test_what_would_be_allowed_is_in_the_exception(
    world: World, model: str, inputs: dict[str, Any], allowed: str
) -> None:
    """It is the only text that the SDK shows."""
    with pytest.raises(BFLError, match=allowed):
        await generate(world, await world.key(), model, **inputs)

    assert 0 == (await world.provider())["requests"]


@pytest.mark.parametrize("words", ["job_fail", "job_moderated"])
async def test_a_task_that_made_nothing_is_refunded_once(world: World, words: str) -> None:
    """The SDK knows no such end and polls until it is tired; the gateway has it at the first poll."""
    with pytest.raises(BFLError, match="maximum retries"):
        await generate(world, await world.key(), prompt=f"a cat [sandbox: {words}]")

    assert (0, 0) == ((await world.balance()).charged, (await world.balance()).held)
    assert 1 == len(world.events("generation.released"))
    await world.assert_books_clean()


async def test_an_abandoned_task_is_settled(start_world: StartWorld) -> None:
    """Nobody polls it but the gateway, at the address that the provider named."""
    world = await start_world(jobs=SOON)
    key = await world.key()
    await world.send(
        "POST", "/bfl/v1/flux-2-pro", json={"prompt": "a cat", "width": 256, "height": 256}, headers={"x-key": key}
    )

    finished = await world.event("job.finished")

    assert ("made", "reconciler", 28) == (finished["outcome"], finished["via"], finished["credits_charged"])
    await world.assert_books_clean()


async def test_a_film_is_charged_by_its_seconds(world: World) -> None:
    """Five seconds of FLUX.3 in hd, at 51.29 credits a second."""
    key = await world.key()
    body = {"mode": "t2v", "prompt": "a cat", "resolution": "hd", "duration": 5, "aspect_ratio": "16:9"}
    submitted = await world.send("POST", "/bfl/v1/flux-3-video", json=body, headers={"x-key": key})
    path = submitted.json["polling_url"].removeprefix(world.url)

    polls = [await world.send("GET", path, headers={"x-key": key})]
    while polls[-1].json["status"] == "Pending":
        polls.append(await world.send("GET", path, headers={"x-key": key}))

    assert "256.45" == polls[-1].headers["Gatekeeper-Credits-Charged"]
    await world.assert_books_clean()


async def test_a_task_of_another_team_is_not_found(world: World) -> None:
    """Its id alone opens nothing."""
    submitted = await asyncio.to_thread(submit, world, await world.key())
    other = BFLClient(api_key=await world.key(), base_url=by_name(world))

    with other.session, pytest.raises(BFLError, match="No such job"):
        await asyncio.to_thread(other.get_task_status, submitted.id)


async def test_the_teams_key_never_reaches_the_provider(world: World) -> None:
    """Neither with the task nor with polls."""
    await generate(world, await world.key())

    assert 0 == (await world.provider())["team_key_seen"]
