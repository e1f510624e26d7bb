"""Puts the console on the admin port: its routes, and the guard before everything that is the console's.

A cookie opens pages and never the API; a token opens the API and never a page. What is not the console's is passed on
to the admin plane unseen.
"""

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Final

from aiohttp import web

from gatekeeper.admin.plane import AdminPlane, Pages
from gatekeeper.clock import Clock, SystemClock
from gatekeeper.console import login
from gatekeeper.console.dataport import DataPort
from gatekeeper.console.guarding import Guard
from gatekeeper.console.keeping import Kept
from gatekeeper.console.live import Live
from gatekeeper.console.pages import actions, catalog, holds, jobs, journal, limits, model, plans, refusals, team, teams
from gatekeeper.console.rendering import make_templates
from gatekeeper.console.roster import MANY, Roster
from gatekeeper.console.sessions import Sessions
from gatekeeper.console.statics import PREFIX, Statics
from gatekeeper.console.visiting import Parts, Route
from gatekeeper.events import InternalError
from gatekeeper.logs import emit, place_of
from gatekeeper.metrics import Metrics
from gatekeeper.recent import Feed
from gatekeeper.web.senders import Senders

PAGES: Final[tuple[Route, ...]] = (
    *teams.ROUTES,
    *team.ROUTES,
    *journal.ROUTES,
    *actions.ROUTES,
    *limits.ROUTES,
    *holds.ROUTES,
    *plans.ROUTES,
    *refusals.ROUTES,
    *jobs.ROUTES,
    *catalog.ROUTES,
    *model.ROUTES,
)
"""Everything that needs a session."""


class Console:
    """The console of one gateway: `Pages` to the admin plane."""

    def __init__(self, parts: Parts, token: str, senders: Senders) -> None:
        self._parts = parts
        self._guard = Guard(parts)
        self._desk = login.Desk(parts, token, senders)

    def add_to(self, app: web.Application) -> None:
        """Adds all routes; when the application stops, no stream keeps it."""
        app.router.add_routes(self._routes())
        app.on_shutdown.append(self._end_streams)

    async def _end_streams(self, _: web.Application) -> None:
        self._parts.live.close()

    def _routes(self) -> Iterable[web.RouteDef]:
        yield web.get(f"{PREFIX}{{path:.+}}", self._static)
        yield web.get(login.PATH, self._desk.show)
        yield web.post(login.PATH, self._desk.sign_in)
        yield web.post(login.LEAVE_PATH, self._desk.sign_out)
        for route in PAGES:
            yield web.route(route.method, route.path, self._guard.signed_in(route))

    @web.middleware
    async def guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Answers what is the console's, and passes on what is not."""
        return await self._guard.answer(request, handler)

    async def _static(self, request: web.Request) -> web.Response:
        return self._parts.statics.answer(request.path)


def _report(metrics: Metrics, error: Exception) -> None:
    """A bug beside the requests."""
    metrics.internal_error()
    emit(InternalError(where=place_of(error), error=type(error).__name__))


def console_of(admin: AdminPlane, recent: Feed, data_port: DataPort, clock: Clock | None = None) -> Pages:
    """The console of this admin plane: it asks the same parts and opens by the same token."""
    clock, statics = clock or SystemClock(), Statics()
    parts = Parts(
        ledger=admin.ledger,
        metrics=admin.metrics,
        catalog=admin.catalog,
        clock=clock,
        sessions=Sessions(clock),
        recent=recent,
        live=Live(recent, partial(_report, admin.metrics)),
        statics=statics,
        data_port=data_port,
        templates=make_templates(statics),
        roster=Roster(clock),
        jobs=Kept(clock, lambda found: found.teams > MANY),
    )
    return Console(parts, admin.token, admin.senders)
