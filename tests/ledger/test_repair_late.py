"""What is acknowledged while a team is being repaired: by the store as it is now, or by the server that is gone."""

import asyncio
from collections.abc import Callable

import pytest
from redis.asyncio import Redis

from gatekeeper.ledger.errors import LedgerHistoryLost
from gatekeeper.ledger.history import Act
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.records import Held, HoldOrder
from gatekeeper.ledger.repair import Answered, LostHistory
from gatekeeper.ledger.teamrecord import TeamRecord
from tests.ledger import test_repair
from tests.ledger.test_repair import Past, until_open

Order = Callable[..., HoldOrder]
Queue = asyncio.Queue[LostHistory]

bytes_redis, ledger, lost = test_repair.bytes_redis, test_repair.ledger, test_repair.lost


class Slow:
    """Lets a ledger's repair tell nothing before it may."""

    def __init__(self, ledger: Ledger) -> None:
        self.begun, self.may = asyncio.Event(), asyncio.Event()
        self._tell = ledger.repair._tell
        ledger.repair._tell = self._slowly

    async def _slowly(self, team_id: str, act: Act) -> Answered:
        self.begun.set()
        await self.may.wait()
        return await self._tell(team_id, act)


async def test_an_answer_of_the_lost_history_is_no_loss_of_its_own(
    ledger: Ledger, order: Order, team: TeamRecord, bytes_redis: Redis, lost: Queue
) -> None:
    """The last answers of a server that is gone may be read when the repair has begun: what they acknowledged is told
    again with the rest, and their place in that history counts for nothing in the new one."""
    past, slow = await Past.take(bytes_redis, team.id), Slow(ledger)
    first, late = order(), order()
    held = await ledger.hold(first)
    assert isinstance(held, Held)
    await past.come_back()
    ledger.repair.check_soon()
    await slow.begun.wait()
    ledger.repair.acked(team.id, held.seq + 1, late)
    slow.may.set()
    report = await lost.get()
    await until_open(ledger, team.id)
    await ledger.hold(order())

    assert (2, 0, 0) == (report.told_again, report.refused, report.missing)
    assert {first.hold_id, late.hold_id} <= {hold.hold_id for hold in await ledger.holds(team.id)}
    assert lost.empty()


async def test_an_answer_of_the_new_history_is_remembered_as_ever(
    ledger: Ledger, order: Order, team: TeamRecord, bytes_redis: Redis, lost: Queue
) -> None:
    """What the store acknowledges during a repair is in its place: it is not told again, and missed if it gets lost."""
    kept = order()
    await ledger.hold(kept)
    past, slow = await Past.take(bytes_redis, team.id), Slow(ledger)
    await ledger.hold(order())
    await past.come_back()
    ledger.repair.check_soon()
    await slow.begun.wait()
    settled = await ledger.settle(kept.hold_id, team.id, 5)
    slow.may.set()
    report = await lost.get()
    await until_open(ledger, team.id)

    assert (1, 0, 0) == (report.told_again, report.refused, report.missing)
    assert settled.seq <= (ledger.repair._history.seen(team.id) or settled).seq
    assert (await ledger.verify(team.id)).clean
    assert lost.empty()


async def test_a_second_loss_is_counted_from_the_last_entry_in_its_place(
    ledger: Ledger, order: Order, team: TeamRecord, bytes_redis: Redis, lost: Queue
) -> None:
    """What the first repair told again stands behind what the new server had taken before, though it was told first."""
    past = await Past.take(bytes_redis, team.id)
    for _ in range(3):
        await ledger.hold(order())
    await past.come_back()
    with pytest.raises(LedgerHistoryLost):
        await ledger.hold(order())
    first = await lost.get()
    await until_open(ledger, team.id)
    past = await Past.take(bytes_redis, team.id)
    await ledger.hold(order())
    await past.come_back()
    ledger.repair.check_soon()

    second = await lost.get()
    assert (3, 0) == (first.told_again, first.missing)
    assert (1, 0) == (second.told_again, second.missing)
