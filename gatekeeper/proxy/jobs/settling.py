"""The end of a job, booked once, whoever learns it: a poll of the caller's, the reconciler, a webhook.

The ledger decides who was first: a hold ends once, and who comes later changes nothing. In this process one at a time
ends a job, and nobody tells the ledger what it was told before. What the ledger cannot take because the store is away
goes to the outbox. A booking that was begun runs to its end, whatever becomes of whoever began it.
"""

from collections.abc import Awaitable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Final

from gatekeeper.core.outcome import Cost, Failed, Made
from gatekeeper.events import (
    GenerationReleased,
    GenerationSettled,
    JobEnd,
    JobFinished,
    JobVia,
    SettledAs,
    SettleFailed,
)
from gatekeeper.ledger.errors import LedgerError, LedgerInvalid
from gatekeeper.ledger.records import Settlement, SettleStatus
from gatekeeper.ledger.resolution import Act
from gatekeeper.logs import emit
from gatekeeper.proxy.deferring import defer, report_flagged, resolution_of
from gatekeeper.proxy.gate import Gate
from gatekeeper.proxy.jobs.desk import Job, name_of
from gatekeeper.proxy.jobs.record import JobRecord, record_text
from gatekeeper.proxy.owing import NOTHING, Owed, cost_facts, made_as, outcome_meta, outputs_made, owed
from gatekeeper.proxy.telling import made_words

FILES_MAX: Final = 16
"""Names of outputs that are remembered of one job: more than any model makes."""


ORPHAN_AGE_MAX_S: Final = 48 * 3600
"""So long the ledger books an end whose hold it does not know. Past that, one that it does not know has ended, and is
forgotten: somebody polls what is long over."""


@dataclass(frozen=True, slots=True)
class _End:
    """How a job ended, as it is booked. `settled_as` None: it is a release, for the reason in `why`."""

    outcome: JobEnd
    why: str
    via: JobVia
    settled_as: SettledAs | None = None
    owed: Owed = NOTHING
    meta: str = ""
    made: Made | None = None
    cost: Cost | None = None


async def finish(gate: Gate, record: JobRecord, outcome: Made | Failed, via: JobVia) -> Job:
    """Books how a job ended. When it returns, that is booked or on disk, now or before, or a log line says why not.

    Never raises for what the ledger says.
    """
    job = gate.desk.adopt(record)
    if not job.ended:
        await gate.in_flight.book(_end(gate, job, _end_of(gate, record, outcome, via)))
    if isinstance(outcome, Made) and outcome.files:
        await _name_files(gate, job, outcome.files[:FILES_MAX])
    return job


async def give_up(gate: Gate, record: JobRecord, *, charge: bool) -> Job:
    """The provider knows nothing of the job any more, and its time is over: charges its hold, or frees it."""
    job = gate.desk.adopt(record)
    settled_as: SettledAs | None = "policy" if charge else None
    amount = record.held if charge else 0
    end = _End("policy", "job gone", "reconciler", settled_as, Owed(amount, amount, note="job gone"))
    await gate.in_flight.book(_end(gate, job, end))
    return job


async def charge_stated(gate: Gate, record: JobRecord, amount: int) -> Job:
    """Whoever did the work says what it cost, in micro-credits, more than nothing and at most what is held: the price
    of what was made is not looked up. As `finish` otherwise."""
    job, made = gate.desk.adopt(record), Made(record.valid.outputs)
    end = _End(
        "made", "made", "decision", "made", Owed(amount, amount, note="as stated"),
        outcome_meta(made, None, "decision"), made,
    )  # fmt: skip
    if not job.ended:
        await gate.in_flight.book(_end(gate, job, end))
    return job


async def cancelled(gate: Gate, job: Job) -> None:
    """Its caller had the provider stop it, which every process has to know that learns that it is gone."""
    job.cancelled = True
    await name_job(gate, job, _cancelled_name(job.record))


async def was_cancelled(gate: Gate, job: Job) -> bool:
    """Whether its caller had the provider stop it, here or at another process. Raises the ledger's errors."""
    record = job.record
    if not job.cancelled:
        known_as = name_of(record.provider, _cancelled_name(record))
        job.cancelled = await gate.ledger.job(record.team, known_as) is not None
    return job.cancelled


def _cancelled_name(record: JobRecord) -> str:
    """A name more for the job, which no provider gives one."""
    return f"!cancelled/{record.hold_id}"


async def name_job(gate: Gate, job: Job, name: str) -> bool:
    """From now on the team finds its job under this name too. False: the store is away, and only this process knows."""
    gate.desk.call_it(job, name)
    record = job.record
    keep_ms, known_as = int(gate.jobs.retention_s * 1000), name_of(record.provider, name)
    try:
        await gate.ledger.name_job(record.team, known_as, record.hold_id, record_text(record), keep_ms)
    except LedgerError as error:
        emit(SettleFailed(facts=record.facts, credits_held=record.held, reason=f"name: {type(error).__name__}"))
        return False
    return True


async def _name_files(gate: Gate, job: Job, files: tuple[str, ...]) -> None:
    """Until the store has each, and not again in this process. Another one does it again, which changes nothing."""
    for name in files:
        gate.desk.call_it(job, name)
    for name in files:
        if name not in job.names:
            if not await name_job(gate, job, name):
                return  # nor would the store take the others now, and whoever polls waits
            job.names.add(name)


