"""Before every page: who is there, did they mean it, and what is said when something goes wrong.

A page needs a session. What changes something needs its secret besides, and has to come from a page of ours: a browser
says so, and a form of another site can say neither.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from gatekeeper.admin.problems import AdminProblem, translated
from gatekeeper.console.forms import CSRF_FIELD, CSRF_HEADER, check_csrf, read_form
from gatekeeper.console.headers import dressed
from gatekeeper.console.login import COOKIE, login_address
from gatekeeper.console.rendering import rendered
from gatekeeper.console.visiting import NAVIGATION, Parts, Route, Visit, html, is_by_itself
from gatekeeper.events import InternalError
from gatekeeper.ledger.errors import LedgerError
from gatekeeper.logs import emit, place_of

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

OPEN: Final = frozenset({"healthz", "readyz", "metrics", "admin"})
"""First parts of paths that are the admin plane's own."""

OURS: Final = frozenset({"login", "logout", "static", "teams", "refusals", "jobs", "catalog", "live", "new-team"})
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
        except (AdminProblem, LedgerError, web.HTTPException) as refused:
            answer = self._problem(request, *said_of(refused))
            if isinstance(refused, web.HTTPMethodNotAllowed):
                answer.headers["Allow"] = ", ".join(sorted(refused.allowed_methods))
        except Exception as error:  # noqa: BLE001  # the outermost edge: a bug is told, not swallowed by the server
            self._parts.metrics.internal_error()
            emit(InternalError(where=place_of(error), error=type(error).__name__))
            answer = self._problem(request, 500, "gatekeeper failed inside", "Its log has the place.")
        return answer if answer.prepared else dressed(answer)

    def signed_in(self, route: Route) -> Handler:
        """The route for whoever is signed in; others are shown where to."""

        async def handle(request: web.Request) -> web.StreamResponse:
            session = self._parts.sessions.find(request.cookies.get(COOKIE, ""), is_by_itself(request))
            if session is None:
                return _to_login(request)
            form = await read_form(request) if request.method == "POST" else {}
            if request.method == "POST":
                check_csrf(form.get(CSRF_FIELD) or request.headers.get(CSRF_HEADER) or "", session.csrf)
            return await route.answer(Visit(self._parts, request, session, form))

        return handle

    def _problem(self, request: web.Request, status: int, title: str, detail: str) -> web.Response:
        """The page that says so; who is signed in can go on from it."""
        session = self._parts.sessions.find(request.cookies.get(COOKIE, ""), is_by_itself(request))
        common = {"navigation": NAVIGATION, "path": "", "csrf": session.csrf if session else "", "messages": []}
        values = {"status": status, "title": title, "detail": detail}
        return html(rendered(self._parts.templates, "problem.html", common | values), status)


def said_of(refused: AdminProblem | LedgerError | web.HTTPException) -> tuple[int, str, str]:
    """A refusal as a page says it: its status, what it is, and more of it."""
    match refused:
        case AdminProblem():
            return refused.status, refused.title, refused.detail
        case LedgerError():
            return said_of(translated(refused))
        case web.HTTPNotFound():
            return 404, "There is no such page", "The address may be mistyped, or of something gone."
        case web.HTTPMethodNotAllowed():
            return 405, "This page does not take that", f"It takes {', '.join(sorted(refused.allowed_methods))}."
        case web.HTTPForbidden():
            return 403, "This was not sent from here", refused.text or "Load the page again."
    return refused.status, "The request could not be read", f"{refused.reason}."


def is_ours(request: web.Request) -> bool:
    """Whether the console answers this request."""
    first = request.path[1:].partition("/")[0]
    if first in OPEN:
        return False
    if request.path == "/" or first in OURS:
        return True
    return request.method == "GET" and "text/html" in request.headers.get("Accept", "")


def check_origin(request: web.Request) -> None:
    """What changes something comes from a page of ours. Raises HTTPForbidden."""
    if request.method in {"GET", "HEAD"}:
        return
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is not None and site != "same-origin":
        raise web.HTTPForbidden(text="It came from another site. Open the console and do it there.")
    if origin is not None and origin.partition("://")[2] != request.host:
        raise web.HTTPForbidden(text="It came from another site. Open the console and do it there.")


def _to_login(request: web.Request) -> web.Response:
    """Where to sign in, and back to what was asked for. A script asks for a part of a page: it loads the whole."""
    address = login_address(request.path_qs if request.method == "GET" else "/")
    if request.headers.get("HX-Request") == "true":
        return web.Response(status=401, headers={"HX-Redirect": login_address("/")})
    return web.Response(status=303, headers={"Location": address})
