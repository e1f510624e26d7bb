"""`/`: all teams, with what each has and how long that lasts."""

from aiohttp import web

from gatekeeper.admin.bodies import PageQuery
from gatekeeper.admin.operations import teams
from gatekeeper.console.visiting import Route, Visit


async def show(visit: Visit) -> web.Response:
    """The table."""
    found = await teams.list_teams(visit.ledger, PageQuery())
    return visit.page("teams.html", teams=found.teams)


ROUTES = (Route("GET", "/", show),)
