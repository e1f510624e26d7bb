"""A team's books in plain Python: what the ledger promises, not how its scripts do it.

Time does not pass here; `now` is set. A gateway's windows are short, so that some seconds are an hour, a day, a week
and a month.
"""

from collections import Counter
from dataclasses import dataclass, field

from gatekeeper.ledger.codec import PERIODS
from gatekeeper.ledger.holdid import DAY_MS, hold_id_day, hold_id_month
from gatekeeper.ledger.limituse import in_force
from gatekeeper.ledger.records import (
    Ending,
    GrantStatus,
    HoldOrder,
    HoldState,
    JobStatus,
    MarkStatus,
    OnUnknown,
    SettleStatus,
)
from gatekeeper.ledger.teamrecord import Caps, Limit, Per, TeamRecord
from gatekeeper.ledger.walletrecords import WalletStatus
from gatekeeper.ledger.walletscripts import Stage
from gatekeeper.ledger.windows import Window, Windows

MOST = 9_000_000_000_000_000
TEAM = "model"
LOTS_MAX = 64
MINUTE_MS = 60_000
AGE_MAX_MS = 2 * DAY_MS
LENGTHS_MS = (10_000, 20_000, 50_000, 100_000)
OPEN = (HoldState.HELD, HoldState.UNKNOWN)
BY_TIME = (HoldState.EXPIRED, HoldState.CHARGED)
FREE = (HoldState.RELEASED, HoldState.VOID)
TEAMS = [
    TeamRecord(TEAM),
    TeamRecord(TEAM, frozen=True),
    TeamRecord(TEAM, caps=Caps(per_request=50, open_holds=3, held_credits=100)),
    TeamRecord(TEAM, limits=(Limit("team", Per.DAY, 50, 120, 60_000), Limit("member", Per.LIFETIME, 60))),
    TeamRecord(
        TEAM, limits=(Limit("member", Per.HOUR, 6), Limit("member:amy", Per.HOUR, 100), Limit("key", Per.WEEK, 50))
    ),
    TeamRecord(TEAM, limits=(Limit("project", Per.MONTH, 49), Limit("team", Per.LIFETIME, 2**53 // 2))),
    TeamRecord(TEAM, caps=Caps(requests_per_minute=2)),
]


@dataclass
class Hold:
    """A hold in the model. `parts`: what it took of which grant that expires."""

    order: HoldOrder
    starts: list[int]
    state: HoldState = HoldState.HELD
    charged: int = 0
    deadline_ms: int | None = None
    job: str = ""
    parts: dict[str, int] = field(default_factory=dict)
    outputs: int = 0
    refunded: int = 0
    refunds: dict[str, int] = field(default_factory=dict)

    @property
    def left(self) -> int:
        """What may be refunded yet; a charge by policy is no more than what is left of it."""
        return self.charged - self.refunded

    @property
    def row(self) -> str:
        """What it is counted in when it has ended."""
        day = self.starts[1] or hold_id_day(self.order.hold_id) * DAY_MS
        return f"{day}\t{self.order.usage}\t{self.order.project}\t{self.order.member}"


@dataclass
class Lot:
    """What may still be held of a grant that expires."""

    expires_ms: int
    free: int


@dataclass
class Use:
    """What a scope has used and holds, in all and in its latest window of each period."""

    used: int = 0
    held: int = 0
    windows: list[tuple[int, int, int]] = field(default_factory=lambda: [(0, 0, 0)] * len(PERIODS))

    def open(self, starts: list[int]) -> None:
        """Another window begins with nothing used and nothing held."""
        self.windows = [old if old[0] == new else (new, 0, 0) for old, new in zip(self.windows, starts, strict=True)]

    def move(self, starts: list[int], used: int, held: int) -> None:
        """Counts in all, and in the windows that begin here; a window has no less than nothing."""
        self.used, self.held = self.used + used, self.held + held
        self.windows = [
            (old[0], max(0, old[1] + used), max(0, old[2] + held)) if old[0] == start else old
            for old, start in zip(self.windows, starts, strict=True)
        ]

    def counted(self, period: int | None, starts: list[int]) -> int:
        """What a limit is measured by."""
        if period is None:
            return self.used + self.held
        start, used, held = self.windows[period]
        return used + held if start == starts[period] else 0


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
    use: dict[str, Use] = field(default_factory=dict)
    names: dict[tuple[int, str], str] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)
    transfers: dict[str, int] = field(default_factory=dict)
    minute: tuple[int, int] = (0, 0)
    team: TeamRecord = TEAMS[0]

    @property
    def held(self) -> int:
        return sum(hold.order.amount for hold in self.holds.values() if hold.state in OPEN)

    @property
    def available(self) -> int:
        return self.granted - self.charged - self.expired - self.held

    # Grants that expire

    @property
    def lots_by_use(self) -> list[tuple[str, Lot]]:
        """Soonest first; of equal ones the one given first."""
        return sorted(self.lots.items(), key=lambda item: item[1].expires_ms)

    @property
    def kept(self) -> Counter[str]:
        """What open holds took of each grant that expires."""
        kept = Counter[str]()
        for hold in self.holds.values():
            kept.update(hold.parts if hold.state in OPEN else {})
        return kept

    def grant(self, name: str, amount: int, expires_ms: int | None) -> GrantStatus | None:
        """What a grant says; None if it is refused."""
        if amount == 0:
            return None
        if name in self.grants:
            same = self.grants[name] == (amount, expires_ms)
            return GrantStatus.DUPLICATE if same else GrantStatus.MISMATCH
        if self.granted + amount > MOST:
            return None
        if expires_ms is not None:
            kept = self.kept
            living = sum(lot.expires_ms > self.now or kept[each] > 0 for each, lot in self.lots.items())
            if expires_ms <= self.now or living >= LOTS_MAX:
                return None
            self.lots[name] = Lot(expires_ms, amount)
        self.grants[name] = (amount, expires_ms)
        self.granted += amount
        return GrantStatus.GRANTED

    def lapse(self) -> None:
        """What is free in lots past their time is lost, unless it covers a debt."""
        for _, lot in self.lots_by_use:
            if lot.expires_ms <= self.now:
                self._lose(lot.free)
                lot.free = 0

    def forget_lapsed(self) -> None:
        """Lots past their time of which nothing is held are gone, though the clock should go back."""
        kept = self.kept
        self.lots = {name: lot for name, lot in self.lots.items() if lot.expires_ms > self.now or kept[name]}

    def _lose(self, credits_: int) -> None:
        self.expired += min(credits_, max(0, self.available))

    def _take(self, amount: int) -> dict[str, int]:
        """Take up to this much from the lots; what came from which."""
        parts = {}
        for name, lot in self.lots_by_use:
            parts[name] = min(lot.free, amount)
            lot.free -= parts[name]
            amount -= parts[name]
        return {name: part for name, part in parts.items() if part}

    def _give_back(self, hold: Hold) -> None:
        """What a hold took and did not cost goes back to where it came from."""
        spent, gone = hold.charged, 0
        for name, part in hold.parts.items():
            back = part - min(part, spent)
            spent -= min(part, spent)
            if name in self.lots:
                self.lots[name].free += back
            else:
                gone += back
        self.lapse()
        self._lose(gone)

    # Holding

    def earlier(self, order: HoldOrder) -> str | None:
        """The hold that is known by this order's name and counts."""
        day = hold_id_day(order.hold_id)
        for bucket in (day + 1, day, day - 1):
            known = self.names.get((bucket, order.once))
            is_young = known and self.now - id_ms(known) <= order.once_within_ms
            if known and order.once_within_ms and is_young and self.holds[known].state not in FREE:
                return known
        return None

    def _name(self, order: HoldOrder) -> None:
        """Know the hold by its name, unless one that began later is known by it and counts."""
        place = hold_id_day(order.hold_id), order.once
        later = self.names.get(place, "")
        if order.once and not (later > order.hold_id and self.holds[later].state not in FREE):
            self.names[place] = order.hold_id

    def windows(self, behind_ms: int) -> Windows:
        """The windows a gateway sends now, if its own begin so much earlier than others'."""
        starts = [self.now // length * length for length in LENGTHS_MS]
        spans = (
            Window(start - behind_ms, start + length, start + 2 * length)
            for start, length in zip(starts, LENGTHS_MS, strict=True)
        )
        return Windows("UTC", *spans)

    def starts(self, windows: Windows) -> list[int]:
        """When the windows begin that a hold counts in: of those that have begun, the latest known."""
        mine = [windows.hour.start_ms, windows.day.start_ms, windows.week.start_ms, windows.month.start_ms]
        known = [start for start, _, _ in self.use["team"].windows] if "team" in self.use else mine
        return [old if new < old <= self.now else new for old, new in zip(known, mine, strict=True)]

    def admit(self, order: HoldOrder, starts: list[int]) -> None:
        """Make the hold."""
        self.holds[order.hold_id] = Hold(
            order, starts, deadline_ms=self.now + order.ttl_ms, parts=self._take(order.amount)
        )
        self._name(order)
        if self.team.caps.requests_per_minute is not None:
            self.minute = (self.this_minute, self._admitted + 1)
        for scope in scopes_of(order):
            self.use.setdefault(scope, Use()).open(starts)
            self.use[scope].move(starts, 0, order.amount)

    @property
    def this_minute(self) -> int:
        return self.now // MINUTE_MS

    @property
    def _admitted(self) -> int:
        return self.minute[1] if self.minute[0] == self.this_minute else 0

    def failed(self, order: HoldOrder, starts: list[int]) -> int:
        """How many checks fail for this order."""
        caps, amount = self.team.caps, order.amount
        open_holds = sum(hold.state in OPEN for hold in self.holds.values())
        checks = [
            self.team.frozen,
            caps.per_request is not None and amount > caps.per_request,
            caps.open_holds is not None and open_holds + 1 > caps.open_holds,
            caps.held_credits is not None and self.held + amount > caps.held_credits,
            caps.requests_per_minute is not None and self._admitted >= caps.requests_per_minute,
            amount > max(0, self.available),
        ]
        named = {(limit.scope, limit.per) for limit in self.team.limits if ":" in limit.scope}
        for limit in self.team.limits:
            for scope in scopes_of(order):
                general = scope.partition(":")[0] == limit.scope and (scope, limit.per) not in named
                if scope == limit.scope or general:
                    period = None if limit.per is Per.LIFETIME else PERIODS.index(limit.per)
                    checks.append(
                        self.use.get(scope, Use()).counted(period, starts) + amount > in_force(limit, self.now)[0]
                    )
        return sum(checks)

    def lets_by(self, order: HoldOrder) -> bool:
        """Whether this order is admitted whatever fails, because of its shadow."""
        fits = self.charged + self.held + order.amount <= MOST
        return bool(order.shadow) and not self.team.frozen and fits

    @property
    def usage(self) -> dict[str, dict[str, str]]:
        """Every row by month: what has ended, each once, as it ended last."""
        rows: dict[str, dict[str, list[int]]] = {}
        for hold in self.holds.values():
            if hold.state in (*OPEN, HoldState.VOID):
                continue
            row = rows.setdefault(hold_id_month(hold.order.hold_id), {}).setdefault(hold.row, [0, 0, 0, 0])
            by_policy = hold.order.amount if hold.state is HoldState.CHARGED else 0
            is_made = hold.charged + hold.outputs + by_policy > 0
            for at, more in enumerate((hold.charged - hold.refunded, is_made, not is_made, hold.outputs)):
                row[at] += more
        return {month: {row: ":".join(map(str, n)) for row, n in of.items()} for month, of in rows.items()}

    # Resolving

    def is_due(self, hold: Hold) -> bool:
        """Whether time has to act on it."""
        return hold.deadline_ms is not None and hold.deadline_ms <= self.now

    def pass_time(self, days: set[int] | None = None) -> int:
        """Time acts on all due holds (with ids of these days); gives the number of transitions."""
        transitions = 0
        for hold in [hold for hold in self.holds.values() if self.is_due(hold)]:
            if days and hold_id_day(hold.order.hold_id) not in days:
                continue
            transitions += 1
            if hold.state is HoldState.HELD:
                hold.state, hold.deadline_ms = HoldState.UNKNOWN, self.now + hold.order.grace_ms
                if hold.order.grace_ms:
                    continue
                transitions += 1
            hold.deadline_ms = None
            if hold.job:
                continue
            if hold.order.on_unknown is OnUnknown.RELEASE:
                self._resolve(hold, HoldState.EXPIRED, 0)
            elif hold.order.on_unknown is OnUnknown.CHARGE:
                self._resolve(hold, HoldState.CHARGED, hold.order.amount)
        return transitions

    def _resolve(self, hold: Hold, state: HoldState, charged: int) -> None:
        hold.state, hold.charged, hold.deadline_ms = state, charged, None
        self.charged += charged
        for scope in scopes_of(hold.order):
            self.use[scope].move(hold.starts, charged, -hold.order.amount)
        self._give_back(hold)

    def booked(self, ending: Ending) -> int:
        """What would be charged: as it is asked, or beyond the hold only as far as the team's credits go."""
        hold, asked = self.holds.get(ending.hold_id), ending.amount
        amount = hold.order.amount if hold else ending.context.amount if ending.context else 0
        if not ending.within_available or asked <= amount:
            return asked
        aside = amount if hold and hold.state in OPEN else hold.charged if hold else 0
        return min(asked, amount + max(0, self.available - (amount - aside)))

    def would_overflow(self, ending: Ending) -> bool:
        """Whether this settle would charge, with what is still held, more than can be counted."""
        hold, amount = self.holds.get(ending.hold_id), self.booked(ending)
        if hold is None:
            return self._is_recent(ending.hold_id) and self.charged + self.held + amount > MOST
        if hold.state not in (*OPEN, *BY_TIME):
            return False
        before = hold.order.amount if hold.state in OPEN else hold.charged
        return self.charged + self.held - before + amount > MOST

    def settle(self, ending: Ending) -> tuple[SettleStatus, int]:
        """What a settle says, and what is charged after it."""
        hold, amount = self.holds.get(ending.hold_id), self.booked(ending)
        if hold is None:
            return self._settle_lost(ending)
        if hold.state in OPEN:
            hold.outputs = ending.outputs
            self._resolve(hold, HoldState.SETTLED if ending.amount else HoldState.RELEASED, amount)
            self._keep_answer(ending)
            return SettleStatus.SETTLED if ending.amount else SettleStatus.RELEASED, amount
        if hold.state in BY_TIME and (ending.amount or hold.state is HoldState.CHARGED):
            hold.outputs = ending.outputs
            self._settle_late(hold, amount)
            self._keep_answer(ending)
            return SettleStatus.LATE, amount
        return SettleStatus.DUPLICATE if is_same(hold, ending) else SettleStatus.MISMATCH, hold.charged

    def _settle_late(self, hold: Hold, amount: int) -> None:
        was, hold.state = hold.state, HoldState.LATE
        if was is HoldState.EXPIRED:
            hold.charged = amount
            self._spend(hold)
            return
        self.charged += amount - hold.charged
        for scope in scopes_of(hold.order):
            self.use[scope].move(hold.starts, amount - hold.charged, 0)
        hold.charged, hold.refunded = amount, 0
        self._give_back(hold)

    # Credits that move otherwise

    def refund(self, hold_id: str, name: str, amount: int | None) -> tuple[WalletStatus, int] | None:
        """What a refund says, and how much it is or was; None if it is refused."""
        for known, hold in self.holds.items():
            if name in hold.refunds:
                same = "duplicate" if known == hold_id and amount in {None, hold.refunds[name]} else "mismatch"
                return WalletStatus(same), hold.refunds[name]
        hold = self.holds.get(hold_id, Hold(HoldOrder(hold_id, TEAM, 0, 0), [0] * 4))
        wanted = hold.left if amount is None else amount
        if not 0 < wanted <= hold.left:
            return None
        if hold.state is HoldState.CHARGED:
            hold.charged -= wanted
        else:
            hold.refunded += wanted
        hold.refunds[name] = wanted
        self.charged -= wanted
        for scope in scopes_of(hold.order):
            self.use[scope].move(hold.starts, -wanted, 0)
        return WalletStatus.GRANTED, wanted

    def transfer(self, name: str, amount: int) -> Stage | int | None:
        """Where a transfer stands, what was taken under this name before, or None if it is refused."""
        if before := self.transfers.get(name):
            return Stage.PENDING if before == amount else before
        if not 0 < amount <= self.available - sum(lot.free for lot in self.lots.values()):
            return None
        self.transfers[name] = amount
        self.granted -= amount
        return Stage.TAKEN

    def _settle_lost(self, ending: Ending) -> tuple[SettleStatus, int]:
        """What a settle of a hold that is not there says, and what is charged after it."""
        context = ending.context
        if not self._is_recent(ending.hold_id) or not (context or ending.undo):
            return SettleStatus.GONE, 0
        if context is None or not ending.amount:
            self.holds[ending.hold_id] = Hold(HoldOrder(ending.hold_id, TEAM, 0, 0), [0] * 4, HoldState.VOID)
            return SettleStatus.VOIDED, 0
        order = HoldOrder(
            ending.hold_id, TEAM, context.amount, 0, project=context.project, member=context.member,
            key_id=context.key_id, fingerprint=context.fingerprint, usage=context.usage,
        )  # fmt: skip
        starts = [int(start) for start in (context.windows or "0:0:0:0").split(":")]
        amount = self.booked(ending)
        orphan = self.holds[ending.hold_id] = Hold(order, starts, HoldState.ORPHAN, amount)
        orphan.outputs = ending.outputs
        for scope in scopes_of(order):  # its windows may have been lost with it
            use = self.use.setdefault(scope, Use())
            use.open([max(old[0], start) for old, start in zip(use.windows, starts, strict=True)])
        self._spend(orphan)
        self._keep_answer(ending)
        return SettleStatus.ORPHAN, amount

    def _spend(self, hold: Hold) -> None:
        """Charge what nothing was kept aside for."""
        self.charged += hold.charged
        self._take(hold.charged)
        for scope in scopes_of(hold.order):
            self.use[scope].move(hold.starts, hold.charged, 0)

    def _keep_answer(self, ending: Ending) -> None:
        if ending.answer and ending.amount:
            self.answers[ending.hold_id] = ending.answer.text

    def _is_recent(self, hold_id: str) -> bool:
        return self.now - id_ms(hold_id) <= AGE_MAX_MS

    # Not knowing

    def mark_unknown(self, hold_id: str) -> MarkStatus:
        """What saying that nobody knows says."""
        hold = self.holds.get(hold_id)
        if hold is None:
            return MarkStatus.GONE
        if hold.state is HoldState.HELD:
            hold.state, hold.deadline_ms = HoldState.UNKNOWN, self.now + hold.order.grace_ms
            return MarkStatus.UNKNOWN
        return MarkStatus.DUPLICATE if hold.state is HoldState.UNKNOWN else MarkStatus.RESOLVED

    def attach_job(self, hold_id: str, job: str, ttl_ms: int) -> JobStatus:
        """What naming the job says."""
        hold = self.holds.get(hold_id)
        if hold is None:
            return JobStatus.GONE
        if hold.state not in OPEN:
            return JobStatus.RESOLVED
        if hold.job and hold.job != job:
            return JobStatus.MISMATCH
        if hold.job and hold.state is HoldState.HELD:
            return JobStatus.DUPLICATE
        hold.state, hold.job, hold.deadline_ms = HoldState.HELD, job, self.now + ttl_ms
        return JobStatus.ATTACHED


def is_same(hold: Hold, ending: Ending) -> bool:
    """Whether this end of a hold may be the one that was booked."""
    if ending.amount == hold.charged:
        return True
    was_charged = hold.state in {HoldState.SETTLED, HoldState.LATE, HoldState.ORPHAN}
    return ending.within_available and was_charged and hold.order.amount <= hold.charged < ending.amount


def id_ms(hold_id: str) -> int:
    """The instant in a hold id."""
    return int(hold_id[:12], 16)


def scopes_of(order: HoldOrder) -> list[str]:
    """The scopes a hold counts in."""
    named = {"project": order.project, "member": order.member, "key": order.key_id}
    return ["team", *(f"{kind}:{name}" for kind, name in named.items() if name)]
