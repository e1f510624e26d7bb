"""`/jobs`: generations that take minutes. Those that are open, of all teams, and those that ended a moment ago."""

import asyncio
from typing import Final

from aiohttp import web

from gatekeeper.console.joblines import asked_at, ended_lines, job_lines
from gatekeeper.console.streaming import stream
from gatekeeper.console.visiting import Route, Visit
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.looking import in_chunks
from gatekeeper.proxy.jobs.record import JobRecord, read_record
from gatekeeper.recent import Refusal

JOBS_SHOWN: Final = 200
"""Open jobs of a page."""

TEAMS_AT_ONCE: Final = 100
"""Teams asked in one pipeline."""

TEAMS_MAX: Final = 10_000
"""Teams that are asked for a page: a second's work; beyond them the log tells."""

ENDED_SHOWN: Final = 50
"""Jobs that ended, of a page."""

CHANGED: Final = "event: changed\ndata: jobs\n\n"


async def show(visit: Visit) -> web.Response:
    """Both tables."""
    jobs, is_all = await open_jobs(visit.ledger)
    seen = await visit.parts.recent.after(0)
    now_ms = int(visit.parts.clock.now().timestamp() * 1000)
    return visit.page(
        "jobs.html", jobs=job_lines(jobs, asked_at(seen), now_ms), ended=ended_lines(seen)[:ENDED_SHOWN],
        is_all=is_all, now_ms=now_ms,
    )  # fmt: skip


async def follow(visit: Visit) -> web.StreamResponse:
    """Says when something has happened to a job; the page then loads its tables anew."""
    return await stream(visit, lambda seen: "" if all(isinstance(each, Refusal) for each in seen) else CHANGED)


async def open_jobs(ledger: Ledger) -> tuple[list[JobRecord], bool]:
    """Open jobs of all teams, and whether these are all. One that cannot be read is another version's."""
    found, teams = list[JobRecord](), 0
    async for some in in_chunks(ledger.teams(), TEAMS_AT_ONCE):
        for page in await asyncio.gather(*(_of_team(ledger, team_id) for team_id in some)):
            found += page
        teams += len(some)
        if len(found) > JOBS_SHOWN or teams >= TEAMS_MAX:
            return found[:JOBS_SHOWN], False
    return found, True


async def _of_team(ledger: Ledger, team_id: str) -> list[JobRecord]:
    found, cursor = list[JobRecord](), "0"
    while len(found) <= JOBS_SHOWN:
        cursor, page = await ledger.open_jobs(team_id, cursor)
        found += (record for _, text in page if (record := _read(text)) is not None)
        if cursor == "0":
            break
    return found


def _read(text: str) -> JobRecord | None:
    try:
        return read_record(text)
    except ValueError:
        return None


ROUTES: Final[tuple[Route, ...]] = (Route("GET", "/jobs", show), Route("GET", "/live/jobs", follow))
