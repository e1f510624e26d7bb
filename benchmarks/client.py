"""One HTTP/1.1 connection of the load generator, and a single question over a connection of its own.

It does as little as it can: requests are bytes that were made before, of an answer the status and the size are read,
and its bytes are kept only where they are asked for. No redirects, no TLS, no pipelining.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import httptools

LOST: Final = 0
"""The status of a request whose connection ended before its answer was whole."""
ASK_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one question."""

    status: int
    headers: dict[str, str]
    body: bytes


class Connection(asyncio.Protocol):
    """One request at a time. `done(connection)` is called once for each, with `status` and `size` set."""

    __slots__ = (
        "_asked",
        "_parser",
        "body",
        "closed",
        "done",
        "due_s",
        "headers",
        "keep",
        "size",
        "status",
        "transport",
    )

    def __init__(self, done: Callable[["Connection"], None], *, keep: bool = False) -> None:
        self.done = done
        self.keep = keep
        self.closed = False
        self.status = LOST
        self.size = 0
        self.due_s = 0.0
        self.body: list[bytes] = []
        self.headers: dict[str, str] = {}
        self._asked = False
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def ask(self, *pieces: bytes) -> None:
        """Send one request."""
        self._asked, self.status, self.size = True, LOST, 0
        for piece in pieces:
            self.transport.write(piece)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.keep:
            self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, piece: bytes) -> None:
        self.size += len(piece)
        if self.keep:
            self.body.append(piece)

    def on_message_complete(self) -> None:
        self.status = self._parser.get_status_code()
        if not self._asked:  # nobody asked for this
            self.transport.abort()
            return
        self._asked = False
        if not self._parser.should_keep_alive():
            self.closed = True
            self.transport.close()
        self.done(self)

    def connection_lost(self, _error: Exception | None) -> None:
        self.closed = True
        if self._asked:
            self._asked, self.status = False, LOST
            self.done(self)


async def connect(url: str, done: Callable[[Connection], None], *, keep: bool = False) -> Connection:
    """A new connection to where the URL is. Raises OSError."""
    found = urlsplit(url)
    loop = asyncio.get_running_loop()
    host, port = found.hostname or "127.0.0.1", found.port or 80
    _, connection = await loop.create_connection(lambda: Connection(done, keep=keep), host, port)
    return connection


def message(method: str, url: str, body: bytes = b"", **headers: str) -> bytes:
    """A whole request. Names of headers with _ for -."""
    found = urlsplit(url)
    target = found.path + (f"?{found.query}" if found.query else "")
    lines = [f"{method} {target or '/'} HTTP/1.1", f"Host: {found.netloc}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


async def ask(method: str, url: str, body: bytes = b"", **headers: str) -> Answer:
    """One question over a connection of its own. Raises OSError, or TimeoutError after a minute."""
    answered = asyncio.Event()
    connection = await connect(url, lambda _: answered.set(), keep=True)
    try:
        async with asyncio.timeout(ASK_S):
            connection.ask(message(method, url, body, **headers))
            await answered.wait()
    finally:
        connection.transport.abort()
    if connection.status == LOST:
        raise ConnectionResetError(f"{method} {url}: the connection ended before the answer")
    return Answer(connection.status, connection.headers, b"".join(connection.body))
