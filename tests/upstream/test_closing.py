"""Ends that the gateway chooses: cancel, close, a reader that waits. And what stays in memory meanwhile."""

import asyncio
import tracemalloc

import pytest

from gatekeeper.upstream.client import Upstream
from gatekeeper.upstream.failure import OutcomeUnknown
from gatekeeper.upstream.messages import Delivery

MB = 1024 * 1024
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def test_cancel_before_the_head(upstream, provider, ask):
    """Cancelling a request that waits for its answer closes the provider's side promptly, and it counts as sent."""
    arrived = asyncio.Event()

    async def script(peer):
        await peer.request()
        arrived.set()
        await peer.until_closed()

    server, delivery = await provider(script), Delivery()
    task = asyncio.create_task(upstream.send(ask(server.url), delivery))
    await arrived.wait()

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(server.peers[0].closed.wait(), 1)
    assert delivery.sent


async def test_cancel_in_the_upload(upstream, provider, ask):
    """Cancelling an upload to a provider that has stopped reading closes the connection without waiting for it."""
    arrived = asyncio.Event()

    async def script(peer):
        await peer.head()
        peer.stop_reading()
        arrived.set()
        await peer.until_refused()

    server = await provider(script)
    task = asyncio.create_task(upstream.send(ask(server.url, body=(bytes(20 * MB),))))
    await arrived.wait()

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(server.peers[0].closed.wait(), 1)


async def test_early_answer_ends_the_upload(upstream, provider, ask, read):
    """An answer received whole before the upload's end closes the connection, though the provider reads no more."""
    delivered = asyncio.Event()

    async def script(peer):
        await peer.head()
        peer.stop_reading()
        await peer.answer(b"HTTP/1.1 413 Too Large\r\nContent-Length: 9\r\n\r\ntoo large")
        await delivered.wait()
        await peer.until_refused()

    server = await provider(script)

    assert b"too large" == await read(await upstream.send(ask(server.url, body=(bytes(20 * MB),))))
    delivered.set()
    await asyncio.wait_for(server.peers[0].closed.wait(), 1)


async def test_cancel_while_waiting_for_a_connection(provider, ask):
    """Cancelling a request that has no connection yet is certain not to have sent anything."""

    async def script(peer):
        await peer.request()
        await peer.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
        await peer.until_closed()

    server, delivery = await provider(script), Delivery()
    async with Upstream(connections_per_host=1) as upstream, await upstream.send(ask(server.url)):
        task = asyncio.create_task(upstream.send(ask(server.url), delivery))
        await asyncio.sleep(0)

        task.cancel()

        with pytest.raises(asyncio.CancelledError):
            await task
    assert not delivery.sent


async def test_close_in_the_body(upstream, provider, ask):
    """Closing an answer before its end closes the connection; closing again does nothing."""

    async def script(peer):
        await peer.request()
        await peer.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await peer.until_closed()

    server = await provider(script)
    answer = await upstream.send(ask(server.url))

    await answer.aclose()
    await answer.aclose()

    await asyncio.wait_for(server.peers[0].closed.wait(), 1)


async def test_late_close_spares_the_next_request(upstream, provider, ask, read):
    """Closing an answer that was received whole does not touch the request that uses its connection now."""

    async def script(peer):
        for _ in range(2):
            await peer.request()
            await peer.answer(OK)

    server = await provider(script)
    first = await upstream.send(ask(server.url))
    first_text = b"".join([piece async for piece in first.chunks()])
    second = await upstream.send(ask(server.url))

    await first.aclose()

    assert (b"ok", b"ok", 1) == (first_text, await read(second), len(server.peers))


async def test_client_closed_under_a_reader(provider, ask):
    """Closing the client ends a waiting reader with OutcomeUnknown."""

    async def script(peer):
        await peer.request()
        await peer.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await peer.until_closed()

    server = await provider(script)
    async with Upstream() as upstream:
        pieces = (await upstream.send(ask(server.url))).chunks()
        assert b"half" == await anext(pieces)

    with pytest.raises(OutcomeUnknown):
        await anext(pieces)


async def test_backpressure(upstream, provider, ask):
    """A reader that waits stops the provider: what is in flight stays within the sockets and a small buffer."""
    pushed, stuck = 0, asyncio.Event()

    async def script(peer):
        nonlocal pushed
        await peer.request()
        await peer.answer(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (200 * MB))
        while pushed < 200 * MB:
            try:
                await asyncio.wait_for(peer.answer(bytes(MB)), 0.3)
            except TimeoutError:
                stuck.set()
                return
            pushed += MB

    server = await provider(script)
    async with await upstream.send(ask(server.url)) as answer:
        first = await anext(answer.chunks())
        await asyncio.wait_for(stuck.wait(), 10)

    assert len(first) <= 256 * 1024
    assert pushed <= 16 * MB


async def test_upload_memory(upstream, provider, ask, read):
    """A 20 MB body is sent exactly, in bounded memory beside the body, and is not kept with the connection."""
    received = 0

    async def script(peer):
        nonlocal received
        await peer.head()
        while received < 20 * MB:
            received += len(await peer.reader.read(65536))
        await peer.answer(OK)
        await peer.until_closed()

    server = await provider(script)
    tracemalloc.start()
    try:
        body = (bytes(19 * MB), bytes(MB))
        before = tracemalloc.get_traced_memory()[0]
        await read(await upstream.send(ask(server.url, body=body)))
        extra = tracemalloc.get_traced_memory()[1] - before
        del body
        kept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()

    assert 20 * MB == received
    assert extra < 2 * MB
    assert kept < MB


async def test_download_memory(upstream, provider, ask):
    """A 50 MB answer passes in pieces of at most 256 KiB and in bounded memory."""

    async def script(peer):
        await peer.request()
        await peer.answer(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (50 * MB))
        block = bytes(MB)
        for _ in range(50):
            await peer.answer(block)

    server = await provider(script)
    total, largest = 0, 0
    tracemalloc.start()
    try:
        async with await upstream.send(ask(server.url)) as answer:
            async for piece in answer.chunks():
                total, largest = total + len(piece), max(largest, len(piece))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert (50 * MB, True) == (total, largest <= 256 * 1024)
    assert peak < 6 * MB
