"""What happens when a store has lost some of a team's journal: no new hold for that team, everything this process
remembers of it is told again, and what is still missing is reported.

Other gateways on the store find the same and tell their part, so a team stays closed for a moment after ours is told.
Settles are never held back: they are facts. It does not log: what happened goes to a callback.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from time import monotonic
from typing import Final, TypeVar

from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.codec import parse_entry
from gatekeeper.ledger.errors import LedgerError, LedgerHistoryLost, LedgerUnavailable
from gatekeeper.ledger.history import Acked, Act, Doubt, Extension, Following, History, Seen, seen_as, told_as
from gatekeeper.ledger.keys import TeamKeys
from gatekeeper.ledger.records import (
    Attached,
    Ending,
    Extended,
    ExtendStatus,
    Held,
    HoldOrder,
    HoldResult,
    HoldState,
    JobStatus,
    Marked,
    MarkStatus,
    Refused,
    Settlement,
    SettleStatus,
    TooManyNames,
)

TEAMS_AT_ONCE: Final = 100
"""Teams asked for their sequence in one pipeline."""
OTHERS_WAIT_S: Final = 5.0
"""How long a team stays closed after our part is told: a gateway that is connected again asks within a second."""
AGAIN_S: Final = 0.5
"""Pause before a store that was not reached is asked or told once more."""


class Told(StrEnum):
    """What telling an act again met."""

    CHANGED = "changed"  # the store had lost it and has it again
    ORPHAN = "orphan"  # the store had lost a hold and its end, and has booked the end
    KNOWN = "known"  # the store still had it
    REFUSED = "refused"  # the store had lost it and does not take it: no room under a limit, or too old


@dataclass(frozen=True, slots=True)
class LostHistory:
    """A team's journal was found to lack entries. `seen` is the last sequence this process had seen, `kept` the last of
    its own entries that is still in its place. `told_again` counts entries of this process that the store had lost and
    that are accounted for again, `refused` those that it would not take."""

    team: str
    seen: int
    kept: int
    told_again: int
    refused: int

    @property
    def missing(self) -> int:
        """Entries that this process cannot account for: another gateway's, or older than it remembers."""
        return max(0, self.seen - self.kept - self.told_again - self.refused)


Said = TypeVar("Said")
Answered = HoldResult | Settlement | Marked | Attached | Extended
Tell = Callable[[str, Act], Awaitable[Answered]]


