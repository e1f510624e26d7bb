"""The answer of a provider, over an aiohttp response."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Self

import aiohttp

from gatekeeper.upstream.connection import PIECE_BYTES, Exchange
from gatekeeper.upstream.failure import Reason, UpstreamError
from gatekeeper.upstream.messages import RawHeaders
from gatekeeper.upstream.translation import root

# A reader waiting in aiohttp is not woken when the framing of the body breaks; asking again finds the connection lost.
LOST_CHECK_S = 1.0


class Answer:
    """UpstreamAnswer over an aiohttp response."""

    def __init__(self, response: aiohttp.ClientResponse, exchange: Exchange, idle_s: float) -> None:
        self._response = response
        self._exchange = exchange
        self._idle_s = idle_s
        self._handed_over_at: float | None = None

    @property
    def status(self) -> int:
        return self._response.status

    @property
    def raw_headers(self) -> RawHeaders:
        return self._response.raw_headers

    @property
    def content_length(self) -> int | None:
        return self._response.content_length

    async def chunks(self) -> AsyncIterator[bytes]:
        while piece := await self._next_piece():
            self._handed_over_at = asyncio.get_running_loop().time()
            yield piece

    async def _next_piece(self) -> bytes:
        """At most PIECE_BYTES, b"" at the end. The idle limit runs only while there is nothing to hand over."""
        failure: UpstreamError
        try:
            return await self._read()
        except TimeoutError:
            past_total = asyncio.get_running_loop().time() >= self._exchange.total_at
            failure = self._exchange.failure(Reason.TOTAL_TIMEOUT if past_total else Reason.IDLE_TIMEOUT)
        except (aiohttp.ClientError, OSError, RuntimeError) as exc:
            # RuntimeError: the connection was lost before the wait began.
            failure = self._exchange.failure(Reason.CUT, root(exc))
        self._abort()
        raise failure

    async def _read(self) -> bytes:
        content = self._response.content
        now = asyncio.get_running_loop().time()
        self._give_back_the_readers_time(now)
        wait_until = min(now + self._idle_s, self._exchange.total_at)
        while now < wait_until:
            ready = content.read_nowait(PIECE_BYTES)
            if ready or content.at_eof():
                return ready
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(min(now + LOST_CHECK_S, wait_until)):
                    return await content.read(PIECE_BYTES)
            now = asyncio.get_running_loop().time()
        raise TimeoutError

    def _give_back_the_readers_time(self, now: float) -> None:
        """The total is the provider's: what our own reader took between two pieces is not counted against it."""
        if self._handed_over_at is not None:
            self._exchange.total_at += now - self._handed_over_at
            self._handed_over_at = None

    def _abort(self) -> None:
        self._response.close()
        self._exchange.abort()

    async def aclose(self) -> None:
        # A response that ended by itself has given its connection back: another request may be using it now.
        # Unless the upload was still going on: then aiohttp closes it, and waits for the peer to read.
        if not (self._response.closed and self._exchange.uploaded):
            self._abort()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
