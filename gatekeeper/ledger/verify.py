"""The proof: a team's figures derived again from its journal, and every place where they differ.

Pure. The journal is append-only and its ids are the sequence, so the entries up to the snapshot's sequence are
exactly what the snapshot is made of, whatever is written while they are read.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from gatekeeper.ledger.codec import PERIODS, StoredHold, grant_text, parse_hold
from gatekeeper.ledger.errors import LedgerBroken
from gatekeeper.ledger.holdid import hold_id_day, is_hold_id
from gatekeeper.ledger.limituse import scopes_of
from gatekeeper.ledger.lots import REMINDER, Lot, Lots, Parts, parts_text
from gatekeeper.ledger.records import Entry, EntryKind, HoldState
from gatekeeper.ledger.reports import Difference
from gatekeeper.ledger.scripts import Snapshot
from gatekeeper.ledger.tally import BookedUsage, row_of
from gatekeeper.ledger.walletbooks import BookedWallet, hold_of

DIFFERENCES_MAX: Final = 100
"""Differences listed in one report: enough to see the pattern."""

FORGOTTEN_AFTER_MS: Final = 73 * 3600 * 1000
"""When the store has surely forgotten how a day's holds ended: 72 h after it last wrote of one, and an hour for clocks
that were set. No late result can come to them any more."""

SHADOWED: Final = "shadow: "
"""With this begins why a hold was made that some check would have refused."""

_RESOLVING: Final = {EntryKind.SETTLE, EntryKind.RELEASE, EntryKind.EXPIRE, EntryKind.CHARGE}
_WITHOUT_CREDITS: Final = {EntryKind.TEAM, EntryKind.KEY, EntryKind.VOID, EntryKind.LAPSE}
"""A lapse is booked with the time of its entry, `_lapse_before`."""


@dataclass(slots=True)
class BookedHold:
    """A hold as its journal entries tell it."""

    amount: int
    scopes: list[str]
    starts: list[int]
    seq: int
    state: HoldState = HoldState.HELD
    charged: int = 0
    follows_job: bool = False
    parts: Parts = field(default_factory=list)
    row: str = ""


@dataclass(slots=True)
class BookedCounters:
    """What a scope has used and held, for life and in its windows, as the journal tells it."""

    used: int = 0
    held: int = 0
    windows: list[list[int]] = field(default_factory=lambda: [[0, 0, 0] for _ in PERIODS])

    def open(self, starts: list[int]) -> None:
        for window, start in zip(self.windows, starts, strict=True):
            if window[0] != start:
                window[:] = [start, 0, 0]

    def open_newer(self, starts: list[int]) -> None:
        self.open([max(window[0], start) for window, start in zip(self.windows, starts, strict=True)])

    def move(self, starts: list[int], used: int, held: int) -> None:
        self.used += used
        self.held += held
        for window, start in zip(self.windows, starts, strict=True):
            if window[0] == start:  # below zero only where a clock stepping back opened the window twice
                window[1] = max(0, window[1] + used)
                window[2] = max(0, window[2] + held)

    def text(self) -> str:
        moved = (f"{used},{held}" for _, used, held in self.windows)
        starts = ":".join(str(start) for start, _, _ in self.windows)
        return f'[{self.used},{self.held},{",".join(moved)},"{starts}"]'


class Replay:
    """A team's books kept by hand, one journal entry after the other."""

    def __init__(self) -> None:
        self.seq = self.granted = self.charged = self.expired = self.held = 0
        self.grants: dict[str, str] = {}
        self.lots = Lots()
        self.open: dict[str, BookedHold] = {}
        self.by_time: dict[str, BookedHold] = {}
        self.wallet = BookedWallet()
        self.use: dict[str, BookedCounters] = {}
        self.usage = BookedUsage()
        self.at_ms = 0
        self.written: dict[int, int] = {}
        self.differences: list[Difference] = []
        self._booked_by: dict[EntryKind, Callable[[Entry], None]] = {
            EntryKind.GRANT: self._grant, EntryKind.HOLD: self._hold, EntryKind.LATE: self._late,
            EntryKind.ORPHAN: self._orphan, EntryKind.JOB: self._job, EntryKind.REFUND: self._refund,
            EntryKind.TRANSFER: self._transfer, EntryKind.EXTEND: self._extend,
            **dict.fromkeys(_RESOLVING, self._resolve),
        }  # fmt: skip

    @property
    def available(self) -> int:
        """What may still be held; below zero is debt."""
        return self.granted - self.charged - self.expired - self.held

    def add(self, entries: Iterable[Entry]) -> None:
        """Book these entries, which follow those booked before."""
        for entry in entries:
            if entry.seq != self.seq + 1:
                self.differ("journal sequence", f"{entry.seq} follows {self.seq}", str(self.seq + 1))
            self.seq = entry.seq
            self.at_ms = max(self.at_ms, entry.at_ms)
            self._note_written(entry.hold_id)
            self._lapse_before(entry)
            self._book(entry)
            self.wallet.note_charge(entry)
            self._join_pot(entry.at_ms)
            self.lots.drop(entry.at_ms)

    def differ(self, what: str, stored: object, derived: object) -> None:
        """Note a difference, up to the most a report lists."""
        if len(self.differences) < DIFFERENCES_MAX:
            self.differences.append(Difference(what, str(stored), str(derived)))

    def forget(self, day: int) -> None:
        """Drop what time resolved of the holds whose ids are of this UTC day: the store has forgotten them."""
        self.written.pop(day, None)
        for hold_id in [each for each in self.by_time if hold_id_day(each) == day]:
            del self.by_time[hold_id]

    def is_forgotten(self, day: int) -> bool:
        """Whether the store has forgotten how the holds of this UTC day ended."""
        return self.at_ms - self.written.get(day, self.at_ms) > FORGOTTEN_AFTER_MS

    def _note_written(self, hold_id: str) -> None:
        if is_hold_id(hold_id):
            day = hold_id_day(hold_id)
            if self.is_forgotten(day):
                self.forget(day)
            self.written[day] = self.at_ms

    def _book(self, entry: Entry) -> None:
        if entry.kind not in _WITHOUT_CREDITS:
            self._booked_by.get(entry.kind, self._unknown)(entry)

    def _grant(self, entry: Entry) -> None:
        expires_ms = int(entry.fields["windows"]) if entry.fields["windows"] else None
        self.granted += entry.amount
        self.grants[entry.hold_id] = grant_text(entry.amount, expires_ms)
        if expires_ms is not None:
            self.lots.add(Lot(entry.seq, expires_ms, entry.amount, 0, 0, entry.hold_id))

    def _lapse_before(self, entry: Entry) -> None:
        """What has lapsed by the time of this entry: one lot with an entry of its own, this one, or nothing."""
        self._join_pot(entry.at_ms)
        due = self.lots.due(entry.at_ms)
        told = (entry.fields["hold_seq"], entry.amount) if entry.kind is EntryKind.LAPSE else ("", 0)
        if told[0]:  # of the lots that lapse in one step, a late refund's may be told before or after the others
            due = [lot for lot in due if str(lot.seq) == told[0]] or due[:1]
        for lot in due:
            amount = min(lot.free, max(0, self.available))
            if told != (str(lot.seq), amount):
                what = f"entry {entry.seq}: lapse of grant {lot.grant_id or lot.seq}"
                self.differ(what, f"{told[1]} of entry {told[0]}" if told[0] else "none", amount)
            lot.amount -= lot.free
            self.expired += amount
        if told[0] and not due:
            self.differ(f"entry {entry.seq}: lapse of grant {entry.hold_id}", entry.amount, "none")

    def _join_pot(self, at_ms: int) -> None:
        """Credits past their time that cover a debt: they do not lapse."""
        for lot in self.lots.due(at_ms):
            if self.available <= 0:
                lot.amount -= lot.free

    def _hold(self, entry: Entry) -> None:
        if entry.amount > max(0, self.available) and not entry.fields["why"].startswith(SHADOWED):
            self.differ(f"entry {entry.seq}: held beyond what was available", entry.amount, self.available)
        scopes = scopes_of(entry.fields["project"], entry.fields["member"], entry.fields["key"])
        starts = [int(start) for start in entry.fields["windows"].split(":")]
        parts = self.lots.hold(entry.amount)
        self.open[entry.hold_id] = BookedHold(entry.amount, scopes, starts, entry.seq, parts=parts)
        self.open[entry.hold_id].row = row_of(entry, entry.fields["usage"])
        self.held += entry.amount
        for scope in scopes:
            self.use.setdefault(scope, BookedCounters()).open(starts)
            self.use[scope].move(starts, 0, entry.amount)

    def _resolve(self, entry: Entry) -> None:
        hold = self.open.pop(entry.hold_id, None)
        if hold is None:
            self.differ(f"entry {entry.seq}: {entry.kind} of a hold that is not open", entry.hold_id, "an open hold")
            return
        hold.charged = entry.charged
        self.usage.end(entry.hold_id, hold.row, entry.charged, _outputs(entry), self.at_ms)
        self.held -= hold.amount
        self.charged += entry.charged
        self.lots.settle(hold.parts, entry.charged)
        for scope in hold.scopes:
            self.use[scope].move(hold.starts, entry.charged, -hold.amount)
        if entry.kind in {EntryKind.EXPIRE, EntryKind.CHARGE}:
            hold.state = HoldState.EXPIRED if entry.kind is EntryKind.EXPIRE else HoldState.CHARGED
            self.by_time[entry.hold_id] = hold

    def _late(self, entry: Entry) -> None:
        hold = self.by_time.pop(entry.hold_id, None)
        if hold is None:
            self.differ(f"entry {entry.seq}: late, but time had not resolved it", entry.hold_id, "an expired hold")
            return
        if hold.state is HoldState.CHARGED and hold.amount > 0:  # counted as charged, whatever was refunded of it
            self.usage.move(entry.hold_id, hold.row, (-hold.charged, -1, 0, 0), self.at_ms)
        else:
            self.usage.end(entry.hold_id, hold.row, hold.charged, 0, self.at_ms, sign=-1)
        self.usage.end(entry.hold_id, hold.row, entry.charged, _outputs(entry), self.at_ms)
        correction = entry.charged - hold.charged
        self.charged += correction
        if hold.state is HoldState.EXPIRED:
            self.lots.spend(entry.charged)
        else:
            self.lots.correct(hold.parts, entry.charged)
        for scope in hold.scopes:
            self.use[scope].move(hold.starts, correction, 0)

    def _orphan(self, entry: Entry) -> None:
        if entry.hold_id in self.open:
            self.differ(f"entry {entry.seq}: orphan of a hold that is open", entry.hold_id, "no such hold")
            return
        starts = [int(start) for start in entry.fields["windows"].split(":")]
        row = row_of(entry, entry.fields["usage"].rpartition("|")[0])
        self.usage.end(entry.hold_id, row, entry.charged, _outputs(entry), self.at_ms)
        self.charged += entry.charged
        self.lots.spend(entry.charged)
        for scope in scopes_of(entry.fields["project"], entry.fields["member"], entry.fields["key"]):
            self.use.setdefault(scope, BookedCounters()).open_newer(starts)
            self.use[scope].move(starts, entry.charged, 0)

    def _refund(self, entry: Entry) -> None:
        for problem in self.wallet.refund(entry):
            self.differ(f"entry {entry.seq}: {problem[0]}", *problem[1:])
        self.charged -= entry.amount
        hold_id = hold_of(entry)
        if is_hold_id(hold_id):
            row = row_of(replace(entry, hold_id=hold_id), entry.fields["usage"])
            self.usage.move(hold_id, row, (-entry.amount, 0, 0, 0), self.at_ms)
        by_time = self.by_time.get(hold_id)
        if by_time is not None:  # a late result that comes yet takes the place of what is charged now
            by_time.charged -= entry.amount
        starts = [int(start) for start in entry.fields["windows"].split(":")]
        for scope in scopes_of(entry.fields["project"], entry.fields["member"], entry.fields["key"]):
            self.use.setdefault(scope, BookedCounters()).move(starts, -entry.amount, 0)

    def _transfer(self, entry: Entry) -> None:
        pot = self.available - sum(lot.free for lot in self.lots.by_use)
        if entry.amount > pot:
            self.differ(f"entry {entry.seq}: handed on more than there was", entry.amount, pot)
        self.granted -= entry.amount
        self.wallet.transfer(entry)

    def _job(self, entry: Entry) -> None:
        hold = self.open.get(entry.hold_id)
        if hold is None:
            self.differ(f"entry {entry.seq}: job of a hold that is not open", entry.hold_id, "an open hold")
            return
        hold.state, hold.follows_job = HoldState.HELD, True

    def _extend(self, entry: Entry) -> None:
        hold = self.open.get(entry.hold_id)
        if hold is None or hold.follows_job:
            self.differ(f"entry {entry.seq}: extend of a hold without a deadline", entry.hold_id, "an open hold")
            return
        hold.state = HoldState.HELD

    def _unknown(self, entry: Entry) -> None:
        hold = self.open.get(entry.hold_id)
        if hold is None:
            self.differ(f"entry {entry.seq}: {entry.kind} of a hold that is not open", entry.hold_id, "an open hold")
            return
        hold.state = HoldState.UNKNOWN


