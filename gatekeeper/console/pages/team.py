"""`/teams/{team}`: everything about one team, and the figures of its chart."""

import asyncio
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import orjson
from aiohttp import web

from gatekeeper.admin.bodies import PageQuery
from gatekeeper.admin.documents import AllowanceDocument, BalanceDocument, GrantDocument, KeyDocument, LimitDocument
from gatekeeper.admin.operations import grants, keys, limits, plans
from gatekeeper.admin.operations.asking import team_of
from gatekeeper.admin.operations.teams import balance_document
from gatekeeper.console.burning import Burn, burn_of
from gatekeeper.console.holdlines import HoldLine, hold_lines
from gatekeeper.console.journallines import JournalLine, last_entries
from gatekeeper.console.pages.teams import chart_days, states_of
from gatekeeper.console.planning import ProjectPlan, plans_of
from gatekeeper.console.sparks import Bar, bar_of
from gatekeeper.console.spending import Split, month_query, months_around, splits_of
from gatekeeper.console.standing import State
from gatekeeper.console.visiting import Route, Visit
from gatekeeper.dialects.facts import credits_number
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.reports import Balance
from gatekeeper.ledger.teamrecord import TeamRecord
from gatekeeper.signals.report import report

HOLDS_SHOWN: Final = 50
"""The oldest ones: those are what somebody looks for."""

ENTRIES_SHOWN: Final = 10
"""The last ones; the rest is a page of its own."""

LISTED_MAX: Final = 200
"""Grants and keys of a page."""


@dataclass(frozen=True, slots=True)
class LimitLine:
    """A limit and its bar; none for a limit that each project, member or key has by itself."""

    limit: LimitDocument
    bar: Bar | None


@dataclass(frozen=True, slots=True)
class TeamView:
    """What the page shows."""

    record: TeamRecord
    at_ms: int
    balance: BalanceDocument
    states: tuple[State, ...]
    burn: Burn
    charged_this_month: int
    month: date
    around: tuple[date, date | None]
    limits: list[LimitLine]
    splits: list[Split]
    plans: list[ProjectPlan]
    holds: list[HoldLine]
    grants: list[GrantDocument]
    allowances: list[AllowanceDocument]
    keys: list[KeyDocument]
    entries: list[JournalLine]

    @property
    def spends(self) -> bool:
        """Whether there is anything to draw."""
        return bool(self.balance.granted) and any(day.charged for day in self.burn.days)


async def show(visit: Visit) -> web.Response:
    """The page."""
    record = await team_of(visit.ledger, visit.ids["team"])
    return visit.page("team.html", team=await read_team(visit, record))


async def read_team(visit: Visit, record: TeamRecord) -> TeamView:
    """Reads all that the page shows; each part is of its own instant."""
    ledger, page = visit.ledger, PageQuery(limit=LISTED_MAX)
    balance = await ledger.balance(record.id)
    burn, runs = await _burn(ledger, record, balance), month_query(record.timezone, balance.at_ms)
    month = month_query(record.timezone, balance.at_ms, visit.query.get("month", ""))
    rows, uses, signals = await asyncio.gather(
        ledger.usage.rows(record.id, month.from_ms, month.to_ms),
        limits.get_limits(ledger, record.id),
        report(ledger, visit.parts.catalog(), record.id),
    )
    open_holds, given, known, entries = await asyncio.gather(
        ledger.holds(record.id, HOLDS_SHOWN),
        grants.list_grants(ledger, record.id, page),
        keys.list_keys(ledger, record.id, page),
        last_entries(ledger, record.id, balance.seq, ENTRIES_SHOWN),
    )
    splits = splits_of(rows, month)
    return TeamView(
        record=record,
        at_ms=balance.at_ms,
        balance=balance_document(balance),
        states=states_of(record, balance, burn),
        burn=burn,
        charged_this_month=sum(day.charged for day in burn.days if day.day >= runs.first),
        month=month.first,
        around=months_around(month, runs),
        limits=[limit_line(each) for each in uses.limits],
        splits=splits,
        plans=plans_of(signals or {}),
        holds=hold_lines(open_holds, balance.at_ms),
        grants=given.grants,
        allowances=plans.allowances_document(record).allowances,
        keys=known.keys,
        entries=entries,
    )


async def _burn(ledger: Ledger, record: TeamRecord, balance: Balance) -> Burn:
    days = chart_days(record.timezone, balance.at_ms)
    return burn_of(await ledger.usage.rows(record.id, days.from_ms, days.to_ms), balance.available, days)


def limit_line(limit: LimitDocument) -> LimitLine:
    """A limit with its bar."""
    if limit.used is None or limit.held is None:
        return LimitLine(limit, None)
    return LimitLine(limit, bar_of(limit.used, limit.held, limit.in_force))


async def show_burn(visit: Visit) -> web.Response:
    """The chart's figures: days, what was left after each, and how that goes on."""
    record = await team_of(visit.ledger, visit.ids["team"])
    burn = await _burn(visit.ledger, record, await visit.ledger.balance(record.id))
    return web.Response(body=orjson.dumps(burn_document(burn)), content_type="application/json")


AHEAD_SHOWN_DAYS: Final = 30
"""What is further away is not drawn."""


def burn_document(burn: Burn) -> dict[str, Any]:
    """Days as ISO dates; null where a line has no point."""
    ahead_days = min(burn.days_left or 0, AHEAD_SHOWN_DAYS) if burn.available else 0
    coming = [burn.today.fromordinal(burn.today.toordinal() + n) for n in range(1, ahead_days + 1)]
    ahead = [max(burn.available - burn.pace * n, 0) for n in range(ahead_days + 1)]
    return {
        "days": [each.day.isoformat() for each in burn.days] + [day.isoformat() for day in coming],
        "left": [credits_number(each.left) for each in burn.days] + [None] * len(coming),
        "ahead": [None] * (len(burn.days) - 1) + ([credits_number(left) for left in ahead] if coming else [None]),
        "charged": [credits_number(each.charged) for each in burn.days] + [None] * len(coming),
        "ends_on": burn.ends_on.isoformat() if burn.ends_on else None,
    }


ROUTES: Final[tuple[Route, ...]] = (
    Route("GET", "/teams/{team}", show),
    Route("GET", "/teams/{team}/burn.json", show_burn),
)
