"""Before every page: who is there, did they mean it, and what is said when something goes wrong.

A page needs a session. What changes something needs its secret besides, and has to come from a page of ours: a browser
says so, and a form of another site can say neither.
"""

from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from gatekeeper.admin.problems import AdminProblem, translated
from gatekeeper.console.forms import CSRF_FIELD, CSRF_HEADER, check_csrf, read_form
from gatekeeper.console.headers import dressed
from gatekeeper.console.login import COOKIE, login_address
from gatekeeper.console.rendering import rendered
from gatekeeper.console.visiting import NAVIGATION, Parts, Route, Visit, html
from gatekeeper.events import InternalError
from gatekeeper.ledger.errors import LedgerError
from gatekeeper.logs import emit, place_of

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

OPEN: Final = frozenset({"healthz", "readyz", "metrics", "admin"})
"""First parts of paths that are the admin plane's own."""

OURS: Final = frozenset({"", "login", "logout", "static", "teams", "refusals", "jobs", "catalog", "live", "new-team"})
"""And those that are the console's, whoever asks. Anything else is, if a browser asks for a page."""


class Guard:
    """Stands before the console's routes."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answers what is the console's, whatever happens; the rest is `handler`'s."""
        if not is_ours(request):
            return await handler(request)
        try:
            check_origin(request)
            answer = await request.match_info.handler(request)
        except AdminProblem as problem:
            answer = self._problem(problem.status, problem.title, problem.detail)
        except LedgerError as error:
            said = translated(error)
            answer = self._problem(said.status, said.title, said.detail)
        except web.HTTPException as refused:
            answer = self._refused(refused)
        except Exception as error:  # noqa: BLE001  # the outermost edge: a bug is told, not swallowed by the server
            self._parts.metrics.internal_error()
            emit(InternalError(where=place_of(error), error=type(error).__name__))
            answer = self._problem(
                500, "gatekeeper failed inside", "Its log has the place. Nothing is known to be done."
            )
        return answer if answer.prepared else dressed(answer)

    def signed_in(self, route: Route) -> Handler:
        """The route for whoever is signed in; others are shown where to."""

        async def handle(request: web.Request) -> web.StreamResponse:
            session = self._parts.sessions.find(request.cookies.get(COOKIE, ""))
            if session is None:
                return _to_login(request)
            form = await read_form(request) if request.method == "POST" else {}
            if request.method == "POST":
                check_csrf(form.get(CSRF_FIELD) or request.headers.get(CSRF_HEADER) or "", session.csrf)
            return await route.answer(Visit(self._parts, request, session, form))

        return handle

    def _refused(self, refused: web.HTTPException) -> web.StreamResponse:
        match refused:
            case web.HTTPNotFound():
                return self._problem(404, "There is no such page", "The address may be mistyped, or of something gone.")
            case web.HTTPMethodNotAllowed():
                answer = self._problem(
                    405, "This page does not take that", f"It takes {', '.join(refused.allowed_methods)}."
                )
                answer.headers["Allow"] = ", ".join(sorted(refused.allowed_methods))
                return answer
            case web.HTTPForbidden():
                return self._problem(403, "This was not sent from here", refused.text or "Load the page again.")
        return self._problem(refused.status, "The request could not be read", f"{refused.reason}.")

    def _problem(self, status: int, title: str, detail: str) -> web.Response:
        values = {"status": status, "title": title, "detail": detail, "navigation": NAVIGATION, "path": ""}
        return html(rendered(self._parts.templates, "problem.html", values | {"csrf": "", "messages": []}), status)


def is_ours(request: web.Request) -> bool:
    """Whether the console answers this request."""
    first = request.path[1:].partition("/")[0]
    if first in OPEN:
        return False
    return first in OURS or (request.method == "GET" and "text/html" in request.headers.get("Accept", ""))


def check_origin(request: web.Request) -> None:
    """What changes something comes from a page of ours. Raises HTTPForbidden."""
    if request.method in {"GET", "HEAD"}:
        return
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is not None and site != "same-origin":
        raise web.HTTPForbidden(text="It came from another site. Open the console and do it there.")
    if origin is not None and urlsplit(origin).netloc != request.host:
        raise web.HTTPForbidden(text="It came from another site. Open the console and do it there.")


def _to_login(request: web.Request) -> web.Response:
    """Where to sign in, and back to what was asked for. A script asks for a part of a page: it loads the whole."""
    address = login_address(request.path_qs if request.method == "GET" else "/")
    if request.headers.get("HX-Request") == "true":
        return web.Response(status=401, headers={"HX-Redirect": login_address("/")})
    return web.Response(status=303, headers={"Location": address})
