"""Answers leave with the head that HTTP wants, by the short way and by aiohttp's own."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer

from gatekeeper.clock import SystemClock
from gatekeeper.proxy.client_side import ClientSide
from gatekeeper.web.outgoing import Whole, put_whole
from tests.cases import each_case

KEPT_S = 0.05
"""How long a connection is kept without a request."""

Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


async def told(handle: Handle, request: bytes) -> tuple[str, dict[str, str], bytes]:
    """Status line, headers by name, and all else that came until the connection closed, soon after the last answer."""
    server = RawTestServer(handle)
    await server.start_server(keepalive_timeout=KEPT_S)
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(request)
    head, _, rest = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await server.close()
    line, *headers = head.decode().split("\r\n")
    return line, dict(header.split(": ", 1) for header in headers), rest


def asks(method: str = "GET", version: str = "1.1", *headers: str) -> bytes:
    return "\r\n".join((f"{method} / HTTP/{version}", "Host: gw", *headers, "", "")).encode()


def passing(status: int, length: int | None, *pieces: bytes, **headers: str) -> Handle:
    """Passes a provider's answer on, piece by piece."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        lines = [f"{name.replace('_', '-')}: {value}".encode() for name, value in headers.items()]
        client = ClientSide(request, status, lines, length, SystemClock(), write_timeout_s=5, total_s=5)
        await client.begin()
        for piece in pieces[:-1]:
            await client.write(piece)
        await client.end(pieces[-1] if pieces else b"")
        return client.response

    return handle


def sending(status: int, body: bytes) -> Handle:
    """Passes a small answer on whole."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        client = ClientSide(request, status, [], len(body), SystemClock(), write_timeout_s=5, total_s=5)
        await client.send(body)
        return client.response

    return handle


def at_once(status: int, body: bytes) -> Handle:
    """The same past all that waits, where that can be. A provider that is asked by HEAD has said no body."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        pieces = [] if request.method == "HEAD" else [body]
        return put_whole(request, status, [], body) or await passing(status, len(body), *pieces)(request)

    return handle


async def own(request: web.BaseRequest) -> web.StreamResponse:
    return Whole(status=402, body=b"no", headers={"Content-Type": "text/plain"})


@each_case("handle", [own, sending(402, b"no"), at_once(402, b"no"), passing(402, 2, b"n", b"o")])
async def test_a_plain_answer_states_its_length_and_says_who_wrote_it(handle: Handle) -> None:
    """Length, type, date and server stand in every head, whichever way it is written."""
    line, headers, body = await told(handle, asks())

    assert ("HTTP/1.1 402 Payment Required", "2", "gatekeeper", b"no") == (
        line, headers["Content-Length"], headers["Server"], body,
    )  # fmt: skip
    assert {"Date", "Content-Type"} < headers.keys()


async def test_headers_of_the_provider_stay_as_they_are() -> None:
    """What the provider said of itself is not said anew."""
    _, headers, _ = await told(passing(200, 2, b"ok", Date="then", Server="theirs", Content_Type="a/b"), asks())

    assert {"Date": "then", "Server": "theirs", "Content-Type": "a/b", "Content-Length": "2"} == headers


@each_case(("status", "length"), [(204, None), (304, None), (204, 0)])
async def test_an_answer_without_a_body_has_none(status: int, length: int | None) -> None:
    """Neither a length nor a chunk follows a status that forbids a body."""
    line, headers, body = await told(passing(status, length), asks())

    assert str(status) == line.split(" ")[1]
    assert (b"", set()) == (body, headers.keys() & {"Content-Length", "Transfer-Encoding"})


@each_case("handle", [own, passing(200, 2), at_once(200, b"ok")])
async def test_head_gets_no_body(handle: Handle) -> None:
    """The length is that of the answer which GET would get."""
    _, headers, body = await told(handle, asks("HEAD"))

    assert ("2", b"") == (headers["Content-Length"], body)


async def test_an_answer_of_unknown_length_is_chunked() -> None:
    """Piece by piece, with the mark of its end."""
    _, headers, body = await told(passing(200, None, b"ab", b"c"), asks())

    assert ("chunked", b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n") == (headers["Transfer-Encoding"], body)


@each_case("handle", [own, sending(200, b"ok"), at_once(200, b"ok")])
async def test_a_client_that_wants_to_close_is_told_so(handle: Handle) -> None:
    """`Connection: close` is answered in kind."""
    _, headers, body = await told(handle, asks("GET", "1.1", "Connection: close"))

    assert ("close", 2) == (headers["Connection"], len(body))


@each_case("handle", [own, at_once(402, b"no")])
async def test_a_client_of_the_old_kind_is_answered(handle: Handle) -> None:
    """HTTP/1.0 closes unless it is asked not to."""
    line, headers, body = await told(handle, asks("GET", "1.0"))

    assert (b"no", None) == (body, headers.get("Connection"))
    assert line.endswith("402 Payment Required")


@pytest.mark.parametrize("handle", [own, sending(200, b""), at_once(200, b""), passing(200, 3, b"abc")])
async def test_a_kept_connection_takes_the_next_request(handle: Handle) -> None:
    """Two requests, two answers."""
    _, _, rest = await told(handle, asks() + asks())

    assert 1 == rest.count(b"HTTP/1.1 ")


async def test_nothing_is_put_behind_what_nobody_reads() -> None:
    """Whoever does not take what was written gets no more at once: that is for who waits, with a limit."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        request.protocol.pause_writing()
        sent = put_whole(request, 200, [], b"unread")
        request.protocol.resume_writing()
        return sent or await own(request)

    line, _, body = await told(handle, asks())

    assert ("HTTP/1.1 402 Payment Required", b"no") == (line, body)


async def test_a_header_that_would_begin_another_is_refused() -> None:
    """A line break in a value ends the connection, and never stands in an answer."""
    line, headers, _ = await told(passing(200, 2, b"ok", X_A="a\r\nX-B: b"), asks())

    assert "200" not in line
    assert "X-B" not in headers
