"""How an answer of our own goes out: a rejection, a JSON document. The one place where a refusal meets HTTP.

The shape belongs to the dialect that the caller speaks; the headers that every answer carries are added here.
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import orjson
from aiohttp import web
from multidict import CIMultiDict

from gatekeeper.core.credits import credits_text
from gatekeeper.core.rejection import Rejection
from gatekeeper.dialects.base import Rendered
from gatekeeper.web.outgoing import SERVER, Whole, head_of, is_plain, put_ready

REQUEST_ID = "Gatekeeper-Request-Id"
HOLD_ID = "Gatekeeper-Hold-Id"
CREDITS_HELD = "Gatekeeper-Credits-Held"
CREDITS_CHARGED = "Gatekeeper-Credits-Charged"
CREDITS_AVAILABLE = "Gatekeeper-Credits-Available"
REPLAYED = "Gatekeeper-Replayed"
SHADOW = "Gatekeeper-Shadow"
"""The code with which an answer's request would have been refused, were its team or provider not in shadow."""


OWN: Final = (("Server", SERVER), ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"))
"""Of every answer of our own: balances and refusals are one caller's and of this moment, and are what they say."""

GAP_BYTES: Final = 16
"""As random as it takes that nobody guesses it."""


class RendersRejections(Protocol):
    """The part of a dialect that is needed to say no."""

    def render_rejection(self, rejection: Rejection, request_id: str) -> Rendered: ...


@dataclass(frozen=True, slots=True)
class _Written:
    """A refusal in one shape, with gaps where the id of the request goes."""

    status: int
    headers: tuple[tuple[str, tuple[str, ...]], ...]
    head: tuple[bytes, ...]
    body: tuple[bytes, ...]


def rejection_answer(
    shape: RendersRejections, rejection: Rejection, request_id: str, request: web.BaseRequest | None = None
) -> web.StreamResponse:
    """A rejection as the caller's SDK expects it, with the request id and, if it is about one, the earlier hold.

    Its code stands in the dialect's own headers. One that is told again was written before. `request` is what it
    answers, None for what is no request; it has it already where that is plain.
    """
    written: _Written | None = rejection.told.get(shape)
    if written is None:
        written = rejection.told[shape] = _write(shape, rejection)
    raw_id = request_id.encode()
    body = raw_id.join(written.body)
    if request is not None and is_plain(request, written.status):
        return put_ready(request, written.status, raw_id.join(written.head), body)
    headers = [(name, request_id.join(value)) for name, value in written.headers]
    return Whole(status=written.status, body=body, headers=CIMultiDict(headers))


def _write(shape: RendersRejections, rejection: Rejection) -> _Written:
    """The gaps are found by an id that nobody has heard of, so that no text of the caller's is taken for one."""
    gap = secrets.token_hex(GAP_BYTES)
    rendered = shape.render_rejection(rejection, gap)
    headers = [*rendered.headers, *OWN, (REQUEST_ID, gap)]
    if rejection.earlier is not None:
        headers.append((HOLD_ID, rejection.earlier.hold_id))
        if rejection.earlier.charged is not None:
            headers.append((CREDITS_CHARGED, credits_text(rejection.earlier.charged)))
    return _Written(
        rendered.status,
        tuple((name, tuple(value.split(gap))) for name, value in headers),
        tuple(head_of(rendered.status, headers).split(gap.encode())),
        tuple(rendered.body.split(gap.encode())),
    )


def failure_answer(request_id: str) -> web.Response:
    """Our own fault. No SDK may repeat it by itself: something may have been made."""
    detail = "gatekeeper failed inside; its log has this request id. Whether the provider made anything is not known."
    document = {
        "type": "urn:gatekeeper:internal_error",
        "title": "gatekeeper failed inside",
        "status": 500,
        "detail": detail,
        "request_id": request_id,
        "error": {"message": detail, "type": "server_error", "code": "internal_error", "param": None},
    }
    answer = json_answer(document, request_id, status=500)
    answer.headers["x-should-retry"] = "false"
    return answer


def json_answer(document: Any, request_id: str | None = None, *, status: int = 200) -> web.Response:
    """A JSON document. Amounts in it are made by `dialects.facts.credits_number`."""
    body = orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)
    answer = Whole(status=status, body=body, content_type="application/json", headers=dict(OWN))
    if request_id is not None:
        answer.headers[REQUEST_ID] = request_id
    return answer


def iso_time(at_ms: int) -> str:
    """An instant in milliseconds since 1970 as an ISO time in UTC."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
