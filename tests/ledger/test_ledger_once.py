"""The ledger as the gateway calls it: requests that come twice, holds that are not there, jobs and kept answers."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from gatekeeper.ledger.errors import LedgerInvalid
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.records import (
    Answer,
    Attached,
    EntryKind,
    Held,
    HoldContext,
    HoldOrder,
    HoldState,
    JobStatus,
    Mismatch,
    RefusalCode,
    Refused,
    Repeated,
    SettleStatus,
)
from gatekeeper.ledger.teamrecord import Caps, TeamRecord
from tests.cases import each_case

CREDIT = 1_000_000
HOUR = 3_600_000
DAY = 24 * HOUR
Order = Callable[..., HoldOrder]


async def test_the_same_request_twice_at_once(ledger: Ledger, team: TeamRecord, order: Order):
    """Of many at the same time one is held; the others are told which."""
    orders = [order(once="name", once_within_ms=DAY) for _ in range(20)]
    first, *others = await asyncio.gather(*(ledger.hold(asked) for asked in orders))

    assert isinstance(first, Held)
    assert [Repeated(first.hold_id, HoldState.HELD, 49 * CREDIT, 0)] * 19 == others
    assert (1, True) == ((await ledger.balance(team.id)).open_holds, (await ledger.verify(team.id)).clean)


async def test_another_request_of_the_same_name(ledger: Ledger, order: Order):
    """A name means one request: something else under it is a mismatch, with the hold it belongs to."""
    first = order(once="name")
    await ledger.hold(first)

    answer = await ledger.hold(order(once="name", once_within_ms=HOUR, fingerprint="other"))
    assert Mismatch(first.hold_id, HoldState.HELD) == answer


async def test_a_first_attempt_that_arrives_last_hides_no_retry(
    ledger: Ledger, team: TeamRecord, order: Order, new_id: Callable[..., str]
):
    """A hold that was on its way for long and is undone then leaves the name to the retry made meanwhile."""
    first = order(hold_id=new_id(6000), once="name")
    retry = order(hold_id=new_id(1000), once="name", once_within_ms=HOUR)
    await ledger.hold(retry)
    await ledger.hold(first)
    await ledger.undo(first.hold_id, team.id)

    assert Repeated(retry.hold_id, HoldState.HELD, 49 * CREDIT, 0) == await ledger.hold(
        order(once="name", once_within_ms=HOUR)
    )


async def test_a_name_whose_hold_was_given_back_is_taken_by_an_older_id(
    ledger: Ledger, team: TeamRecord, order: Order, new_id: Callable[..., str]
):
    """Two gateways' clocks differ: the retry that the slower one made of a released hold is known by the name."""
    failed, retry = order(hold_id=new_id(), once="name"), order(hold_id=new_id(1000), once="name", once_within_ms=HOUR)
    await ledger.hold(failed)
    await ledger.release(failed.hold_id, team.id)
    await ledger.hold(retry)

    assert Repeated(retry.hold_id, HoldState.HELD, 49 * CREDIT, 0) == await ledger.hold(
        order(once="name", once_within_ms=HOUR)
    )


async def test_a_request_is_answered_again(ledger: Ledger, team: TeamRecord, order: Order):
    """The answer that was kept with the charge is found by the hold that the repeated request is told."""
    first = order(once="name")
    await ledger.hold(first)
    await ledger.settle(first.hold_id, team.id, 7, answer=Answer('{"url":"ü"}', DAY))
    again = await ledger.hold(order(once="name", once_within_ms=HOUR))

    assert Repeated(first.hold_id, HoldState.SETTLED, 49 * CREDIT, 7) == again
    assert '{"url":"ü"}' == await ledger.answer(team.id, again.hold_id)


async def test_an_answer_of_the_largest_size(ledger: Ledger, team: TeamRecord, order: Order):
    """96 KiB are kept to the last byte."""
    asked, text = order(), "x" * 96 * 1024
    await ledger.hold(asked)
    await ledger.settle(asked.hold_id, team.id, 7, answer=Answer(text, DAY))

    assert text == await ledger.answer(team.id, asked.hold_id)


async def test_no_answer(ledger: Ledger, team: TeamRecord, order: Order):
    """A hold with which nothing was kept has none."""
    assert None is await ledger.answer(team.id, order().hold_id)


async def test_undo(ledger: Ledger, team: TeamRecord, order: Order):
    """A hold that is there is released; one that is not can no longer be made. Both may be asked twice."""
    made, never = order(), order()
    await ledger.hold(made)
    statuses = [(await ledger.undo(each.hold_id, team.id)).status for each in (made, never) for _ in range(2)]

    assert ["released", "duplicate", "voided", "duplicate"] == statuses
    assert Repeated(never.hold_id, HoldState.VOID, 0, 0) == await ledger.hold(never)
    assert (490 * CREDIT, True) == ((await ledger.balance(team.id)).available, (await ledger.verify(team.id)).clean)


