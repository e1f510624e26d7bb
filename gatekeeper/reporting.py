"""What the ledger's background parts have to say, as log lines and metrics. `app` wires it; it decides nothing."""

from gatekeeper.events import HoldExpired, InternalError
from gatekeeper.ledger.checks import StoreReport
from gatekeeper.ledger.holdid import hold_id_ms
from gatekeeper.ledger.records import EntryKind, Transition
from gatekeeper.ledger.repair import LostHistory
from gatekeeper.ledger.walletrecords import Given
from gatekeeper.logs import emit
from gatekeeper.metrics import Metrics
from gatekeeper.serverevents import HistoryLost, StoreWarning
from gatekeeper.teamevents import AllowanceGiven
from gatekeeper.web.answers import iso_time


def report_store(metrics: Metrics, report: StoreReport) -> None:
    """The store's grade as a metric, and a line for each thing about it that is worth knowing."""
    metrics.durability(report.durability)
    for warning in (*report.problems, *report.warnings):
        emit(StoreWarning(warning=warning))


def report_transition(metrics: Metrics, team: str, transition: Transition) -> None:
    """What time did to a hold."""
    charged = transition.amount if transition.kind is EntryKind.CHARGE else 0
    metrics.resolved_by_time(transition.kind, charged=charged)
    if transition.kind in {EntryKind.EXPIRE, EntryKind.CHARGE}:
        metrics.traffic.hold_ended_since("time", hold_id_ms(transition.hold_id))
    emit(HoldExpired(team=team, hold_id=transition.hold_id, transition=transition.kind, credits=transition.amount))


def report_lost_history(metrics: Metrics, lost: LostHistory) -> None:
    """Entries of a team that the store had acknowledged and has no longer."""
    metrics.history_lost(missing=lost.missing)
    emit(
        HistoryLost(
            team=lost.team,
            seen=lost.seen,
            kept=lost.kept,
            told_again=lost.told_again,
            refused=lost.refused,
            missing=lost.missing,
        )
    )


def report_given(team: str, given: Given) -> None:
    """A recurring grant was given."""
    expires_at = None if given.expires_at_ms is None else iso_time(given.expires_at_ms)
    emit(AllowanceGiven(team=team, grant=given.grant_id, credits=given.amount, expires_at=expires_at))


def report_error(where: str, error: Exception) -> None:
    """What nobody foresaw in a part that runs by itself."""
    emit(InternalError(where=where, error=type(error).__name__))
