"""A provider of pictures over HTTP that bills every call by the id in its prompt, and treats calls in many ways.

One server stands for a provider of each victim: the first segment of its base URL names whose.
"""

import asyncio
from contextlib import suppress

from aiohttp import web

from tests.torture.bills import Bills, Manner, lot, manner_of

PICTURE = 24_000_000
"""Micro-credits of one output, as the catalog has it."""
SLOW_S = 0.2
HANG_S = 5.0
"""Longer than any gateway waits."""
LATE_S = 0.6
"""Late is only slow to a gateway that is waiting."""


class HttpProvider:
    """Serves the gateways of one run."""

    def __init__(self, bills: Bills) -> None:
        self._bills = bills
        self._runner: web.AppRunner | None = None
        self._port = 0
        self._gone = asyncio.Event()

    async def start(self) -> None:
        """Listen."""
        app = web.Application()
        app.router.add_post("/{victim}/v1/generations", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self._port = self._runner.addresses[0][1]

    def url(self, victim: str) -> str:
        """The base URL for this victim."""
        return f"http://127.0.0.1:{self._port}/{victim}"

    async def close(self) -> None:
        """Stop; what hangs is cut."""
        self._gone.set()
        assert self._runner is not None
        await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        victim, body = request.match_info["victim"], await request.json()
        call, outputs = body["prompt"], body.get("outputs", 1)
        manner = manner_of(call)
        self._bills.manners[manner] += 1
        made = max(1, outputs - 1) if manner is Manner.PART else outputs
        if manner not in {Manner.REFUSED, Manner.FAILED, Manner.LOST_FREE}:
            self._bills.bill(call, made * PICTURE)
        self._bills.asked(victim)
        await asyncio.sleep({Manner.SLOW: SLOW_S, Manner.LATE: LATE_S}.get(manner, lot(call, 20) / 1000))
        if manner in {Manner.LOST_BILLED, Manner.LOST_FREE}:
            return await self._silence(request, hangs=lot("hang" + call, 2) == 0)
        if manner in {Manner.REFUSED, Manner.FAILED}:
            return web.json_response({"error": {"code": "no"}}, status=400 if manner is Manner.REFUSED else 503)
        return await self._answer(request, victim, {"outputs": [{"url": f"http://x/{i}"} for i in range(made)]}, manner)

    async def _silence(self, request: web.Request, *, hangs: bool) -> web.StreamResponse:
        """No answer: the caller waits until it has waited enough, or the connection ends."""
        if hangs:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._gone.wait(), HANG_S)
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    async def _answer(self, request: web.Request, victim: str, body: object, manner: Manner) -> web.StreamResponse:
        text = web.json_response(body).body
        assert isinstance(text, bytes)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.content_length = len(text)
        with suppress(OSError):  # the gateway was killed meanwhile
            await self._write(request, victim, response, text, manner)
        return response

    async def _write(
        self, request: web.Request, victim: str, response: web.StreamResponse, text: bytes, manner: Manner
    ) -> None:
        await response.prepare(request)
        if manner is Manner.CUT:
            await response.write(text[: len(text) // 2])
            if request.transport is not None:
                request.transport.close()
            return
        await response.write(text)
        self._bills.answered(victim)
        await response.write_eof()
