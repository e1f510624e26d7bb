"""Whatever the provider or the client does, the hold ends as the fact it is and the books stay clean."""

import asyncio
import socket

import aiohttp
import httpx2
import openai
import pytest
from openai import AsyncOpenAI

from gatekeeper.ledger.records import Ending, Settlement
from tests.system.conftest import StartCutStream, StartProvider, StartWorld
from tests.system.world import World


def misbehave(words: str) -> str:
    """A prompt that tells the sandbox how to misbehave."""
    return f"a cat [sandbox: {words}]"


async def until_resolved(world: World, team: str = "team-0") -> None:
    """Waits (bounded) until no hold of the team is open; time resolves what nobody else does."""
    ledger = world.gateway.store.ledger
    for _ in range(1000):
        await ledger.expire_due(team)
        if not await ledger.holds(team):
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"still open: {await ledger.holds(team)}")


@pytest.mark.parametrize("status", [400, 403, 429, 500, 503])
async def test_a_failure_passes_through_and_frees_the_hold(world: World, status: int) -> None:
    """The provider's own answer reaches the client; nothing is charged."""
    answer = await world.openai(await world.key(), prompt=misbehave(f"fail={status}"))

    assert status == answer.status
    assert "Gatekeeper-Rejection" not in answer.headers
    assert "0" == answer.headers["Gatekeeper-Credits-Charged"]
    assert (0, 0) == ((await world.balance()).charged, (await world.balance()).held)
    await world.assert_books_clean()


async def test_a_refused_credential_is_the_gateways_fault_not_the_callers(world: World) -> None:
    """The provider's 401 is about our credential: the caller is told so, and its words, which may quote it, stay."""
    answer = await world.openai(await world.key(), prompt=misbehave("fail=401"))

    error = answer.json["error"]
    assert (502, "provider_unavailable", False) == (answer.status, error["code"], error["retryable"])
    assert "your key is fine" in error["message"]
    assert "openai" == (await world.event("credential.refused"))["provider"]
    await world.assert_books_clean()


async def test_an_empty_list_frees_the_hold(world: World) -> None:
    """A 200 that brings nothing costs nothing."""
    answer = await world.openai(await world.key(), prompt=misbehave("empty"))

    assert 200 == answer.status
    assert 0 == (await world.balance()).charged
    await world.assert_books_clean()


@pytest.mark.parametrize("made", [1, 2, 3])
async def test_a_partial_result_is_charged_for_what_came(world: World, made: int) -> None:
    """Of four pictures at 35 credits only those that came are charged."""
    await world.openai(await world.key(), n=4, prompt=misbehave(f"partial={made}"))

    assert made * 35_000_000 == (await world.balance()).charged
    assert "partial" == (await world.event("generation.settled"))["outcome"]
    await world.assert_books_clean()


@pytest.mark.parametrize(
    ("model", "asked", "made", "charged"),
    [
        ("nano-banana-2", "2K", 1024, 49),
        ("nano-banana-2", "4K", 2048, 73.5),
        ("nano-banana-2", "1K", 4096, 98),
        ("seedream-5.0-pro", "1K", 2048, 9.5),
    ],
)
async def test_a_picture_is_charged_at_the_tier_it_came_in(  # two fixtures and four facts
    start_world: StartWorld, start_provider: StartProvider, model: str, asked: str, made: int, charged: float
) -> None:
    """A smaller one than asked costs what it is worth; a larger one is at the provider's own risk, unless the model's
    `over` says otherwise."""
    outputs = {"outputs": [{"url": "http://x/1.png", "width": made, "height": made}]}
    world = await start_world(provider_url=await start_provider(outputs))

    answer = await world.native(await world.key(), model=model, resolution=asked)

    assert f"{charged:g}" == answer.headers["Gatekeeper-Credits-Charged"]
    assert round(charged * 1_000_000) == (await world.balance()).charged
    await world.assert_books_clean()


