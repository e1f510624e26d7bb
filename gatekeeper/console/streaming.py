"""Server-sent events to one page: what is new, as that page wants to have it, for as long as its session goes on."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from aiohttp import web

from gatekeeper.console.headers import dressed
from gatekeeper.console.live import Reader, TooManyReaders
from gatekeeper.console.visiting import Visit
from gatekeeper.recent import Seen

ALIVE_EVERY_S: Final = 15.0
"""So often a silent stream says that it is there, which also finds readers that are gone without a word."""

LOOK_EVERY_S: Final = 1.0
"""So often it is seen whether the page, and its session, are still there: there is room for so many streams only, and
whoever leafs through pages leaves one behind with each."""

LIFE_S: Final = 60 * 60
"""Then the browser comes back, and its session is looked at again."""

WRITE_TIMEOUT_S: Final = 10.0
"""Who takes nothing for this long is gone."""

DIGITS_MAX: Final = 15
"""Of a number that a browser comes back with, beyond any count."""

RETRY: Final = "retry: 3000\n\n"
"""A browser comes back after three seconds: a gateway that restarts is there by then."""

ALIVE: Final = ": alive\n\n"

Told = Callable[[Sequence[Seen]], str]
"""What is told of it, as events; nothing of what the page does not want."""


async def stream(visit: Visit, told: Told) -> web.StreamResponse:
    """What happens from now on; for a browser that comes back, also what it missed meanwhile."""
    try:
        async with visit.parts.live.watch() as reader:
            answer = dressed(web.StreamResponse(headers={"Content-Type": "text/event-stream"}))
            await answer.prepare(visit.request)
            await _follow(visit, reader, answer, told)
    except TooManyReaders:
        return web.Response(status=503, text="Too many pages are open.", headers={"Retry-After": "30"})
    except (ConnectionError, TimeoutError):
        pass  # whoever watched has closed the page
    return answer


async def _follow(visit: Visit, reader: Reader, answer: web.StreamResponse, told: Told) -> None:
    ends_s, mark = visit.parts.clock.monotonic_s() + LIFE_S, _mark(visit)
    missed = await visit.parts.recent.after(mark) if mark is not None else ()
    await _write(answer, RETRY + told(missed))
    mark = max((each.number for each in missed), default=mark or 0)
    said_s = now_s = visit.parts.clock.monotonic_s()
    while now_s < ends_s:
        seen = await reader.next(LOOK_EVERY_S)
        if seen is None or visit.request.transport is None or not visit.parts.sessions.goes_on(visit.session):
            return
        now_s = visit.parts.clock.monotonic_s()
        if seen or now_s - said_s >= ALIVE_EVERY_S:
            await _write(answer, told([each for each in seen if each.number > mark]) or ALIVE)
            said_s = now_s


def _mark(visit: Visit) -> int | None:
    """The last that the browser has; None: it says nothing, and gets what is new."""
    text = visit.request.headers.get("Last-Event-ID") or visit.query.get("since", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX else None


async def _write(answer: web.StreamResponse, text: str) -> None:
    async with asyncio.timeout(WRITE_TIMEOUT_S):
        await answer.write(text.encode())
