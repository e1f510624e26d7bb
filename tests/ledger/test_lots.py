"""Grants that expire: which credits are spent first, where the rest goes back to, and what lapses when.

The store's clock stands still where a test has put it: it never goes back by less than five minutes (prelude.lua).
"""

import time
from collections.abc import Callable
from typing import Any

import pytest

from gatekeeper.ledger.codec import parse_figures
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.lots import Lot, parse_lots

MOST = 9_000_000_000_000_000
NewId = Callable[..., str]
Raw = Any


class Clock:
    """The store's time for one team, which only moves when told to; 0 is when the test began."""

    def __init__(self, raw: Raw) -> None:
        self.raw = raw
        self.start_ms = time.time_ns() // 1_000_000 + 60_000

    async def at(self, second: int) -> None:
        """It is so many seconds later than at the beginning."""
        figures = parse_figures(await self.raw.client.command("HGET", self.raw.keys.bal, "figures"))
        figures["at"] = str(self.ms(second))
        await self.raw.client.command("HSET", self.raw.keys.bal, "figures", ":".join(figures.values()))

    def ms(self, second: int) -> int:
        """That second, as the store tells time."""
        return self.start_ms + 1000 * second


@pytest.fixture
async def clock(raw: Raw) -> Clock:
    """A team without credits, and its clock at 0."""
    clock = Clock(raw)
    await raw.team()
    await clock.at(0)
    return clock


async def give(clock: Clock, **grants: tuple[int, int | None]) -> None:
    """Grants by id: the amount, and the second at which they expire."""
    for grant_id, (amount, second) in grants.items():
        reply = await clock.raw.grant(grant_id, amount, "" if second is None else clock.ms(second))
        assert "GRANTED" == reply[0]


async def held(clock: Clock, hold_id: str, amount: int, **changes: Any) -> str:
    """An admitted hold."""
    assert "HELD" == (await clock.raw.hold(hold_id, amount=amount, **changes))[0]
    return hold_id


async def lots(raw: Raw) -> dict[str, tuple[int, int, int]]:
    """What of each lot has not lapsed, and what of that is used and held, in the order of use."""
    text = await raw.client.command("HGET", raw.keys.bal, "lots")
    return {lot.grant_id: (lot.amount, lot.used, lot.held) for lot in parse_lots(text or "")}


async def lapses(raw: Raw) -> list[tuple[str, int]]:
    """What lapsed, by the journal: the grant and how much."""
    entries = await Ledger(raw.client).journal(raw.keys.team_id)
    return [(entry.hold_id, entry.amount) for entry in entries if entry.kind == "lapse"]


async def figures(raw: Raw) -> dict[str, int]:
    """What balance.lua tells, by name; the books must add up and replay to what is stored."""
    granted, charged, expired, kept = (await raw.balance("team"))[2:6]
    told = {"granted": granted, "charged": charged, "expired": expired, "held": kept}
    report = await Ledger(raw.client).verify(raw.keys.team_id)
    assert () == report.differences
    return {name: int(figure) for name, figure in told.items()}


async def test_soonest_is_spent_first(clock: Clock, raw: Raw, new_id: NewId):
    """A hold takes from what expires soonest, whatever was given first, and credits that stay are kept for last."""
    await give(clock, pot=(100, None), autumn=(100, 90), summer=(100, 30))
    await held(clock, new_id(), 60)

    assert {"summer": (100, 0, 60), "autumn": (100, 0, 0)} == await lots(raw)


async def test_of_two_that_expire_at_once_the_first_given_is_spent_first(clock: Clock, raw: Raw, new_id: NewId):
    """The order of the grants decides between equal expiries, however they are called."""
    await give(clock, zebra=(10, 30), ape=(10, 30), cat=(10, 20))
    await held(clock, new_id(), 15)

    assert ["cat", "zebra", "ape"] == list(await lots(raw))
    assert {"cat": (10, 0, 10), "zebra": (10, 0, 5), "ape": (10, 0, 0)} == await lots(raw)


