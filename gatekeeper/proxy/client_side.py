"""The client's end of an answer. Once the client is gone, writing to it does nothing, and nothing is raised.

What happens to the credits must not depend on whether the client still reads.
"""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from gatekeeper.clock import Clock


class ClientSide:
    """Writes an answer to a client that may leave, or read slowly, or not at all, at any moment.

    It is given up when one write takes `write_timeout_s` or all of them together `total_s`; `waited_s` is how long it
    kept us waiting so far.
    """

    def __init__(
        self,
        request: web.BaseRequest,
        response: web.StreamResponse,
        clock: Clock,
        *,
        write_timeout_s: float,
        total_s: float,
    ) -> None:
        self.response = response
        self.waited_s = 0.0
        self._request = request
        self._clock = clock
        self._write_timeout_s = write_timeout_s
        self._total_s = total_s
        self._gone = False

    async def begin(self) -> None:
        """Sends the head."""
        await self._try(lambda: self.response.prepare(self._request))

    async def write(self, piece: bytes) -> None:
        """Sends a piece and waits until the client has taken most of what is on its way."""
        if piece:
            await self._try(lambda: self.response.write(piece))

    async def end(self, last: bytes) -> None:
        """Sends the last piece and ends the answer as complete."""
        await self._try(lambda: self.response.write_eof(last))

    async def break_off(self, last: bytes) -> None:
        """Sends what there is and ends the connection before the answer's end, so that it shows as incomplete."""
        await self.write(last)
        transport = self._request.transport
        if not self._gone and transport is not None:
            self._gone = True
            transport.close()
            asyncio.get_running_loop().call_later(self._write_timeout_s, transport.abort)

    def cut(self) -> None:
        """Ends the connection at once."""
        self._gone = True
        if self._request.transport is not None:
            self._request.transport.abort()

    async def _try(self, step: Callable[[], Awaitable[object]]) -> None:
        if self._gone:
            return
        began_s = self._clock.monotonic_s()
        try:
            async with asyncio.timeout(min(self._write_timeout_s, max(self._total_s - self.waited_s, 0))):
                await step()
        except (ConnectionError, TimeoutError):
            self.cut()
        self.waited_s += self._clock.monotonic_s() - began_s
