"""A generation between its hold and its resolution.

`take_off` holds the credits. From then on the `Flight` owns the hold, and leaving its `async with` block without
having resolved it resolves it there: released when certainly nothing was sent, otherwise recorded as unknown.
Every resolution is one ledger call, one log event and one metric, and runs to its end even if the request is cancelled
meanwhile. What the ledger cannot take because the store is away goes to the outbox.
"""

import asyncio
import secrets
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Self

import orjson

from gatekeeper.core.outcome import Failed, Made, Outcome, Pending, Unknown
from gatekeeper.core.price import charge
from gatekeeper.events import (
    GenerationAdmitted,
    GenerationReleased,
    GenerationSettled,
    HoldUnknown,
    SettleLate,
)
from gatekeeper.ledger.errors import LedgerError, LedgerUnavailable
from gatekeeper.ledger.holdid import RANDOM_BITS, new_hold_id
from gatekeeper.ledger.records import Held, HoldOrder, Settlement, SettleStatus
from gatekeeper.ledger.resolution import Act, Resolution
from gatekeeper.logs import emit
from gatekeeper.proxy.admission import Admission
from gatekeeper.proxy.deferring import defer
from gatekeeper.proxy.gate import Call, Gate
from gatekeeper.proxy.refusals import not_held
from gatekeeper.upstream.messages import Delivery

HOLD_MARGIN_S = 60
"""A hold outlives all that its request may take by this much, so that time never resolves one that still runs."""


async def take_off(gate: Gate, call: Call, admission: Admission) -> "Flight":
    """Holds the quoted credits in one atomic step. Raises `Rejected`, or the ledger's error when it is away."""
    order = _order(gate, call, admission)
    try:
        result = await gate.ledger.hold(order)
    except LedgerUnavailable as error:
        if error.maybe_executed:
            await gate.in_flight.book(_undo(gate, call, order, error))
        raise
    except asyncio.CancelledError:
        await gate.in_flight.book(_undo(gate, call, order))
        raise
    if not isinstance(result, Held):
        raise not_held(result, admission)
    call.trace.learn(hold_id=result.hold_id)
    gate.metrics.admitted(admission.provider.name, admission.model.id, result.amount)
    emit(GenerationAdmitted(facts=call.facts, credits_available=result.available))
    return Flight(gate, call, admission, result)


async def _undo(gate: Gate, call: Call, order: HoldOrder, away: LedgerUnavailable | None = None) -> None:
    """A hold whose answer never came may have been made; nothing was sent, so nothing may stay held."""
    facts = replace(call.facts, hold_id=order.hold_id)
    undo = Resolution(
        act=Act.UNDO,
        team=order.team,
        hold_id=order.hold_id,
        why="hold not confirmed",
        held=order.amount,
        request_id=call.request_id,
    )
    if away is not None and await defer(gate, facts, undo, away):
        return
    try:
        # Behind the hold on the same lane, so it meets whatever that hold did.
        await gate.ledger.release(undo.hold_id, undo.team, reason=undo.why)
    except LedgerError as error:
        if away is None:
            await defer(gate, facts, undo, error)


def _order(gate: Gate, call: Call, admission: Admission) -> HoldOrder:
    provider, facts = admission.provider, call.facts
    now_ms = int(gate.clock.now().timestamp() * 1000)
    meta = {"model": facts.model, "operation": facts.operation, "resolution": facts.resolution, "phase": facts.phase,
            "provider": facts.provider, "outputs": facts.outputs, "request_id": facts.request_id}  # fmt: skip
    return HoldOrder(
        hold_id=new_hold_id(now_ms, secrets.randbits(RANDOM_BITS)),
        team=call.caller.team.id,
        amount=admission.quote.credits,
        ttl_ms=int(_hold_ttl_s(gate, admission) * 1000),
        grace_ms=int(provider.unknown_grace_s * 1000),
        on_unknown=provider.on_unknown,
        project=facts.project or "",
        member=facts.member or "",
        key_id=facts.key_id or "",
        price_list=admission.quote.price_list.id,
        meta=orjson.dumps({key: value for key, value in meta.items() if value is not None}).decode(),
    )


def _hold_ttl_s(gate: Gate, admission: Admission) -> float:
    """The provider's total time, a client that takes its last piece slowly, and the margin; a model may want more."""
    capability = admission.model.capability(admission.valid.operation)
    stated_s = (capability.hold_ttl_s if capability else None) or 0
    return max(admission.provider.timeouts.total_s + gate.client_write_timeout_s + HOLD_MARGIN_S, stated_s)


