"""Refunds: what a hold was charged comes back, once for each refund id and never more than it was."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.errors import LedgerInvalid, LedgerNoTeam
from gatekeeper.ledger.holdid import DAY_MS
from gatekeeper.ledger.keys import TeamKeys
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.records import EntryKind, HoldContext, HoldOrder, OnUnknown, SettleStatus
from gatekeeper.ledger.teamrecord import TeamRecord
from gatekeeper.ledger.walletrecords import WalletStatus
from tests.ledger.conftest import CREDIT
from tests.ledger.lots_scene import Clock, figures, give, held, lots

Order = Callable[..., HoldOrder]
NewId = Callable[..., str]
Raw = Any
POLICY: dict[str, Any] = {"ttl_ms": 0, "grace_ms": 0, "on_unknown": OnUnknown.CHARGE}


async def charged(ledger: Ledger, order: HoldOrder, amount: int = 24 * CREDIT) -> str:
    """A hold that cost so much."""
    await ledger.hold(order)
    await ledger.settle(order.hold_id, order.team, amount)
    return order.hold_id


async def by_policy(ledger: Ledger, order: HoldOrder) -> str:
    """A hold whose outcome nobody told, charged by its own policy."""
    await ledger.hold(order)
    await ledger.expire_due(order.team)
    assert order.amount == (await ledger.balance(order.team)).charged
    return order.hold_id


async def clean(ledger: Ledger, team_id: str) -> bool:
    """Whether the journal confirms everything."""
    report = await ledger.verify(team_id)
    assert () == report.differences
    return True


async def test_a_refund_gives_a_charge_back_and_is_told_with_it(ledger: Ledger, order: Order, team: TeamRecord):
    """The credits are available again, and the journal has who, why, how much, of which charge and of which hold."""
    hold_id = await charged(ledger, order())
    refunded = await ledger.wallet.refund(team.id, "black", 10 * CREDIT, hold_id=hold_id, why="black", actor="amy")
    entry = (await ledger.journal(team.id))[-1]

    assert (WalletStatus.GRANTED, 10 * CREDIT, 10 * CREDIT, 14 * CREDIT, 476 * CREDIT) == (
        refunded.status, refunded.amount, refunded.refunded, refunded.charged, refunded.available,
    )  # fmt: skip
    assert (EntryKind.REFUND, "black", 10 * CREDIT, 14 * CREDIT, "4", "black", "amy") == (
        entry.kind, entry.hold_id, entry.amount, entry.charged, entry.fields["hold_seq"], entry.fields["why"],
        entry.fields["actor"],
    )  # fmt: skip
    assert hold_id in entry.fields["meta"]
    assert await clean(ledger, team.id)


async def test_the_same_refund_again_changes_nothing(ledger: Ledger, order: Order, team: TeamRecord):
    """An id is one refund: the same words find it, another amount or another charge is a mismatch."""
    hold_id, other = await charged(ledger, order()), await charged(ledger, order())
    first = await ledger.wallet.refund(team.id, "r", 5, hold_id=hold_id)
    again = [
        await ledger.wallet.refund(team.id, "r", 5, hold_id=hold_id),
        await ledger.wallet.refund(team.id, "r", hold_id=hold_id),
        await ledger.wallet.refund(team.id, "r", 5, seq=4),
        await ledger.wallet.refund(team.id, "r", 6, hold_id=hold_id),
        await ledger.wallet.refund(team.id, "r", 5, hold_id=other),
        await ledger.wallet.refund(team.id, "r", 5, seq=6),
    ]

    assert [WalletStatus.DUPLICATE] * 3 + [WalletStatus.MISMATCH] * 3 == [each.status for each in again]
    assert {(5, 5, 24 * CREDIT - 5, first.available, 0)} == {
        (each.amount, each.refunded, each.charged, each.available, each.seq) for each in again
    }
    assert await clean(ledger, team.id)


async def test_several_refunds_together_never_pass_the_charge(ledger: Ledger, order: Order, team: TeamRecord):
    """Of three refunds of 10 of a charge of 24, two are given; what is left can be had, and then nothing is."""
    hold_id = await charged(ledger, order())
    for name in "ab":
        await ledger.wallet.refund(team.id, name, 10 * CREDIT, hold_id=hold_id)
    with pytest.raises(LedgerInvalid, match="has 4 credits left to refund, after 20 refunded"):
        await ledger.wallet.refund(team.id, "c", 10 * CREDIT, hold_id=hold_id)
    rest = await ledger.wallet.refund(team.id, "d", hold_id=hold_id)
    with pytest.raises(LedgerInvalid, match="has 0 credits left"):
        await ledger.wallet.refund(team.id, "e", hold_id=hold_id)

    assert (4 * CREDIT, 24 * CREDIT, 0) == (rest.amount, rest.refunded, rest.charged)
    assert 490 * CREDIT == (await ledger.balance(team.id)).available
    assert await clean(ledger, team.id)


async def test_at_once_they_do_not_either(ledger: Ledger, order: Order, team: TeamRecord):
    """Forty refunds of 1 at once of a charge of 24: 24 are given."""
    hold_id = await charged(ledger, order())
    calls = (ledger.wallet.refund(team.id, f"r{n}", CREDIT, hold_id=hold_id) for n in range(40))
    met = await asyncio.gather(*calls, return_exceptions=True)

    assert 24 == sum(not isinstance(each, BaseException) for each in met)
    assert 490 * CREDIT == (await ledger.balance(team.id)).available
    assert 24 == len(await ledger.wallet.refunds(team.id))
    assert await clean(ledger, team.id)


async def test_a_charge_by_policy(ledger: Ledger, order: Order, team: TeamRecord):
    """What time charged can be refunded as well."""
    hold_id = await by_policy(ledger, order(**POLICY))
    refunded = await ledger.wallet.refund(team.id, "r", 40 * CREDIT, hold_id=hold_id)

    assert (9 * CREDIT, 481 * CREDIT) == (refunded.charged, refunded.available)
    assert await clean(ledger, team.id)


@pytest.mark.parametrize("back", [10, 49])
@pytest.mark.parametrize("fact", [0, 24, 60])
async def test_a_late_result_after_a_refund_is_the_fact(
    ledger: Ledger, order: Order, team: TeamRecord, back: int, fact: int
):
    """Policy charged 49, some of it came back, and the result says otherwise: the hold cost what the result says, of
    which all may be refunded; and it was one generation, or none."""
    hold_id = await by_policy(ledger, order(**POLICY))
    await ledger.wallet.refund(team.id, "r", back * CREDIT, hold_id=hold_id)
    settlement = await ledger.settle(hold_id, team.id, fact * CREDIT)
    (row,) = await ledger.usage.rows(team.id, 0, 10**15)

    assert (SettleStatus.LATE, fact * CREDIT) == (settlement.status, settlement.charged)
    assert (fact * CREDIT, int(fact > 0), int(fact == 0)) == (row.credits, row.generations, row.released)
    assert fact * CREDIT == (await ledger.balance(team.id)).charged
    if fact:
        assert 0 == (await ledger.wallet.refund(team.id, "s", hold_id=hold_id)).charged
    assert await clean(ledger, team.id)


async def test_a_charge_that_a_late_result_replaced(ledger: Ledger, order: Order, team: TeamRecord):
    """It is no charge any more: named by its entry it is refused, by the hold the later one is found."""
    hold_id = await by_policy(ledger, order(**POLICY))
    charge = (await ledger.journal(team.id))[-1]
    await ledger.settle(hold_id, team.id, 24 * CREDIT)
    with pytest.raises(LedgerInvalid, match="a late result came in place"):
        await ledger.wallet.refund(team.id, "r", seq=charge.seq)
    refunded = await ledger.wallet.refund(team.id, "r", hold_id=hold_id)

    assert EntryKind.CHARGE is charge.kind
    assert (24 * CREDIT, 490 * CREDIT) == (refunded.amount, refunded.available)


@pytest.mark.parametrize("late", [False, True])
async def test_a_charge_by_policy_whose_end_is_forgotten(
    ledger: Ledger, client: StoreClient, order: Order, team: TeamRecord, late: bool
):
    """After 72 hours only the journal tells whether a late result came; it is read to its end."""
    hold_id = await by_policy(ledger, order(**POLICY))
    charge = (await ledger.journal(team.id))[-1]
    if late:
        await ledger.settle(hold_id, team.id, 24 * CREDIT)
    await client.command("DEL", TeamKeys(team.id).done_of(hold_id))
    if late:
        with pytest.raises(LedgerInvalid, match="a late result came in place"):
            await ledger.wallet.refund(team.id, "r", seq=charge.seq)
    else:
        await ledger.wallet.refund(team.id, "r", seq=charge.seq)

    assert late * 24 * CREDIT == (await ledger.balance(team.id)).charged
    assert await clean(ledger, team.id)


async def test_a_late_charge_and_an_orphan(ledger: Ledger, order: Order, team: TeamRecord, new_id: NewId):
    """What was booked after time had released the hold, or after the store had lost it, comes back like any charge."""
    late, orphan = order(ttl_ms=0, project="p"), new_id()
    await ledger.hold(late)
    await ledger.expire_due(team.id)
    await ledger.settle(late.hold_id, team.id, 24 * CREDIT)
    context = HoldContext(30 * CREDIT, member="amy", usage="m|image|1K|||")
    assert SettleStatus.ORPHAN is (await ledger.settle(orphan, team.id, 30 * CREDIT, context=context)).status
    for name, hold_id in (("a", late.hold_id), ("b", orphan)):
        await ledger.wallet.refund(team.id, name, hold_id=hold_id)

    assert 490 * CREDIT == (await ledger.balance(team.id)).available
    assert {0} == {row.credits for row in await ledger.usage.rows(team.id, 0, 10**15)}
    assert await clean(ledger, team.id)


async def test_a_refund_leaves_limits_and_usage(ledger: Ledger, order: Order, team: TeamRecord):
    """What was refunded no longer counts for the hold's project and member, in all and in its windows, nor in a row."""
    hold_id = await charged(ledger, order(project="p", member="amy", usage="m|image|1K|draft|fal|"))
    await ledger.wallet.refund(team.id, "r", 20 * CREDIT, hold_id=hold_id)
    (row,) = await ledger.usage.rows(team.id, 0, 10**15)

    for scope in ("team", "project:p", "member:amy"):
        text = await ledger._client.command("HGET", TeamKeys(team.id).bal, scope)
        assert [4 * CREDIT, 0] * 5 == json.loads(text)[:10]
    assert (4 * CREDIT, 1, "m", "draft") == (row.credits, row.generations, row.model, row.phase)


