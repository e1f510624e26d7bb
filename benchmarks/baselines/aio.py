"""The reference `aio`: a bare aiohttp pass-through, as one would write it in an afternoon. It enforces nothing.

web.Application with one route, one ClientSession without a limit of connections, uvloop, no access log. Bodies of
requests are read whole, answers up to 64 KB too, larger ones stream. No key is looked at, nothing is validated, priced,
held, logged or counted; no time is limited but by the library's defaults.
"""

import argparse
import asyncio
from typing import Final

import aiohttp
import uvloop
from aiohttp import web

from benchmarks.lab import LISTENING

WHOLE_MAX: Final = 65_536
NOT_OF_REQUESTS: Final = frozenset({"host", "content-length", "connection", "transfer-encoding"})
NOT_OF_ANSWERS: Final = frozenset({"content-length", "connection", "transfer-encoding"})
BACKLOG: Final = 16_384


class PassThrough:
    """Everything goes to one address."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        connector = aiohttp.TCPConnector(limit=0)
        self._session = aiohttp.ClientSession(connector=connector, auto_decompress=False)

    async def close(self) -> None:
        """Close its connections."""
        await self._session.close()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One request."""
        body = await request.read()
        headers = {name: value for name, value in request.headers.items() if name.lower() not in NOT_OF_REQUESTS}
        url = self._upstream + request.path_qs
        async with self._session.request(request.method, url, data=body, headers=headers) as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in NOT_OF_ANSWERS}
            if answer.content_length is not None and answer.content_length <= WHOLE_MAX:
                return web.Response(body=await answer.read(), status=answer.status, headers=kept)
            response = web.StreamResponse(status=answer.status, headers=kept)
            response.content_length = answer.content_length
            await response.prepare(request)
            async for piece in answer.content.iter_any():
                await response.write(piece)
            await response.write_eof()
            return response


async def serve(upstream: str, port: int) -> None:
    """Until it is ended."""
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{path:.*}", PassThrough(upstream).handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=BACKLOG).start()
    print(f"{LISTENING}{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


def main() -> None:
    """`python -m benchmarks.baselines.aio UPSTREAM [--port N]`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("upstream")
    parser.add_argument("--port", type=int, default=0)
    stated = parser.parse_args()
    uvloop.run(serve(stated.upstream, stated.port))


if __name__ == "__main__":
    main()
