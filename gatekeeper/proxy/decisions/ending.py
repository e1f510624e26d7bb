"""The end of a decision, and what stands before it: settle, release, extend, and where it stands.

Only a decision is found here. A hold of a route that the gateway forwards is ended by the provider's answer and by
nobody's word, and a hold of another team is none at all: to either this says that there is no such hold.
"""

from collections.abc import Sequence
from typing import Any, Final

from aiohttp import web

from gatekeeper.core.credits import credits_text
from gatekeeper.core.outcome import Failed, Made
from gatekeeper.core.rejection import Code, EarlierFacts, Rejected, Rejection, refuse
from gatekeeper.dialects.complaints import malformed
from gatekeeper.dialects.facts import credits_number
from gatekeeper.dialects.fields import read_json
from gatekeeper.dialects.native import nearest_name
from gatekeeper.ledger.holdid import is_hold_id
from gatekeeper.ledger.records import ExtendStatus
from gatekeeper.proxy.body import body_of
from gatekeeper.proxy.decisions.asking import TTL_MAX_S, check_json, check_token, has_token, read_ttl_s
from gatekeeper.proxy.decisions.deciding import keep
from gatekeeper.proxy.decisions.outcome import Stated, read_release, read_settle
from gatekeeper.proxy.gate import Call, Gate
from gatekeeper.proxy.jobs.desk import Job
from gatekeeper.proxy.jobs.record import DECISIONS, JobRecord
from gatekeeper.proxy.jobs.settling import charge_stated, finish
from gatekeeper.proxy.owing import NOTHING, Owed, owed
from gatekeeper.proxy.refusals import LEDGER_RETRY_AFTER_S
from gatekeeper.web.answers import CREDITS_CHARGED, CREDITS_HELD, HOLD_ID, iso_time, json_answer

LIFE_MAX_S: Final = 48 * 3600
"""From the hold to the last deadline that an extend may set: past that the store could not tell a hold that it has lost
from one that has ended."""

ACCEPTED: Final = 202


async def answer_settle(gate: Gate, call: Call) -> web.Response:
    """`POST /v1/decisions/{hold}/settle`: charges what was made, and frees the rest."""
    body = await body_of(gate, call)
    job = await _job_of(gate, call)
    told = read_settle(call.request.headers.get("Content-Type", ""), body, job.record)
    return await _end(gate, call, job, told)


async def answer_release(gate: Gate, call: Call) -> web.Response:
    """`POST /v1/decisions/{hold}/release`: nothing was made, nothing is charged."""
    body = await body_of(gate, call)
    job = await _job_of(gate, call)
    told = read_release(call.request.headers.get("Content-Type", ""), body)
    return await _end(gate, call, job, told)


async def answer_extend(gate: Gate, call: Call) -> web.Response:
    """`POST /v1/decisions/{hold}/extend`: the work takes longer. A later deadline stays."""
    body = await body_of(gate, call)
    job = await _job_of(gate, call)
    ttl_s = _read_extend(call.request.headers.get("Content-Type", ""), body)
    record = job.record
    left_s = record.submitted_at_ms / 1000 + LIFE_MAX_S - gate.clock.now().timestamp()
    if ttl_s > left_s:
        raise malformed(
            f"ttl_s: a decision lives for {LIFE_MAX_S // 3600} hours in all; {max(int(left_s), 0)} s are left."
        )
    if job.ended:
        raise _ended(job.record, job.charged)
    await keep(gate, record, until_s=ttl_s)
    extended = await gate.ledger.terms.extend(record.hold_id, record.team, ttl_s * 1000)
    if extended.status in {ExtendStatus.RESOLVED, ExtendStatus.GONE}:
        ended = await gate.ledger.terms.ended(record.hold_id, record.team)
        raise _ended(record, None if ended is None else ended.charged)
    return _hold_answer(call, record, "held", extended.deadline_ms)


async def answer_where(gate: Gate, call: Call) -> web.Response:
    """`GET /v1/decisions/{hold}`."""
    record = (await _job_of(gate, call, to_end=False)).record
    hold = await gate.ledger.open_hold(record.hold_id, record.team)
    if hold is not None:
        return _hold_answer(call, record, hold.state, hold.deadline_ms)
    ended = await gate.ledger.terms.ended(record.hold_id, record.team)
    if ended is None:
        raise _not_found()
    return _ended_answer(call, record, ended.state, ended.charged)


