"""What becomes of a resolution that the ledger did not take, and how it is told: now and when it is replayed.

The outbox keeps it, or a log line says that nobody does.
"""

from pathlib import Path
from typing import Final, Protocol

from gatekeeper.events import (
    GenerationFacts,
    SettleDeferred,
    SettleFailed,
    SettleLate,
    SettleOrphan,
    SettleRejected,
    SettleReplayed,
)
from gatekeeper.ledger.errors import LedgerBroken, LedgerError, LedgerUnavailable
from gatekeeper.ledger.holdid import hold_id_ms
from gatekeeper.ledger.records import HoldContext, HoldState, SettleStatus
from gatekeeper.ledger.replay import Replayed
from gatekeeper.ledger.resolution import Act, Resolution
from gatekeeper.logs import emit
from gatekeeper.metrics import Metrics
from gatekeeper.proxy.gate import Gate


def resolution_of(act: Act, facts: GenerationFacts, context: HoldContext, why: str) -> Resolution:
    """What the outbox keeps of any outcome, or of a job to follow. The facts name team, hold and request; what there is
    to charge or to follow is the caller's to add."""
    return Resolution(
        act=act,
        team=facts.team or "",
        hold_id=facts.hold_id or "",
        why=why,
        held=context.amount,
        request_id=facts.request_id,
        project=context.project,
        member=context.member,
        key_id=context.key_id,
        fingerprint=context.fingerprint,
        price_list=context.price_list,
        windows=context.windows,
        usage=context.usage,
    )


async def defer(gate: Gate, facts: GenerationFacts, resolution: Resolution, error: LedgerError) -> bool:
    """Puts it into the outbox if the store was away; True if it is on disk.

    So it does with what a store refuses in a way nobody foresaw: told once more it is booked, or set aside for somebody
    to look at. A call that was wrong in itself stays wrong.
    """
    if isinstance(error, LedgerUnavailable | LedgerBroken):
        try:
            await gate.outbox.write(resolution)
        except LedgerError as unusable:
            error = unusable
        else:
            emit(
                SettleDeferred(
                    facts=facts,
                    act=resolution.act,
                    credits_held=resolution.held,
                    credits_to_charge=resolution.amount,
                )
            )
            return True
    emit(SettleFailed(facts=facts, credits_held=resolution.held, reason=type(error).__name__))
    return False


def report_replayed(metrics: Metrics, rejected: Path, replayed: Replayed) -> None:
    """A metric and a line for what became of a resolution, and one more where it came late."""
    metrics.replayed(replayed.status, charged=replayed.charged if replayed.booked else 0)
    if replayed.rejected:
        emit(_rejected(replayed, rejected))
        return
    emit(_replayed(replayed))
    told = replayed.resolution
    if replayed.booked and told.act in {Act.SETTLE, Act.RELEASE}:
        metrics.traffic.hold_ended_since("outbox", hold_id_ms(told.hold_id))
    if told.act is not Act.UNDO:
        facts = GenerationFacts(request_id=told.request_id, team=told.team, hold_id=told.hold_id)
        report_flagged(metrics, facts, told.held, replayed)


class Booked(Protocol):
    """What the ledger says of an outcome, asked at once or from the outbox."""

    @property
    def status(self) -> str: ...
    @property
    def charged(self) -> int: ...
    @property
    def debt(self) -> int: ...
    @property
    def was(self) -> HoldState | None: ...


FLAGGED: Final = (SettleStatus.LATE, SettleStatus.ORPHAN, SettleStatus.VOIDED)
"""Ends that met no open hold."""

_BOOKED_AS: Final = {
    HoldState.LATE: SettleStatus.LATE,
    HoldState.ORPHAN: SettleStatus.ORPHAN,
    HoldState.VOID: SettleStatus.VOIDED,
}
"""By the state that it left the hold in: how an outcome was booked that the ledger knew already."""


def report_flagged(metrics: Metrics, facts: GenerationFacts, held: int, booked: Booked) -> None:
    """A metric and a line more for an outcome that met no open hold: time had resolved it, or the store had lost it.

    Also where it is told once more, because the first answer was not heard and so nobody has told of it. Where one was
    (the process died between the line and its note that it is done), the line comes twice.
    """
    known = _BOOKED_AS.get(booked.was) if booked.was and booked.status == SettleStatus.DUPLICATE else None
    status = known or booked.status
    if status not in FLAGGED:
        return
    if status == SettleStatus.LATE:
        metrics.flagged("late")
        emit(SettleLate(facts=facts, credits_held=held, credits_charged=booked.charged, debt=booked.debt))
    else:
        metrics.flagged("orphan")
        emit(SettleOrphan(facts=facts, credits_held=held, credits_charged=booked.charged, debt=booked.debt))


def _replayed(replayed: Replayed) -> SettleReplayed:
    told = replayed.resolution
    return SettleReplayed(
        request_id=told.request_id,
        team=told.team,
        hold_id=told.hold_id,
        act=told.act,
        status=replayed.status,
        credits_held=told.held,
        credits_charged=replayed.charged,
    )


def _rejected(replayed: Replayed, file: Path) -> SettleRejected:
    told = replayed.resolution
    return SettleRejected(
        request_id=told.request_id,
        team=told.team,
        hold_id=told.hold_id,
        act=told.act,
        status=replayed.status,
        credits_held=told.held,
        credits_to_charge=told.amount,
        credits_charged=replayed.charged,
        file=str(file),
    )
