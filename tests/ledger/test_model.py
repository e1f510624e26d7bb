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
from gatekeeper.ledger.batch import Patience
from gatekeeper.ledger.client import StoreClient, connect
from gatekeeper.ledger.codec import PERIODS, parse_counters
from gatekeeper.ledger.errors import LedgerInvalid
from gatekeeper.ledger.holdid import DAY_MS, new_hold_id
from gatekeeper.ledger.keys import TeamKeys
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.records import (
    Caps,
    GrantStatus,
    Held,
    HoldContext,
    HoldOrder,
    HoldState,
    JobStatus,
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
    TeamRecord(TEAM, caps=Caps(requests_per_minute=2)),
]
WHO = st.tuples(st.sampled_from(["", "p"]), st.sampled_from(["", "amy", "bob"]), st.sampled_from(["", "ci"]))
NAMES = st.fixed_dictionaries(
    {
        "once": st.sampled_from(["", "x", "y"]),
        "once_within_ms": st.sampled_from([0, DAY_MS]),
        "fingerprint": st.sampled_from(["f", "f", "f", "g"]),
    }
)
MINUTE_MS = 60_000
OPENING = 500  # enough that most holds are admitted, and some are not


@dataclass
class Hold:
    """A hold in the model."""

    order: HoldOrder
    starts: list[int]
    state: HoldState = HoldState.HELD
    charged: int = 0
    due: bool = False
    job: str = ""


@dataclass
class Books:
    """What the ledger should say."""

    granted: int = 0
    charged: int = 0
    grants: dict[str, int] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    team: TeamRecord = TEAMS[0]
    names: dict[str, str] = field(default_factory=dict)
    minute: tuple[int, int] = (0, 0)

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

    def earlier(self, order: HoldOrder) -> str | None:
        """The hold that is known by this order's name and counts."""
        known = self.names.get(order.once) if order.once_within_ms else None
        return known if known and self.holds[known].state is not HoldState.RELEASED else None

    def admit(self, order: HoldOrder, starts: list[int], minute: int) -> None:
        """Make the hold in this minute."""
        self.holds[order.hold_id] = Hold(order, list(starts), due=order.ttl_ms == 0)
        if order.once:
            self.names[order.once] = order.hold_id
        if self.team.caps.requests_per_minute is not None:
            self.minute = (minute, self.minute[1] + 1 if self.minute[0] == minute else 1)

    def failed(self, order: HoldOrder, starts: list[int], minute: int) -> int:
        """How many checks fail for this order in this minute."""
        caps, amount = self.team.caps, order.amount
        open_holds = sum(hold.state in OPEN for hold in self.holds.values())
        checks = [
            self.team.frozen,
            caps.per_request is not None and amount > caps.per_request,
            caps.open_holds is not None and open_holds + 1 > caps.open_holds,
            caps.held_credits is not None and self.held + amount > caps.held_credits,
            caps.requests_per_minute is not None and self.minute == (minute, caps.requests_per_minute),
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
            if hold.job:
                continue
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

    def settle_lost(self, ending: scripts.Ending) -> tuple[SettleStatus, int]:
        """What a settle of a hold that is not there says, and what is charged after it."""
        if ending.context is None and not ending.undo:
            return SettleStatus.GONE, 0
        context = ending.context or HoldContext(0)
        paid = ending.amount > 0
        order = HoldOrder(
            ending.hold_id, TEAM, context.amount if paid else 0, 0, project=context.project, member=context.member,
        )  # fmt: skip
        starts = [int(start) for start in (context.windows or "0:0:0:0").split(":")]
        state = HoldState.ORPHAN if paid else HoldState.VOID
        self.holds[ending.hold_id] = Hold(order, starts, state, ending.amount)
        self.charged += ending.amount
        return SettleStatus.ORPHAN if paid else SettleStatus.VOIDED, ending.amount


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
        self.books = Books()
        self.now = time.time_ns() // 1_000_000
        self.starts = [self.now - DAY_MS] * 4
        self.client = StoreClient(connect(f"unix://{self.socket}"), Patience(attempts=2))
        self.run(self.client.command("FLUSHALL"))
        self.run(Ledger(self.client).put_team(self.books.team))
        self.run(scripts.grant(self.client, TEAM, "opening", OPENING, "", ""))
        self.books.grants["opening"] = self.books.granted = OPENING

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
        self.books.pass_time()
        first_minute = self.minute_of_the_store()
        result = self.run(scripts.hold(self.client, order, self.windows))
        last_minute = self.minute_of_the_store()
        if isinstance(result, Refused):
            counts = {self.books.failed(order, self.starts, minute) for minute in (first_minute, last_minute)}
            assert len(result.refusals) in counts
            assert self.books.available == result.available
            return
        assert 0 in {self.books.failed(order, self.starts, minute) for minute in (first_minute, last_minute)}
        assert isinstance(result, Held)
        self.books.admit(order, self.starts, self.minute_of_the_last_entry())
        assert (self.books.available, self.books.held) == (result.available, result.held)

    def minute_of_the_store(self) -> int:
        seconds, _ = self.run(self.client.command("TIME"))
        return int(seconds) // 60 * MINUTE_MS

    def minute_of_the_last_entry(self) -> int:
        figures = self.run(self.client.command("HGET", TeamKeys(TEAM).bal, "figures"))
        return int(figures.split(":")[1]) // MINUTE_MS * MINUTE_MS

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
        assert expected is self.run(scripts.attach_job(self.client, TEAM, hold_id, job, 0 if due else DAY_MS)).status

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
