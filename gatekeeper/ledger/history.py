"""What this process has seen of each team's journal, so that a store that has lost some of it is found out.

A store that fails over to a replica, or comes back from an old file, may lack the last writes it had acknowledged. A
team's journal gives it away: it is shorter than it was, or has another entry in the place of one that was seen. This
module remembers the last entry of each team, and for a while the acts behind the entries, in the form in which they can
be told again: each is idempotent by its id.

Pure: no I/O and no clock. Asking the store and telling it again is `repair`'s work.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

from gatekeeper.ledger.records import HoldContext, HoldOrder, TeamRecord

REMEMBER_S: Final = 60.0
"""How long an act is remembered: far longer than a replica that may be promoted is behind."""
ACTS_MAX: Final = 200_000
"""Acts remembered at most, about 200 MB at worst and a minute of 3,000 holds and settles a second."""
TEAMS_MAX: Final = 100_000
"""Teams whose sequence is remembered; beyond it those seen longest ago are forgotten."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A settle, or a release (`amount` 0)."""

    hold_id: str
    amount: int
    outcome: str
    meta: str
    context: HoldContext | None


@dataclass(frozen=True, slots=True)
class Doubted:
    """A mark_unknown."""

    hold_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Given:
    """A grant."""

    grant_id: str
    amount: int
    note: str
    actor: str
    expires_at_ms: int | None


@dataclass(frozen=True, slots=True)
class Stored:
    """A team's record."""

    record: TeamRecord
    actor: str


Act = HoldOrder | Ended | Doubted | Given | Stored


@dataclass(frozen=True, slots=True)
class Acked:
    """An act that the store acknowledged as journal entry `seq` of its team."""

    at_s: float
    team: str
    seq: int
    act: Act

    @property
    def id(self) -> str:
        """What the journal entry is about: a hold, a grant, or a team's revision."""
        match self.act:
            case Given(grant_id):
                return grant_id
            case Stored(record):
                return str(record.revision)
            case HoldOrder() | Ended() | Doubted():
                return self.act.hold_id


class History:
    """The sequences seen and the acts of the last minute. Instants are monotonic seconds that the caller brings."""

    def __init__(self, *, remember_s: float = REMEMBER_S, acts_max: int = ACTS_MAX, teams_max: int = TEAMS_MAX) -> None:
        self._remember_s = remember_s
        self._teams_max = teams_max
        self._seen: dict[str, Acked] = {}
        self._acts: deque[Acked] = deque(maxlen=acts_max)

    def note(self, acked: Acked) -> bool:
        """Remembers an acknowledged act. False: its sequence is not above the one seen before, so ask the store."""
        self._acts.append(acked)
        while self._acts[0].at_s < acked.at_s - self._remember_s:
            self._acts.popleft()
        seen = self._seen.pop(acked.team, None)
        is_next = seen is None or acked.seq > seen.seq
        self._seen[acked.team] = acked if is_next or seen is None else seen  # put last: the first was seen longest ago
        if len(self._seen) > self._teams_max:
            del self._seen[next(iter(self._seen))]
        return is_next

    def teams(self) -> tuple[str, ...]:
        """Every team whose sequence is remembered."""
        return tuple(self._seen)

    def seen(self, team: str) -> Acked | None:
        """The last entry seen of the team."""
        return self._seen.get(team)

    def acts(self, team: str) -> tuple[Acked, ...]:
        """The team's remembered acts, in the order in which they were acknowledged."""
        return tuple(acked for acked in self._acts if acked.team == team)

    def forget(self, team: str) -> None:
        """Begins anew with the team: whoever calls this tells its acts again."""
        self._seen.pop(team, None)
        kept = [acked for acked in self._acts if acked.team != team]
        self._acts.clear()
        self._acts.extend(kept)
