"""From an HTTP request to an operation and back: ids from the path, body and query read strictly, the answer written.

A route is data, so that the application and the OpenAPI document are made from the same table. What the routes are is
`routes`'s; what they do, the operations'.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import orjson
from aiohttp import web
from pydantic import BaseModel, ValidationError

from gatekeeper.admin.bodies import Body, NoQuery, Query
from gatekeeper.admin.bookdocuments import ReloadDocument
from gatekeeper.admin.documents import Document
from gatekeeper.admin.operations.asking import Created, Who
from gatekeeper.admin.problems import AdminProblem, translated, unreadable
from gatekeeper.catalog import Catalog
from gatekeeper.core.rejection import Rejected
from gatekeeper.dialects.strictjson import parse_object
from gatekeeper.ledger import bounds
from gatekeeper.ledger.errors import LedgerError
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.metrics import Metrics
from gatekeeper.web.outgoing import SERVER

BODY_BYTES_MAX = 1024 * 1024
"""Admin bodies are small; a larger one is a mistake."""

BODY_TIMEOUT_S = 30
"""A body of this size comes at once, or its sender is gone."""

RETRY_AFTER_S = 5
"""When to ask again if the store is away."""

ACTOR = "Gatekeeper-Actor"
"""The request header that says who does it."""

WHY = "Gatekeeper-Why"
"""The request header that says why, where the body does not."""


HEADERS = {
    "Server": SERVER,
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
"""Of every answer: a browser that is led here shows data, runs nothing of it and keeps nothing."""


class Parts(Protocol):
    """What the routes work with."""

    @property
    def ledger(self) -> Ledger: ...

    @property
    def metrics(self) -> Metrics: ...

    @property
    def catalog(self) -> Callable[[], Catalog]: ...

    async def reloaded(self) -> ReloadDocument: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was understood: `ids` are the path's, decoded once; body and query are the route's own models."""

    parts: Parts
    ids: Mapping[str, str]
    body: Any
    query: Any
    who: Who

    @property
    def ledger(self) -> Ledger:
        return self.parts.ledger

    @property
    def team(self) -> str:
        return self.ids["team"]


Reply = Document | Created[Any] | web.Response


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One route. `answers` are its statuses besides the problems; what has no model of its own says so itself."""

    method: str
    path: str
    name: str
    summary: str
    call: Callable[[Asked], Awaitable[Reply]]
    answer: type[BaseModel] | None
    body: type[Body] | None = None
    query: type[Query] = NoQuery
    answers: tuple[int, ...] = (200,)
    problems: tuple[str, ...] = ()
    media: tuple[str, ...] = ("application/json",)


async def answered(route: Route, parts: Parts, request: web.Request) -> web.Response:
    """Do what the route says and write what came of it. Raises AdminProblem."""
    query = _query(route.query, request)
    body = await _body(route.body, request) if route.body else None
    asked = Asked(parts, dict(request.match_info), body, query, _who(request))
    try:
        reply = await route.call(asked)
    except LedgerError as error:
        raise translated(error) from error
    match reply:
        case Created(document, new):
            return written(document.json_text(), 201 if new else 200)
        case Document():
            return written(reply.json_text(), 200)
    return reply


def written(body: bytes, status: int, content_type: str = "application/json") -> web.Response:
    """An answer. Nothing of it may be kept on the way: it may hold a new secret."""
    return web.Response(status=status, body=body, content_type=content_type, headers=HEADERS)


def problem_answer(problem: AdminProblem) -> web.Response:
    """A refusal as RFC 9457 has it."""
    body = orjson.dumps(problem.document(), option=orjson.OPT_APPEND_NEWLINE)
    answer = written(body, problem.status, "application/problem+json")
    if problem.code == "ledger_unavailable":
        answer.headers["Retry-After"] = str(RETRY_AFTER_S)
    if "retry_after_s" in problem.facts:
        answer.headers["Retry-After"] = str(problem.facts["retry_after_s"])
    if problem.code == "unauthenticated":
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


async def _body(model: type[Body], request: web.Request) -> Body:
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            raw = await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise AdminProblem("payload_too_large", f"A body has at most {BODY_BYTES_MAX} bytes.") from None
    except TimeoutError:
        raise AdminProblem("malformed_request", f"The body did not come within {BODY_TIMEOUT_S} seconds.") from None
    except (web.RequestPayloadError, ConnectionError):
        detail = "The body cannot be unpacked as its Content-Encoding says, or it broke off."
        raise AdminProblem("malformed_request", detail) from None
    try:
        data = parse_object(raw) if raw.strip() else {}
    except Rejected as refused:
        raise AdminProblem("malformed_request", refused.rejection.detail) from None
    if not _is_text(data):
        raise AdminProblem("malformed_request", "The body has half a character (a lone surrogate) in it.")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise unreadable(error, model) from None


def _is_text(value: object) -> bool:
    """Whether every text in it can be written as UTF-8; what JSON escapes need not be."""
    match value:
        case str():
            return value.isascii() or not any("\ud800" <= each <= "\udfff" for each in value)
        case dict():
            return all(_is_text(each) for pair in value.items() for each in pair)
        case list():
            return all(map(_is_text, value))
    return True


def _query(model: type[Query], request: web.Request) -> Query:
    found: dict[str, str] = {}
    for name, value in request.query.items():
        if name in found:
            raise AdminProblem("malformed_request", f"`{name[:40]}` is there twice behind the question mark.")
        found[name] = value
    try:
        return model.model_validate(found)
    except ValidationError as error:
        raise unreadable(error, model) from None


def _who(request: web.Request) -> Who:
    who = Who(*(_header(request, name) for name in (ACTOR, WHY)))
    try:
        bounds.check_name(ACTOR, who.actor)
        bounds.check_text(WHY, who.why, bounds.REASON_CHARS_MAX)
    except LedgerError as error:
        raise translated(error) from error
    return Who(who.actor or Who().actor, who.why)


def _header(request: web.Request, name: str) -> str:
    values = request.headers.getall(name, [])
    if len(values) > 1:
        raise AdminProblem("malformed_request", f"{name} was sent {len(values)} times; send it once.")
    return values[0].strip() if values else ""