def _end_of(gate: Gate, record: JobRecord, outcome: Made | Failed, via: JobVia) -> _End:
    cost = outcome.cost or record.cost
    meta = outcome_meta(outcome, cost, via)
    if isinstance(outcome, Failed):
        if not outcome.billable:
            return _End("failed", outcome.reason, via, meta=meta, cost=cost)
        full = Owed(record.held, record.held, note=outcome.reason)
        return _End("failed_billable", "failed_billable", via, "failed_billable", full, meta, cost=cost)
    model = gate.shelf.find_model(record.valid.model, record.price_list)
    settled_as = made_as(record.valid, outcome)
    due = owed(model, record.valid, outcome, record.held)
    return _End("made" if settled_as == "made" else "partial", settled_as, via, settled_as, due, meta, outcome, cost)


async def _end(gate: Gate, job: Job, end: _End) -> None:
    async with job.ending:
        if job.ended:
            return
        with nullcontext() if gate.spans is None else gate.spans.booking(job.record, end.via, end.outcome):
            settlement = await _book(gate, job, end, _told(gate, job.record, end))
        if settlement is not None and settlement.status is not SettleStatus.DUPLICATE:
            _tell(gate, job, end, settlement)


def _told(gate: Gate, record: JobRecord, end: _End) -> Awaitable[Settlement]:
    return gate.ledger.settle(
        record.hold_id,
        record.team,
        end.owed.amount,
        outcome=end.why,
        meta=end.meta,
        context=record.context,
        within_available=end.owed.within_available,
        outputs=outputs_made(end.made) if end.made else 0,
    )


async def _book(gate: Gate, job: Job, end: _End, booking: Awaitable[Settlement]) -> Settlement | None:
    """Tells the ledger. None: it is not booked by this; the job has its end all the same if that is kept somewhere."""
    record = job.record
    try:
        settlement = await booking
    except LedgerError as error:
        if isinstance(error, LedgerInvalid) and end.owed.amount > record.held:
            # More than any books can take: an absurd reading, and what was held is not.
            end = replace(end, owed=replace(end.owed, amount=record.held, within_available=False))
            return await _book(gate, job, end, _told(gate, record, end))
        act = Act.SETTLE if end.settled_as else Act.RELEASE
        due = end.owed
        known = resolution_of(act, record.facts, record.context, end.why)
        resolution = replace(
            known, amount=due.amount, meta=end.meta, within_available=due.within_available,
            outputs=outputs_made(end.made) if end.made else 0,
        )  # fmt: skip
        job.ended = await defer(gate, record.facts, resolution, error)
        gate.metrics.job_resolved(record.provider, "deferred" if job.ended else "not_booked")
        if job.ended:
            job.waiting = due.amount
            _tell_finished(gate, job, end)
        return None
    job.ended, job.charged = True, settlement.charged
    if settlement.status in {SettleStatus.GONE, SettleStatus.MISMATCH}:
        # Another reading of this end was booked before, or the hold is older than anybody remembers.
        is_gone = settlement.status is SettleStatus.GONE
        job.charged = None if is_gone else settlement.charged
        # Who gives a job up says nothing else than what was booked; that it ended is news here alone.
        if end.outcome == "policy" or (is_gone and age_of(gate, record) > ORPHAN_AGE_MAX_S):
            return None
        gate.metrics.job_resolved(record.provider, "not_booked")
        emit(SettleFailed(facts=record.facts, credits_held=record.held, reason=settlement.status))
        return None
    return settlement


def _tell(gate: Gate, job: Job, end: _End, settlement: Settlement) -> None:
    record = job.record
    report_flagged(gate.metrics, record.facts, record.held, settlement)
    over = max(end.owed.worth - settlement.charged, 0)
    label = end.settled_as or "released"
    gate.metrics.job_resolved(record.provider, label, charged=settlement.charged, over=over)
    if end.settled_as is None:
        emit(GenerationReleased(facts=record.facts, credits_held=record.held, outcome=end.why))
    else:
        emit(
            GenerationSettled(
                facts=record.facts,
                credits_held=record.held,
                credits_charged=settlement.charged,
                credits_over=over,
                outcome=end.settled_as,
                note=end.owed.note,
                outputs_made=end.made.outputs if end.made else 0,
                quality_made=end.made.quality if end.made else None,
                made=made_words(end.made) if end.made else None,
                **cost_facts(end.cost),
            )
        )
    _tell_finished(gate, job, end)


def _tell_finished(gate: Gate, job: Job, end: _End) -> None:
    record = job.record
    age_s = age_of(gate, record)
    gate.metrics.job_ended(record.provider, end.outcome, end.via, age_s=age_s)
    gate.metrics.traffic.hold_ended_via("job", age_s)
    told = JobFinished(
        facts=record.facts,
        job=record.link.job_id,
        outcome=end.outcome,
        via=end.via,
        age_s=round(age_s),
        credits_charged=job.charged,
    )
    emit(told)
    gate.recent.ended(told)


def age_of(gate: Gate, record: JobRecord) -> float:
    """Seconds since the job was submitted, by this gateway's clock or another's."""
    return max(gate.clock.now().timestamp() - record.submitted_at_ms / 1000, 0)
