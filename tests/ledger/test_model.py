"""The scripts against a plain-Python model, in random sequences, on a real server.

The model is written from the ledger's promises, not from its scripts. Time passes when a rule says so: the store's
clock never goes back by less than five minutes, so it stands where the books have put it, ahead of the real one. A hold
is either due at once (ttl 0) or not at all; grants expire at one of a few instants; calendar windows move on by a rule.
"""

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from gatekeeper.ledger import scripts
from gatekeeper.ledger.address import read_address
from gatekeeper.ledger.batch import Patience
from gatekeeper.ledger.client import open_client
from gatekeeper.ledger.codec import parse_counters, parse_figures
from gatekeeper.ledger.errors import LedgerInvalid
from gatekeeper.ledger.holdid import DAY_MS, new_hold_id
from gatekeeper.ledger.keys import TeamKeys
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.lots import parse_lots
from gatekeeper.ledger.records import (
    GrantStatus,
    Held,
    HoldContext,
    HoldOrder,
    HoldState,
    JobStatus,
    MarkStatus,
    Mismatch,
    OnUnknown,
    Refused,
    Repeated,
    TeamRecord,
)
from gatekeeper.ledger.windows import Window, Windows
from tests.ledger.books import BY_TIME, OPEN, TEAM, TEAMS, Books, Lot

