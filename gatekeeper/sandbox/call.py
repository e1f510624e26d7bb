"""What a dialect is given and gives back. The only thing that a dialect and the application share.

No aiohttp here: a dialect reads a `Call` and returns an `Answer` or raises a `ProviderError`, and is one file.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from gatekeeper.sandbox.behaviour import Behaviour
from gatekeeper.sandbox.hooks import Hooks
from gatekeeper.sandbox.jobs import JobStore
from gatekeeper.sandbox.record import Record
from gatekeeper.sandbox.studio import Spec, Studio

OUTPUTS_MAX = 10
"""Images per request: what the images API of OpenAI allows, and more than the other providers do."""

RETRY_AFTER_S = 1
"""Sent with 429 and 503, as real providers do; short, because tests wait for it."""


class ProviderError(Exception):
    """The sandbox refuses or fails a request. Each dialect gives it its own shape.

    `status` is HTTP's, `code` a stable word for programs, `param` the field at fault if it is one.
    """

    def __init__(self, status: int, message: str, *, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param


@dataclass(frozen=True, slots=True)
class Answer:
    """A response. A body that is an iterator is streamed in its own chunks, without a length."""

    body: bytes | AsyncIterator[bytes]
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """One request, read whole, with what is needed to answer it.

    `base_url` is how the client reaches the sandbox, without a slash at its end. `path_values` are the route's own.
    """

    headers: Mapping[str, str]
    query: Mapping[str, str]
    path_values: Mapping[str, str]
    body: bytes
    base_url: str
    behaviour: Behaviour
    studio: Studio
    record: Record
    now_s: Callable[[], float]
    jobs: JobStore
    hooks: Hooks

    def file_url(self, spec: Spec) -> str:
        """Where a picture or a film can be fetched, as the client reaches the sandbox. It is drawn when it is."""
        return f"{self.base_url}/files/{self.studio.keep_file(spec)}"


@dataclass(frozen=True, slots=True)
class Route:
    """One thing a dialect can be asked for. Rates of the settings strike only where something is generated."""

    method: str
    path: str
    handle: Callable[[Call], Awaitable[Answer]]
    generates: bool = True


@dataclass(frozen=True, slots=True)
class Dialect:
    """A wire format: its routes and its way to say that something went wrong.

    Its routes are always mounted under `/{name}`; those of a dialect with `at_root` also without it. Several formats
    start with `/v1`, so only where no two paths can meet. Each of the `prefixes` may stand before a route's path, for
    base URLs are configured with a version in them, or without.
    """

    name: str
    routes: tuple[Route, ...]
    say_error: Callable[[ProviderError], Answer]
    at_root: bool = False
    prefixes: tuple[str, ...] = ("",)


def json_answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """`value` as a JSON response."""
    return Answer(orjson.dumps(value), status, "application/json", headers or {})


def json_object(body: bytes) -> dict[str, Any]:
    """The object that a JSON body holds. Raises `ProviderError` 400 for anything else."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ProviderError(400, f"The body is not valid JSON: {error}.", code="invalid_json") from error
    if not isinstance(value, dict):
        raise ProviderError(400, "The body must be a JSON object.", code="invalid_json")
    return value


def text_field(fields: Mapping[str, Any], name: str, default: str | None = None) -> str:
    """A text that is not empty, or the default. Raises `ProviderError` 400 when there is neither."""
    value = fields.get(name)
    if value is None and default is not None:
        return default
    if value is None or value == "":
        raise ProviderError(400, f"{name} is required.", code="missing_required_parameter", param=name)
    if not isinstance(value, str):
        raise ProviderError(400, f"{name} must be a string.", code="invalid_type", param=name)
    return value


def whole_field(fields: Mapping[str, Any], name: str, *, default: int, lowest: int, highest: int) -> int:
    """A whole number within its bounds, or the default. Raises `ProviderError` 400."""
    value = fields.get(name)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool):
        raise ProviderError(400, f"{name} must be an integer.", code="invalid_type", param=name)
    if not lowest <= value <= highest:
        message = f"{name} is {value}; it must be {lowest} to {highest}."
        raise ProviderError(400, message, code="integer_out_of_range", param=name)
    return value


def retry_headers(status: int) -> dict[str, str]:
    """`Retry-After` for the statuses that carry one."""
    return {"Retry-After": str(RETRY_AFTER_S)} if status in (429, 503) else {}
