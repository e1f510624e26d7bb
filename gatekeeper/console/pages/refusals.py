"""`/refusals`: what was refused a moment ago, and what would have been allowed; and the stream that goes on with it."""

from collections.abc import Sequence
from typing import Final

from aiohttp import web

from gatekeeper.console.refusallines import Filter, RefusalLine, line_of
from gatekeeper.console.rendering import rendered
from gatekeeper.console.streaming import stream
from gatekeeper.console.visiting import Route, Visit
from gatekeeper.core.rejection import FACTS
from gatekeeper.recent import REFUSALS_MAX, Refusal, Seen

SHOWN_MAX: Final = 100
"""Lines of the page; the newest ones."""


async def show(visit: Visit) -> web.Response:
    """The last refusals."""
    wanted = Filter.of(visit.query)
    kept = [each for each in await visit.parts.recent.after(0) if isinstance(each, Refusal)]
    found = [each for each in reversed(kept) if wanted.takes(each)]
    return visit.page(
        "refusals.html", lines=[line_of(each) for each in found[:SHOWN_MAX]], wanted=wanted, codes=list(FACTS),
        kept=len(kept), found=len(found), kept_max=REFUSALS_MAX, shown_max=SHOWN_MAX,
        last=kept[-1].number if kept else 0,
    )  # fmt: skip


async def follow(visit: Visit) -> web.StreamResponse:
    """The refusals from now on, each a row of the table."""
    wanted = Filter.of(visit.query)
    return await stream(visit, lambda seen: _events(visit, seen, wanted))


def _events(visit: Visit, seen: Sequence[Seen], wanted: Filter) -> str:
    found = (each for each in seen if isinstance(each, Refusal) and wanted.takes(each))
    return "".join(f"id: {each.number}\nevent: refusal\n{_data(visit, line_of(each))}\n" for each in found)


def _data(visit: Visit, line: RefusalLine) -> str:
    text = rendered(visit.parts.templates, "refusal.html", {"line": line})
    return "".join(f"data: {part}\n" for part in text.splitlines() if part.strip())


ROUTES: Final[tuple[Route, ...]] = (Route("GET", "/refusals", show), Route("GET", "/live/refusals", follow))
