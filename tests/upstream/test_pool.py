"""Kept connections: how many, for how long, and whose turn it is."""

import asyncio
import contextlib
import socket

import pytest

from gatekeeper.upstream.client import Upstream
from gatekeeper.upstream.connection import Connection
from gatekeeper.upstream.failure import NeverSent, Reason
from gatekeeper.upstream.pool import Pool
from tests.cases import each_case
from tests.upstream.wire import Transport

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CLOSING = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"


def answering(text=OK):
    async def script(peer):
        while True:
            await peer.request()
            await peer.answer(text)

    return script


async def turns(count=20):
    """Lets everything that can go on without the network go on."""
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.mark.parametrize("text", [OK, CLOSING], ids=["kept", "closed"])
async def test_bounded(provider, ask, read, text):
    """Many requests at once use no more connections than allowed, and all are answered."""
    open_now, most = 0, 0

    async def script(peer):
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                await peer.request()
                open_now -= text is CLOSING
                await peer.answer(text)

    server = await provider(script)
    async with Upstream(connections_per_host=3) as upstream:

        async def one():
            return await read(await upstream.send(ask(server.url)))

        answers = await asyncio.gather(*(one() for _ in range(60)))

    assert [b"ok"] * 60 == answers
    assert most <= 3


async def test_first_come_first_served(provider, ask, read):
    """Whoever waits longest for a connection gets the next one, though each is new."""
    server, order = await provider(answering(CLOSING)), []
    async with Upstream(connections_per_host=1) as upstream:

        async def one(number):
            await read(await upstream.send(ask(server.url)))
            order.append(number)

        await asyncio.gather(*(one(number) for number in range(8)))

    assert list(range(8)) == order


@each_case("at_the_end", [False, True])
async def test_one_who_leaves_the_line(at_the_end):
    """A wait that is cancelled, even in the moment it is over, does not keep the connection from the next."""
    pool = Pool(1, 4.0, None)
    origin = pool.origin("http://provider.example")
    connection = Connection(origin)
    connection.connection_made(Transport())
    pool.limits.members.add(connection)
    origin.count = 1
    leaving, staying = [asyncio.create_task(pool.connect(origin)) for _ in range(2)]
    await turns()

    if not at_the_end:
        leaving.cancel()
        await turns()
    origin.release(connection)
    leaving.cancel()

    assert connection is await asyncio.wait_for(staying, 1)
    with pytest.raises(asyncio.CancelledError):
        await leaving
    pool.close()


@each_case("at_the_end", [False, True])
async def test_one_who_is_told_of_room_and_leaves(provider, at_the_end):
    """Room for another connection is passed on by one who does not need it any more."""
    server = await provider(answering())
    pool = Pool(1, 4.0, None)
    origin = pool.origin(server.url)
    first = await pool.connect(origin)
    leaving, staying = [asyncio.create_task(pool.connect(origin)) for _ in range(2)]
    await turns()

    if not at_the_end:
        leaving.cancel()
        await turns()
    first.abort()
    leaving.cancel()

    assert (await asyncio.wait_for(staying, 1)).usable
    with pytest.raises(asyncio.CancelledError):
        await leaving
    pool.close()


async def test_failures_do_not_use_up_the_line(ask):
    """Where no connection comes about, everyone who waits is told so, one after the other."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    async with Upstream(connections_per_host=1) as upstream:
        failures = await asyncio.gather(
            *(upstream.send(ask(f"http://127.0.0.1:{port}/")) for _ in range(5)), return_exceptions=True
        )

    assert [Reason.REFUSED] * 5 == [failure.reason for failure in failures]


async def test_closed_while_waiting(provider, ask):
    """Whoever waits for a connection when the client is closed has certainly sent nothing."""
    server = await provider(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"))
    upstream = Upstream(connections_per_host=1)
    await upstream.open()
    await upstream.send(ask(server.url))
    waiting = [asyncio.create_task(upstream.send(ask(server.url))) for _ in range(2)]
    await turns()

    await upstream.aclose()

    for task in waiting:
        with pytest.raises(NeverSent) as caught:
            await task
        assert Reason.CLOSED == caught.value.reason


async def test_idle_connections_are_closed(provider, ask, read):
    """A connection that nobody uses is closed when its time is over, without anyone asking for another."""
    closed = asyncio.Event()

    async def script(peer):
        await peer.request()
        await peer.answer(OK)
        await peer.until_closed()
        closed.set()

    server = await provider(script)
    async with Upstream(keepalive_s=0.05) as upstream:
        await read(await upstream.send(ask(server.url)))

        await asyncio.wait_for(closed.wait(), 5)


async def test_last_used_is_used_next(provider, ask, read):
    """The connection that was used last is used next, so that those nobody needs grow old."""
    numbers = []

    async def script(peer):
        while True:
            await peer.request()
            numbers.append(peer.number)
            await peer.answer(OK)

    server = await provider(script)
    async with Upstream() as upstream:
        await asyncio.gather(*(upstream.send(ask(server.url)) for _ in range(3)))
        numbers.clear()
        for _ in range(3):
            await read(await upstream.send(ask(server.url)))

    assert 1 == len(set(numbers))


async def test_places_are_apart(provider, ask, read):
    """A connection to one port is never used for another."""
    servers = [await provider(answering(OK.replace(b"ok", b"%02d" % number))) for number in range(3)]
    async with Upstream() as upstream:
        seen = [await read(await upstream.send(ask(server.url))) for server in servers * 2]

    assert [b"00", b"01", b"02"] * 2 == seen
    assert [1, 1, 1] == [len(server.peers) for server in servers]


async def test_nothing_is_kept_of_a_place(upstream, provider, ask, read):
    """When the last connection to a place is closed, the place is forgotten."""
    server = await provider(answering(CLOSING))

    await read(await upstream.send(ask(server.url)))

    assert ({}, set()) == (upstream._pool.origins, upstream._pool.limits.members)