async def test_hold_over_two_lots_and_the_pot_remembers_its_parts(clock: Clock, raw: Raw, new_id: NewId):
    """What one lot cannot give comes from the next, then from the pot; the record says how much from which grant."""
    await give(clock, pot=(100, None), summer=(30, 30), autumn=(20, 90))
    hold_id = await held(clock, new_id(), 60)
    record = await raw.client.command("HGET", raw.keys.open, hold_id)

    assert "3=30,4=20" == record.split("\t")[-1]
    assert {"summer": (30, 0, 30), "autumn": (20, 0, 20)} == await lots(raw)


async def test_settle_charges_the_soonest_part_and_gives_the_rest_back(clock: Clock, raw: Raw, new_id: NewId):
    """35 of 60: all that came from summer, 5 of autumn's, and the pot gets everything back."""
    await give(clock, pot=(100, None), summer=(30, 30), autumn=(20, 90))
    hold_id = await held(clock, new_id(), 60)
    reply = await raw.settle(hold_id, 35)

    assert ["SETTLED", "35", "25", "115", "0"] == reply[:5]
    assert {"summer": (30, 30, 0), "autumn": (20, 5, 0)} == await lots(raw)
    assert {"granted": 150, "charged": 35, "expired": 0, "held": 0} == await figures(raw)


async def test_release_gives_everything_back_to_where_it_came_from(clock: Clock, raw: Raw, new_id: NewId):
    """After a release the lots are as before, though another has become the soonest meanwhile."""
    await give(clock, summer=(30, 30))
    hold_id = await held(clock, new_id(), 20)
    await give(clock, spring=(30, 10))
    await raw.settle(hold_id, 0)

    assert {"spring": (30, 0, 0), "summer": (30, 0, 0)} == await lots(raw)


async def test_over_run_falls_on_the_pot(clock: Clock, raw: Raw, new_id: NewId):
    """More than was held is nobody's lot: the pot goes into debt though a lot has credits left."""
    await give(clock, summer=(30, 30))
    hold_id = await held(clock, new_id(), 20)
    reply = await raw.settle(hold_id, 25)

    assert ["SETTLED", "25", "0", "5", "0"] == reply[:5]
    assert {"summer": (30, 20, 0)} == await lots(raw)
    await clock.at(30)
    assert {"granted": 30, "charged": 25, "expired": 5, "held": 0} == await figures(raw)


async def test_balance_counts_a_lapse_that_nobody_wrote_yet(clock: Clock, raw: Raw):
    """From its instant on a lot is expired, whoever looks; looking writes nothing."""
    await give(clock, pot=(5, None), summer=(30, 30))
    await clock.at(29)
    one_before = await figures(raw)
    await clock.at(30)
    before = await raw.dump()

    assert {"granted": 35, "charged": 0, "expired": 0, "held": 0} == one_before
    assert {"granted": 35, "charged": 0, "expired": 30, "held": 0} == await figures(raw)
    assert "3" == (await raw.balance("team"))[1]
    assert before == await raw.dump()


async def test_lapsed_credits_cannot_be_held(clock: Clock, raw: Raw):
    """A hold meets the lapse first: refused with the numbers after it, and the lapse is written."""
    await give(clock, pot=(5, None), summer=(30, 30))
    await clock.at(30)

    assert [
        "REFUSED", "5", "0", ["insufficient_credits", "team", "", "5", "0", "0", "0", "0"],
    ] == await raw.hold(amount=6)  # fmt: skip
    assert ([("summer", 30)], {}) == (await lapses(raw), await lots(raw))
    assert "HELD" == (await raw.hold(amount=5))[0]


