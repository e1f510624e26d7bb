"""Providers that end in the middle of things: half a close, an early answer, bodies that take their time."""

import asyncio
import ssl
from pathlib import Path

import pytest

from gatekeeper.upstream.client import Upstream
from gatekeeper.upstream.failure import OutcomeUnknown, Reason

MB = 1024 * 1024
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
TO_THE_END = b"HTTP/1.1 200 OK\r\n\r\nall of it"
PEM = Path(__file__).with_name("localhost.pem")


@pytest.mark.parametrize("text", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"], ids=["head", "body"])
async def test_half_close(upstream, provider, ask, read, text):
    """A provider that says it will send no more is not waited for, though it would still read."""

    async def script(peer):
        await peer.request()
        await peer.answer(text)
        peer.writer.write_eof()
        await peer.until_closed()

    server = await provider(script)

    with pytest.raises(OutcomeUnknown) as caught:
        await read(await upstream.send(ask(server.url)))

    assert (Reason.CUT if text else Reason.DISCONNECTED) == caught.value.reason
    await asyncio.wait_for(server.peers[0].closed.wait(), 5)


async def test_half_close_in_the_upload(upstream, provider, ask):
    """A provider that ends in the middle of an upload without an answer is not written to for longer."""

    async def script(peer):
        await peer.head()
        peer.stop_reading()
        peer.writer.write_eof()
        await peer.until_refused()

    server = await provider(script)

    with pytest.raises(OutcomeUnknown) as caught:
        await upstream.send(ask(server.url, body=(bytes(20 * MB),)))

    assert Reason.DISCONNECTED == caught.value.reason


async def test_slow_early_answer(upstream, provider, ask, read):
    """An answer that comes in pieces while the body is still going out is read to its end."""
    received = 0

    async def script(peer):
        nonlocal received
        await peer.head()
        await peer.answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while received < 20 * MB:
            received += len(await peer.reader.read(MB))
            await peer.answer(b"1\r\n.\r\n")
        await peer.answer(b"0\r\n\r\n")
        await peer.until_closed()

    server = await provider(script)

    body = await read(await upstream.send(ask(server.url, body=(bytes(20 * MB),))))

    assert (20 * MB, set(b".")) == (received, set(body))


async def test_upload_leaves_room_for_others(upstream, provider, ask, read):
    """While a large body goes out to a provider that reads as fast as it can, others are served."""
    stages = []

    async def script(peer):
        size = len((await peer.head()).split(b"/"))
        received = 0
        while size and received < (64 * MB if peer.number == 0 else 2):
            received += len(await peer.reader.read(MB))
        stages.append(peer.number)
        await peer.answer(OK)

    server = await provider(script)
    large = asyncio.create_task(upstream.send(ask(server.url, body=(bytes(64 * MB),))))
    await asyncio.sleep(0)

    assert b"ok" == await read(await upstream.send(ask(server.url)))
    assert b"ok" == await read(await large)


async def test_end_of_the_connection_over_tls(provider, ask, read):
    """Over TLS too an answer may end with its connection."""
    server_tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server_tls.load_cert_chain(PEM)

    async def script(peer):
        await peer.request()
        await peer.answer(TO_THE_END)

    server = await provider(script, server_tls)
    async with Upstream(tls=ssl.create_default_context(cafile=PEM)) as upstream:
        assert b"all of it" == await read(await upstream.send(ask(f"https://localhost:{server.port}")))


async def test_large_bodies_over_tls(provider, ask, read):
    """20 MB go out and come back over TLS, and the connection is used again."""
    server_tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server_tls.load_cert_chain(PEM)
    body = bytes(range(256)) * (20 * MB // 256)

    async def script(peer):
        while True:
            await peer.head()
            received = await peer.reader.readexactly(len(body))
            await peer.answer(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(received))
            await peer.answer(received)

    server = await provider(script, server_tls)
    async with Upstream(tls=ssl.create_default_context(cafile=PEM)) as upstream:
        for _ in range(2):
            answer = await upstream.send(ask(f"https://localhost:{server.port}", body=(body,)))
            assert body == await read(answer)

    assert 1 == len(server.peers)
