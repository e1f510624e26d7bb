"""Grants that expire: what lapses when, and who writes it."""

from collections.abc import Callable
from typing import Any

import pytest

from gatekeeper.ledger.ledger import Ledger
from tests.ledger.lots_scene import Clock, figures, give, held, lapses, lots

NewId = Callable[..., str]
Raw = Any


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


async def test_lapsed_lot_makes_room(clock: Clock, raw: Raw):
    """What has lapsed does not count against the 64."""
    await give(clock, **{f"g{n}": (1, 30 + n) for n in range(64)})
    await clock.at(30)

    assert "GRANTED" == (await raw.grant("one-more", 1, clock.ms(99)))[0]
    assert {"granted": 65, "charged": 0, "expired": 1, "held": 0} == await figures(raw)


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


async def test_a_lapse_that_nobody_wrote_is_no_entry(clock: Clock, raw: Raw):
    """Until a script writes the lapse the journal ends before it: nothing beyond is exported, and a balance says so."""
    await give(clock, summer=(30, 30))
    last = await raw.client.command("XLEN", raw.keys.journal)
    await clock.at(30)

    assert "INVALID" == (await raw.exported(last + 1))[0]
    assert str(last) == (await raw.balance("team"))[1]
