"""What goes into the ledger and what comes out of it: values that nobody changes, no behaviour.

What every request makes (an order, its context, its end, and the answers to them) is not frozen: Python sets the fields
of a frozen record through a call for each, which costs as much as the whole way to the store's socket.

All money is int micro-credits (10^-6 credit), all instants are int milliseconds since 1970 UTC as the store's
own clock tells them, all intervals carry their unit in the name. Nothing here knows Redis.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

CREDITS_MAX: Final = 9_000_000_000_000_000
"""Largest amount, balance or counter in micro-credits (9e9 credits): below 2^53, so a Lua number holds it exactly."""


class OnUnknown(StrEnum):
    """What becomes of a hold whose outcome nobody reported before its grace ran out."""

    RELEASE = "release"
    CHARGE = "charge"
    KEEP = "keep"


class HoldState(StrEnum):
    """Where a hold stands. `held` and `unknown` keep credits aside; what time resolved may still become `late`; all
    else is final."""

    HELD = "held"
    UNKNOWN = "unknown"
    SETTLED = "settled"
    RELEASED = "released"
    EXPIRED = "expired"  # released by time, by its own policy
    CHARGED = "charged"  # charged by time, by its own policy
    LATE = "late"  # settled after time had resolved it
    VOID = "void"  # undone before it was made: it never will be
    ORPHAN = "orphan"  # settled although the store had lost the hold


class GrantStatus(StrEnum):
    """What a grant met: new, the same grant again, or the same id with another amount or expiry."""

    GRANTED = "granted"
    DUPLICATE = "duplicate"
    MISMATCH = "mismatch"


class SettleStatus(StrEnum):
    """What a settle or a release met."""

    SETTLED = "settled"  # charged now
    RELEASED = "released"  # resolved now with nothing charged
    LATE = "late"  # time had resolved it; the fact is booked once, and flagged
    DUPLICATE = "duplicate"  # the same was done before; nothing changed
    MISMATCH = "mismatch"  # resolved before with another amount; nothing changed
    ORPHAN = "orphan"  # the store had lost the hold; the fact is booked once from the caller's context, and flagged
    VOIDED = "voided"  # undone before it was made: the hold can no longer be made
    GONE = "gone"  # no such hold (any more); nothing changed


class MarkStatus(StrEnum):
    """What a mark_unknown met."""

    UNKNOWN = "unknown"  # marked now
    DUPLICATE = "duplicate"  # was unknown already
    RESOLVED = "resolved"  # settled, released or resolved by time before
    GONE = "gone"  # no such hold


class JobStatus(StrEnum):
    """What an attach_job met."""

    ATTACHED = "attached"  # the hold follows the job now
    DUPLICATE = "duplicate"  # it did already
    MISMATCH = "mismatch"  # it follows another job
    RESOLVED = "resolved"  # settled, released or resolved by time before
    GONE = "gone"  # no such hold


class ExtendStatus(StrEnum):
    """What an extend met."""

    EXTENDED = "extended"  # its deadline is put off
    DUPLICATE = "duplicate"  # it has as long already
    KEPT = "kept"  # no deadline ends it: it is kept, or follows a job
    RESOLVED = "resolved"  # settled, released or resolved by time before
    GONE = "gone"  # no such hold


class RefusalCode(StrEnum):
    """Why a hold was refused; the same words as the rejection vocabulary."""

    TEAM_FROZEN = "team_frozen"
    INSUFFICIENT_CREDITS = "insufficient_credits"
    LIMIT_EXCEEDED = "limit_exceeded"
    REQUEST_CAP_EXCEEDED = "request_cap_exceeded"
    CONCURRENCY_EXCEEDED = "concurrency_exceeded"
    RATE_LIMITED = "rate_limited"

    __hash__ = str.__hash__  # an enumeration's own is written in Python, and every refusal asks for it


class EntryKind(StrEnum):
    """The kinds of journal entry, one per transition."""

    TEAM = "team"
    GRANT = "grant"
    HOLD = "hold"
    SETTLE = "settle"
    RELEASE = "release"
    UNKNOWN = "unknown"
    EXPIRE = "expire"
    CHARGE = "charge"
    KEEP = "keep"
    LATE = "late"
    LAPSE = "lapse"
    VOID = "void"
    ORPHAN = "orphan"
    JOB = "job"
    REFUND = "refund"
    TRANSFER = "transfer"
    KEY = "key"
    EXTEND = "extend"


@dataclass(slots=True)
class HoldOrder:
    """What a request asks the ledger to keep aside. `hold_id` comes from `holdid.new_hold_id`.

    `fingerprint` names what was asked (hex or base64url, at most 64 characters): the same id with another
    fingerprint is a mismatch. `ttl_ms` is how long an outcome may take, `grace_ms` how long an unknown outcome is
    waited for after that. `meta` is a small JSON text for the journal (model, operation, ...).
    An empty `project`, `member` or `key_id` means none, and limits of that scope do not apply.

    `once` names a request that may be asked more than once (a digest, at most 64 characters; empty: no such name). The
    hold is remembered under it for at least 24 h. If `once_within_ms` is above 0, an earlier hold under that name that
    is at most this old and was not released is answered in place of a new one: `Repeated`, or `Mismatch` if it has
    another fingerprint.

    `usage` says what it is counted under: `model|operation|resolution|phase|provider|traits`, a part empty where it is
    not known (all of it empty: counted under nothing). With a `shadow` text nothing but a frozen team refuses the hold:
    the text, and the codes of what would have refused it, are its reason in the journal.
    """

    hold_id: str
    team: str
    amount: int
    ttl_ms: int
    grace_ms: int = 0
    on_unknown: OnUnknown = OnUnknown.RELEASE
    project: str = ""
    member: str = ""
    key_id: str = ""
    fingerprint: str = ""
    price_list: str = ""
    meta: str = ""
    once: str = ""
    once_within_ms: int = 0
    usage: str = ""
    shadow: str = ""


@dataclass(slots=True)
class HoldContext:
    """What a settle has to bring along so that it can be booked even if the store has lost the hold: what was ordered,
    and the `windows` that `Held` told (empty: not known, then it counts in no calendar window)."""

    amount: int
    project: str = ""
    member: str = ""
    key_id: str = ""
    fingerprint: str = ""
    price_list: str = ""
    windows: str = ""
    usage: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request, kept with its settlement so that the same request can be answered again. `text` is at
    most 96 KiB; it is kept for `ttl_ms`."""

    text: str
    ttl_ms: int


