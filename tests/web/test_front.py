"""A connection's requests are answered one after the other, in one task, and what is no request too."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from gatekeeper.web.front import FrontServer
from gatekeeper.web.outgoing import Whole

GET = b"GET / HTTP/1.1\r\nHost: gw\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n\r\n"

LARGE_BYTES = 16 * 1024**2
"""Far more than systems keep for a reader that is slow."""

UNREAD_S = 0.1
"""How long it may lie there unread."""

KEPT_S = 0.2
"""How long a connection is kept without a request."""

Tell = Callable[[bytes], Awaitable[bytes]]


@pytest.fixture(name="served")
async def _served() -> AsyncIterator[tuple[FrontServer, str, int]]:
    """A server, and where it listens. `/large` is answered with more than a connection takes that nobody reads."""
    seen = set[object]()

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        seen.add(asyncio.current_task())
        if request.path == "/large":
            return Whole(body=bytes(LARGE_BYTES))
        return Whole(body=b"%d " % len(seen), headers={"X-Length": str(request.content_length)})

    front = FrontServer(
        handle,
        lambda: Whole(status=400, body=b"no"),
        unread_s=UNREAD_S,
        access_log=None,
        keepalive_timeout=KEPT_S,
    )
    runner = web.ServerRunner(front)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    yield front, host, port
    await runner.cleanup()


@pytest.fixture(name="tell")
async def _tell(served: tuple[FrontServer, str, int]) -> Tell:
    """All that comes back for these bytes, until the connection is closed."""
    _, host, port = served

    async def tell(sent: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(sent)
        received = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        return received

    return tell


async def test_many_requests_on_one_connection(tell: Tell) -> None:
    """More at once than are kept in line, each with an answer of its own."""
    answers = await tell(GET * 200 + LAST)

    assert 201 == answers.count(b"HTTP/1.1 200 ")


async def test_requests_share_the_task_of_their_connection(tell: Tell) -> None:
    """No other is begun for them."""
    answers = await tell(GET + GET + LAST)

    assert 3 == answers.count(b"\r\n\r\n1 ")


async def test_what_is_no_request_is_refused(tell: Tell) -> None:
    """In our own words, and nothing follows."""
    answers = await tell(b"\x00\x01 nonsense\r\n\r\n" + GET)

    assert (0, 1, True) == (answers.count(b" 200 "), answers.count(b" 400 "), answers.endswith(b"no"))


async def test_a_body_that_nobody_read_is_taken_before_the_next_request(tell: Tell) -> None:
    """It is not taken for a request, and the next one has its answer."""
    body = b"GET /inside HTTP/1.1\r\n\r\n" * 20_000
    post = b"POST / HTTP/1.1\r\nHost: gw\r\nContent-Length: %d\r\n\r\n" % len(body)

    answers = await tell(post + body + LAST)

    assert 2 == answers.count(b"HTTP/1.1 200 ")


async def test_a_connection_on_which_nothing_more_comes_is_closed(tell: Tell) -> None:
    """The clock of aiohttp that is started for it here runs: without it the other end would wait for ever."""
    answers = await tell(GET)

    assert 1 == answers.count(b"HTTP/1.1 200 ")


async def test_who_asks_and_never_reads_is_hung_up_on(served: tuple[FrontServer, str, int]) -> None:
    """Its connection is a place that others want."""
    front, host, port = served
    with socket.create_connection((host, port)) as deaf:
        deaf.sendall(b"GET /large HTTP/1.1\r\nHost: gw\r\n\r\n")
        was_there = False
        async with asyncio.timeout(10):
            while front.count or not was_there:
                was_there = was_there or front.count == 1
                await asyncio.sleep(0.01)

    assert was_there