@dataclass(slots=True)
class Flight:
    """The owner of one hold. `available` is what the team has left as far as this flight knows."""

    gate: Gate
    call: Call
    admission: Admission
    held: Held
    delivery: Delivery = field(default_factory=Delivery)
    upstream_status: int | None = None
    upstream_began_s: float | None = None
    upstream_ended_s: float | None = None
    resolved: bool = False
    charged: int | None = None
    available: int = field(init=False)

    def __post_init__(self) -> None:
        self.available = self.held.available

    async def __aenter__(self) -> Self:
        self.gate.in_flight.began()
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
            self.gate.in_flight.ended()

    async def land(self, outcome: Outcome) -> None:
        """The answer has ended: books what it says was made."""
        self.upstream_ended_s = self.gate.clock.monotonic_s()
        match outcome:
            case Made():
                await self._settle_made(outcome)
            case Failed(reason, billable):
                await (self._settle(self.held.amount, reason, outputs=0) if billable else self.release(reason))
            case Pending():
                # The provider bills an accepted job; until jobs are followed to their end it is charged as quoted.
                await self._settle(self.held.amount, "accepted", outputs=0)
            case Unknown(reason):
                await self.unknown(reason)

    async def release(self, reason: str) -> None:
        """Frees the whole hold: nothing was made."""
        self.resolved = True
        await self.gate.in_flight.book(self._release(reason))

    async def unknown(self, reason: str) -> None:
        """Records that nobody can tell; the hold stays and its policy acts after the grace."""
        self.resolved = True
        await self.gate.in_flight.book(self._unknown(reason))

    async def _settle(self, amount: int, outcome: str, *, outputs: int, over: int = 0) -> None:
        self.resolved = True
        await self.gate.in_flight.book(self._charge(amount, outcome, outputs=outputs, over=over))

    async def _release(self, reason: str) -> None:
        try:
            settlement = await self.gate.ledger.release(self.held.hold_id, self._team, reason=reason)
        except LedgerError as error:
            await self._not_booked(error, Act.RELEASE, reason)
            return
        self._booked(settlement, charged=0)
        self.gate.metrics.resolved(self.admission.provider.name, "released")
        emit(
            GenerationReleased(facts=self.call.facts, credits_held=self.held.amount, outcome=reason, **self._timings())
        )

    async def _unknown(self, reason: str) -> None:
        try:
            await self.gate.ledger.mark_unknown(self.held.hold_id, self._team, reason=reason)
        except LedgerError as error:
            await self._not_booked(error, Act.UNKNOWN, reason)
            return
        provider = self.admission.provider
        self.gate.metrics.resolved(provider.name, "unknown")
        emit(
            HoldUnknown(
                facts=self.call.facts,
                credits_held=self.held.amount,
                reason=reason,
                policy=provider.on_unknown,
                upstream_status=self.upstream_status,
                upstream_ms=self._upstream_ms(),
            )
        )

    async def _settle_made(self, made: Made) -> None:
        worth = charge(self.admission.model, self.admission.valid, made, self.held.amount)
        outcome = made.note or ("made" if made.outputs >= self.admission.valid.outputs else "partial")
        await self._settle(worth.credits, outcome, outputs=made.outputs, over=worth.over)

    async def _charge(self, amount: int, outcome: str, *, outputs: int, over: int) -> None:
        try:
            settlement = await self.gate.ledger.settle(self.held.hold_id, self._team, amount, outcome=outcome)
        except LedgerError as error:
            await self._not_booked(error, Act.SETTLE, outcome, amount)
            return
        self._booked(settlement, charged=amount)
        self.gate.metrics.resolved(self.admission.provider.name, outcome, charged=amount, over=over)
        emit(
            GenerationSettled(
                facts=self.call.facts,
                credits_held=self.held.amount,
                credits_charged=amount,
                credits_over=over,
                outcome=outcome,
                outputs_made=outputs,
                **self._timings(),
            )
        )

    def _booked(self, settlement: Settlement, *, charged: int) -> None:
        self.charged, self.available = charged, settlement.available
        if settlement.status is SettleStatus.LATE:
            emit(
                SettleLate(
                    facts=self.call.facts,
                    credits_held=self.held.amount,
                    credits_charged=charged,
                    debt=settlement.debt,
                )
            )

    async def _not_booked(self, error: LedgerError, act: Act, why: str, amount: int = 0) -> None:
        """The client still gets its answer. The outbox remembers; else the hold stays until time resolves it."""
        resolution = Resolution(
            act=act,
            team=self._team,
            hold_id=self.held.hold_id,
            amount=amount,
            why=why,
            held=self.held.amount,
            request_id=self.call.request_id,
        )
        is_kept = await defer(self.gate, self.call.facts, resolution, error)
        self.gate.metrics.resolved(self.admission.provider.name, "deferred" if is_kept else "not_booked")

    @property
    def _team(self) -> str:
        return self.call.caller.team.id

    def _upstream_ms(self) -> int | None:
        if self.upstream_began_s is None:
            return None
        ended_s = self.upstream_ended_s or self.gate.clock.monotonic_s()
        return round((ended_s - self.upstream_began_s) * 1000)

    def _timings(self) -> dict[str, Any]:
        whole_ms = (self.gate.clock.monotonic_s() - self.call.trace.started_s) * 1000
        upstream_ms = self._upstream_ms()
        return {
            "upstream_status": self.upstream_status,
            "upstream_ms": upstream_ms,
            "overhead_ms": round(whole_ms - (upstream_ms or 0), 2),
        }