async def test_what_comes_back_does_not_expire(clock: Clock, raw: Raw, new_id: NewId):
    """A charge that fell on a grant with an expiry comes back to the common pot."""
    await give(clock, summer=(30, 30))
    hold_id = await held(clock, new_id(), 20)
    seq = (await raw.settle(hold_id, 20))[-1]
    await raw.refund("r", seq, hold_id=hold_id)
    await clock.at(30)
    short = await raw.transfer("t", 99)
    await raw.grant("more", 1)

    assert ["SHORT", "20", "20"] == short
    assert {} == await lots(raw)
    assert {"granted": 31, "charged": 0, "expired": 10, "held": 0} == await figures(raw)


async def test_a_refund_after_the_journal_was_cut_is_refused(ledger: Ledger, order: Order, team: TeamRecord):
    """What a charge was is no longer to be seen: the message says what to do. One that was given is still known."""
    hold_id, other = await charged(ledger, order()), await charged(ledger, order())
    await ledger.wallet.refund(team.id, "r", 5, hold_id=hold_id)
    last = (await ledger.journal(team.id))[-1].seq
    await ledger.confirm_exported(team.id, last)
    await ledger.cut_journal(team.id, 0, last, "{}")
    for named in ({"hold_id": other}, {"seq": 6}):
        with pytest.raises(LedgerInvalid, match=r"(?i)give a grant with a note"):
            await ledger.wallet.refund(team.id, "s", 5, **named)

    again = await ledger.wallet.refund(team.id, "r", 5, hold_id=hold_id)
    assert (WalletStatus.DUPLICATE, 5) == (again.status, again.amount)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"amount": 0}, "from 0.000001 to"),
        ({"amount": -1}, "from 0.000001 to"),
        ({"amount": 10**16}, "from 0.000001 to"),
        ({"refund_id": ""}, "refund id is missing"),
        ({"refund_id": "of:4"}, "leave the ':' out"),
        ({"refund_id": "a\tb"}, "control character"),
        ({"hold_id": "x"}, "version 7 UUID"),
        ({"hold_id": "", "seq": 0}, "1 or more"),
        ({"hold_id": "", "seq": 1}, "is a team: it charged no hold"),
        ({"hold_id": "", "seq": 3}, "is a hold and charged nothing"),
        ({"hold_id": "", "seq": 99}, "is not in the journal"),
        ({"hold_id": ""}, "one of the two"),
        ({"seq": 4}, "one of the two"),
        ({"why": "x" * 300}, "at most 256"),
    ],
)
async def test_what_cannot_be_refunded(
    ledger: Ledger, order: Order, team: TeamRecord, words: dict[str, Any], message: str
):
    """Each says what is wrong, and nothing was changed."""
    hold_id = await charged(ledger, order())
    wanted: dict[str, Any] = {"refund_id": "r", "amount": 5, "hold_id": hold_id, **words}
    refund_id, amount = wanted.pop("refund_id"), wanted.pop("amount")
    with pytest.raises(LedgerInvalid, match=message):
        await ledger.wallet.refund(team.id, refund_id, amount, **wanted)

    assert 466 * CREDIT == (await ledger.balance(team.id)).available


