"""Holds that are let by: what would have refused them is told and journalled, and the books stay right."""

from collections.abc import Callable

import pytest

from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.records import Held, HoldOrder, Refused
from gatekeeper.ledger.teamrecord import Caps, Limit, Per, TeamRecord
from tests.ledger.conftest import CREDIT, Raw

NewId = Callable[..., str]
Order = Callable[..., HoldOrder]
MOST = 9_000_000_000_000_000


async def why(ledger: Ledger, team: str) -> str:
    """The reason in the last journal entry."""
    return (await ledger.journal(team, 0, 1000))[-1].fields["why"]


@pytest.mark.parametrize(
    ("changes", "amount", "codes"),
    [
        ({}, 500, ["insufficient_credits"]),
        ({"limits": (Limit("member", Per.DAY, 1), Limit("team", Per.MONTH, 1))}, 49, ["limit_exceeded"] * 2),
        ({"caps": Caps(per_request=1)}, 49, ["request_cap_exceeded"]),
        ({"caps": Caps(open_holds=0, held_credits=1)}, 49, ["concurrency_exceeded"] * 2),
        ({"caps": Caps(per_request=1), "limits": (Limit("team", Per.DAY, 1),)}, 500,
         ["request_cap_exceeded", "insufficient_credits", "limit_exceeded"]),
    ],
)  # fmt: skip
async def test_what_would_have_refused_is_told(
    ledger: Ledger, team: TeamRecord, order: Order, changes: dict[str, object], amount: int, codes: list[str]
):
    """The hold is made; each check that failed comes with its numbers, and its code stands once in the journal."""
    await ledger.put_team(TeamRecord(team.id, **changes))  # type: ignore[arg-type]
    asked = order(amount=amount * CREDIT, member="amy")
    refused = await ledger.hold(asked)
    held = await ledger.hold(order(amount=amount * CREDIT, member="amy", shadow="shadow"))

    assert isinstance(refused, Refused)
    assert isinstance(held, Held)
    assert codes == [refusal.code for refusal in held.shadowed]
    assert [refusal.limit for refusal in refused.refusals] == [refusal.limit for refusal in held.shadowed]
    assert "shadow: " + ",".join(dict.fromkeys(codes)) == await why(ledger, team.id)
    assert (await ledger.verify(team.id)).clean


async def test_the_rate_counts_who_is_let_by(ledger: Ledger, team: TeamRecord, order: Order):
    """A hold above the cap on requests per minute is made, told, and counted in it."""
    await ledger.put_team(TeamRecord(team.id, caps=Caps(requests_per_minute=1)))
    told = [await ledger.hold(order(amount=1, shadow="shadow")) for _ in range(3)]

    assert [[], [(1, 1)], [(1, 2)]] == [
        [(refusal.limit, refusal.used) for refusal in held.shadowed] for held in told if isinstance(held, Held)
    ]


@pytest.mark.parametrize(
    ("shadow", "amount", "expected"),
    [
        ("shadow", 1, ""),
        ("unsupported_aspect_ratio", 1, "shadow: unsupported_aspect_ratio"),
        ("model_retired,x", 500, "shadow: model_retired,x,insufficient_credits"),
    ],
)  # fmt: skip
async def test_why_it_is_let_by(
    ledger: Ledger, team: TeamRecord, order: Order, shadow: str, amount: int, expected: str
):
    """The journal has the caller's words and the ledger's codes, and nothing of a hold that nothing would refuse."""
    await ledger.hold(order(amount=amount * CREDIT, shadow=shadow))

    assert expected == await why(ledger, team.id)


async def test_a_frozen_team_has_no_shadow(ledger: Ledger, team: TeamRecord, order: Order):
    """Frozen is frozen, and all else that failed is told with it."""
    await ledger.put_team(TeamRecord(team.id, frozen=True))
    refused = await ledger.hold(order(amount=500 * CREDIT, shadow="shadow"))

    assert isinstance(refused, Refused)
    assert ["team_frozen", "insufficient_credits"] == [refusal.code for refusal in refused.refusals]


async def test_what_is_owed_after_it_is_a_debt(ledger: Ledger, team: TeamRecord, order: Order):
    """What was let by beyond the credits is charged like any other; the next grant covers it."""
    held = await ledger.hold(order(amount=500 * CREDIT, shadow="shadow"))
    assert isinstance(held, Held)
    settled = await ledger.settle(held.hold_id, team.id, 500 * CREDIT)
    await ledger.grant(team.id, "more", 15 * CREDIT)
    balance = await ledger.balance(team.id)

    assert (-10 * CREDIT, 500 * CREDIT) == (held.available, held.held)
    assert (10 * CREDIT, 5 * CREDIT, 0) == (settled.debt, balance.available, balance.debt)
    assert (await ledger.verify(team.id)).clean


async def test_the_books_have_an_end(funded: Raw, new_id: NewId):
    """What can no longer be counted exactly is refused to whoever is let by, and to the unit."""
    replies = [await funded.hold(new_id(), amount=amount, shadow="shadow") for amount in (MOST - 1, 2, 1)]

    assert ["HELD", "REFUSED", "HELD"] == [reply[0] for reply in replies]


async def test_a_settle_at_the_end_of_the_books(funded: Raw, new_id: NewId):
    """A hold that is let by may be charged to the last unit, though both together are no exact number."""
    hold_id = new_id()
    await funded.hold(hold_id, amount=MOST // 3 + 3, shadow="shadow")

    assert ["SETTLED", str(MOST)] == (await funded.settle(hold_id, MOST))[:2]


async def test_a_late_result_at_the_end_of_the_books(funded: Raw, ledger: Ledger, new_id: NewId):
    """What takes the place of a charge by policy is counted to the unit, though both together are no exact number."""
    hold_id = new_id()
    await funded.hold(hold_id, amount=MOST - 1, ttl=0, policy="c", shadow="shadow")
    await funded.expire(hold_id)

    assert ["LATE", str(MOST - 4)] == (await funded.settle(hold_id, MOST - 4))[:2]
    assert MOST - 4 == (await ledger.balance(funded.keys.team_id)).charged


async def test_asked_again(ledger: Ledger, order: Order):
    """The same call again is the same hold, once."""
    asked = order(amount=500 * CREDIT, shadow="shadow")
    first, again = await ledger.hold(asked), await ledger.hold(asked)

    assert isinstance(first, Held)
    assert isinstance(again, Held)
    assert (1, 0, True, first.held) == (len(first.shadowed), len(again.shadowed), again.repeated, again.held)


async def test_without_its_word_it_is_a_difference(ledger: Ledger, raw: Raw, team: TeamRecord, order: Order):
    """Verify believes a hold beyond the balance only if the journal says that it was let by."""
    held = await ledger.hold(order(amount=500 * CREDIT, shadow="shadow"))
    assert isinstance(held, Held)
    entries = await raw.client.command("XRANGE", raw.keys.journal, "-", "+")
    await raw.client.command("DEL", raw.keys.journal)
    for entry_id, (name, text) in entries:
        await raw.client.command("XADD", raw.keys.journal, entry_id, name, text.replace("shadow: ", "for fun: "))

    report = await ledger.verify(team.id)
    assert [f"entry {held.seq}: held beyond what was available"] == [each.what for each in report.differences]
