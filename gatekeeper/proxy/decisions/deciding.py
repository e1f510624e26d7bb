"""May this be done, at what price? The credits are held for whoever does it, and the answer says under which hold.

`decide` goes the way of a generation: admission, then the hold. What the hold is for is kept under its id, so that
whichever gateway is told of the end can price it. The hold follows no job: unless its caller ends it, time does, by
the policy that was asked for.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, Final

from aiohttp import web

from gatekeeper.core.credits import credits_text
from gatekeeper.core.outcome import Pending
from gatekeeper.core.price import Quote
from gatekeeper.core.rejection import Rejected
from gatekeeper.dialects.base import Dialect, JobLink
from gatekeeper.dialects.facts import credits_number
from gatekeeper.events import GenerationReplayed
from gatekeeper.ledger.holdid import hold_id_ms
from gatekeeper.ledger.records import HoldContext, HoldState, OnUnknown, Repeated
from gatekeeper.ledger.reports import OpenHold
from gatekeeper.logs import emit
from gatekeeper.proxy.admission import Admission, admit_call
from gatekeeper.proxy.answering import shadow_headers
from gatekeeper.proxy.body import body_of
from gatekeeper.proxy.decisions.asking import Wanted, read_token, read_wanted, token_sha256, usual_names
from gatekeeper.proxy.flight import Flight, take_off
from gatekeeper.proxy.gate import Call, Gate, Provider
from gatekeeper.proxy.jobs.desk import Job, name_of
from gatekeeper.proxy.jobs.record import DECISIONS, JobRecord, record_text
from gatekeeper.proxy.once import UNNAMED, Once, name_request
from gatekeeper.proxy.pipeline import learn, learn_asked
from gatekeeper.proxy.quoting import catalog_quote_answer, quote_document
from gatekeeper.proxy.refusals import came_before
from gatekeeper.proxy.shadow import tell_shadow
from gatekeeper.upstream.client import Upstream
from gatekeeper.upstream.credential import Credential
from gatekeeper.web.answers import CREDITS_AVAILABLE, CREDITS_HELD, HOLD_ID, REPLAYED, iso_time, json_answer

GRACE_S: Final = 60
"""How long an outcome is waited for when the time of a decision is over."""

KEPT_WITHIN_S: Final = 30
"""Whoever held it has said by then what for, or is gone: the store's patience twice, and a gateway that is busy."""

CREATED: Final = 201

RUNNING: Final = (HoldState.HELD, HoldState.UNKNOWN)
"""Whose outcome may still come."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Credits held for work that is done elsewhere. `quote` is None where a price of now would not be the hold's;
    `replayed`: the same was asked before, and this is the hold of then."""

    record: JobRecord
    on_unknown: OnUnknown
    available: int
    expires_at_ms: int | None
    quote: Quote | None = None
    replayed: bool = False


def decisions_provider(dialect: Dialect) -> Provider:
    """Who offers every model of the catalog, and to whom nothing can be sent."""
    return Provider(
        name=DECISIONS,
        dialect_name="native",
        dialect=dialect,
        bases={"": ""},
        credential=Credential("none"),
        upstream=Upstream(),
        offers_of=DECISIONS,
        models=("*",),
        unknown_grace_s=GRACE_S,
    )


async def answer_decision(gate: Gate, call: Call) -> web.Response:
    """`POST /v1/decisions`."""
    body = await body_of(gate, call)
    wanted = read_wanted(call.request.headers.get("Content-Type", ""), body)
    if call.dry_run:
        return await catalog_quote_answer(gate, call, usual_names(call.catalog, wanted.asked))
    token = read_token(call.request)
    once = await name_request(gate, call, call.candidates[0], body)
    return decision_answer(call, await decide(gate, call, wanted, once, token))


async def decide(
    gate: Gate,
    call: Call,
    wanted: Wanted,
    once: Once,
    token: str | None,
    again: Collection[HoldState] = RUNNING,
    *,
    same_token: bool = False,
) -> Decision:
    """Holds what is wanted, or gives the decision of the same request before, if its hold is in one of the states in
    `again`; `same_token`: that one has this token too. Raises `Rejected`, or the ledger's error: then nothing is held,
    or the outbox sees to that."""
    asked = usual_names(call.catalog, wanted.asked)
    learn_asked(call, asked)
    admission = admit_call(call, asked)
    admission = replace(admission, provider=replace(admission.provider, on_unknown=wanted.on_unknown))
    learn(call, admission)
    call.trace.learn(provider=wanted.provider)
    taken = await _held(gate, call, admission, once, wanted.ttl_s, again)
    if isinstance(taken, Repeated):
        return await _decided_before(gate, call, admission, taken, token, same_token=same_token)
    tell_shadow(gate, call, taken.held)
    async with taken as flight:
        began_ms = int(gate.clock.now().timestamp() * 1000)
        record = replace(
            flight.record(Pending(flight.held.hold_id)), deadline_s=wanted.ttl_s, token_sha256=token_sha256(token)
        )
        await keep(gate, record)
        flight.leave()
    expires_at_ms = began_ms + wanted.ttl_s * 1000
    return Decision(record, wanted.on_unknown, flight.available, expires_at_ms, admission.quote)


