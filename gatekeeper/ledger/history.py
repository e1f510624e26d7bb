"""What this process has seen of each team's journal, so that a store that has lost some of it is found out.

A store that fails over to a replica, or comes back from an old file, may lack the last writes it had acknowledged. A
team's journal gives it away: it is shorter than it was, or has another entry in the place of one that was seen. This
module remembers the last entry of each team, and for a while the acts behind the entries, in the form in which they
can be told again: each is idempotent by its id.

Grants and changes of a team are not among them: what makes those can see for itself. No I/O and no clock; asking the
store and telling it again is `repair`'s work.
"""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Final, NamedTuple

import orjson

from gatekeeper.ledger.records import Ending, EntryKind, HoldContext, HoldOrder, Job, OnUnknown

REMEMBER_S: Final = 60.0
"""How long an act is remembered: far longer than a replica that may be promoted is behind."""
AWAY_S: Final = 900.0
"""How long the acts of a team are remembered that does not go on: longer than most outages of a part of a cluster."""
ACTS_MAX: Final = 100_000
"""Acts remembered at most, some 40 MB: a minute of 1,600 a second, or of 800 generations, each a hold and its end.
A busier process remembers less than a minute: at 5,000 acts a second 20 s, still far longer than a replica that may be
promoted is behind. No setting, for who needs more has more processes, and each remembers its own."""
TEAMS_MAX: Final = 100_000
"""Teams whose sequence is remembered; beyond it those seen longest ago are forgotten."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A mark_unknown."""

    hold_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Following:
    """An attach_job."""

    hold_id: str
    job: Job


@dataclass(frozen=True, slots=True)
class Extension:
    """An extend; told again it counts from then."""

    hold_id: str
    ttl_ms: int


Act = HoldOrder | Ending | Doubt | Following | Extension


class Acked(NamedTuple):
    """An act that the store acknowledged as journal entry `seq` of its team; 0: as one of which it has an entry."""

    at_s: float
    team: str
    seq: int
    act: Act


class Seen(NamedTuple):
    """The last journal entry that was seen of a team, which hold it is about, and what it says of it (`told_as`)."""

    team: str
    seq: int
    hold_id: str
    kind: EntryKind


_ENDS: Final = {EntryKind.SETTLE, EntryKind.RELEASE, EntryKind.LATE, EntryKind.ORPHAN, EntryKind.VOID}


def told_as(kind: EntryKind) -> EntryKind:
    """The kind of an entry, of which all ends that somebody told are one."""
    return EntryKind.SETTLE if kind in _ENDS else kind


_KINDS: Final[dict[type, EntryKind]] = {
    HoldOrder: EntryKind.HOLD,
    Ending: EntryKind.SETTLE,
    Doubt: EntryKind.UNKNOWN,
    Following: EntryKind.JOB,
    Extension: EntryKind.EXTEND,
}


def seen_as(team: str, seq: int, act: Act) -> Seen:
    """The entry of an act that the store acknowledged."""
    return Seen(team, seq, act.hold_id, _KINDS[type(act)])


Kept = str | tuple[int, Act]
"""An acknowledged act as it is kept: its entry's number and its values as JSON, in the order of its fields. That is one
piece of memory, at which the garbage collector never looks: it would walk through a minute's acts again and again while
all wait. It is text because what the library writes has room for kilobytes behind it. What seldom comes is kept as it
is."""


_ORDER: Final = tuple(each.name for each in fields(HoldOrder) if each.name != "on_unknown")
_ENDING: Final = tuple(each.name for each in fields(Ending) if each.name not in {"context", "answer"})
_CONTEXT: Final = tuple(each.name for each in fields(HoldContext))
_of_order: Final = attrgetter(*_ORDER)
_of_ending: Final = attrgetter(*_ENDING)
_of_context: Final = attrgetter(*_CONTEXT)


def _kept(seq: int, act: Act) -> Kept:
    """Without the answer kept with it."""
    try:
        if isinstance(act, HoldOrder):
            return orjson.dumps((seq, _of_order(act), act.on_unknown._value_)).decode()
        if isinstance(act, Ending):
            return orjson.dumps((seq, _of_ending(act), act.context and _of_context(act.context), None)).decode()
    except TypeError:  # nothing that the store would have taken
        pass
    return seq, act