async def test_what_was_not_charged_cannot_be_refunded(
    ledger: Ledger, order: Order, team: TeamRecord, new_id: NewId
):  # fmt: skip
    """A hold that runs, one that was released, one that nobody knows, and a team that nobody knows."""
    running, released = order(), order()
    await ledger.hold(running)
    await ledger.hold(released)
    await ledger.release(released.hold_id, team.id)
    for hold_id, message in (
        (running.hold_id, "it runs, or"), (released.hold_id, "was not charged"), (new_id(DAY_MS), "does not tell"),
    ):  # fmt: skip
        with pytest.raises(LedgerInvalid, match=message):
            await ledger.wallet.refund(team.id, "r", hold_id=hold_id)

    with pytest.raises(LedgerNoTeam):
        await ledger.wallet.refund("nobody", "r", hold_id=running.hold_id)


async def test_a_hold_is_found_by_its_time(ledger: Ledger, order: Order, team: TeamRecord):
    """Among many entries only those from the hold's own time on are read."""
    for _ in range(20):
        await charged(ledger, order(amount=1), 1)
    hold_id = await charged(ledger, order())
    await charged(ledger, order(amount=1), 1)

    assert 24 * CREDIT == (await ledger.wallet.refund(team.id, "r", hold_id=hold_id)).amount


@pytest.mark.parametrize(
    ("what", "name", "value"),
    [
        ("refunds", "r", "4\t6\tx\t1\t5"),
        ("refunds", "of:4", "6\t24000000"),
        ("refunds", "other", "4\t6\tx\t1\t5"),
        ("transfers", "t", "p\tb\t5\t1\t2"),
    ],
)
async def test_tampering_is_named(
    ledger: Ledger, client: StoreClient, order: Order, team: TeamRecord, what: str, name: str, value: str
):
    """A refund or a transfer that the journal does not tell is a difference."""
    await ledger.wallet.refund(team.id, "r", 5, hold_id=await charged(ledger, order()))
    await client.command("HSET", getattr(TeamKeys(team.id), what), name, value)
    differences = (await ledger.verify(team.id)).differences

    assert [f"{what[:-1]} {name}"] == [each.what for each in differences]
