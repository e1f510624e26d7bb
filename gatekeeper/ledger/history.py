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
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from gatekeeper.ledger.codec import ending_words, order_words, read_ending, read_order
from gatekeeper.ledger.records import Ending, EntryKind, HoldOrder, Job
from gatekeeper.ledger.wire import COUNT_BYTES, unpacked

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


Kept = bytes | Act
"""An acknowledged act as it is kept: the words that the store was told, as they were sent. That is one piece of memory,
at which the garbage collector never looks: it would walk through a minute's acts again and again while all wait. What
seldom comes is kept as it is."""

_ENDING_COUNT: Final = ending_words(Ending(""))[:COUNT_BYTES]
"""As many words has an end, and no hold."""


def _kept(act: Act) -> Kept:
    """Without the answer kept with it."""
    if isinstance(act, HoldOrder):
        return order_words(act)
    return ending_words(act) if isinstance(act, Ending) else act


def _act(team: str, kept: Kept) -> Act:
    if not isinstance(kept, bytes):
        return kept
    words = unpacked(kept)
    return read_ending(words) if kept.startswith(_ENDING_COUNT) else read_order(team, words)


class History:
    """The entries seen last, and of each team the acts of its last minute.

    Instants are monotonic seconds that the caller brings.
    """

    def __init__(self, *, remember_s: float = REMEMBER_S, acts_max: int = ACTS_MAX, teams_max: int = TEAMS_MAX) -> None:
        self._remember_s = remember_s
        self._teams_max = teams_max
        self._seen: dict[str, tuple[str, int, str, EntryKind]] = {}
        self._acts_max = acts_max
        # Of each act in a queue of its own when it was, whose, as which entry, and what: together they would be one
        # more object each.
        self._at_s: deque[float] = deque()
        self._teams: deque[str] = deque()
        self._seqs: deque[int] = deque()
        self._acts: deque[Kept] = deque()
        self._latest_s: dict[str, float] = {}

    def note(self, at_s: float, team: str, seq: int, act: Act, words: bytes | None = None) -> bool:
        """Remembers an acknowledged act, in the words that were sent if there are any and without the answer kept with
        it, and lets go of acts that are too old or too many. False: its sequence is not above the one seen before, so
        ask the store; 0 is compared with none."""
        times_s = self._at_s
        times_s.append(at_s)
        self._teams.append(team)
        self._seqs.append(seq)
        self._acts.append(words or _kept(act))
        self._latest_s[team] = at_s
        if len(times_s) > self._acts_max or at_s - times_s[0] > self._remember_s:
            self._let_go(at_s)
        if not seq:
            return True
        seen, entry = self._seen, (team, seq, act.hold_id, _KINDS[type(act)])
        before = seen.pop(team, None)
        if before is not None and before[1] < seq:  # nearly always: a team that is known, and its next entry
            seen[team] = entry
            return True
        if before is not None:
            seen[team] = before
        return self.see(entry)

    def _let_go(self, now_s: float) -> None:
        times_s, latest_s = self._at_s, self._latest_s
        while len(times_s) > self._acts_max or (now_s - times_s[0] > self._remember_s and self._is_old(now_s)):
            self._acts.popleft()
            self._seqs.popleft()
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
        queues: tuple[deque[Any], ...] = (self._at_s, self._teams, self._seqs, self._acts)
        everything = list(zip(*queues, strict=True))
        for queue in queues:
            queue.clear()
        for each in everything:
            at_s, team, seq, kept = each
            if team in acts:
                acts[team].append(Acked(at_s, team, seq, _act(team, kept)))
            else:
                for queue, value in zip(queues, each, strict=True):
                    queue.append(value)
        for team in teams:
            self._seen.pop(team, None)
            self._latest_s.pop(team, None)
        return acts
