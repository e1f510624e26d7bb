"""Grants that expire: which credits are spent first, and where the rest goes back to."""

from collections.abc import Callable
from typing import Any

import pytest

from gatekeeper.ledger.lots import Lot, parse_lots
from tests.ledger.lots_scene import Clock, figures, give, held, lapses, lots

MOST = 9_000_000_000_000_000
NewId = Callable[..., str]
Raw = Any


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


async def test_late_charge_leaves_the_lot_it_was_held_from_alone(clock: Clock, raw: Raw, new_id: NewId):
    """The hold gave summer's credits back when time released it: only what is charged now is used, of spring first."""
    await give(clock, summer=(30, 30))
    hold_id = await held(clock, new_id(), 20, ttl=0)
    await raw.expire(hold_id)
    await give(clock, spring=(10, 10))
    await raw.settle(hold_id, 12)

    assert {"spring": (10, 10, 0), "summer": (30, 2, 0)} == await lots(raw)


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


async def test_same_grant_again(clock: Clock, raw: Raw):
    """Amount and expiry make a grant the same one, also when it is long past; another of either is a mismatch."""
    await give(clock, summer=(30, 30))
    replies = [await raw.grant("summer", 30, clock.ms(second)) for second in (30, 31)]
    replies += [await raw.grant("summer", 31, clock.ms(30)), await raw.grant("summer", 30)]
    await clock.at(60)

    assert [["DUPLICATE"], *[["MISMATCH", "30", str(clock.ms(30))]] * 3] == replies
    assert ["DUPLICATE"] == await raw.grant("summer", 30, clock.ms(30))


@pytest.mark.parametrize("grant_id", ["tab\there", "line\n"])
async def test_grant_id_that_would_break_a_line(clock: Clock, raw: Raw, grant_id: str):
    """A control character in the id is INVALID: lots are lines."""
    assert ["INVALID", "grant id"] == await raw.grant(grant_id, 30, clock.ms(30))


@pytest.mark.parametrize("key", ["bal", "grants", "due", "journal"])
async def test_key_of_another_type_stops_grant_before_it_writes(clock: Clock, raw: Raw, key: str):
    """A key of the wrong type is met before or at the first write, never half way."""
    name = getattr(raw.keys, key)
    await raw.client.command("DEL", name)
    await raw.client.command("SET", name, "text")
    before = await raw.dump()

    with pytest.raises(Exception, match="WRONGTYPE"):
        await raw.grant("summer", 30, clock.ms(30))
    assert before == await raw.dump()
    await raw.client.command("DEL", name)


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


async def test_lots_are_exact_at_the_largest_amounts(clock: Clock, raw: Raw, new_id: NewId):
    """Next to 9e15 no unit is lost between lots and pot."""
    await give(clock, pot=(1, None), summer=(MOST - 3, 30), spring=(2, 10))
    hold_id = await held(clock, new_id(), MOST)
    await raw.settle(hold_id, MOST - 2)
    await clock.at(30)

    assert {"granted": MOST, "charged": MOST - 2, "expired": 1, "held": 0} == await figures(raw)
    assert "HELD" == (await raw.hold(amount=1))[0]


async def test_team_without_such_grants_has_no_lots(funded: Raw, new_id: NewId):
    """Its books have no such value and its holds no parts."""
    hold_id = new_id()
    await funded.hold(hold_id)
    record = await funded.client.command("HGET", funded.keys.open, hold_id)

    assert ["figures", "rules", "team"] == sorted(await funded.client.command("HKEYS", funded.keys.bal))
    assert record.endswith("\t")
    assert 13 == record.count("\t")


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
