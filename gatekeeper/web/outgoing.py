"""Answers of the data port: aiohttp's own, without its detours where nothing is special about an answer.

Plain is an answer over HTTP/1.1 with a length and a body. Its head is one text, made in one step, which leaves in one
write with a small body, straight to the connection. Everything else (HEAD, 204 and 304, HTTP/1.0, no length) is left
to aiohttp. No time limit is kept here; `ClientSide` keeps those.
"""

import re
from collections.abc import Iterable, Sequence
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from time import time
from typing import Final

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.abc import AbstractStreamWriter

from gatekeeper.web.incoming import Request

SERVER: Final = "gatekeeper"
"""Answers of our own say so, and not which library or Python wrote them."""

_BARE: Final = (Request, web.BaseRequest)
"""Requests of a bare server."""

_BODILESS: Final = frozenset((*range(100, 200), 204, 304))
_BODILESS_METHODS: Final = frozenset((hdrs.METH_HEAD, hdrs.METH_CONNECT))

_STATUS_LINES: Final = {each.value: f"HTTP/1.1 {each.value} {each.phrase}".encode() for each in HTTPStatus}
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_CLOSES: Final = b"Connection: close\r\n"


class Sent(web.StreamResponse):
    """An answer that is written to the connection already, or is being written by somebody else: whoever serves the
    connection only has to know whether another may follow."""

    _eof_sent = True

    def __init__(self, status: int, *, keep_alive: bool) -> None:
        # Not the base's own: what it makes is for an answer that is yet to be written.
        self._status = status
        self._keep_alive = keep_alive


class PassedOn(web.StreamResponse):
    """A provider's answer with these lines in its head that is not plain. `length` None: it is not known."""

    def __init__(self, status: int, lines: Sequence[bytes], length: int | None) -> None:
        super().__init__(status=status)
        for line in lines:
            name, _, value = line.decode().partition(": ")
            self.headers.add(name, value)
        self.content_length = length


class Whole(web.Response):
    """An answer of our own: head and body in one write."""

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Sends it, where it is plain; else makes the head."""
        if self._eof_sent or not isinstance(self.body, bytes) or not is_plain(request, self.status):
            return await super().prepare(request)
        lines = [f"{name}: {value}".encode() for name, value in self.headers.items()]
        keeps = self.keep_alive is not False and request.keep_alive
        put(request, plain_head(self.status, lines, len(self.body), keep_alive=keeps) + self.body)
        self._eof_sent, self._keep_alive = True, keeps
        await request.writer.drain()
        return request.writer


def is_plain(request: web.BaseRequest, status: int) -> bool:
    """Whether an answer goes the short way. Of a bare server's request: that of an application may have hooks, which
    want to see the answer first."""
    return (
        type(request) in _BARE
        and request.version == HttpVersion11
        and status not in _BODILESS
        and request.method not in _BODILESS_METHODS
    )


def plain_head(status: int, lines: Sequence[bytes], length: int, *, keep_alive: bool) -> bytes:
    """The head of a plain answer, these lines in it. Raises ValueError for a line that would begin another."""
    text = _begin(status, lines)
    lower = text.lower()
    # Not `in`: that takes what it looks for for a number first, which costs more than to look.
    if length and lower.find(b"\r\ncontent-type:") < 0:
        text += b"Content-Type: application/octet-stream\r\n"
    if lower.find(b"\r\ndate:") < 0:
        text += _DATES[int(time())]
    if lower.find(b"\r\nserver:") < 0:
        text += _SERVER_LINE
    if not keep_alive and lower.find(b"\r\nconnection:") < 0:
        text += _CLOSES
    return b"%bContent-Length: %d\r\n\r\n" % (text, length)


def as_bytes(answer: web.Response) -> bytes:
    """A small answer whole, for a connection that nobody serves: it is the last there."""
    body = answer.body if isinstance(answer.body, bytes) else b""
    lines = [f"{name}: {value}".encode() for name, value in answer.headers.items()]
    return plain_head(answer.status, lines, len(body), keep_alive=False) + body


def head_of(status: int, headers: Iterable[tuple[str, str]]) -> bytes:
    """The beginning of a head. Raises ValueError for a header that would begin another."""
    return _begin(status, [f"{name}: {value}".encode() for name, value in headers])


def _begin(status: int, lines: Sequence[bytes]) -> bytes:
    if _CONTROL.search(b"".join(lines)):
        raise ValueError("a control character in a header")
    return b"\r\n".join((_STATUS_LINES.get(status) or b"HTTP/1.1 %d " % status, *lines, b""))


def put_ready(request: web.BaseRequest, status: int, beginning: bytes, body: bytes) -> Sent:
    """Sends an answer of our own, which is plain, and whose head is there but for its length and its date. Nothing is
    raised when the client is gone."""
    keeps = request.keep_alive
    ends = b"\r\n" if keeps else b"Connection: close\r\n\r\n"
    try:
        put(request, b"%bContent-Length: %d\r\n%b%b%b" % (beginning, len(body), _DATES[int(time())], ends, body))
    except ConnectionError:
        keeps = False
    return _sent(status, keeps)


def put_whole(request: web.BaseRequest, status: int, lines: Sequence[bytes], body: bytes) -> Sent | None:
    """Sends an answer with these lines in its head, where it is plain and nothing waits to be written before it; None:
    nothing was sent. Nothing is raised when the client is gone, but ValueError for a line that would begin another.
    Whoever serves the connection waits until it is taken."""
    if not is_plain(request, status) or request.protocol.writing_paused:
        return None
    keeps = request.keep_alive
    try:
        put(request, plain_head(status, lines, len(body), keep_alive=keeps) + body)
    except ConnectionError:
        keeps = False
    return _sent(status, keeps)


@lru_cache(maxsize=128)
def _sent(status: int, keeps: bool) -> Sent:
    """Of what is sent there is no more to know, so that one is as good as another."""
    return Sent(status, keep_alive=keeps)


def put(request: web.BaseRequest, data: bytes) -> None:
    """Writes to the connection. Raises ConnectionError when it is gone."""
    transport = request.protocol.transport
    if transport is None or transport.is_closing():
        raise ConnectionResetError("the client is gone")
    if type(request) is Request:
        request.has_begun = True
    else:
        request.writer.output_size += len(data)
    transport.write(data)


class _Dates(dict[int, bytes]):
    """The line with the date of this second."""

    def __missing__(self, second: int) -> bytes:
        self.clear()
        date = self[second] = b"Date: %b\r\n" % formatdate(second, usegmt=True).encode()
        return date


_DATES: Final = _Dates()
_SERVER_LINE: Final = f"Server: {SERVER}\r\n".encode()
