"""The scripts against plain-Python books, in random sequences, on a real server.

Time passes when a rule says so: the store's clock never goes back by less than five minutes, so it stands where the
machine has put it, ahead of the real one. It may also step back, as if by more than that.
"""

import asyncio
import secrets
import time
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule, run_state_machine_as_test

from gatekeeper.ledger import jobs, scripts, walletscripts
from gatekeeper.ledger.address import read_address
from gatekeeper.ledger.batch import Patience
from gatekeeper.ledger.client import open_client
from gatekeeper.ledger.codec import pairs, parse_counters, parse_figures
from gatekeeper.ledger.errors import LedgerInvalid
from gatekeeper.ledger.holdid import DAY_MS, hold_id_day, hold_id_month, new_hold_id
from gatekeeper.ledger.keys import TeamKeys
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.lots import REMINDER, Lot, parse_lots
from gatekeeper.ledger.records import (
    Answer,
    Ending,
    GrantStatus,
    Held,
    HoldContext,
    HoldOrder,
    HoldState,
    Job,
    JobStatus,
    Mismatch,
    OnUnknown,
    Refused,
    Repeated,
)
from gatekeeper.ledger.scripts import Figures
from gatekeeper.ledger.teamrecord import TeamRecord
from gatekeeper.ledger.walletscripts import Staged, TransferOrder
from tests.ledger.books import AGE_MAX_MS, BY_TIME, MOST, OPEN, TEAM, TEAMS, Books, Use, id_ms

KEYS = TeamKeys(TEAM)
SCOPES = ("team", "project:p", "member:amy", "member:bob", "key:ci")
HOUR_MS = 3_600_000
EXAMPLE_STEPS = 50
OPENING = 500  # enough that most holds are admitted, and some are not
BEGIN_MS = 60_000
AHEAD_MAX_MS = 150_000
REAP_MAX = 8

