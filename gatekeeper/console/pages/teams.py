"""`/`: all teams, with what each has, what it was charged this month, and how long the rest lasts."""

import asyncio
import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from aiohttp import web

from gatekeeper.console.burning import DAYS, Burn, burn_of, days_query
from gatekeeper.console.sparks import Spark, spark_of
from gatekeeper.console.standing import State
from gatekeeper.console.visiting import Route, Visit
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.looking import in_chunks
from gatekeeper.ledger.reports import Balance, UsageRow
from gatekeeper.ledger.teamrecord import TeamRecord
from gatekeeper.web.usagereport import UsageQuery

PAGE: Final = 25
"""Teams of a page: for each its usage of a month is read."""

IDS_AT_ONCE: Final = 1000
"""Ids that are looked through at a time."""

SEARCH_CHARS_MAX: Final = 64
"""As long as a team's id."""


@dataclass(frozen=True, slots=True)
class TeamRow:
    """A line of the table. Amounts are micro-credits."""

    id: str
    organisation: str
    states: tuple[State, ...]
    available: int
    debt: int
    held: int
    open_holds: int
    charged_this_month: int
    burn: Burn
    spark: Spark | None


@dataclass(frozen=True, slots=True)
class Found:
    """Ids of a page, in order; how many there are in all, and behind which id the next page begins."""

    ids: list[str]
    count: int
    next_cursor: str | None


async def show(visit: Visit) -> web.Response:
    """The table, or the page of it that is asked for."""
    search = visit.query.get("q", "").strip()[:SEARCH_CHARS_MAX]
    found = await find_teams(visit.ledger, search, visit.query.get("after", ""))
    rows = await asyncio.gather(*(read_row(visit.ledger, team_id) for team_id in found.ids))
    return visit.page(
        "teams.html", teams=[row for row in rows if row is not None], search=search, found=found, days=DAYS,
        is_first=not visit.query.get("after"),
    )  # fmt: skip


async def find_teams(ledger: Ledger, search: str, after: str) -> Found:
    """The teams whose id has these letters, by id. However many there are, a page of ids is kept."""
    count, ids, wanted = 0, list[str](), search.lower()
    async for some in in_chunks(ledger.teams(), IDS_AT_ONCE):
        fitting = {team_id for team_id in some if wanted in team_id.lower()}
        count += len(fitting)
        ids = heapq.nsmallest(PAGE + 1, {*ids, *(team_id for team_id in fitting if team_id > after)})
    shown = ids[:PAGE]
    return Found(shown, count, shown[-1] if len(ids) > PAGE else None)


async def read_row(ledger: Ledger, team_id: str) -> TeamRow | None:
    """A team's line; None for one whose making was never finished."""
    record = await ledger.team(team_id)
    if record is None:
        return None
    balance = await ledger.balance(team_id)
    query = chart_days(record.timezone, balance.at_ms)
    return row_of(record, balance, await ledger.usage.rows(team_id, query.from_ms, query.to_ms), query)


def chart_days(timezone: str, at_ms: int) -> UsageQuery:
    """The days of a team's chart, with those of the month that runs."""
    today = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(timezone)).date()
    return days_query(timezone, today)


def row_of(record: TeamRecord, balance: Balance, rows: Iterable[UsageRow], query: UsageQuery) -> TeamRow:
    """A team's line."""
    kept = list(rows)
    burn = burn_of(kept, balance.available, query)
    return TeamRow(
        id=record.id,
        organisation=record.organisation,
        states=states_of(record, balance, burn),
        available=balance.available,
        debt=balance.debt,
        held=balance.held,
        open_holds=balance.open_holds,
        charged_this_month=charged_since(kept, query, query.last.replace(day=1)),
        burn=burn,
        spark=spark_of(burn),
    )


def charged_since(rows: Iterable[UsageRow], query: UsageQuery, first: date) -> int:
    """Micro-credits charged from a day on."""
    return sum(row.credits for row in rows if first <= query.day_of(row) <= query.last)


def states_of(record: TeamRecord, balance: Balance, burn: Burn) -> tuple[State, ...]:
    """How a team stands: what keeps it from working first."""
    found = []
    if record.frozen:
        found.append(State("Frozen", "bad"))
    if balance.debt:
        found.append(State("In debt", "bad"))
    elif balance.granted == 0:
        found.append(State("No credits yet", "off"))
    elif balance.available == 0:
        found.append(State("Out of credits", "bad"))
    elif burn.ends_soon:
        found.append(State("Ends soon", "warn"))
    if record.shadow:
        found.append(State("Shadow", "off"))
    return tuple(found) or (State("Open", "good"),)


ROUTES = (Route("GET", "/", show),)
