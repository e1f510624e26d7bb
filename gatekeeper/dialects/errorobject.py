"""A refusal as the `error` object that OpenAI's SDK takes apart, for every format that has copied it.

The facts of the rejection stand in it beside OpenAI's own four, where that SDK keeps them as `body`.
"""

from collections.abc import Mapping

import orjson

from gatekeeper.core.rejection import Code, Rejection
from gatekeeper.dialects.base import Rendered
from gatekeeper.dialects.facts import Facts, explain, rejection_facts, sdk_headers, writable

_MODEL_CODES = frozenset({Code.MODEL_NOT_FOUND, Code.MODEL_RETIRED, Code.MODEL_NOT_ALLOWED})

_ERROR_TYPES = {
    401: "authentication_error",
    402: "insufficient_credits",
    403: "permission_error",
    429: "rate_limit_error",
}
"""What `error.type` says by status, in OpenAI's own words where it has one."""


def render_error(rejection: Rejection, request_id: str, names: Mapping[str, str]) -> Rendered:
    """The answer; `x-should-retry` tells the SDK whether to send again by itself. `names` are the format's for ours."""
    headers = sdk_headers(rejection, request_id)
    return Rendered(rejection.status, headers, orjson.dumps({"error": error_object(rejection, request_id, names)}))


def render_error_event(rejection: Rejection, request_id: str, names: Mapping[str, str]) -> bytes:
    """The event that makes the SDK raise in the middle of a stream."""
    error = orjson.dumps({"error": error_object(rejection, request_id, names)})
    return b"event: error\ndata: " + error + b"\n\n"


def error_object(rejection: Rejection, request_id: str, names: Mapping[str, str]) -> Facts:
    """What stands under `error`."""
    server = "server_error" if rejection.status >= 500 else "invalid_request_error"
    error: Facts = {
        "message": explain(rejection, names),
        "type": _ERROR_TYPES.get(rejection.status, server),
        "param": _param(rejection, names),
    }
    return error | rejection_facts(rejection, request_id)


def _param(rejection: Rejection, names: Mapping[str, str]) -> str | None:
    """The field to mend, by the format's name for it."""
    if rejection.code in _MODEL_CODES:
        return "model"
    field = next((violation.field for violation in rejection.violations), None)
    return None if field is None else writable(names.get(field, field))
