"""A request with an `Idempotency-Key` is made once, however often it is sent; then its answer comes again."""

import asyncio
import io
import signal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from openai import AsyncOpenAI
from PIL import Image

from tests.ledger.topologies import free_port
from tests.system.conftest import StartWorld
from tests.system.process import gatekeeper, write_config
from tests.system.provider import PICTURE, Provider
from tests.system.storeserver import AOF, store_server
from tests.system.test_process import ENVIRONMENT, KEY, verify
from tests.system.world import Answer, World

ORDER = {"Idempotency-Key": "order-1817"}


@pytest.fixture(name="world")
async def _world(start_world: StartWorld, provider: Provider) -> World:
    """A gateway in front of the provider that counts."""
    return await start_world(provider_url=provider.url)


def earlier(answer: Answer) -> Any:
    """What a native refusal says about the request that came before."""
    return answer.json["earlier"]


@pytest.mark.parametrize("chunked", [False, True])
async def test_the_same_request_gets_the_same_answer(world: World, provider: Provider, chunked: bool) -> None:
    """Byte for byte, with the first one's hold and charge; the provider is asked once and the team pays once."""
    provider.chunked = chunked
    key = await world.key()
    first = await world.native(key, headers=ORDER)
    await world.event("generation.settled")

    second = await world.native(key, headers=ORDER)

    assert (200, first.body) == (second.status, second.body)
    assert first.headers["Content-Type"] == second.headers["Content-Type"]
    assert first.headers["Gatekeeper-Hold-Id"] == second.headers["Gatekeeper-Hold-Id"]
    assert ("true", "49") == (second.headers["Gatekeeper-Replayed"], second.headers["Gatekeeper-Credits-Charged"])
    assert first.headers["Gatekeeper-Request-Id"] != second.headers["Gatekeeper-Request-Id"]
    assert "Gatekeeper-Replayed" not in first.headers
    assert (1, 49_000_000) == (provider.calls, (await world.balance()).charged)
    await world.assert_books_clean()


async def test_an_answer_again_is_one_line_and_one_count(world: World) -> None:
    """`generation.replayed` with the first one's hold and charge; no admission, no settlement."""
    key = await world.key()
    first = await world.native(key, headers=ORDER)

    await world.native(key, headers=ORDER)

    line = await world.event("generation.replayed")
    assert (first.headers["Gatekeeper-Hold-Id"], 49, 200) == (
        line["hold_id"],
        line["credits_charged"],
        line["status"],
    )
    assert (1, 1) == (len(world.events("generation.admitted")), len(world.events("generation.settled")))
    async with world.session.get(f"{world.gateway.admin_url}/metrics") as response:
        assert 'gatekeeper_generations_replayed_total{provider="studio"} 1.0' in await response.text()


async def test_while_it_runs_the_second_is_told_to_wait(world: World, provider: Provider) -> None:
    """409 with Retry-After, and the first one's hold; when it has ended its answer is there."""
    key = await world.key()
    provider.gate.clear()
    first = asyncio.ensure_future(world.native(key, headers=ORDER))
    held = await world.event("generation.admitted")
    second = await world.native(key, headers=ORDER)
    provider.gate.set()

    third = (await first, await world.native(key, headers=ORDER))[1]

    assert (409, "generation_in_progress", True) == (second.status, second.json["code"], second.json["retryable"])
    assert int(second.headers["Retry-After"]) >= 1
    assert {"hold_id": held["hold_id"], "credits_charged": None} == earlier(second)
    assert held["hold_id"] == second.headers["Gatekeeper-Hold-Id"]
    assert ("true", 1) == (third.headers["Gatekeeper-Replayed"], provider.calls)


async def test_many_at_once_are_one(world: World, provider: Provider) -> None:
    """Twenty at the same moment: one is made, nineteen are told to wait."""
    key = await world.key()
    provider.gate.clear()
    sent = [asyncio.ensure_future(world.native(key, headers=ORDER)) for _ in range(20)]
    await world.event("generation.rejected", 19)
    provider.gate.set()

    statuses = sorted([answer.status for answer in await asyncio.gather(*sent)])

    assert ([200] + [409] * 19, 1, 49_000_000) == (statuses, provider.calls, (await world.balance()).charged)
    await world.assert_books_clean()


async def test_another_request_under_the_same_key_is_a_conflict(world: World, provider: Provider) -> None:
    """422, whatever became of the first; nothing is forwarded."""
    key = await world.key()
    first = await world.native(key, headers=ORDER)

    second = await world.native(key, headers=ORDER, prompt="a dog")

    assert (422, "idempotency_conflict", 1) == (second.status, second.json["code"], provider.calls)
    assert first.headers["Gatekeeper-Hold-Id"] == earlier(second)["hold_id"]


async def test_the_key_is_the_teams_own(world: World, provider: Provider) -> None:
    """Another team may use the same word; another API key of the team means the same request."""
    mine, theirs = await world.key(), await world.key()
    also_mine = await world.another_key("team-0")

    answers = [await world.native(key, headers=ORDER) for key in (mine, theirs, also_mine)]

    assert [None, None, "true"] == [answer.headers.get("Gatekeeper-Replayed") for answer in answers]
    assert 2 == provider.calls