async def test_a_provider_that_is_down_costs_nothing(start_world: StartWorld) -> None:
    """502 provider_unavailable, worth another try, and the hold is freed at once."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    world = await start_world(provider_url=f"http://127.0.0.1:{port}")

    answer = await world.native(await world.key())

    assert (502, "provider_unavailable", True) == (answer.status, answer.json["code"], answer.json["retryable"])
    assert "refused" == (await world.event("generation.released"))["outcome"]
    await world.assert_books_clean()


@pytest.mark.parametrize("words", ["hang", "cut_before"])
async def test_no_answer_is_an_unknown_outcome_and_not_retryable(start_world: StartWorld, words: str) -> None:
    """The provider may have drawn it: the hold is recorded unknown, and an SDK is told not to send it again."""
    world = await start_world(timeouts={"head_s": 0.3})

    answer = await world.openai(await world.key(), prompt=misbehave(words))

    assert answer.status in {502, 504}
    assert "false" == answer.headers["x-should-retry"]
    assert "release" == (await world.event("hold.unknown"))["policy"]
    await until_resolved(world)
    assert 1_000_000_000 == (await world.balance()).available
    await world.assert_books_clean()


async def test_the_sdk_makes_one_attempt_when_the_outcome_is_unknown(start_world: StartWorld) -> None:
    """A second attempt could be a second paid picture."""
    world = await start_world(timeouts={"head_s": 1})
    async with AsyncOpenAI(base_url=f"{world.url}/openai/v1", api_key=await world.key()) as client:
        with pytest.raises(openai.APIStatusError):
            await client.images.generate(model="gpt-image-1.5", prompt=misbehave("hang"), size="1024x1024")

    assert 1 == (await world.provider())["requests"]
    await until_resolved(world)
    await world.assert_books_clean()


async def test_a_document_that_breaks_off_looks_broken_to_the_client(world: World) -> None:
    """A cut body never arrives as a complete one, and the hold does not stay behind."""
    with pytest.raises(aiohttp.ClientPayloadError):
        await world.openai(await world.key(), prompt=misbehave("cut"))

    await until_resolved(world)
    await world.assert_books_clean()


async def test_a_stream_that_breaks_off_in_mid_event_raises_in_the_sdk(world: World) -> None:
    """The connection just ends: half an event must not be dressed up as a whole one."""
    async with AsyncOpenAI(base_url=f"{world.url}/openai/v1", api_key=await world.key(), max_retries=0) as client:
        stream = await client.images.generate(
            model="gpt-image-1.5", prompt=misbehave("cut"), size="1024x1024", stream=True
        )
        with pytest.raises((openai.APIError, httpx2.TransportError)):
            await anext(aiter(stream))

    await until_resolved(world)
    await world.assert_books_clean()


async def test_a_stream_that_breaks_off_between_events_says_so_in_words(
    start_world: StartWorld, start_cut_stream: StartCutStream
) -> None:
    """The SDK raises the message of the error event that the gateway adds."""
    event = b'event: image_generation.partial_image\ndata: {"type": "image_generation.partial_image"}\n\n'
    world = await start_world(provider_url=await start_cut_stream(event))
    async with AsyncOpenAI(base_url=f"{world.url}/openai/v1", api_key=await world.key(), max_retries=0) as client:
        stream = await client.images.generate(model="gpt-image-1.5", prompt="x", size="1024x1024", stream=True)
        with pytest.raises(openai.APIError, match="not known"):
            _ = [each async for each in stream]

    await until_resolved(world)
    await world.assert_books_clean()


async def test_a_client_that_leaves_in_mid_answer_is_charged_for_what_was_made(world: World) -> None:
    """The picture was drawn and will be billed: the settlement does not depend on who still listens."""
    key = await world.key()
    reader, writer = await asyncio.open_connection("127.0.0.1", int(world.url.rpartition(":")[2]))
    body = b'{"model":"gpt-image-1.5","prompt":"a cat [sandbox: slow_body=0.5]","size":"1024x1024"}'
    writer.write(f"POST /openai/v1/images/generations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n".encode())
    writer.write(b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    await reader.readuntil(b"\r\n\r\n")
    writer.transport.abort()

    await world.event("generation.settled")

    assert 35_000_000 == (await world.balance()).charged
    await world.assert_books_clean()


async def test_a_client_that_leaves_before_the_answer_is_charged_for_what_was_made(world: World) -> None:
    """Hanging up while the provider draws is no way to a free picture."""
    key = await world.key()
    reader, writer = await asyncio.open_connection("127.0.0.1", int(world.url.rpartition(":")[2]))
    body = b'{"model":"gpt-image-1.5","prompt":"a cat [sandbox: latency=0.3]","size":"1024x1024"}'
    writer.write(f"POST /openai/v1/images/generations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n".encode())
    writer.write(b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    await world.event("generation.admitted")
    writer.transport.abort()
    del reader

    await world.event("generation.settled")

    assert 35_000_000 == (await world.balance()).charged
    await world.assert_books_clean()


async def test_a_dry_run_answers_the_price_and_forwards_nothing(world: World) -> None:
    """The quote in place of the generation, on a provider's own route."""
    key = await world.key("40")

    answer = await world.openai(key, headers={"Gatekeeper-Dry-Run": "true"})

    assert (200, 35, True, 40) == (
        answer.status,
        answer.json["credits"],
        answer.json["admissible"],
        answer.json["available"],
    )
    assert 0 == (await world.provider())["requests"]
    await world.assert_books_clean()


