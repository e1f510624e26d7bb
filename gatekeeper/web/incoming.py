"""A request on the data port: aiohttp's own, of which what is asked for with every request is there at once.

The library works each of these out when it is first asked, in a function and with a place in a dictionary, and makes
beside each request the writer for an answer; an answer that is plain needs none.
"""

from typing import Any, Final

from aiohttp import HttpVersion, HttpVersion11, StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.hdrs import EXPECT
from aiohttp.http import RawRequestMessage, StreamWriter
from multidict import CIMultiDictProxy

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


def body_at_hand(request: web.BaseRequest, bytes_max: int) -> bytes | None:
    """The body, taken out, where all of it has come and is no larger; None where it is to be waited for, or failed."""
    content: Any = request.content
    if content.total_bytes > bytes_max:
        return None
    if type(content) is StreamReader and len(content._buffer) == 1 and not content._buffer_offset:  # noqa: SLF001
        if not content._eof or content._exception is not None:  # noqa: SLF001
            return None
        # Nothing more comes that would have to be let in again, and nobody waits for it.
        content._size = 0  # noqa: SLF001
        body: bytes = content._buffer.popleft()  # noqa: SLF001
        return body
    if not content.is_eof() or content.exception() is not None:
        return None
    return request.content.read_nowait() if content.total_bytes else b""


class Request(web.BaseRequest):
    """The same, and `has_begun`: whether something of its answer was written, past the library's writer.

    One that waits to be told to go on with its body may never send it when it is not: then its answer is the last of
    its connection, for nobody knows where another request would begin (RFC 9110, 10.1.1).
    """

    __slots__ = (
        "_awaits_leave",
        "_is_last",
        "_own_writer",
        "content",
        "has_begun",
        "headers",
        "keep_alive",
        "method",
        "protocol",
        "raw_headers",
        "raw_path",
        "version",
    )

    content: StreamReader
    headers: CIMultiDictProxy[str]
    keep_alive: bool
    method: str
    protocol: web.RequestHandler
    raw_headers: tuple[tuple[bytes, bytes], ...]
    raw_path: str
    version: HttpVersion

    _client_max_size = 1024**2
    _client_max_fields = 1000

    def __init__(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: web.RequestHandler,
        writer: AbstractStreamWriter | None,
        task: Any,
    ) -> None:
        """`writer` None: one is made when somebody asks for it."""
        self._own_writer = writer
        self._is_last = self.has_begun = False
        if message.url.absolute:
            loop = protocol._loop  # noqa: SLF001
            super().__init__(message, payload, protocol, writer or StreamWriter(protocol, loop), task, loop)
        else:
            # All that the base sets, in its way.
            self._message, self._protocol, self._payload = message, protocol, payload
            self._headers, self._method, self._version = message.headers, message.method, message.version
            self._rel_url, self._cache, self._state = message.url, {}, {}
            self._task, self._loop = task, protocol._loop  # noqa: SLF001
            self._transport_sslcontext = protocol.ssl_context
            self._transport_peername, self._transport_sockname = protocol.peername, protocol.sockname
        self.content, self.headers, self.protocol = payload, message.headers, protocol
        self.method, self.raw_path, self.version = message.method, message.path, message.version
        self._awaits_leave = not payload.is_eof() and _awaits_leave(message)
        self.raw_headers, self.keep_alive = message.raw_headers, not (message.should_close or self._awaits_leave)

    def be_last(self) -> None:
        """No other may follow on its connection, and its answer says so."""
        self._is_last, self.keep_alive = True, False

    def go_on(self) -> None:
        """Its body will be read: tells that to a client that waits for it."""
        if self._awaits_leave:
            self._awaits_leave, self.keep_alive = False, not (self._message.should_close or self._is_last)
            if self.transport is not None:
                self.transport.write(CONTINUE)

    @property
    def _payload_writer(self) -> AbstractStreamWriter:
        writer = self._own_writer
        if writer is None:
            writer = self._own_writer = StreamWriter(self._protocol, self._loop)
        return writer

    @_payload_writer.setter
    def _payload_writer(self, writer: AbstractStreamWriter) -> None:
        self._own_writer = writer


def _awaits_leave(message: RawRequestMessage) -> bool:
    headers = message.headers
    return EXPECT in headers and headers[EXPECT].lower() == "100-continue" and message.version >= HttpVersion11
