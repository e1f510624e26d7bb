"""One connection without a socket: the test writes what the provider would, and sees what the gateway does."""

import asyncio
from dataclasses import dataclass, field

from gatekeeper.upstream.answer import Answer
from gatekeeper.upstream.connection import Connection
from gatekeeper.upstream.failure import UpstreamError
from gatekeeper.upstream.messages import Delivery, RawHeaders, Timeouts


@dataclass
class Transport:
    """Takes everything at once and keeps it."""

    written: bytearray = field(default_factory=bytearray)
    closed: bool = False
    reading: bool = True

    def write(self, data: bytes) -> None:
        self.written += data

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


@dataclass
class Home:
    """Counts what comes back."""

    released: int = 0
    forgotten: int = 0

    def release(self, connection: Connection) -> None:
        self.released += 1

    def forget(self, connection: Connection) -> None:
        self.forgotten += 1

    def watch(self, limit_at: float) -> None:
        pass


@dataclass(frozen=True)
class Seen:
    """What became of an exchange. Without a head, `status` is 0; `failure` is "" for an answer that came whole."""

    status: int
    headers: RawHeaders
    body: bytes
    failure: str
    reused: bool


class Wire:
    """A connection with a request on its way. Needs a running loop."""

    def __init__(self, method: str = "POST") -> None:
        self.home, self.transport = Home(), Transport()
        self.connection = Connection(self.home)
        self.connection.connection_made(self.transport)  # type: ignore[arg-type]
        self.answer = self.ask(method)

    def ask(self, method: str = "POST") -> Answer:
        """Sends another request on it."""
        self.answer = Answer(asyncio.get_running_loop(), Delivery(), Timeouts())
        self.connection.begin(self.answer, b"request", (), no_body=method == "HEAD")
        return self.answer

    def feed(self, *pieces: bytes) -> None:
        """As the event loop does it: nothing after the end, nothing while it is not to read."""
        for piece in pieces:
            if piece and not self.transport.closed:
                self.connection.data_received(piece)

    def end(self) -> None:
        """The provider closes."""
        if not self.transport.closed:
            self.connection.eof_received()
        self.connection.connection_lost(None)

    async def seen(self) -> Seen:
        """Reads what is there to its end, which must have come."""
        body, failure = bytearray(), ""
        try:
            if not self.answer.status and self.answer.broken:
                raise self.answer.broken
            async for piece in self.answer.chunks():
                body += piece
        except UpstreamError as error:
            failure = error.reason.value
        reused = self.home.released > 0 and not self.transport.closed
        return Seen(self.answer.status, self.answer.raw_headers, bytes(body), failure, reused)


async def outcome(*pieces: bytes, method: str = "POST", ends: bool = True) -> Seen:
    """What becomes of an exchange in which these pieces come, one by one, and then the end."""
    wire = Wire(method)
    wire.feed(*pieces)
    reused = wire.home.released > 0 and not wire.transport.closed
    if ends:
        wire.end()
    seen = await wire.seen()
    return Seen(seen.status, seen.headers, seen.body, seen.failure, reused)