async def _held(
    gate: Gate, call: Call, admission: Admission, once: Once, ttl_s: int, again: Collection[HoldState]
) -> Flight | Repeated:
    """The hold, or the same request before, in one of the states in `again`. What came before otherwise is held under
    no name in shadow, and refused outside of it."""
    try:
        taken = await take_off(gate, call, admission, once, ttl_s)
        if isinstance(taken, Repeated):
            call.trace.learn(hold_id=taken.hold_id, credits=taken.amount)
            if taken.state not in again:
                raise came_before(taken, gate.clock.now())
    except Rejected as refused:
        if call.shadow is None or refused.rejection.earlier is None:
            raise
        call.shadow.note(refused.rejection)
        taken = await take_off(gate, call, admission, UNNAMED, ttl_s)
    return taken


async def keep(gate: Gate, record: JobRecord, until_s: int | None = None) -> Job:
    """Lets the decision be found under its hold's id, here and by every other gateway, until some days after its time,
    which is in `until_s` if that is not its first. Raises the ledger's errors."""
    lasting_s = record.deadline_s if until_s is None else until_s
    keep_ms = int((lasting_s + GRACE_S + gate.jobs.retention_s) * 1000)
    name = name_of(DECISIONS, record.hold_id)
    await gate.ledger.name_job(record.team, name, record.hold_id, record_text(record), keep_ms)
    return gate.desk.adopt(record)


async def _decided_before(
    gate: Gate, call: Call, admission: Admission, earlier: Repeated, token: str | None, *, same_token: bool
) -> Decision:
    """The decision that the same request got. Raises `Rejected`: nobody knows any more what its hold was for, or not
    yet; who asks at the same moment may be another, and would take the decision over with a token of his own."""
    team, hold_id = call.caller.team.id, earlier.hold_id
    hold = await gate.ledger.open_hold(hold_id, team)
    job = await gate.desk.find(team, DECISIONS, hold_id)
    now = gate.clock.now()
    is_new = now.timestamp() - hold_id_ms(hold_id) / 1000 < KEPT_WITHIN_S
    if job is None and (hold is None or (is_new and not same_token)):
        raise came_before(earlier, now)
    if job is None and hold is not None:
        # Whoever held it was gone before it could say what for, and before anybody heard of it.
        job = await keep(gate, replace(_record_of(call, admission, hold), token_sha256=token_sha256(token)))
    balance = await gate.ledger.balance(team)
    gate.metrics.answered_again(DECISIONS)
    emit(GenerationReplayed(facts=call.facts, status=CREATED))
    quote = admission.quote if admission.quote.credits == earlier.amount else None
    assert job is not None, "it was found, or made anew"
    policy, deadline_ms = (OnUnknown.RELEASE, None) if hold is None else (hold.on_unknown, hold.deadline_ms)
    return Decision(job.record, policy, balance.available, deadline_ms, quote, replayed=True)


def _record_of(call: Call, admission: Admission, hold: OpenHold) -> JobRecord:
    left_ms = (hold.deadline_ms or hold.held_at_ms) - hold.held_at_ms
    return JobRecord(
        provider=DECISIONS,
        link=JobLink(hold.hold_id, call.route.upstream_path),
        valid=admission.valid,
        price_list=hold.price_list,
        held=hold.amount,
        facts=replace(call.facts),
        context=HoldContext(hold.amount, hold.project, hold.member, hold.key_id, price_list=hold.price_list),
        submitted_at_ms=hold.held_at_ms,
        deadline_s=max(left_ms // 1000, 0),
    )


def decision_answer(call: Call, decision: Decision) -> web.Response:
    """201 with all there is to know."""
    record = decision.record
    document: dict[str, Any] = {
        "id": record.hold_id,
        "state": "held",
        "model": record.valid.model,
        **(quote_document(decision.quote) if decision.quote else {"price_list": record.price_list}),
        "credits": credits_number(record.held),
        "on_unknown": decision.on_unknown,
        "expires_at": None if decision.expires_at_ms is None else iso_time(decision.expires_at_ms),
        "available": credits_number(decision.available),
        "replayed": decision.replayed,
    }
    answer = json_answer(document, call.request_id, status=CREATED)
    answer.headers.update(hold_headers(decision) | shadow_headers(call))
    return answer


def hold_headers(decision: Decision) -> dict[str, str]:
    """Under which hold, of how much, and what is left."""
    headers = {
        HOLD_ID: decision.record.hold_id,
        CREDITS_HELD: credits_text(decision.record.held),
        CREDITS_AVAILABLE: credits_text(decision.available),
    }
    return headers | {REPLAYED: "true"} if decision.replayed else headers
