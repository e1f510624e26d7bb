"""A team's credits without a store: what hold.lua and settle.lua would do, in plain values.

Pure. Time is what it is told, and never goes back. Lots, windows and which limits apply are the ledger's own functions;
what is said once more here is the order of the checks and the sums, and a test holds those against the scripts.
It knows no idempotency, no jobs and no policies: whoever asks says when a hold ends, and with what.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from gatekeeper.ledger.limituse import applying, in_force, scopes_of
from gatekeeper.ledger.lots import Lot, Lots, Parts
from gatekeeper.ledger.records import Refusal, RefusalCode, Refused
from gatekeeper.ledger.teamrecord import Limit, Per, TeamRecord
from gatekeeper.ledger.windows import Windows, windows_at

MINUTE_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class BankHold:
    """Credits kept aside: what of them is in which lots, and where they count."""

    amount: int
    parts: Parts
    scopes: tuple[str, ...]
    windows: Windows | None

    @classmethod
    def unkept(cls, amount: int) -> "BankHold":
        """An amount that counts nowhere."""
        return cls(amount, [], (), None)


@dataclass(slots=True)
class _Counted:
    """What a scope has used and holds, in all or since `start_ms`."""

    start_ms: int | None = None
    used: int = 0
    held: int = 0


@dataclass(slots=True)
class Bank:
    """One team's credits, micro-credits all of them. `record` has its rules."""

    record: TeamRecord
    granted: int = 0
    charged: int = 0
    expired: int = 0
    held: int = 0
    open_holds: int = 0
    now_ms: int = 0
    lots: Lots = field(default_factory=Lots)
    _seq: int = 0
    _minute: tuple[int, int] = (0, 0)
    _counted: dict[tuple[str, Per], _Counted] = field(default_factory=dict)
    _windows: Windows | None = None

    @property
    def available(self) -> int:
        """What may still be held; below zero the team owes it."""
        return self.granted - self.charged - self.expired - self.held

    def grant(self, grant_id: str, amount: int, expires_at_ms: int | None = None) -> None:
        """Gives credits now. What is given with an expiry that is over already is not given at all."""
        if expires_at_ms is not None and expires_at_ms <= self.now_ms:
            return
        self._seq += 1
        self.granted += amount
        if expires_at_ms is not None:
            self.lots.add(Lot(self._seq, expires_at_ms, amount, 0, 0, grant_id))

    def pass_time(self, now_ms: int) -> None:
        """It is so late; grants that end by then have lapsed."""
        self.now_ms = max(self.now_ms, now_ms)
        if self._windows is None or not self._windows.hold(self.now_ms):
            self._windows = windows_at(self.now_ms, self.record.timezone)
        self._lapse()

    def hold(self, amount: int, *, project: str = "", member: str = "", key_id: str = "") -> BankHold | Refused:
        """Keeps credits aside, if every check allows it; else every one that failed. Call `pass_time` before."""
        scopes = scopes_of(project, member, key_id)
        refusals = tuple(self._refusals(amount, scopes))
        if refusals:
            return Refused(refusals, amount, self.available, self.held)
        hold = BankHold(amount, self.lots.hold(amount), tuple(scopes), self._now())
        self.held += amount
        self.open_holds += 1
        minute, admitted = self._minute
        self._minute = (self._this_minute, admitted + 1 if minute == self._this_minute else 1)
        for counted in self._of(hold, open_new=True):
            counted.held += amount
        return hold

    def settle(self, hold: BankHold, amount: int, *, within_available: bool = False) -> int:
        """Ends an open hold with this charge (0 frees it), and says what was charged: more than was held is charged
        too, `within_available` only as far as the credits go."""
        if within_available and amount > hold.amount:
            amount = min(amount, hold.amount + max(0, self.available))
        self.held -= hold.amount
        self.open_holds -= 1
        self.charged += amount
        for counted in self._of(hold):
            counted.used += amount
            counted.held -= hold.amount
        self.lots.settle(hold.parts, amount)
        self._lapse()
        return amount

    def spend(self, hold: BankHold, amount: int) -> None:
        """Charges what comes after its hold was freed."""
        self.charged += amount
        self.lots.spend(amount)
        for counted in self._of(hold):
            counted.used += amount

    def correct(self, hold: BankHold, charged: int, amount: int) -> None:
        """What time had ended with `charged` cost `amount`."""
        if not charged:
            self.spend(hold, amount)
            return
        self.charged += amount - charged
        self.lots.correct(hold.parts, amount)
        for counted in self._of(hold):
            counted.used += amount - charged
        self._lapse()

    def spend_now(self, amount: int, *, project: str = "", member: str = "", key_id: str = "") -> None:
        """Charges what was never held here; it counts in the windows of now."""
        hold = BankHold(0, [], tuple(scopes_of(project, member, key_id)), self._now())
        for _ in self._of(hold, open_new=True):
            pass
        self.spend(hold, amount)

    def _refusals(self, amount: int, scopes: list[str]) -> Iterator[Refusal]:
        """Every check that fails, in the ledger's order."""
        caps, free, held = self.record.caps, self.available, self.held
        if self.record.frozen:
            yield self._refusal(RefusalCode.TEAM_FROZEN, held=held)
        if caps.per_request is not None and amount > caps.per_request:
            yield self._refusal(RefusalCode.REQUEST_CAP_EXCEEDED, "per_request", caps.per_request)
        if caps.open_holds is not None and self.open_holds + 1 > caps.open_holds:
            yield self._refusal(
                RefusalCode.CONCURRENCY_EXCEEDED, "open_holds", caps.open_holds, held=self.open_holds,
                fits=caps.open_holds >= 1,
            )  # fmt: skip
        if caps.held_credits is not None and held + amount > caps.held_credits:
            yield self._refusal(
                RefusalCode.CONCURRENCY_EXCEEDED, "held_credits", caps.held_credits, held=held,
                fits=amount <= caps.held_credits,
            )  # fmt: skip
        if caps.requests_per_minute is not None:
            admitted = self._minute[1] if self._minute[0] == self._this_minute else 0
            if admitted + 1 > caps.requests_per_minute:
                ends_ms = self._this_minute + MINUTE_MS
                yield self._refusal(RefusalCode.RATE_LIMITED, "minute", caps.requests_per_minute, admitted,
                                    resets_at_ms=ends_ms)  # fmt: skip
        if amount > max(free, 0):
            given = self.granted - self.expired
            yield self._refusal(
                RefusalCode.INSUFFICIENT_CREDITS, "", given, self.charged, held, fits=amount <= free + held
            )
        for scope, limit in applying(self.record.limits, scopes):
            yield from self._over_limit(scope, limit, amount)

    def use(self, scope: str, per: Per) -> tuple[int, int]:
        """What a scope has used and holds in the window of now, or in all."""
        window, counted = self._now().of(per), self._counted.get((scope, per))
        if counted is None or (window is not None and counted.start_ms != window.start_ms):
            return 0, 0
        return counted.used, counted.held

    def _over_limit(self, scope: str, limit: Limit, amount: int) -> Iterator[Refusal]:
        window, (used, held) = self._now().of(limit.per), self.use(scope, limit.per)
        most, _ = in_force(limit, self.now_ms)
        if used + held + amount > most:
            yield self._refusal(
                RefusalCode.LIMIT_EXCEEDED, limit.per, most, used, held, scope=scope,
                resets_at_ms=None if window is None else window.end_ms, fits=used + amount <= most,
            )  # fmt: skip

    def _refusal(  # noqa: PLR0913  # what a refusal has, each by its name
        self, code: RefusalCode, per: str = "", limit: int = 0, used: int = 0, held: int = 0, *,
        scope: str = "team", resets_at_ms: int | None = None, fits: bool = False,
    ) -> Refusal:  # fmt: skip
        return Refusal(code, scope, per, limit, used, held, self.available, resets_at_ms, fits)

    def _of(self, hold: BankHold, *, open_new: bool = False) -> Iterator[_Counted]:
        """The counters that a hold counts in: those for life, and of its windows those that are still the current."""
        for scope in hold.scopes:
            for per in Per:
                window = hold.windows.of(per) if hold.windows else None
                start_ms = None if window is None else window.start_ms
                counted = self._counted.get((scope, per))
                if open_new and (counted is None or counted.start_ms != start_ms):
                    counted = self._counted[scope, per] = _Counted(start_ms)
                if counted is not None and counted.start_ms == start_ms:
                    yield counted

    def _lapse(self) -> None:
        """What is free in lots past their time leaves; but credits that cover a debt do not."""
        for lot in self.lots.due(self.now_ms):
            free = lot.free
            self.expired += min(free, max(0, self.available))
            lot.amount -= free
        self.lots.drop(self.now_ms)

    def _now(self) -> Windows:
        assert self._windows is not None, "time has passed before anything is held"
        return self._windows

    @property
    def _this_minute(self) -> int:
        return self.now_ms - self.now_ms % MINUTE_MS