def _read_extend(content_type: str, body: Sequence[bytes]) -> int:
    check_json(content_type)
    fields = read_json(body)
    for name in fields.names():
        if name != "ttl_s":
            fields.complaints.unknown(name, ("ttl_s",), nearest_name(name, ("ttl_s",)))
            break
    ttl_s = read_ttl_s(fields)
    if not fields.given("ttl_s"):
        fields.missing("ttl_s", f"1 to {TTL_MAX_S} seconds")
    fields.finish()
    assert ttl_s is not None, "what is missing or wrong was refused"
    return ttl_s


async def _job_of(gate: Gate, call: Call, *, to_end: bool = True) -> Job:
    """The decision that the path names. Raises `Rejected` (hold_not_found): none of this team, or not the caller's.
    With a key that is over only who has the decision's token gets on: work is paid for that outlives its key."""
    if to_end and call.dry_run:
        raise refuse(Code.MALFORMED_REQUEST, "Gatekeeper-Dry-Run has no place here: what is told is booked.")
    hold_id = call.route.job or ""
    job = await gate.desk.find(call.caller.team.id, DECISIONS, hold_id) if is_hold_id(hold_id) else None
    over = call.caller.over
    if over is not None and (job is None or not to_end or not has_token(call.request, job.record)):
        raise over
    if job is None:
        raise _not_found()
    # As with a job: this request is itself, and how the work ended is told with the facts of the one that began it.
    begun = job.record.facts
    call.trace.learn(provider=begun.provider, hold_id=job.record.hold_id, model=begun.model)
    if to_end:
        check_token(call.request, job.record)
    return job


async def _end(gate: Gate, call: Call, job: Job, told: Made | Failed | Stated) -> web.Response:
    """Books it if nobody did before; says the same again to whoever says the same again."""
    record, due = job.record, NOTHING
    if isinstance(told, Stated):
        due = Owed(told.amount, told.amount)
        job = await charge_stated(gate, record, told.amount)
    else:
        if isinstance(told, Made):
            model = gate.shelf.find_model(record.valid.model, record.price_list)
            due = owed(model, record.valid, told, record.held)
        job = await finish(gate, record, told, "decision")
    if not job.ended:
        detail = "The end of this decision could not be kept here. Nothing is lost: tell it again."
        raise refuse(Code.LEDGER_UNAVAILABLE, detail, retry_after_s=LEDGER_RETRY_AFTER_S)
    if job.charged is None and job.waiting == due.amount:
        return _ended_answer(call, record, "deferred", None)
    if job.charged is None or not _is_same(job.charged, due, record.held):
        raise _ended(record, job.charged)
    return _ended_answer(call, record, "settled" if job.charged else "released", job.charged)


def _is_same(charged: int, due: Owed, held: int) -> bool:
    """Whether this is what was booked: of what is beyond the hold there may have been less."""
    return charged == due.amount or (due.within_available and held <= charged < due.amount)


def _not_found() -> Rejected:
    return refuse(
        Code.HOLD_NOT_FOUND,
        "No such decision of this team. What the gateway forwards is settled by the provider's answer, not from here.",
    )


def _ended(record: JobRecord, charged: int | None) -> Rejected:
    if charged is None:
        said = "how is not known here (any more)"
    else:
        said = f"{credits_text(charged)} credits were charged" if charged else "nothing was charged"
    detail = f"This decision has ended before: {said}. That is final; nothing was changed."
    return Rejected(Rejection(Code.HOLD_ENDED, detail, earlier=EarlierFacts(record.hold_id, charged)))


def _hold_answer(call: Call, record: JobRecord, state: str, deadline_ms: int | None) -> web.Response:
    return _answer(call, record, state, {"expires_at": None if deadline_ms is None else iso_time(deadline_ms)})


def _ended_answer(call: Call, record: JobRecord, state: str, charged: int | None) -> web.Response:
    """202 as long as it waits for the store: it is on disk, and will be booked."""
    if charged is None:
        return _answer(call, record, state, {"credits_charged": None}, status=ACCEPTED)
    answer = _answer(call, record, state, {"credits_charged": credits_number(charged)})
    answer.headers[CREDITS_CHARGED] = credits_text(charged)
    return answer


def _answer(call: Call, record: JobRecord, state: str, more: dict[str, Any], status: int = 200) -> web.Response:
    document = {"id": record.hold_id, "state": state, "credits": credits_number(record.held), **more}
    answer = json_answer(document, call.request_id, status=status)
    answer.headers.update({HOLD_ID: record.hold_id, CREDITS_HELD: credits_text(record.held)})
    return answer