class Repair:
    """Guards the teams of a ledger. `tell` tells the store one act of a team again; `on_lost` hears of each loss."""

    def __init__(
        self, client: StoreClient, history: History, tell: Tell, *, others_wait_s: float = OTHERS_WAIT_S
    ) -> None:
        self.on_lost: Callable[[LostHistory], None] = lambda _lost: None
        self._client = client
        self._history = history
        self._tell = tell
        self._others_wait_s = others_wait_s
        self._closed: dict[str, asyncio.Task[None]] = {}
        self._meanwhile: dict[str, list[Acked]] = {}
        self._checking: asyncio.Task[None] | None = None
        self._unsure: dict[str, tuple[Seen, ...]] = {}

    def admit(self, team: str, *, maybe_executed: bool = False) -> None:
        """Raises LedgerHistoryLost while the team's books are being repaired."""
        if team in self._closed:
            raise LedgerHistoryLost(
                f"the store has lost entries of team {team}; they are being told again", maybe_executed=maybe_executed
            )

    async def admit_held(self, team: str) -> None:
        """The same for a hold that was made just now, which has to know: what was in doubt is looked for first. Raises
        LedgerHistoryLost also if the store does not answer to that."""
        if team in self._unsure:
            await self._look([team])
            if team in self._unsure:
                raise LedgerHistoryLost(f"the store does not tell whether it lacks entries of team {team}",
                                        maybe_executed=True)  # fmt: skip
        self.admit(team, maybe_executed=True)

    def acked(self, team: str, seq: int, act: Act, words: bytes | None = None) -> bool:
        """Remembers what the store acknowledged, in the `words` that were sent if they are known; what was seen before
        is in doubt if it should stand above that. Gives back whether nothing of the team's books is in doubt or being
        repaired.

        While the team is being repaired nobody knows which history an answer is of: it may be the last one of a server
        that is gone. Then the repair looks for it.
        """
        if team in self._closed:
            self._meanwhile.setdefault(team, []).append(Acked(monotonic(), team, seq, act))
            return False
        if not self._history.note(monotonic(), team, seq, act, words):
            # Two connections may bring their answers in another order than they happened; only the journal can tell.
            seen = self._history.seen(team)
            self._doubt([seen] if seen is not None else [])
        return team not in self._unsure

    async def settled_before(self, team: str, settlement: Settlement, ending: Ending) -> None:
        """Remembers the end of a hold that the store says to have booked before: the first answer to it may have been
        lost. Which entry that is it does not say; the journal's last one is it, or stands behind it."""
        if settlement.was is not HoldState.EXPIRED:  # that end is time's, and a late result may yet replace it
            self._history.note(monotonic(), team, 0, ending)
        with suppress(LedgerError):
            last = await self._last(team)
            if last is not None and team not in self._closed:
                self._history.see(last)

    def check_soon(self) -> None:
        """Another server answers from now on: every entry seen until now is in doubt, and asked for soon."""
        self._doubt(self._history.all_seen())

    async def close(self) -> None:
        """Ends what is under way. What was not told again yet is lost with this process."""
        tasks = [*self._closed.values(), *([self._checking] if self._checking else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _doubt(self, entries: Iterable[Seen]) -> None:
        """Always a new tuple: an answer to an older one may be of the server before."""
        for seen in entries:
            before = self._unsure.get(seen.team)
            self._unsure[seen.team] = (*(each for each in before if each != seen), seen) if before else (seen,)
        if self._unsure and (self._checking is None or self._checking.done()):
            self._checking = asyncio.get_running_loop().create_task(self._check())

    async def _check(self) -> None:
        """Until nothing is in doubt any more: nobody else asks about teams that are at rest."""
        while self._unsure:
            teams = list(self._unsure)
            for at in range(0, len(teams), TEAMS_AT_ONCE):
                await self._look(teams[at : at + TEAMS_AT_ONCE])
            if self._unsure:
                await asyncio.sleep(AGAIN_S)

    async def _look(self, teams: Sequence[str]) -> None:
        """Looks for what is in doubt of these teams, and closes those that lack some of it. A team whose store does not
        answer stays in doubt."""
        doubts = {team: self._unsure[team] for team in teams if team in self._unsure}
        looks = (self._first_lost(entries) for entries in doubts.values())
        found = dict(zip(doubts, await asyncio.gather(*looks, return_exceptions=True), strict=True))
        # Only what is in doubt still: the slowest of these teams may have kept the others' answers back for a repair.
        still = {team: self._unsure.get(team, ()) for team in doubts}
        self._close_teams([lost for team, lost in found.items() if isinstance(lost, Seen) and lost in still[team]])
        for team, lost in found.items():
            if isinstance(lost, BaseException) and not isinstance(lost, LedgerUnavailable):
                raise lost
            # What is lost of a team that is being repaired already stays in doubt until that is done.
            if lost is None and self._unsure.get(team) is doubts[team]:
                del self._unsure[team]

    async def _first_lost(self, entries: tuple[Seen, ...]) -> Seen | None:
        """The first of these that the journal lacks. Raises LedgerUnavailable; books that cannot be read lack nothing,
        but `verify` tells about them."""
        for seen in entries:
            try:
                if not await self._is_kept(seen):
                    return seen
            except LedgerUnavailable:
                raise
            except LedgerError:
                continue
        return None

    async def _is_kept(self, seen: Seen) -> bool:
        """Whether the journal still has this entry in its place; one that was exported and cut is kept."""
        keys, place = TeamKeys(seen.team), f"{seen.seq}-0"
        rows = await self._client.command("XRANGE", keys.journal, place, place, bulk=True)
        if rows:
            entry = parse_entry(*rows[0])
            return (entry.hold_id, told_as(entry.kind)) == (seen.hold_id, seen.kind)
        return int(await self._client.command("HGET", keys.base, "seq", bulk=True) or 0) >= seen.seq

    def _close_teams(self, lost: list[Seen]) -> None:
        """Until they are repaired nothing is admitted for them, however long the store does not answer."""
        found = [seen for seen in lost if seen.team not in self._closed]
        acts = self._history.forget([seen.team for seen in found])
        for seen in found:
            self._unsure.pop(seen.team, None)
            repair = self._repair(seen, acts[seen.team])
            self._closed[seen.team] = asyncio.get_running_loop().create_task(repair)

    async def _repair(self, seen: Seen, acts: list[Acked]) -> None:
        try:
            kept = await self._surely(partial(self._last_kept, seen, acts)) or 0
            met = [(act, await self._tell_again(seen.team, act)) for act in _to_tell(acts)]
            late = await self._tell_meanwhile(seen.team, met)
            last = max(seen.seq, *(acked.seq for acked in late)) if late else seen.seq
            self.on_lost(_report(seen.team, last, kept, [*acts, *late], met))
            await asyncio.sleep(self._others_wait_s)
            met = []
            if late := await self._tell_meanwhile(seen.team, met):
                last = max(acked.seq for acked in late)
                self.on_lost(_report(seen.team, last, last - len(late), late, met))
        finally:
            self._meanwhile.pop(seen.team, None)
            del self._closed[seen.team]

    async def _tell_meanwhile(self, team: str, met: list[tuple[Act, Told]]) -> list[Acked]:
        """Looks for what was acknowledged during the repair. What is in its place is remembered as ever; what is not
        was the lost history's, and is told again, which `met` hears. Gives that back."""
        found: list[Acked] = []
        while late := self._meanwhile.pop(team, None):
            lost: list[Acked] = []
            for acked in late:
                if await self._surely(partial(self._is_kept, seen_as(team, acked.seq, acked.act))) is False:
                    lost.append(acked)
                else:
                    self._history.note(*acked)
            met += [(act, await self._tell_again(team, act)) for act in _to_tell(lost)]
            found += lost
        return found

    async def _tell_again(self, team: str, act: Act) -> Told:
        """Tells it until the store answers, and remembers it anew: this server may lose it as the one before did."""
        result = await self._surely(partial(self._tell, team, act))
        seq = result.seq if isinstance(result, Held | Settlement | Marked | Attached | Extended) else 0
        self._history.note(monotonic(), team, seq, act)
        return _told(result)

    async def _last_kept(self, lost: Seen, acts: list[Acked]) -> int:
        """The sequence of the last remembered entry, of those before the lost one, that is still in its place. If none
        is: that before the first, or where the journal ends now if that is before it."""
        ends = [at for at, acked in enumerate(acts) if seen_as(lost.team, acked.seq, acked.act) == lost]
        # By their places: what an earlier repair told again stands behind what was acknowledged before that repair.
        remembered = acts[: ends[-1] + 1 if ends else None]
        placed = sorted((acked for acked in remembered if acked.seq), key=lambda acked: acked.seq)
        for acked in reversed(placed):
            if await self._is_kept(seen_as(lost.team, acked.seq, acked.act)):
                return acked.seq
        last = await self._last(lost.team)
        last_seq = last.seq if last else 0
        return min(last_seq, placed[0].seq - 1) if placed else last_seq

    async def _last(self, team: str) -> Seen | None:
        """The last entry of the journal; None if it has none."""
        rows = await self._client.command("XREVRANGE", TeamKeys(team).journal, "+", "-", "COUNT", 1, bulk=True)
        if not rows:
            return None
        entry = parse_entry(*rows[0])
        return Seen(team, entry.seq, entry.hold_id, told_as(entry.kind))

    @staticmethod
    async def _surely(ask: Callable[[], Awaitable[Said]]) -> Said | None:
        """Asks until the store answers. None if what it answers is of no use: `verify` tells about such books."""
        while True:
            try:
                return await ask()
            except LedgerUnavailable:
                await asyncio.sleep(AGAIN_S)
            except LedgerError:
                return None


def _report(team: str, seen: int, kept: int, acts: list[Acked], met: list[tuple[Act, Told]]) -> LostHistory:
    """What became of these acts, as they were told again."""
    told = [each for _, each in met]
    orphans = {act.hold_id for act, each in met if each is Told.ORPHAN}  # their holds are accounted for
    again = told.count(Told.CHANGED) + 2 * told.count(Told.ORPHAN) + _between(acts, orphans, kept)
    refused = sum(each is Told.REFUSED and act.hold_id not in orphans for act, each in met)
    return LostHistory(team, seen, kept, again, refused)


def _told(result: Answered | None) -> Told:
    match result:
        case Settlement(status=SettleStatus.ORPHAN):
            return Told.ORPHAN
        case None | Refused() | TooManyNames() | Settlement(status=SettleStatus.GONE) | Marked(status=MarkStatus.GONE):
            return Told.REFUSED
        case (
            Held(repeated=False)
            | Settlement(status=SettleStatus.SETTLED | SettleStatus.RELEASED | SettleStatus.LATE | SettleStatus.VOIDED)
        ):
            return Told.CHANGED
        case (
            Marked(status=MarkStatus.UNKNOWN)
            | Attached(status=JobStatus.ATTACHED)
            | Extended(status=ExtendStatus.EXTENDED)
        ):
            return Told.CHANGED
        case Attached(status=JobStatus.GONE) | Extended(status=ExtendStatus.GONE):
            return Told.REFUSED
    return Told.KNOWN


def _to_tell(acts: list[Acked]) -> list[Act]:
    """In their order, but without what came before the end of a hold: its end brings along all it needs, and room under
    a limit that somebody has used meanwhile does not matter to it. What it does not bring is the request's name, under
    which it would be made and charged once more: a hold that has one is told again, and may be refused. Nor does it
    bring the names of a job, by which its result is fetched: those are told last, when the hold is over once more."""
    ended = {acked.act.hold_id for acked in acts if isinstance(acked.act, Ending) and acked.act.context is not None}
    jobs = [acked.act for acked in acts if acked.act.hold_id in ended and isinstance(acked.act, Following)]
    return [acked.act for acked in acts if acked.act.hold_id not in ended or _is_told_again(acked.act)] + jobs


def _between(acts: list[Acked], orphans: Collection[str], kept: int) -> int:
    """How many lost entries stood between a hold and its end, for both of which the one entry of an orphan stands."""
    between = (acked for acked in acts if isinstance(acked.act, Doubt | Following | Extension) and acked.seq > kept)
    return sum(acked.act.hold_id in orphans for acked in between)


def _is_told_again(act: Act) -> bool:
    return isinstance(act, Ending) or (isinstance(act, HoldOrder) and bool(act.once))
