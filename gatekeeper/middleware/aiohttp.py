"""A middleware for aiohttp applications.

gate(app, gateway="http://127.0.0.1:8080", paths={"/images": {"model": "nano-banana-2"}})
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from gatekeeper.middleware.client import Decision, Refusal
from gatekeeper.middleware.gating import ANSWER_BYTES_MAX, Gating, Rules

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def gate(app: web.Application, *, gateway: str, paths: Mapping[str, Mapping[str, Any]], **rules: Any) -> None:
    """Gates the endpoints in `paths`; further words are those of `Rules`. Call it before the application starts, and
    after other middlewares were added that may refuse a request: those then run first."""
    gating = Gating(gateway, Rules(paths=paths, **rules))
    statuses: dict[int, int | None] = {}  # of the answers that have begun, by request

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        fixed = gating.rules.fixed_for(request.method, request.path)
        if fixed is None:
            return await handler(request)
        admitted = await gating.admit(fixed, request.headers.items(), await request.read())
        if isinstance(admitted, Refusal):
            return web.Response(status=admitted.status, headers=admitted.headers, body=admitted.body)
        statuses[id(request)] = None
        try:
            return await _serve(gating, admitted, request, handler, lambda: statuses[id(request)])
        finally:
            del statuses[id(request)]

    async def close(_app: web.Application) -> None:
        await gating.close()

    async def begun(request: web.Request, response: web.StreamResponse) -> None:
        if id(request) in statuses:
            statuses[id(request)] = response.status

    app.middlewares.append(middleware)
    app.on_response_prepare.append(begun)
    app.on_cleanup.append(close)


async def _serve(
    gating: Gating, decision: Decision, request: web.Request, handler: Handler, begun: Callable[[], int | None]
) -> web.StreamResponse:
    try:
        response = await handler(request)
    except web.HTTPException as answered:
        await gating.ended(decision, begun() or answered.status, None)
        raise
    except BaseException as broken:
        await _broke_off(gating, decision, begun(), broken)
        raise
    await gating.ended(decision, response.status, _json_of(response))
    return response


async def _broke_off(gating: Gating, decision: Decision, begun: int | None, broken: BaseException) -> None:
    """What it began to answer is what it made, whoever still reads: a client may leave before the last piece. Stopped
    before that, nobody can tell, and time ends the hold."""
    if begun is not None:
        await gating.ended(decision, begun, None)
    elif not isinstance(broken, asyncio.CancelledError):
        await gating.released(decision, "no_answer")


def _json_of(response: web.StreamResponse) -> bytes | None:
    body = response.body if isinstance(response, web.Response) else None
    readable = isinstance(body, bytes) and "json" in response.content_type and len(body) <= ANSWER_BYTES_MAX
    return body if readable and isinstance(body, bytes) else None
