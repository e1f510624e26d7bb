"""The ids of all teams, in order: what the pages of many teams are cut from. Read by one walk over the store, which is
shared and, where there are many teams, kept for a few seconds.
"""

import asyncio
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gatekeeper.clock import Clock
from gatekeeper.console.keeping import Kept
from gatekeeper.ledger.ledger import Ledger

MANY: Final = 1000
"""From here on a walk is worth keeping; below it is two questions to the store."""

IDS_MAX: Final = 250_000
"""Ids in memory, some twenty megabytes; a store of more teams is looked at by name."""

SEARCH_CHARS_MAX: Final = 64
"""As long as a team's id."""


@dataclass(frozen=True, slots=True)
class Ids:
    """Ids in order, those with the letters that were looked for. `is_all`: no more were there. `age_s`: since read."""

    ids: Sequence[str]
    is_all: bool = True
    age_s: float = 0.0

    def behind(self, after: str, count: int) -> Sequence[str]:
        """So many behind this one."""
        begin = bisect_right(self.ids, after)
        return self.ids[begin : begin + count]


class Roster:
    """All teams of a ledger, by id."""

    def __init__(self, clock: Clock) -> None:
        self._kept = Kept[str, Ids](clock, lambda found: len(found.ids) > MANY)

    async def find(self, ledger: Ledger, search: str = "") -> Ids:
        """The teams whose id has these letters, whatever their case."""
        reading = await self._kept.get("", lambda: _walk(ledger))
        found, wanted = reading.value, search.lower()
        if not wanted:
            return Ids(found.ids, found.is_all, reading.age_s)
        # A thread of its own, as for the order: those who generate do not wait for a look at many names.
        fitting = await asyncio.to_thread(lambda: [each for each in found.ids if wanted in each.lower()])
        return Ids(fitting, found.is_all, reading.age_s)


async def _walk(ledger: Ledger) -> Ids:
    ids, is_all = set[str](), True
    async for team_id in ledger.teams():
        ids.add(team_id)
        if len(ids) >= IDS_MAX:
            is_all = False
            break
    return Ids(await asyncio.to_thread(sorted, ids), is_all)