@pytest.mark.parametrize("script", ["hold", "settle", "unknown", "expire", "grant", "team"])
async def test_whichever_script_writes_first_writes_the_lapse(clock: Clock, raw: Raw, new_id: NewId, script: str):
    """What is free of a lot past its time is gone with the next transition of any kind, told before it."""
    await give(clock, pot=(50, None), spring=(10, 20), summer=(30, 30))
    hold_id = await held(clock, new_id(), 10, grace=60_000, ttl=1000)
    await clock.at(30)
    calls = {
        "hold": lambda: raw.hold(amount=1),
        "settle": lambda: raw.settle(hold_id, 10),
        "unknown": lambda: raw.unknown(hold_id),
        "expire": lambda: raw.expire(hold_id),
        "grant": lambda: raw.grant("more", 1),
        "team": lambda: raw.team(frozen="1"),
    }
    await calls[script]()
    entries = await Ledger(raw.client).journal(raw.keys.team_id, after=5)

    assert ("lapse", "summer", "4", 30) == (
        entries[0].kind, entries[0].hold_id, entries[0].fields["hold_seq"], entries[0].amount,
    )  # fmt: skip
    assert 30 == (await figures(raw))["expired"]
    assert "summer" not in await lots(raw)


async def test_what_is_held_of_a_lapsed_lot_lapses_when_it_comes_back(clock: Clock, raw: Raw, new_id: NewId):
    """The hold keeps its credits past the expiry; what it does not charge is lost in the same step."""
    await give(clock, summer=(30, 30))
    hold_id = await held(clock, new_id(), 20)
    await clock.at(30)
    while_held = await figures(raw)
    await raw.grant("later", 1)
    kept = await lots(raw)
    reply = await raw.settle(hold_id, 12)

    assert ({"granted": 30, "charged": 0, "expired": 10, "held": 20}, {"summer": (20, 0, 20)}) == (while_held, kept)
    assert ["SETTLED", "12", "8", "1", "0"] == reply[:5]
    assert ([("summer", 10), ("summer", 8)], {}) == (await lapses(raw), await lots(raw))
    assert {"granted": 31, "charged": 12, "expired": 18, "held": 0} == await figures(raw)


async def test_two_holds_of_a_lapsed_lot(clock: Clock, raw: Raw, new_id: NewId):
    """The lot is remembered until the last hold on it is over, each return lapsing by itself."""
    await give(clock, summer=(30, 30))
    first, second = await held(clock, new_id(), 10), await held(clock, new_id(), 20)
    await clock.at(30)
    await raw.settle(first, 0)
    between = await lots(raw)
    await raw.settle(second, 20)

    assert ({"summer": (20, 0, 20)}, {}) == (between, await lots(raw))
    assert [("summer", 10)] == await lapses(raw)
    assert {"granted": 30, "charged": 20, "expired": 10, "held": 0} == await figures(raw)


async def test_credits_that_cover_a_debt_do_not_lapse(clock: Clock, raw: Raw, new_id: NewId):
    """With 12 of debt in the pot only 18 of the lot's 30 are lost, and nothing is owed after it."""
    await give(clock, pot=(5, None))
    hold_id = await held(clock, new_id(), 5)
    await give(clock, summer=(30, 30))
    await raw.settle(hold_id, 17)
    await clock.at(30)

    assert {"granted": 35, "charged": 17, "expired": 18, "held": 0} == await figures(raw)
    await raw.grant("more", 7)
    assert ([("summer", 18)], {}) == (await lapses(raw), await lots(raw))
    assert "HELD" == (await raw.hold(amount=7))[0]


async def test_lot_that_only_covers_a_debt_leaves_no_entry(clock: Clock, raw: Raw, new_id: NewId):
    """Nothing is available when its time comes: nothing lapses, and credits given later are not its own."""
    hold_id = await held(clock, new_id(), 0)
    await give(clock, summer=(30, 30))
    await raw.settle(hold_id, 40)
    await clock.at(30)
    await raw.expire(new_id())
    await give(clock, more=(25, None))

    assert ([], {}) == (await lapses(raw), await lots(raw))
    assert {"granted": 55, "charged": 40, "expired": 0, "held": 0} == await figures(raw)


