"""A provider that counts what it is asked and answers when it is told to."""

import asyncio
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

URLS = {"created": 1, "data": [{"url": "http://pictures/1.png"}], "outputs": [{"url": "http://pictures/1.png"}]}
"""One picture by its address, in OpenAI's words and in the native ones."""

PICTURE = {"created": 1, "data": [{"b64_json": "A" * 100_000}]}
"""One picture in the answer itself: too large to be kept."""


FAILS = "nobody draws this"
"""In a prompt: the answer is 500, whatever the others get."""


class Provider:
    """Answers every POST, and GETs that end in `/free`, with one document. While `gate` is closed it only counts."""

    def __init__(self) -> None:
        self.document: Any = URLS
        self.status = 200
        self.chunked = False
        self.bodies: list[bytes] = []
        self.gate = asyncio.Event()
        self.gate.set()
        app = web.Application(client_max_size=64 * 1024**2)
        app.router.add_post("/{anything:.*}", self._answer)
        app.router.add_get("/{anything:.*}/free", self._answer)
        self._server = TestServer(app)

    @property
    def calls(self) -> int:
        return len(self.bodies)

    @property
    def url(self) -> str:
        return str(self._server.make_url("")).rstrip("/")

    async def start(self) -> None:
        await self._server.start_server()

    async def close(self) -> None:
        self.gate.set()
        await self._server.close()

    async def _answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.bodies.append(body)
        await self.gate.wait()
        answer = web.json_response(self.document, status=500 if FAILS.encode() in body else self.status)
        if self.chunked:
            answer.enable_chunked_encoding()
        return answer
