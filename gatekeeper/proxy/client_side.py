"""The client's end of an answer. Once the client is gone, writing to it does nothing, and nothing is raised.

What happens to the credits must not depend on whether the client still reads.
"""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from gatekeeper.clock import Clock


class ClientSide:
    """Writes an answer to a client that may leave, or stop reading, at any moment.

    `waited_s` is how long it kept us waiting in all.
    """

    def __init__(
        self, request: web.BaseRequest, response: web.StreamResponse, write_timeout_s: float, clock: Clock
    ) -> None:
        self.response = response
        self.waited_s = 0.0
        self._clock = clock
        self._request = request
        self._write_timeout_s = write_timeout_s
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

    def cut(self) -> None:
        """Ends the connection, so that the client sees the answer break off."""
        self._gone = True
        if self._request.transport is not None:
            self._request.transport.abort()

    async def _try(self, step: Callable[[], Awaitable[object]]) -> None:
        if self._gone:
            return
        began_s = self._clock.monotonic_s()
        try:
            async with asyncio.timeout(self._write_timeout_s):
                await step()
        except (ConnectionError, TimeoutError):
            self.cut()
        self.waited_s += self._clock.monotonic_s() - began_s
