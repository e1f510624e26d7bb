"""Reads a request's body: whole, bounded in size and time, in the pieces it came in.

The pieces are never joined: they are read by a dialect and go upstream as they are, so a large body is in memory
once. A body that is compressed is refused, because what cannot be read cannot be priced.
"""

import asyncio
from collections.abc import Sequence

from aiohttp import HttpVersion11, web
from aiohttp.hdrs import CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT
from aiohttp.http_exceptions import HttpProcessingError

from gatekeeper.core.rejection import Code, refuse
from gatekeeper.dialects.base import RouteKind
from gatekeeper.proxy.gate import Call, Gate

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


ONLY_IN_A_HEADER = "Send it in a header alone: the provider would get to see it here. Nothing was forwarded."
"""Where the key belongs, for refusals."""


async def body_of(gate: Gate, call: Call) -> list[bytes]:
    """The body of a request whose sender is known. Raises `Rejected` as `read_body` does, if the key is in it, and if
    there is one where the route takes none."""
    body = await read_body(call.request, max_bytes=gate.max_body_bytes, timeout_s=gate.body_timeout_s)
    call.trace.started_s = gate.clock.monotonic_s()
    if body and contains(body, call.caller.key.encode()):
        raise refuse(Code.MALFORMED_REQUEST, f"The body contains your gatekeeper key. {ONLY_IN_A_HEADER}")
    if body and call.route.kind is not RouteKind.GENERATION and not call.route.takes_body:
        raise refuse(Code.MALFORMED_REQUEST, "This route takes no body: one could be read as another request.")
    return body


def contains(pieces: Sequence[bytes], wanted: bytes) -> bool:
    """Whether these bytes stand in the pieces, also where one ends and the next begins."""
    if len(pieces) == 1:
        return wanted in pieces[0]
    end = b""
    for piece in pieces:
        if wanted in piece or wanted in end + piece[: len(wanted)]:
            return True
        end = (end + piece[-len(wanted) :])[-len(wanted) :]
    return False


async def read_body(request: web.BaseRequest, *, max_bytes: int, timeout_s: float) -> list[bytes]:
    """The body's pieces. Raises `Rejected` (payload_too_large, malformed_request); a client that leaves ends it."""
    _check_head(request)
    content = request.content
    if content.is_eof() and content.exception() is None:
        # All of it is here, as most bodies are when the head has been read: there is nothing to wait for.
        return _pieces_here(content.read_nowait(), max_bytes)
    return await _wait_for_body(request, max_bytes, timeout_s)


def _pieces_here(body: bytes, max_bytes: int) -> list[bytes]:
    if len(body) > max_bytes:
        raise _too_large(max_bytes)
    return [body] if body else []


async def _wait_for_body(request: web.BaseRequest, max_bytes: int, timeout_s: float) -> list[bytes]:
    if CONTENT_LENGTH in request.headers and (request.content_length or 0) > max_bytes:
        raise _too_large(max_bytes)
    expects = request.headers.get(EXPECT, "").lower() == "100-continue" and request.version >= HttpVersion11
    if expects and request.transport is not None:
        request.transport.write(CONTINUE)
    try:
        async with asyncio.timeout(timeout_s):
            return await _read_pieces(request, max_bytes)
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


async def _read_pieces(request: web.BaseRequest, max_bytes: int) -> list[bytes]:
    pieces = list[bytes]()
    try:
        await _fill(pieces, request, max_bytes)
    except BaseException:
        # The exception keeps this frame, and with it the pieces, until somebody collects garbage.
        pieces.clear()
        raise
    return pieces


async def _fill(pieces: list[bytes], request: web.BaseRequest, max_bytes: int) -> None:
    size = 0
    async for piece in request.content.iter_any():
        size += len(piece)
        if size > max_bytes:
            raise _too_large(max_bytes)
        pieces.append(piece)


def _too_large(max_bytes: int) -> Exception:
    return refuse(Code.PAYLOAD_TOO_LARGE, f"The body is larger than {max_bytes // 1024**2} MB, the most taken here.")
