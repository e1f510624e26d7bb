"""Sending an answer over the wire, as it should be or as it was asked to go wrong.

The only module, beside `app`, that knows aiohttp. It does not know what an answer means.
"""

import asyncio

from aiohttp import web

from gatekeeper.sandbox.behaviour import Behaviour
from gatekeeper.sandbox.call import Answer
from gatekeeper.sandbox.settings import WAIT_S_MAX

SLOW_PIECES = 20
"""A slow body comes in this many pieces: often enough to look like dribbling, for bodies of any size."""

PRESENCE_CHECK_S = 0.05
"""How often a hanging answer looks whether its client is still there."""


async def deliver(request: web.Request, answer: Answer, behaviour: Behaviour) -> web.StreamResponse:
    """Send `answer`, dribbled or cut if the behaviour says so. A client that leaves meanwhile is no error."""
    try:
        if behaviour.cut or behaviour.slow_body_s:
            return await _deliver_badly(request, answer, behaviour)
        return await _deliver_well(request, answer)
    except ConnectionError:
        return hang_up(request)


async def hang(request: web.Request) -> None:
    """Wait until the client has left, at most `WAIT_S_MAX`."""
    for _ in range(int(WAIT_S_MAX / PRESENCE_CHECK_S)):
        if request.transport is None or request.transport.is_closing():
            return
        await asyncio.sleep(PRESENCE_CHECK_S)


def hang_up(request: web.Request) -> web.StreamResponse:
    """Close the connection. The response is for aiohttp only: nobody will read it."""
    if request.transport is not None:
        request.transport.close()
    return web.Response(status=500)


async def _deliver_well(request: web.Request, answer: Answer) -> web.StreamResponse:
    if isinstance(answer.body, bytes):
        return web.Response(body=answer.body, status=answer.status, headers=_headers(answer))
    stream = web.StreamResponse(status=answer.status, headers=_headers(answer))
    await stream.prepare(request)
    async for chunk in answer.body:
        await stream.write(chunk)
    await stream.write_eof()
    return stream


async def _deliver_badly(request: web.Request, answer: Answer, behaviour: Behaviour) -> web.StreamResponse:
    streamed = not isinstance(answer.body, bytes)
    # Half of it can only be found when all of it is there.
    body = answer.body if isinstance(answer.body, bytes) else b"".join([chunk async for chunk in answer.body])
    response = web.StreamResponse(status=answer.status, headers=_headers(answer))
    if not streamed:
        response.content_length = len(body)
    await response.prepare(request)
    await _dribble(response, body[: len(body) // 2] if behaviour.cut else body, behaviour.slow_body_s)
    if behaviour.cut:
        hang_up(request)
    return response


async def _dribble(response: web.StreamResponse, body: bytes, over_s: float) -> None:
    pieces = SLOW_PIECES if over_s else 1
    size = max(1, -(-len(body) // pieces))
    for start in range(0, len(body), size):
        await response.write(body[start : start + size])
        await asyncio.sleep(over_s / pieces)


def _headers(answer: Answer) -> dict[str, str]:
    return {"Content-Type": answer.content_type, **answer.headers}
