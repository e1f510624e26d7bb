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

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        fixed = gating.rules.fixed_for(request.method, request.path)
        if fixed is None:
            return await handler(request)
        admitted = await gating.admit(fixed, request.headers.items(), await request.read())
        if isinstance(admitted, Refusal):
            return web.Response(status=admitted.status, headers=admitted.headers, body=admitted.body)
        return await _serve(gating, admitted, request, handler)

    async def close(_app: web.Application) -> None:
        await gating.close()

    app.middlewares.append(middleware)
    app.on_cleanup.append(close)


async def _serve(gating: Gating, decision: Decision, request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        response = await handler(request)
    except web.HTTPException as answered:
        await gating.ended(decision, answered.status, None)
        raise
    except asyncio.CancelledError:
        raise  # nobody can tell what was made: time ends the hold
    except BaseException:
        await gating.released(decision, "no_answer")
        raise
    await gating.ended(decision, response.status, _json_of(response))
    return response


def _json_of(response: web.StreamResponse) -> bytes | None:
    body = response.body if isinstance(response, web.Response) else None
    readable = isinstance(body, bytes) and "json" in response.content_type and len(body) <= ANSWER_BYTES_MAX
    return body if readable and isinstance(body, bytes) else None
