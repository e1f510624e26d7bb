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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from gatekeeper.ledger import scripts
from gatekeeper.ledger.batch import Patience
from gatekeeper.ledger.client import StoreClient, connect
from gatekeeper.ledger.codec import PERIODS, parse_counters, parse_figures
from gatekeeper.ledger.errors import LedgerInvalid
from gatekeeper.ledger.holdid import DAY_MS, new_hold_id
from gatekeeper.ledger.keys import TeamKeys
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.lots import parse_lots
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
KEYS = TeamKeys(TEAM)
SCOPES = ("team", "project:p", "member:amy", "member:bob", "key:ci")
EXPIRIES_S = (20, 40, 60, 120)
AHEAD_MAX_S = 150
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
    due_at: int = 0
    parts: dict[str, int] = field(default_factory=dict)


@dataclass
class Lot:
    """What may still be held of a grant that expires."""

    expires_ms: int
    free: int


@dataclass
class Books:
    """What the ledger should say."""

    now: int
    granted: int = 0
    charged: int = 0
    expired: int = 0
    grants: dict[str, tuple[int, int | None]] = field(default_factory=dict)
    lots: dict[str, Lot] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    team: TeamRecord = TEAMS[0]

    @property
    def held(self) -> int:
        return sum(hold.order.amount for hold in self.holds.values() if hold.state in OPEN)

    @property
    def available(self) -> int:
        return self.granted - self.charged - self.expired - self.held

    @property
    def lots_by_use(self) -> list[tuple[str, Lot]]:
        """Soonest first; of equal ones the one given first."""
        return sorted(self.lots.items(), key=lambda item: item[1].expires_ms)

    def lapse(self) -> None:
        """What is free in lots past their time is lost, unless it covers a debt."""
        for _, lot in self.lots_by_use:
            if lot.expires_ms <= self.now:
                self.expired += min(lot.free, max(0, self.available))
                lot.free = 0

    def take(self, amount: int) -> dict[str, int]:
        """Take up to this much from the lots; what came from which."""
        parts = {}
        for name, lot in self.lots_by_use:
            parts[name] = min(lot.free, amount)
            lot.free -= parts[name]
            amount -= parts[name]
        return {name: part for name, part in parts.items() if part}

    def give_back(self, hold: Hold) -> None:
        """What a hold took and did not cost goes back to where it came from."""
        spent = hold.charged
        for name, part in hold.parts.items():
            self.lots[name].free += part - min(part, spent)
            spent -= min(part, spent)
        self.lapse()

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
        self.lapse()
        transitions = 0
        for _, hold in sorted(self.holds.items(), key=lambda item: (item[1].due_at, item[0])):
            if not hold.due:
                continue
            hold.due = False
            transitions += 1
            if hold.state is HoldState.HELD:
                hold.state = HoldState.UNKNOWN
                if hold.order.grace_ms:
                    continue
                transitions += 1
            if hold.order.on_unknown is OnUnknown.RELEASE:
                hold.state = HoldState.EXPIRED
                self.give_back(hold)
            elif hold.order.on_unknown is OnUnknown.CHARGE:
                hold.state, hold.charged = HoldState.CHARGED, hold.order.amount
                self.charged += hold.charged
        return transitions

    def settle(self, hold_id: str, amount: int) -> tuple[SettleStatus, int]:
        """What a settle says, and what is charged after it."""
        hold = self.holds[hold_id]
        met = hold.state
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
        if met is HoldState.EXPIRED:
            self.take(amount)
        else:
            self.give_back(hold)
        return status, amount


def scopes_of(order: HoldOrder) -> list[str]:
    """The scopes a hold counts in."""
    named = {"project": order.project, "member": order.member, "key": order.key_id}
    return ["team", *(f"{kind}:{name}" for kind, name in named.items() if name)]


class Machine(RuleBasedStateMachine):
    """Random sequences of calls, each answer and every figure compared with the model."""

    socket: Path
    ids = Bundle("ids")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.now = time.time_ns() // 1_000_000
        self.begin = self.now + 60_000
        self.books = Books(self.begin)
        self.starts = [self.now - DAY_MS] * 4
        self.client = StoreClient(connect(f"unix://{self.socket}"), Patience(attempts=2))
        self.run(self.client.command("FLUSHALL"))
        self.run(Ledger(self.client).put_team(self.books.team))
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
        if len(self.due()) > 8:  # more than one hold looks at
            self.expire()
        self.books.pass_time()
        result = self.run(scripts.hold(self.client, order, self.windows))
        failed = self.books.failed(order, self.starts)
        if failed:
            assert isinstance(result, Refused)
            assert (failed, self.books.available) == (len(result.refusals), result.available)
            return
        parts = self.books.take(order.amount)
        self.books.holds[order.hold_id] = Hold(
            order, list(self.starts), due=order.ttl_ms == 0, due_at=self.books.now, parts=parts
        )
        assert isinstance(result, Held)
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


def test_scripts_agree_with_the_model(server_socket: Path):
    """6,000 random steps: every answer, every balance and every counter is what the model says."""
    Machine.socket = server_socket
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=150,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
