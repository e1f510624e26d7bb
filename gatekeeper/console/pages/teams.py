"""`/`: all teams, with what each has, what it was charged this month, and how long the rest lasts."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from aiohttp import web

from gatekeeper.console.burning import DAYS, Burn, burn_of, days_query
from gatekeeper.console.roster import SEARCH_CHARS_MAX
from gatekeeper.console.sparks import Spark, spark_of
from gatekeeper.console.standing import State
from gatekeeper.console.visiting import Route, Visit
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.reports import Balance, UsageRow
from gatekeeper.ledger.teamrecord import TeamRecord
from gatekeeper.web.usagereport import UsageQuery

PAGE: Final = 25
"""Teams of a page: for each its usage of a month is read."""


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


async def show(visit: Visit) -> web.Response:
    """The table, or the page of it that is asked for."""
    search, after = visit.query.get("q", "").strip()[:SEARCH_CHARS_MAX], visit.query.get("after", "")
    found = await visit.parts.roster.find(visit.ledger, search)
    ids = found.behind(after, PAGE + 1)
    rows = await asyncio.gather(*(read_row(visit.ledger, team_id) for team_id in ids[:PAGE]))
    return visit.page(
        "teams.html", teams=[row for row in rows if row is not None], search=search, found=found, days=DAYS,
        is_first=not after, next_cursor=ids[PAGE - 1] if len(ids) > PAGE else None,
    )  # fmt: skip


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
