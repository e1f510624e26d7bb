"""What a team's credits went into: the ledger's usage rows of some days, added up by what somebody asks for.

One reading of a query and one document for the data plane, the admin plane and the command line, as JSON and as CSV.
Usage is counted by the day in which a generation was begun, so a stretch of time is always whole days of the team's
time zone. Nothing is counted here, and nothing is read that the ledger does not keep.
"""

import asyncio
import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from io import StringIO
from typing import Any, Final
from zoneinfo import ZoneInfo

from aiohttp import web

from gatekeeper.core.credits import credits_text
from gatekeeper.core.rejection import Code, Rejected, quoted, refuse
from gatekeeper.dialects.facts import credits_number
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.reports import UsageRow
from gatekeeper.ledger.teamrecord import TeamRecord
from gatekeeper.ledger.usagebook import ROWS_AT_ONCE_MAX
from gatekeeper.web.answers import REQUEST_ID, json_answer
from gatekeeper.web.outgoing import SERVER

DIMENSIONS: Final = ("model", "resolution", "operation", "project", "member", "phase", "provider", "traits", "day")
"""By what usage can be asked for."""

DEFAULT_BY: Final = ("model", "resolution")
"""The two that say most of where credits go."""

FORMATS: Final = ("json", "csv")

PARAMETERS: Final = ("from", "to", "by", "format")

DAYS_MAX: Final = 800
"""A month of usage is kept for 400 days after its end: twice that has all there is."""

YEARS: Final = range(2000, 3000)
"""No gateway ran before, and none is asked about later days; a typing error is caught."""

OTHER: Final = "(other)"
"""In a CSV cell: what was beyond the rows that the ledger keeps apart."""

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_HALF_DAY: Final = timedelta(hours=12)
_UNSAFE: Final = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet would take for the beginning of a formula."""


@dataclass(frozen=True, slots=True)
class UsageQuery:
    """The days from `first` to `last`, both included, of a time zone, and by what they are added up."""

    timezone: str
    first: date
    last: date
    by: tuple[str, ...] = DEFAULT_BY
    as_csv: bool = False

    @property
    def from_ms(self) -> int:
        """From where on rows can be of these days, also those of a time zone that the team had before."""
        return _ms(self._midnight(self.first) - _HALF_DAY)

    @property
    def to_ms(self) -> int:
        """Up to where."""
        return _ms(self._midnight(self.last + timedelta(days=1)) + _HALF_DAY)

    def day_of(self, row: UsageRow) -> date:
        """The day of a row: that of its noon, so that it is the same after a change of the time zone."""
        return (datetime.fromtimestamp(row.day_ms / 1000, UTC) + _HALF_DAY).astimezone(ZoneInfo(self.timezone)).date()

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), tzinfo=ZoneInfo(self.timezone)).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class UsageSum:
    """Credits charged, in micro-credits; generations that were charged, and those that ended without a charge;
    outputs made."""

    credits: int = 0
    generations: int = 0
    released: int = 0
    outputs: int = 0

    def plus(self, row: UsageRow) -> "UsageSum":
        return UsageSum(
            self.credits + row.credits,
            self.generations + row.generations,
            self.released + row.released,
            self.outputs + row.outputs,
        )


@dataclass(frozen=True, slots=True)
class UsageGroup:
    """What fell into one combination. `keys` are the values of the query's `by`, None where a generation had none;
    `other` is what the ledger no longer kept apart."""

    keys: tuple[str | None, ...]
    other: bool
    sum: UsageSum


@dataclass(frozen=True, slots=True)
class UsageReport:
    """The answer to a query; `groups` add up to `total`."""

    team: str
    query: UsageQuery
    groups: tuple[UsageGroup, ...]
    total: UsageSum


async def usage_report(ledger: Ledger, team: TeamRecord, asked: Mapping[str, str]) -> UsageReport:
    """What the team used, as a query's parameters ask for it. Raises `Rejected` (malformed_request)."""
    query = read_usage_query(asked, team.timezone, await ledger.now_ms(team.id))
    rows = await ledger.usage.rows(team.id, query.from_ms, query.to_ms)
    if len(rows) <= ROWS_AT_ONCE_MAX:
        return add_up(team.id, query, rows)
    return await asyncio.to_thread(add_up, team.id, query, rows)


async def usage_answer(report: UsageReport, request_id: str | None = None) -> web.Response:
    """The report over HTTP, as JSON or as a file for spreadsheets."""
    if len(report.groups) <= ROWS_AT_ONCE_MAX:
        return _written(report, request_id)
    return await asyncio.to_thread(_written, report, request_id)


def _written(report: UsageReport, request_id: str | None) -> web.Response:
    if not report.query.as_csv:
        return json_answer(usage_document(report), request_id)
    headers = {"Server": SERVER, "Content-Disposition": f'attachment; filename="{csv_name(report)}"'}
    headers |= {} if request_id is None else {REQUEST_ID: request_id}
    return web.Response(text=usage_csv(report), content_type="text/csv", charset="utf-8", headers=headers)