AMOUNTS = st.one_of(st.integers(0, 60), st.sampled_from([0, 1, 2, 5, 49, 100, 2**53 // 3 + 1, MOST]))
LIVES_MS = st.sampled_from([0, 0, 15_000, DAY_MS])
EXPIRIES_S = st.sampled_from([None, 20, 40, 60, 120])
AGES_MS = st.sampled_from([0, 0, 0, 0, 20 * HOUR_MS, 47 * HOUR_MS, 50 * HOUR_MS])
USAGES = ["", "m|image.generate|1K|draft|p|", "m|image.generate|2K|||retry"]
WHO = {
    "project": st.sampled_from(["", "p"]),
    "member": st.sampled_from(["", "amy", "bob"]),
    "key_id": st.sampled_from(["", "ci"]),
}
TERMS = st.fixed_dictionaries(
    {
        "ttl_ms": LIVES_MS, "grace_ms": LIVES_MS, "on_unknown": st.sampled_from(OnUnknown), **WHO,
        "usage": st.sampled_from(USAGES), "shadow": st.sampled_from(["", "", "", "shadow", "model_retired"]),
    }
)  # fmt: skip
NAMES = st.fixed_dictionaries(
    {
        "once": st.sampled_from(["", "x", "y"]),
        "once_within_ms": st.sampled_from([0, HOUR_MS, DAY_MS]),
        "fingerprint": st.sampled_from(["f", "f", "f", "g"]),
    }
)


class Machine(RuleBasedStateMachine):
    """Random sequences of calls, each answer and every figure compared with the books."""

    url: str
    ids = Bundle("ids")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.now = time.time_ns() // 1_000_000
        self.begin = self.now + BEGIN_MS
        self.books = Books(self.begin)
        self.seen = ""
        self.named: dict[str, str] = {}
        self.client = self.run(open_client(read_address(self.url), Patience(attempts=2)))
        self.run(self.client.each("FLUSHALL"))
        self.run(Ledger(self.client).put_team(self.books.team))
        self.set_clock()
        self.grant("opening", OPENING, None)

    def run(self, call: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(call)

    def teardown(self) -> None:
        holds = {hold_id: hold for hold_id, hold in self.books.holds.items() if hold.state in OPEN}
        due = pairs(self.run(self.client.command("ZRANGE", KEYS.due, 0, -1, "WITHSCORES")))
        jobs = pairs(self.run(self.client.command("HGETALL", KEYS.jobs)))
        answers = {key: self.run(self.client.command("GET", KEYS.answer(key))) for key in self.books.answers}
        report = self.run(Ledger(self.client).verify(TEAM))
        self.run(self.client.close())
        self.runner.close()
        assert () == report.differences
        assert {hold_id: hold.deadline_ms for hold_id, hold in holds.items() if hold.deadline_ms is not None} == {
            member: int(score) for member, score in due.items() if not member.startswith(REMINDER)
        }
        assert {hold_id: hold.job for hold_id, hold in holds.items() if hold.job} == jobs
        assert self.books.answers == answers

    # Time

    def set_clock(self) -> None:
        """Put the store's clock where the books' is."""
        figures = parse_figures(self.run(self.client.command("HGET", KEYS.bal, "figures")))
        figures["at"] = str(self.books.now)
        self.run(self.client.command("HSET", KEYS.bal, "figures", ":".join(figures.values())))

    def due(self) -> list[str]:
        """What time has to act on: holds and reminders, by the store's clock."""
        found: list[str] = self.run(self.client.command("ZRANGEBYSCORE", KEYS.due, "-inf", self.books.now))
        return found

    @rule(seconds=st.sampled_from([1, 10, 20, 50]))
    def time_passes(self, seconds: int) -> None:
        self.books.now = min(self.books.now + seconds * 1000, self.begin + AHEAD_MAX_MS)
        self.books.lapse()
        self.set_clock()

    @rule(seconds=st.sampled_from([5, 30, 100]))
    def clock_steps_back(self, seconds: int) -> None:
        told = replace(self.books.team, models_deny=(secrets.token_hex(8),))
        self.run(scripts.put_team(self.client, told, "", "", None))  # an entry: what has lapsed by now is written
        self.books.forget_lapsed()
        self.books.now = max(self.books.now - seconds * 1000, self.begin)
        self.set_clock()

    @rule()
    def expire(self) -> None:
        expected = self.books.pass_time()
        assert expected == len(self.run(scripts.expire(self.client, TEAM, self.due())))

    # Credits

    @rule(name=st.sampled_from("abcdefghijklmnop"), amount=AMOUNTS, expires_s=EXPIRIES_S)
    def grant(self, name: str, amount: int, expires_s: int | None) -> None:
        self.grant_all([(name, amount, None if expires_s is None else self.begin + expires_s * 1000)])

    @rule(amount=st.integers(1, 3))
    def grant_many(self, amount: int) -> None:
        self.grant_all([(secrets.token_hex(4), amount, self.begin + (10 + 5 * n) * 1000) for n in range(25)])

    def grant_all(self, grants: list[tuple[str, int, int | None]]) -> None:
        """One after the other, on their way together."""

        async def answers() -> list[GrantStatus | None]:
            return await asyncio.gather(*(self._granted(*each) for each in grants))

        expected = [self.books.grant(*each) for each in grants]
        assert expected == self.run(answers())

    async def _granted(self, name: str, amount: int, expires_ms: int | None) -> GrantStatus | None:
        try:
            return await scripts.grant(self.client, TEAM, name, amount, "", "", expires_ms)
        except LedgerInvalid:
            return None

    @rule(team=st.sampled_from(TEAMS))
    def change_team(self, team: TeamRecord) -> None:
        since = (replace(each, raised_until_ms=self.begin + each.raised_until_ms) if each.raised_until_ms else each
                 for each in team.limits)  # fmt: skip
        self.books.team = replace(team, limits=tuple(since))
        self.run(scripts.put_team(self.client, self.books.team, "", "", None))

    # Holds

    @rule(target=ids, amount=AMOUNTS, age=AGES_MS, behind=st.sampled_from([0, 0, 3000]), terms=TERMS, name=NAMES)
    def hold(self, amount: int, age: int, behind: int, terms: dict[str, Any], name: dict[str, Any]) -> str:
        hold_id = new_hold_id(self.now - age, secrets.randbits(74))
        self.hold_as_the_books(HoldOrder(hold_id, TEAM, amount, **terms, **name), behind)
        return hold_id

    @rule(target=ids, amounts=st.lists(st.integers(0, 30), min_size=2, max_size=4), terms=TERMS)
    def hold_some(self, amounts: list[int], terms: dict[str, Any]) -> Any:
        no_name = {"once": "", "once_within_ms": 0, "fingerprint": "f"}
        return multiple(*(self.hold(amount, 0, 0, terms, no_name) for amount in amounts))

    @rule(amounts=st.lists(st.integers(0, 40), min_size=1, max_size=4))
    def settle_some(self, amounts: list[int]) -> None:
        waiting = [hold_id for hold_id, hold in self.books.holds.items() if hold.state in (*OPEN, *BY_TIME)]
        for hold_id, amount in zip(waiting, amounts, strict=False):
            self.settle(hold_id, amount, "settle", {}, answered=False, within=False, outputs=amount % 3)

    def hold_as_the_books(self, order: HoldOrder, behind_ms: int) -> None:
        """Make a new hold on both sides."""
        windows = self.books.windows(behind_ms)
        if self.books.now - id_ms(order.hold_id) > AGE_MAX_MS:
            with pytest.raises(LedgerInvalid, match="too far from the store's time"):
                self.run(scripts.hold(self.client, order, windows))
            return
        earlier = self.books.earlier(order)
        if earlier is not None:
            self.check_repeat(order, earlier)
            return
        if len(self.due()) > REAP_MAX:
            self.expire()
        day = hold_id_day(order.hold_id)
        self.books.pass_time({day, day - 1})
        starts = self.books.starts(windows)
        failed = self.books.failed(order, starts)
        result = self.run(scripts.hold(self.client, order, windows))
        if failed and not self.books.lets_by(order):
            assert isinstance(result, Refused)
            assert (failed, self.books.available) == (len(result.refusals), result.available)
            return
        self.books.admit(order, starts)
        self.seen = ":".join(map(str, starts))
        assert isinstance(result, Held)
        assert failed == len(result.shadowed)
        assert (self.books.available, self.books.held, self.seen) == (result.available, result.held, result.windows)

    def check_repeat(self, order: HoldOrder, known: str) -> None:
        """A hold that is known by its id or its name is answered with what became of it."""
        hold = self.books.holds[known]
        result = self.run(scripts.hold(self.client, order, self.books.windows(0)))
        if order.fingerprint != hold.order.fingerprint and hold.state is not HoldState.VOID:
            assert Mismatch(known, hold.state) == result
        elif hold.state is HoldState.HELD and known == order.hold_id:
            assert isinstance(result, Held)
            assert (hold.order.amount, True) == (result.amount, result.repeated)
            assert ":".join(map(str, hold.starts)) == result.windows
        else:
            assert Repeated(known, hold.state, hold.order.amount, hold.charged) == result

    @rule(hold_id=ids, fingerprint=st.sampled_from(["f", "f", "other"]))
    def hold_again(self, hold_id: str, fingerprint: str) -> None:
        if hold_id in self.books.holds:
            self.check_repeat(HoldOrder(hold_id, TEAM, 1, DAY_MS, fingerprint=fingerprint), hold_id)

    @rule(
        hold_id=ids, amount=AMOUNTS, how=st.sampled_from(["settle", "undo", "context", "old context", "no windows"]),
        who=st.fixed_dictionaries({**WHO, "usage": st.sampled_from(USAGES)}), answered=st.booleans(),
        within=st.booleans(), outputs=st.sampled_from([0, 0, 1, 4]),
    )  # fmt: skip
    def settle(  # what is drawn
        self, hold_id: str, amount: int, how: str, who: dict[str, str], answered: bool, within: bool, outputs: int
    ) -> None:
        starts = ":".join(map(str, self.books.starts(self.books.windows(0))))
        windows = {"context": starts, "old context": self.seen, "no windows": ""}
        context = HoldContext(7, fingerprint="f", windows=windows[how], **who) if how in windows else None
        answer = Answer(secrets.token_hex(4), DAY_MS) if answered else None
        ending = Ending(hold_id, amount, context=context, answer=answer, within_available=within, outputs=outputs)
        if how == "undo":
            ending = Ending(hold_id, undo=True)
        if (context or hold_id in self.books.holds) and self.books.would_overflow(ending):
            with pytest.raises(LedgerInvalid, match="charged total"):
                self.run(scripts.settle(self.client, TEAM, ending))
            return
        status, charged = self.books.settle(ending)
        result = self.run(scripts.settle(self.client, TEAM, ending))
        assert (status, charged, self.books.available) == (result.status, result.charged, result.available)
        assert (self.books.held, max(0, -self.books.available)) == (result.held, result.debt)

    @rule(hold_id=ids, job=st.sampled_from(["a", "b"]), ttl=LIVES_MS, answered=st.booleans())
    def attach_job(self, hold_id: str, job: str, ttl: int, answered: bool) -> None:
        answer = Answer(secrets.token_hex(4), DAY_MS) if answered else None
        expected = self.books.attach_job(hold_id, job, ttl)
        named = Job(job, ttl, (f"fal/{job}",), DAY_MS)
        assert expected is self.run(scripts.attach_job(self.client, TEAM, hold_id, named, answer)).status
        if expected is JobStatus.ATTACHED:
            self.named[job] = hold_id
        if job in self.named:
            assert (self.named[job], job) == self.run(jobs.find(self.client, TEAM, f"fal/{job}"))
        if answer and expected is JobStatus.ATTACHED:
            self.books.answers[hold_id] = answer.text

    @rule(hold_id=ids)
    def mark_unknown(self, hold_id: str) -> None:
        expected = self.books.mark_unknown(hold_id)
        assert expected is self.run(scripts.mark_unknown(self.client, TEAM, hold_id, "")).status

    # Credits that move otherwise

    @rule(hold_id=ids, name=st.sampled_from("abcdefgh"), amount=st.sampled_from([None, None, 1, 5, 20, MOST]))
    def refund(self, hold_id: str, name: str, amount: int | None) -> None:
        expected = self.books.refund(hold_id, name, amount)
        try:
            met = self.run(Ledger(self.client).wallet.refund(TEAM, name, amount, hold_id=hold_id))
        except LedgerInvalid:
            assert expected is None
            return
        assert expected == (met.status, met.amount)
        assert self.books.available == met.available

    @rule(amount=st.sampled_from([None, 1, 7]))
    def refund_some(self, amount: int | None) -> None:
        for hold_id in [hold_id for hold_id, hold in self.books.holds.items() if hold.left > 0][:3]:
            self.refund(hold_id, secrets.token_hex(4), amount)

    @rule(name=st.sampled_from("abcdef"), amount=st.sampled_from([1, 20, 100, MOST]))
    def transfer(self, name: str, amount: int) -> None:
        expected = self.books.transfer(name, amount)
        try:
            met = self.run(walletscripts.transfer(self.client, TEAM, TransferOrder(name, "other", amount)))
        except LedgerInvalid:
            assert expected is None
            return
        assert expected == (met.stage if isinstance(met, Staged) else met.amount)

    # What is always so

    @invariant()
    def all_that_is_kept_agrees(self) -> None:
        expected = self.books.usage
        months = sorted({hold_id_month(hold_id) for hold_id in self.books.holds} | set(expected))

        async def kept() -> Any:
            """Everything asked for together, which is half of what a step takes."""
            rows = (self.client.command("HGETALL", KEYS.usage(month)) for month in months)
            lots = self.client.command("HGET", KEYS.bal, "lots")
            return await asyncio.gather(scripts.balance(self.client, TEAM, list(SCOPES)), lots, *rows)

        figures, lots, *rows = self.run(kept())
        self.figures_agree(figures)
        self.lots_agree(parse_lots(lots or ""))
        found = {month: pairs(row) for month, row in zip(months, rows, strict=True)}
        assert expected == {month: row for month, row in found.items() if row}

    def figures_agree(self, figures: Figures) -> None:
        assert (self.books.granted, self.books.charged, self.books.expired, self.books.held) == (
            figures.granted, figures.charged, figures.expired, figures.held,
        )  # fmt: skip
        for scope, text in zip(SCOPES, figures.counters, strict=True):
            use, counters = self.books.use.get(scope, Use()), parse_counters(text)
            assert (use.used, use.held, tuple(use.windows)) == (counters.used, counters.held, counters.windows)

    def lots_agree(self, lots: tuple[Lot, ...]) -> None:
        kept, now = self.books.kept, self.books.now
        assert [(name, lot.free, kept[name]) for name, lot in self.books.lots_by_use if lot.expires_ms > now] == [
            (lot.grant_id, lot.free, lot.held) for lot in lots if lot.expires_ms > now
        ]
        assert {
            name: kept[name] for name, lot in self.books.lots.items() if lot.expires_ms <= now and kept[name]
        } == {lot.grant_id: lot.held for lot in lots if lot.expires_ms <= now and lot.held}  # fmt: skip


def run_machine(url: str, examples: int, first_seed: int = 0) -> None:
    """So many random sequences of 50 steps against the store at this address; raises what differs."""
    Machine.url = url
    chosen = settings(
        max_examples=examples, stateful_step_count=EXAMPLE_STEPS, deadline=None, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    run_state_machine_as_test(seed(first_seed)(Machine), settings=chosen)


@pytest.mark.timeout(300)
def test_scripts_agree_with_the_model(server_socket: Path):
    """1,000 random steps: every answer, every balance, every counter and every lot is what the books say.

    `tests/torture` goes on with it for as long as one wants, and for 20,000 steps with all other tests.
    """
    run_machine(f"unix://{server_socket}", 20)
