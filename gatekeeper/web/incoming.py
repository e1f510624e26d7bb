"""A request on the data port: aiohttp's own, of which what is asked for with every request is there at once.

The library works each of these out when it is first asked, in a function and with a place in a dictionary, and makes
beside each request the writer for an answer; an answer that is plain needs none.
"""

from typing import Any

from aiohttp import HttpVersion, StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import RawRequestMessage, StreamWriter
from multidict import CIMultiDictProxy


class Request(web.BaseRequest):
    """The same, and `has_begun`: whether something of its answer was written, past the library's writer."""

    __slots__ = (
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
        self.has_begun = False
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
        self.raw_headers, self.keep_alive = message.raw_headers, not message.should_close

    @property
    def _payload_writer(self) -> AbstractStreamWriter:
        writer = self._own_writer
        if writer is None:
            writer = self._own_writer = StreamWriter(self._protocol, self._loop)
        return writer

    @_payload_writer.setter
    def _payload_writer(self, writer: AbstractStreamWriter) -> None:
        self._own_writer = writer
