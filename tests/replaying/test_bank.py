"""The bank against the real scripts, on a real server, in random sequences, on a calendar that the test turns."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from gatekeeper.ledger.address import read_address
from gatekeeper.ledger.batch import Patience
from gatekeeper.ledger.client import StoreClient, open_client
from gatekeeper.ledger.holdid import new_hold_id
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.records import Held, HoldOrder, OnUnknown, Refused
from gatekeeper.ledger.teamrecord import Caps, Limit, Per, TeamRecord
from gatekeeper.replaying.bank import Bank, BankHold
from tests.ledger.conftest import start_server
from tests.system.almanac import NOW, turned_by_hand

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
BEGIN_MS = int(datetime(2027, 3, 27, 21, 30, tzinfo=UTC).timestamp() * 1000)
"""A Saturday night in Berlin, before clocks go forward: a day, a week and soon a month end."""

TEAMS = [
    TeamRecord("a"),
    TeamRecord("a", frozen=True),
    TeamRecord("a", caps=Caps(per_request=50, open_holds=2, held_credits=70, requests_per_minute=2)),
    TeamRecord("a", timezone="Europe/Berlin", limits=(Limit("team", Per.DAY, 90), Limit("member", Per.LIFETIME, 60))),
    TeamRecord(
        "a",
        timezone="America/St_Johns",
        limits=(Limit("member", Per.HOUR, 30), Limit("member:amy", Per.HOUR, 70), Limit("key", Per.WEEK, 90)),
    ),
    TeamRecord(
        "a",
        limits=(Limit("team", Per.DAY, 40, 90, BEGIN_MS + 6 * HOUR_MS), Limit("key", Per.LIFETIME, 0, 50, BEGIN_MS)),
    ),
    TeamRecord("a", timezone="Asia/Kathmandu", limits=(Limit("project", Per.MONTH, 80), Limit("team", Per.WEEK, 120))),
]
WHO = st.fixed_dictionaries(
    {
        "project": st.sampled_from(["", "p"]),
        "member": st.sampled_from(["", "amy", "bob"]),
        "key_id": st.sampled_from(["", "ci"]),
    }
)
AMOUNTS = st.integers(0, 30)
WAITS_MS = st.sampled_from([0, 1, 20_000, MINUTE_MS, HOUR_MS, 5 * HOUR_MS, DAY_MS, 3 * DAY_MS])
ACTS = st.one_of(
    st.tuples(st.just("hold"), AMOUNTS, WHO),
    st.tuples(st.just("hold"), AMOUNTS, WHO),
    st.tuples(st.just("settle"), AMOUNTS, st.booleans()),
    st.tuples(st.just("wait"), WAITS_MS),
    st.tuples(st.just("time_out"), AMOUNTS),
    st.tuples(st.just("come_late"), AMOUNTS),
    st.tuples(st.just("grant"), st.integers(1, 80), st.sampled_from([None, 5_000, HOUR_MS, 2 * DAY_MS])),
)


class Both:
    """The same acts in a bank and in the store; what they say is compared."""

    def __init__(self, client: StoreClient, record: TeamRecord) -> None:
        self.client = client
        self.ledger = Ledger(client)
        self.bank = Bank(record)
        self.now_ms = BEGIN_MS
        self.open: list[tuple[str, BankHold]] = []
        self.timed_out: list[tuple[str, BankHold, int]] = []
        self.grants = self.holds = 0

    async def begin(self) -> None:
        await self.client.each("FLUSHALL")
        await self.wait(0)
        await self.ledger.put_team(self.bank.record)
        await self.grant(200, None)

    async def wait(self, ms: int) -> None:
        self.now_ms += ms
        await self.client.command("HSET", NOW, "ms", self.now_ms)
        self.bank.pass_time(self.now_ms)

    async def grant(self, amount: int, expires_in_ms: int | None) -> None:
        self.grants += 1
        expires_at_ms = None if expires_in_ms is None else self.now_ms + expires_in_ms
        await self.ledger.grant("a", f"g{self.grants}", amount, expires_at_ms=expires_at_ms)
        self.bank.grant(f"g{self.grants}", amount, expires_at_ms)

    async def hold(self, amount: int, who: dict[str, str]) -> None:
        self.holds += 1
        policy = OnUnknown.CHARGE if self.holds % 2 else OnUnknown.RELEASE
        hold_id = new_hold_id(self.now_ms, self.holds)
        order = HoldOrder(hold_id, "a", amount, ttl_ms=30 * DAY_MS, on_unknown=policy, **who)
        result, own = await self.ledger.hold(order), self.bank.hold(amount, **who)
        if isinstance(own, Refused):
            assert isinstance(result, Refused)
            assert tuple(replace(each, available=own.available) for each in result.refusals) == own.refusals
            return
        assert isinstance(result, Held)
        self.open.append((order.hold_id, own))

    async def settle(self, amount: int, within: bool) -> None:
        if self.open:
            hold_id, hold = self.open.pop(amount % len(self.open))
            told = await self.ledger.settle(hold_id, "a", amount, within_available=within)
            assert told.charged == self.bank.settle(hold, amount, within_available=within)

    async def time_out(self, number: int) -> None:
        """Nobody knows what came of a hold, and its policy acts at once."""
        if self.open:
            hold_id, hold = self.open.pop(number % len(self.open))
            await self.ledger.mark_unknown(hold_id, "a")
            charged = sum(
                each.amount for each in (await self.ledger.expire_due("a")).transitions if each.kind == "charge"
            )
            assert charged == self.bank.settle(hold, charged)
            self.timed_out.append((hold_id, hold, charged))

    async def come_late(self, amount: int) -> None:
        if self.timed_out:
            hold_id, hold, charged = self.timed_out.pop(amount % len(self.timed_out))
            await self.ledger.settle(hold_id, "a", amount)
            self.bank.correct(hold, charged, amount)

    async def compare(self) -> None:
        told = await self.ledger.balance("a", project="p", member="amy", key_id="ci")
        figures = (told.granted, told.charged, told.expired, told.held, told.available - told.debt)
        bank = self.bank
        assert [(each.used, each.held) for each in told.limits] == [
            bank.use(each.scope, Per(each.per)) for each in told.limits
        ]
        assert figures == (bank.granted, bank.charged, bank.expired, bank.held, bank.available)

    async def run(self, acts: list[tuple[Any, ...]]) -> None:
        await self.begin()
        for name, *words in acts:
            await getattr(self, name)(*words)
            await self.compare()
        assert () == (await self.ledger.verify("a")).differences


@pytest.fixture(name="url", scope="module")
def _url() -> Iterator[str]:
    directory = Path(tempfile.mkdtemp(prefix="gk-bank-"))
    process, socket = start_server(directory)
    with pytest.MonkeyPatch.context() as patch, turned_by_hand(patch):
        yield f"unix://{socket}"
    process.terminate()
    process.wait()
    shutil.rmtree(directory)


@settings(
    max_examples=80, suppress_health_check=list(HealthCheck), derandomize=True, database=None, phases=[Phase.generate]
)
@given(record=st.sampled_from(TEAMS), acts=st.lists(ACTS, min_size=15, max_size=30))
def test_the_bank_does_what_the_scripts_do(url: str, record: TeamRecord, acts: list[tuple[Any, ...]]) -> None:
    """Every refusal with its numbers, every charge and every figure, over hours, days and a change of clocks."""

    async def both() -> None:
        client = await open_client(read_address(url), Patience(attempts=2))
        try:
            await Both(client, record).run(acts)
        finally:
            await client.close()

    asyncio.run(both())
