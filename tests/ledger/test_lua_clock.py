"""A store's clock that steps back by more than five minutes, which is believed; and the largest sums."""

from collections.abc import Callable
from typing import Any

import pytest

from gatekeeper.ledger.windows import Window, Windows
from tests.ledger.lots_scene import Clock, figures, give, held, lapses, lots

NewId = Callable[..., str]
Raw = Any
MOST = 9_000_000_000_000_000
LARGE_AND_ODD = 3_002_399_751_580_331
"""With 9e15 it makes a sum that a Lua number cannot hold."""


@pytest.fixture
async def clock(raw: Raw) -> Clock:
    """A team without credits, and its clock at 0."""
    clock = Clock(raw)
    await raw.team()
    await clock.at(0)
    return clock


def windows(clock: Clock, start: int) -> str:
    """Windows of 40 seconds each, as hold.lua takes them."""
    return Windows("UTC", *[Window(clock.ms(start), clock.ms(start + 40), clock.ms(start + 80))] * 4).argument


async def hour(raw: Raw) -> tuple[int, int]:
    """What the team has used and holds in its latest hour."""
    used, kept = (await raw.balance("team"))[9].split(",")[2:4]
    return int(used), int(kept)


async def test_window_opened_twice_is_never_below_zero(clock: Clock, raw: Raw, new_id: NewId):
    """The clock steps back over the edge of an hour and passes it again: the hour has begun anew, what was held in it
    before and ends now is not counted, and the team goes on."""
    await give(clock, pot=(100, None))
    await clock.at(50)
    before = await held(clock, new_id(), 20, windows=windows(clock, 40))
    await clock.at(10)
    await held(clock, new_id(), 5, windows=windows(clock, 0))
    await clock.at(50)
    await held(clock, new_id(), 3, windows=windows(clock, 40))
    await raw.settle(before, 0)

    assert (0, 0) == await hour(raw)
    await held(clock, new_id(), 4, windows=windows(clock, 40))
    assert (0, 4) == await hour(raw)
    assert {"granted": 100, "charged": 0, "expired": 0, "held": 12} == await figures(raw)


async def test_refund_into_a_window_opened_twice(clock: Clock, raw: Raw, new_id: NewId):
    """So it is with what a policy had charged in it and gives back."""
    await give(clock, pot=(100, None))
    await clock.at(50)
    charged = await held(clock, new_id(), 20, windows=windows(clock, 40), ttl=0, policy="c")
    await raw.expire(charged)
    await clock.at(10)
    await held(clock, new_id(), 5, windows=windows(clock, 0))
    await clock.at(50)
    await held(clock, new_id(), 3, windows=windows(clock, 40))

    assert "LATE" == (await raw.settle(charged, 0))[0]
    assert (0, 3) == await hour(raw)
    assert {"granted": 100, "charged": 0, "expired": 0, "held": 8} == await figures(raw)


async def test_reminder_comes_back_with_what_comes_back(clock: Clock, raw: Raw, new_id: NewId):
    """A sweep took the reminder of a lot that was all held; the clock stepped back, and the hold ends: the lot has
    credits again, and its reminder."""
    await give(clock, summer=(5, 30))
    hold_id = await held(clock, new_id(), 5)
    await clock.at(40)
    await raw.expire_reminder("lapse:2")
    await clock.at(10)
    await raw.settle(hold_id, 2)

    assert {"summer": (5, 2, 0)} == await lots(raw)
    assert {"granted": 5, "charged": 2, "expired": 0, "held": 0} == await figures(raw)
    await clock.at(30)
    await raw.expire_reminder("lapse:2")
    assert [("summer", 3)] == await lapses(raw)


async def test_lots_that_lapse_in_one_step_may_be_told_in_any_order(clock: Clock, raw: Raw, new_id: NewId):
    """A late refund goes to one lot that is gone and to one of which another hold keeps a part, in the same step in
    which a third one lapses: the journal confirms it."""
    await give(clock, a=(5, 50), b=(10, 60), c=(5, 70))
    charged = await held(clock, new_id(), 10, ttl=0, policy="c")
    await raw.expire(charged)
    await held(clock, new_id(), 5)
    await clock.at(80)
    await raw.settle(charged, 0)

    assert {("a", 5), ("b", 5), ("c", 5)} == set(await lapses(raw))
    assert {"granted": 20, "charged": 0, "expired": 15, "held": 5} == await figures(raw)


async def test_a_charge_leaves_room_for_what_time_may_charge(clock: Clock, raw: Raw, new_id: NewId):
    """What is charged and held together never passes 9e15, so that a policy's charge can always be counted exactly."""
    await give(clock, pot=(MOST, None))
    small = await held(clock, new_id(), 10)
    large = await held(clock, new_id(), LARGE_AND_ODD, policy="c", ttl=0)

    assert "INVALID" == (await raw.settle(small, MOST - LARGE_AND_ODD + 1))[0]
    assert "SETTLED" == (await raw.settle(small, MOST - LARGE_AND_ODD))[0]
    await raw.expire(large)
    assert {"granted": MOST, "charged": MOST, "expired": 0, "held": 0} == await figures(raw)
