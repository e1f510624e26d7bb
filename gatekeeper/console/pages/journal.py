"""`/teams/{team}/journal`: every entry, the last one first, page by page."""

from typing import Final

from aiohttp import web

from gatekeeper.admin.operations.asking import team_of
from gatekeeper.console.journallines import read_page
from gatekeeper.console.visiting import Route, Visit

PAGE: Final = 50
"""Entries of a page."""

DIGITS_MAX: Final = 15
"""Of an entry's number, beyond any journal."""


async def show(visit: Visit) -> web.Response:
    """The page."""
    record = await team_of(visit.ledger, visit.ids["team"])
    last = (await visit.ledger.balance(record.id)).seq
    page = await read_page(visit.ledger, record.id, before_of(visit.query.get("before", "")), last, PAGE)
    return visit.page("journal.html", record=record, journal=page, last=last)


def before_of(text: str) -> int:
    """The entry before which a page begins; what is no number asks for the last page."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX else 0


ROUTES: Final[tuple[Route, ...]] = (Route("GET", "/teams/{team}/journal", show),)
