"""What goes out and what comes back: the same bytes, and nothing that we did not mean to add."""

import gzip

import pytest

from gatekeeper.upstream.failure import NeverSent, Reason
from gatekeeper.upstream.messages import Delivery

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Recorder:
    """Keeps what each connection asked and answers with the given text, as often as asked."""

    def __init__(self, text=OK):
        self.text = text
        self.requests = []

    async def __call__(self, peer):
        while True:
            self.requests.append(await peer.request())
            await peer.answer(self.text)


async def test_head_is_exact(upstream, provider, ask, read):
    """The head holds the given address and headers as they are, Host, Content-Length, and nothing else."""
    recorder = Recorder()
    server = await provider(recorder)
    headers = (("x-Later", "1"), ("Accept-Encoding", "identity"), ("X-A", "ü"), ("x-later", "2"), ("X-Later", "3"))

    await read(await upstream.send(ask(f"{server.url}/v1//a/../b%2fc?q=%7e+1&q&=#x", headers=headers)))

    expected = (
        f"POST /v1//a/../b%2fc?q=%7e+1&q&= HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nx-Later: 1\r\n"
        "Accept-Encoding: identity\r\nX-A: ü\r\nx-later: 2\r\nX-Later: 3\r\nContent-Length: 2\r\n\r\n{}"
    )
    assert [expected.encode()] == recorder.requests


@pytest.mark.parametrize("body", [(), (b"",), (b"", b"")])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_empty_body(upstream, provider, ask, read, method, body):
    """A method that may carry a body states the length 0 of an empty one, and is not chunked."""
    recorder = Recorder()
    server = await provider(recorder)

    await read(await upstream.send(ask(server.url, method=method, body=body)))

    head = f"{method} / HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nContent-Length: 0\r\n\r\n"
    assert [head.encode()] == recorder.requests


