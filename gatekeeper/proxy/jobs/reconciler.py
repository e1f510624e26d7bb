"""Follows the jobs that nobody polls, so that each is settled though its caller, or a gateway, is gone.

Two loops, as the sweeper has them. The watch asks about the jobs that this process knows of, each when its time has
come: after a minute in which nobody polled it, and then the less often the older it is. The walk goes over all teams
for the jobs of processes that are gone. A lease in the store sees to it that one process at a time asks about a job.

Time alone ends no job. One that is overdue is asked about less often, and told of once; one that its provider does not
know any more after its deadline meets the provider's `on_unknown` policy. An answer that tells nothing (an error, too
many requests, no answer) only makes the next question wait longer. It does not log what it decides nothing about:
failures go to a callback.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from gatekeeper.core.outcome import Failed, Made, Outcome, Pending, Unknown
from gatekeeper.dialects.base import BillingRule
from gatekeeper.events import JobOverdue
from gatekeeper.ledger.deadlines import Deadlines
from gatekeeper.ledger.errors import LedgerBroken, LedgerError
from gatekeeper.ledger.looking import in_chunks
from gatekeeper.ledger.records import OnUnknown
from gatekeeper.logs import emit
from gatekeeper.proxy.gate import Gate
from gatekeeper.proxy.jobs.asking import ask
from gatekeeper.proxy.jobs.attaching import attach_again
from gatekeeper.proxy.jobs.desk import Job
from gatekeeper.proxy.jobs.record import read_record
from gatekeeper.proxy.jobs.settling import age_of, finish, give_up, was_cancelled

TICK_MAX_S: Final = 1.0
"""Pause between two looks at what is due: a question waits at most this long."""
JOBS_WATCHED_MAX: Final = 100_000
"""Jobs whose next question is remembered, about 35 MB with what was counted; those beyond are found by the walk."""
GONE_TIMES: Final = 2
"""Answers in a row by which a provider knows no such job: one may be a replica that lags behind."""
LEASE_IN_TIMEOUTS: Final = 2.5
"""A question may be two: where the job stands, and for its result."""
PROVIDER_SHARE: Final = 2
"""One provider may have half of the questions on their way: while it does not answer, the others' jobs still end."""
TROUBLES_MAX: Final = 6
"""Doublings of the pause after answers that tell nothing; the longest pause bounds it anyway."""
TEAMS_AT_ONCE: Final = 100
"""Teams looked at in one pipeline, in a walk."""
TEAMS_A_SECOND_MAX: Final = 1000
"""In a walk: far below what the store takes, and 60,000 teams in a minute."""
STOP_TIMEOUT_S: Final = 1.0
"""How long questions on their way may take when the gateway stops."""

Rest = Callable[[float], Awaitable[None]]


class _Counts(NamedTuple):
    """What is to be known of a job from one question to the next: a tenth of what the job itself would take."""

    troubles: int
    gone: int
    told_overdue: bool


NO_COUNTS: Final = _Counts(0, 0, told_overdue=False)


