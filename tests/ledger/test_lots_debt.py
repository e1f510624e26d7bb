"""Grants that expire while their team is in debt: nothing of them lapses, so no entry of the journal says so."""

from collections.abc import AsyncIterator, Callable

import pytest

from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.records import HoldOrder, Refused
from gatekeeper.ledger.teamrecord import TeamRecord
from tests.ledger.conftest import CREDIT, fresh_id
from tests.system.almanac import NOW, turned_by_hand

Order = Callable[..., HoldOrder]
HOUR_MS = 3_600_000


@pytest.fixture
async def ledger(client: StoreClient, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Ledger]:
    """A ledger on a store whose time can be turned."""
    with turned_by_hand(monkeypatch):
        yield Ledger(client)
        await client.command("DEL", NOW)


@pytest.fixture
async def owing(ledger: Ledger, team: TeamRecord, order: Order, client: StoreClient) -> TeamRecord:
    """A team that owes 10 credits, with 50 that cover a part of its debt and have just expired."""
    now_ms = await ledger.now_ms(team.id)
    held = order(amount=490 * CREDIT)
    await ledger.hold(held)
    await ledger.grant(team.id, "lot", 50 * CREDIT, expires_at_ms=now_ms + HOUR_MS)
    await ledger.settle(held.hold_id, team.id, 550 * CREDIT)
    await client.command("HSET", NOW, "ms", now_ms + HOUR_MS)
    return team


async def test_its_reminder_goes_without_an_entry(ledger: Ledger, owing: TeamRecord):
    """Whoever looks at what is due takes the reminder away, and verify finds nothing wrong."""
    await ledger.expire_due(owing.id)

    assert None is (await ledger.expire_due(owing.id)).next_due_in_ms
    assert () == (await ledger.verify(owing.id)).differences


async def test_a_refused_hold_takes_the_reminder_away_too(ledger: Ledger, owing: TeamRecord):
    """A hold that comes first does the same, and the next grant pays the debt."""
    refused = await ledger.hold(HoldOrder(fresh_id(), owing.id, CREDIT, ttl_ms=1000))
    before = (await ledger.verify(owing.id)).differences
    await ledger.grant(owing.id, "more", 30 * CREDIT)

    assert isinstance(refused, Refused)
    assert ((), ()) == (before, (await ledger.verify(owing.id)).differences)
    assert 20 * CREDIT == (await ledger.balance(owing.id)).available
