"""Holds, charges, refunds, transfers and recurring grants of several teams at once, from two gateways, in any order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from random import Random

import pytest
from redis.asyncio import Redis

from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.errors import LedgerInvalid
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.records import HoldOrder, OnUnknown
from gatekeeper.ledger.teamrecord import Allowance, Limit, Per, TeamRecord
from tests.ledger.conftest import close_without_leaks, fresh_id

TEAMS = ("a", "b", "c")
CALLERS, STEPS = 12, 30
RECURRING = (Allowance("d", 500, Per.DAY, 0, lasts_periods=2), Allowance("m", 30, Per.MONTH, 0, lasts_periods=0))


@pytest.fixture
async def client(real_redis: Redis) -> AsyncIterator[StoreClient]:
    """A client of the real server alone: it is about many at once."""
    client = StoreClient(real_redis)
    yield client
    await close_without_leaks(client)


async def call(ledgers: list[Ledger], made: dict[str, list[str]], dice: Random) -> None:
    """Something that anybody does."""
    ledger, team = dice.choice(ledgers), dice.choice(TEAMS)
    known = dice.choice(made[team][-20:] or [fresh_id()])
    match dice.choice(["hold", "hold", "settle", "settle", "refund", "refund", "transfer", "time", "record"]):
        case "hold":
            made[team].append(fresh_id())
            order = HoldOrder(made[team][-1], team, dice.randrange(60), ttl_ms=dice.choice([0, 10**5]), usage="m|||||")
            await ledger.hold(replace(order, on_unknown=dice.choice(list(OnUnknown)), member=dice.choice("xy")))
        case "settle":
            await ledger.settle(known, team, dice.randrange(60))
        case "refund":
            await ledger.wallet.refund(team, f"r{dice.randrange(99)}", dice.choice([None, 1, 9]), hold_id=known)
        case "transfer":
            to = dice.choice([other for other in TEAMS if other != team])
            await ledger.wallet.transfer(team, f"t{dice.randrange(50)}", to, dice.randrange(1, 200))
        case "time":
            await ledger.expire_due(team)
        case "record":
            await ledger.put_team(record(team, dice))


def record(team: str, dice: Random) -> TeamRecord:
    """The team with one or the other limit, raised or not."""
    limit = Limit("team", Per.DAY, 3000, *dice.choice([(), (9000, 2**42), (9000, 1)]))
    return TeamRecord(team, organisation="o", limits=(limit,), allowances=RECURRING)


@pytest.mark.parametrize("seed", range(2))
async def test_no_credit_is_made_or_lost(ledger: Ledger, client: StoreClient, seed: int):
    """Every journal is right, every transfer has both halves, and what all teams were granted together is what was
    given to them by hand and by their allowances."""
    ledgers, made = [ledger, Ledger(client)], {team: list[str]() for team in TEAMS}
    for team in TEAMS:
        await ledger.put_team(record(team, Random(seed)))
        await ledger.grant(team, "opening", 1000)

    async def caller(number: int) -> None:
        dice = Random(f"{seed} {number}")
        for _ in range(STEPS):
            with suppress(LedgerInvalid):
                await call(ledgers, made, dice)

    await asyncio.gather(*map(caller, range(CALLERS)))
    reports = [await ledger.verify(team) for team in TEAMS]
    given = [grant.amount for team in TEAMS for grant in await ledger.grants(team) if grant.id[:9] != "transfer:"]

    assert [()] * 3 == [report.differences for report in reports]
    assert sum(given) == sum([(await ledger.balance(team)).granted for team in TEAMS])
    assert len(TEAMS) * (1000 + 2 * 500 + 31 * 30) == sum(given)
