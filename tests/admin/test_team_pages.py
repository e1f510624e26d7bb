"""Pages of the list of teams, however the store gives their ids."""

import random
from collections.abc import AsyncIterator
from typing import cast

from gatekeeper.admin.bodies import PageQuery
from gatekeeper.admin.operations.teams import IDS_AT_ONCE, list_teams
from gatekeeper.ledger.ledger import Ledger


class Ids:
    """Team ids in no order, some of them twice; notes who was read."""

    def __init__(self, ids: list[str]) -> None:
        self.ids = ids + ids[::7]
        random.Random(1).shuffle(self.ids)
        self.read: list[str] = []

    async def teams(self) -> AsyncIterator[str]:
        for team_id in self.ids:
            yield team_id

    async def team(self, team_id: str) -> None:
        self.read.append(team_id)


async def test_every_team_is_on_one_page() -> None:
    """In order and once, though there are far more than are looked through at a time."""
    ids = [f"team-{number:05d}" for number in range(3 * IDS_AT_ONCE + 10)]
    ledger, cursor = Ids(ids), ""

    while (page := await list_teams(cast("Ledger", ledger), PageQuery(limit=1000, cursor=cursor))).next_cursor:
        cursor = page.next_cursor

    assert ids == ledger.read


async def test_a_page_that_all_fit_on_is_the_last() -> None:
    """There is no cursor behind it."""
    ledger = Ids(["a", "b", "c"])

    page = await list_teams(cast("Ledger", ledger), PageQuery(limit=3))

    assert (None, ["a", "b", "c"]) == (page.next_cursor, ledger.read)