def compare(snapshot: Snapshot, replay: Replay) -> tuple[Difference, ...]:
    """Every figure of the snapshot that the replayed journal does not confirm."""
    derived = {
        "seq": replay.seq, "granted": replay.granted, "charged": replay.charged, "expired": replay.expired,
        "held": replay.held, "open": len(replay.open),
    }  # fmt: skip
    for name, number in derived.items():
        _match(replay, name, snapshot.bal.get(name, "0"), str(number))
    unwritten = {scope for scope, counters in replay.use.items() if counters == BookedCounters()}
    for scope in sorted({*snapshot.use, *replay.use} - (unwritten - snapshot.use.keys())):
        _match(replay, f"counters of {scope}", snapshot.use.get(scope, "none"), _text(replay.use.get(scope)))
    for grant in sorted({*snapshot.grants, *replay.grants}):
        _match(replay, f"grant {grant}", snapshot.grants.get(grant, "none"), str(replay.grants.get(grant, "none")))
    for what, stored, booked in replay.wallet.compared(snapshot.refunds, snapshot.transfers):
        _match(replay, what, stored, booked)
    for hold_id in sorted({*snapshot.open, *replay.open}):
        _compare_hold(replay, hold_id, snapshot)
    _compare_lots(replay, snapshot)
    _compare_usage(replay, snapshot)
    for hold_id in sorted(set(snapshot.due) - set(snapshot.open)):
        if not hold_id.startswith(REMINDER):  # one that came too late to be of use does no harm
            replay.differ(f"deadline of {hold_id}", snapshot.due[hold_id], "none: the hold is not open")
    return tuple(replay.differences)


