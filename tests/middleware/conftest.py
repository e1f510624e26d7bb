"""A stand-in for a gateway: it says what it is told to say, and keeps what it was told."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer


class Gateway:
    """`told` has the last part of each path, with its body. `answers` are given first, in their order."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.answers: list[web.Response] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        act = request.path.rpartition("/")[2]
        self.told.append((act, await request.json()))
        self.headers.append(dict(request.headers))
        if self.answers:
            return self.answers.pop(0)
        return web.json_response({"id": "hold-7", "replayed": False}, status=201 if act == "decisions" else 200)


@pytest.fixture(name="gateway")
async def _gateway() -> AsyncIterator[Gateway]:
    gateway, app = Gateway(), web.Application()
    app.router.add_post("/{any:.*}", gateway.handle)
    server = TestServer(app)
    await server.start_server()
    gateway.url = str(server.make_url("")).rstrip("/")
    yield gateway
    await server.close()
