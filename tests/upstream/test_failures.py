"""A provider that fails: each way ends in the one error that says whether anything may have arrived."""

import asyncio
import contextlib
import random
import socket
import struct

import pytest

from gatekeeper.upstream.client import Upstream
from gatekeeper.upstream.failure import NeverSent, OutcomeUnknown, Reason
from gatekeeper.upstream.messages import Delivery

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def close_after_request(peer):
    await peer.request()


async def never_answer(peer):
    await peer.request()
    await peer.until_closed()


def answers(text):
    async def script(peer):
        await peer.request()
        await peer.answer(text)

    return script


def answers_and_stalls(text):
    async def script(peer):
        await peer.request()
        await peer.answer(text)
        await peer.until_closed()

    return script


async def test_refused(upstream, ask):
    """A refused connection is NeverSent."""
    with pytest.raises(NeverSent) as caught:
        await upstream.send(ask(f"http://127.0.0.1:{unused_port()}/"))

    assert (Reason.REFUSED, False, False) == (caught.value.reason, caught.value.sent, caught.value.timed_out)


async def test_unknown_host(upstream, ask):
    """A name that does not resolve is NeverSent. (This one is too long for any server to be asked for it.)"""
    with pytest.raises(NeverSent) as caught:
        await upstream.send(ask(f"http://{'.'.join(['x' * 60] * 5)}.invalid/"))

    assert Reason.DNS == caught.value.reason