def _compare_lots(replay: Replay, snapshot: Snapshot) -> None:
    stored = {line.partition("\t")[0]: line for line in snapshot.lots.split("\n")[:-1]}
    derived = {str(lot.seq): lot for lot in replay.lots.by_use}
    for seq in sorted({*stored, *derived}):
        lot, line = derived.get(seq), stored.get(seq, "none")
        name = lot.grant_id if lot else line.rpartition("\t")[2]
        _match(replay, f"lot of grant {name}", line, lot.text() if lot else "none")
    _match(replay, "order of lots", " ".join(stored), " ".join(derived))
    for lot in replay.lots.by_use:
        reminder = snapshot.due.get(f"{REMINDER}{lot.seq}")
        if reminder is None and (not lot.free or replay.available <= 0):
            continue  # what comes back to the lot brings it along; and what covers a debt lapses without an entry
        if lot.expires_ms > int(snapshot.bal.get("at", "0")) and (
            reminder is None or float(reminder) != lot.expires_ms
        ):
            replay.differ(f"reminder of grant {lot.grant_id}", reminder or "none", lot.expires_ms)


def _compare_usage(replay: Replay, snapshot: Snapshot) -> None:
    """The buckets that are there, and those that should be; what is about to be forgotten is not looked at."""
    for month in snapshot.months:
        stored, derived = snapshot.usage.get(month, {}), replay.usage.texts(month)
        for row in sorted({*stored, *derived}):
            name = row.replace("\t", " ")
            _match(replay, f"usage in {month} of {name}", stored.get(row, "none"), derived.get(row, "none"))


