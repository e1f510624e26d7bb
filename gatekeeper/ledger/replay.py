"""Tells the ledger what waits in the outbox, team by team and in order, until it has taken all.

Every call is idempotent by hold id, so a replay that was not noted as done before a crash changes nothing when it
comes again. What the ledger will not book (another amount was booked before, no such hold) is set aside in a file,
never dropped. It does not log: what happened goes to callbacks.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Final

from gatekeeper.ledger.errors import LedgerError, LedgerUnavailable
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.outbox import Outbox, Waiting
from gatekeeper.ledger.records import Answer, HoldState, JobStatus, MarkStatus, SettleStatus
from gatekeeper.ledger.resolution import Act, Resolution

WAIT_LEAST_S: Final = 0.1
"""Pause after the first round that could not tell everything; it doubles."""
WAIT_MAX_S: Final = 5.0
"""Longest pause: so soon after the store is back the books are right."""
TEAMS_AT_ONCE: Final = 100
"""Teams told in one pipeline."""
TOLD_AT_ONCE: Final = 100
"""Resolutions of a team between two notes on disk of what is done."""

ADOPT_EVERY_S: Final = 30.0
"""So often it is looked for what others have left. A worker that lost its leader may be the last of its gateway, and
end after the next one has begun: nobody opens the outbox after it."""

_BOOKED: Final = {SettleStatus.SETTLED, SettleStatus.RELEASED, SettleStatus.LATE, SettleStatus.ORPHAN}


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of a resolution. `status` is the ledger's word, or the name of its error; `charged` and `debt` are
    micro-credits; `booked` says that this replay changed the books, `rejected` that it was set aside; `was` is the
    state that an outcome met."""

    resolution: Resolution
    status: str
    charged: int = 0
    debt: int = 0
    booked: bool = False
    rejected: bool = False
    was: HoldState | None = None


class Replayer:
    """Empties an outbox in the background until it is stopped.

    `on_replayed` hears of every resolution that the ledger answered, `on_error` of what nobody foresaw.
    """

    def __init__(
        self,
        ledger: Ledger,
        outbox: Outbox,
        *,
        on_replayed: Callable[[Replayed], None],
        on_error: Callable[[Exception], None],
        wait_max_s: float = WAIT_MAX_S,
        adopt_every_s: float = ADOPT_EVERY_S,
    ) -> None:
        self._ledger = ledger
        self._outbox = outbox
        self._on_replayed = on_replayed
        self._on_error = on_error
        self._wait_max_s = wait_max_s
        self._adopt_every_s = adopt_every_s
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; needs a running event loop."""
        self._stopping.clear()
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Stop between two resolutions; what was told is noted."""
        self._stopping.set()
        self._outbox.arrived.set()
        if self._task is not None:
            await self._task
            self._task = None

    async def replay(self) -> bool:
        """Go over all teams once; False if the next round should wait a while. Raises OutboxFailed."""
        teams, all_told = self._outbox.teams(), True
        for at in range(0, len(teams), TEAMS_AT_ONCE):
            chunk = teams[at : at + TEAMS_AT_ONCE]
            ended = await asyncio.gather(*(self._replay_team(team) for team in chunk), return_exceptions=True)
            for error in ended:
                if isinstance(error, BaseException):
                    raise error
            all_told &= all(ended)
        return all_told

    async def _run(self) -> None:
        wait_s = WAIT_LEAST_S
        while not self._stopping.is_set():
            self._outbox.arrived.clear()
            if await self._replay_safely():
                wait_s = WAIT_LEAST_S
                if not self._stopping.is_set() and not self._outbox.teams():
                    await self._wait_for_more()
                continue
            try:
                await asyncio.wait_for(self._stopping.wait(), wait_s)
            except TimeoutError:
                wait_s = min(wait_s * 2, self._wait_max_s)

    async def _wait_for_more(self) -> None:
        """Until something is written here, or it is time to look whether somebody has died and left something."""
        try:
            async with asyncio.timeout(self._adopt_every_s):
                await self._outbox.arrived.wait()
        except TimeoutError:
            try:
                await self._outbox.adopt()
            except LedgerError as error:
                self._on_error(error)

    async def _replay_safely(self) -> bool:
        try:
            return await self.replay()
        except Exception as error:  # noqa: BLE001 - the supervisor: one failed round must not end all later ones
            self._on_error(error)
            return False

    async def _replay_team(self, team: str) -> bool:
        """Tells a team's resolutions in order, a bounded number of them; False if the store cannot be reached."""
        done: list[Waiting] = []
        lines: list[bytes] = []
        is_reached = True
        for waiting in self._outbox.first(team, TOLD_AT_ONCE):
            if self._stopping.is_set():
                break
            try:
                replayed = await self._tell(waiting.resolution)
            except LedgerUnavailable:
                is_reached = False
                break
            done.append(waiting)
            if replayed.rejected:
                lines.append(_line(replayed))
            self._on_replayed(replayed)
        if done:
            await self._outbox.finish(done, lines)
        return is_reached

    async def _tell(self, resolution: Resolution) -> Replayed:
        """What the ledger says. Raises LedgerUnavailable."""
        try:
            return await self._book(resolution)
        except LedgerUnavailable:
            raise
        except LedgerError as error:
            return Replayed(resolution, type(error).__name__, rejected=True)

    async def _book(self, resolution: Resolution) -> Replayed:
        hold_id, team = resolution.hold_id, resolution.team
        if resolution.act is Act.UNKNOWN:
            marked = await self._ledger.mark_unknown(hold_id, team, reason=resolution.why)
            return Replayed(
                resolution,
                marked.status,
                booked=marked.status is MarkStatus.UNKNOWN,
                rejected=marked.status is MarkStatus.GONE,
            )
        if resolution.act is Act.JOB:
            return await self._attach(resolution)
        if resolution.act is Act.UNDO:
            settlement = await self._ledger.undo(hold_id, team, reason=resolution.why)
        else:
            settlement = await self._ledger.settle(
                hold_id, team, resolution.amount,
                outcome=resolution.why, meta=resolution.meta, context=resolution.context,
                within_available=resolution.within_available, outputs=resolution.outputs,
            )  # fmt: skip
        is_gone = settlement.status is SettleStatus.GONE
        return Replayed(
            resolution,
            settlement.status,
            charged=settlement.charged,
            debt=settlement.debt,
            booked=settlement.status in _BOOKED,
            rejected=settlement.status is SettleStatus.MISMATCH or (is_gone and resolution.act is not Act.UNDO),
            was=settlement.was,
        )

    async def _attach(self, resolution: Resolution) -> Replayed:
        """A hold that was resolved meanwhile needs its job no longer. One that is gone, or follows another job, leaves
        a job that nothing pays for: somebody has to look at it."""
        answer = Answer(resolution.answer, resolution.answer_ttl_ms) if resolution.answer else None
        attached = await self._ledger.attach_job(
            resolution.hold_id, resolution.team, resolution.job,
            ttl_ms=resolution.ttl_ms, names=resolution.names, keep_ms=resolution.keep_ms, answer=answer,
        )  # fmt: skip
        return Replayed(
            resolution,
            attached.status,
            booked=attached.status is JobStatus.ATTACHED,
            rejected=attached.status in {JobStatus.GONE, JobStatus.MISMATCH},
        )


def _line(replayed: Replayed) -> bytes:
    """A resolution as it is set aside: what it was, and what the ledger said."""
    told = {"status": replayed.status, "charged": replayed.charged, **asdict(replayed.resolution)}
    return json.dumps(told, separators=(",", ":")).encode()
