"""The jobs that this process knows: by the names under which they are asked for, and by their holds.

Whoever polls is answered from here, without the ledger; what is not here is looked up there once. A name belongs to
the team that submitted the job: to every other team there is no such job.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol
from weakref import WeakValueDictionary

from gatekeeper.dialects.base import Route
from gatekeeper.proxy.jobs.record import JobRecord, read_record

NAMES_MAX: Final = 10_000
"""Names remembered, about 35 MB, or 75 if every job's last answer were as large as is kept; one that is forgotten costs
its next poll a look into the ledger."""


RUNNING_BYTES_MAX: Final = 2048
"""Of an answer that says how a job stands, to be known again; nearly all have some hundred, and there is one a job. So
many of the headers that belong to it, too."""

QUESTION_BYTES_MAX: Final = 2048
"""Of the address and headers that a job was asked about with, to be known again; SDKs send some hundred."""


Said = tuple[Route, int, bytes | None, list[tuple[bytes, bytes]], str | None]
"""An answer, by what has to be the same where it says the same: its question's route, its status, its body, the headers
about that, and, where links may be in it, the `Host` that was asked."""


class Question(NamedTuple):
    """How a job was asked about: a number for all that was said, and what was sent for it."""

    words: int
    url: str
    lines: Sequence[bytes]

    @property
    def size_bytes(self) -> int:
        """About what it takes to remember it."""
        return len(self.url) + sum(map(len, self.lines))


class Running(NamedTuple):
    """What was said of a job that still runs, how that is shown to its caller, and what our own head says of it."""

    said: Said
    shown: bytes
    lines: Sequence[bytes]


@dataclass(slots=True, weakref_slot=True, eq=False)
class Job:
    """A job and what this process knows of its end.

    `ended`: it is booked, or on its way there by the outbox; `charged` is what it cost in micro-credits, None as long
    as that is not known; `waiting` is what it will cost once the outbox has told the store. `attached`:
    the store has it with its hold. `cancelled`: its caller had the provider stop it.
    `asked_at_s` is when a caller here last asked, by the monotonic clock. `troubles` and `gone` count the answers in a
    row that told us nothing, and those by which the provider knows no such job. `names` are those of its outputs that
    were made known. `ending` lets one end it at a time. `named` is where its `poll_url` leads to, once that is looked
    at: the upstream path of a route, and the address. `question` is the last one of a caller
    that could be asked again, and `running` what the last answer said, if that was no more than that it still runs.
    """

    record: JobRecord
    asked_at_s: float
    attached: bool = True
    ended: bool = False
    charged: int | None = None
    waiting: int | None = None
    troubles: int = 0
    gone: int = 0
    told_overdue: bool = False
    cancelled: bool = False
    names: set[str] = field(default_factory=set)
    named: tuple[str, str] | None = None
    question: Question | None = field(default=None, repr=False)  # it has the provider's credential in it
    running: Running | None = None
    ending: asyncio.Lock = field(default_factory=asyncio.Lock)


class KnowsJobs(Protocol):
    """The part of the ledger that is asked."""

    async def job(self, team_id: str, name: str) -> tuple[str, str] | None: ...


class JobDesk:
    """`on_job` hears of every job that becomes known here."""

    def __init__(self, ledger: KnowsJobs, monotonic_s: Callable[[], float], names_max: int = NAMES_MAX) -> None:
        self.on_job: Callable[[Job], None] = lambda _job: None
        self._ledger = ledger
        self._monotonic_s = monotonic_s
        self._names_max = names_max
        self._by_name: OrderedDict[tuple[str, str, str], Job] = OrderedDict()
        self._by_hold: WeakValueDictionary[str, Job] = WeakValueDictionary()

    def adopt(self, record: JobRecord) -> Job:
        """The job of this record, from now on known here, under its provider's name for it."""
        job = self._by_hold.get(record.hold_id)
        if job is None:
            job = self._by_hold[record.hold_id] = Job(record, self._monotonic_s())
            if not record.is_decision:
                self.on_job(job)
        self.call_it(job, job.record.link.job_id)
        return job

    def call_it(self, job: Job, name: str) -> None:
        """Also known under this name of the provider's: that of a file, perhaps."""
        key = (job.record.team, job.record.provider, name)
        self._by_name[key] = job
        self._by_name.move_to_end(key)
        while len(self._by_name) > self._names_max:
            self._by_name.popitem(last=False)

    def doubt(self, job: Job) -> None:
        """The store may not have this job: unless it is over, it is followed from here until its end is booked. A
        decision is its caller's to end, or time's."""
        if not job.ended and not job.record.is_decision:
            job.attached = False
            self.on_job(job)

    def doubt_all(self, team: str) -> None:
        """The store has lost some of the team's history: perhaps that holds of its jobs were made, or follow them."""
        for job in {job.record.hold_id: job for (of, *_), job in self._by_name.items() if of == team}.values():
            self.doubt(job)

    def of_hold(self, hold_id: str) -> Job | None:
        """The job that this hold follows, if it is known here."""
        return self._by_hold.get(hold_id)

    def known(self, team: str, provider: str, name: str) -> Job | None:
        """The same as `find`, without a look into the ledger."""
        key = (team, provider, name)
        job = self._by_name.get(key)
        if job is not None:
            self._by_name.move_to_end(key)
        return job

    async def find(self, team: str, provider: str, name: str) -> Job | None:
        """The team's job of that name at this provider, or None. Raises the ledger's errors."""
        job = self.known(team, provider, name)
        if job is not None:
            return job
        found = await self._ledger.job(team, name_of(provider, name))
        record = None if found is None else _read(found[1])
        # The name is the ledger's key, so a record that says otherwise is not believed.
        if record is None or record.team != team or record.provider != provider:
            return None
        job = self.adopt(record)
        self.call_it(job, name)
        return job


def name_of(provider: str, name: str) -> str:
    """As the ledger knows it: an id is unique at its provider only."""
    return f"{provider}/{name}"


def _read(text: str) -> JobRecord | None:
    try:
        return read_record(text)
    except ValueError:
        return None