async def test_two_lots_lapse_at_once_as_far_as_there_is_no_debt(clock: Clock, raw: Raw, new_id: NewId):
    """The debt is covered by what would lapse last."""
    hold_id = await held(clock, new_id(), 0)
    await give(clock, autumn=(30, 40), summer=(30, 30))
    await raw.settle(hold_id, 20)
    await clock.at(40)
    await raw.hold(amount=0)

    assert [("summer", 30), ("autumn", 10)] == await lapses(raw)
    assert {"granted": 60, "charged": 20, "expired": 40, "held": 0} == await figures(raw)


async def test_late_charge_is_spent_like_new(clock: Clock, raw: Raw, new_id: NewId):
    """A hold that time had released took from summer; its late charge takes what expires soonest now, then the pot."""
    await give(clock, pot=(10, None), summer=(30, 30))
    hold_id = await held(clock, new_id(), 20, ttl=0)
    await raw.expire(hold_id)
    await give(clock, spring=(10, 10))
    reply = await raw.settle(hold_id, 55)

    assert ["LATE", "55", "0", "-5", "0"] == reply[:5]
    assert {"spring": (10, 10, 0), "summer": (30, 30, 0)} == await lots(raw)
    assert {"granted": 50, "charged": 55, "expired": 0, "held": 0} == await figures(raw)


async def charged_by_time(clock: Clock, hold_id: str) -> str:
    """All of summer's 20 and autumn's 5, and 10 of the pot's 40, are charged by policy."""
    await give(clock, pot=(40, None), autumn=(5, 30), summer=(20, 20))
    await held(clock, hold_id, 35, ttl=0, policy="c")
    await clock.raw.expire(hold_id)
    assert {"summer": (20, 20, 0), "autumn": (5, 5, 0)} == await lots(clock.raw)
    return hold_id


@pytest.mark.parametrize(
    ("charged", "left"),
    [
        (30, {"summer": (20, 20, 0), "autumn": (5, 5, 0)}),
        (22, {"summer": (20, 20, 0), "autumn": (5, 2, 0)}),
        (3, {"summer": (20, 3, 0), "autumn": (5, 0, 0)}),
        (50, {"summer": (20, 20, 0), "autumn": (5, 5, 0)}),
    ],
)
async def test_late_refund_goes_back_to_where_it_came_from(
    clock: Clock, raw: Raw, new_id: NewId, charged: int, left: dict[str, tuple[int, int, int]]
):
    """What a policy charged too much goes back in reverse order: pot, autumn, summer; too little is the pot's."""
    hold_id = await charged_by_time(clock, new_id())
    await raw.settle(hold_id, charged)

    assert left == await lots(raw)
    assert {"granted": 65, "charged": charged, "expired": 0, "held": 0} == await figures(raw)


async def test_late_refund_to_a_lot_that_is_gone_lapses(clock: Clock, raw: Raw, new_id: NewId):
    """The lots are past their time and forgotten: what would go back to them is lost at once, by their names."""
    hold_id = await charged_by_time(clock, new_id())
    await clock.at(30)
    await raw.grant("more", 1)
    gone = await lots(raw)
    reply = await raw.settle(hold_id, 3)

    assert ({}, {}) == (gone, await lots(raw))
    assert ["LATE", "3", "32", "41"] == reply[:4]
    assert [("summer", 17), ("autumn", 5)] == await lapses(raw)
    assert {"granted": 66, "charged": 3, "expired": 22, "held": 0} == await figures(raw)


async def test_late_refund_to_a_lapsed_lot_that_is_still_held(clock: Clock, raw: Raw, new_id: NewId):
    """One of two holds on a lot past its time keeps it; the refund of the other still lapses."""
    hold_id = await charged_by_time(clock, new_id())
    await give(clock, winter=(9, 15))
    await held(clock, new_id(), 9)
    await clock.at(20)
    await raw.settle(hold_id, 0)

    assert {"winter": (9, 0, 9), "autumn": (5, 0, 0)} == await lots(raw)
    assert [("summer", 20)] == await lapses(raw)


