"""A request of the data port is the library's own, whatever is set of it in another way."""

import asyncio
from typing import Any

from aiohttp import web

from gatekeeper.web.front import FrontServer
from gatekeeper.web.incoming import Request
from gatekeeper.web.outgoing import Whole
from tests.cases import each_case

READ = ("content", "headers", "keep_alive", "method", "protocol", "raw_headers", "raw_path", "remote", "url", "version")
"""What handlers read."""


async def seen_in(head: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the library's own class sets of this request and says of it, and what ours has."""
    found: list[dict[str, Any]] = []
    kinds: list[type] = []

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        own = request
        of_base = web.BaseRequest(
            own._message, own._payload, own.protocol, own._payload_writer, own._task, own._loop
        )  # fmt: skip
        names = vars(of_base).keys() - {"_cache"}
        found.extend({name: getattr(each, name) for name in (*names, *READ)} for each in (of_base, own))
        kinds.append(type(own))
        return Whole(body=b"")

    runner = web.ServerRunner(FrontServer(handle, lambda: Whole(status=400), access_log=None))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    reader, writer = await asyncio.open_connection(*runner.addresses[0][:2])
    writer.write(head)
    await asyncio.wait_for(reader.read(), 10)
    writer.close()
    await runner.cleanup()
    assert [Request] == kinds
    of_base, own = found
    return of_base, own


@each_case("head", [
    b"GET /a%20b?c=d HTTP/1.1\r\nHost: gw\r\nX-A: 1\r\nConnection: close\r\n\r\n",
    b"GET http://other.test/a HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n\r\n",
    b"POST / HTTP/1.0\r\nContent-Length: 0\r\n\r\n",
])  # fmt: skip
async def test_it_has_all_that_the_librarys_own_class_sets(head: bytes) -> None:
    """A later version of the library that sets one more thing, or another way, is noticed here."""
    of_base, own = await seen_in(head)

    assert of_base == own