async def test_a_charge_of_a_hold_the_store_lost(ledger: Ledger, team: TeamRecord, order: Order):
    """It is booked from the context, in the windows that the hold was told, and the books stay clean."""
    other = order(project="p")
    held = await ledger.hold(other)
    assert isinstance(held, Held)
    asked = order(project="p")
    context = HoldContext(49 * CREDIT, "p", windows=held.windows, fingerprint="print", price_list="list")
    settled = await ledger.settle(asked.hold_id, team.id, 24 * CREDIT, context=context)
    (entry,) = await ledger.journal(team.id, after=3)

    assert (SettleStatus.ORPHAN, 24 * CREDIT, 0, None) == (
        settled.status, settled.charged, settled.freed, settled.was,
    )  # fmt: skip
    assert (EntryKind.ORPHAN, held.windows, "p") == (entry.kind, entry.fields["windows"], entry.fields["project"])
    assert (24 * CREDIT, True) == ((await ledger.balance(team.id)).charged, (await ledger.verify(team.id)).clean)


async def test_a_release_of_a_hold_the_store_lost(ledger: Ledger, team: TeamRecord, order: Order):
    """With its context nothing is left to be made; without it is gone."""
    asked = order()
    statuses = [
        (await ledger.release(asked.hold_id, team.id, context=context)).status
        for context in (None, HoldContext(49 * CREDIT))
    ]

    assert [SettleStatus.GONE, SettleStatus.VOIDED] == statuses


async def test_a_repeated_hold_tells_its_windows_too(ledger: Ledger, order: Order):
    """The context can be made from either answer."""
    asked = order()
    first, again = await ledger.hold(asked), await ledger.hold(asked)

    assert isinstance(first, Held)
    assert isinstance(again, Held)
    assert first.windows == again.windows != ""


async def test_a_hold_with_a_job(ledger: Ledger, team: TeamRecord, order: Order):
    """Overdue it stays, whatever its policy; the same job makes it known again, and its result settles it."""
    asked = order()
    await ledger.hold(asked)
    attached = await ledger.attach_job(asked.hold_id, team.id, "job", ttl_ms=0, answer=Answer("running", DAY))
    expiry = await ledger.expire_due(team.id)
    (kept,) = await ledger.holds(team.id)
    again = await ledger.attach_job(asked.hold_id, team.id, "job", ttl_ms=HOUR)
    (running,) = await ledger.holds(team.id)
    clean = (await ledger.verify(team.id)).clean

    assert (JobStatus.ATTACHED, JobStatus.ATTACHED, True) == (attached.status, again.status, clean)
    assert [EntryKind.UNKNOWN, EntryKind.KEEP] == [transition.kind for transition in expiry.transitions]
    assert (HoldState.UNKNOWN, None, True) == (kept.state, kept.deadline_ms, kept.follows_job)
    assert (HoldState.HELD, again.deadline_ms) == (running.state, running.deadline_ms)
    assert "running" == await ledger.answer(team.id, asked.hold_id)
    assert SettleStatus.SETTLED is (await ledger.settle(asked.hold_id, team.id, 7)).status
    assert Attached(JobStatus.RESOLVED, None, 0) == await ledger.attach_job(asked.hold_id, team.id, "job", ttl_ms=1)
    assert (await ledger.verify(team.id)).clean


async def test_requests_per_minute(ledger: Ledger, team: TeamRecord, order: Order):
    """More than the cap in a minute is refused, with the cap, the count and the end of the minute."""
    await ledger.put_team(replace(team, caps=Caps(requests_per_minute=1)))
    results = [await ledger.hold(order(amount=0)) for _ in range(3)]
    refused = results[-1] if isinstance(results[-1], Refused) else results[1]  # a new minute may begin between two

    assert isinstance(refused, Refused)
    (refusal,) = refused.refusals
    assert (RefusalCode.RATE_LIMITED, "minute", 1, 1, False) == (
        refusal.code, refusal.per, refusal.limit, refusal.used, refusal.fits_after_release,
    )  # fmt: skip
    assert 0 == (refusal.resets_at_ms or 1) % 60_000


@each_case(
    "call",
    [
        lambda ledger, asked: ledger.settle(asked.hold_id, asked.team, 1, context=HoldContext(-1)),
        lambda ledger, asked: ledger.settle(asked.hold_id, asked.team, 1, answer=Answer("x", 0)),
        lambda ledger, asked: ledger.attach_job(asked.hold_id, asked.team, "", ttl_ms=1),
        lambda ledger, asked: ledger.attach_job(asked.hold_id, asked.team, "j", ttl_ms=1, answer=Answer("x", 0)),
        lambda ledger, asked: ledger.undo("x", asked.team),
        lambda ledger, asked: ledger.answer(asked.team, "x"),
    ],
)
async def test_what_no_ledger_can_book_is_not_sent(ledger: Ledger, order: Order, call: Callable[..., object]):
    """A context, an answer, a job or an id that cannot be right is refused before anything is sent."""
    with pytest.raises(LedgerInvalid):
        await call(ledger, order())  # type: ignore[misc]
