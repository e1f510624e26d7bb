"""Each misbehaviour as a client sees it on the wire."""

import asyncio
import time
from typing import Any

import aiohttp
import pytest

HANDSHAKE_S = 5
"""Far more than a local answer takes: what it bounds is a test that would otherwise hang."""


def _ways(client: Any, behaviour: str) -> dict[str, Any]:
    """The same request by each dialect, and asked for by header and by prompt."""
    return {
        "openai": lambda: client.generate(behaviour, n=4),
        "stream": lambda: client.generate(behaviour, n=4, stream=True),
        "native": lambda: client.native(behaviour, outputs=4, provider_options={"response_format": "b64_json"}),
        "prompt": lambda: client.generate(None, n=4, prompt=f"a cat [sandbox: {behaviour}]"),
    }


WAYS = pytest.mark.parametrize("way", ["openai", "stream", "native", "prompt"])


def _images_in(reply: Any) -> int:
    return reply.body.count(b'"b64_json"')


@WAYS
async def test_nothing_asked_nothing_wrong(client: Any, way: str) -> None:
    """All four images come."""
    reply = await _ways(client, "none")[way]()

    assert (200, 4) == (reply.status, _images_in(reply))


@WAYS
async def test_partial_sends_fewer_images(client: Any, way: str) -> None:
    """200, and only as many as were let through; only those count as made."""
    reply = await _ways(client, "partial=3")[way]()

    assert (200, 3) == (reply.status, _images_in(reply))
    assert 3 == (await client.ledger())["images"]


@WAYS
async def test_empty_sends_no_image(client: Any, way: str) -> None:
    """200 with nothing in it."""
    reply = await _ways(client, "empty")[way]()

    assert (200, 0) == (reply.status, _images_in(reply))


@WAYS
@pytest.mark.parametrize("status", [400, 402, 429, 500, 503])
async def test_fail_answers_with_that_status(client: Any, way: str, status: int) -> None:
    """An error in the dialect's own shape; nothing is generated."""
    reply = await _ways(client, f"fail={status}")[way]()

    said = reply.json["status"] if way == "native" else reply.json["error"]["code"]
    assert (status, status if way == "native" else "sandbox_failure") == (reply.status, said)
    assert 0 == (await client.ledger())["generations"]


@WAYS
async def test_cut_breaks_the_body_after_the_headers(client: Any, way: str) -> None:
    """The status arrives, the body does not end; the images count as made."""
    with pytest.raises(aiohttp.ClientPayloadError):
        await _ways(client, "cut")[way]()

    assert 4 == (await client.ledger())["images"]
    assert 200 == (await client.ledger())["recent"][-1]["status"]


@WAYS
async def test_cut_before_answers_nothing(client: Any, way: str) -> None:
    """Not even a status arrives, and nothing is made; the request itself was read."""
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await _ways(client, "cut_before")[way]()

    ledger = await client.ledger()
    assert (0, None) == (ledger["images"], ledger["recent"][-1]["status"])
    assert ledger["recent"][-1]["body_bytes"] > 0


@WAYS
async def test_slow_body_takes_its_time_and_arrives_whole(client: Any, way: str) -> None:
    """Dribbled, not damaged."""
    started = time.monotonic()

    reply = await _ways(client, "slow_body=0.3")[way]()

    assert 4 == _images_in(reply)
    assert time.monotonic() - started >= 0.28


async def test_slow_body_starts_at_once(client: Any, session: aiohttp.ClientSession) -> None:
    """The first byte comes long before the last one."""
    url, body = client.url + "/v1/images/generations", {"prompt": "a cat [sandbox: slow_body=60]", "size": "64x64"}

    async with asyncio.timeout(HANDSHAKE_S), session.post(url, json=body) as response:
        first = await response.content.read(1)

    assert b"{" == first


@WAYS
async def test_latency_delays_the_answer(client: Any, way: str) -> None:
    """By no less than was asked for."""
    started = time.monotonic()

    reply = await _ways(client, "latency=0.2")[way]()

    assert 200 == reply.status
    assert time.monotonic() - started >= 0.2


@WAYS
async def test_several_at_once(client: Any, way: str) -> None:
    """Behaviours combine."""
    with pytest.raises(aiohttp.ClientPayloadError):
        await _ways(client, "partial=1, slow_body=0.1, cut")[way]()

    assert 1 == (await client.ledger())["images"]


async def test_hang_never_answers(client: Any) -> None:
    """The client gives up first; the request was seen."""
    hanging = asyncio.create_task(client.send("POST", "/v1/generations", json={"prompt": "[sandbox: hang]"}))
    await client.until_requests(1)
    hanging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hanging

    assert [None] == [seen["status"] for seen in (await client.ledger())["recent"]]


async def test_hang_ends_when_the_client_leaves(start: Any, session: aiohttp.ClientSession) -> None:
    """No handler is left behind."""
    sandbox = await start()
    before = len(asyncio.all_tasks())
    left_over = 1

    with pytest.raises(TimeoutError):
        async with session.post(
            sandbox.url + "/v1/generations", data=b"[sandbox: hang]", timeout=aiohttp.ClientTimeout(total=0.1)
        ):
            pass

    for _ in range(HANDSHAKE_S * 100):
        left_over = len(asyncio.all_tasks()) - before
        if left_over <= 0:
            break
        await asyncio.sleep(0.01)
    assert left_over <= 0


async def test_closing_does_not_wait_for_what_hangs(start: Any, session: aiohttp.ClientSession, client_of: Any) -> None:
    """A test that is over is over soon."""
    sandbox = await start()
    hanging = asyncio.create_task(session.post(sandbox.url + "/v1/generations", data=b"[sandbox: hang]"))

    await client_of(sandbox).until_requests(1)

    async with asyncio.timeout(HANDSHAKE_S):
        await sandbox.close()
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await hanging


async def test_error_event_ends_a_stream_with_an_error(client: Any) -> None:
    """The images before it arrive; in the last one's place there is an event with an `error`."""
    reply = await client.generate("error_event", n=2, stream=True)

    events = [line for line in reply.body.decode().splitlines() if line.startswith("event: ")]
    assert ["event: image_generation.completed", "event: error"] == events
    assert 1 == (await client.ledger())["images"]


@pytest.mark.parametrize("way", ["openai", "native"])
async def test_error_event_needs_a_stream(client: Any, way: str) -> None:
    """Asked for where it cannot happen, it is refused instead of being ignored."""
    reply = await _ways(client, "error_event")[way]()

    assert (400, True) == (reply.status, b"needs" in reply.body)


@WAYS
async def test_a_misspelt_behaviour_is_refused(client: Any, way: str) -> None:
    """The answer names the word and lists those there are."""
    reply = await _ways(client, "fial=500")[way]()

    assert (400, True, True) == (reply.status, b"'fial'" in reply.body, b"cut_before" in reply.body)
