"""Requests that two readers might cut differently: whatever comes behind a refusal is never one, and what goes on to a
provider is framed by the gateway alone.
"""

import asyncio
from collections.abc import AsyncIterator

import orjson
import pytest

from tests.system.conftest import StartWorld
from tests.system.test_adversary_front import BODY, chunked, exchange, head, plain
from tests.system.world import World

SMUGGLED = b"GET /v1/balance HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    "lines",
    [
        ("Content-Length: 4", "Content-Length: 5"),
        ("Content-Length: 4", "content-length: 4"),
        ("Content-Length: 4", " continued: x"),
        ("Content-Length: 4", "\tfolded"),
        ("Content-Length : 4",),
        ("Content-Length: 4 4",),
        ("Content-Length:\x0b4",),
        ("Content-Length: 0x4",),
        ("Content-Length: ٤",),
        ("Transfer-Encoding:\x0bchunked",),
        ("Transfer-Encoding: chunked, chunked",),
        ("Transfer-Encoding: gzip, chunked",),
        ("Transfer-Encoding: identity",),
        ("Transfer-Encoding: \x00chunked",),
        ("X: a\x00b", "Content-Length: 4"),
        ("X: a\rContent-Length: 4",),
        ("X y: z", "Content-Length: 4"),
        (": z", "Content-Length: 4"),
    ],
)
async def test_a_head_that_reads_in_two_ways_is_refused(world: World, lines: tuple[str, ...]) -> None:
    """400, the connection ends, and neither it nor what stands behind it goes anywhere."""
    answer = await exchange(world, head(await world.key(), *lines) + BODY + SMUGGLED)

    assert b" 400 " in answer.split(b"\r\n")[0]
    assert 1 == answer.count(b"HTTP/1.")
    assert 0 == (await world.provider())["requests"]


@pytest.mark.parametrize(
    "data",
    [
        b"%x \r\n%b\r\n0\r\n\r\n",
        b"0x%x\r\n%b\r\n0\r\n\r\n",
        b"+%x\r\n%b\r\n0\r\n\r\n",
        b"%x\n%b\n0\n\n",
        b"%x\r\n%bxx0\r\n\r\n",
        b"%x;a=\n%b\r\n0\r\n\r\n",
        b"fffffffffffffffff%x\r\n%b\r\n0\r\n\r\n",
    ],
)
async def test_a_chunk_that_reads_in_two_ways_is_refused(world: World, data: bytes) -> None:
    """Nothing is made of it, and nothing behind it is a request."""
    key = await world.key()

    answer = await exchange(world, head(key, "Transfer-Encoding: chunked") + data % (len(BODY), BODY) + SMUGGLED)

    assert 2 > answer.count(b"HTTP/1.")
    assert b" 200 " not in answer
    assert 0 == (await world.provider())["requests"]
    await world.assert_books_clean()


async def test_lines_end_as_the_standard_says(world: World) -> None:
    """A head with bare line feeds is no head."""
    key = await world.key()

    answer = await exchange(world, plain(key).replace(b"\r\n", b"\n"))

    assert b" 200 " not in answer
    assert 0 == (await world.provider())["requests"]


async def test_what_follows_a_refusal_is_read_for_itself(world: World) -> None:
    """A refused request and a good one in one packet: the second is paid, by whoever's key is in it."""
    key = await world.key()

    answer = await exchange(world, plain("gk_unknown") + plain(key))

    assert [b"401", b"200"] == [part.split(b" ")[1] for part in answer.split(b"HTTP/1.1")[1:]]
    assert 49_000_000 == (await world.balance()).charged


class Taker:
    """A provider that keeps the very bytes that it is sent."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await reader.readuntil(b"\r\n\r\n"):
            length = next(line for line in request.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            self.heads.append(request)
            self.bodies.append(await reader.readexactly(int(length.partition(b":")[2])))
            answer = orjson.dumps({"outputs": [{"url": "http://pictures/1.png"}]})
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ")
            writer.write(b"%d\r\n\r\n%b" % (len(answer), answer))


@pytest.fixture(name="taker")
async def _taker() -> AsyncIterator[Taker]:
    taker = Taker()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await taker.serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    taker.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield taker
    server.close()


async def test_a_provider_sees_one_framing(start_world: StartWorld, taker: Taker) -> None:
    """Chunks, their extensions, trailers and what speaks of hops stay here: the body goes on with its length."""
    world = await start_world(provider_url=taker.url)
    lines = ("Transfer-Encoding: chunked", "Connection: X-Hop, close", "X-Hop: 1", "TE: trailers", "Trailer: X-Paid")
    half = len(BODY) // 2
    sent = b"%x;ext=1\r\n%b\r\n%x\r\n%b\r\n0\r\nX-Paid: yes\r\n\r\n"
    data = sent % (half, BODY[:half], len(BODY) - half, BODY[half:])

    answer = await exchange(world, head(await world.key(), *lines) + data)

    assert b"HTTP/1.1 200 OK" == answer.split(b"\r\n")[0]
    names = [line.partition(b":")[0].lower() for line in taker.heads[0].split(b"\r\n")[1:-2]]
    assert [BODY] == taker.bodies
    assert 1 == names.count(b"content-length") == names.count(b"host")
    assert not {b"transfer-encoding", b"te", b"trailer", b"x-hop", b"x-paid", b"connection"} & set(names)


async def test_a_request_inside_a_body_stays_inside(start_world: StartWorld, taker: Taker) -> None:
    """A prompt that looks like a request is one string to the provider: it has heard of one request."""
    world = await start_world(provider_url=taker.url)
    body = orjson.dumps(orjson.loads(BODY) | {"prompt": "a cat\r\n\r\nPOST /admin HTTP/1.1\r\nHost: x\r\n\r\n"})

    answer = await exchange(world, head(await world.key(), "Transfer-Encoding: chunked") + chunked(body))

    assert b"HTTP/1.1 200 OK" == answer.split(b"\r\n")[0]
    assert [body] == taker.bodies