async def test_tls_failure(upstream, provider, ask):
    """A server that speaks no TLS on an https address is NeverSent."""

    async def plain_http(peer):
        await peer.answer(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    server = await provider(plain_http)

    with pytest.raises(NeverSent) as caught:
        await upstream.send(ask(server.url.replace("http:", "https:")))

    assert Reason.TLS == caught.value.reason


async def test_connect_timeout(upstream, provider, ask):
    """A TLS handshake that is never answered is NeverSent and our own time limit."""

    async def mute(peer):
        await peer.until_closed()

    server = await provider(mute)

    with pytest.raises(NeverSent) as caught:
        await upstream.send(ask(server.url.replace("http:", "https:"), connect_s=0.05))

    assert (Reason.CONNECT_TIMEOUT, True) == (caught.value.reason, caught.value.timed_out)


async def test_no_free_connection(provider, ask):
    """Waiting longer than connect_s for a free connection is NeverSent."""
    server = await provider(answers_and_stalls(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"))

    async with Upstream(connections_per_host=1) as upstream, await upstream.send(ask(server.url)):
        with pytest.raises(NeverSent) as caught:
            await upstream.send(ask(server.url, connect_s=0.05))

    assert Reason.CONNECT_TIMEOUT == caught.value.reason


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
async def test_closed_without_answer(upstream, provider, ask, method):
    """A request that is read and then dropped is OutcomeUnknown, and it was sent once, whatever the method."""
    server = await provider(close_after_request)

    with pytest.raises(OutcomeUnknown) as caught:
        await upstream.send(ask(server.url, method=method, body=()))

    assert (Reason.DISCONNECTED, True, 1) == (caught.value.reason, caught.value.sent, len(server.peers))


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize("body", [(), (b"draw",)], ids=["empty", "body"])
async def test_stale_connection(upstream, provider, ask, read, method, body):
    """A kept connection that dies under the second request is OutcomeUnknown, and nothing is sent again."""

    async def die_on_the_second(peer):
        await peer.request()
        await peer.answer(OK)
        await peer.request()

    server = await provider(die_on_the_second)
    await read(await upstream.send(ask(server.url)))

    with pytest.raises(OutcomeUnknown) as caught:
        await upstream.send(ask(server.url, method=method, body=body))

    assert (Reason.DISCONNECTED, 1) == (caught.value.reason, len(server.peers))


async def test_kept_connection_closed_meanwhile(upstream, provider, ask, read):
    """A kept connection that the provider closed while idle is replaced by a new one."""

    async def once(peer):
        await peer.request()
        await peer.answer(OK)
        peer.writer.write_eof()
        await peer.until_closed()

    server = await provider(once)
    await read(await upstream.send(ask(server.url)))
    await asyncio.wait_for(server.peers[0].closed.wait(), 5)

    assert b"ok" == await read(await upstream.send(ask(server.url)))
    assert 2 == len(server.peers)


async def test_unasked_answer(upstream, provider, ask, read):
    """An answer that a provider sends unasked on a kept connection is not taken for the next request's answer."""
    idle = asyncio.Event()

    async def script(peer):
        await peer.request()
        await peer.answer(OK)
        if peer.number == 0:
            await idle.wait()
            await peer.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
            await peer.until_closed()

    server = await provider(script)
    first = await read(await upstream.send(ask(server.url)))
    idle.set()
    with contextlib.suppress(TimeoutError):
        # Long enough on loopback for the bytes to arrive; a client may drop the connection by itself, or leave it.
        await asyncio.wait_for(server.peers[0].closed.wait(), 0.1)
    second = await read(await upstream.send(ask(server.url)))

    assert (b"ok", b"ok", 2) == (first, second, len(server.peers))


async def test_head_timeout(upstream, provider, ask):
    """No answer within head_s is OutcomeUnknown, and the connection is closed."""
    server = await provider(never_answer)

    with pytest.raises(OutcomeUnknown) as caught:
        await upstream.send(ask(server.url, head_s=0.05))

    assert (Reason.HEAD_TIMEOUT, True) == (caught.value.reason, caught.value.timed_out)
    await asyncio.wait_for(server.peers[0].closed.wait(), 5)


async def test_head_timeout_counts_the_upload(upstream, provider, ask):
    """A provider that stops reading the upload ends in the head timeout."""

    async def deaf(peer):
        peer.stop_reading()
        await asyncio.Event().wait()

    server = await provider(deaf)

    with pytest.raises(OutcomeUnknown) as caught:
        await upstream.send(ask(server.url, body=(bytes(20_000_000),), head_s=0.2))

    assert Reason.HEAD_TIMEOUT == caught.value.reason


async def test_total_timeout_before_the_head(upstream, provider, ask):
    """total_s ends a request that has no head yet."""
    server = await provider(never_answer)

    with pytest.raises(OutcomeUnknown) as caught:
        await upstream.send(ask(server.url, total_s=0.05))

    assert (Reason.TOTAL_TIMEOUT, True) == (caught.value.reason, caught.value.timed_out)


async def test_total_timeout_in_the_body(upstream, provider, ask, read):
    """total_s ends an answer that keeps trickling."""

    async def trickle(peer):
        await peer.request()
        await peer.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while not peer.reader.at_eof():
            await peer.answer(b".")
            await asyncio.sleep(0.005)

    server = await provider(trickle)

    with pytest.raises(OutcomeUnknown) as caught:
        await read(await upstream.send(ask(server.url, total_s=0.1)))

    assert Reason.TOTAL_TIMEOUT == caught.value.reason


async def test_idle_timeout(upstream, provider, ask, read):
    """A body that stalls for idle_s is OutcomeUnknown, and the connection is closed."""
    server = await provider(answers_and_stalls(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"))

    with pytest.raises(OutcomeUnknown) as caught:
        await read(await upstream.send(ask(server.url, idle_s=0.05)))

    assert (Reason.IDLE_TIMEOUT, True) == (caught.value.reason, caught.value.timed_out)
    await asyncio.wait_for(server.peers[0].closed.wait(), 5)


@pytest.mark.parametrize(
    "text",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
    ],
    ids=["length", "chunked"],
)
async def test_cut_body(upstream, provider, ask, read, text):
    """A body shorter than announced is OutcomeUnknown after the head was delivered."""
    server = await provider(answers(text))
    answer = await upstream.send(ask(server.url))

    with pytest.raises(OutcomeUnknown) as caught:
        await read(answer)

    assert (200, Reason.CUT, False) == (answer.status, caught.value.reason, caught.value.timed_out)


async def test_broken_framing(upstream, provider, ask, read):
    """A chunked body that loses its framing is OutcomeUnknown after the head was delivered."""
    head_seen = asyncio.Event()

    async def script(peer):
        await peer.request()
        await peer.answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        await head_seen.wait()
        await peer.answer(b"5\r\nwhole\r\nnot a size\r\n")

    server = await provider(script)
    answer = await upstream.send(ask(server.url))
    head_seen.set()

    with pytest.raises(OutcomeUnknown) as caught:
        await read(answer)

    assert Reason.CUT == caught.value.reason


async def test_reset_in_the_body(upstream, provider, ask, read):
    """A connection reset in the middle of a body is OutcomeUnknown."""

    async def reset(peer):
        await peer.request()
        await peer.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
        linger_0 = struct.pack("ii", 1, 0)
        peer.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_0)
        peer.abort()

    server = await provider(reset)

    with pytest.raises(OutcomeUnknown):
        await read(await upstream.send(ask(server.url)))


@pytest.mark.parametrize(
    "text",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x00\xff" * 500,
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-Huge: " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: x\r\n" % n for n in range(5_000)) + b"\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    ],
    ids=["ssh", "binary", "status", "two-lengths", "negative", "huge-header", "many-headers", "upgrade"],
)
async def test_bad_answer(upstream, provider, ask, text):
    """What is no HTTP answer, or one without measure, is OutcomeUnknown: the request did arrive."""
    server = await provider(answers(text))

    with pytest.raises(OutcomeUnknown) as caught:
        await upstream.send(ask(server.url))

    assert Reason.BAD_ANSWER == caught.value.reason


@pytest.mark.parametrize(
    "over",
    [
        {"headers": (("X-A", "one\r\nX-B: two"),)},
        {"headers": (("X A\n", "one"),)},
        {"method": "PO ST"},
        {"url": "ftp://127.0.0.1/"},
        {"url": "http:///nowhere"},
        {"url": "http://127.0.0.1:99999/"},
        {"url": "no address"},
    ],
    ids=["value", "name", "method", "scheme", "no-host", "port", "relative"],
)
async def test_unsendable(upstream, provider, ask, over):
    """A request that cannot be written is NeverSent, and nothing of it reaches the provider."""
    server = await provider(never_answer)
    request = ask(**({"url": server.url} | over))

    with pytest.raises(NeverSent) as caught:
        await upstream.send(request)

    assert Reason.UNSENDABLE == caught.value.reason


async def test_not_open(ask):
    """A client that is not open, or closed again, is NeverSent."""
    upstream = Upstream()

    with pytest.raises(NeverSent) as caught:
        await upstream.send(ask("http://127.0.0.1/"))

    assert Reason.CLOSED == caught.value.reason


async def test_error_quotes_no_address(upstream, ask):
    """The error and what hangs on it never quote the address, whose query may hold a credential."""
    with pytest.raises(NeverSent) as caught:
        await upstream.send(ask(f"http://127.0.0.1:{unused_port()}/?key=s3cret"))

    assert (None, None) == (caught.value.__cause__, caught.value.__context__)
    assert "s3cret" not in repr(caught.value)


async def test_delivery_after_failure(upstream, provider, ask):
    """Delivery says after the fact that a request was sent, and that another was not."""
    server, sent, unsent = await provider(close_after_request), Delivery(), Delivery()

    with pytest.raises(OutcomeUnknown):
        await upstream.send(ask(server.url), sent)
    with pytest.raises(NeverSent):
        await upstream.send(ask(f"http://127.0.0.1:{unused_port()}/"), unsent)

    assert (True, False) == (sent.sent, unsent.sent)


async def test_any_bytes(upstream, provider, ask, read):
    """Whatever bytes a provider answers with, the result is an answer or an UpstreamError, never another exception."""
    chance = random.Random(20)
    whole = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n5\r\nhello\r\n0\r\n\r\n"

    async def script(peer):
        await peer.request()
        text = bytearray(whole[: chance.randrange(len(whole) + 1)])
        for _ in range(chance.randrange(4)):
            text.insert(chance.randrange(len(text) + 1), chance.randrange(256))
        cut = chance.randrange(len(text) + 1)
        await peer.answer(bytes(text[:cut]))
        await asyncio.sleep(0)
        await peer.answer(bytes(text[cut:]))

    server, outcomes = await provider(script), set()
    for _ in range(400):
        try:
            await read(await upstream.send(ask(server.url, idle_s=0.05)))
            outcomes.add("answer")
        except OutcomeUnknown as failure:
            outcomes.add(failure.reason)

    assert {"answer", Reason.BAD_ANSWER, Reason.DISCONNECTED, Reason.CUT} <= outcomes
