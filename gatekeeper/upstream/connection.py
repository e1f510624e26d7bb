"""The part that knows when a byte may have left: aiohttp's connector and request body, with a record of both.

aiohttp tells what went wrong, not whether anything was written before. Two of its public seams do: `connect` is
called before every attempt, `Payload.write` writes the first byte (the head leaves together with the body's first
piece). The body also declares itself used up from the start, which is aiohttp's own reason never to send it again:
it would otherwise resend GET, PUT and DELETE when a kept connection turns out dead.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import aiohttp
from aiohttp import hdrs, payload
from aiohttp.abc import AbstractStreamWriter

from gatekeeper.upstream.failure import NeverSent, OutcomeUnknown, Reason
from gatekeeper.upstream.messages import Delivery, Timeouts

if TYPE_CHECKING:
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

# Large enough to cost few system calls, small enough that what waits in the transport stays small.
PIECE_BYTES = 64 * 1024
# Kept connections may have died or been spoken on unasked; after this many in a row something else is wrong.
CONNECTION_TRIES_MAX = 3
_METHODS_WITHOUT_BODY = frozenset({hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS})


@dataclass(slots=True)
class Exchange:
    """One request on its way: how far it got, on which transport, and until when it may take."""

    delivery: Delivery
    total_at: float
    head_s: float
    transport: asyncio.Transport | None = None
    uploaded: bool = False
    limit: asyncio.Timeout = field(init=False)

    @classmethod
    def begin(cls, delivery: Delivery, timeouts: Timeouts) -> "Exchange":
        """Starts the clock of `total_s`."""
        total_at = asyncio.get_running_loop().time() + timeouts.total_s
        return cls(delivery, total_at, timeouts.head_s)

    def limited(self) -> asyncio.Timeout:
        """The limit for one attempt: the total one, narrowed to the head's when a connection is there."""
        self.limit = asyncio.timeout_at(self.total_at)
        return self.limit

    def connected(self, transport: asyncio.Transport) -> None:
        """A live connection is in hand: from here on the time to the head of the answer counts."""
        self.transport = transport
        self.limit.reschedule(min(self.total_at, asyncio.get_running_loop().time() + self.head_s))

    def abort(self) -> None:
        """Closes at once. An ordinary close first waits for a peer that may have stopped reading."""
        if self.transport is not None:
            self.transport.abort()

    def expired_limit(self) -> Reason:
        """Which limit ended the wait for the head. Not asked of the clock: timers may fire a moment early."""
        return Reason.TOTAL_TIMEOUT if self.limit.when() == self.total_at else Reason.HEAD_TIMEOUT

    def failure(self, reason: Reason, detail: str = "") -> NeverSent | OutcomeUnknown:
        """The error for this exchange: its kind follows from what was written, never from what was raised."""
        return OutcomeUnknown(reason, detail) if self.delivery.sent else NeverSent(reason, detail)


def pieces(chunks: Sequence[bytes]) -> Iterator[bytes | memoryview]:
    """The same bytes in pieces of at most PIECE_BYTES, without copying them."""
    for chunk in chunks:
        if len(chunk) <= PIECE_BYTES:
            yield chunk
            continue
        view = memoryview(chunk)
        for start in range(0, len(view), PIECE_BYTES):
            yield view[start : start + PIECE_BYTES]


class Body(payload.Payload):
    """The request body as aiohttp wants it: a known length, written piece by piece, once."""

    def __init__(self, chunks: Sequence[bytes], exchange: Exchange) -> None:
        super().__init__(chunks)
        self._size = sum(map(len, chunks))
        self._chunks = chunks
        self.exchange = exchange

    @property
    def consumed(self) -> bool:
        """Always true: what may have been written once is not written again."""
        return True

    async def write(self, writer: AbstractStreamWriter) -> None:
        transport = self.exchange.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("closed before the first byte")
        self.exchange.delivery.sent = True
        for piece in pieces(self._chunks):
            await writer.write(piece)
        await writer.drain()
        self.exchange.uploaded = True

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Required by the base class; joining the body is what this class exists to avoid."""
        raise TypeError(f"a body of {self._size} bytes is only ever streamed ({encoding}, {errors})")


class Connector(aiohttp.TCPConnector):
    """aiohttp's pool, telling the exchange which transport it got and keeping spoiled connections from it."""

    async def connect(
        self, req: aiohttp.ClientRequest, traces: "list[Trace]", timeout: aiohttp.ClientTimeout
    ) -> "Connection":
        body = req.body
        if not isinstance(body, Body):
            raise TypeError("requests of this connector carry a Body")
        if body.size == 0 and req.method in _METHODS_WITHOUT_BODY:
            # A length of 0 means something on a POST; on a GET it is noise that some servers object to.
            req.headers.popall(hdrs.CONTENT_LENGTH, None)
        connection = await super().connect(req, traces, timeout)
        transport, protocol = connection.transport, connection.protocol
        # Bytes that came unasked on a kept connection would be taken for the answer to this request.
        if transport is None or protocol is None or transport.is_closing() or protocol.should_close:
            connection.close()
            raise body.exchange.failure(Reason.DISCONNECTED, "the connection was spoiled before the first byte")
        body.exchange.connected(transport)
        return connection