@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
async def test_no_body(upstream, provider, ask, read, method):
    """A method without a body states no length."""
    recorder = Recorder()
    server = await provider(recorder)

    await read(await upstream.send(ask(server.url, method=method, body=())))

    assert [f"{method} / HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode()] == recorder.requests


async def test_framing_headers_are_ours(upstream, provider, ask, read):
    """Headers that would contradict the framing are left out."""
    recorder = Recorder()
    server = await provider(recorder)
    framing = ("content-length", "99"), ("Transfer-Encoding", "chunked"), ("EXPECT", "100-continue"), ("Upgrade", "h2c")

    await read(await upstream.send(ask(server.url, headers=framing)))

    head = f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nContent-Length: 2\r\n\r\n{{}}"
    assert [head.encode()] == recorder.requests


async def test_body_in_pieces(upstream, provider, ask, read):
    """A body given in pieces of any size arrives whole, in order, with its exact length."""
    recorder = Recorder()
    server = await provider(recorder)
    body = (b"a", b"", bytes(range(256)) * 4096, b"z" * 65536, b"end")

    await read(await upstream.send(ask(server.url, body=body)))

    sent = recorder.requests[0].partition(b"\r\n\r\n")
    assert b"Content-Length: %d" % sum(map(len, body)) in sent[0]
    assert b"".join(body) == sent[2]


class UnreadableBody(list):
    """Its length can be taken, once; then its pieces cannot be read."""

    reads = 0

    def __iter__(self):
        self.reads += 1
        if self.reads > 1:
            raise ConnectionAbortedError
        return super().__iter__()


async def test_unreadable_body(upstream, provider, ask):
    """A body that cannot be read is found before the first byte is written."""
    server = await provider(Recorder())

    with pytest.raises(NeverSent) as caught:
        await upstream.send(ask(server.url, body=UnreadableBody([b"x"])))

    assert (Reason.UNSENDABLE, "ConnectionAbortedError", []) == (caught.value.reason, caught.value.detail, server.peers)


@pytest.mark.parametrize("status", [200, 201, 302, 307, 402, 429, 500, 503])
async def test_every_status_is_an_answer(upstream, provider, ask, read, status):
    """Redirects and errors are answers, returned and not followed."""
    recorder = Recorder(b"HTTP/1.1 %d X\r\nLocation: /elsewhere\r\nContent-Length: 2\r\n\r\nok" % status)
    server = await provider(recorder)
    answer = await upstream.send(ask(server.url))

    assert (status, b"ok", 1) == (answer.status, await read(answer), len(recorder.requests))


async def test_early_answer(upstream, provider, ask, read):
    """An answer that comes while the body is still going out is delivered, and its connection is not used again."""

    async def too_large(peer):
        await peer.head()
        await peer.answer(b"HTTP/1.1 413 Too Large\r\nContent-Length: 9\r\n\r\ntoo large")
        await peer.closed.wait()

    server = await provider(too_large)
    request = ask(server.url, body=(bytes(20_000_000),))

    for _ in range(2):
        answer = await upstream.send(request)
        assert (413, b"too large") == (answer.status, await read(answer))
    assert 2 == len(server.peers)


async def test_early_answer_and_close(upstream, provider, ask, read):
    """An early answer followed by a close, as many servers do it, is delivered too."""

    async def too_large(peer):
        await peer.head()
        await peer.answer(b"HTTP/1.1 413 Too Large\r\nContent-Length: 9\r\nConnection: close\r\n\r\ntoo large")
        peer.writer.write_eof()
        await peer.until_closed()

    server = await provider(too_large)
    answer = await upstream.send(ask(server.url, body=(bytes(20_000_000),)))

    assert (413, b"too large") == (answer.status, await read(answer))


async def test_raw_headers(upstream, provider, ask):
    """Response headers keep order, case, duplicates and bytes outside ASCII and UTF-8."""
    headers = ((b"X-B", b"1"), (b"x-b", b"caf\xe9"), (b"A", b""), (b"X-B", b"1"), (b"Content-Length", b"0"))
    head = b"".join(b"%s: %s\r\n" % header for header in headers)
    server = await provider(Recorder(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n"))

    async with await upstream.send(ask(server.url)) as answer:
        assert (headers, 0) == (answer.raw_headers, answer.content_length)


@pytest.mark.parametrize("encoding", [b"gzip", b"br", b"zstd", b"unheard-of"])
async def test_nothing_is_unpacked(upstream, provider, ask, read, encoding):
    """A compressed answer passes byte for byte, whatever its encoding claims to be."""
    body = gzip.compress(b"image" * 1000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (encoding, len(body))
    server = await provider(Recorder(head + body))

    assert body == await read(await upstream.send(ask(server.url)))


async def test_chunked_answer(upstream, provider, ask, read):
    """A chunked answer is joined; it announces no length."""
    text = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nTrailer: 1\r\n\r\n"
    )
    server = await provider(Recorder(text))
    answer = await upstream.send(ask(server.url))

    assert (None, b"hello world") == (answer.content_length, await read(answer))


async def test_body_until_close(upstream, provider, ask, read):
    """An answer without length ends with its connection."""

    async def script(peer):
        await peer.request()
        await peer.answer(b"HTTP/1.0 200 OK\r\n\r\nall of it")

    server = await provider(script)

    assert b"all of it" == await read(await upstream.send(ask(server.url)))


@pytest.mark.parametrize(
    ("method", "text", "length"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n", 1234),
        ("DELETE", b"HTTP/1.1 204 No Content\r\n\r\n", None),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n", None),
    ],
)
async def test_answer_without_body(upstream, provider, ask, read, method, text, length):
    """An answer that has no body by definition ends at once, and its connection is used again."""
    server = await provider(Recorder(text))

    for _ in range(2):
        answer = await upstream.send(ask(server.url, method=method, body=()))
        assert (length, b"") == (answer.content_length, await read(answer))
    assert 1 == len(server.peers)


async def test_interim_answers_are_skipped(upstream, provider, ask, read):
    """100 and 103 before the answer are not the answer."""
    server = await provider(Recorder(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + OK))

    assert b"ok" == await read(await upstream.send(ask(server.url)))


async def test_cookies_are_forgotten(upstream, provider, ask, read):
    """A cookie that one answer sets is not sent with the next request."""
    recorder = Recorder(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 0\r\n\r\n")
    server = await provider(recorder)

    for _ in range(2):
        await read(await upstream.send(ask(server.url)))

    assert recorder.requests[0] == recorder.requests[1]


async def test_environment_is_not_trusted(upstream, provider, ask, read, monkeypatch):
    """HTTP_PROXY in the environment is not honoured."""
    recorder = Recorder()
    server = await provider(recorder)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")

    assert b"ok" == await read(await upstream.send(ask(server.url)))


async def test_delivery_of_a_success(upstream, provider, ask, read):
    """Delivery says `sent` once the request went out."""
    delivery = Delivery()
    server = await provider(Recorder())

    await read(await upstream.send(ask(server.url), delivery))

    assert delivery.sent