async def test_after_a_failure_the_key_is_free(world: World, provider: Provider) -> None:
    """The provider said 500 and nothing was charged: the same request runs anew."""
    key = await world.key()
    provider.status = 500
    failed = await world.native(key, headers=ORDER)
    provider.status = 200

    again = await world.native(key, headers=ORDER)

    assert (500, 200, 2) == (failed.status, again.status, provider.calls)
    assert 49_000_000 == (await world.balance()).charged
    await world.assert_books_clean()


async def test_after_a_refusal_the_key_is_free(world: World, provider: Provider) -> None:
    """What was never admitted was never made: with credits it runs."""
    key = await world.key("10")
    refused = await world.native(key, headers=ORDER)
    await world.gateway.store.ledger.grant("team-0", "more", 100_000_000)

    again = await world.native(key, headers=ORDER)

    assert (402, 200, 1) == (refused.status, again.status, provider.calls)


async def test_the_answer_comes_again_though_the_team_has_nothing_left(world: World) -> None:
    """It was paid for."""
    key = await world.key("49")
    await world.native(key, headers=ORDER)

    assert 200 == (await world.native(key, headers=ORDER)).status


async def test_a_large_answer_is_not_kept_but_told(world: World, provider: Provider) -> None:
    """409 already_generated: what was charged, under which hold; an SDK does not send it again by itself."""
    provider.document = PICTURE
    key = await world.key()
    first = await world.openai(key, headers=ORDER)
    await world.event("generation.settled")

    second = await world.openai(key, headers=ORDER)

    error = second.json["error"]
    assert (409, "already_generated", False) == (second.status, error["code"], error["retryable"])
    assert {"hold_id": first.headers["Gatekeeper-Hold-Id"], "credits_charged": 35} == error["earlier"]
    assert "35 credits were charged" in error["message"]
    assert ("false", "35") == (second.headers["x-should-retry"], second.headers["Gatekeeper-Credits-Charged"])
    assert 1 == provider.calls


async def test_an_accepted_job_is_answered_again(world: World, provider: Provider) -> None:
    """202 with the same id: whoever lost it finds it again."""
    provider.document, provider.status = {"id": "job-1", "status": "queued"}, 202
    key = await world.key()

    answers = [await world.native(key, headers=ORDER) for _ in range(2)]

    assert [(202, "job-1")] * 2 == [(answer.status, answer.json["id"]) for answer in answers]
    assert 1 == provider.calls


async def test_an_unknown_outcome_blocks_the_key_and_then_says_so(start_world: StartWorld, provider: Provider) -> None:
    """It may have been made: 409 while nobody knows, 409 already_generated once time has released it."""
    world = await start_world(provider_url=provider.url, timeouts={"head_s": 1}, unknown_grace_s=3600)
    provider.gate.clear()
    key = await world.key()
    first = await world.native(key, headers=ORDER)
    unknown = await world.native(key, headers=ORDER)
    (hold,) = await world.gateway.store.ledger.holds("team-0")
    await world.gateway.store.client.command("ZADD", "gk:{team-0}:due", "XX", 1, hold.hold_id)
    await world.gateway.store.ledger.expire_due("team-0")

    expired = await world.native(key, headers=ORDER)

    assert (504, 409, "generation_in_progress") == (first.status, unknown.status, unknown.json["code"])
    assert "not known yet" in unknown.json["detail"]
    assert (409, "already_generated", 0) == (expired.status, expired.json["code"], earlier(expired)["credits_charged"])
    assert "not known; nothing was charged" in expired.json["detail"]
    assert 1 == provider.calls


async def test_a_form_with_another_boundary_is_the_same_request(world: World, provider: Provider) -> None:
    """The SDK draws a boundary for each attempt; the picture and the settings are what counts."""
    picture = io.BytesIO()
    Image.new("RGB", (64, 64), "teal").save(picture, "PNG")
    file = ("input.png", picture.getvalue(), "image/png")
    async with AsyncOpenAI(base_url=f"{world.url}/openai/v1", api_key=await world.key(), max_retries=0) as client:
        edit = client.images.with_raw_response.edit
        answers = [
            await edit(model="gpt-image-1.5", image=file, prompt="a hat", size="1024x1024", extra_headers=ORDER)
            for _ in range(2)
        ]

    assert [None, "true"] == [answer.headers.get("Gatekeeper-Replayed") for answer in answers]
    assert 1 == provider.calls