class Reconciler:
    """Asks about jobs in the background until it is stopped. `owner` names this process in leases.

    `rest` is for tests that make time pass by themselves.
    """

    def __init__(
        self, gate: Gate, owner: str, *, on_error: Callable[[Exception], None], rest: Rest | None = None
    ) -> None:
        self._gate = gate
        self._owner = owner
        self._on_error = on_error
        self._rest = rest or self._rest_or_stop
        self._next = Deadlines(JOBS_WATCHED_MAX)
        self._watched: set[str] = set()
        self._counts: dict[str, _Counts] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._asked = Counter[str]()
        self._stopping = asyncio.Event()
        self._loops: list[asyncio.Task[None]] = []
        gate.desk.on_job = self.watch_job

    @property
    def watched(self) -> int:
        """Jobs without an end that this process knows of; others may know the same ones."""
        known = (self._gate.desk.of_hold(key.partition("/")[2]) for key in self._watched)
        return sum(job is None or not job.ended for job in known)

    @property
    def behind_s(self) -> float:
        """For how long the next question is due; 0 if it is not yet."""
        first_s = self._next.first_s()
        return 0.0 if first_s is None else max(self._gate.clock.monotonic_s() - first_s, 0.0)

    def start(self) -> None:
        """Begin to watch and to walk; needs a running event loop."""
        self._stopping.clear()
        settings, loop = self._gate.jobs, asyncio.get_running_loop()
        tick_s = min(TICK_MAX_S, settings.first_poll_s, settings.poll_min_s)
        self._loops = [
            loop.create_task(self._forever(self.watch, tick_s)),
            loop.create_task(self._forever(self.walk, settings.walk_s)),
        ]

    async def stop(self) -> None:
        """Stop between two steps. What is on its way gets a moment, for asking again changes nothing; what is being
        booked is booked."""
        self._stopping.set()
        tasks, self._loops = [*self._loops, *self._asking.values()], []
        if tasks:
            _, slow = await asyncio.wait(tasks, timeout=STOP_TIMEOUT_S)
            for task in slow:
                task.cancel()
            await asyncio.gather(*slow, return_exceptions=True)

    def watch_job(self, job: Job) -> None:
        """From now on its time comes, first after a while without polls."""
        self._remember(job.record.team, job.record.hold_id, self._gate.jobs.first_poll_s)

    async def watch(self) -> int:
        """Begin to ask about what is due, a bounded number at once; how many were begun. One that is done with makes
        room for the next."""
        return self._begin()

    def _begin(self) -> int:
        free = self._gate.jobs.polls_at_once - len(self._asking)
        due = self._next.take_due(self._gate.clock.monotonic_s(), free) if free > 0 else []
        for key in due:
            if key in self._asking:  # it became known once more while it is being asked about
                continue
            self._asking[key] = asyncio.get_running_loop().create_task(self._look_safely(key))
        return len(due)

    async def settle_down(self) -> None:
        """Wait until every question that was begun has been dealt with."""
        while self._asking:
            await asyncio.wait(self._asking.values())

    async def walk(self) -> int:
        """Look for jobs in every team once, paced; how many were new here. Raises the ledger's errors; a team that
        cannot be read is told and passed by."""
        started_s, teams, found = self._gate.clock.monotonic_s(), 0, 0
        async for some in in_chunks(self._gate.ledger.teams(), TEAMS_AT_ONCE):
            teams += len(some)
            found += await self._look_for_all(some)
            await self._rest_until(started_s + teams / TEAMS_A_SECOND_MAX)
            if self._stopping.is_set():
                break
        return found

    async def _look_for_all(self, teams: Sequence[str]) -> int:
        found = 0
        for met in await asyncio.gather(*map(self._look_for, teams), return_exceptions=True):
            if isinstance(met, LedgerBroken):  # one team's books must not keep the others' jobs from their end
                self._on_error(met)
            elif isinstance(met, BaseException):
                raise met
            else:
                found += met
        return found

    async def _look_for(self, team: str) -> int:
        cursor, found = "0", 0
        while True:
            cursor, page = await self._gate.ledger.open_jobs(team, cursor)
            for hold_id, _text in page:
                if _key(team, hold_id) not in self._watched:
                    found += 1
                    self._remember(team, hold_id, 0)
            if cursor == "0":
                return found

    async def _look_safely(self, key: str) -> None:
        """One job's trouble must not end the watch over the others."""
        team, _, hold_id = key.partition("/")
        try:
            wait_s = await self._look(team, hold_id)
        except LedgerError:
            wait_s = self._gate.jobs.poll_min_s
        except Exception as error:  # noqa: BLE001  # the supervisor of a task of its own
            self._on_error(error)
            wait_s = self._gate.jobs.poll_max_s
        if wait_s is None:
            self._watched.discard(key)
            self._counts.pop(key, None)
        else:
            self._remember(team, hold_id, wait_s)
        self._asking.pop(key, None)
        if not self._stopping.is_set():
            self._begin()

    async def _look(self, team: str, hold_id: str) -> float | None:
        """Asks about a job if it is our turn; seconds until the next time, None if there is none."""
        job = await self._open_job(team, hold_id)
        if job is None:
            return None
        silent_s = self._gate.clock.monotonic_s() - job.asked_at_s
        if silent_s < self._gate.jobs.first_poll_s and not self._is_overdue(job):
            return self._gate.jobs.first_poll_s - silent_s
        provider = job.record.provider
        if self._asked[provider] >= self._share():
            # By then those that are on their way have ended, one way or the other.
            return min(self._gate.jobs.poll_min_s, self._gate.jobs.poll_timeout_s)
        self._asked[provider] += 1
        try:
            return await self._ask_alone(job)
        finally:
            self._asked[provider] -= 1

    async def _ask_alone(self, job: Job) -> float | None:
        """Asks unless another process does."""
        team, hold_id = job.record.team, job.record.hold_id
        pause_s = min(self._pause_s(job), self._gate.jobs.poll_max_s)
        # Longer than a question may take, so that a second one cannot be on its way.
        lease_s = max(pause_s, LEASE_IN_TIMEOUTS * self._gate.jobs.poll_timeout_s)
        if not await self._gate.ledger.claim_job(team, hold_id, self._owner, int(lease_s * 1000)):
            return pause_s
        return await self._ask(job)

    async def _open_job(self, team: str, hold_id: str) -> Job | None:
        """The job, if it has not ended anywhere. One that the store does not have yet is known here alone."""
        known = self._gate.desk.of_hold(hold_id)
        if known is not None and known.ended:
            return None
        text = await self._gate.ledger.open_job(team, hold_id)
        if text is None:
            if known is None or known.attached:
                return None
            await attach_again(self._gate, known)
            return known
        job = known or self._adopted(text)
        job.attached = True
        return job

    def _adopted(self, text: str) -> Job:
        """A job that nobody has polled here since its submission."""
        job = self._gate.desk.adopt(read_record(text))
        job.asked_at_s = self._gate.clock.monotonic_s() - age_of(self._gate, job.record)
        counts = self._counts.get(_key(job.record.team, job.record.hold_id), NO_COUNTS)
        job.troubles, job.gone, job.told_overdue = counts
        return job

    async def _ask(self, job: Job) -> float | None:
        provider = self._gate.providers.get(job.record.provider)
        if provider is None:
            outcome: Outcome = Unknown("no such provider is configured")
        else:
            self._gate.recent.asked(job.record.hold_id)
            link, request_id = job.record.link, job.record.facts.request_id
            outcome = await ask(provider, link, self._gate.jobs.poll_timeout_s, request_id=request_id)
        try:
            return await self._learn(job, outcome)
        finally:
            self._note(job)

    async def _learn(self, job: Job, outcome: Outcome) -> float | None:
        record = job.record
        if isinstance(outcome, Made | Failed):
            await finish(self._gate, record, outcome, "reconciler")
            return None if job.ended else self._pause_s(job)
        is_gone = isinstance(outcome, Unknown) and outcome.gone
        job.gone = job.gone + 1 if is_gone else 0
        job.troubles = min(job.troubles + 1, TROUBLES_MAX) if isinstance(outcome, Unknown) else 0
        billing = self._rule(job, "cancelled") if job.gone >= GONE_TIMES else None
        if billing is not None and await was_cancelled(self._gate, job):
            await finish(self._gate, record, Failed("cancelled", billable=billing.charged == "in full"), "reconciler")
            return None if job.ended else self._pause_s(job)
        if self._is_overdue(job):
            if job.gone >= GONE_TIMES and self._policy(job) is not OnUnknown.KEEP:
                await give_up(self._gate, record, charge=self._policy(job) is OnUnknown.CHARGE)
                return None if job.ended else self._pause_s(job)
            if not is_gone or job.gone >= GONE_TIMES:
                self._tell_overdue(job, outcome)
        return self._pause_s(job)

    def _note(self, job: Job) -> None:
        """The desk may forget the job before the next time; what was counted is not to be lost with it."""
        counts, key = _Counts(job.troubles, job.gone, job.told_overdue), _key(job.record.team, job.record.hold_id)
        if counts != NO_COUNTS and not job.ended:
            self._counts[key] = counts
        else:
            self._counts.pop(key, None)

    def _share(self) -> int:
        """How many questions one provider may be asked at once."""
        at_once = self._gate.jobs.polls_at_once
        return max(at_once // PROVIDER_SHARE, 1) if len(self._gate.providers) > 1 else at_once

    def _rule(self, job: Job, end: str) -> BillingRule | None:
        """What the provider charges for a job that ended so, as far as its dialect knows."""
        provider = self._gate.providers.get(job.record.provider)
        rules = () if provider is None else provider.dialect.TRAITS.billing
        return next((rule for rule in rules if rule.end == end), None)

    def _policy(self, job: Job) -> OnUnknown:
        provider = self._gate.providers.get(job.record.provider)
        return OnUnknown.KEEP if provider is None else provider.on_unknown

    def _tell_overdue(self, job: Job, outcome: Outcome) -> None:
        if job.told_overdue:
            return
        job.told_overdue = True
        is_gone = isinstance(outcome, Unknown) and outcome.gone
        emit(
            JobOverdue(
                facts=job.record.facts,
                job=job.record.link.job_id,
                state="gone" if is_gone else "pending" if isinstance(outcome, Pending) else "untold",
                age_s=round(age_of(self._gate, job.record)),
                credits_held=job.record.held,
            )
        )

    def _is_overdue(self, job: Job) -> bool:
        return age_of(self._gate, job.record) > job.record.deadline_s

    def _pause_s(self, job: Job) -> float:
        """A quarter of its age so far, within bounds; double for each answer in a row that told nothing."""
        settings = self._gate.jobs
        if self._is_overdue(job) and (job.troubles == 0 or job.gone >= GONE_TIMES):
            return settings.overdue_poll_s
        usual_s = min(max(age_of(self._gate, job.record) / 4, settings.poll_min_s), settings.poll_max_s)
        return float(min(usual_s * 2**job.troubles, max(settings.overdue_poll_s, usual_s)))

    def _remember(self, team: str, hold_id: str, in_s: float) -> None:
        key = _key(team, hold_id)
        if len(self._watched) < JOBS_WATCHED_MAX or key in self._watched:
            self._watched.add(key)
            self._next.remember(key, self._gate.clock.monotonic_s() + in_s)

    async def _forever(self, step: Callable[[], Awaitable[object]], every_s: float) -> None:
        while not self._stopping.is_set():
            started_s = self._gate.clock.monotonic_s()
            try:
                await step()
            except Exception as error:  # noqa: BLE001 - the supervisor: one failure must not end all later looks
                self._on_error(error)
            await self._rest_until(started_s + every_s)

    async def _rest_until(self, at_s: float) -> None:
        wait_s = at_s - self._gate.clock.monotonic_s()
        if wait_s > 0 and not self._stopping.is_set():
            await self._rest(wait_s)

    async def _rest_or_stop(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)


def _key(team: str, hold_id: str) -> str:
    """No team id has a slash in it."""
    return f"{team}/{hold_id}"
