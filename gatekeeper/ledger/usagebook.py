"""What a team used, by day and by what it was used for: read from the rows that the scripts keep.

A hold is counted in the script that ends it, in the row of its day and of what it was for; so the rows are sums over
the journal, which `verify` derives again. This module names the buckets in which rows are, and reads them. It counts
nothing, and groups nothing.
"""

import asyncio
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Final

from gatekeeper.ledger import bounds, looking
from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.errors import LedgerBroken
from gatekeeper.ledger.holdid import DAY_MS, month_of_day
from gatekeeper.ledger.keys import TeamKeys
from gatekeeper.ledger.reports import UsageRow

ROWS_MAX: Final = 10_000
"""Rows of a month: above any honest mix of models, projects and members; what is more is counted in one row a day."""
ROWS_AT_ONCE_MAX: Final = 500
"""Rows that are read in one turn of the event loop, some milliseconds; more are read beside it. Whoever names ever new
projects makes as many as a month may have."""
LIFE_DAYS: Final = 431
"""How long a bucket lives from the beginning of its month: 400 days from its end."""
OTHER: Final = "*"
"""In place of what a row is for: everything that no row was kept for."""

_AWAY_DAYS: Final = 4
"""A hold's id and the beginning of its day in the team's zone are less than this apart: an id is at most two days old
or a day ahead when it is held, and a day begins at most 25 hours before."""
_UNFIT: Final = re.compile(r"[\x00-\x1f\x7f|\ud800-\udfff]")
_PART_CHARS_MAX: Final = (bounds.USAGE_CHARS_MAX - bounds.USAGE_PARTS + 1) // bounds.USAGE_PARTS
_EPOCH: Final = date(1970, 1, 1).toordinal()


class UsageBook:
    """The usage of a store's teams."""

    def __init__(self, client: StoreClient) -> None:
        self._client = client

    async def rows(self, team: str, from_ms: int, to_ms: int) -> list[UsageRow]:
        """Every row of the days that begin from `from_ms` to before `to_ms`, in order; what is older than 400 days is
        forgotten. Days are the team's own. Rows are read in pages: one that is counted meanwhile may be in or not."""
        bounds.check_team_id(team)
        now_ms = await looking.now_ms(self._client, team)
        first = max(from_ms // DAY_MS, now_ms // DAY_MS - LIFE_DAYS) - _AWAY_DAYS
        last = min(to_ms // DAY_MS, now_ms // DAY_MS) + _AWAY_DAYS
        stored = [await looking.whole_hash(self._client, TeamKeys(team).usage(each)) for each in months(first, last)]
        if sum(map(len, stored)) <= ROWS_AT_ONCE_MAX:
            return _rows_of(stored, from_ms, to_ms)
        return await asyncio.to_thread(_rows_of, stored, from_ms, to_ms)


def _rows_of(stored: Sequence[Mapping[str, str]], from_ms: int, to_ms: int) -> list[UsageRow]:
    found = (parse_row(name, counted) for month in stored for name, counted in month.items())
    return sorted((row for row in found if from_ms <= row.day_ms < to_ms), key=_order)


def usage_text(
    model: str | None, operation: str | None, resolution: str | None, phase: str | None, provider: str | None,
    traits: Collection[str] = (),
) -> str:  # fmt: skip
    """What a hold is counted under, for its order. What would not fit into a row is written in another way."""
    parts = (model, operation, resolution, phase, provider, "+".join(traits))
    return "|".join(_UNFIT.sub("_", part or "")[:_PART_CHARS_MAX] for part in parts)


def months(first_day: int, last_day: int) -> list[str]:
    """The months of these UTC days (days since 1970-01-01), from the first to the last."""
    return list(dict.fromkeys(month_of_day(day) for day in (*range(first_day, last_day, 28), last_day)))


def living_months(now_ms: int) -> list[str]:
    """Every month that may have a bucket now; those about to be forgotten are left out."""
    today = now_ms // DAY_MS
    return [month for month in months(today - LIFE_DAYS, today + _AWAY_DAYS) if bucket_ends_ms(month) > now_ms + DAY_MS]


def bucket_ends_ms(month: str) -> int:
    """When the bucket of this month is forgotten."""
    year, _, number = month.partition("-")
    return (date(int(year), int(number), 1).toordinal() - _EPOCH + LIFE_DAYS) * DAY_MS


def parse_row(name: str, counted: str) -> UsageRow:
    """A row as the scripts write it. Raises LedgerBroken."""
    try:
        day, text, *who = name.split("\t")
        spent, generations, released, outputs = (int(number) for number in counted.split(":"))
        is_other = text == OTHER and not who
        model, operation, resolution, phase, provider, traits = [""] * 6 if is_other or not text else text.split("|")
        project, member = ("", "") if is_other else who
        return UsageRow(
            int(day), model, operation, resolution, phase, provider, tuple(traits.split("+")) if traits else (),
            project, member, spent, generations, released, outputs, is_other,
        )  # fmt: skip
    except (TypeError, ValueError) as error:
        raise LedgerBroken(f"a row of usage cannot be read: {error!r}") from error


def _order(row: UsageRow) -> tuple[object, ...]:
    return (row.day_ms, row.other, row.model, row.operation, row.resolution, row.phase, row.provider, row.traits,
            row.project, row.member)  # fmt: skip