async def test_a_large_form_is_the_same_request_too(world: World, provider: Provider) -> None:
    """A picture of three megabytes, which is hashed beside the event loop."""
    key, answers = await world.key(), []
    for boundary in ("first-boundary", "the-other-one"):
        form = aiohttp.MultipartWriter("form-data", boundary=boundary)
        for name, value in (("model", "gpt-image-1.5"), ("prompt", "a hat"), ("size", "1024x1024")):
            form.append(value).set_content_disposition("form-data", name=name)
        part = form.append(io.BytesIO(bytes(range(256)) * 12_000), {"Content-Type": "image/png"})
        part.set_content_disposition("form-data", name="image", filename="input.png")
        answers.append(await world.send("POST", "/openai/v1/images/edits", key, data=form, headers=ORDER))

    assert [200, 200] == [answer.status for answer in answers]
    assert "true" == answers[1].headers["Gatekeeper-Replayed"]
    assert 1 == provider.calls


async def test_a_key_that_is_none_is_refused(world: World, provider: Provider) -> None:
    """400, before anything is held: whoever sends one relies on it."""
    answer = await world.native(await world.key(), headers={"Idempotency-Key": "two words"})

    assert (400, "malformed_request", 0) == (answer.status, answer.json["code"], provider.calls)


async def test_a_dry_run_does_not_use_the_key(world: World, provider: Provider) -> None:
    """A quote is not the generation: the key is still free, and what it says is not looked at."""
    key = await world.key()
    await world.native(key, headers=ORDER | {"Gatekeeper-Dry-Run": "true"})
    odd = await world.native(key, headers={"Idempotency-Key": "two words", "Gatekeeper-Dry-Run": "true"})

    answer = await world.native(key, headers=ORDER, prompt="a dog")

    assert (200, 200, 1) == (odd.status, answer.status, provider.calls)


async def test_the_key_does_not_go_to_the_provider(start_world: StartWorld) -> None:
    """Two teams on one account could meet in it there."""
    world = await start_world()

    await world.openai(await world.key(), headers=ORDER)

    assert "idempotency-key" not in (await world.provider())["recent"][-1]["headers"]


async def test_two_gateways_are_one(start_world: StartWorld, provider: Provider, tmp_path: Path) -> None:
    """What began at one is running for the other, and its answer is there for both."""
    port = free_port()
    async with store_server(tmp_path / "store", port, *AOF):
        store_url = f"redis://127.0.0.1:{port}/0"
        one = await start_world(provider_url=provider.url, store_url=store_url, directory=tmp_path / "one")
        other = await start_world(provider_url=provider.url, store_url=store_url, directory=tmp_path / "other")
        key = await one.key()
        provider.gate.clear()
        first = asyncio.ensure_future(one.native(key, headers=ORDER))
        await other.event("generation.admitted")  # the log of this process is the last world's
        meanwhile = await other.native(key, headers=ORDER)
        provider.gate.set()
        made, again = await first, await other.native(key, headers=ORDER)
        await one.assert_books_clean()

    assert (409, 200, 200) == (meanwhile.status, made.status, again.status)
    assert (made.body, "true", 1) == (again.body, again.headers["Gatekeeper-Replayed"], provider.calls)


async def test_what_went_through_the_outbox_is_charged_and_not_kept(
    start_world: StartWorld, provider: Provider, tmp_path: Path
) -> None:
    """The store was away at the end: the answer went out and the charge was booked later; again it is only told."""
    port = free_port()
    async with store_server(tmp_path / "store", port, *AOF) as store:
        world = await start_world(provider_url=provider.url, store_url=f"redis://127.0.0.1:{port}/0")
        key = await world.key()
        provider.gate.clear()
        first = asyncio.ensure_future(world.native(key, headers=ORDER))
        await world.event("generation.admitted")
        store.kill()
        provider.gate.set()
        made = await first
    async with store_server(tmp_path / "store", port, *AOF):
        await world.event("settle.replayed")
        again = await world.native(key, headers=ORDER)
        await world.assert_books_clean()

    assert (200, 409, "already_generated") == (made.status, again.status, again.json["code"])
    assert (49, 1) == (earlier(again)["credits_charged"], provider.calls)


async def test_after_kill_9_the_answer_is_still_there(tmp_path: Path, provider: Provider) -> None:
    """The gateway killed and started again on the same directory: the same answer, no second charge."""
    config = write_config(tmp_path, provider.url)
    arguments = ("serve", "--config", str(config))
    async with gatekeeper(*arguments, cwd=tmp_path, **ENVIRONMENT) as server:
        before = await order((await server.event("server.started"))["url"])
        server.signal(signal.SIGKILL)
        await server.ended()
    async with gatekeeper(*arguments, cwd=tmp_path, **ENVIRONMENT) as server:
        after = await order((await server.event("server.started"))["url"])

    assert (200, before.body, "true") == (after.status, after.body, after.headers.get("Gatekeeper-Replayed"))
    assert before.headers["Gatekeeper-Hold-Id"] == after.headers["Gatekeeper-Hold-Id"]
    assert 1 == provider.calls
    await verify(config)


async def order(url: str) -> Answer:
    """The one request of this file, at a gateway in a process of its own."""
    body = {"model": "nano-banana-2", "prompt": "a cat", "resolution": "1K", "aspect_ratio": "1:1"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/v1/generations", json=body, headers=KEY | ORDER) as response,
    ):
        return Answer(response.status, dict(response.headers), await response.read())
