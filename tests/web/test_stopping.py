"""What comes as a server stops: what was asked is answered, and nobody is waited for who is idle."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from aiohttp import web

from gatekeeper.web import accepting, front
from gatekeeper.web.accepting import Site
from gatekeeper.web.front import FrontServer
from gatekeeper.web.incoming import Request
from gatekeeper.web.outgoing import Whole
from tests.torture.polling import until

GET = b"GET / HTTP/1.1\r\nHost: gw\r\n\r\n"
HEAD = b"POST / HTTP/1.1\r\nHost: gw\r\nContent-Length: 4\r\n\r\n"
FEW_BYTES = 4096
GRACE_S = 20.0
"""Longer than anything here takes."""


class Stopping:
    """A server that answers with the body that it was sent, and can be stopped."""

    def __init__(self) -> None:
        self.front = FrontServer(self._echo, web.Response, access_log=None)
        self.asked = self.answered = 0
        self._open: list[socket.socket] = []

    async def start(self, grace_s: float = GRACE_S) -> None:
        self._runner = web.ServerRunner(self.front, shutdown_timeout=grace_s)
        await self._runner.setup()
        await Site(self._runner, "127.0.0.1", 0, backlog=600, connections_max=1000).start()

    async def _echo(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked += 1
        if isinstance(request, Request):
            request.go_on()
        answer = Whole(body=self.answer or await request.read())
        if self.answer and request.transport is not None:
            request.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, FEW_BYTES)
        if self.go_on is not None:
            await self.go_on.wait()
        self.answered += 1
        return answer

    go_on: asyncio.Event | None = None
    """Answers wait for it."""
    answer = b""
    """In place of what was sent; little of it is taken by the system before it is read."""

    def connect(self) -> socket.socket:
        """Made by the system alone: the server has not seen it, for no turn of the event loop has passed."""
        made = socket.socket()
        if self.answer:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, FEW_BYTES)
        made.settimeout(10)
        made.connect(self._runner.addresses[0][:2])
        made.setblocking(False)
        self._open.append(made)
        return made

    async def stop(self) -> None:
        await self._runner.cleanup()

    def hang_up(self) -> None:
        for each in self._open:
            each.close()


async def read(connection: socket.socket) -> bytes:
    """Everything until the end of the connection."""
    loop, received = asyncio.get_running_loop(), b""
    async with asyncio.timeout(10):
        while data := await loop.sock_recv(connection, 65536):
            received += data
    return received


@pytest.fixture(name="server")
async def _server() -> AsyncIterator[Stopping]:
    stopping = Stopping()
    await stopping.start()
    yield stopping
    stopping.hang_up()
    await stopping.stop()


async def test_connections_that_wait_to_be_taken_are_served(server: Stopping) -> None:
    """More than one turn takes have connected and asked, and the server has seen none of them when it is told to stop:
    each has its answer, and reads that it is the last."""
    waiting = [server.connect() for _ in range(accepting.ACCEPTED_AT_ONCE_MAX + 44)]
    for each in waiting:
        each.send(GET)

    await server.stop()

    answers = [await read(each) for each in waiting]
    assert {b"HTTP/1.1 200 OK"} == {answer.split(b"\r\n")[0] for answer in answers}
    assert all(b"Connection: close" in answer for answer in answers)


async def test_a_new_connection_may_still_ask(server: Stopping) -> None:
    """It was there before the stop, and its request comes after."""
    new = server.connect()
    stopping = asyncio.ensure_future(server.stop())
    assert await until(lambda: server.front.count == 1)

    new.send(GET)
    await stopping

    assert b"HTTP/1.1 200 OK" == (await read(new)).split(b"\r\n")[0]


async def test_a_new_connection_that_asks_nothing_is_not_waited_for(
    server: Stopping, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is hung up on after a moment, long before the time to stop in is over."""
    monkeypatch.setattr(front, "MOMENT_S", 0.01)
    new = server.connect()
    before_s = time.monotonic()

    await server.stop()

    assert b"" == await read(new)
    assert time.monotonic() - before_s < GRACE_S / 2


async def test_a_body_that_is_still_coming_is_read_to_its_end(server: Stopping) -> None:
    """The request is in progress when the server is told to stop, and the rest of its body comes afterwards."""
    upload = server.connect()
    upload.send(HEAD + b"ab")
    assert await until(lambda: server.asked == 1)
    stopping = asyncio.ensure_future(server.stop())
    assert await until(lambda: bool(server.front._finishing))

    upload.send(b"cd")
    await stopping

    head, _, body = (await read(upload)).partition(b"\r\n\r\n")
    assert (b"HTTP/1.1 200 OK", b"abcd") == (head.split(b"\r\n")[0], body)
    assert b"Connection: close" in head


