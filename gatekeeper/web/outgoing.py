"""Answers of the data port: aiohttp's own, without its detours where nothing is special about an answer.

Plain is an answer over HTTP/1.1 with a length and a body: its head is made in one step, and leaves in one write with a
small body. Everything else (HEAD, 204 and 304, HTTP/1.0, no length) is left to aiohttp, as is writing itself: it
refuses a head with a control character in it. No time limit is kept here; `ClientSide` keeps those.
"""

from collections.abc import Iterable
from email.utils import formatdate
from http import HTTPStatus
from time import time
from typing import Final, cast

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import StreamWriter
from multidict import CIMultiDict

SERVER: Final = "gatekeeper"
"""Answers of our own say so, and not which library or Python wrote them."""

_BODILESS: Final = frozenset((*range(100, 200), 204, 304))
_BODILESS_METHODS: Final = frozenset((hdrs.METH_HEAD, hdrs.METH_CONNECT))

_STATUS_LINES: Final = {each.value: f"HTTP/1.1 {each.value} {each.phrase}" for each in HTTPStatus}


class _Plain(web.StreamResponse):
    """An answer that goes the short way where it is plain."""

    _writer: StreamWriter | None = None
    _keeps_alive: bool | None = None

    @property
    def keep_alive(self) -> bool | None:
        """Whether the connection stays; None as long as the head is not made."""
        said = super().keep_alive
        return self._keeps_alive if said is None else said

    async def write_eof(self, data: bytes = b"") -> None:
        """Ends the answer, with these bytes as its last."""
        if self._writer is None:
            await super().write_eof(data)
        else:
            await self._writer.write_eof(data)

    async def _begin(self, request: web.BaseRequest, length: int) -> StreamWriter:
        """Makes the head of a plain answer. It leaves with the first bytes of the body, or when it is sent."""
        writer = self._writer = cast("StreamWriter", request.writer)
        writer.length = length
        headers = self.headers
        headers[hdrs.CONTENT_LENGTH] = str(length)
        if length:
            headers.setdefault(hdrs.CONTENT_TYPE, "application/octet-stream")
        if hdrs.DATE not in headers:
            headers[hdrs.DATE] = _DATES[int(time())]
        headers.setdefault(hdrs.SERVER, SERVER)
        self._keeps_alive = super().keep_alive is None and request.keep_alive
        if not self._keeps_alive:
            headers.setdefault(hdrs.CONNECTION, "close")
        await writer.write_headers(_STATUS_LINES.get(self.status) or f"HTTP/1.1 {self.status} ", headers)
        return writer


class PassedOn(_Plain):
    """A provider's answer, to be written piece by piece. `length` None: it is not known."""

    def __init__(self, status: int, headers: CIMultiDict[str], length: int | None) -> None:
        super().__init__(status=status, headers=headers)
        self._stated = length

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Makes the head."""
        if self._writer is not None:
            return self._writer
        if self._stated is not None and is_plain(request, self.status):
            return await self._begin(request, self._stated)
        if not self.prepared:
            self.content_length = self._stated
        return await super().prepare(request)


class Whole(_Plain, web.Response):
    """An answer of our own: head and body in one write."""

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Makes the head."""
        if self._writer is not None:
            return self._writer
        if isinstance(self.body, bytes) and is_plain(request, self.status):
            return await self._begin(request, len(self.body))
        return await super().prepare(request)

    async def write_eof(self, data: bytes = b"") -> None:
        """Sends it."""
        plain = self.body if self._writer is not None and isinstance(self.body, bytes) else data
        await super().write_eof(plain)


class Ready(_Plain):
    """A small answer of our own that is bytes already, for a request whose answer is plain: only the length and the
    date are missing in its head."""

    def __init__(self, status: int, head: bytes, body: bytes) -> None:
        super().__init__(status=status)
        self._head = head
        self._body_bytes = body

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Finds out where it goes, and whether another one may follow."""
        self._keeps_alive = super().keep_alive is None and request.keep_alive
        self._writer = cast("StreamWriter", request.writer)
        return self._writer

    async def write_eof(self, data: bytes = b"") -> None:
        """Sends it."""
        body = self._body_bytes
        close = b"" if self._keeps_alive else b"Connection: close\r\n"
        ends = b"Content-Length: %d\r\nDate: %b\r\n%b\r\n" % (len(body), _DATES[int(time())].encode(), close)
        await super().write_eof(self._head + ends + body + data)


def head_bytes(status: int, headers: Iterable[tuple[str, str]]) -> bytes:
    """The beginning of a head, without its end. Raises ValueError for a header that nobody may write."""
    lines = [_STATUS_LINES.get(status) or f"HTTP/1.1 {status} "]
    lines += [f"{name}: {value}" for name, value in headers]
    if not all(line.isprintable() for line in lines):
        raise ValueError("a header has a control character in it")
    return "".join(f"{line}\r\n" for line in lines).encode()


def is_plain(request: web.BaseRequest, status: int) -> bool:
    """Whether an answer goes the short way. Of a bare server's request: that of an application may have hooks, which
    want to see the answer first."""
    return (
        type(request) is web.BaseRequest
        and request.version == HttpVersion11
        and status not in _BODILESS
        and request.method not in _BODILESS_METHODS
    )


class _Dates(dict[int, str]):
    """The date of this second, in words."""

    def __missing__(self, second: int) -> str:
        self.clear()
        date = self[second] = formatdate(second, usegmt=True)
        return date


_DATES: Final = _Dates()
