"""The scripts against a plain-Python model, in random sequences, on a real server.

The model is written from the ledger's promises, not from its scripts. Time does not pass in it: a hold is either due
at once (ttl 0) or not at all, and calendar windows move on when a rule says so.
"""

import asyncio
import secrets
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
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
from gatekeeper.ledger.codec import PERIODS, parse_counters
from gatekeeper.ledger.errors import LedgerInvalid
from gatekeeper.ledger.holdid import DAY_MS, new_hold_id
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.records import (
    Caps,
    GrantStatus,
    Held,
    HoldOrder,
    HoldState,
    Limit,
    MarkStatus,
    Mismatch,
    OnUnknown,
    Per,
    Refused,
    Repeated,
    SettleStatus,
    TeamRecord,
)
from gatekeeper.ledger.windows import Window, Windows

MOST = 9_000_000_000_000_000
TEAM = "model"
SCOPES = ("team", "project:p", "member:amy", "member:bob", "key:ci")
AMOUNTS = st.sampled_from([0, 1, 2, 5, 49, 100, 2**53 // 3, MOST])
OPEN = (HoldState.HELD, HoldState.UNKNOWN)
BY_TIME = (HoldState.EXPIRED, HoldState.CHARGED)
TEAMS = [
    TeamRecord(TEAM),
    TeamRecord(TEAM, frozen=True),
    TeamRecord(TEAM, caps=Caps(per_request=50, open_holds=3, held_credits=100)),
    TeamRecord(TEAM, limits=(Limit("team", Per.DAY, 120), Limit("member", Per.LIFETIME, 60))),
    TeamRecord(
        TEAM, limits=(Limit("member", Per.HOUR, 6), Limit("member:amy", Per.HOUR, 100), Limit("key", Per.WEEK, 50))
    ),
    TeamRecord(TEAM, limits=(Limit("project", Per.MONTH, 49), Limit("team", Per.LIFETIME, 2**53 // 2))),
]


@dataclass
class Hold:
    """A hold in the model."""

    order: HoldOrder
    starts: list[int]
    state: HoldState = HoldState.HELD
    charged: int = 0
    due: bool = False


@dataclass
class Books:
    """What the ledger should say."""

    granted: int = 0
    charged: int = 0
    grants: dict[str, int] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    team: TeamRecord = TEAMS[0]

    @property
    def held(self) -> int:
        return sum(hold.order.amount for hold in self.holds.values() if hold.state in OPEN)

    @property
    def available(self) -> int:
        return self.granted - self.charged - self.held

    def counters(self, scope: str, period: int | None, start: int = 0) -> tuple[int, int]:
        """Used and held of a scope, in all or in the window of this period that starts here."""
        mine = [
            hold
            for hold in self.holds.values()
            if scope in scopes_of(hold.order) and (period is None or hold.starts[period] == start)
        ]
        return (
            sum(hold.charged for hold in mine),
            sum(hold.order.amount for hold in mine if hold.state in OPEN),
        )

    def failed(self, order: HoldOrder, starts: list[int]) -> int:
        """How many checks fail for this order."""
        caps, amount = self.team.caps, order.amount
        open_holds = sum(hold.state in OPEN for hold in self.holds.values())
        checks = [
            self.team.frozen,
            caps.per_request is not None and amount > caps.per_request,
            caps.open_holds is not None and open_holds + 1 > caps.open_holds,
            caps.held_credits is not None and self.held + amount > caps.held_credits,
            amount > max(0, self.available),
        ]
        named = {(limit.scope, limit.per) for limit in self.team.limits if ":" in limit.scope}
        for limit in self.team.limits:
            for scope in scopes_of(order):
                general = scope.partition(":")[0] == limit.scope and (scope, limit.per) not in named
                if scope == limit.scope or general:
                    period = None if limit.per is Per.LIFETIME else PERIODS.index(limit.per)
                    counted = self.counters(scope, period, starts[period] if period is not None else 0)
                    checks.append(sum(counted) + amount > limit.credits)
        return sum(checks)

    def pass_time(self) -> int:
        """Time acts on all due holds; gives the number of transitions."""
        transitions = 0
        for hold in [hold for hold in self.holds.values() if hold.due]:
            hold.due = False
            transitions += 1
            if hold.state is HoldState.HELD:
                hold.state = HoldState.UNKNOWN
                if hold.order.grace_ms:
                    continue
                transitions += 1
            if hold.order.on_unknown is OnUnknown.RELEASE:
                hold.state = HoldState.EXPIRED
            elif hold.order.on_unknown is OnUnknown.CHARGE:
                hold.state, hold.charged = HoldState.CHARGED, hold.order.amount
                self.charged += hold.charged
        return transitions

    def settle(self, hold_id: str, amount: int) -> tuple[SettleStatus, int]:
        """What a settle says, and what is charged after it."""
        hold = self.holds[hold_id]
        if hold.state in OPEN:
            status = SettleStatus.SETTLED if amount else SettleStatus.RELEASED
            hold.state = HoldState.SETTLED if amount else HoldState.RELEASED
        elif hold.state is HoldState.EXPIRED and amount == 0:
            return SettleStatus.DUPLICATE, 0
        elif hold.state in BY_TIME:
            status, hold.state = SettleStatus.LATE, HoldState.LATE
        else:
            status = SettleStatus.DUPLICATE if amount == hold.charged else SettleStatus.MISMATCH
            return status, hold.charged
        self.charged += amount - hold.charged
        hold.charged, hold.due = amount, False
        return status, amount


def scopes_of(order: HoldOrder) -> list[str]:
    """The scopes a hold counts in."""
    named = {"project": order.project, "member": order.member, "key": order.key_id}
    return ["team", *(f"{kind}:{name}" for kind, name in named.items() if name)]


class Machine(RuleBasedStateMachine):
    """Random sequences of calls, each answer and every figure compared with the model."""

    url: str
    ids = Bundle("ids")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.books = Books()
        self.now = time.time_ns() // 1_000_000
        self.starts = [self.now - DAY_MS] * 4
        self.client = self.run(open_client(read_address(self.url), Patience(attempts=2)))
        self.run(self.client.each("FLUSHALL"))
        self.run(Ledger(self.client).put_team(self.books.team))

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
        self.books.pass_time()
        result = self.run(scripts.hold(self.client, order, self.windows))
        failed = self.books.failed(order, self.starts)
        if failed:
            assert isinstance(result, Refused)
            assert (failed, self.books.available) == (len(result.refusals), result.available)
            return
        self.books.holds[order.hold_id] = Hold(order, list(self.starts), due=order.ttl_ms == 0)
        assert isinstance(result, Held)
        assert (self.books.available, self.books.held) == (result.available, result.held)

    @rule(name=st.sampled_from(["a", "b", "c", "d", "e", "f"]), amount=AMOUNTS)
    def grant(self, name: str, amount: int) -> None:
        before = self.books.grants.get(name)
        if amount == 0 or (before is None and self.books.granted + amount > MOST):
            expected: object = LedgerInvalid
        elif before is None:
            expected = GrantStatus.GRANTED
            self.books.grants[name] = amount
            self.books.granted += amount
        else:
            expected = GrantStatus.DUPLICATE if before == amount else GrantStatus.MISMATCH
        try:
            status: object = self.run(scripts.grant(self.client, TEAM, name, amount, "", ""))
        except LedgerInvalid:
            status = LedgerInvalid
        assert expected is status

    @rule(team=st.sampled_from(TEAMS))
    def change_team(self, team: TeamRecord) -> None:
        self.run(scripts.put_team(self.client, team, "", None))
        self.books.team = team

    @rule(
        target=ids,
        amount=AMOUNTS,
        due=st.booleans(),
        grace=st.booleans(),
        policy=st.sampled_from(OnUnknown),
        project=st.sampled_from(["", "p"]),
        member=st.sampled_from(["", "amy", "bob"]),
        key_id=st.sampled_from(["", "ci"]),
    )
    def hold(
        self, amount: int, due: bool, grace: bool, policy: OnUnknown, project: str, member: str, key_id: str
    ) -> str:
        hold_id = new_hold_id(self.now, secrets.randbits(74))
        order = HoldOrder(
            hold_id, TEAM, amount, ttl_ms=0 if due else DAY_MS, grace_ms=DAY_MS if grace else 0, on_unknown=policy,
            project=project, member=member, key_id=key_id, fingerprint="f",
        )  # fmt: skip
        self.hold_as_the_model(order)
        return hold_id

    @rule(hold_id=ids, fingerprint=st.sampled_from(["f", "other"]))
    def hold_again(self, hold_id: str, fingerprint: str) -> None:
        hold = self.books.holds.get(hold_id)
        if hold is None:
            return
        order = HoldOrder(hold_id, TEAM, 1, DAY_MS, fingerprint=fingerprint)
        result = self.run(scripts.hold(self.client, order, self.windows))
        if fingerprint == "other":
            assert Mismatch(hold_id, hold.state) == result
        elif hold.state is HoldState.HELD:
            assert isinstance(result, Held)
            assert (hold.order.amount, True) == (result.amount, result.repeated)
        else:
            assert Repeated(hold_id, hold.state, hold.order.amount, hold.charged) == result

    @rule(hold_id=ids, amount=AMOUNTS)
    def settle(self, hold_id: str, amount: int) -> None:
        if hold_id not in self.books.holds:
            result = self.run(scripts.settle(self.client, TEAM, hold_id, amount, "", ""))
            assert SettleStatus.GONE is result.status
            return
        hold = self.books.holds[hold_id]
        if hold.state in (*OPEN, *BY_TIME) and self.books.charged + amount - hold.charged > MOST:
            with pytest.raises(LedgerInvalid, match="charged total"):
                self.run(scripts.settle(self.client, TEAM, hold_id, amount, "", ""))
            return
        status, charged = self.books.settle(hold_id, amount)
        result = self.run(scripts.settle(self.client, TEAM, hold_id, amount, "", ""))
        assert (status, charged, self.books.available) == (result.status, result.charged, result.available)
        assert max(0, -self.books.available) == result.debt

    @precondition(lambda self: sum(hold.due for hold in self.books.holds.values()) < 8)
    @rule(hold_id=ids)
    def mark_unknown(self, hold_id: str) -> None:
        hold = self.books.holds.get(hold_id)
        expected = MarkStatus.GONE
        if hold is not None and hold.state is HoldState.HELD:
            expected, hold.state, hold.due = MarkStatus.UNKNOWN, HoldState.UNKNOWN, hold.order.grace_ms == 0
        elif hold is not None:
            expected = MarkStatus.DUPLICATE if hold.state is HoldState.UNKNOWN else MarkStatus.RESOLVED
        assert expected is self.run(scripts.mark_unknown(self.client, TEAM, hold_id, "")).status

    @rule()
    def expire(self) -> None:
        expected = self.books.pass_time()
        assert expected == len(self.run(Ledger(self.client).expire_due(TEAM)).transitions)

    @rule(period=st.integers(0, 3))
    def next_window(self, period: int) -> None:
        self.starts[period] += 1

    @invariant()
    def figures_agree(self) -> None:
        figures = self.run(scripts.balance(self.client, TEAM, list(SCOPES)))
        assert (self.books.granted, self.books.charged, self.books.held) == (
            figures.granted, figures.charged, figures.held,
        )  # fmt: skip
        for scope, text in zip(SCOPES, figures.counters, strict=True):
            counters = parse_counters(text)
            assert self.books.counters(scope, None) == (counters.used, counters.held)
            for period, (start, used, held) in enumerate(counters.windows):
                assert not start or self.books.counters(scope, period, start) == (used, held)


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