async def test_late_refund_into_debt_does_not_lapse(clock: Clock, raw: Raw, new_id: NewId):
    """A refund that only makes a debt smaller is not lost, though its lot is."""
    hold_id, over = await charged_by_time(clock, new_id()), new_id()
    await held(clock, over, 0)
    await raw.settle(over, 60)
    await clock.at(30)
    await raw.settle(hold_id, 10)

    assert ([], {}) == (await lapses(raw), await lots(raw))
    assert {"granted": 65, "charged": 70, "expired": 0, "held": 0} == await figures(raw)


@pytest.mark.parametrize(("policy", "expired"), [("r", 30), ("c", 10), ("k", 10)])
async def test_time_resolves_a_hold_on_a_lapsed_lot(clock: Clock, raw: Raw, new_id: NewId, policy: str, expired: int):
    """Released by time it lapses at once; charged or kept it does not."""
    await give(clock, summer=(30, 30))
    hold_id = await held(clock, new_id(), 20, ttl=1000, policy=policy)
    await clock.at(30)
    await raw.expire(hold_id)

    assert expired == (await figures(raw))["expired"]


async def test_reminder_wakes_a_quiet_team_once(clock: Clock, raw: Raw):
    """The member of `due` is scored with the expiry; taken at its time it is gone, before that it stays."""
    await give(clock, summer=(30, 30))
    member = "lapse:2"
    score = int(float(await raw.client.command("ZSCORE", raw.keys.due, member)))
    early = await raw.expire_reminder(member), await raw.client.command("ZCARD", raw.keys.due)
    await clock.at(30)
    at_its_time = await raw.expire_reminder(member), await raw.client.command("ZCARD", raw.keys.due)

    assert (clock.ms(30), ([], 1), ([], 0)) == (score, early, at_its_time)
    assert [("summer", 30)] == await lapses(raw)


async def test_reminder_of_a_lot_that_is_all_used_is_taken_without_an_entry(clock: Clock, raw: Raw, new_id: NewId):
    """There is nothing to lapse: the journal stays as it is, and nobody is woken again."""
    await give(clock, summer=(30, 30))
    await raw.settle(await held(clock, new_id(), 30), 30)
    await clock.at(30)
    before = (await raw.balance("team"))[1]
    await raw.expire_reminder("lapse:2")

    assert (before, 0) == ((await raw.balance("team"))[1], await raw.client.command("ZCARD", raw.keys.due))
    assert {"granted": 30, "charged": 30, "expired": 0, "held": 0} == await figures(raw)


async def test_hold_takes_reminders_away_too(clock: Clock, raw: Raw):
    """Reminders never fill the places of due holds: the hold that meets one removes it, admitted or not."""
    await give(clock, summer=(30, 30))
    await clock.at(30)
    await raw.hold(amount=31)

    assert 0 == await raw.client.command("ZCARD", raw.keys.due)


async def test_same_grant_again(clock: Clock, raw: Raw):
    """Amount and expiry make a grant the same one, also when it is long past; another of either is a mismatch."""
    await give(clock, summer=(30, 30))
    replies = [await raw.grant("summer", 30, clock.ms(second)) for second in (30, 31)]
    replies += [await raw.grant("summer", 31, clock.ms(30)), await raw.grant("summer", 30)]
    await clock.at(60)

    assert [["DUPLICATE"], *[["MISMATCH", "30", str(clock.ms(30))]] * 3] == replies
    assert ["DUPLICATE"] == await raw.grant("summer", 30, clock.ms(30))


@pytest.mark.parametrize("expires", ["x", "-1", "1e9", "0", str(MOST + 1)])
async def test_expiry_that_cannot_be(clock: Clock, raw: Raw, expires: str):
    """Anything but a later instant is INVALID and writes nothing."""
    before = await raw.dump()

    assert "INVALID" == (await raw.grant("summer", 30, expires))[0]
    assert before == await raw.dump()


