"""A receiver of webhooks on this machine."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.test_utils import TestServer

TRIES = 2000
"""Twenty seconds, for a machine that is busy with everything else."""


@dataclass
class Receiver:
    """Keeps what it is told, and answers the statuses given, then 200. While `gate` is closed it answers nothing."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        self.received.append((dict(request.headers), await request.read()))
        await self.gate.wait()
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200, headers=self.headers)

    async def until_received(self, count: int) -> None:
        """Waits (bounded) until it was told so often."""
        for _ in range(TRIES):
            if len(self.received) >= count:
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"{len(self.received)} events, not {count}")


@asynccontextmanager
async def listening() -> AsyncIterator[Receiver]:
    """A receiver that listens inside the block."""
    receiver = Receiver()
    receiver.gate.set()
    application = web.Application(client_max_size=64 * 1024**2)
    application.router.add_post("/{anything:.*}", receiver.take)
    async with TestServer(application) as server:
        receiver.url = str(server.make_url("/hook"))
        yield receiver
        receiver.gate.set()
