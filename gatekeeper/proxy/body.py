"""Reads a request's body: whole, bounded in size and time, in the pieces it came in.

The pieces are never joined: they are read by a dialect and go upstream as they are, so a large body is in memory
once, or on disk (`keeping.py`). A body that is compressed is refused, because what cannot be read cannot be priced.
"""

import asyncio
from collections.abc import Sequence

from aiohttp import web
from aiohttp.hdrs import CONTENT_ENCODING, CONTENT_TYPE
from aiohttp.http_exceptions import HttpProcessingError

from gatekeeper.core.pieces import contains
from gatekeeper.core.rejection import Code, refuse
from gatekeeper.dialects.base import RouteKind
from gatekeeper.proxy.gate import Call, Gate
from gatekeeper.proxy.keeping import Body, Room, looked_through
from gatekeeper.web.incoming import Request, body_at_hand

SMALL_BYTES = 16 * 1024
"""A body that has come with its head and is no larger is not counted: how many there can be at once is bounded."""

ONLY_IN_A_HEADER = "Send it in a header alone: the provider would get to see it here. Nothing was forwarded."
"""Where the key belongs, for refusals."""


async def body_of(gate: Gate, call: Call) -> Sequence[bytes]:
    """The body of a request whose sender is known. Raises `Rejected` as `read_body` does, if the key is in it, and if
    there is one where the route takes none."""
    small = small_body(gate, call)
    if small is not None:
        return small
    body = await body_read(gate, call)
    call.trace.started_s = gate.clock.monotonic_s()
    has_key = await looked_through(body, contains, body, call.caller.key)
    if body:
        _check(call, has_key=has_key)
    return body


def small_body(gate: Gate, call: Call) -> Sequence[bytes] | None:
    """The same where all of it has come with the head and it is small, as nearly always; None: `body_of` waits for it.

    Nothing about it is worth a thread, or a wait.
    """
    here = body_at_hand(call.request, SMALL_BYTES)
    if here is None:
        return None
    _check_head(call.request)
    call.trace.started_s = gate.clock.monotonic_s()
    if not here:
        return []
    has_key = here.find(call.caller.key) >= 0
    if has_key or call.route.kind is not RouteKind.GENERATION:
        _check(call, has_key=has_key)
    return [here]


def _check(call: Call, *, has_key: bool) -> None:
    """Whether there may be a body on this route, with what stands in it."""
    if has_key:
        raise refuse(Code.MALFORMED_REQUEST, f"The body contains your gatekeeper key. {ONLY_IN_A_HEADER}")
    if call.route.kind is not RouteKind.GENERATION and not call.route.takes_body:
        raise refuse(Code.MALFORMED_REQUEST, "This route takes no body: one could be read as another request.")


async def body_read(gate: Gate, call: Call) -> Sequence[bytes]:
    """The body as it came; what it takes ends with the request. Raises `Rejected` as `read_body` does."""
    with gate.crowd.elsewhere:
        body = await read_body(call.request, gate.room, max_bytes=gate.max_body_bytes, timeout_s=gate.body_timeout_s)
    if isinstance(body, Body):
        call.trace.body = body
    return body


async def read_body(request: web.BaseRequest, room: Room, *, max_bytes: int, timeout_s: float) -> Sequence[bytes]:
    """The body's pieces, for the caller to release. Raises `Rejected` (payload_too_large, malformed_request,
    overloaded); a client that leaves ends it."""
    _check_head(request)
    if (request.content_length or 0) > max_bytes:
        raise _too_large(max_bytes)
    content, here = request.content, b""
    if content.is_eof() and content.exception() is None:
        # All of it is here, as most bodies are when the head has been read: there is nothing to wait for.
        here = content.read_nowait()
        if len(here) <= SMALL_BYTES:
            return [here] if here else []
    is_json = _is_json(request)
    if is_json:
        # Before it is sent in vain. Who says how much comes does not have it yet: it is taken as it comes.
        room.check(min(request.content_length or 0, room.json_memory_bytes))
    body = Body(room, is_json=is_json)
    try:
        if here:
            await _add(body, here, max_bytes)
        else:
            await _wait_for_body(request, body, max_bytes, timeout_s)
    except BaseException:
        body.release()
        raise
    return body


async def _add(body: Body, piece: bytes, max_bytes: int) -> None:
    if body.size_bytes + len(piece) > max_bytes:
        raise _too_large(max_bytes)
    if body.add(piece):
        await body.put_away()


def _is_json(request: web.BaseRequest) -> bool:
    """So it says. What says so and is none is refused, or let by unread."""
    return "json" in request.headers.get(CONTENT_TYPE, "").lower()


async def _wait_for_body(request: web.BaseRequest, body: Body, max_bytes: int, timeout_s: float) -> None:
    if isinstance(request, Request):
        request.go_on()
    try:
        async with asyncio.timeout(timeout_s):
            async for piece in request.content.iter_any():
                await _add(body, piece, max_bytes)
    except TimeoutError:
        raise refuse(Code.MALFORMED_REQUEST, f"The body did not arrive within {timeout_s:g} s.") from None
    except (HttpProcessingError, web.RequestPayloadError, ConnectionError):
        raise refuse(Code.MALFORMED_REQUEST, "The body ended before its declared length.") from None


def _check_head(request: web.BaseRequest) -> None:
    headers = request.headers
    if CONTENT_ENCODING in headers:
        encodings = headers.getall(CONTENT_ENCODING)
        if any(value.strip().lower() != "identity" for value in encodings):
            raise refuse(Code.MALFORMED_REQUEST, "Send the body uncompressed: a compressed one cannot be checked.")
    if CONTENT_TYPE in headers and len(headers.getall(CONTENT_TYPE)) > 1:
        raise refuse(Code.MALFORMED_REQUEST, "Content-Type was sent twice: the provider may follow the other one.")


def _too_large(max_bytes: int) -> Exception:
    return refuse(Code.PAYLOAD_TOO_LARGE, f"The body is larger than {max_bytes // 1024**2} MB, the most taken here.")