async def test_a_deprecated_offer_says_until_when(world: World) -> None:
    """`Deprecation` and `Sunset` come with the answer of an offer that is going away."""
    answer = await world.openai(await world.key())

    assert "true" == answer.headers["Deprecation"]
    assert "Tue, 01 Dec 2026 00:00:00 GMT" == answer.headers["Sunset"]


async def test_an_unknown_hold_keeps_its_credits_for_the_grace(start_world: StartWorld) -> None:
    """Until the grace is over the credits of an unknown outcome are neither spent nor free."""
    world = await start_world(timeouts={"head_s": 0.2}, unknown_grace_s=3600)

    await world.openai(await world.key(), prompt=misbehave("hang"))

    (hold,) = await world.gateway.store.ledger.holds("team-0")
    assert ("unknown", 35_000_000) == (hold.state, (await world.balance()).held)


@pytest.mark.parametrize("document", ["nonsense", [1, 2], {"unknown": True}])
async def test_a_success_that_cannot_be_read_is_a_recorded_unknown(
    start_world: StartWorld, start_provider: StartProvider, document: object
) -> None:
    """A 200 that tells nothing is passed on as it is; what it made is not guessed."""
    world = await start_world(provider_url=await start_provider(document))

    answer = await world.native(await world.key())

    assert (200, document) == (answer.status, answer.json)
    assert "Gatekeeper-Credits-Charged" not in answer.headers
    await world.event("hold.unknown")
    await until_resolved(world)
    await world.assert_books_clean()


async def test_an_outcome_after_its_hold_expired_is_booked_late(
    start_world: StartWorld, start_provider: StartProvider
) -> None:
    """Time released the hold; the picture came all the same and is charged as the fact it is, and flagged."""
    world = await start_world(provider_url=await start_provider({"outputs": [{"url": "http://x"}]}))
    key = await world.key("49")
    ledger = world.gateway.store.ledger
    end = ledger.end

    async def end_after_expiry(team: str, ending: Ending) -> Settlement:
        await ledger.mark_unknown(ending.hold_id, team, reason="overdue")
        await until_resolved(world)
        return await end(team, ending)

    ledger.end = end_after_expiry  # type: ignore[method-assign]  # time made to pass between answer and booking
    await world.native(key)

    late = await world.event("settle.late")
    assert (49, 49, 0) == (late["credits_held"], late["credits_charged"], late["debt"])
    assert 49_000_000 == (await world.balance()).charged
    await world.assert_books_clean()
