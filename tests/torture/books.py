"""A team's journal, walked by a judge who knows the promises and none of the code that keeps them.

At each hold every limit and cap of the team is checked with counters of its own; each hold's end is remembered by the
call it was made for, which stands in one field of its entry.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from gatekeeper.ledger.limituse import in_force
from gatekeeper.ledger.records import Entry, EntryKind
from gatekeeper.ledger.teamrecord import Per, TeamRecord

PERIODS = (Per.HOUR, Per.DAY, Per.WEEK, Per.MONTH)
ENDS = {EntryKind.SETTLE, EntryKind.RELEASE, EntryKind.EXPIRE, EntryKind.CHARGE}
BY_TIME = {EntryKind.EXPIRE, EntryKind.CHARGE}
BREACHES_TOLD = 5

Place = tuple[str, Per, str]
"""A scope, a period and when its window began."""


@dataclass(slots=True)
class Life:
    """One hold, from its entries. `end` is what ended it first, `charged` what it was charged in all."""

    call: str
    amount: int
    places: tuple[Place, ...]
    at_ms: int
    end: EntryKind | None = None
    ended_ms: int = 0
    charged: int = 0
    late: bool = False
    refunded: int = 0


@dataclass(eq=False)
class Books:
    """What a team's journal adds up to."""

    team: TeamRecord
    call_field: str = "meta"
    seq: int = 0
    granted: int = 0
    charged: int = 0
    expired: int = 0
    held: int = 0
    open: int = 0
    lives: dict[str, Life] = field(default_factory=dict)
    used: defaultdict[Place, int] = field(default_factory=lambda: defaultdict(int))
    aside: defaultdict[Place, int] = field(default_factory=lambda: defaultdict(int))
    minutes: Counter[int] = field(default_factory=Counter)
    breaches: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    disorder: list[str] = field(default_factory=list)

    @property
    def available(self) -> int:
        """What may still be held."""
        return self.granted - self.charged - self.expired - self.held

    def add(self, entries: Iterable[Entry]) -> None:
        """Book entries that follow those before. A store that keeps its history has no orphans."""
        for entry in entries:
            if entry.seq != self.seq + 1:
                self.disorder.append(f"entry {entry.seq} follows {self.seq}")
            self.seq = entry.seq
            self._book(entry)

    def _book(self, entry: Entry) -> None:
        match entry.kind:
            case EntryKind.GRANT:
                self.granted += entry.amount
            case EntryKind.TRANSFER:
                self.granted -= entry.amount
            case EntryKind.HOLD:
                self._hold(entry, entry.fields[self.call_field])
            case kind if kind in ENDS:
                self._end(entry)
            case EntryKind.LATE:
                self._late(entry)
            case EntryKind.REFUND:
                self._refund(entry)
            case EntryKind.LAPSE:
                self.expired += entry.amount
            case EntryKind.ORPHAN:
                self.disorder.append(f"{self.team.id} entry {entry.seq}: an orphan")

    def _hold(self, entry: Entry, call: str) -> None:
        if entry.hold_id in self.lives:
            self.disorder.append(f"hold {entry.hold_id} was made twice")
        starts = dict(zip(PERIODS, entry.fields["windows"].split(":"), strict=True))
        kinds = {"project": entry.fields["project"], "member": entry.fields["member"], "key": entry.fields["key"]}
        scopes = ["team", *(f"{kind}:{name}" for kind, name in kinds.items() if name)]
        places = tuple((scope, per, starts.get(per, "")) for scope in scopes for per in Per)
        self._check(entry, places)
        self.lives[entry.hold_id] = Life(call, entry.amount, places, entry.at_ms)
        self.held += entry.amount
        self.open += 1
        self.minutes[entry.at_ms // 60_000] += 1
        for place in places:
            self.aside[place] += entry.amount

    def _check(self, entry: Entry, places: tuple[Place, ...]) -> None:
        """Everything that limits this hold, at the moment it was made."""
        amount, caps = entry.amount, self.team.caps
        self._bound(entry, "the balance", amount, max(0, self.available))
        self._bound(entry, "the cap on one request", amount, caps.per_request)
        self._bound(entry, "the cap on open holds", self.open + 1, caps.open_holds)
        self._bound(entry, "the cap on held credits", self.held + amount, caps.held_credits)
        self._bound(entry, "the rate", self.minutes[entry.at_ms // 60_000] + 1, caps.requests_per_minute)
        by_name = {(limit.scope, limit.per) for limit in self.team.limits if ":" in limit.scope}
        for limit in self.team.limits:
            for place in places:
                scope, per, _ = place
                general = limit.scope == scope.partition(":")[0] and (scope, per) not in by_name
                if per is limit.per and (limit.scope == scope or general):
                    wanted = self.used[place] + self.aside[place] + amount
                    most, _ = in_force(limit, entry.at_ms)
                    self._bound(entry, f"the limit of {scope} per {per}", wanted, most)

    def _bound(self, entry: Entry, what: str, wanted: int, most: int | None) -> None:
        if most is not None and wanted > most:
            self.breaches.append(f"{self.team.id} entry {entry.seq}: {what}: {wanted} > {most}")

    def _end(self, entry: Entry) -> None:
        life = self.lives.get(entry.hold_id)
        if life is None or life.end is not None:
            self.twice.append(f"{self.team.id} entry {entry.seq}: {entry.kind} of a hold that is not open")
            return
        life.end, life.ended_ms, life.charged = entry.kind, entry.at_ms, entry.charged
        self.held -= life.amount
        self.open -= 1
        self.charged += entry.charged
        for place in life.places:
            self.aside[place] -= life.amount
            self.used[place] += entry.charged

    def _refund(self, entry: Entry) -> None:
        life = self.lives.get(json.loads(entry.fields["meta"])["hold"])
        if life is None or entry.amount > life.charged - life.refunded:
            self.twice.append(f"{self.team.id} entry {entry.seq}: refunded more than was charged")
            return
        life.refunded += entry.amount
        self.charged -= entry.amount
        for place in life.places:
            self.used[place] -= entry.amount

    def _late(self, entry: Entry) -> None:
        life = self.lives.get(entry.hold_id)
        if life is None or life.end not in BY_TIME or life.late:
            self.twice.append(f"{self.team.id} entry {entry.seq}: late, but time had not ended it")
            return
        correction = entry.charged - life.charged + life.refunded
        life.late, life.charged, life.refunded = True, entry.charged, 0
        self.charged += correction
        for place in life.places:
            self.used[place] += correction
