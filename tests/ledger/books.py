"""What the ledger should say, in plain Python: the books that the model test keeps beside the scripts' own.

Written from the ledger's promises, not from its scripts.
"""

from dataclasses import dataclass, field

from gatekeeper.ledger import scripts
from gatekeeper.ledger.codec import PERIODS
from gatekeeper.ledger.records import (
    Caps,
    HoldContext,
    HoldOrder,
    HoldState,
    Limit,
    OnUnknown,
    Per,
    SettleStatus,
    TeamRecord,
)

TEAM = "model"
OPEN = (HoldState.HELD, HoldState.UNKNOWN)
BY_TIME = (HoldState.EXPIRED, HoldState.CHARGED)
MINUTE_MS = 60_000
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


@dataclass
class Hold:
    """A hold in the model."""

    order: HoldOrder
    starts: list[int]
    state: HoldState = HoldState.HELD
    charged: int = 0
    due: bool = False
    due_at: int = 0
    job: str = ""
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
    names: dict[str, str] = field(default_factory=dict)
    minute: tuple[int, int] = (0, 0)

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

    def earlier(self, order: HoldOrder) -> str | None:
        """The hold that is known by this order's name and counts."""
        known = self.names.get(order.once) if order.once_within_ms else None
        return known if known and self.holds[known].state is not HoldState.RELEASED else None

    def admit(self, order: HoldOrder, starts: list[int]) -> None:
        """Make the hold."""
        parts, minute = self.take(order.amount), self.now // MINUTE_MS
        self.holds[order.hold_id] = Hold(order, list(starts), due=order.ttl_ms == 0, due_at=self.now, parts=parts)
        if order.once:
            self.names[order.once] = order.hold_id
        if self.team.caps.requests_per_minute is not None:
            self.minute = (minute, self.minute[1] + 1 if self.minute[0] == minute else 1)

    def failed(self, order: HoldOrder, starts: list[int]) -> int:
        """How many checks fail for this order."""
        caps, amount = self.team.caps, order.amount
        open_holds = sum(hold.state in OPEN for hold in self.holds.values())
        checks = [
            self.team.frozen,
            caps.per_request is not None and amount > caps.per_request,
            caps.open_holds is not None and open_holds + 1 > caps.open_holds,
            caps.held_credits is not None and self.held + amount > caps.held_credits,
            caps.requests_per_minute is not None and self.minute == (self.now // MINUTE_MS, caps.requests_per_minute),
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
            if hold.job:
                continue
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
        self.take(ending.amount)
        return SettleStatus.ORPHAN if paid else SettleStatus.VOIDED, ending.amount


def scopes_of(order: HoldOrder) -> list[str]:
    """The scopes a hold counts in."""
    named = {"project": order.project, "member": order.member, "key": order.key_id}
    return ["team", *(f"{kind}:{name}" for kind, name in named.items() if name)]