async def asked_once(server: Stopping) -> socket.socket:
    """A connection that has had an answer, and stays open."""
    idle = server.connect()
    idle.send(GET)
    await asyncio.get_running_loop().sock_recv(idle, 65536)
    return idle


async def test_who_asks_again_and_again_may_ask_once_more(server: Stopping) -> None:
    """His next request may be on its way as the server stops: it is answered, and he reads that it is the last."""
    busy = await asked_once(server)
    stopping = asyncio.ensure_future(server.stop())
    assert await until(lambda: bool(server.front._finishing))

    busy.send(GET)
    await asyncio.wait_for(stopping, GRACE_S / 2)

    answer = await read(busy)
    assert (b"HTTP/1.1 200 OK", True) == (answer.split(b"\r\n")[0], b"Connection: close" in answer)


async def test_who_asks_no_more_is_waited_for_a_moment(server: Stopping, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then his connection is closed."""
    monkeypatch.setattr(front, "MOMENT_S", 0.2)
    idle = await asked_once(server)

    await asyncio.wait_for(server.stop(), GRACE_S / 2)

    assert b"" == await read(idle)


async def test_an_idle_connection_is_closed_at_once(server: Stopping, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its last answer is longer ago than a moment: nothing waits for another request of it."""
    idle = await asked_once(server)
    monkeypatch.setattr(front, "MOMENT_S", 0.0)

    server.front.pre_shutdown()

    assert not server.front._finishing
    assert b"" == await read(idle)


async def test_an_answer_is_sent_to_its_end(server: Stopping) -> None:
    """Its connection has nothing to do any more but for some of it that its reader has not taken yet."""
    server.answer = b"a" * 60_000
    slow = server.connect()
    slow.send(GET)
    assert await until(lambda: server.answered == 1)
    stopping = asyncio.ensure_future(server.stop())
    assert await until(lambda: bool(server.front._finishing))

    _, _, body = (await read(slow)).partition(b"\r\n\r\n")
    await asyncio.wait_for(stopping, GRACE_S / 2)

    assert server.answer == body


async def test_who_waits_to_be_told_to_go_on_is_told_that_it_is_the_last(server: Stopping) -> None:
    """Once leave was given a connection stays open, but not as the server stops."""
    polite = server.connect()
    stopping = asyncio.ensure_future(server.stop())
    assert await until(lambda: server.front.count == 1)

    polite.send(HEAD.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
    assert await until(lambda: server.asked == 1)
    polite.send(b"abcd")
    await stopping

    received = await read(polite)
    assert received.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")
    assert b"Connection: close" in received


async def test_one_of_many_requests_in_line_is_answered(server: Stopping) -> None:
    """More at once than are kept in line: the first has an answer, which says that it is the last, and that is all."""
    hasty = server.connect()
    hasty.send(GET * 100)

    await asyncio.wait_for(server.stop(), GRACE_S / 2)

    assert 1 == server.answered
    assert b"Connection: close" in await asyncio.get_running_loop().sock_recv(hasty, 65536)


async def test_what_was_asked_goes_on_without_its_client(server: Stopping) -> None:
    """Who asked has left before the stop: what he asked for is seen to its end, as it has its price."""
    server.go_on = asyncio.Event()
    gone = server.connect()
    gone.send(GET)
    assert await until(lambda: server.asked == 1)
    gone.close()
    assert await until(lambda: server.front.count == 0)
    stopping = asyncio.ensure_future(server.stop())
    assert await until(lambda: bool(server.front._finishing))

    server.go_on.set()
    await asyncio.wait_for(stopping, GRACE_S / 2)

    assert 1 == server.answered


async def test_who_is_not_done_in_time_is_cut_off() -> None:
    """A body that never ends is waited for as long as there is to stop in, and no longer."""
    server = Stopping()
    await server.start(grace_s=0.05)
    upload = server.connect()
    upload.send(HEAD)
    assert await until(lambda: server.asked == 1)

    await asyncio.wait_for(server.stop(), GRACE_S)

    with suppress(ConnectionResetError):
        assert b"200" not in await read(upload)
    server.hang_up()
    assert 0 == server.answered
