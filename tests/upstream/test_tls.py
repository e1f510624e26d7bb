"""TLS: verified always, with own authorities if given."""

import asyncio
import ssl
from pathlib import Path

import pytest

from gatekeeper.upstream.client import Upstream
from gatekeeper.upstream.failure import NeverSent, Reason

# Made for these tests: key and self-signed certificate for localhost, valid for a hundred years.
PEM = Path(__file__).with_name("localhost.pem")


async def ok(peer):
    await peer.request()
    await peer.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


@pytest.fixture
def server_tls():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(PEM)
    return context


@pytest.fixture
async def trusting():
    """A client that trusts the authority of that certificate."""
    async with Upstream(tls=ssl.create_default_context(cafile=PEM)) as client:
        yield client


async def test_unknown_authority(upstream, provider, ask, server_tls):
    """A certificate that no known authority vouches for is refused before anything is sent."""
    server = await provider(ok, server_tls)

    with pytest.raises(NeverSent) as caught:
        await upstream.send(ask(server.url))

    assert Reason.TLS == caught.value.reason
    assert "certificate" in caught.value.detail


async def test_wrong_name(provider, ask, server_tls, trusting):
    """A certificate for another name is refused, even if its authority is trusted."""
    server = await provider(ok, server_tls)

    with pytest.raises(NeverSent) as caught:
        await trusting.send(ask(server.url))

    assert Reason.TLS == caught.value.reason


async def test_own_authority(provider, ask, read, server_tls, trusting):
    """An authority brought along is trusted."""
    server = await provider(ok, server_tls)

    assert b"ok" == await read(await trusting.send(ask(f"https://localhost:{server.port}")))


async def test_close_in_the_body(provider, ask, server_tls, trusting):
    """An answer closed before its end closes the TLS connection promptly, without a farewell from the provider."""

    async def half(peer):
        await peer.request()
        await peer.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await peer.until_closed()

    server = await provider(half, server_tls)
    answer = await trusting.send(ask(f"https://localhost:{server.port}"))

    await answer.aclose()

    await asyncio.wait_for(server.peers[0].closed.wait(), 1)
