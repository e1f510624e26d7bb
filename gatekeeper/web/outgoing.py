"""Answers of the data port: aiohttp's own, without its detours where nothing is special about an answer.

Plain is an answer over HTTP/1.1 with a length and a body. Its head is one text, made in one step, which leaves in one
write with a small body, straight to the connection. Everything else (HEAD, 204 and 304, HTTP/1.0, no length) is left
to aiohttp. No time limit is kept here; `ClientSide` keeps those.
"""

from collections.abc import Iterable, Sequence
from email.utils import formatdate
from http import HTTPStatus
from time import time
from typing import Final

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.abc import AbstractStreamWriter

SERVER: Final = "gatekeeper"
"""Answers of our own say so, and not which library or Python wrote them."""

_BODILESS: Final = frozenset((*range(100, 200), 204, 304))
_BODILESS_METHODS: Final = frozenset((hdrs.METH_HEAD, hdrs.METH_CONNECT))

_STATUS_LINES: Final = {each.value: f"HTTP/1.1 {each.value} {each.phrase}".encode() for each in HTTPStatus}
_CONTROLS: Final = bytes({*range(32), 127} - {9})


class _Plain(web.StreamResponse):
    """An answer that goes the short way where it is plain."""

    _short = False
    _keeps_alive: bool | None = None

    @property
    def keep_alive(self) -> bool | None:
        """Whether the connection stays; None as long as the head is not made."""
        said = super().keep_alive
        return self._keeps_alive if said is None else said

    def _head(self, request: web.BaseRequest, lines: Sequence[bytes], length: int) -> bytes:
        """The head of a plain answer, these lines in it. Raises ValueError for a line that would begin another."""
        text = _begin(self.status, lines) + b"Content-Length: %d\r\n" % length
        self._short = True
        lower = text.lower()
        if length and b"\r\ncontent-type:" not in lower:
            text += b"Content-Type: application/octet-stream\r\n"
        if b"\r\ndate:" not in lower:
            text += _DATES[int(time())]
        if b"\r\nserver:" not in lower:
            text += _SERVER_LINE
        self._keeps_alive = super().keep_alive is None and request.keep_alive
        if not self._keeps_alive and b"\r\nconnection:" not in lower:
            text += b"Connection: close\r\n"
        return text + b"\r\n"


class PassedOn(_Plain):
    """A provider's answer with these lines in its head, to be written piece by piece. `length` None: it is not known.

    Who writes it asks for `short_head` first.
    """

    def __init__(self, status: int, lines: Sequence[bytes], length: int | None) -> None:
        super().__init__(status=status)
        self._lines = lines
        self._stated = length

    def short_head(self, request: web.BaseRequest) -> bytes | None:
        """The head of a plain answer: whoever takes it writes it, and the body, to the connection. None: not plain."""
        if self._stated is None or not is_plain(request, self.status):
            return None
        return self._head(request, self._lines, self._stated)

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Makes the head, where that is not done."""
        if self._short:
            return request.writer
        if not self.prepared:
            for line in self._lines:
                name, _, value = line.decode().partition(": ")
                self.headers.add(name, value)
            self.content_length = self._stated
        return await super().prepare(request)

    async def write_eof(self, data: bytes = b"") -> None:
        """Ends the answer, where whoever writes it does not."""
        if not self._short:
            await super().write_eof(data)


class Whole(_Plain, web.Response):
    """An answer of our own: head and body in one write."""

    _begun: tuple[web.BaseRequest, bytes] | None = None

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Makes the head."""
        if self._short:
            return request.writer
        if isinstance(self.body, bytes) and is_plain(request, self.status):
            lines = [f"{name}: {value}".encode() for name, value in self.headers.items()]
            self._begun = request, self._head(request, lines, len(self.body))
            return request.writer
        return await super().prepare(request)

    async def write_eof(self, data: bytes = b"") -> None:
        """Sends it."""
        if not self._short:
            await super().write_eof(data)
        elif self._begun is not None and isinstance(self.body, bytes):
            request, head = self._begun
            self._begun = None
            put(request, head + self.body)
            await request.writer.drain()


class Ready(_Plain):
    """A small answer of our own that is bytes already, for a request whose answer is plain: only length and date are
    missing in its head, which `head_of` made."""

    _asked: web.BaseRequest | None = None

    def __init__(self, status: int, head: bytes, body: bytes) -> None:
        super().__init__(status=status)
        self._beginning = head
        self._whole = body

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Finds out where it goes, and whether another one may follow."""
        if not self._short:
            self._short, self._asked = True, request
            self._keeps_alive = super().keep_alive is None and request.keep_alive
        return request.writer

    async def write_eof(self, data: bytes = b"") -> None:  # noqa: ARG002  # the signature is aiohttp's own
        """Sends it."""
        request, self._asked = self._asked, None
        if request is not None:
            ends = b"\r\n" if self._keeps_alive else b"Connection: close\r\n\r\n"
            length = b"Content-Length: %d\r\n" % len(self._whole)
            put(request, b"".join((self._beginning, length, _DATES[int(time())], ends, self._whole)))
            await request.writer.drain()


def head_of(status: int, headers: Iterable[tuple[str, str]]) -> bytes:
    """The beginning of a head. Raises ValueError for a header that would begin another."""
    return _begin(status, [f"{name}: {value}".encode() for name, value in headers])


def _begin(status: int, lines: Sequence[bytes]) -> bytes:
    plain = b"".join(lines)
    if len(plain.translate(None, _CONTROLS)) != len(plain):
        raise ValueError("a control character in a header")
    return b"\r\n".join((_STATUS_LINES.get(status) or b"HTTP/1.1 %d " % status, *lines, b""))


def as_bytes(answer: web.Response) -> bytes:
    """A small answer whole, for a connection that nobody serves: it is the last there."""
    body = answer.body if isinstance(answer.body, bytes) else b""
    head = head_of(answer.status, answer.headers.items())
    return b"".join((head, b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body), body))


def put(request: web.BaseRequest, data: bytes) -> None:
    """Writes to the connection. Raises ConnectionError when it is gone."""
    transport = request.transport
    if transport is None or transport.is_closing():
        raise ConnectionResetError("the client is gone")
    request.writer.output_size += len(data)
    transport.write(data)


def is_plain(request: web.BaseRequest, status: int) -> bool:
    """Whether an answer goes the short way. Of a bare server's request: that of an application may have hooks, which
    want to see the answer first."""
    return (
        type(request) is web.BaseRequest
        and request.version == HttpVersion11
        and status not in _BODILESS
        and request.method not in _BODILESS_METHODS
    )


class _Dates(dict[int, bytes]):
    """The line with the date of this second."""

    def __missing__(self, second: int) -> bytes:
        self.clear()
        date = self[second] = b"Date: %b\r\n" % formatdate(second, usegmt=True).encode()
        return date


_DATES: Final = _Dates()
_SERVER_LINE: Final = f"Server: {SERVER}\r\n".encode()
