"""The client's end of an answer. Once the client is gone, writing to it does nothing, and nothing is raised.

What happens to the credits must not depend on whether the client still reads. As long as the connection takes what is
written there is nothing to wait for, and no clock runs: bytes that are on their way only fill its buffer when the
client reads slowly.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import cast

from aiohttp import web
from aiohttp.http import StreamWriter

from gatekeeper.clock import Clock
from gatekeeper.proxy.gate import Call, Gate
from gatekeeper.web.outgoing import PassedOn, Sent, is_plain, plain_head, put, put_whole


def client_side(gate: Gate, call: Call, status: int, lines: Sequence[bytes], length: int | None) -> "ClientSide":
    """The client's end of the answer to this call."""
    call.trace.answering = True
    return ClientSide(
        call.request,
        status,
        lines,
        length,
        gate.clock,
        write_timeout_s=gate.client_write_timeout_s,
        total_s=gate.client_total_s,
    )


def send_whole(call: Call, status: int, lines: Sequence[bytes], body: bytes) -> Sent | None:
    """Sends a small answer at once, as nearly all are; None: nothing was sent, and a `client_side` has to."""
    call.trace.answering = True
    return put_whole(call.request, status, lines, body)


class ClientSide:
    """Writes an answer to a client that may leave, or read slowly, or not at all, at any moment.

    It is given up when one wait for it takes `write_timeout_s` or all of them together `total_s`; `waited_s` is how
    long it kept us waiting so far.
    """

    __slots__ = (
        "_clock",
        "_gone",
        "_head",
        "_request",
        "_short",
        "_total_s",
        "_write_timeout_s",
        "response",
        "waited_s",
    )

    def __init__(
        self,
        request: web.BaseRequest,
        status: int,
        lines: Sequence[bytes],
        length: int | None,
        clock: Clock,
        *,
        write_timeout_s: float,
        total_s: float,
    ) -> None:
        """`lines` are those of the answer's head, `length` the bytes of its body, None where that is not known. Raises
        ValueError for a line that would begin another."""
        self._request = request
        self._clock = clock
        self._write_timeout_s = write_timeout_s
        self._total_s = total_s
        self.waited_s = 0.0
        self._gone = False
        self._head = b""
        self._short = length is not None and is_plain(request, status)
        self.response: web.StreamResponse
        if length is not None and self._short:
            keeps = request.keep_alive
            self._head = plain_head(status, lines, length, keep_alive=keeps)
            self.response = Sent(status, keep_alive=keeps)
        else:
            self.response = PassedOn(status, lines, length)

    async def begin(self) -> None:
        """Sends the head."""
        if self._short:
            self._put(self._head)
            return
        try:
            await self.response.prepare(self._request)
            self._writer.send_headers()
        except ConnectionError:
            self.cut()

    async def write(self, piece: bytes) -> None:
        """Sends a piece and waits until the client has taken most of what is on its way."""
        if not piece or self._gone:
            return
        if self._short:
            self._put(piece)
        else:
            try:
                await self._writer.write(piece, drain=False)
            except ConnectionError:
                self.cut()
        if self._request.protocol.writing_paused and not self._gone:
            await self._within_time(self._writer.drain())

    async def end(self, last: bytes) -> None:
        """Sends the last piece and ends the answer as complete."""
        await self.write(last)
        if self._short or self._gone:
            # What has a length ends with its last byte.
            return
        await self._within_time(self.response.write_eof())

    async def send(self, body: bytes) -> None:
        """Sends head and body, a whole answer, in one write."""
        if not self._short:
            await self.begin()
            await self.end(body)
            return
        self._put(self._head + body)
        if self._request.protocol.writing_paused and not self._gone:
            await self._within_time(self._writer.drain())

    async def break_off(self, last: bytes) -> None:
        """Sends what there is and ends the connection before the answer's end, so that it shows as incomplete."""
        await self.write(last)
        # Whatever was sent behind this request: nobody could be told what came of it.
        self.response.force_close()
        transport = self._request.transport
        if not self._gone and transport is not None:
            self._gone = True
            transport.close()
            asyncio.get_running_loop().call_later(self._write_timeout_s, transport.abort)

    def cut(self) -> None:
        """Ends the connection at once."""
        self._gone = True
        self.response.force_close()
        if self._request.transport is not None:
            self._request.transport.abort()

    @property
    def _writer(self) -> StreamWriter:
        return cast("StreamWriter", self._request.writer)

    def _put(self, data: bytes) -> None:
        try:
            put(self._request, data)
        except ConnectionError:
            self.cut()

    async def _within_time(self, step: Awaitable[object]) -> None:
        began_s = self._clock.monotonic_s()
        try:
            async with asyncio.timeout(min(self._write_timeout_s, max(self._total_s - self.waited_s, 0))):
                await step
        except (ConnectionError, TimeoutError):
            self.cut()
        self.waited_s += self._clock.monotonic_s() - began_s