@dataclass(slots=True)
class Ending:
    """How a hold ends, as settle.lua takes it; the words are those of `Ledger.settle` and `Ledger.undo`."""

    hold_id: str
    amount: int = 0
    why: str = ""
    meta: str = ""
    undo: bool = False
    context: HoldContext | None = None
    answer: Answer | None = None
    within_available: bool = False
    outputs: int = 0


@dataclass(frozen=True, slots=True)
class Job:
    """An asynchronous job that a hold follows: a `text` of the caller's, and how long its result may take.

    It is found by each of its `names` (`provider/upstream id`) for `keep_ms`, also when the hold has ended long since.
    """

    text: str
    ttl_ms: int
    names: tuple[str, ...] = ()
    keep_ms: int = 0


@dataclass(frozen=True, slots=True)
class Transition:
    """One thing that time did to a hold: `unknown`, then `expire`, `charge` or `keep`."""

    hold_id: str
    kind: EntryKind
    amount: int
    seq: int


@dataclass(slots=True)
class Held:
    """The credits are aside. `available` and `held` are the team's, after it; `seq` is the journal entry.
    `repeated` is True if this id was held before (our own retry after a lost answer). `reaped` is what time did to
    other holds of the team in the same step. `windows` is for the `HoldContext` of its settle. `shadowed` is what would
    have refused it, if its order had a `shadow`; a repeated call does not tell it again."""

    hold_id: str
    amount: int
    available: int
    held: int
    seq: int
    repeated: bool = False
    reaped: tuple[Transition, ...] = ()
    windows: str = ""
    shadowed: "tuple[Refusal, ...]" = ()


