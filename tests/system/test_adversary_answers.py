"""A provider that writes strange bytes, clients that leave in droves: what was made is booked, and no hold stays."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress

import orjson
import pytest

from tests.system.conftest import StartWorld
from tests.system.world import World

PICTURE = b'{"data":[{"url":"http://127.0.0.1/a.png"}]}'
COMPLETED = b'event: image_generation.completed\ndata: {"type":"image_generation.completed","b64_json":"aaaa"}\n\n'
ERROR = b'event: error\ndata: {"error":{"code":"broken"}}\n\n'
ONE_PICTURE = 35_000_000
"""What one picture of these requests costs, in micro-credits."""

StartRaw = Callable[..., Awaitable[str]]


@pytest.fixture(name="start_raw")
async def _start_raw() -> AsyncIterator[StartRaw]:
    """Starts a provider that answers every request with these very bytes, after so long, and closes; gives its URL."""
    async with AsyncExitStack() as stack:

        async def start(answer: bytes, after_s: float = 0) -> str:
            async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                with suppress(asyncio.IncompleteReadError, ConnectionError):
                    request = await reader.readuntil(b"\r\n\r\n")
                    length = next(line for line in request.lower().split(b"\r\n") if line.startswith(b"content-length"))
                    await reader.readexactly(int(length.partition(b":")[2]))
                    await asyncio.sleep(after_s)
                    writer.write(answer)
                    await writer.drain()
                writer.close()

            server = await asyncio.start_server(serve, "127.0.0.1", 0)
            stack.callback(server.close)
            return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

        yield start


def plain(body: bytes, status: str = "200 OK", *lines: str) -> bytes:
    """An answer with a length."""
    usual = (f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}")
    return "\r\n".join((*usual, *lines, "", "")).encode() + body


def stream(*pieces: bytes) -> bytes:
    """An event stream in these chunks."""
    begin = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    return begin + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def single_bytes(data: bytes) -> tuple[bytes, ...]:
    return tuple(data[i : i + 1] for i in range(len(data)))


@pytest.mark.parametrize(
    ("answer", "pictures"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\n" + plain(PICTURE), 1),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + plain(PICTURE), 1),
        (b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + PICTURE, 1),
        (plain(PICTURE, "201 Created"), 1),
        (plain(PICTURE, "299 Odd"), 1),
        (plain(PICTURE) + plain(PICTURE), 1),
        (plain(PICTURE, "500 Error"), 0),
        (plain(PICTURE, "307 Elsewhere", "Location: http://127.0.0.1:1/"), 0),
        (b"HTTP/1.1 304 Not Modified\r\n\r\n", 0),
        (b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", 0),
        (b"\x00\xff no HTTP\r\n\r\n", 0),
        (b"", 0),
        (plain(PICTURE, "200 OK", "Content-Length: 5"), 0),
        (stream(COMPLETED), 1),
        (stream(COMPLETED.replace(b"\n", b"\r\n")), 1),
        (stream(COMPLETED.replace(b"\n", b"\r")), 1),
        (stream(*single_bytes(COMPLETED.replace(b"\n", b"\r\n"))), 1),
        (stream(COMPLETED.rstrip()), 1),
        (stream(b": a comment\n\n", b"id: 1\nretry: 5\n", COMPLETED), 1),
        (stream(COMPLETED, ERROR), 1),
        (stream(ERROR), 0),
        (stream(COMPLETED, COMPLETED, COMPLETED), 1),
    ],
)
async def test_strange_answers_are_booked_as_what_they_say(
    start_world: StartWorld, start_raw: StartRaw, answer: bytes, pictures: int
) -> None:
    """Pictures that came are charged, up to the one that was asked for; nothing stays held."""
    world = await start_world(provider_url=await start_raw(answer))
    key = await world.key()

    await world.openai(key)

    await no_hold_is_left(world)
    assert pictures * ONE_PICTURE == (await world.balance()).charged
    await world.assert_books_clean()


async def test_headers_of_a_provider_cannot_speak_for_the_gateway(start_world: StartWorld, start_raw: StartRaw) -> None:
    """What a provider says in our headers, of cookies or of other places does not pass."""
    lines = ("Gatekeeper-Credits-Charged: 0", "Gatekeeper-Hold-Id: x", "Set-Cookie: a=b", "Location: http://127.0.0.1")
    world = await start_world(provider_url=await start_raw(plain(PICTURE, "200 OK", *lines)))

    answer = await world.openai(await world.key())

    assert "35" == answer.headers["Gatekeeper-Credits-Charged"]
    assert {"Set-Cookie", "Location"}.isdisjoint(answer.headers)


async def test_a_hundred_clients_that_leave_are_charged_for_what_the_provider_was_asked(
    start_world: StartWorld, start_raw: StartRaw
) -> None:
    """At every moment between request and answer: held, sent and settled are the same requests."""
    url = await start_raw(plain(PICTURE), 0.1)
    world = await start_world(provider_url=url)
    key = await world.key("10000")

    await asyncio.gather(*(ask_and_leave(world, key, number * 0.002) for number in range(100)))

    await until_settled(world)
    admitted = len(world.events("generation.admitted"))
    assert admitted * ONE_PICTURE == (await world.balance()).charged
    assert admitted == len(world.events("generation.settled"))
    await world.assert_books_clean()


async def test_a_store_that_stands_still_for_a_second_loses_no_settlement(
    start_world: StartWorld, start_raw: StartRaw
) -> None:
    """Stopped while answers are due, the store books all of them when it goes on."""
    url = await start_raw(plain(PICTURE), 0.3)
    world = await start_world(provider_url=url, store_url="embedded")
    key = await world.key()
    answers = [asyncio.ensure_future(world.openai(key)) for _ in range(5)]
    while len(world.events("generation.admitted")) < 5:  # noqa: ASYNC110  # a log has no event to wait on
        await asyncio.sleep(0.01)

    await stand_still(world, 1.0)

    assert [200] * 5 == [answer.status for answer in await asyncio.gather(*answers)]
    assert 5 * ONE_PICTURE == (await world.balance()).charged
    await world.assert_books_clean()


async def stand_still(world: World, duration_s: float) -> None:
    """Stops the embedded store's process for so long."""
    embedded = world.gateway.store.embedded
    assert embedded is not None
    assert embedded.server is not None
    assert embedded.server.pid is not None
    os.kill(embedded.server.pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(duration_s)
    finally:
        os.kill(embedded.server.pid, signal.SIGCONT)


async def ask_and_leave(world: World, key: str, after_s: float) -> None:
    """Sends a request and breaks the connection after so long, with no goodbye."""
    body = orjson.dumps({"model": "gpt-image-1.5", "prompt": "a cat", "size": "1024x1024"})
    lines = ("POST /openai/v1/images/generations HTTP/1.1", "Host: x", f"Authorization: Bearer {key}",
             "Content-Type: application/json", f"Content-Length: {len(body)}", "", "")  # fmt: skip
    host, _, port = world.url.removeprefix("http://").partition(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write("\r\n".join(lines).encode() + body)
    await writer.drain()
    await asyncio.sleep(after_s)
    writer.transport.abort()


CALM_LOOKS = 10
"""A request may be read when its client has left already: so often in a row there is nothing to see of any."""


async def until_settled(world: World) -> None:
    """Waits (bounded) until the gateway has nothing in flight and no hold is open, and stays so."""
    calm = 0
    for _ in range(500):
        busy = world.gateway.gate.in_flight.count or await world.gateway.store.ledger.holds("team-0")
        calm = 0 if busy else calm + 1
        if calm == CALM_LOOKS:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("still in flight")


async def no_hold_is_left(world: World) -> None:
    """Time resolves what was unknown, bounded; in these worlds it has no grace."""
    for _ in range(500):
        await world.gateway.store.ledger.expire_due("team-0")
        if not await world.gateway.store.ledger.holds("team-0"):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("a hold is left")


async def test_a_request_behind_an_answer_that_breaks_off_is_not_made(
    start_world: StartWorld, start_raw: StartRaw
) -> None:
    """Their connection ends there: whoever sent both would pay for a picture that can reach nobody."""
    broken = plain(PICTURE).replace(b"Content-Length: ", b"Content-Length: 9")
    world = await start_world(provider_url=await start_raw(broken))
    body = orjson.dumps({"model": "gpt-image-1.5", "prompt": "a cat", "size": "1024x1024"})
    head = f"POST /openai/v1/images/generations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {await world.key()}\r\n"
    sent = f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body

    reader, writer = await asyncio.open_connection("127.0.0.1", int(world.url.rpartition(":")[2]))
    writer.write(sent * 3)
    answers = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    await no_hold_is_left(world)

    assert (1, 1) == (answers.count(b"HTTP/1.1 "), len(world.events("generation.admitted")))
