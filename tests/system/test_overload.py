"""More than can be taken at once: told so with 503 and when to come again, and nothing is held for it."""

import asyncio
from collections import Counter
from urllib.parse import urlsplit

import openai

from tests.system.conftest import StartWorld
from tests.system.provider import Provider
from tests.system.world import World
from tests.torture.polling import until

PATIENCE_S = 30
"""For a machine that is busy with everything else."""


async def begun(world: World, provider: Provider, key: str) -> "asyncio.Task[object]":
    """A generation that waits at the provider."""
    provider.gate.clear()
    running = asyncio.create_task(world.openai(key))
    assert await until(lambda: provider.calls == 1, PATIENCE_S)
    return running


async def test_what_is_over_the_bound_of_the_process_is_refused(start_world: StartWorld, provider: Provider) -> None:
    """With `in_flight_max` 1 a second request is told overloaded, in the answer, the log and the metric alike."""
    world = await start_world(provider_url=provider.url, in_flight_max=1)
    key = await world.key()
    running = await begun(world, provider, key)

    refused = await world.openai(key)

    provider.gate.set()
    await running
    told = world.events("generation.rejected")
    shown = (await world.gateway.gate.metrics.shown()).decode()
    assert (503, "1", "overloaded") == (
        refused.status,
        refused.headers["Retry-After"],
        refused.headers["Gatekeeper-Rejection"],
    )
    assert ["overloaded"] == [line["code"] for line in told]
    assert 'gatekeeper_rejections_total{code="overloaded"} 1.0' in shown
    assert 200 == (await world.openai(key)).status
    await world.assert_books_clean()


async def test_a_place_at_the_provider_is_waited_for_with_nothing_held(
    start_world: StartWorld, provider: Provider
) -> None:
    """A second generation at a provider with one place waits; only one hold is open, and then both are made."""
    world = await start_world(provider_url=provider.url, providers={"openai": {"connections_max": 1}})
    key = await world.key()
    running = await begun(world, provider, key)
    second = asyncio.create_task(world.openai(key))
    places = world.gateway.gate.providers["openai"].places
    assert await until(lambda: places.waiting == 1, PATIENCE_S)

    holds = await world.gateway.store.ledger.holds("team-0")

    provider.gate.set()
    await asyncio.gather(running, second)
    assert 1 == len(holds)
    assert 2 == provider.calls
    assert 1 == places.free
    await world.assert_books_clean()


async def test_who_waits_too_long_for_a_place_is_refused(start_world: StartWorld, provider: Provider) -> None:
    """After `queue_max_s` without a place the answer is 503, names the provider, and costs nothing."""
    crowded = {"openai": {"connections_max": 1, "queue_max_s": 0.05}}
    world = await start_world(provider_url=provider.url, providers=crowded)
    key = await world.key()
    running = await begun(world, provider, key)

    refused = await world.openai(key)

    provider.gate.set()
    await running
    assert 503 == refused.status
    assert "openai" in refused.json["error"]["message"]
    assert 1 == provider.calls
    await world.assert_books_clean()


async def test_a_free_route_takes_a_place_too(start_world: StartWorld, provider: Provider) -> None:
    """While one has the only place, a generation waits with nothing held, not for a connection with its hold."""
    crowded = {"openai": {"connections_max": 1, "passthrough": ["GET /account/free"]}}
    world = await start_world(provider_url=provider.url, providers=crowded)
    key = await world.key()
    provider.gate.clear()
    free = asyncio.create_task(world.send("GET", "/openai/account/free", key))
    assert await until(lambda: provider.calls == 1, PATIENCE_S)
    generation = asyncio.create_task(world.openai(key))
    places = world.gateway.gate.providers["openai"].places
    assert await until(lambda: places.waiting == 1, PATIENCE_S)

    holds = await world.gateway.store.ledger.holds("team-0")

    provider.gate.set()
    answers = await asyncio.gather(free, generation)
    assert [] == list(holds)
    assert [200, 200] == [each.status for each in answers]
    await world.assert_books_clean()


async def test_one_connection_too_many_is_told(start_world: StartWorld, provider: Provider) -> None:
    """Over `connections_max` the answer is 503 before anything was asked, in the log and the metric too."""
    world = await start_world(provider_url=provider.url, connections_max=1)
    port = urlsplit(world.url).port
    first = await asyncio.open_connection("127.0.0.1", port)

    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    said = await reader.read()

    for each in (writer, first[1]):
        each.close()
    head = said.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    assert "HTTP/1.1 503 Service Unavailable" == head[0]
    assert {"Retry-After: 1", "Gatekeeper-Rejection: overloaded", "Connection: close"} <= set(head)
    assert ["overloaded"] == [line["code"] for line in world.events("generation.rejected")]


async def test_an_sdk_comes_again(start_world: StartWorld, provider: Provider) -> None:
    """OpenAI's own client takes the 503 for what it is: it tries again by itself, and pays once."""
    crowded = {"openai": {"connections_max": 1, "queue_max": 0}}
    world = await start_world(provider_url=provider.url, providers=crowded)
    key = await world.key()
    running = await begun(world, provider, key)
    async with openai.AsyncOpenAI(base_url=f"{world.url}/openai/v1", api_key=key, max_retries=2) as client:
        asked = asyncio.create_task(client.images.generate(model="gpt-image-1.5", prompt="a dog", size="1024x1024"))
        await world.event("generation.rejected")

        provider.gate.set()
        made = await asked

    await running
    assert 1 == len(made.data or ())
    assert 2 == provider.calls
    await world.assert_books_clean()


async def test_a_burst_on_few_places_ends_clean(start_world: StartWorld, provider: Provider) -> None:
    """40 at once on 2 places for holds and 3 that may wait: each is made or told 503, and no hold is left."""
    world = await start_world(provider_url=provider.url, holds_at_once=2, holds_waiting_max=3)
    key = await world.key("5000")

    answers = await asyncio.gather(*(world.openai(key, prompt=f"cat {number}") for number in range(40)))

    count = Counter(answer.status for answer in answers)
    balance = await world.balance()
    assert {200, 503} == set(count) or {200} == set(count)
    assert (count[200], count[200] * 35_000_000) == (provider.calls, balance.charged)
    assert (2, 0) == (world.gateway.gate.crowd.holds.free, world.gateway.gate.crowd.holds.waiting)
    await world.assert_books_clean()


async def test_who_leaves_in_line_for_a_hold_asks_the_ledger_nothing(
    start_world: StartWorld, provider: Provider
) -> None:
    """Whoever is cut off before a place at the ledger was free never held anything, so there is nothing to undo."""
    world = await start_world(provider_url=provider.url, holds_at_once=1)
    key, gate = await world.key(), world.gateway.gate
    with await gate.crowd.holds.take():
        waiting = asyncio.create_task(world.openai(key))
        assert await until(lambda: gate.crowd.holds.waiting == 1, PATIENCE_S)
        (turn,) = gate.crowd.holds._waiting
        turn.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    assert [] == await world.kinds()
    assert 0 == provider.calls
    await world.assert_books_clean()