def _acked(at_s: float, team: str, kept: Kept) -> Acked:
    if isinstance(kept, tuple):
        return Acked(at_s, team, *kept)
    seq, values, *more = orjson.loads(kept)
    act: Act
    if len(more) == 1:
        act = HoldOrder(on_unknown=OnUnknown(more[0]), **dict(zip(_ORDER, values, strict=True)))
    else:
        act = Ending(**dict(zip(_ENDING, values, strict=True)), context=more[0] and HoldContext(*more[0]))
    return Acked(at_s, team, seq, act)


class History:
    """The entries seen last, and of each team the acts of its last minute.

    Instants are monotonic seconds that the caller brings.
    """

    def __init__(self, *, remember_s: float = REMEMBER_S, acts_max: int = ACTS_MAX, teams_max: int = TEAMS_MAX) -> None:
        self._remember_s = remember_s
        self._teams_max = teams_max
        self._seen: dict[str, tuple[str, int, str, EntryKind]] = {}
        self._acts_max = acts_max
        # Of each act in a queue of its own when it was, whose, and what: together they would be one more object each.
        self._at_s: deque[float] = deque()
        self._teams: deque[str] = deque()
        self._acts: deque[Kept] = deque()
        self._latest_s: dict[str, float] = {}

    def note(self, at_s: float, team: str, seq: int, act: Act) -> bool:
        """Remembers an acknowledged act. False: its sequence is not above the one seen before, so ask the store."""
        self.remember(at_s, team, seq, act)
        seen = self._seen
        before = seen.pop(team, None)
        if before is not None and before[1] < seq:  # nearly always: a team that is known, and its next entry
            seen[team] = (team, seq, act.hold_id, _KINDS[type(act)])
            return True
        if before is not None:
            seen[team] = before
        return self.see((team, seq, act.hold_id, _KINDS[type(act)]))

    def remember(self, at_s: float, team: str, seq: int, act: Act) -> None:
        """Remembers an act, without the answer kept with it, and lets go of those that are too old or too many."""
        times_s, latest_s = self._at_s, self._latest_s
        times_s.append(at_s)
        self._teams.append(team)
        self._acts.append(_kept(seq, act))
        latest_s[team] = at_s
        while len(times_s) > self._acts_max or (at_s - times_s[0] > self._remember_s and self._is_old(at_s)):
            self._acts.popleft()
            gone_s, team = times_s.popleft(), self._teams.popleft()
            if latest_s.get(team) == gone_s:
                del latest_s[team]

    def _is_old(self, now_s: float) -> bool:
        """Whether the team of the first act has gone on for long enough after it. One whose store is away has not."""
        at_s = self._at_s[0]
        return self._latest_s.get(self._teams[0], now_s) - at_s > self._remember_s or now_s - at_s > AWAY_S

    def see(self, seen: tuple[str, int, str, EntryKind]) -> bool:
        """Remembers an entry of a team, a `Seen` or its values; False if it is not above the one that was seen before,
        which then stays."""
        team = seen[0]
        before = self._seen.pop(team, None)
        is_next = before is None or seen[1] > before[1]
        # Put last: the first is the one that was seen longest ago.
        self._seen[team] = before if before and not is_next else seen
        if len(self._seen) > self._teams_max:
            del self._seen[next(iter(self._seen))]
        return is_next

    def all_seen(self) -> tuple[Seen, ...]:
        """The last entry seen of every team of which one is remembered."""
        return tuple(Seen(*each) for each in self._seen.values())

    def seen(self, team: str) -> Seen | None:
        """The last entry seen of the team."""
        found = self._seen.get(team)
        return None if found is None else Seen(*found)

    def forget(self, teams: Collection[str]) -> dict[str, list[Acked]]:
        """Begins anew with these teams, and gives back the acts of each in the order in which they were acknowledged:
        whoever calls this tells them again. One pass over all acts, because a fail-over may concern many teams."""
        if not teams:
            return {}
        acts: dict[str, list[Acked]] = {team: [] for team in teams}
        everything = list(zip(self._at_s, self._teams, self._acts, strict=True))
        for queue in (self._at_s, self._teams, self._acts):
            queue.clear()
        for at_s, team, kept in everything:
            if team in acts:
                acts[team].append(_acked(at_s, team, kept))
            else:
                self._at_s.append(at_s)
                self._teams.append(team)
                self._acts.append(kept)
        for team in teams:
            self._seen.pop(team, None)
            self._latest_s.pop(team, None)
        return acts
