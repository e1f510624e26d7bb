"""Connections are taken up to a number; one more is told so and hung up on."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest
import uvloop
from aiohttp import web

from gatekeeper.web import accepting
from gatekeeper.web.accepting import Site
from gatekeeper.web.front import FrontServer
from gatekeeper.web.outgoing import Whole
from tests.certificates import Authority
from tests.torture.polling import until

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Served:
    """A server that says ok, behind a site of ours."""

    def __init__(self, front: FrontServer, port: int) -> None:
        self.front = front
        self._port = port
        self._writers: list[asyncio.StreamWriter] = []

    async def connect(self) -> Stream:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers.append(writer)
        return reader, writer

    def hang_up(self) -> None:
        for writer in self._writers:
            writer.close()


async def ask(stream: Stream) -> bytes:
    """The status line of an answer."""
    reader, writer = stream
    writer.write(b"GET / HTTP/1.1\r\nHost: gw\r\n\r\n")
    return (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0]


async def unasked(_request: web.BaseRequest) -> web.StreamResponse:
    raise AssertionError("nothing was asked")


def full() -> web.Response:
    return Whole(status=503, body=b"full", headers={"Retry-After": "1"})


Serve = Callable[..., Awaitable[Served]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    async with AsyncExitStack() as stack:

        async def start(connections_max: int, full: accepting.Full | None = full) -> Served:
            async def handle(_request: web.BaseRequest) -> web.StreamResponse:
                return web.Response(text="ok")

            front = FrontServer(handle, full or web.Response, access_log=None)
            runner = web.ServerRunner(front, shutdown_timeout=0.01)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await Site(runner, "127.0.0.1", 0, backlog=16, connections_max=connections_max, full=full).start()
            found = Served(front, runner.addresses[0][1])
            stack.callback(found.hang_up)
            return found

        yield start


async def test_one_over_the_bound_is_told_unasked(serve: Serve) -> None:
    """It reads the whole answer and the end of the connection, though it has asked nothing yet."""
    served = await serve(1)
    await ask(await served.connect())

    reader, _ = await served.connect()

    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    line, *headers = head.split(b"\r\n")
    assert (b"HTTP/1.1 503 Service Unavailable", b"full") == (line, body)
    assert {b"Retry-After: 1", b"Content-Length: 4", b"Connection: close"} <= set(headers)


async def test_one_that_asks_all_the_same_is_told(serve: Serve) -> None:
    """A request that was on its way does not take the answer away again."""
    served = await serve(1)
    await ask(await served.connect())

    assert b"HTTP/1.1 503 Service Unavailable" == await ask(await served.connect())


async def test_who_leaves_makes_room(serve: Serve) -> None:
    """The bound counts who is there, and those that were turned away never were."""
    served = await serve(1)
    first = await served.connect()
    await ask(first)
    await (await served.connect())[0].read()
    first[1].close()
    assert await until(lambda: served.front.count == 0)

    assert b"HTTP/1.1 200 OK" == await ask(await served.connect())


async def test_without_an_answer_it_is_closed(serve: Serve) -> None:
    """Where nothing is to be said, the connection ends."""
    served = await serve(1, None)
    await ask(await served.connect())

    assert b"" == await (await served.connect())[0].read()


async def test_those_turned_away_are_bounded_too(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond `TURNED_AWAY_MAX` that are still open a further one is closed at once."""
    monkeypatch.setattr(accepting, "TURNED_AWAY_MAX", 1)
    served = await serve(1)
    await ask(await served.connect())
    await (await served.connect())[0].read()

    assert b"" == await (await served.connect())[0].read()


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_handshakes_end_with_the_site(tmp_path: Path, loop_factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """Who has begun TLS and says no more is hung up on when nobody is taken any more, and leaves nothing behind."""
    pair = Authority(tmp_path).sign()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)

    async def stop_with_one_begun() -> tuple[bytes, int]:
        front = FrontServer(unasked, web.Response, access_log=None)
        runner = web.ServerRunner(front, shutdown_timeout=0.01)
        await runner.setup()
        site = Site(runner, "127.0.0.1", 0, backlog=16, connections_max=1)
        site.encrypt(lambda: context)
        await site.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", runner.addresses[0][1])
        writer.write(b"\x16\x03\x01")
        (acceptor,) = site._acceptors
        assert await until(lambda: bool(acceptor._beginning))
        await site.stop()
        heard = b""
        with suppress(ConnectionError):
            heard = await asyncio.wait_for(reader.read(), 5)
        assert await until(lambda: not acceptor._beginning)
        writer.close()
        await runner.cleanup()
        return heard, front.count

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        assert (b"", 0) == runner.run(stop_with_one_begun())
