"""What credits went into: the same spend, split by model, resolution, project, member and phase. Pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from gatekeeper.console.sparks import Bar
from gatekeeper.ledger.reports import UsageRow
from gatekeeper.web.usagereport import OTHER, UsageGroup, UsageQuery, add_up

SPLIT_BY: Final = (
    ("model", "Model", "no model"),
    ("resolution", "Resolution", "no tier"),
    ("project", "Project", "no project"),
    ("member", "Member", "no member"),
    ("phase", "Phase", "no phase"),
)
"""By what: its name in usage, its heading, and what stands where there is none."""

_MONTH: Final = re.compile(r"20\d\d-(0[1-9]|1[0-2])")

PARTS_MAX: Final = 8
"""Lines of a split; the rest is one more."""


@dataclass(frozen=True, slots=True)
class Part:
    """A line: micro-credits, and its share of the largest as a bar, of all in percent."""

    name: str
    credits: int
    generations: int
    percent: float
    bar: Bar


@dataclass(frozen=True, slots=True)
class Split:
    """The whole, split by one thing."""

    by: str
    heading: str
    parts: tuple[Part, ...]
    total: int


def month_query(timezone: str, at_ms: int, wanted: str = "") -> UsageQuery:
    """The month that runs, or the one that is wanted (2026-10), if it is before that."""
    today = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(timezone)).date()
    runs = UsageQuery(timezone, today.replace(day=1), today)
    if not _MONTH.fullmatch(wanted):
        return runs
    first = date(int(wanted[:4]), int(wanted[5:]), 1)
    return UsageQuery(timezone, first, _next(first) - timedelta(days=1)) if first < runs.first else runs


def months_around(month: UsageQuery, runs: UsageQuery) -> tuple[date, date | None]:
    """The month before, and the one after; there is none after the one that runs."""
    before = (month.first - timedelta(days=1)).replace(day=1)
    return before, _next(month.first) if month.first < runs.first else None


def _next(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1)


def splits_of(rows: Iterable[UsageRow], query: UsageQuery) -> list[Split]:
    """The rows of these days, split by each."""
    kept = list(rows)
    return [_split(kept, query, *each) for each in SPLIT_BY]


def _split(rows: Sequence[UsageRow], query: UsageQuery, by: str, heading: str, nothing: str) -> Split:
    found = add_up("", UsageQuery(query.timezone, query.first, query.last, (by,)), rows)
    groups = [(_name(group, nothing), group.sum.credits, group.sum.generations) for group in found.groups]
    kept, rest = groups[:PARTS_MAX], groups[PARTS_MAX:]
    if rest:
        kept.append((f"{len(rest)} more", sum(each[1] for each in rest), sum(each[2] for each in rest)))
    most, total = max((each[1] for each in kept), default=0), found.total.credits
    parts = tuple(Part(name, spent, count, _percent(spent, total), _bar(spent, most)) for name, spent, count in kept)
    return Split(by, heading, parts, total)


def _bar(spent: int, most: int) -> Bar:
    """The largest fills its bar; none of these bars is a warning."""
    return Bar(round(100 * max(spent, 0) / most, 2) if most > 0 else 0.0, 0.0, "")


def _name(group: UsageGroup, nothing: str) -> str:
    return OTHER if group.other else group.keys[0] or nothing


def _percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 1) if whole > 0 else 0.0
