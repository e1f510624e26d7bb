"""What goes over all teams goes in steps, and at a pace."""

import time
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from gatekeeper.ledger.allowing import TEAMS_A_SECOND_MAX, TEAMS_AT_ONCE, AllowanceLoop, Allowances
from gatekeeper.ledger.looking import in_chunks
from gatekeeper.ledger.wallet import Wallet


async def numbered(count: int) -> AsyncIterator[str]:
    """So many teams."""
    for number in range(count):
        yield f"team-{number}"


class Known:
    """Teams with recurring grants, and to whom was given."""

    def __init__(self, count: int) -> None:
        self.ids = [f"team-{number}" for number in range(count)]
        self.given: list[str] = []

    async def teams(self) -> list[str]:
        return self.ids

    async def give(self, team_id: str) -> bool:
        self.given.append(team_id)
        return True


class NothingPending:
    """A wallet without transfers."""

    async def finish_pending(self) -> None:
        return


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (1, [1]), (3, [3]), (7, [3, 3, 1])])
async def test_teams_come_in_chunks(count: int, sizes: list[int]) -> None:
    """All of them, in order, the last chunk with what is left."""
    chunks = [chunk async for chunk in in_chunks(numbered(count), 3)]

    assert sizes == [len(chunk) for chunk in chunks]
    assert [f"team-{number}" for number in range(count)] == [team for chunk in chunks for team in chunk]


async def test_recurring_grants_of_many_teams_are_given_at_a_pace() -> None:
    """A million teams whose month begins at once do not take all of the gateway: each gets its turn."""
    known = Known(TEAMS_AT_ONCE + 1)
    loop = AllowanceLoop(cast("Allowances", known), cast("Wallet", NothingPending()), on_error=_raise)
    begun_s = time.monotonic()

    await loop.look()

    assert known.ids == known.given
    assert time.monotonic() - begun_s >= TEAMS_AT_ONCE / TEAMS_A_SECOND_MAX


def _raise(error: Exception) -> Any:
    raise error