def read_usage_query(asked: Mapping[str, str], timezone: str, now_ms: int) -> UsageQuery:
    """What `?from=&to=&by=&format=` asks for; without any of it this month so far, by model and resolution.

    A day includes itself; an instant in `to` is the end, and its whole day counts. Raises `Rejected`, malformed.
    """
    for name in asked:
        if name not in PARAMETERS:
            raise _wrong(f"There is no parameter {quoted(name)}; there are {', '.join(PARAMETERS)}.")
    zone = ZoneInfo(timezone)
    today = datetime.fromtimestamp(now_ms / 1000, zone).date()
    last = _day(asked["to"], "to", zone, is_end=True) if "to" in asked else today
    first = _day(asked["from"], "from", zone) if "from" in asked else last.replace(day=1)
    if first > last:
        raise _wrong(f"From {first} to {last} there is no day: `from` is after `to`.")
    if (last - first).days >= DAYS_MAX:
        raise _wrong(f"From {first} to {last} are more than {DAYS_MAX} days; ask for fewer at once.")
    by = _dimensions(asked["by"]) if "by" in asked else DEFAULT_BY
    return UsageQuery(timezone, first, last, by, as_csv=_format(asked.get("format", "json")) == "csv")


def _day(text: str, name: str, zone: ZoneInfo, *, is_end: bool = False) -> date:
    try:
        if _DAY.fullmatch(text):
            found = date.fromisoformat(text)
        else:
            instant = datetime.fromisoformat(text)
            local = (instant if instant.tzinfo else instant.replace(tzinfo=zone)).astimezone(zone)
            found = (local - timedelta(milliseconds=1)).date() if is_end else local.date()
    except (ValueError, OverflowError):
        raise _wrong(
            f"`{name}` is {quoted(text)}: write a day like 2026-11-30 or an instant like 2026-11-30T12:00:00Z."
        ) from None
    if found.year not in YEARS:
        raise _wrong(f"`{name}` is {quoted(text)}: there is usage from the years {YEARS[0]} to {YEARS[-1]} only.")
    return found


def _dimensions(text: str) -> tuple[str, ...]:
    words = tuple(dict.fromkeys(word.strip() for word in text.split(",")))
    for word in words:
        if word not in DIMENSIONS:
            raise _wrong(
                f"`by` has {quoted(word) or 'an empty word'}: use {', '.join(DIMENSIONS)}, separated by commas."
            )
    return words


def _format(text: str) -> str:
    if text not in FORMATS:
        raise _wrong(f"`format` is {quoted(text)}: there are {' and '.join(FORMATS)}.")
    return text


def _wrong(detail: str) -> Rejected:
    return refuse(Code.MALFORMED_REQUEST, detail)


def add_up(team: str, query: UsageQuery, rows: Iterable[UsageRow]) -> UsageReport:
    """The rows of the query's days in groups: by day if that is asked for, and what cost most before the rest."""
    groups: dict[tuple[tuple[str | None, ...], bool], UsageSum] = {}
    total = UsageSum()
    for row in rows:
        day = query.day_of(row)
        if query.first <= day <= query.last:
            keys = tuple(_key(row, word, day) for word in query.by)
            which = keys, row.other and query.by != ("day",)
            groups[which] = groups.get(which, UsageSum()).plus(row)
            total = total.plus(row)
    found = (UsageGroup(keys, other, added) for (keys, other), added in groups.items())
    return UsageReport(team, query, tuple(sorted(found, key=lambda group: _place(query, group))), total)


def _key(row: UsageRow, word: str, day: date) -> str | None:
    if word == "day":
        return day.isoformat()
    if row.other:
        return None
    value = "+".join(row.traits) if word == "traits" else getattr(row, word)
    return value or None


def _place(query: UsageQuery, group: UsageGroup) -> tuple[Any, ...]:
    day = group.keys[query.by.index("day")] if "day" in query.by else ""
    return day, group.other, -group.sum.credits, -group.sum.generations, [key or "" for key in group.keys]


def usage_document(report: UsageReport) -> dict[str, Any]:
    """The report as JSON has it."""
    return {
        "team": report.team,
        "timezone": report.query.timezone,
        "from": report.query.first.isoformat(),
        "to": report.query.last.isoformat(),
        "by": list(report.query.by),
        "rows": [
            {**dict(zip(report.query.by, group.keys, strict=True)), "other": group.other, **_sum_document(group.sum)}
            for group in report.groups
        ],
        "total": _sum_document(report.total),
    }


def _sum_document(added: UsageSum) -> dict[str, Any]:
    return {
        "credits": credits_number(added.credits),
        "generations": added.generations,
        "released": added.released,
        "outputs": added.outputs,
    }


def usage_csv(report: UsageReport) -> str:
    """The report as a table for spreadsheets, a line of names first. No cell of it can be taken for a formula."""
    text = StringIO()
    table = csv.writer(text)
    table.writerow([*report.query.by, "credits", "generations", "released", "outputs"])
    for group in report.groups:
        added = group.sum
        keys = [_cell(OTHER if key is None and group.other else key or "") for key in group.keys]
        table.writerow([*keys, credits_text(added.credits), added.generations, added.released, added.outputs])
    return text.getvalue()


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(_UNSAFE) else text


def csv_name(report: UsageReport) -> str:
    """What a file of this table is called."""
    return f"usage-{report.team}-{report.query.first}-{report.query.last}.csv"


def _ms(instant: datetime) -> int:
    return int(instant.timestamp() * 1000)
