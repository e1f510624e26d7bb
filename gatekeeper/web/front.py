"""The HTTP servers of both planes, where requests are refused that are no HTTP at all.

aiohttp answers those itself, as a page that names the library, with no request id and no log line. Here they leave
like every other refusal. What is parsed well is not touched.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class FrontServer(web.Server):
    """Hands parsed requests to `handle`; `refuse` makes the answer to what could not be parsed. `count` is how many
    connections are open."""

    def __init__(
        self,
        handle: Handle,
        refuse: Callable[[], web.StreamResponse],
        request_factory: Callable[..., web.BaseRequest] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(handle, request_factory=request_factory, **options)
        self._refuse = refuse
        self._options = options
        self.count = 0

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """One more, told by itself."""
        self.count += 1
        super().connection_made(handler, transport)

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        """One less, told by itself once."""
        self.count -= 1
        super().connection_lost(handler, exc)

    def __call__(self) -> web.RequestHandler:
        return _Connection(self, self._refuse, loop=asyncio.get_running_loop(), **self._options)


class FrontRunner(web.AppRunner):
    """Runs an application behind such a server; `refused` makes the answer to what aiohttp says no to by itself."""

    def __init__(
        self,
        app: web.Application,
        refuse: Callable[[], web.StreamResponse],
        refused: Callable[[web.Request, web.HTTPException], web.Response],
        **options: Any,
    ) -> None:
        super().__init__(app, **options)
        self._refuse = refuse
        self._refused = refused

    async def _make_server(self) -> web.Server:
        await super()._make_server()  # starts the application
        make_request = self._app._make_request  # noqa: SLF001  # as the runner's own server has it
        return FrontServer(self._handle, self._refuse, make_request, **self._kwargs)

    async def _handle(self, request: Any) -> web.StreamResponse:
        try:
            return await self._app._handle(request)  # noqa: SLF001  # as above
        except web.HTTPException as refused:
            return self._refused(request, refused)


class _Connection(web.RequestHandler):
    __slots__ = ("_refuse",)

    def __init__(self, server: web.Server, refuse: Callable[[], web.StreamResponse], **options: Any) -> None:
        super().__init__(server, **options)
        self._refuse = refuse

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,  # noqa: ARG002  # the signature is aiohttp's own
        exc: BaseException | None = None,  # noqa: ARG002
        message: str | None = None,  # noqa: ARG002
    ) -> web.StreamResponse:
        """The connection ends with this answer: where the next request begins is not known."""
        if request.writer.output_size > 0:
            raise ConnectionError("an answer had begun")
        answer = self._refuse()
        answer.force_close()
        return answer
