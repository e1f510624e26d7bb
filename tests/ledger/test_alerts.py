"""What was told, once over all gateways; how far limits and budgets are used; the log of deliveries."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from gatekeeper.ledger import alerts as module
from gatekeeper.ledger.alerts import Delivery, Spender, alert_id
from gatekeeper.ledger.errors import LedgerInvalid
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.records import HoldContext, HoldOrder
from gatekeeper.ledger.teamrecord import Limit, Per, TeamRecord
from tests.ledger.conftest import CREDIT, LEASE_MS

Order = Callable[..., HoldOrder]
CLAIM = "budget:spring\tmonth\t1793491200000\t80"


async def test_one_of_many_tells_it(ledger: Ledger, team: TeamRecord) -> None:
    """Ten at once: one has it, and nobody any more once it is told."""
    owners = [f"gateway-{number}" for number in range(10)]

    first = await asyncio.gather(*(ledger.alerts.claim(team.id, CLAIM, owner, LEASE_MS) for owner in owners))
    await ledger.alerts.mark(team.id, CLAIM, now_ms=1, ends_ms=2)
    await ledger.alerts.give_back(team.id, CLAIM)
    second = await asyncio.gather(*(ledger.alerts.claim(team.id, CLAIM, owner, LEASE_MS) for owner in owners))

    assert (1, 0) == (sum(first), sum(second))
    assert {CLAIM} == await ledger.alerts.told(team.id, [CLAIM, "another"])


async def test_what_is_given_back_is_told_by_the_next(ledger: Ledger, team: TeamRecord) -> None:
    """And so is what a gateway had in hand that is gone: its lease ends."""
    assert await ledger.alerts.claim(team.id, CLAIM, "a", LEASE_MS)
    assert not await ledger.alerts.claim(team.id, CLAIM, "b", LEASE_MS)

    await ledger.alerts.give_back(team.id, CLAIM)

    assert await ledger.alerts.claim(team.id, CLAIM, "b", LEASE_MS)
    assert not await ledger.alerts.told(team.id, [CLAIM])


async def test_marks_are_forgotten_after_their_window(ledger: Ledger, team: TeamRecord) -> None:
    """Those for life stay."""
    for claim, ends_ms in (("day", 1000), ("month", 5000), ("life", None)):
        await ledger.alerts.mark(team.id, claim, now_ms=7, ends_ms=ends_ms)

    forgotten = await ledger.alerts.forget(team.id, 2000)

    assert (1, {"month": 7, "life": 7}) == (forgotten, await ledger.alerts.told_since(team.id))


def test_an_alert_has_one_id_everywhere() -> None:
    """It follows from what it is about."""
    assert alert_id("a", CLAIM) == alert_id("a", CLAIM)
    assert alert_id("a", CLAIM) != alert_id("b", CLAIM)


async def test_holds_and_their_ends_are_seen(ledger: Ledger, order: Order, team: TeamRecord) -> None:
    """By whom, once for each; and nobody is seen twice."""
    for _ in range(2):
        held = order(project="spring", member="amy", key_id="ci")
        await ledger.hold(held)
        await ledger.settle(held.hold_id, team.id, CREDIT, context=HoldContext(1, "spring", "bob", "ci"))
    await ledger.release(order().hold_id, team.id)

    seen = ledger.alerts.take_seen()

    everybody = {(team.id, "spring", "amy", "ci"), (team.id, "spring", "bob", "ci"), (team.id, "", "", "")}
    assert (everybody, set()) == (seen, ledger.alerts.take_seen())


async def test_who_spends_is_remembered_within_bounds(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway that nobody watches keeps no endless list."""
    monkeypatch.setattr(module, "SEEN_MAX", 3)

    for number in range(9):
        ledger.alerts.seen("team", HoldContext(0, member=str(number)))

    assert 3 == len(ledger.alerts.take_seen())


async def test_limits_and_budgets_stand_as_the_books_say(ledger: Ledger, order: Order, team: TeamRecord) -> None:
    """What each spender's limits have used and hold, each limit once; and a budget, which limits nothing."""
    limits = (Limit("team", Per.LIFETIME, 400 * CREDIT), Limit("member", Per.DAY, 100 * CREDIT))
    await ledger.put_team(replace(team, limits=limits))
    for member, charged in (("amy", 40), ("bob", 30)):
        held = order(project="spring", member=member)
        await ledger.hold(held)
        await ledger.settle(held.hold_id, team.id, charged * CREDIT)
    await ledger.hold(order(project="spring", member="bob"))
    spenders = [Spender(team.id, "spring", "amy"), Spender(team.id, "spring", "bob"), Spender(team.id, "spring", "amy")]

    standing = await ledger.alerts.standing(team.id, spenders, [Limit("project:spring", Per.MONTH, 90 * CREDIT)])

    assert [
        ("team", 70 * CREDIT, 49 * CREDIT),
        ("member:amy", 40 * CREDIT, 0),
        ("member:bob", 30 * CREDIT, 49 * CREDIT),
    ] == [(each.scope, each.used, each.held) for each in standing.limits]
    (budget,) = standing.budgets
    assert (90 * CREDIT, 70 * CREDIT, 49 * CREDIT) == (budget.limit, budget.used, budget.held)


async def test_many_spenders_are_read_in_parts(
    ledger: Ledger, team: TeamRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No read is longer than its bound, and no limit is left out."""
    monkeypatch.setattr(module, "SCOPES_AT_ONCE", 2)
    await ledger.put_team(replace(team, limits=(Limit("member", Per.DAY, CREDIT),)))

    standing = await ledger.alerts.standing(team.id, [Spender(team.id, "", str(number)) for number in range(5)])

    assert [f"member:{number}" for number in range(5)] == [each.scope for each in standing.limits]


async def test_the_log_of_deliveries_is_read_backwards(ledger: Ledger, team: TeamRecord) -> None:
    """The latest first, page by page."""
    for number in range(5):
        attempt = Delivery(
            number, f"alert-{number}", "limit.threshold", "hooks.example.com", 500, "retried", "status 500"
        )
        await ledger.alerts.note(team.id, attempt)

    first = await ledger.alerts.deliveries(team.id, 3)
    second = await ledger.alerts.deliveries(team.id, 3, before=first[-1].id)

    assert [4, 3, 2, 1, 0] == [each.at_ms for each in (*first, *second)]
    assert Delivery(4, "alert-4", "limit.threshold", "hooks.example.com", 500, "retried", "status 500") == replace(
        first[0], id=""
    )


async def test_an_odd_cursor_is_refused(ledger: Ledger, team: TeamRecord) -> None:
    """It is the id of an attempt, nothing else."""
    with pytest.raises(LedgerInvalid):
        await ledger.alerts.deliveries(team.id, before="1 + 1")
