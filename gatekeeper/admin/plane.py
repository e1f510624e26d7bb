"""The admin port: is it alive, is it ready, what are its figures; and behind a token everything that `routes` has.

The token is compared in constant time, and whatever is not one of the three open routes needs it: a program learns
nothing from a path that leads nowhere. Pages for people may stand in front, with sessions of their own. The port
listens on loopback unless told otherwise.
"""

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from gatekeeper.admin.bookdocuments import ReloadDocument
from gatekeeper.admin.hostnames import HostNames
from gatekeeper.admin.openapi import OPENAPI_PATH, openapi_text
from gatekeeper.admin.problems import AdminProblem
from gatekeeper.admin.routes import ROUTES
from gatekeeper.admin.routing import BODY_BYTES_MAX, HEADERS, Route, answered, problem_answer
from gatekeeper.admin.token import FILE_NAME, VARIABLE
from gatekeeper.catalog import Catalog
from gatekeeper.clock import SystemClock
from gatekeeper.core.rejection import quoted
from gatekeeper.events import InternalError
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.logs import emit, place_of
from gatekeeper.metrics import Metrics
from gatekeeper.web.answers import json_answer
from gatekeeper.web.knocking import Knocks
from gatekeeper.web.senders import Senders

WHERE_THE_TOKEN_IS = (
    "Send the admin token: Authorization: Bearer <token>. It is what "
    f"{VARIABLE} says where the gateway runs, else what the file {FILE_NAME} in its data directory holds. "
    "A team's key (gk_...) is for the other port."
)
"""Which directory that is, nobody is told who has no token."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """What `/readyz` tells."""

    ready: bool
    store: str
    durability: str
    catalog_models: int
    catalog_digest: str
    problems: tuple[str, ...] = ()
    workers: int = 1
    workers_accepting: int = 1


@dataclass(frozen=True, slots=True)
class Reload:
    """What came of a reload; with problems the old catalog stays."""

    ok: bool
    models: int
    digest: str
    problems: tuple[str, ...] = ()


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Pages(Protocol):
    """Pages for people on the same port, behind a session of their own. `guard` is a middleware; what it passes on is
    the plane's."""

    def add_to(self, app: web.Application) -> None: ...

    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse: ...


@dataclass(frozen=True, slots=True)
class AdminPlane:
    """The routes and what they ask. `token` is compared in constant time."""

    token: str = field(repr=False)
    metrics: Metrics
    ledger: Ledger
    readiness: Callable[[], Awaitable[Readiness]]
    reload: Callable[[], Awaitable[Reload]]
    catalog: Callable[[], Catalog]
    exposition: Callable[[], Awaitable[bytes]]
    knocks: Knocks = field(default_factory=lambda: Knocks(SystemClock()))
    senders: Senders = field(default_factory=Senders)
    hosts: HostNames = field(default_factory=HostNames)

    def application(self, pages: Pages | None = None) -> web.Application:
        """The aiohttp application with every admin route, and with pages before them if there are any."""
        guards = [self._check_host, *([] if pages is None else [pages.guard]), self._guard]
        app = web.Application(client_max_size=BODY_BYTES_MAX, middlewares=guards)
        if pages is not None:
            pages.add_to(app)
        for path, handler in self._open().items():
            app.router.add_get(path, handler)
        app.router.add_get(OPENAPI_PATH, self._openapi)
        for route in ROUTES:
            app.router.add_route(route.method, route.path, self._handler(route))
        return app

    def _open(self) -> dict[str, Handler]:
        """What needs no token."""
        return {"/healthz": self._healthz, "/readyz": self._readyz, "/metrics": self._metrics}

    def _handler(self, route: Route) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            return await answered(route, self, request)

        return handle

    @web.middleware
    async def _check_host(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Before all else, for what is open is all that a page of others could read."""
        refusal = self.hosts.refusal(request.headers.get("Host", ""))
        if refusal is not None:
            return problem_answer(AdminProblem("host_not_known", refusal))
        return await handler(request)

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        answer = await self._answer(request, handler)
        if not answer.prepared:
            for name, value in HEADERS.items():
                answer.headers.setdefault(name, value)
        return answer

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            self._authorise(request)
            return await handler(request)
        except AdminProblem as problem:
            return problem_answer(problem)
        except web.HTTPException as refused:
            return refused_by_http(request, refused)
        except Exception as error:  # noqa: BLE001  # the outermost edge: a bug is told, not swallowed by the server
            self.metrics.internal_error()
            emit(InternalError(where=place_of(error), error=type(error).__name__))
            return problem_answer(AdminProblem("internal_error", "gatekeeper failed inside; see its log."))

    def _authorise(self, request: web.Request) -> None:
        """A good token always opens: it cannot be locked out by somebody who tries others."""
        stated = request.headers.get("Authorization", "")
        scheme, _, sent = stated.partition(" ")
        matches = hmac.compare_digest(sent.strip().encode("utf-8", "replace"), self.token.encode())
        if (matches and scheme.lower() == "bearer") or request.path in self._open():
            return
        wait_s = self.knocks.take(self.senders.address_of(request)) if stated else 0
        if wait_s:
            detail = f"Too many wrong tokens came from your network. Look the token up, and wait {wait_s} s."
            raise AdminProblem("too_many_attempts", detail, facts={"retry_after_s": wait_s})
        raise AdminProblem("unauthenticated", WHERE_THE_TOKEN_IS)

    async def reloaded(self) -> ReloadDocument:
        """Read the catalog again."""
        done = await self.reload()
        return ReloadDocument(ok=done.ok, models=done.models, digest=done.digest, problems=list(done.problems))

    async def _healthz(self, _: web.Request) -> web.Response:
        return json_answer({"status": "ok"})

    async def _readyz(self, _: web.Request) -> web.Response:
        found = await self.readiness()
        document = {
            "ready": found.ready,
            "store": found.store,
            "durability": found.durability,
            "catalog": {"models": found.catalog_models, "digest": found.catalog_digest},
            "workers": {"wanted": found.workers, "accepting": found.workers_accepting},
            "problems": list(found.problems),
        }
        return json_answer(document, status=200 if found.ready else 503)

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=await self.exposition(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _openapi(self, _: web.Request) -> web.Response:
        return web.Response(body=openapi_text(), content_type="application/json")


def refuse_unparsable() -> web.Response:
    """The answer to bytes that are no HTTP request. None of them are repeated: a token may be among them."""
    detail = "This is no well-formed HTTP request, or one of its lines is too long."
    return problem_answer(AdminProblem("malformed_request", detail))


def refused_by_http(request: web.Request, refused: web.HTTPException) -> web.Response:
    """What the router, the body's reader or the server said no with."""
    asked = f"{request.method} {quoted(request.path)}"
    match refused:
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(refused.allowed_methods))
            answer = problem_answer(AdminProblem("method_not_allowed", f"{asked} is no route; it takes {allowed}."))
            answer.headers["Allow"] = allowed
            return answer
        case web.HTTPRequestEntityTooLarge():
            return problem_answer(AdminProblem("payload_too_large", f"A body has at most {BODY_BYTES_MAX} bytes."))
        case web.HTTPNotFound():
            detail = f"{asked} is no route; GET {OPENAPI_PATH} has all of them."
            return problem_answer(AdminProblem("not_found", detail))
    return problem_answer(AdminProblem("malformed_request", f"{asked}: {refused.reason}."))
