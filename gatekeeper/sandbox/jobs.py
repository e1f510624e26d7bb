"""Asynchronous jobs: queued, running, over: after the time that was asked for, by cancellation, or by a test's word.

One task carries each job through its life, counts what it made, and tells its webhook. How a state is spelt, and what
an answer about a job looks like, is the dialects' business.
"""

import asyncio
import math
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from gatekeeper.sandbox.behaviour import Behaviour
from gatekeeper.sandbox.record import Record
from gatekeeper.sandbox.studio import Spec

QUEUED_S_MAX = 0.1
"""How long a job stays queued, or a third of its whole time where that is less: long enough to be seen."""


class State(StrEnum):
    """Where a job stands. All but the first two are ends."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    MODERATED = "moderated"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


@dataclass(slots=True)
class Job:
    """One job. Changed by the store only.

    `outputs` are the specs asked for, `made` those that were really made: empty until it is done. `facts` are the
    dialect's own. Times are Unix seconds, None until they come.
    """

    id: str
    kind: Literal["image", "video"]
    model: str
    outputs: tuple[Spec, ...]
    behaviour: Behaviour
    facts: dict[str, Any]
    whole_s: float
    submitted_at_s: float
    state: State = State.QUEUED
    started_at_s: float | None = None
    ended_at_s: float | None = None
    made: tuple[Spec, ...] = ()
    _stop: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    _over: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    _stop_as: State | None = field(default=None, repr=False)

    @property
    def ended(self) -> bool:
        return self.state not in {State.QUEUED, State.RUNNING}

    def progress(self, now_s: float) -> float:
        """From 0 to 1; 1 only when it is done."""
        if self.state is State.DONE:
            return 1.0
        if self.started_at_s is None or not math.isfinite(self.whole_s) or not self.whole_s:
            return 0.0
        return min(0.99, max(0.0, (now_s - self.submitted_at_s) / self.whole_s))

    async def wait(self, timeout_s: float) -> bool:
        """Waits for its end, at most so long. Whether it has ended."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._over.wait()
        return self._over.is_set()

    async def cancel(self) -> bool:
        """Ends it now as cancelled. False: it had ended before."""
        if self.ended or self._stop_as is not None:
            return False
        self._stop_as = State.CANCELLED
        self._stop.set()
        await self._over.wait()
        return True

    async def _run(self, now_s: Callable[[], float]) -> None:
        """Through its states, at the pace and to the end that its behaviour says."""
        queued_s = min(QUEUED_S_MAX, self.whole_s / 3)
        if not await self._stopped_within(queued_s):
            self.state, self.started_at_s = State.RUNNING, now_s()
            await self._stopped_within(self.whole_s - queued_s)
        self.state, self.ended_at_s = self._stop_as or _planned_end(self.behaviour), now_s()
        if self.state is State.DONE:
            self.made = self.outputs[: self.behaviour.made(len(self.outputs))]

    async def _stopped_within(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds if math.isfinite(seconds) else None):
                await self._stop.wait()
        return self._stop.is_set()


def _planned_end(behaviour: Behaviour) -> State:
    if behaviour.job_fail:
        return State.FAILED
    if behaviour.job_moderated:
        return State.MODERATED
    return State.EXPIRED if behaviour.job_expire else State.DONE


Teller = Callable[[Job], Awaitable[None]]
"""Called once when a job has ended: sends its webhook."""


class JobStore:
    """The jobs of one sandbox. Belongs to one event loop."""

    def __init__(self, *, jobs: int, job_s: float, record: Record, now_s: Callable[[], float]) -> None:
        self._jobs_max = jobs
        self._job_s = job_s
        self._record = record
        self._now_s = now_s
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._lives: dict[str, asyncio.Task[None]] = {}

    def start(
        self,
        kind: Literal["image", "video"],
        model: str,
        outputs: tuple[Spec, ...],
        behaviour: Behaviour,
        webhook: Teller | None = None,
        *,
        job_id: str | None = None,
        **facts: Any,
    ) -> Job:
        """Takes a job, which begins to live at once. `job_id` is for formats with a form of their own (`new_token`)."""
        whole_s = math.inf if behaviour.job_wait else self._job_s if behaviour.job_s is None else behaviour.job_s
        job = Job(job_id or new_token(), kind, model, outputs, behaviour, facts, whole_s, self._now_s())
        self._make_room()
        self._jobs[job.id] = job
        self._record.job_submitted()
        life = self._lives[job.id] = asyncio.create_task(self._live(job, webhook))
        life.add_done_callback(lambda _: self._bury(job))
        return job

    def find(self, job_id: str) -> Job | None:
        """The job of this id; None if there never was one, or it has been forgotten."""
        return self._jobs.get(job_id)

    def end_all(self) -> int:
        """Ends every job that has not ended, as it was going to end. How many."""
        waiting = [job for job in self._jobs.values() if not job.ended]
        for job in waiting:
            job._stop.set()  # noqa: SLF001  # a job is the store's own
        return len(waiting)

    async def close(self) -> None:
        """Drops what is under way."""
        lives = list(self._lives.values())
        for life in lives:
            life.cancel()
        await asyncio.gather(*lives, return_exceptions=True)

    async def _live(self, job: Job, webhook: Teller | None) -> None:
        await job._run(self._now_s)  # noqa: SLF001
        self._count(job)
        if job.behaviour.job_vanish:
            self._jobs.pop(job.id, None)
        job._over.set()  # noqa: SLF001
        if webhook is not None and not job.behaviour.job_vanish and not job.behaviour.no_webhook:
            await webhook(job)

    def _bury(self, job: Job) -> None:
        """However its life ended, even before it began: nobody waits for it any longer."""
        job._over.set()  # noqa: SLF001
        self._lives.pop(job.id, None)

    def _count(self, job: Job) -> None:
        if job.state is State.DONE:
            made = {"images": 0, f"{job.kind}s": len(job.made)}
            self._record.generated(job.model, **made)

    def _make_room(self) -> None:
        while len(self._jobs) >= self._jobs_max:
            oldest_ended = next((job.id for job in self._jobs.values() if job.ended), None)
            forgotten = oldest_ended or next(iter(self._jobs))
            del self._jobs[forgotten]
            if (life := self._lives.get(forgotten)) is not None and oldest_ended is None:
                life.cancel()


def new_token() -> str:
    """An id that cannot be guessed: 32 hexadecimal digits."""
    return secrets.token_hex(16)