@dataclass(slots=True, unsafe_hash=True)
class Refusal:
    """One reason why a hold was refused, with its numbers.

    `limit`, `used` and `held` are micro-credits, but for an `open_holds` cap and for `rate_limited`, where they count
    holds. `per` is a `Per`, `minute`, the name of the cap (`per_request`, `open_holds`, `held_credits`), or empty.
    `resets_at_ms` is the end of the calendar window or the minute, None where there is none. `fits_after_release` says
    whether the same request would pass this check once the running holds end without a charge.
    """

    code: RefusalCode
    scope: str
    per: str
    limit: int
    used: int
    held: int
    available: int
    resets_at_ms: int | None
    fits_after_release: bool


@dataclass(slots=True)
class Refused:
    """No credits were put aside. `refusals` lists every check that failed, in the order they are made; `reaped` is
    what time did to other holds of the team in the same step, `at_ms` the store's time."""

    refusals: tuple[Refusal, ...]
    required: int
    available: int
    held: int
    reaped: tuple[Transition, ...] = ()
    at_ms: int = 0


@dataclass(frozen=True, slots=True)
class Repeated:
    """The same request was held before. `hold_id` is the earlier hold's: another one than was asked for if the request
    was known by its `once`, the same one if our own call came twice and the hold is not simply `held` any more."""

    hold_id: str
    state: HoldState
    amount: int
    charged: int


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The id, or the `once`, belongs to a hold with another fingerprint, `hold_id`. Nothing was written."""

    hold_id: str
    state: HoldState


@dataclass(frozen=True, slots=True)
class TooManyNames:
    """The hold is the first of this scope, a project or a member, and the team has spent under `most` of them. Nothing
    was written."""

    scope: str
    most: int


HoldResult = Held | Refused | Repeated | Mismatch | TooManyNames


@dataclass(slots=True)
class Settlement:
    """What a settle or a release did. For `duplicate` and `mismatch`, `charged` is what was booked before.

    `freed` is what went back to available (of a late refund too), even if its grant's time was over and it lapsed in
    the same step. `over` says that more was charged than held,
    `debt` is what the team owes after it. `was` is the state that was met, None if the hold is gone.
    """

    status: SettleStatus
    charged: int
    freed: int
    available: int
    held: int
    debt: int
    over: bool
    was: HoldState | None
    seq: int


@dataclass(frozen=True, slots=True)
class Marked:
    """What mark_unknown did; `deadline_ms` is when the policy will act, None when nothing was marked."""

    status: MarkStatus
    deadline_ms: int | None
    seq: int


@dataclass(frozen=True, slots=True)
class Attached:
    """What attach_job did; `deadline_ms` is when the job's result is overdue, None when nothing waits for it."""

    status: JobStatus
    deadline_ms: int | None
    seq: int


@dataclass(frozen=True, slots=True)
class Extended:
    """What an extend did; `deadline_ms` is when time will act, None when it will not."""

    status: ExtendStatus
    deadline_ms: int | None
    seq: int


@dataclass(frozen=True, slots=True)
class Expiry:
    """What one expire_due did, and whether more holds were due than it was allowed to take. `next_due_in_ms` is how
    far off the team's next deadline is: 0 if something was due now, so look again; None if there is none."""

    transitions: tuple[Transition, ...]
    more: bool
    next_due_in_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One journal entry. `amount` is what the entry is about (granted, held, or the hold's amount), `charged`
    what the hold has been charged in all after it. `fields` has everything as stored, by name."""

    seq: int
    at_ms: int
    kind: EntryKind
    hold_id: str
    amount: int
    charged: int
    fields: dict[str, str]
