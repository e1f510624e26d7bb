"""Raised limits: until an instant of the store's own time another amount is in force, then the old one again."""

from collections.abc import Callable
from typing import Any

import pytest

from gatekeeper.ledger.errors import LedgerInvalid
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.teamrecord import Limit, Per, TeamRecord
from tests.ledger.lots_scene import Clock, give

NewId = Callable[..., str]
Raw = Any


def line(scope: str, per: Per, most: int, raised_to: int, until_ms: int) -> str:
    """A raised limit as the script reads it."""
    return f"{scope}\t{per}\t{most}\t{raised_to}\t{until_ms}\n"


@pytest.mark.parametrize("per", list(Per))
async def test_a_raise_ends_by_the_stores_time(clock: Clock, raw: Raw, new_id: NewId, per: Per):
    """A millisecond before its end the raised amount is in force, at its end the limit itself."""
    await raw.team(limits=line("team", per, 10, 30, clock.ms(60)) + f"member\t{Per.LIFETIME}\t100\n")
    await give(clock, pot=(1000, None))
    first = await raw.hold(amount=20)
    await clock.at(59)
    last = await raw.hold(amount=10)
    over = await raw.hold(amount=1)
    await clock.at(60)
    after = await raw.hold(amount=1)

    assert ["HELD", "HELD", "REFUSED", "REFUSED"] == [reply[0] for reply in (first, last, over, after)]
    assert ["30", "10"] == [reply[-1][3] for reply in (over, after)]


async def test_by_name_too(clock: Clock, raw: Raw):
    """A raised limit by name replaces the general one for that name, while it is raised and after."""
    await raw.team(limits=f"member\tday\t5\n{line('member:amy', Per.DAY, 10, 30, clock.ms(60))}")
    await give(clock, pot=(1000, None))
    raised = [(await raw.hold(amount=20, member=name, ttl=10**6))[0] for name in ("amy", "bob")]
    await clock.at(60)
    after = [(await raw.hold(amount=4, member=name))[0] for name in ("amy", "bob")]

    assert (["HELD", "REFUSED"], ["REFUSED", "HELD"]) == (raised, after)


async def test_the_balance_tells_what_is_in_force(ledger: Ledger, team_id: str):
    """With the end of the raise while it lasts, and then the limit alone."""
    now_ms = await ledger.now_ms(team_id)
    raised = Limit("team", Per.MONTH, 10, 30, now_ms + 60_000)
    over = Limit("team", Per.WEEK, 10, 30, now_ms - 1)
    await ledger.put_team(TeamRecord(team_id, limits=(raised, over)))
    month, week = (await ledger.balance(team_id)).limits

    assert (30, now_ms + 60_000) == (month.limit, month.raised_until_ms)
    assert (10, None) == (week.limit, week.raised_until_ms)
    assert (raised, over) == (await ledger.team(team_id)).limits  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("raised_to", "until_ms", "message"),
    [
        (30, None, "has an amount and an end, or neither"),
        (None, 30, "has an amount and an end, or neither"),
        (10, 30, "to more than the limit itself"),
        (-1, 30, "from 0 to"),
        (10**16, 30, "from 0 to"),
        (30, -1, "since 1970"),
    ],
)
async def test_what_is_no_raise(
    ledger: Ledger, team_id: str, raised_to: int | None, until_ms: int | None, message: str
):  # fmt: skip
    """Each says what is wrong, and nothing was stored."""
    with pytest.raises(LedgerInvalid, match=message):
        await ledger.put_team(TeamRecord(team_id, limits=(Limit("team", Per.DAY, 10, raised_to, until_ms),)))

    assert None is await ledger.team(team_id)
