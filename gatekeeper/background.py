"""What runs beside the requests: each part is started here, told whom to report to, and stopped with its stack.

Allowances and rounds are the leader's where several processes serve; of the other parts each has its own. What they do
is made for many on one store, by leases and by ids that make the second of two do nothing. Nothing is decided here.
"""

import platform
import secrets
from contextlib import AsyncExitStack
from functools import partial
from typing import Final

from gatekeeper import __version__
from gatekeeper.ledger.allowing import AllowanceLoop
from gatekeeper.ledger.checks import StoreReport
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.opening import OpenStore
from gatekeeper.ledger.repair import LostHistory
from gatekeeper.ledger.replay import Replayed, Replayer
from gatekeeper.ledger.sweeper import Sweeper
from gatekeeper.ledger.watch import StoreWatch
from gatekeeper.metrics import Metrics
from gatekeeper.proxy.deferring import report_replayed
from gatekeeper.proxy.gate import Gate, Shelf
from gatekeeper.proxy.jobs.attaching import take_up
from gatekeeper.proxy.jobs.reconciler import Reconciler
from gatekeeper.proxy.webhooks.alerting import AlertLog, send_alert
from gatekeeper.reporting import report_error, report_lost_history, report_store, report_transition
from gatekeeper.rounds import Rounds
from gatekeeper.settings import Settings
from gatekeeper.signals.watcher import Watcher

LEASE_OWNER_BYTES: Final = 8
"""64 random bits name this process among all that ask about jobs."""


def start_replayer(gate: Gate, stack: AsyncExitStack) -> None:
    """Tells the store what waits in the outbox."""

    def hear(replayed: Replayed) -> None:
        report_replayed(gate.metrics, gate.outbox.rejected, replayed)
        take_up(gate, replayed)

    replayer = Replayer(gate.ledger, gate.outbox, on_replayed=hear, on_error=partial(report_error, "outbox"))
    gate.metrics.vitals.outbox_age_s(lambda: gate.outbox.oldest_age_s)
    replayer.start()
    stack.push_async_callback(replayer.stop)


def start_sweeper(ledger: Ledger, metrics: Metrics, stack: AsyncExitStack, *, walks: bool = True) -> None:
    """Lets time act on the holds that this process made; with `walks` on those of processes that are gone, too."""
    report = partial(report_transition, metrics)
    sweeper = Sweeper(ledger, on_transition=report, on_error=partial(report_error, "sweeper"))
    sweeper.start(walks=walks)
    stack.push_async_callback(sweeper.stop)


def start_allowances(ledger: Ledger, stack: AsyncExitStack) -> None:
    """Gives recurring grants when they are due, whether somebody spends or not."""
    loop = AllowanceLoop(ledger.allowances, ledger.wallet, on_error=partial(report_error, "allowances"))
    loop.start()
    stack.push_async_callback(loop.stop)


def start_rounds(store: OpenStore, shelf: Shelf, metrics: Metrics, stack: AsyncExitStack) -> None:
    """Tells, as metrics, what runs, how the store is, and what is open in it. One process of a gateway does."""
    metrics.vitals.built(__version__, platform.python_version(), lambda: shelf.catalog.digest)
    rounds = Rounds(store.client, metrics.vitals, on_error=partial(report_error, "rounds"))
    rounds.start()
    stack.push_async_callback(rounds.stop)


def start_reconciler(gate: Gate, stack: AsyncExitStack) -> None:
    """Follows the jobs that nobody polls."""
    owner = secrets.token_hex(LEASE_OWNER_BYTES)
    reconciler = Reconciler(gate, owner, on_error=partial(report_error, "reconciler"))

    def hear(lost: LostHistory) -> None:
        report_lost_history(gate.metrics, lost)
        gate.desk.doubt_all(lost.team)

    gate.ledger.repair.on_lost = hear
    gate.metrics.jobs_open(lambda: reconciler.watched)
    gate.metrics.vitals.jobs_behind_s(lambda: reconciler.behind_s)
    reconciler.start()
    stack.push_async_callback(reconciler.stop)


def start_watcher(gate: Gate, settings: Settings, stack: AsyncExitStack) -> None:
    """Tells of what limits and budgets have reached."""
    report = partial(report_error, "signals")
    send = partial(send_alert, gate.webhooks, AlertLog(gate.ledger, gate.clock, gate.metrics, report))
    owner = secrets.token_hex(LEASE_OWNER_BYTES)
    watcher = Watcher(
        gate.ledger, lambda: gate.shelf.catalog, settings.signals, gate.metrics, owner, send, on_error=report
    )
    watcher.start()
    stack.push_async_callback(watcher.stop)


def start_watch(store: OpenStore, metrics: Metrics, stack: AsyncExitStack, *, tells: bool = True) -> StoreWatch:
    """Looks again whenever one of the store's servers is another. `tells`: what it is, now and then; one process does.

    Whether it lacks what was acknowledged each process finds out for what it has seen itself.
    """
    store.ledger.repair.on_lost = partial(report_lost_history, metrics)
    store.client.on_call = metrics.vitals.ledger_call
    tell = partial(report_store, metrics) if tells else _told_elsewhere
    tell(store.report)
    watch = StoreWatch(
        store.client,
        store.report,
        # Not after the report, which takes every node: whoever answers may lack what the one before had acknowledged.
        on_change=store.ledger.repair.check_soon,
        on_report=tell,
    )
    watch.start()
    stack.push_async_callback(watch.stop)
    return watch


def _told_elsewhere(_: StoreReport) -> None:
    """Another process tells it."""
