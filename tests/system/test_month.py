"""A month in the life of a team, played on a calendar that the test turns: the store's time and the gateway's."""

from collections.abc import Iterator

import pytest

from gatekeeper.ledger.teamrecord import Limit, Per
from tests.system.almanac import Almanac, turned_by_hand
from tests.system.conftest import StartWorld


@pytest.fixture(name="almanac")
def _almanac(monkeypatch: pytest.MonkeyPatch) -> Iterator[Almanac]:
    with turned_by_hand(monkeypatch) as almanac:
        yield almanac


async def test_a_day_limit_begins_anew_at_midnight_of_the_teams_zone(start_world: StartWorld, almanac: Almanac) -> None:
    """A limit per day is used up at 23:59 in Berlin, and there again a second after midnight."""
    world = await start_world(clock=almanac)
    store = world.gateway.store.client
    await almanac.turn(store, "2027-03-01T22:59:00")
    day = Limit("member", Per.DAY, 60_000_000)
    key = await world.key(timezone="Europe/Berlin", limits=(day,))
    amy = {"Gatekeeper-Member": "amy"}

    before = [(await world.native(key, headers=amy)).status for _ in range(2)]
    await almanac.turn(store, "2027-03-01T23:00:01")
    after = (await world.native(key, headers=amy)).status

    assert [[200, 402], 200] == [before, after]
    await world.assert_books_clean()
