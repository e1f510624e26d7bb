"""A store that has lost the news of a job is told again: the hold follows it, and it is found by its names."""

import asyncio
from collections.abc import Callable

import pytest
from redis.asyncio import Redis

from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.records import HoldOrder, HoldState
from gatekeeper.ledger.repair import LostHistory
from gatekeeper.ledger.teamrecord import TeamRecord
from tests.ledger import test_repair
from tests.ledger.conftest import JOB_MS
from tests.ledger.test_repair import Past, context

Order = Callable[..., HoldOrder]
Queue = asyncio.Queue[LostHistory]

bytes_redis, ledger, lost = test_repair.bytes_redis, test_repair.ledger, test_repair.lost


@pytest.fixture(name="past")
async def _past(bytes_redis: Redis, team: TeamRecord) -> Past:
    """The team's keys before anything of the test."""
    return await Past.take(bytes_redis, team.id)


async def attach(ledger: Ledger, order: HoldOrder) -> None:
    """Let the hold follow a job."""
    await ledger.attach_job(order.hold_id, order.team, "a job", ttl_ms=60_000, names=("fal/1",), keep_ms=JOB_MS)


async def test_a_job_that_was_lost_is_followed_again(ledger: Ledger, order: Order, past: Past, lost: Queue) -> None:
    """With its hold, and with its names."""
    held = order()
    await ledger.hold(held)
    await attach(ledger, held)
    await past.come_back()

    ledger.repair.check_soon()

    report = await lost.get()
    assert (2, 0, 0) == (report.told_again, report.refused, report.missing)
    assert (held.hold_id, "a job") == await ledger.job(held.team, "fal/1")
    assert [(HoldState.HELD, True)] == [(each.state, each.follows_job) for each in await ledger.holds(held.team)]


async def test_a_job_that_was_lost_with_its_end_is_found_again(
    ledger: Ledger, order: Order, past: Past, lost: Queue
) -> None:
    """Its end is booked again, nothing is said to be missing, and its result can still be asked for."""
    asked = order()
    held = await ledger.hold(asked)
    await ledger.mark_unknown(asked.hold_id, asked.team)
    await attach(ledger, asked)
    await ledger.settle(asked.hold_id, asked.team, 7, context=context(asked, held))  # type: ignore[arg-type]
    await past.come_back()

    ledger.repair.check_soon()

    report = await lost.get()
    assert (4, 0, 0) == (report.told_again, report.refused, report.missing)
    assert (asked.hold_id, "a job") == await ledger.job(asked.team, "fal/1")
    assert 7 == (await ledger.balance(asked.team)).charged


async def test_a_later_deadline_that_was_lost_is_set_again(
    ledger: Ledger, order: Order, past: Past, lost: Queue
) -> None:
    """With its hold, and nothing is said to be missing."""
    held = order(ttl_ms=60_000)
    await ledger.hold(held)
    await ledger.terms.extend(held.hold_id, held.team, 3_600_000)
    await past.come_back()

    ledger.repair.check_soon()

    report = await lost.get()
    found = await ledger.open_hold(held.hold_id, held.team)
    assert (2, 0, 0) == (report.told_again, report.refused, report.missing)
    assert found is not None
    assert (found.deadline_ms or 0) - found.held_at_ms >= 3_600_000
