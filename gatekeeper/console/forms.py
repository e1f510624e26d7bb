"""Forms as they come in: read within bounds, and believed only with the session's own secret."""

import asyncio
import hmac
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from aiohttp import web

CSRF_FIELD: Final = "csrf"
"""The hidden field of every form."""

FORM_BYTES_MAX: Final = 64 * 1024
"""A form has a few names and a sentence."""

FORM_FIELDS_MAX: Final = 200
"""And not more fields than this."""

FORM_TIMEOUT_S: Final = 30
"""A form comes at once, or its sender is gone."""

CSRF_HEADER: Final = "X-CSRF-Token"
"""Where htmx sends what forms have in a hidden field."""


def check_csrf(sent: str, wanted: str) -> None:
    """The session's secret came along. Raises HTTPForbidden."""
    if not hmac.compare_digest(sent.encode("utf-8", "replace"), wanted.encode()):
        raise web.HTTPForbidden(
            text="The page was too old, and nothing was done. Go back, load it again, and send it anew."
        )


async def read_form(request: web.Request) -> Mapping[str, str]:
    """The fields of a form, each once. Raises HTTPException.

    It is UTF-8, whatever its sender calls it: Python knows codecs that take a minute for a megabyte.
    """
    if request.content_type != "application/x-www-form-urlencoded":
        raise web.HTTPUnsupportedMediaType
    sent = await _read_bounded(request)
    try:
        fields = parse_qsl(sent.decode(), keep_blank_values=True, max_num_fields=FORM_FIELDS_MAX)
    except ValueError:
        raise web.HTTPBadRequest from None
    return dict(fields)


async def _read_bounded(request: web.Request) -> bytes:
    """The body. A sender need not say how long it is, so it is measured as it comes."""
    if (request.content_length or 0) > FORM_BYTES_MAX:
        raise web.HTTPRequestEntityTooLarge(FORM_BYTES_MAX, request.content_length or 0)
    sent = bytearray()
    try:
        async with asyncio.timeout(FORM_TIMEOUT_S):
            async for piece in request.content.iter_any():
                sent += piece
                if len(sent) > FORM_BYTES_MAX:
                    raise web.HTTPRequestEntityTooLarge(FORM_BYTES_MAX, len(sent))
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    except (web.RequestPayloadError, ConnectionError):  # it is not packed as it says, or broke off
        raise web.HTTPBadRequest from None
    return bytes(sent)
