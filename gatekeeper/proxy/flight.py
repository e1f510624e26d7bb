"""A generation between its hold and its resolution.

`take_off` holds the credits. From then on the `Flight` owns the hold, and leaving its `async with` block without
having resolved it resolves it there: released when certainly nothing was sent, otherwise recorded as unknown.
Every resolution is one ledger call, one log event and one metric, and runs to its end even if the request is cancelled
meanwhile. What the ledger cannot take because the store is away goes to the outbox.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Self

from gatekeeper.core.outcome import Failed, Made, Outcome, Pending, Unknown
from gatekeeper.dialects.base import JobLink
from gatekeeper.events import (
    GenerationReleased,
    HoldUnknown,
    JobAccepted,
    SettleFailed,
)
from gatekeeper.ledger.errors import LedgerBroken, LedgerError, LedgerUnavailable
from gatekeeper.ledger.records import (
    Answer,
    Ending,
    Held,
    HoldContext,
    HoldOrder,
    MarkStatus,
    Repeated,
    Settlement,
    SettleStatus,
)
from gatekeeper.ledger.resolution import Act, Resolution
from gatekeeper.logs import emit
from gatekeeper.proxy.admission import Admission
from gatekeeper.proxy.deferring import FLAGGED, defer, report_flagged, resolution_of
from gatekeeper.proxy.flightlines import FlightLines
from gatekeeper.proxy.gate import Call, Gate
from gatekeeper.proxy.jobs.attaching import attach, deadline_s
from gatekeeper.proxy.jobs.record import JobRecord
from gatekeeper.proxy.jobs.settling import name_job
from gatekeeper.proxy.once import Once
from gatekeeper.proxy.ordering import context_of, order_of
from gatekeeper.proxy.owing import NOTHING, Ended, Owed, ended_with, meta_text
from gatekeeper.proxy.refusals import not_held
from gatekeeper.upstream.messages import Delivery

FAILED_FROM = 400
"""An answer with this status or one above it is none to whoever asked."""

NOT_BOOKED = (SettleStatus.GONE, SettleStatus.MISMATCH)
"""The ledger knows another end of the hold, or no such hold."""

POLL_URL_LENGTH_MAX = 1024
"""A longer address is not kept with its job, nor one of other than plain characters: the usual one is asked then."""


async def take_off(
    gate: Gate, call: Call, admission: Admission, once: Once, ttl_s: float | None = None
) -> "Flight | Repeated":
    """Holds the quoted credits in one atomic step, unless the same request did so before. `ttl_s` is how long its
    outcome may take, where that is not what the provider usually needs.

    Raises `Rejected`, or the ledger's error when it is away.
    """
    order = order_of(gate, call, admission, once, ttl_s)
    places = gate.crowd.holds
    await places.take()
    try:
        result = await gate.ledger.hold(order)
    except (LedgerUnavailable, LedgerBroken) as error:
        if isinstance(error, LedgerBroken) or error.maybe_executed:
            await gate.in_flight.book_here(_undo, gate, call, order, error)
        raise
    except asyncio.CancelledError:
        await gate.in_flight.book_here(_undo, gate, call, order)
        raise
    finally:
        places.give_back()
    if isinstance(result, Repeated) and result.hold_id != order.hold_id:
        return result
    if not isinstance(result, Held):
        raise not_held(result, admission, gate.clock.now())
    trace = call.trace
    trace.facts.hold_id = result.hold_id
    gate.metrics.admitted(admission.provider.name, admission.model.id, result.amount)
    lines = FlightLines(trace.facts)
    lines.admitted(result.available, trace.asked)
    return Flight(gate, call, admission, once, result, context_of(order, result), lines, result.available)


async def _undo(gate: Gate, call: Call, order: HoldOrder, why: LedgerUnavailable | LedgerBroken | None = None) -> None:
    """A hold whose answer never came or cannot be read may have been made. Nothing was sent; nothing may stay held.

    `why`: none where whoever asked is gone. A store that cannot be understood twice is not asked again: that it may
    have kept something is told, and time frees it.
    """
    facts = replace(call.facts, hold_id=order.hold_id)
    undo = Resolution(
        act=Act.UNDO,
        team=order.team,
        hold_id=order.hold_id,
        why="hold not confirmed",
        held=order.amount,
        request_id=call.request_id,
    )
    if isinstance(why, LedgerUnavailable) and await defer(gate, facts, undo, why):
        return
    try:
        # Behind the hold on the same lane, so it meets whatever that hold did.
        await gate.ledger.undo(undo.hold_id, undo.team, reason=undo.why)
    except LedgerError as error:
        if isinstance(why, LedgerBroken) and isinstance(error, LedgerBroken):
            emit(SettleFailed(facts=facts, credits_held=order.amount, reason=type(error).__name__))
        elif not isinstance(why, LedgerUnavailable):
            await defer(gate, facts, undo, error)


@dataclass(slots=True)
class Flight:
    """The owner of one hold. `available` is what the team has left as far as this flight knows.

    `client_waits_s` is how long a slow client kept the answer back: neither the provider's time nor ours.
    """

    gate: Gate
    call: Call
    admission: Admission
    once: Once
    held: Held
    context: HoldContext
    lines: FlightLines
    available: int
    delivery: Delivery = field(default_factory=Delivery)
    upstream_status: int | None = None
    upstream_began_s: float | None = None
    upstream_ended_s: float | None = None
    client_waits_s: float = 0
    resolved: bool = False
    deferred: bool = False
    charged: int | None = None
    kept: Answer | None = None

    async def __aenter__(self) -> Self:
        self.gate.in_flight.began()
        self.gate.habits.begun(self.call.trace.habit, self.gate.clock.monotonic_s())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """No way out leaves the hold behind."""
        reason = "abandoned" if kind is None else f"abandoned: {kind.__name__}"
        try:
            if not self.resolved:
                await (self.unknown(reason) if self.delivery.sent else self.release(reason))
        finally:
            answered = kind is None and self.upstream_status is not None and self.upstream_status < FAILED_FROM
            self.gate.habits.ended(self.call.trace.habit, self.gate.clock.monotonic_s(), answered=answered)
            self.gate.in_flight.ended()

    def land(self, outcome: Outcome, kept: Answer | None = None) -> Coroutine[Any, Any, None]:
        """The answer has ended: books what it says was made, and keeps it for when the same is asked again. What this
        gives back has to be awaited at once."""
        self.kept = kept
        if type(outcome) is not Made:
            return self._land_without(outcome)
        of = self.admission
        end = ended_with(of.model, of.valid, outcome, self.held.amount, of.asked)
        self.resolved = True
        if outcome.job_id is not None:
            return self._land_and_name(end, outcome.job_id, outcome.files)
        return self.gate.in_flight.book_here(self._charge, end)

    async def _land_and_name(self, end: Ended, job_id: str, files: tuple[str, ...]) -> None:
        """It ended at once, and can be asked for again all the same, by its own name or by those of its files."""
        await self.gate.in_flight.book_here(self._charge, end)
        job = self.gate.desk.adopt(self.record(Pending(job_id)))
        job.ended, job.charged = self.deferred or self.charged is not None, self.charged
        for name in (job_id, *files):
            await name_job(self.gate, job, name)

    async def _land_without(self, outcome: Outcome) -> None:
        """What is no work that was made."""
        match outcome:
            case Failed(reason, True, cost):
                full = Owed(self.held.amount, self.held.amount, note=reason)
                end = Ended(full, "failed_billable", cost, meta_text({}, cost))
                self.resolved = True
                await self.gate.in_flight.book_here(self._charge, end)
            case Failed(reason):
                await self.release(reason)
            case Unknown(reason):
                await self.unknown(reason)
            case Pending():
                self.resolved = True
                await self.gate.in_flight.book_here(self._follow, outcome)

    async def release(self, reason: str) -> None:
        """Frees the whole hold: nothing was made."""
        self.resolved = True
        await self.gate.in_flight.book_here(self._release, reason)

    async def unknown(self, reason: str) -> None:
        """Records that nobody can tell; the hold stays and its policy acts after the grace."""
        self.resolved = True
        await self.gate.in_flight.book_here(self._unknown, reason)

    async def _release(self, reason: str) -> None:
        try:
            settlement = await self.gate.ledger.release(
                self.held.hold_id, self._team, reason=reason, context=self.context
            )
        except LedgerError as error:
            await self._defer(error, self._resolution(Act.RELEASE, reason))
            return
        if not self._is_booked(settlement):
            return
        upstream_ms = self._count("released")
        emit(
            GenerationReleased(
                facts=self.call.facts,
                credits_held=self.held.amount,
                outcome=reason,
                upstream_status=self.upstream_status,
                upstream_ms=upstream_ms,
                overhead_ms=self._overhead_ms(upstream_ms),
            )
        )

    async def _unknown(self, reason: str) -> None:
        try:
            marked = await self.gate.ledger.mark_unknown(self.held.hold_id, self._team, reason=reason)
        except LedgerError as error:
            await self._defer(error, self._resolution(Act.UNKNOWN, reason))
            return
        if marked.status in {MarkStatus.GONE, MarkStatus.RESOLVED}:
            self._not_booked(marked.status)
            return
        upstream_ms = self._count("unknown")
        emit(
            HoldUnknown(
                facts=self.call.facts,
                credits_held=self.held.amount,
                reason=reason,
                policy=self.admission.provider.on_unknown,
                upstream_status=self.upstream_status,
                upstream_ms=upstream_ms,
            )
        )

    async def _charge(self, end: Ended) -> None:
        due, team = end.due, self.call.caller.team.id
        ending = Ending(
            self.held.hold_id, due.amount, end.settled_as, end.meta, False, self.context, self.kept,
            due.within_available, end.outputs,
        )  # fmt: skip
        try:
            settlement = await self.gate.ledger.end(team, ending)
        except LedgerError as error:
            resolution = replace(self._resolution(Act.SETTLE, end.settled_as, due, end.meta), outputs=end.outputs)
            await self._defer(error, resolution)
            return
        if self._is_booked(settlement):
            self._tell_settled(settlement.charged, end)

    def _tell_settled(self, charged: int, end: Ended) -> None:
        worth, held = end.due.worth, self.held.amount
        over = worth - charged if worth > charged else 0
        upstream_ms = self._count(end.settled_as, charged=charged, over=over)
        overhead_ms = self._overhead_ms(upstream_ms)
        self.lines.settled(held, charged, over, end, self.upstream_status, upstream_ms, overhead_ms)

    def leave(self) -> None:
        """What is held goes on without this flight: whoever does the work says how it ended."""
        self.resolved = True
        self.gate.metrics.left()

    async def _follow(self, pending: Pending) -> None:
        """The work goes on without this request: its hold follows the job from now on."""
        job = self.gate.desk.adopt(self.record(pending))
        status = await attach(self.gate, job, self.kept)
        self.gate.metrics.job_accepted(self.admission.provider.name)
        self.gate.recent.asked(job.record.hold_id)
        self.call.trace.ended = "job"
        upstream_ms = self._count_upstream()
        emit(
            JobAccepted(
                facts=self.call.facts,
                job=pending.job_id,
                credits_held=self.held.amount,
                deadline_s=job.record.deadline_s,
                status=status,
                upstream_status=self.upstream_status,
                upstream_ms=upstream_ms,
            )
        )

    def record(self, pending: Pending) -> JobRecord:
        """What is to be known of the work that goes on without this flight."""
        url = pending.poll_url or ""
        fits = 0 < len(url) <= POLL_URL_LENGTH_MAX and url.isascii() and url.isprintable()
        return JobRecord(
            provider=self.admission.provider.name,
            link=JobLink(pending.job_id, self.call.route.upstream_path, url if fits else None, pending.ended),
            valid=self.admission.valid,
            price_list=self.admission.quote.price_list.id,
            held=self.held.amount,
            facts=replace(self.call.facts),
            context=self.context,
            submitted_at_ms=int(self.gate.clock.now().timestamp() * 1000),
            deadline_s=deadline_s(self.gate.jobs, self.admission.model, self.admission.valid),
            hook=self.call.trace.hook,
            cost=pending.cost,
            traceparent="" if self.call.trace.noted is None else self.call.trace.noted.traceparent,
        )

    def _is_booked(self, settlement: Settlement) -> bool:
        """What the ledger says of the end. False: it is not booked, and nothing may be said to be charged."""
        if settlement.status in NOT_BOOKED:
            self._not_booked(settlement.status)
            return False
        self.charged, self.available = settlement.charged, settlement.available
        # Nobody else ends this hold: what the ledger knew already is ours, and its first answer was not heard.
        if settlement.status in FLAGGED or settlement.status is SettleStatus.DUPLICATE:
            report_flagged(self.gate.metrics, self.call.facts, self.held.amount, settlement)
        return True

    async def _defer(self, error: LedgerError, resolution: Resolution) -> None:
        """The client still gets its answer. The outbox remembers; else the hold stays until time resolves it."""
        self.deferred = await defer(self.gate, self.call.facts, resolution, error)
        self._unbooked("deferred" if self.deferred else "not_booked")

    def _resolution(self, act: Act, why: str, due: Owed = NOTHING, meta: str = "") -> Resolution:
        known = resolution_of(act, self.call.facts, self.context, why)
        return replace(known, amount=due.amount, meta=meta, within_available=due.within_available)

    def _count(self, outcome: str, *, charged: int = 0, over: int = 0) -> int | None:
        metrics = self.gate.metrics
        metrics.resolved(self.admission.provider.name, outcome, charged=charged, over=over)
        self.call.trace.ended = outcome
        if outcome != "unknown" and self.upstream_began_s is not None:
            # From just after the hold was made.
            metrics.traffic.hold_ended(self.gate.clock.monotonic_s() - self.upstream_began_s)
        return self._count_upstream()

    def _unbooked(self, outcome: str) -> None:
        self.gate.metrics.unbooked(self.admission.provider.name, outcome)
        self.call.trace.ended = outcome

    def _count_upstream(self) -> int | None:
        """Counts how long the provider took, and gives that back, in milliseconds."""
        if self.upstream_began_s is None:
            return None
        ended_s = self.upstream_ended_s or self.gate.clock.monotonic_s()
        took_ms = max(round((ended_s - self.upstream_began_s - self.client_waits_s) * 1000), 0)
        self.gate.metrics.upstream_took(self.admission.provider.name, took_ms / 1000)
        return took_ms

    def _not_booked(self, reason: str) -> None:
        """The ledger knows another end of this hold, or no such hold: trying again would not change that."""
        self._unbooked("not_booked")
        emit(SettleFailed(facts=self.call.facts, credits_held=self.held.amount, reason=reason))

    @property
    def _team(self) -> str:
        return self.call.caller.team.id

    def _overhead_ms(self, upstream_ms: int | None) -> float:
        """What of the whole time was the gateway's own."""
        whole_s = self.gate.clock.monotonic_s() - self.call.trace.started_s - self.client_waits_s
        return round(whole_s * 100_000 - 100 * (upstream_ms or 0)) / 100  # to two places, in half the time