def _compare_hold(replay: Replay, hold_id: str, snapshot: Snapshot) -> None:
    text, hold = snapshot.open.get(hold_id), replay.open.get(hold_id)
    if text is None or hold is None:
        replay.differ(f"hold {hold_id}", text or "none", hold.state if hold else "none")
        return
    try:
        stored = parse_hold(text)
    except LedgerBroken as error:
        replay.differ(f"hold {hold_id}", error, hold.state)
        return
    _match(replay, f"hold {hold_id}",
           _hold_text(stored.state, stored.amount, stored.seq, list(stored.starts), stored.parts, _row(stored)),
           _hold_text(hold.state, hold.amount, hold.seq, hold.starts, parts_text(hold.parts), hold.row))  # fmt: skip
    _match(replay, f"hold {hold_id}: follows a job", str(stored.follows_job), str(hold.follows_job))
    if hold.state is HoldState.HELD and hold_id not in snapshot.due:
        replay.differ(f"deadline of {hold_id}", "none", "a held hold has one")


def _row(stored: StoredHold) -> str:
    return f"{stored.starts[1]}\t{stored.usage}\t{stored.project}\t{stored.member}"


def _hold_text(state: HoldState, amount: int, seq: int, starts: list[int], parts: str, row: str) -> str:
    counted = row.partition("\t")[2].replace("\t", " ").strip()
    return f"{state} {amount} by entry {seq} in {starts}" + (f" from {parts}" if parts else "") + f" for {counted}"


def _outputs(entry: Entry) -> int:
    """How many were made, of an end that tells it."""
    told = entry.fields["usage"].rpartition("|")[2]
    return int(told) if told.isdecimal() else 0


def _text(counters: BookedCounters | None) -> str:
    return "none" if counters is None else counters.text()


def _match(replay: Replay, what: str, stored: str, derived: str) -> None:
    if stored != derived:
        replay.differ(what, stored, derived)
