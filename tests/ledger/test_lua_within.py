"""Charges beyond a hold that may take no more than the team has: settle.lua told to stay within."""

from collections.abc import Callable
from typing import Any

import pytest

NewId = Callable[..., str]
Raw = Any


async def held(raw: Raw, new_id: NewId, **changes: Any) -> str:
    """A hold of 40 of the team's 100."""
    hold_id = new_id()
    await raw.hold(hold_id, **{"amount": 40, "member": "amy", **changes})
    return hold_id


@pytest.mark.parametrize(
    ("asked", "booked", "over"),
    [(0, 0, "0"), (25, 25, "0"), (40, 40, "0"), (99, 99, "1"), (100, 100, "1"), (140, 100, "1")],
)
async def test_no_more_than_there_is(funded: Raw, new_id: NewId, asked: int, booked: int, over: str):
    """The hold, and beyond it what is available; never a debt."""
    reply = await funded.settle(await held(funded, new_id), asked, within=1)

    status, freed = "SETTLED" if asked else "RELEASED", str(max(0, 40 - booked))
    assert [status, str(booked), freed, str(100 - booked), "0", "H", over, "4"] == reply


async def test_what_others_hold_is_not_there(funded: Raw, new_id: NewId):
    """Credits that another hold keeps aside are taken by nobody else."""
    hold_id = await held(funded, new_id)
    await held(funded, new_id, amount=50)

    assert ["SETTLED", "50", "0", "0", "50"] == (await funded.settle(hold_id, 90, within=1))[:5]


async def test_a_team_in_debt_pays_its_hold(funded: Raw, new_id: NewId):
    """What was held is charged in any case: it was promised before."""
    hold_id = await held(funded, new_id)
    await funded.settle(await held(funded, new_id, amount=0), 90)

    assert ["SETTLED", "40", "0", "-30", "0"] == (await funded.settle(hold_id, 41, within=1))[:5]


@pytest.mark.parametrize(("again", "word"), [
    (39, "MISMATCH"), (40, "MISMATCH"), (99, "MISMATCH"), (100, "DUPLICATE"), (140, "DUPLICATE"), (141, "DUPLICATE"),
    (0, "MISMATCH"),
])  # fmt: skip
async def test_the_same_again(funded: Raw, new_id: NewId, again: int, word: str):
    """Asked for 140, booked 100: whatever asks for as much or more, and stays within, may be that; less is not."""
    hold_id = await held(funded, new_id)
    await funded.settle(hold_id, 140, within=1)
    before = await funded.dump()

    assert [word, "100", "0", "0", "0", "S", "1", "0"] == await funded.settle(hold_id, again, within=1)
    assert before == await funded.dump()


async def test_the_same_again_without_the_bound_is_another(funded: Raw, new_id: NewId):
    """Who wants all of it charged and finds less is told so."""
    hold_id = await held(funded, new_id)
    await funded.settle(hold_id, 140, within=1)

    assert ["MISMATCH", "100"] == (await funded.settle(hold_id, 140))[:2]


async def test_credits_that_came_since_change_nothing(funded: Raw, new_id: NewId):
    """A charge is final: a grant between a call and its repeat is not taken for the rest."""
    hold_id = await held(funded, new_id)
    await funded.settle(hold_id, 140, within=1)
    await funded.grant("more", 500)

    assert ["DUPLICATE", "100", "0", "500"] == (await funded.settle(hold_id, 140, within=1))[:4]


@pytest.mark.parametrize("policy", ["r", "c"])
@pytest.mark.parametrize(("spent", "booked"), [(0, 100), (30, 70), (70, 40)])
async def test_late(funded: Raw, new_id: NewId, policy: str, spent: int, booked: int):
    """After time has acted the hold is charged in full, and beyond it what is left when it is; once."""
    hold_id = await held(funded, new_id, ttl=0, policy=policy)
    await funded.expire(hold_id)
    await funded.settle(await held(funded, new_id, amount=0), spent)
    reply = await funded.settle(hold_id, 140, within=1)

    assert ["LATE", str(booked), "0", str(100 - spent - booked)] == reply[:4]
    assert ["DUPLICATE", str(booked)] == (await funded.settle(hold_id, 140, within=1))[:2]


@pytest.mark.parametrize(("spent", "booked"), [(0, 100), (30, 70), (70, 40)])
async def test_lost(funded: Raw, new_id: NewId, spent: int, booked: int):
    """Of a hold that the store has lost too."""
    await funded.settle(await held(funded, new_id, amount=0), spent)
    hold_id, context = new_id(), "40\t0:0:0:0\t\tamy\t\tf\tlist\t"
    reply = await funded.settle(hold_id, 140, within=1, context=context)

    assert ["ORPHAN", str(booked), "0", str(100 - spent - booked)] == reply[:4]
    assert ["DUPLICATE", str(booked)] == (await funded.settle(hold_id, 140, within=1, context=context))[:2]


@pytest.mark.parametrize("is_lost", [True, False])
async def test_a_charge_of_which_nothing_could_be_taken_is_a_charge(funded: Raw, new_id: NewId, is_lost: bool):
    """A hold of nothing in a team that has nothing: settled at nothing, not released; a repeat finds that."""
    await funded.settle(await held(funded, new_id), 100)
    hold_id = new_id() if is_lost else await held(funded, new_id, amount=0)
    replies = [await funded.settle(hold_id, 5, within=1, context="0\t0:0:0:0\t\tamy\t\tf\tlist\t") for _ in range(2)]

    assert [["ORPHAN" if is_lost else "SETTLED", "0"], ["DUPLICATE", "0"]] == [reply[:2] for reply in replies]


async def test_the_answer_is_kept(funded: Raw, new_id: NewId):
    """With what is charged, as with any other charge."""
    hold_id = await held(funded, new_id)
    await funded.settle(hold_id, 140, within=1, answer=("text", 86_400_000))

    assert "text" == await funded.client.command("GET", funded.keys.answer(hold_id))


async def test_a_release_is_no_charge(funded: Raw, new_id: NewId):
    """What was released, or undone, is not charged by a call that stays within."""
    released, undone, nothing = await held(funded, new_id), new_id(), await held(funded, new_id, amount=0)
    await funded.settle(released, 0)
    await funded.settle(nothing, 0)
    await funded.settle(undone, 0, undo=1)

    replies = [await funded.settle(each, 50, within=1) for each in (released, nothing, undone)]

    assert [["MISMATCH", "0"]] * 3 == [reply[:2] for reply in replies]