MOST = 9_000_000_000_000_000
KEYS = TeamKeys(TEAM)
SCOPES = ("team", "project:p", "member:amy", "member:bob", "key:ci")
EXPIRIES_S = (20, 40, 60, 120)
AHEAD_MAX_S = 150
AMOUNTS = st.sampled_from([0, 1, 2, 5, 49, 100, 2**53 // 3, MOST])
WHO = st.tuples(st.sampled_from(["", "p"]), st.sampled_from(["", "amy", "bob"]), st.sampled_from(["", "ci"]))
NAMES = st.fixed_dictionaries(
    {
        "once": st.sampled_from(["", "x", "y"]),
        "once_within_ms": st.sampled_from([0, DAY_MS]),
        "fingerprint": st.sampled_from(["f", "f", "f", "g"]),
    }
)
OPENING = 500  # enough that most holds are admitted, and some are not


class Machine(RuleBasedStateMachine):
    """Random sequences of calls, each answer and every figure compared with the model."""

    url: str
    ids = Bundle("ids")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.now = time.time_ns() // 1_000_000
        self.begin = self.now + 60_000
        self.books = Books(self.begin)
        self.starts = [self.now - DAY_MS] * 4
        self.client = self.run(open_client(read_address(self.url), Patience(attempts=2)))
        self.run(self.client.each("FLUSHALL"))
        self.run(Ledger(self.client).put_team(self.books.team))
        self.run(scripts.grant(self.client, TEAM, "opening", OPENING, "", ""))
        self.books.granted = OPENING
        self.books.grants["opening"] = (OPENING, None)
        self.set_clock()

    def set_clock(self) -> None:
        """Put the store's clock where the model's is."""
        figures = parse_figures(self.run(self.client.command("HGET", KEYS.bal, "figures")))
        figures["at"] = str(self.books.now)
        self.run(self.client.command("HSET", KEYS.bal, "figures", ":".join(figures.values())))

    def due(self) -> list[str]:
        """What time has to act on: holds and reminders, by the store's clock."""
        found: list[str] = self.run(self.client.command("ZRANGEBYSCORE", KEYS.due, "-inf", self.books.now))
        return found

    def run(self, call: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(call)

    def teardown(self) -> None:
        report = self.run(Ledger(self.client).verify(TEAM))
        self.run(self.client.close())
        self.runner.close()
        assert () == report.differences

    @property
    def windows(self) -> Windows:
        spans = [Window(start, self.now + 9 * DAY_MS, self.now + 10 * DAY_MS) for start in self.starts]
        return Windows("UTC", *spans)

    def hold_as_the_model(self, order: HoldOrder) -> None:
        """Make a new hold on both sides."""
        earlier = self.books.earlier(order)
        if earlier is not None:
            hold = self.books.holds[earlier]
            result = self.run(scripts.hold(self.client, order, self.windows))
            if order.fingerprint == hold.order.fingerprint:
                assert Repeated(earlier, hold.state, hold.order.amount, hold.charged) == result
            else:
                assert Mismatch(earlier, hold.state) == result
            return
        if len(self.due()) > 8:  # more than one hold looks at
            self.expire()
        self.books.pass_time()
        result = self.run(scripts.hold(self.client, order, self.windows))
        failed = self.books.failed(order, self.starts)
        if isinstance(result, Refused):
            assert failed == len(result.refusals)
            assert self.books.available == result.available
            return
        assert 0 == failed
        assert isinstance(result, Held)
        self.books.admit(order, self.starts)
        assert (self.books.available, self.books.held) == (result.available, result.held)

    @rule(name=st.sampled_from("abcdefghij"), amount=AMOUNTS, expires_s=st.sampled_from([None, *EXPIRIES_S]))
    def grant(self, name: str, amount: int, expires_s: int | None) -> None:
        expires = None if expires_s is None else self.begin + expires_s * 1000
        before = self.books.grants.get(name)
        late = expires is not None and expires <= self.books.now
        if amount == 0 or (before is None and (late or self.books.granted + amount > MOST)):
            expected: object = LedgerInvalid
        elif before is None:
            expected = GrantStatus.GRANTED
            self.books.lapse()
            self.books.grants[name] = (amount, expires)
            self.books.granted += amount
            if expires is not None:
                self.books.lots[name] = Lot(expires, amount)
        else:
            expected = GrantStatus.DUPLICATE if before == (amount, expires) else GrantStatus.MISMATCH
        try:
            status: object = self.run(scripts.grant(self.client, TEAM, name, amount, "", "", expires))
        except LedgerInvalid:
            status = LedgerInvalid
        assert expected is status

    @rule(team=st.sampled_from(TEAMS))
    def change_team(self, team: TeamRecord) -> None:
        self.run(scripts.put_team(self.client, team, "", None))
        self.books.team = team

    @rule(
        target=ids,
        amount=st.one_of(st.integers(0, 9), AMOUNTS),
        due=st.booleans(),
        grace=st.booleans(),
        policy=st.sampled_from(OnUnknown),
        who=WHO,
        name=NAMES,
    )
    def hold(
        self, amount: int, due: bool, grace: bool, policy: OnUnknown, who: tuple[str, str, str], name: dict[str, Any]
    ) -> str:
        hold_id = new_hold_id(self.now, secrets.randbits(74))
        order = HoldOrder(
            hold_id, TEAM, amount, ttl_ms=0 if due else DAY_MS, grace_ms=DAY_MS if grace else 0, on_unknown=policy,
            project=who[0], member=who[1], key_id=who[2], **name,
        )  # fmt: skip
        self.hold_as_the_model(order)
        return hold_id

    @rule(hold_id=ids, same=st.booleans())
    def hold_again(self, hold_id: str, same: bool) -> None:
        hold = self.books.holds.get(hold_id)
        if hold is None:
            return
        order = HoldOrder(hold_id, TEAM, 1, DAY_MS, fingerprint=hold.order.fingerprint if same else "other")
        result = self.run(scripts.hold(self.client, order, self.windows))
        if not same and hold.state is not HoldState.VOID:
            assert Mismatch(hold_id, hold.state) == result
        elif hold.state is HoldState.HELD:
            assert isinstance(result, Held)
            assert (hold.order.amount, True) == (result.amount, result.repeated)
        else:
            assert Repeated(hold_id, hold.state, hold.order.amount, hold.charged) == result

    @rule(hold_id=ids, amount=AMOUNTS, how=st.sampled_from(["settle", "undo", "with context", "without windows"]))
    def settle(self, hold_id: str, amount: int, how: str) -> None:
        ending = scripts.Ending(hold_id, amount)
        if how == "undo":
            ending = scripts.Ending(hold_id, undo=True)
        elif how != "settle":
            windows = ":".join(map(str, self.starts)) if how == "with context" else ""
            ending = scripts.Ending(hold_id, amount, context=HoldContext(7, "p", "amy", windows=windows))
        hold = self.books.holds.get(hold_id)
        can_be_booked = ending.context is not None if hold is None else hold.state in (*OPEN, *BY_TIME)
        if can_be_booked and self.books.charged + ending.amount - (hold.charged if hold else 0) > MOST:
            with pytest.raises(LedgerInvalid, match="charged total"):
                self.run(scripts.settle(self.client, TEAM, ending))
            return
        status, charged = self.books.settle(hold_id, ending.amount) if hold else self.books.settle_lost(ending)
        result = self.run(scripts.settle(self.client, TEAM, ending))
        assert (status, charged, self.books.available) == (result.status, result.charged, result.available)
        assert max(0, -self.books.available) == result.debt

    @precondition(lambda self: sum(hold.due for hold in self.books.holds.values()) < 8)
    @rule(hold_id=ids, job=st.sampled_from(["a", "b"]), due=st.booleans())
    def attach_job(self, hold_id: str, job: str, due: bool) -> None:
        hold = self.books.holds.get(hold_id)
        if hold is None:
            expected = JobStatus.GONE
        elif hold.state not in OPEN:
            expected = JobStatus.RESOLVED
        elif hold.job and hold.job != job:
            expected = JobStatus.MISMATCH
        elif hold.job and hold.state is HoldState.HELD:
            expected = JobStatus.DUPLICATE
        else:
            expected, hold.state, hold.job, hold.due = JobStatus.ATTACHED, HoldState.HELD, job, due
        if expected is JobStatus.ATTACHED and hold is not None:
            hold.due_at = self.books.now
        assert expected is self.run(scripts.attach_job(self.client, TEAM, hold_id, job, 0 if due else DAY_MS)).status

    @precondition(lambda self: sum(hold.due for hold in self.books.holds.values()) < 8)
    @rule(hold_id=ids)
    def mark_unknown(self, hold_id: str) -> None:
        hold = self.books.holds.get(hold_id)
        expected = MarkStatus.GONE
        if hold is not None and hold.state is HoldState.HELD:
            expected, hold.state, hold.due = MarkStatus.UNKNOWN, HoldState.UNKNOWN, hold.order.grace_ms == 0
            hold.due_at = self.books.now
        elif hold is not None:
            expected = MarkStatus.DUPLICATE if hold.state is HoldState.UNKNOWN else MarkStatus.RESOLVED
        assert expected is self.run(scripts.mark_unknown(self.client, TEAM, hold_id, "")).status

    @rule()
    def expire(self) -> None:
        expected = self.books.pass_time()
        assert expected == len(self.run(scripts.expire(self.client, TEAM, self.due())))
        assert [] == self.due()

    @rule(seconds=st.sampled_from([1, 10, 20, 50]))
    def time_passes(self, seconds: int) -> None:
        self.books.now = min(self.books.now + seconds * 1000, self.begin + AHEAD_MAX_S * 1000)
        self.books.lapse()
        self.set_clock()

    @rule(period=st.integers(0, 3))
    def next_window(self, period: int) -> None:
        self.starts[period] += 1

    @invariant()
    def figures_agree(self) -> None:
        figures = self.run(scripts.balance(self.client, TEAM, list(SCOPES)))
        assert (self.books.granted, self.books.charged, self.books.expired, self.books.held) == (
            figures.granted, figures.charged, figures.expired, figures.held,
        )  # fmt: skip
        for scope, text in zip(SCOPES, figures.counters, strict=True):
            counters = parse_counters(text)
            assert self.books.counters(scope, None) == (counters.used, counters.held)
            for period, (start, used, held) in enumerate(counters.windows):
                assert not start or self.books.counters(scope, period, start) == (used, held)

    @invariant()
    def lots_agree(self) -> None:
        kept = Counter[str]()
        for hold in self.books.holds.values():
            kept.update(hold.parts if hold.state in OPEN else {})
        lots = parse_lots(self.run(self.client.command("HGET", KEYS.bal, "lots")) or "")
        assert [
            (name, lot.free, kept[name]) for name, lot in self.books.lots_by_use if lot.expires_ms > self.books.now
        ] == [(lot.grant_id, lot.free, lot.held) for lot in lots if lot.expires_ms > self.books.now]
        gone = {
            name: kept[name] for name, lot in self.books.lots.items() if lot.expires_ms <= self.books.now and kept[name]
        }
        assert gone == {lot.grant_id: lot.held for lot in lots if lot.expires_ms <= self.books.now and lot.held}


def run_machine(url: str, examples: int) -> None:
    """So many random sequences of 40 steps against the store at this address."""
    Machine.url = url
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_scripts_agree_with_the_model(server_socket: Path):
    """6,000 random steps: every answer, every balance and every counter is what the model says."""
    run_machine(f"unix://{server_socket}", 150)
