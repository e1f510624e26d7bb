"""`/jobs`: generations that take minutes. Those that are open, of all teams, and those that ended a moment ago."""

import asyncio
from collections.abc import Sequence
from typing import Final

from aiohttp import web

from gatekeeper.console.joblines import OpenJobs, asked_at, ended_lines, job_lines
from gatekeeper.console.roster import MANY, SEARCH_CHARS_MAX
from gatekeeper.console.streaming import stream
from gatekeeper.console.visiting import Route, Visit
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.proxy.jobs.record import JobRecord, read_record
from gatekeeper.recent import Refusal

JOBS_SHOWN: Final = 200
"""Open jobs of a page; the last team that is on it may bring as many again."""

TEAMS_AT_ONCE: Final = 100
"""Teams asked in one pipeline."""

TEAMS_MAX: Final = 2000
"""Teams that are asked for a page: some tenths of a second's work, in pieces. The next page goes on behind them."""

ENDED_SHOWN: Final = 50
"""Jobs that ended, of a page."""

CHANGED: Final = "event: changed\ndata: jobs\n\n"


async def show(visit: Visit) -> web.Response:
    """Both tables."""
    search, after = visit.query.get("team", "").strip()[:SEARCH_CHARS_MAX], visit.query.get("after", "")
    found = await visit.parts.jobs.get((search, after), lambda: _read_jobs(visit, search, after))
    seen = await visit.parts.recent.after(0)
    now_ms = int(visit.parts.clock.now().timestamp() * 1000)
    lines = job_lines(found.value.jobs, asked_at(seen), now_ms)
    return visit.page(
        "jobs.html", jobs=lines, found=found.value, age_s=found.age_s, search=search, is_first=not after,
        ended=ended_lines(seen)[:ENDED_SHOWN], now_ms=now_ms, many=MANY,
    )  # fmt: skip


async def follow(visit: Visit) -> web.StreamResponse:
    """Says when something has happened to a job; the page then loads its tables anew."""
    return await stream(visit, lambda seen: "" if all(isinstance(each, Refusal) for each in seen) else CHANGED)


async def _read_jobs(visit: Visit, search: str, after: str) -> OpenJobs:
    ids = await visit.parts.roster.find(visit.ledger, search)
    return await open_jobs(visit.ledger, ids.behind(after, TEAMS_MAX + 1), len(ids.ids))


async def open_jobs(ledger: Ledger, ids: Sequence[str], teams: int) -> OpenJobs:
    """Open jobs of these teams, until there are enough for a page. One that cannot be read is another version's."""
    found, is_cut, asked = list[JobRecord](), False, ids[:TEAMS_MAX]
    for begin in range(0, len(asked), TEAMS_AT_ONCE):
        some = asked[begin : begin + TEAMS_AT_ONCE]
        pages = await asyncio.gather(*(_of_team(ledger, team_id) for team_id in some))
        for number, page in enumerate(pages, begin + 1):
            found += page[:JOBS_SHOWN]
            is_cut = is_cut or len(page) > JOBS_SHOWN
            if len(found) >= JOBS_SHOWN:
                return OpenJobs(tuple(found), teams, number, _behind(ids, number), is_cut)
    return OpenJobs(tuple(found), teams, len(asked), _behind(ids, len(asked)), is_cut)


def _behind(ids: Sequence[str], looked: int) -> str | None:
    return ids[looked - 1] if looked < len(ids) else None


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