async def test_expiry_is_after_the_stores_now(clock: Clock, raw: Raw):
    """Now itself is past, the next millisecond is not."""
    now = clock.ms(0)

    assert ["INVALID", f"expires_at_ms: {now} is past, the store's time is {now}"] == await raw.grant("a", 1, now)
    assert "GRANTED" == (await raw.grant("a", 1, now + 1))[0]


async def test_sixty_four_lots(clock: Clock, raw: Raw):
    """A team may have 64 grants that are still to expire; more are refused, those that never expire are not."""
    await give(clock, **{f"g{n}": (1, 30 + n) for n in range(64)})
    refused = await raw.grant("one-more", 1, clock.ms(99))
    held_all = await raw.hold(amount=64)
    await clock.at(31)

    assert ("INVALID", "GRANTED") == (refused[0], (await raw.grant("pot", 1))[0])
    assert "64 grants" in refused[1]
    assert ("HELD", "INVALID") == (held_all[0], (await raw.grant("one-more", 1, clock.ms(99)))[0])
    assert {"granted": 65, "charged": 0, "expired": 0, "held": 64} == await figures(raw)


async def test_lapsed_lot_makes_room(clock: Clock, raw: Raw):
    """What has lapsed does not count against the 64."""
    await give(clock, **{f"g{n}": (1, 30 + n) for n in range(64)})
    await clock.at(30)

    assert "GRANTED" == (await raw.grant("one-more", 1, clock.ms(99)))[0]
    assert {"granted": 65, "charged": 0, "expired": 1, "held": 0} == await figures(raw)


async def test_lots_are_exact_at_the_largest_amounts(clock: Clock, raw: Raw, new_id: NewId):
    """Next to 9e15 no unit is lost between lots and pot."""
    await give(clock, pot=(1, None), summer=(MOST - 3, 30), spring=(2, 10))
    hold_id = await held(clock, new_id(), MOST)
    await raw.settle(hold_id, MOST - 2)
    await clock.at(30)

    assert {"granted": MOST, "charged": MOST - 2, "expired": 1, "held": 0} == await figures(raw)
    assert "HELD" == (await raw.hold(amount=1))[0]


async def test_clock_that_steps_back_brings_nothing_back(clock: Clock, raw: Raw, new_id: NewId):
    """A lapse that was written stays; a lot that was not looked at lives on."""
    await give(clock, summer=(30, 30), autumn=(30, 90))
    hold_id = await held(clock, new_id(), 10)
    await clock.at(30)
    await raw.unknown(hold_id)
    await clock.at(-600)
    await raw.settle(hold_id, 4)

    assert {"granted": 60, "charged": 4, "expired": 20, "held": 0} == await figures(raw)
    assert {"summer": (10, 4, 0), "autumn": (30, 0, 0)} == await lots(raw)


async def test_team_without_such_grants_has_no_lots(funded: Raw, new_id: NewId):
    """Its books have no such value and its holds no parts."""
    hold_id = new_id()
    await funded.hold(hold_id)
    record = await funded.client.command("HGET", funded.keys.open, hold_id)

    assert ["figures", "rules", "team"] == sorted(await funded.client.command("HKEYS", funded.keys.bal))
    assert record.endswith("\t")
    assert 12 == record.count("\t")


async def test_lots_that_cannot_be_read_stop_the_script(clock: Clock, raw: Raw):
    """Damage is met before anything is written."""
    await give(clock, summer=(30, 30))
    await raw.client.command("HSET", raw.keys.bal, "lots", "2\tx\n")
    before = await raw.dump()

    with pytest.raises(Exception, match="a lot of a team cannot be read"):
        await raw.hold()
    assert before == await raw.dump()


def test_lot_goes_there_and_back():
    """A lot's line is read as it was written, whatever the grant is called."""
    lot = Lot(7, 1763, 100, 30, 20, "grant\u2028 50 % =,")

    assert ((lot,), 50) == (parse_lots(lot.text() + "\n"), lot.free)
