"""Log lines, one after another, into what would have become of their requests under other prices and limits.

Holds nothing but the open requests and the sums. A request that was let by then ends as its lines say it ended, at the
new price of what was made; one that was refused then and would not be now is taken to make what it asked for, at once.
Team keys, idempotency and providers' failures are as they were: what they refused is left out and counted.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil
from typing import Any, Final

from gatekeeper.core.outcome import Made
from gatekeeper.core.rejection import Code
from gatekeeper.proxy.owing import owed
from gatekeeper.proxy.telling import read_made
from gatekeeper.replaying.accounts import Accounts
from gatekeeper.replaying.bank import Bank, BankHold
from gatekeeper.replaying.judging import Judge, Verdict
from gatekeeper.replaying.lines import LogLine, read_credits
from gatekeeper.replaying.tally import CodeTally, Reason, Refusals, Table, Tally

OPEN_MAX: Final = 200_000
"""Requests without an end in the log that are kept in mind; past it the oldest count as never ended."""

EVENTS: Final = frozenset(
    {
        "generation.admitted", "generation.shadowed", "generation.rejected", "generation.settled",
        "generation.released", "settle.replayed", "hold.expired",
    }
)  # fmt: skip
"""What is looked at; all other lines are not about credits."""

ENDED_BY_TIME_MAX: Final = 10_000
"""Holds that time ended, whose true end may still come."""

JUDGED: Final = frozenset(
    {
        Code.MODEL_NOT_FOUND, Code.MODEL_RETIRED, Code.MODEL_NOT_ALLOWED, Code.RESOLUTION_NOT_IN_PHASE,
        Code.OPERATION_NOT_SUPPORTED, Code.UNSUPPORTED_RESOLUTION, Code.UNSUPPORTED_ASPECT_RATIO, Code.UNSUPPORTED_SIZE,
        Code.UNSUPPORTED_COMBINATION, Code.UNSUPPORTED_DURATION, Code.UNSUPPORTED_AUDIO, Code.UNSUPPORTED_SCALE,
        Code.UNSUPPORTED_QUALITY, Code.TOO_MANY_OUTPUTS, Code.MISSING_PARAMETER, Code.PRICE_UNDETERMINED,
        Code.TEAM_FROZEN, Code.INSUFFICIENT_CREDITS, Code.LIMIT_EXCEEDED, Code.REQUEST_CAP_EXCEEDED,
        Code.CONCURRENCY_EXCEEDED, Code.RATE_LIMITED,
    }
)  # fmt: skip
"""The refusals that catalog and teams decide. A request that was refused for another reason is not judged again."""


@dataclass(slots=True)
class _Running:
    """A request that was let by, until its end is read. `then` is what it had been held at, `charged` what it came to
    so far, `now` the same in the other world."""

    team: str
    model: str
    then: int
    verdict: Verdict
    bank: Bank | None
    charged: int = 0
    now: int = 0


@dataclass(slots=True)
class Rerun:
    """What is known so far. `left_out` are requests by the code they were refused with, which nothing here decides;
    `untold` are lines that do not say what was asked; `before` are charges of requests from before the log."""

    judge: Judge
    accounts: Accounts
    whole: Tally = field(default_factory=Tally)
    teams: Table[Tally] = field(default_factory=lambda: Table(Tally))
    models: Table[Tally] = field(default_factory=lambda: Table(Tally))
    codes: Table[CodeTally] = field(default_factory=lambda: Table(CodeTally))
    refusals: Table[Refusals] = field(default_factory=lambda: Table(Refusals))
    left_out: dict[str, int] = field(default_factory=dict)
    untold: int = 0
    earlier: int = 0
    earlier_credits: int = 0
    never_ended: int = 0
    begun_at_ms: int | None = None
    ended_at_ms: int | None = None
    _open: dict[str, _Running] = field(default_factory=dict)
    _by_time: dict[str, _Running] = field(default_factory=dict)

    @property
    def running(self) -> int:
        """Requests whose end is not in the log."""
        return self.never_ended + len(self._open)

    def feed(self, line: LogLine) -> None:
        """Takes the next line. One that cannot be one of the gateway's is counted and passed by."""
        if line.event not in EVENTS:
            return
        self.begun_at_ms = line.at_ms if self.begun_at_ms is None else self.begun_at_ms
        self.ended_at_ms = max(line.at_ms, self.ended_at_ms or line.at_ms)
        try:
            self._take(line)
        except (KeyError, ValueError):
            self.untold += 1

    def _take(self, line: LogLine) -> None:
        match line.event:
            case "generation.admitted":
                self._admitted(line)
            case "generation.shadowed":
                self._shadowed(line)
            case "generation.rejected":
                self._rejected(line)
            case "generation.settled":
                self._settled(line)
            case "generation.released":
                self._released(line)
            case "settle.replayed":
                self._replayed(line)
            case "hold.expired":
                self._expired(line)

    def _admitted(self, line: LogLine) -> None:
        held = _credits(line.fields["credits"]) if line.fields.get("credits") is not None else 0
        self._let_by(line, held)

    def _shadowed(self, line: LogLine) -> None:
        """One that was held has a line of its own as admitted."""
        if line.fields.get("hold_id") is not None:
            return
        if line.fields.get("asked") is None:
            code = str(line.fields["code"])
            self.left_out[code] = self.left_out.get(code, 0) + 1
            return
        self._let_by(line, 0)

    def _let_by(self, line: LogLine, held: int) -> None:
        verdict, bank = self._judged(line)
        team, model = _team_of(line), _model_of(line, verdict)
        self._count(line, team, model, verdict, None)
        hold_id = line.fields.get("hold_id")
        if hold_id is None:
            self._take_as_asked(team, model, verdict, bank)
            return
        self._open[str(hold_id)] = _Running(team, model, held, verdict, bank)
        if len(self._open) > OPEN_MAX:
            del self._open[next(iter(self._open))]
            self.never_ended += 1

    def _rejected(self, line: LogLine) -> None:
        if line.fields.get("hold_id") is not None:
            return  # its provider failed, or it came before: the line of its hold tells
        code = str(line.fields["code"])
        is_asked = line.fields.get("asked") is not None or ("asked" not in line.fields and line.fields.get("model"))
        if code not in JUDGED or not is_asked:
            self.left_out[code] = self.left_out.get(code, 0) + 1
            return
        verdict, bank = self._judged(line)
        team, model = _team_of(line), _model_of(line, verdict)
        self._count(line, team, model, verdict, code)
        self._take_as_asked(team, model, verdict, bank)

    def _settled(self, line: LogLine) -> None:
        fields, charged = line.fields, _credits(line.fields["credits_charged"])

        def now(running: _Running, hold: BankHold) -> tuple[int, bool]:
            match fields.get("outcome"):
                case "made" | "partial":
                    return _owed(running.verdict, _made(fields), hold.amount)
                case _:
                    return (hold.amount if charged else 0), False

        self._end(line, charged, now)

    def _released(self, line: LogLine) -> None:
        self._end(line, 0, lambda _running, _hold: (0, False))

    def _replayed(self, line: LogLine) -> None:
        """Booked from the outbox: what was made is not told, so the same part of the hold is charged."""
        if line.fields.get("status") not in ("settled", "released", "late", "orphan"):
            return
        charged = _credits(line.fields["credits_charged"])
        self._end(line, charged, lambda running, hold: (_share(hold.amount, charged, running.then), False))

    def _expired(self, line: LogLine) -> None:
        match line.fields.get("transition"):
            case "expire":
                self._end(line, 0, lambda _running, _hold: (0, False), by_time=True)
            case "charge":
                held = _credits(line.fields["credits"])
                self._end(line, held, lambda _running, hold: (hold.amount, False), by_time=True)

    def _end(
        self, line: LogLine, charged: int, now: Callable[[_Running, BankHold], tuple[int, bool]], *,
        by_time: bool = False,
    ) -> None:  # fmt: skip
        """`now` says what it is charged in the other world, and whether only as far as the credits go."""
        hold_id = str(line.fields.get("hold_id"))
        late = self._by_time.pop(hold_id, None)
        running = late or self._open.pop(hold_id, None)
        if running is None:
            self._of_before(line, charged)
            return
        self._book(running, charged - running.charged, 0)
        running.charged = charged
        hold, bank = running.verdict.hold, running.bank
        if hold is not None:
            self._end_hold(running, now(running, hold), line.at_ms, was_ended=late is not None)
        elif bank is None and running.verdict.admission is not None:
            quoted = BankHold.unkept(running.verdict.admission.quote.credits)
            amount, _ = now(running, quoted)
            self._book(running, 0, amount - running.now)
            running.now = amount
        if by_time:
            self._by_time[hold_id] = running
            if len(self._by_time) > ENDED_BY_TIME_MAX:
                del self._by_time[next(iter(self._by_time))]

    def _end_hold(self, running: _Running, due: tuple[int, bool], at_ms: int, *, was_ended: bool) -> None:
        hold, bank = running.verdict.hold, running.bank
        assert hold is not None, "only what is held is ended"
        assert bank is not None, "what is held is held in a bank"
        bank.pass_time(at_ms)
        amount, within_available = due
        if was_ended:
            bank.correct(hold, running.now, amount)
        else:
            amount = bank.settle(hold, amount, within_available=within_available)
        self._book(running, 0, amount - running.now)
        running.now = amount

    def _of_before(self, line: LogLine, charged: int) -> None:
        """The end of a request from before the log: the same in both worlds."""
        if not charged:
            return
        self.earlier += 1
        self.earlier_credits += charged
        bank = self.accounts.bank(line)
        if bank is not None:
            bank.pass_time(line.at_ms)
            bank.spend_now(charged, **_scopes(line))
        for tally in (self.whole, self.teams.row(_team_of(line)), self.models.row(str(line.fields.get("model") or ""))):
            tally.credits_before += charged
            tally.credits_after += charged

    def _judged(self, line: LogLine) -> tuple[Verdict, Bank | None]:
        bank = self.accounts.bank(line)
        if bank is not None:
            bank.pass_time(line.at_ms)
            self.accounts.give_due(bank)
        record = self.accounts.record(_team_of(line))
        return self.judge.judge(line.fields, record, bank), bank

    def _take_as_asked(self, team: str, model: str, verdict: Verdict, bank: Bank | None) -> None:
        """What would be made of a request that was not made, or not priced, then."""
        if verdict.admission is None or verdict.codes:
            return
        amount = verdict.admission.quote.credits
        if verdict.hold is not None and bank is not None:
            bank.settle(verdict.hold, amount)
        for tally in (self.whole, self.teams.row(team), self.models.row(model)):
            tally.credits_after += amount
            tally.assumed += amount

    def _book(self, running: _Running, then: int, now: int) -> None:
        for tally in (self.whole, self.teams.row(running.team), self.models.row(running.model)):
            tally.credits_before += then
            tally.credits_after += now

    def _count(self, line: LogLine, team: str, model: str, verdict: Verdict, was: str | None) -> None:
        for tally in (self.whole, self.teams.row(team), self.models.row(model)):
            tally.requests += 1
            tally.refused_before += was is not None
            tally.refused_after += bool(verdict.codes)
            tally.newly_refused += was is None and bool(verdict.codes)
            tally.newly_admitted += was is not None and not verdict.codes
        if was is not None:
            self.codes.row(was).before += 1
        if verdict.codes:
            self.codes.row(verdict.codes[0]).after += 1
            self._count_refusal(line, team, model, verdict, is_new=was is None)

    def _count_refusal(self, line: LogLine, team: str, model: str, verdict: Verdict, *, is_new: bool) -> None:
        member, project = (str(line.fields.get(name) or "") for name in ("member", "project"))
        others = Reason("", "", "", "", "", "others")
        found = self.refusals.row(Reason(team, member, project, model, verdict.codes[0], verdict.about), others)
        if not found.requests:
            found.first_at_ms, found.example = line.at_ms, str(line.fields.get("request_id") or "")
        found.requests += 1
        found.newly += is_new
        found.credits += verdict.admission.quote.credits if verdict.admission else 0


def _owed(verdict: Verdict, made: Made, held: int) -> tuple[int, bool]:
    assert verdict.admission is not None, "what is held was admitted"
    due = owed(verdict.admission.model, verdict.admission.valid, made, held)
    return due.amount, due.within_available


def _made(fields: Mapping[str, Any]) -> Made:
    told = fields.get("made")
    if isinstance(told, dict):
        return read_made(told)
    known = {"outputs": fields.get("outputs_made"), "quality": fields.get("quality_made")}
    return read_made({name: value for name, value in known.items() if value is not None})


def _share(held: int, charged: int, then: int) -> int:
    return ceil(Fraction(held * charged, then)) if then else charged


def _team_of(line: LogLine) -> str:
    return str(line.fields.get("team") or "")


def _model_of(line: LogLine, verdict: Verdict) -> str:
    return verdict.admission.model.id if verdict.admission else str(line.fields.get("model") or "")


def _scopes(line: LogLine) -> Mapping[str, str]:
    return {name: str(line.fields.get(name) or "") for name in ("project", "member", "key_id")}


def _credits(value: Any) -> int:
    """Credits of a log line in micro-credits. Raises ValueError for what is none."""
    found = read_credits(value)
    if found is None:
        raise ValueError("no number of credits")
    return found
