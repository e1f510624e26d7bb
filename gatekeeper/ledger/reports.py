"""What the ledger tells people who look: balances, grants, open holds, verdicts. Frozen values.

Money and instants are those of `records`: int micro-credits, int milliseconds since 1970 UTC by the store's clock.
"""

from dataclasses import dataclass

from gatekeeper.ledger.records import HoldState, OnUnknown
from gatekeeper.ledger.teamrecord import Per


@dataclass(frozen=True, slots=True)
class Grant:
    """Credits that were given. `remaining` is what of an expiring grant is neither held nor charged nor lapsed; None
    for one that never expires, because those are spent from one pot."""

    id: str
    amount: int
    expires_at_ms: int | None = None
    remaining: int | None = None


@dataclass(frozen=True, slots=True)
class LimitUsage:
    """How far a limit is used now. `limit` is what is in force: until `raised_until_ms` a raised one. `resets_at_ms`
    None for a lifetime limit."""

    scope: str
    per: Per
    limit: int
    used: int
    held: int
    resets_at_ms: int | None
    raised_until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Balance:
    """A team's credits at one instant: granted = available + held + charged + expired - debt."""

    team: str
    granted: int
    available: int
    held: int
    charged: int
    expired: int
    debt: int
    open_holds: int
    limits: tuple[LimitUsage, ...]
    seq: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class OpenHold:
    """A hold that keeps credits aside. `deadline_ms` is None when time does not resolve it (kept). One that
    `follows_job` is kept when its time is over."""

    hold_id: str
    state: HoldState
    amount: int
    held_at_ms: int
    deadline_ms: int | None
    grace_ms: int
    on_unknown: OnUnknown
    project: str
    member: str
    key_id: str
    price_list: str
    seq: int
    follows_job: bool = False


@dataclass(frozen=True, slots=True)
class EndedHold:
    """A hold that is over: of how much it was, and what was charged for it."""

    state: HoldState
    amount: int
    charged: int


@dataclass(frozen=True, slots=True)
class UsageRow:
    """What was used in one day under one combination of these names; empty where it was not known.

    `day_ms` is when the day began in the team's time zone: the day in which the hold was made. `generations` ended with
    something made or charged, `released` ended without; `credits` are micro-credits, less what was refunded. A row
    that is `other` stands for all that no row of its own was kept for.
    """

    day_ms: int
    model: str
    operation: str
    resolution: str
    phase: str
    provider: str
    traits: tuple[str, ...]
    project: str
    member: str
    credits: int
    generations: int
    released: int
    outputs: int
    other: bool = False


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure that the journal does not confirm."""

    what: str
    stored: str
    derived: str


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """The verdict on one team at journal position `seq`: no differences means every figure is confirmed.

    `entries` were read; `trusted_seq` is the checkpoint they were added to, 0 if they are the whole history.
    """

    team: str
    seq: int
    entries: int
    differences: tuple[Difference, ...]
    trusted_seq: int = 0

    @property
    def clean(self) -> bool:
        """True if every figure could be re-derived from the journal."""
        return not self.differences
