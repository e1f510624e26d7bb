"""A job that a provider has just taken: its hold follows it from now on.

One step in the store keeps the job with the hold, and the names under which the team may ask for it. Where the store
is away that waits in the outbox, and until then this process alone knows the job.
"""

from contextlib import suppress
from dataclasses import replace
from math import ceil
from typing import Final, TypedDict

from gatekeeper.core.request import ValidRequest
from gatekeeper.core.spec import ModelSpec
from gatekeeper.events import SettleFailed
from gatekeeper.ledger.errors import LedgerError
from gatekeeper.ledger.records import Answer, JobStatus
from gatekeeper.ledger.replay import Replayed
from gatekeeper.ledger.resolution import Act
from gatekeeper.logs import emit
from gatekeeper.proxy.deferring import defer, resolution_of
from gatekeeper.proxy.gate import Gate
from gatekeeper.proxy.jobs.desk import Job, name_of
from gatekeeper.proxy.jobs.record import JobRecord, read_record, record_text
from gatekeeper.settings import JobSettings

WAITING_ANSWER_BYTES_MAX: Final = 8 * 1024
"""Of the answer to a submission that waits with its job: an id and some addresses are a tenth of it."""

FOLLOWED: Final = frozenset({JobStatus.ATTACHED, JobStatus.DUPLICATE})
"""The store has the job with its hold."""


class Wanted(TypedDict):
    """Until when a result is expected, and for how long the job is found by which names. Milliseconds."""

    ttl_ms: int
    names: tuple[str, ...]
    keep_ms: int


async def attach(gate: Gate, job: Job, answer: Answer | None = None) -> str:
    """Lets the hold follow the job, and keeps the answer to its submission. The ledger's word, or `deferred`, or
    `not_booked`: then only this process knows of it. Never raises for what the ledger says."""
    record, wanted = job.record, _wanted(gate, job.record)
    job.attached = False
    try:
        attached = await gate.ledger.attach_job(
            record.hold_id, record.team, record_text(record), **wanted, answer=answer
        )
    except LedgerError as error:
        kept = _small(answer)
        waiting = replace(
            resolution_of(Act.JOB, record.facts, record.context, "job"),
            **wanted,
            job=record_text(record),
            answer=kept.text if kept is not None else "",
            answer_ttl_ms=kept.ttl_ms if kept is not None else 0,
        )
        return "deferred" if await defer(gate, record.facts, waiting, error) else "not_booked"
    job.attached = attached.status in FOLLOWED
    if not job.attached and not job.ended:
        # Time has resolved the hold, or the store has lost it: the end is booked all the same, as late or orphaned.
        emit(SettleFailed(facts=record.facts, credits_held=record.held, reason=f"job: {attached.status}"))
    return attached.status


async def attach_again(gate: Gate, job: Job) -> None:
    """Once more for a job that the store did not take, nor perhaps the outbox. Where it is on disk too, that changes
    nothing; where its hold is over, its names are known from now on."""
    record = job.record
    with suppress(LedgerError):
        attached = await gate.ledger.attach_job(
            record.hold_id, record.team, record_text(record), **_wanted(gate, record)
        )
        job.attached = attached.status in FOLLOWED


def _wanted(gate: Gate, record: JobRecord) -> Wanted:
    ttl_ms = record.deadline_s * 1000
    names = (name_of(record.provider, record.link.job_id),)
    return {"ttl_ms": ttl_ms, "names": names, "keep_ms": ttl_ms + int(gate.jobs.retention_s * 1000)}


def _small(answer: Answer | None) -> Answer | None:
    """The answer, if it may wait in the outbox."""
    return answer if answer is not None and len(answer.text.encode()) <= WAITING_ANSWER_BYTES_MAX else None


def take_up(gate: Gate, replayed: Replayed) -> None:
    """A job from the outbox whose hold time had resolved by then, or the store had lost, is in no list of the store's:
    this process follows it, and its end is booked as late, or as an orphan's."""
    told = replayed.resolution
    if told.act is not Act.JOB or replayed.status not in {JobStatus.RESOLVED, JobStatus.GONE}:
        return
    try:
        record = read_record(told.job)
    except ValueError:
        return
    gate.desk.doubt(gate.desk.adopt(record))


def deadline_s(settings: JobSettings, model: ModelSpec, valid: ValidRequest) -> int:
    """Whole seconds after which the job should have ended: what the model says, else what is usual."""
    capability = model.capability(valid.operation)
    stated_s = None if capability is None else capability.deadline_s(valid.resolution)
    if stated_s is not None:
        return stated_s
    is_video = valid.operation.startswith("video.")
    return ceil(settings.video_deadline_s if is_video else settings.image_deadline_s)
