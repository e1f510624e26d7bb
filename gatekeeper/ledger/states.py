"""The life of a hold: every state it can stand in, everything that can happen to it, and what comes of each.

The theory, in six points.

1. A hold keeps credits aside until it is **resolved**, and it is resolved once. Open are `held`, `unknown`, and `kept`,
   which is unknown without a deadline, each also in the form that follows a job; all other states are resolved.
2. Whatever comes twice answers what was found, `DUPLICATE` or `REPEAT`, and changes nothing; what contradicts that is
   told as `MISMATCH` and changes nothing either. So every call may be sent again when its answer was lost.
3. Only a **fact** changes a resolved hold: time resolved it for want of one (`expired`, `charged`), and the first
   result that comes after that is booked as what it is (`late`). Then it is final. A refund moves credits and no hold:
   of a charge by time it is the rest that a late result replaces.
4. Time acts in steps: past its deadline a held one becomes unknown and gets its grace, past that its policy acts. With
   no grace both steps are one. **A hold that follows a job is never resolved by time**: it is kept until its result
   comes.
5. A hold that is not there was never made, or lost by the store, or so old that it is forgotten. A charge that says
   what the hold was is booked all the same (`orphan`), and what is undone before it is made can no longer be made
   (`void`): both only while the id is young enough that a forgotten end cannot be behind it. Otherwise it is `GONE`.
6. A request that is known by its name (`once`) is answered with its earlier hold, whatever that came to, but for one
   that cost nothing (`released`, `void`): that is as if it had not been.

`ROWS` says it in full, one row for states and events that come to the same. No program reads it: the scripts in `lua/`
do it, and a test drives them through every pair of state and event and compares.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gatekeeper.ledger.records import EntryKind


class State(StrEnum):
    """Where a hold stands. A `HoldState` does not tell `kept`, nor whether there is a job."""

    NONE = "none"  # never made, lost, or forgotten
    HELD = "held"
    UNKNOWN = "unknown"
    KEPT = "kept"  # unknown, and time has done all it may
    JOB = "held+job"
    JOB_UNKNOWN = "unknown+job"
    JOB_KEPT = "kept+job"
    SETTLED = "settled"
    RELEASED = "released"
    EXPIRED = "expired"
    CHARGED = "charged"
    LATE = "late"
    VOID = "void"
    ORPHAN = "orphan"


class Event(StrEnum):
    """What can happen to a hold. A settle has an amount above 0; a release is a settle of 0."""

    HOLD = "hold"
    HOLD_OTHER = "hold, other fingerprint"
    ONCE = "hold of the same name"  # another id, the same `once` and fingerprint
    ONCE_OTHER = "hold of the same name, other fingerprint"
    SETTLE = "settle"
    SETTLE_OTHER = "settle of another amount"
    SETTLE_WITH_CONTEXT = "settle with context"
    RELEASE = "release"
    RELEASE_WITH_CONTEXT = "release with context"
    UNDO = "undo"
    MARK = "unknown"
    JOB = "job"
    JOB_OTHER = "another job"
    EXTEND = "extend"
    DEADLINE_RELEASE = "deadline, policy release"
    DEADLINE_CHARGE = "deadline, policy charge"
    DEADLINE_KEEP = "deadline, policy keep"


@dataclass(frozen=True, slots=True)
class Step:
    """What comes of an event in a state: the script's answer (of time: what it did, or nothing), where the hold stands
    then, and the journal entry that is written; none means that nothing at all is."""

    reply: str
    after: State
    entry: EntryKind | None


@dataclass(frozen=True, slots=True)
class Row:
    """The same step for some states and events. `after` None: the hold stands where it stood."""

    states: tuple[State, ...]
    events: tuple[Event, ...]
    reply: str
    after: State | None
    entry: EntryKind | None
    effect: str


_S, _E, _K = State, Event, EntryKind
_OPEN: Final = (_S.HELD, _S.UNKNOWN, _S.KEPT, _S.JOB, _S.JOB_UNKNOWN, _S.JOB_KEPT)
_PAID: Final = (_S.SETTLED, _S.LATE, _S.ORPHAN)
_FREE: Final = (_S.RELEASED, _S.VOID)
_BY_TIME: Final = (_S.EXPIRED, _S.CHARGED)
_RESOLVED: Final = (*_PAID, *_FREE, *_BY_TIME)
_DEADLINE: Final = (_E.DEADLINE_RELEASE, _E.DEADLINE_CHARGE, _E.DEADLINE_KEEP)
_SETTLE: Final = (_E.SETTLE, _E.SETTLE_OTHER, _E.SETTLE_WITH_CONTEXT)
_RELEASE: Final = (_E.RELEASE, _E.RELEASE_WITH_CONTEXT, _E.UNDO)

ROWS: Final = (
    # Holding
    Row((_S.NONE,), (_E.HOLD, _E.HOLD_OTHER), "HELD", _S.HELD, _K.HOLD, "the credits are put aside"),
    Row((_S.HELD, _S.JOB), (_E.HOLD,), "HELD", None, None, "told as repeated"),
    Row((_S.UNKNOWN, _S.KEPT, _S.JOB_UNKNOWN, _S.JOB_KEPT, *_RESOLVED), (_E.HOLD,), "REPEAT", None, None,
        "told where it stands"),
    Row((*_OPEN, *_PAID, _S.RELEASED, *_BY_TIME), (_E.HOLD_OTHER,), "MISMATCH", None, None, "an id means one request"),
    Row((_S.VOID,), (_E.HOLD_OTHER,), "REPEAT", None, None, "whoever undid it could not know the fingerprint"),
    Row((_S.NONE, *_FREE), (_E.ONCE, _E.ONCE_OTHER), "HELD", None, _K.HOLD, "the other hold is made: this one is as if "
        "it had not been"),
    Row((*_OPEN, *_PAID, *_BY_TIME), (_E.ONCE,), "REPEAT", None, None, "the other is not made: told where this stands"),
    Row((*_OPEN, *_PAID, *_BY_TIME), (_E.ONCE_OTHER,), "MISMATCH", None, None, "a name means one request"),
    # Resolving
    Row(_OPEN, _SETTLE, "SETTLED", _S.SETTLED, _K.SETTLE, "charged; the rest of the hold is free"),
    Row(_OPEN, _RELEASE, "RELEASED", _S.RELEASED, _K.RELEASE, "all of it is free"),
    Row(_PAID, (_E.SETTLE, _E.SETTLE_WITH_CONTEXT), "DUPLICATE", None, None, "it was charged before"),
    Row(_PAID, (_E.SETTLE_OTHER, *_RELEASE), "MISMATCH", None, None, "a charge is final"),
    Row(_FREE, _RELEASE, "DUPLICATE", None, None, "nothing was charged before"),
    Row(_FREE, _SETTLE, "MISMATCH", None, None, "that nothing was charged is final"),
    Row(_BY_TIME, _SETTLE, "LATE", _S.LATE, _K.LATE, "the fact is booked, in place of what the policy did"),
    Row((_S.EXPIRED,), _RELEASE, "DUPLICATE", None, None, "time had released it"),
    Row((_S.CHARGED,), _RELEASE, "LATE", _S.LATE, _K.LATE, "what the policy charged goes back"),
    Row((_S.NONE,), (_E.SETTLE, _E.SETTLE_OTHER, _E.RELEASE), "GONE", None, None, "nobody knows what to book"),
    Row((_S.NONE,), (_E.SETTLE_WITH_CONTEXT,), "ORPHAN", _S.ORPHAN, _K.ORPHAN, "charged as the context says"),
    Row((_S.NONE,), (_E.RELEASE_WITH_CONTEXT, _E.UNDO), "VOIDED", _S.VOID, _K.VOID, "it can no longer be made"),
    # Not knowing
    Row((_S.HELD,), (_E.MARK,), "UNKNOWN", _S.UNKNOWN, _K.UNKNOWN, "its grace begins"),
    Row((_S.JOB,), (_E.MARK,), "UNKNOWN", _S.JOB_UNKNOWN, _K.UNKNOWN, "its grace begins"),
    Row((_S.UNKNOWN, _S.KEPT, _S.JOB_UNKNOWN, _S.JOB_KEPT), (_E.MARK,), "DUPLICATE", None, None, "it was unknown"),
    Row(_RESOLVED, (_E.MARK, _E.JOB, _E.JOB_OTHER, _E.EXTEND), "RESOLVED", None, None, "too late"),
    Row((_S.NONE,), (_E.MARK, _E.JOB, _E.JOB_OTHER, _E.EXTEND), "GONE", None, None, "no such hold"),
    # Following a job
    Row((_S.HELD, _S.UNKNOWN, _S.KEPT), (_E.JOB, _E.JOB_OTHER), "ATTACHED", _S.JOB, _K.JOB, "a new deadline"),
    Row((_S.JOB,), (_E.JOB,), "DUPLICATE", None, None, "it follows this job"),
    Row((_S.JOB_UNKNOWN, _S.JOB_KEPT), (_E.JOB,), "ATTACHED", _S.JOB, _K.JOB, "known again, with a new deadline"),
    Row((_S.JOB, _S.JOB_UNKNOWN, _S.JOB_KEPT), (_E.JOB_OTHER,), "MISMATCH", None, None, "a hold follows one job"),
    # More time
    Row((_S.HELD, _S.UNKNOWN), (_E.EXTEND,), "EXTENDED", _S.HELD, _K.EXTEND, "a later deadline; known again"),
    Row((_S.KEPT, _S.JOB, _S.JOB_UNKNOWN, _S.JOB_KEPT), (_E.EXTEND,), "KEPT", None, None, "no deadline ends it"),
    # Time
    Row((_S.HELD,), _DEADLINE, "unknown", _S.UNKNOWN, _K.UNKNOWN, "its grace begins"),
    Row((_S.JOB,), _DEADLINE, "unknown", _S.JOB_UNKNOWN, _K.UNKNOWN, "its grace begins"),
    Row((_S.UNKNOWN,), (_E.DEADLINE_RELEASE,), "expire", _S.EXPIRED, _K.EXPIRE, "all of it is free"),
    Row((_S.UNKNOWN,), (_E.DEADLINE_CHARGE,), "charge", _S.CHARGED, _K.CHARGE, "charged as held"),
    Row((_S.UNKNOWN,), (_E.DEADLINE_KEEP,), "keep", _S.KEPT, _K.KEEP, "no deadline any more"),
    Row((_S.JOB_UNKNOWN,), _DEADLINE, "keep", _S.JOB_KEPT, _K.KEEP, "no deadline any more"),
    Row((_S.NONE, _S.KEPT, _S.JOB_KEPT, *_RESOLVED), _DEADLINE, "", None, None, "it has no deadline"),
)  # fmt: skip
"""The state machine."""

TRANSITIONS: Final = {
    (state, event): Step(row.reply, row.after or state, row.entry)
    for row in ROWS
    for state in row.states
    for event in row.events
}
"""What comes of each event in each state."""
