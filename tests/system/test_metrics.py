"""What `/metrics` tells of a gateway at work: traffic, holds, store and process."""

import asyncio
import re

from tests.house.promql import promtool
from tests.system.conftest import StartWorld
from tests.system.provider import Provider
from tests.system.world import World

GENERATION = 'provider="sandbox",model="nano-banana-2"'
TRIES = 500


async def scraped(world: World) -> dict[str, float]:
    """Each sample by its name and labels, those in alphabetical order."""
    async with world.session.get(f"{world.gateway.admin_url}/metrics") as response:
        lines = (await response.text()).splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


async def until(world: World, sample: str, wanted: float) -> dict[str, float]:
    """The samples as soon as this one has this value (bounded)."""
    for _ in range(TRIES):
        found = await scraped(world)
        if found.get(sample) == wanted:
            return found
        await asyncio.sleep(0.02)
    raise AssertionError(f"{sample} is {found.get(sample)}")


def requests(found: dict[str, float]) -> dict[tuple[str, str, str], float]:
    """Requests by model, operation and code."""
    labels = re.compile(r'gatekeeper_requests_total\{code="(.*)",model="(.*)",operation="(.*)",provider=".*"\}')
    matches = ((labels.fullmatch(name), value) for name, value in found.items())
    return {(match[2], match[3], match[1]): value for match, value in matches if match}


async def test_requests_are_counted_once_by_how_they_ended(world: World) -> None:
    """Made, refused for what was asked, refused for want of credits, no such model, and what is no generation."""
    key = await world.key("50")
    await world.native(key)
    await world.native(key, aspect_ratio="99:1")
    await world.native(key)
    await world.native(key, model="my own word")
    await world.send("GET", "/v1/balance", key)

    found = await scraped(world)

    assert {
        ("nano-banana-2", "image.generate", "made"): 1,
        ("nano-banana-2", "", "unsupported_aspect_ratio"): 1,
        ("nano-banana-2", "image.generate", "insufficient_credits"): 1,
        ("", "", "model_not_found"): 1,
        ("", "", "answered"): 1,
    } == requests(found)
    assert 49.0 == found['gatekeeper_credits_refused_total{code="insufficient_credits"}']


async def test_a_model_has_one_name_however_it_ends(world: World) -> None:
    """Made, and refused for what was asked, by the provider's own id: log and metric have the catalog's."""
    key = await world.key()
    await world.openai(key)
    await world.openai(key, size="512x512")

    refused = await world.event("generation.rejected")

    assert ("chatgpt-1.5", "gpt-image-1.5") == (refused["model"], refused["asked"]["model"])
    assert {
        ("chatgpt-1.5", "image.generate", "made"): 1,
        ("chatgpt-1.5", "image.generate", "unsupported_size"): 1,
    } == requests(await scraped(world))


async def test_durations_are_those_of_generations(world: World) -> None:
    """One that is made has one, and so has its hold; a refusal has none."""
    key = await world.key()
    await world.native(key)
    await world.native(key, aspect_ratio="99:1")

    found = await scraped(world)

    durations = {name: value for name, value in found.items() if name.startswith("gatekeeper_request_seconds_count")}
    assert [1.0] == list(durations.values())
    assert 1.0 == found['gatekeeper_hold_seconds_count{via="request"}']


async def test_what_a_provider_fails_at_is_its_own_code(start_world: StartWorld, provider: Provider) -> None:
    """An answer of 500 is passed on, and is no refusal of the gateway's."""
    world = await start_world(provider_url=provider.url)
    provider.status = 500
    await world.native(await world.key())

    assert ["provider_failed"] == [code for *_, code in requests(await scraped(world))]


async def test_a_provider_that_cannot_be_reached_counts_once(start_world: StartWorld) -> None:
    """As the refusal that the caller gets, not as a generation beside it."""
    world = await start_world(provider_url="http://127.0.0.1:9")
    await world.native(await world.key())

    found = await scraped(world)

    assert {("nano-banana-2", "image.generate", "provider_unavailable"): 1} == requests(found)
    assert 1 == sum(
        value for name, value in found.items() if re.match(r".*_failures_total\{.*reason=\"refused\"", name)
    )


async def test_the_store_is_asked_and_its_books_are_counted(world: World) -> None:
    """It answers, there are no open holds, and when they were counted is told."""
    found = await until(world, "gatekeeper_store_up", 1.0)
    found = await until(world, 'gatekeeper_holds_open{state="held"}', 0.0)

    assert found["gatekeeper_holds_counted_timestamp_seconds"] > 0
    assert found["gatekeeper_store_ping_seconds"] > 0


async def test_promtool_has_nothing_against_a_gateway_at_work(world: World) -> None:
    """With samples of every kind that these requests make."""
    key = await world.key("50")
    await world.native(key)
    await world.native(key)
    await until(world, "gatekeeper_store_up", 1.0)
    async with world.session.get(f"{world.gateway.admin_url}/metrics") as response:
        text = await response.text()

    assert "" == await asyncio.to_thread(promtool, "check", "metrics", given=text)


async def test_what_runs_is_told(world: World) -> None:
    """Version, Python, and the digest of the catalog, as `/readyz` has it."""
    async with world.session.get(f"{world.gateway.admin_url}/readyz") as response:
        digest = (await response.json())["catalog"]["digest"]

    (build,) = [name for name in await scraped(world) if name.startswith("gatekeeper_build_info")]

    assert f'catalog="{digest}"' in build
