"""Recurring grants are given: by the loop, by the hold that needs them, by whoever stores them, and each once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest

from gatekeeper.ledger import scripts
from gatekeeper.ledger.allowing import AllowanceLoop
from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.errors import LedgerInvalid, LedgerUnavailable
from gatekeeper.ledger.keys import ALLOWANCES
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.records import Held, HoldOrder, Refused
from gatekeeper.ledger.teamrecord import Allowance, Per, TeamRecord
from gatekeeper.ledger.walletrecords import Given
from gatekeeper.ledger.windows import windows_at
from tests.ledger.conftest import fresh_id
from tests.system.almanac import NOW, turned_by_hand

NewId = Callable[..., str]
ZONES = ("Europe/Berlin", "Pacific/Kiritimati", "Pacific/Pago_Pago")


class Team:
    """A team with an allowance of 100 a month, on a store whose time stands where the test has put it."""

    def __init__(self, ledger: Ledger, client: StoreClient, record: TeamRecord) -> None:
        self.ledger, self.client, self.record = ledger, client, record
        self.now_ms = 0
        self.given: list[str] = []
        ledger.allowances.on_given = lambda _team, given: self.given.append(given.grant_id)

    async def at(self, at_ms: int) -> None:
        """It is this time for the store."""
        await self.client.command("HSET", NOW, "ms", at_ms)

    async def hold(self, amount: int, ledger: Ledger | None = None) -> Any:
        """A hold of this moment; one id is as good as another a month later, as far as the store knows its day."""
        balance = await self.ledger.balance(self.record.id)
        hold_id = fresh_id()
        hold_id = f"{balance.at_ms:012x}{hold_id[12:]}"
        return await (ledger or self.ledger).hold(HoldOrder(hold_id, self.record.id, amount, ttl_ms=10**9))

    async def available(self) -> int:
        """What it has; its journal must confirm it."""
        assert () == (await self.ledger.verify(self.record.id)).differences
        return (await self.ledger.balance(self.record.id)).available


def monthly(now_ms: int, **changes: Any) -> Allowance:
    """100 a month from now on."""
    return replace(Allowance("m", 100, Per.MONTH, now_ms), **changes)


@pytest.fixture(params=ZONES)
async def team(
    ledger: Ledger, client: StoreClient, team_id: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Team]:
    """A team without roll-over, just stored, on a store whose time can be turned."""
    with turned_by_hand(monkeypatch):
        yield await new_team(ledger, client, team_id, request.param)
        await client.command("DEL", NOW)


async def new_team(ledger: Ledger, client: StoreClient, team_id: str, timezone: str) -> Team:
    """A team with an allowance."""
    now_ms = await ledger.now_ms(team_id)
    record = TeamRecord(team_id, timezone=timezone, allowances=(monthly(now_ms),))
    team = Team(ledger, client, record)
    await ledger.put_team(record)
    return team


async def end_of(team: Team, months: int = 1) -> int:
    """The first instant of the month after this one, or after the next."""
    at_ms = (await team.ledger.balance(team.record.id)).at_ms
    for _ in range(months):
        at_ms = windows_at(at_ms, team.record.timezone).month.end_ms
    return at_ms


async def test_it_is_there_at_once(team: Team):
    """Whoever stores an allowance gives what is due, and tells it once, though the record is stored again."""
    await team.ledger.put_team(replace(team.record, retry_guard=False))

    assert (1, 100) == (len(team.given), await team.available())


async def test_no_hold_is_refused_at_the_months_first_instant(team: Team):
    """The old month's is used up; a millisecond before its end a hold is refused, at its end a hundred at once are
    admitted, though nobody has given anything yet."""
    end_ms = await end_of(team)
    await team.hold(90)
    await team.at(end_ms - 1)
    refused = await team.hold(20)
    await team.at(end_ms)
    admitted = await asyncio.gather(*(team.hold(1) for _ in range(100)))

    assert isinstance(refused, Refused)
    assert {Held} == {type(each) for each in admitted}
    assert (2, 0) == (len(team.given), await team.available())


async def test_without_roll_over_the_rest_lapses(team: Team):
    """What is left of a month is gone with it."""
    await team.hold(30)
    await team.at(await end_of(team))
    await AllowanceLoop(team.ledger.allowances, team.ledger.wallet, on_error=raise_it).look()

    assert 100 == await team.available()


async def test_with_roll_over_it_lasts_a_month_longer(team: Team):
    """With two periods what is left may still be spent in the next month, and is spent first."""
    await team.ledger.put_team(replace(team.record, allowances=(monthly(0, id="r", lasts_periods=2),)))
    now = [each for each in await team.ledger.grants(team.record.id) if each.id.startswith("allowance:r")]
    await team.at(await end_of(team))
    await team.ledger.allowances.give(team.record.id)
    then = [each for each in await team.ledger.grants(team.record.id) if each.id.startswith("allowance:r")]

    assert (2, 3, 200) == (len(now), len(then), await team.available())


async def test_a_month_that_nobody_saw(team: Team, client: StoreClient):
    """Every gateway was down over a month's end, and over the next one: the present one is given, the missed one has
    lapsed, and with roll-over both are given."""
    both = replace(team.record, allowances=(*team.record.allowances, monthly(0, id="r", lasts_periods=2)))
    await team.ledger.put_team(both)
    await team.at(await end_of(team, 2))
    late = Ledger(client)
    await late.allowances.give(team.record.id)
    living = [each.id for each in await late.grants(team.record.id) if each.remaining]

    assert (3, 300) == (len(living), await team.available())


async def test_two_gateways_give_once(team: Team, client: StoreClient):
    """Both look at the same instant, and both have holds that wait for it."""
    other = Ledger(client)
    await team.at(await end_of(team))
    await asyncio.gather(team.ledger.allowances.give(team.record.id), other.allowances.give(team.record.id))
    results = await asyncio.gather(*(team.hold(50, ledger) for ledger in (team.ledger, other)))

    assert [Held, Held] == [type(each) for each in results]
    assert 0 == await team.available()


async def test_what_another_gateway_gave_meanwhile_counts(team: Team, client: StoreClient):
    """A hold whose refusal was right when it was made is made again if the grant came while it was on its way."""
    other = Ledger(client)
    await team.hold(100)
    await team.at(await end_of(team))
    inner = team.ledger.allowances.help

    async def slow(*refused: Any) -> bool:
        await other.allowances.give(team.record.id)
        await team.ledger.allowances.give(team.record.id)
        return await inner(*refused)

    team.ledger.allowances.help = slow  # type: ignore[method-assign]
    order = HoldOrder(f"{await end_of(team, 0):012x}{fresh_id()[12:]}", team.record.id, 50, ttl_ms=1000)
    assert isinstance(await team.ledger.hold(order), Held)


class Counting(StoreClient):
    """A client that counts its calls."""

    def __init__(self, inner: StoreClient) -> None:
        self.__dict__.update(inner.__dict__)
        self._inner, self.calls = inner, 0

    async def run(self, *args: Any, **how: Any) -> Any:
        self.calls += 1
        return await self._inner.run(*args, **how)

    async def tell(self, *args: Any) -> Any:
        self.calls += 1
        return await self._inner.tell(*args)

    async def command(self, *args: Any, **how: Any) -> Any:
        self.calls += 1
        return await self._inner.command(*args, **how)


@pytest.mark.parametrize("recurring", [False, True])
async def test_an_ordinary_refusal_costs_no_further_call(
    ledger: Ledger, client: StoreClient, team_id: str, recurring: bool
):  # fmt: skip
    """Once it was looked whether something is due, a team without credits is refused with one call each time."""
    allowances = (monthly(await ledger.now_ms(team_id)),) if recurring else ()
    await ledger.put_team(TeamRecord(team_id, allowances=allowances))
    counting = Counting(client)
    asking = Ledger(counting)
    orders = [HoldOrder(fresh_id(), team_id, 500, ttl_ms=1000) for _ in range(12)]
    for order in orders[:2]:
        await asking.hold(order)
    before = counting.calls
    refused = [await asking.hold(order) for order in orders[2:]]

    assert {Refused} == {type(each) for each in refused}
    assert 10 == counting.calls - before


async def test_a_look_that_fails_leaves_the_refusal(team: Team, monkeypatch: pytest.MonkeyPatch):
    """If the store goes away in between, the hold is refused as it was, and the next one looks again."""
    await team.at(await end_of(team))
    await team.hold(100)

    async def away(_team: str) -> bool:
        raise LedgerUnavailable("gone", maybe_executed=False)

    with monkeypatch.context() as patch:
        patch.setattr(team.ledger.allowances, "_give", away)
        await team.at(await end_of(team))
        refused = await team.hold(1)

    assert isinstance(refused, Refused)
    assert isinstance(await team.hold(1), Held)


async def test_changed_in_the_middle_of_a_month(team: Team):
    """What was given stays as it was given; from the next month on it is the new amount."""
    changed = replace(team.record, allowances=(replace(team.record.allowances[0], credits=70),))
    await team.ledger.put_team(changed)
    now = await team.available()
    await team.at(await end_of(team))
    await team.ledger.allowances.give(team.record.id)

    assert (100, 70) == (now, await team.available())


async def test_a_team_that_recurs_no_longer(team: Team, client: StoreClient):
    """It is looked for no longer, and gets nothing more; what it has stays until it lapses."""
    await team.ledger.put_team(replace(team.record, allowances=()))
    known = await client.command("SISMEMBER", ALLOWANCES, team.record.id)
    await team.at(await end_of(team) - 1)
    before = await team.available()
    await team.at(await end_of(team))
    refused = await team.hold(1)

    assert (0, 100, 0) == (known, before, await team.available())
    assert isinstance(refused, Refused)


async def test_the_loop_gives_to_all_and_tells_what_fails(ledger: Ledger, client: StoreClient, team_id: str):
    """A team that has too many expiring grants is told, and the others get theirs."""
    now_ms = await ledger.now_ms(team_id)
    names = [f"{team_id}-{number}" for number in range(3)]
    for name in names:
        await ledger.put_team(TeamRecord(name))
    for number in range(64):
        await ledger.grant(names[1], f"g{number}", 1, expires_at_ms=now_ms + 10**9)
    for name in names:
        await client.command("SADD", ALLOWANCES, name)
        await ledger.put_team(TeamRecord(name, allowances=(monthly(now_ms),)))
    errors: list[Exception] = []
    given: list[tuple[str, Given]] = []
    other = Ledger(client)
    other.allowances.on_given = lambda team, each: given.append((team, each))
    told = asyncio.Event()

    def hear(error: Exception) -> None:
        errors.append(error)
        told.set()

    loop = AllowanceLoop(other.allowances, other.wallet, on_error=hear)
    loop.start()
    await asyncio.wait_for(told.wait(), 5)
    await loop.stop()

    assert ["refuses its expires_at_ms"] == [str(error)[10:35] for error in errors]
    assert [100, 64, 100] == [(await ledger.balance(name)).available for name in names]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"credits": 0}, "from 0.000001 to"),
        ({"credits": -1}, "from 0.000001 to"),
        ({"credits": 10**16}, "from 0.000001 to"),
        ({"id": ""}, "allowance id is missing"),
        ({"id": "a:b"}, "leave the ':' out"),
        ({"id": "x" * 65}, "more than 64 characters"),
        ({"per": Per.HOUR}, "use day, week, month"),
        ({"per": Per.LIFETIME}, "use day, week, month"),
        ({"since_ms": -1}, "since 1970"),
        ({"since_ms": 253_402_300_799_999}, "begins in the year 9999"),
        ({"lasts_periods": -1}, "or 0 for ever"),
        ({"lasts_periods": 32}, "or 0 for ever"),
    ],
)
async def test_what_cannot_recur(ledger: Ledger, team_id: str, changes: dict[str, Any], message: str):
    """Each says what is wrong, and nothing was stored."""
    with pytest.raises(LedgerInvalid, match=message):
        await ledger.put_team(TeamRecord(team_id, allowances=(monthly(0, **changes),)))

    assert None is await ledger.team(team_id)


@pytest.mark.parametrize(
    ("allowances", "message"),
    [
        ([monthly(0, id=f"m{n}") for n in range(9)], "at most 8 are kept"),
        ([monthly(0), monthly(0)], "two allowances of the same id"),
        ([monthly(0, id="a", lasts_periods=25), monthly(0, id="b", lasts_periods=24)], "more than 48 periods"),
    ],
)
async def test_too_many_of_them(ledger: Ledger, team_id: str, allowances: list[Allowance], message: str):
    """A team's allowances leave room for other grants with an expiry."""
    with pytest.raises(LedgerInvalid, match=message):
        await ledger.put_team(TeamRecord(team_id, allowances=tuple(allowances)))


def raise_it(error: Exception) -> None:
    """What a loop that must not fail does."""
    raise error


async def test_what_the_store_has_lost_is_given_again(team: Team, client: StoreClient):
    """A store that fails over may have the record and lack the grant: who gave it sees."""
    await client.each("FLUSHALL")
    await scripts.put_team(client, team.record, "", "", None)
    await team.ledger.allowances.give(team.record.id)

    assert 100 == await team.available()
