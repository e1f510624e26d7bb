"""The answer of a provider: what has arrived of it, and whoever waits for more.

It outlives its connection: when the last byte is in, the connection goes back to the pool, though nothing may have
been read yet.
"""

import asyncio
from collections.abc import AsyncIterator
from math import inf
from typing import TYPE_CHECKING, Final, Self

from gatekeeper.core.pieces import PIECE_BYTES
from gatekeeper.upstream.failure import NeverSent, OutcomeUnknown, Reason, UpstreamError
from gatekeeper.upstream.messages import Delivery, RawHeaders, Timeouts

if TYPE_CHECKING:
    from gatekeeper.upstream.connection import Connection

READ_BYTES_MAX: Final = 256 * 1024
"""What one read of a socket brings at most. It is handed on as it came: in smaller pieces it costs as many writes."""

HELD_BYTES_MAX: Final = 2 * PIECE_BYTES
"""So much may wait for a slow reader; then the provider waits too. One more read of the socket may come on top."""


class Answer:
    """UpstreamAnswer, and the exchange that leads to it: from the moment a connection is in hand."""

    __slots__ = (
        "_begun",
        "_ended",
        "_handed_over_at",
        "_held",
        "_idle_s",
        "_loop",
        "_offset",
        "_waiter",
        "broken",
        "connection",
        "content_length",
        "delivery",
        "held_bytes",
        "raw_headers",
        "status",
        "total_at",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, delivery: Delivery, timeouts: Timeouts) -> None:
        """Starts the clock of `total_s`."""
        self._loop = loop
        self.delivery = delivery
        self.total_at = loop.time() + timeouts.total_s
        self._idle_s = timeouts.idle_s
        self.connection: Connection | None = None
        self.status = 0
        self.raw_headers: RawHeaders = ()
        self.content_length: int | None = None
        self._held: list[bytes] = []
        self._offset = 0
        self.held_bytes = 0
        self._begun = False
        self._ended = False
        self.broken: UpstreamError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._handed_over_at = inf

    # --- from the connection ---

    def feed(self, piece: bytes) -> None:
        """More of the body."""
        self._held.append(piece)
        self.held_bytes += len(piece)

    def wake(self) -> None:
        """There is something new for whoever waits."""
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if self.connection is not None:
                self.connection.limit_at = inf
            if not waiter.done():
                waiter.set_result(None)

    def end(self) -> None:
        """The body is all here."""
        self.connection = None
        self._ended = True
        self.wake()

    def fail(self, reason: Reason, detail: str = "") -> None:
        """It ends here, short of its end. What has arrived of the body is still handed over first."""
        self.connection = None
        if self.broken is None and not self._ended:
            self.broken = self.failure(reason, detail)
        self.wake()

    def expired_limit(self) -> Reason:
        """Which limit ended a wait."""
        if self._loop.time() >= self.total_at:
            return Reason.TOTAL_TIMEOUT
        return Reason.IDLE_TIMEOUT if self.status else Reason.HEAD_TIMEOUT

    def failure(self, reason: Reason, detail: str = "") -> NeverSent | OutcomeUnknown:
        """The error for this exchange: its kind follows from what was written, never from what was raised."""
        return OutcomeUnknown(reason, detail) if self.delivery.sent else NeverSent(reason, detail)

    # --- to the reader ---

    def news(self, limit_at: float) -> asyncio.Future[None]:
        """Done when there is something new: the head, more of the body, or the end of either.

        The limit runs only while somebody waits. A future and no coroutine: thousands wait for minutes.
        """
        assert self.connection is not None
        waiter = self._waiter = self._loop.create_future()
        self.connection.limit(limit_at)
        return waiter

    def whole(self) -> bytes | None:
        if not self._ended or self._begun:
            return None
        if len(self._held) != 1:
            self._held = [b"".join(self._held)]
        return self._held[0]

    async def chunks(self) -> AsyncIterator[bytes]:
        self._begun = True
        while True:
            now = self._loop.time()
            if self._handed_over_at < now:
                # The total is the provider's: what our own reader took between two pieces is not counted against it.
                self.total_at += now - self._handed_over_at
            self._handed_over_at = inf
            if now >= self.total_at and self.connection is not None:
                self.connection.limit_reached()
                self._held.clear()
                self.held_bytes = 0
            if self.held_bytes:
                piece = self._next_piece()
                self._handed_over_at = now
                yield piece
            elif self.broken is not None:
                raise self.broken
            elif self._ended:
                return
            else:
                await self.news(min(now + self._idle_s, self.total_at))

    def _next_piece(self) -> bytes:
        """All that waits, joined, up to PIECE_BYTES; else the first as it came, or READ_BYTES_MAX of it."""
        held = self._held
        if self.held_bytes <= PIECE_BYTES and not self._offset:
            piece = held[0] if len(held) == 1 else b"".join(held)
            held.clear()
        elif len(held[0]) <= READ_BYTES_MAX:
            piece = held.pop(0)
        else:
            piece = held[0][self._offset : self._offset + READ_BYTES_MAX]
            self._offset += len(piece)
            if self._offset == len(held[0]):
                del held[0]
                self._offset = 0
        self.held_bytes -= len(piece)
        if self.connection is not None and self.held_bytes <= PIECE_BYTES:
            self.connection.read_on()
        return piece

    def abort(self) -> None:
        """Closes the connection at once, if it is still this answer's. A polite close waits for a deaf peer."""
        connection = self.connection
        if connection is not None:
            connection.fail(Reason.CUT, "closed by the gateway")

    async def aclose(self) -> None:
        # An answer that is all here has given its connection back: another request may be using it now.
        self.abort()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.abort()
