"""`/refusals`: what was refused a moment ago, and what would have been allowed; and the stream that goes on with it."""

import asyncio
from collections.abc import Sequence
from typing import Final

from aiohttp import web

from gatekeeper.console.headers import dressed
from gatekeeper.console.live import Reader, TooManyReaders
from gatekeeper.console.refusing import Filter, RefusalLine, line_of
from gatekeeper.console.rendering import rendered
from gatekeeper.console.visiting import Route, Visit
from gatekeeper.core.rejection import FACTS
from gatekeeper.recent import REFUSALS_MAX, Refusal, Seen

SHOWN_MAX: Final = 100
"""Lines of the page; the newest ones."""

ALIVE_EVERY_S: Final = 15.0
"""So often a silent stream says that it is there, which also finds readers that are gone."""

STREAM_LIFE_S: Final = 60 * 60
"""Then the browser comes back, and its session is looked at again."""

WRITE_TIMEOUT_S: Final = 10.0
"""Who takes nothing for this long is gone."""


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


async def stream(visit: Visit) -> web.StreamResponse:
    """The refusals from now on, each a row of the table, as server-sent events."""
    try:
        async with visit.parts.live.watch() as reader:
            answer = dressed(web.StreamResponse(headers={"Content-Type": "text/event-stream"}))
            await answer.prepare(visit.request)
            await _follow(visit, reader, answer)
    except TooManyReaders:
        return web.Response(status=503, text="Too many pages are open.", headers={"Retry-After": "30"})
    except (ConnectionError, TimeoutError):
        pass  # whoever watched has closed the page
    return answer


async def _follow(visit: Visit, reader: Reader, answer: web.StreamResponse) -> None:
    ends_s = visit.parts.clock.monotonic_s() + STREAM_LIFE_S
    wanted, mark = Filter.of(visit.query), _mark(visit)
    missed = await visit.parts.recent.after(mark) if mark is not None else ()
    await _write(answer, "retry: 3000\n\n" + _events(visit, missed, wanted))
    mark = max((each.number for each in missed), default=mark or 0)
    while visit.parts.clock.monotonic_s() < ends_s:
        seen = await reader.next(ALIVE_EVERY_S)
        if seen is None or not visit.parts.sessions.goes_on(visit.session):
            return
        fresh = [each for each in seen if each.number > mark]
        await _write(answer, _events(visit, fresh, wanted) or ": alive\n\n")


def _mark(visit: Visit) -> int | None:
    """The last that the browser has; None: it says nothing, and gets what is new."""
    text = visit.request.headers.get("Last-Event-ID") or visit.query.get("since", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else None


def _events(visit: Visit, seen: Sequence[Seen], wanted: Filter) -> str:
    found = (each for each in seen if isinstance(each, Refusal) and wanted.takes(each))
    return "".join(f"id: {each.number}\nevent: refusal\n{_data(visit, line_of(each))}\n" for each in found)


def _data(visit: Visit, line: RefusalLine) -> str:
    text = rendered(visit.parts.templates, "refusal.html", {"line": line})
    return "".join(f"data: {part}\n" for part in text.splitlines() if part.strip())


async def _write(answer: web.StreamResponse, text: str) -> None:
    async with asyncio.timeout(WRITE_TIMEOUT_S):
        await answer.write(text.encode())


ROUTES: Final[tuple[Route, ...]] = (Route("GET", "/refusals", show), Route("GET", "/live/refusals", stream))
