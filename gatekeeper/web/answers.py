"""How an answer of our own goes out: a rejection, a JSON document. The one place where a refusal meets HTTP.

The shape belongs to the dialect that the caller speaks; the headers that every answer carries are added here.
"""

from datetime import UTC, datetime
from typing import Any, Protocol

import orjson
from aiohttp import web

from gatekeeper.core.credits import credits_text
from gatekeeper.core.rejection import Rejection
from gatekeeper.dialects.base import Rendered
from gatekeeper.web.outgoing import SERVER, Whole

REQUEST_ID = "Gatekeeper-Request-Id"
HOLD_ID = "Gatekeeper-Hold-Id"
CREDITS_HELD = "Gatekeeper-Credits-Held"
CREDITS_CHARGED = "Gatekeeper-Credits-Charged"
CREDITS_AVAILABLE = "Gatekeeper-Credits-Available"
REPLAYED = "Gatekeeper-Replayed"
SHADOW = "Gatekeeper-Shadow"
"""The code with which an answer's request would have been refused, were its team or provider not in shadow."""


class RendersRejections(Protocol):
    """The part of a dialect that is needed to say no."""

    def render_rejection(self, rejection: Rejection, request_id: str) -> Rendered: ...


def rejection_answer(shape: RendersRejections, rejection: Rejection, request_id: str) -> web.Response:
    """A rejection as the caller's SDK expects it, with the request id and, if it is about one, the earlier hold.

    Its code stands in the dialect's own headers.
    """
    rendered = shape.render_rejection(rejection, request_id)
    answer = Whole(status=rendered.status, body=rendered.body, headers=rendered.headers)
    answer.headers["Server"] = SERVER
    answer.headers[REQUEST_ID] = request_id
    if rejection.earlier is not None:
        answer.headers[HOLD_ID] = rejection.earlier.hold_id
        if rejection.earlier.charged is not None:
            answer.headers[CREDITS_CHARGED] = credits_text(rejection.earlier.charged)
    return answer


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
    answer = Whole(status=status, body=body, content_type="application/json", headers={"Server": SERVER})
    if request_id is not None:
        answer.headers[REQUEST_ID] = request_id
    return answer


def iso_time(at_ms: int) -> str:
    """An instant in milliseconds since 1970 as an ISO time in UTC."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
