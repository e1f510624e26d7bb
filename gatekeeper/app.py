"""The composition root: builds everything from settings, wires it, starts and stops it in order.

Knows every part and decides nothing: no pricing, no routing, no policy. Whoever wants a gateway in a process of its
own calls `serve`; a test that wants one inside its own uses `running_gateway`.
"""

import asyncio
import os
import secrets
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from aiohttp import web

from gatekeeper import __version__
from gatekeeper.admin.plane import AdminPlane, Readiness, Reload, refuse_unparsable, refused_by_http
from gatekeeper.admin.teams_file import apply_teams_file, teams_problems
from gatekeeper.admin.token import admin_token
from gatekeeper.catalog import Catalog, load_catalog
from gatekeeper.clock import Clock, SystemClock
from gatekeeper.dialects.registry import DIALECTS
from gatekeeper.ledger.allowing import AllowanceLoop
from gatekeeper.ledger.confirm import Confirm
from gatekeeper.ledger.errors import LedgerError
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.opening import OpenStore, open_store
from gatekeeper.ledger.outbox import Outbox, open_outbox
from gatekeeper.ledger.repair import LostHistory
from gatekeeper.ledger.replay import Replayed, Replayer
from gatekeeper.ledger.sweeper import Sweeper
from gatekeeper.ledger.teamrecord import KeyRecord
from gatekeeper.ledger.watch import StoreWatch
from gatekeeper.logs import emit
from gatekeeper.metrics import Metrics
from gatekeeper.providers import build_providers, key_headers, provider_problems
from gatekeeper.proxy.deferring import report_replayed
from gatekeeper.proxy.gate import Gate, InFlight, Shelf
from gatekeeper.proxy.jobs.attaching import take_up
from gatekeeper.proxy.jobs.desk import JobDesk
from gatekeeper.proxy.jobs.reconciler import Reconciler
from gatekeeper.proxy.server import DataPlane
from gatekeeper.proxy.webhooks.alerting import AlertLog, send_alert
from gatekeeper.proxy.webhooks.parts import Webhooks, open_webhooks
from gatekeeper.reporting import report_error, report_given, report_lost_history, report_store, report_transition
from gatekeeper.serverevents import CatalogReloaded, ServerStarted, ServerStopped, StoreWarning
from gatekeeper.settings import Settings
from gatekeeper.signals.watcher import Watcher
from gatekeeper.web.auth import Authenticator
from gatekeeper.web.front import FrontRunner, FrontServer
from gatekeeper.yamlfile import ConfigError

HEADER_LINE_BYTES_MAX = 16 * 1024
"""One header or request line: twice what any SDK sends, for long bearer tokens and signed queries."""

SHUTDOWN_GRACE_S_MIN = 0.01
"""At once, as near as makes no difference."""

BOOKING_TIMEOUT_S = 10
"""How long the last ledger calls of a shutdown may take; each is bounded by itself far below this."""

OUTBOX_NAME = "outbox"
"""The outbox's directory in the data directory."""

LEASE_OWNER_BYTES = 8
"""64 random bits name this process among all that ask about jobs."""

REQUEST_ID_BYTES = 12
"""96 random bits: enough to be found alone among all the requests of a year."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway that accepts requests."""

    url: str
    admin_url: str
    admin_token: str
    store: OpenStore
    gate: Gate
    reload: Callable[[], Coroutine[None, None, Reload]]


@dataclass(frozen=True, slots=True)
class Books:
    """Where holds end: in the ledger, or in the outbox until the ledger can be told."""

    ledger: Ledger
    outbox: Outbox
    in_flight: InFlight


@asynccontextmanager
async def open_ledger(settings: Settings) -> AsyncIterator[OpenStore]:
    """The settings' store, checked; beside a running gateway its embedded store too. Raises the ledger's errors."""
    wanted = settings.store
    confirm = Confirm(wanted.wait_replicas, wanted.wait_fsync, wanted.wait_timeout_ms)
    store = await open_store(wanted.url, data_dir(settings), confirm=confirm)
    try:
        yield store
    finally:
        await store.close()


Announce = Callable[[Gateway], Awaitable[None]]


async def serve(settings: Settings, *, announce: Announce | None = None, static_keys: Iterable[KeyRecord] = ()) -> None:
    """Runs a gateway until SIGTERM or SIGINT, then lets what is in flight finish and settle. SIGHUP reloads."""
    stopping, reload_asked = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    # Before anything listens: whoever sees `server.started` may send one at once, and its default is to kill.
    loop.add_signal_handler(signal.SIGHUP, reload_asked.set)
    async with running_gateway(settings, static_keys=static_keys) as gateway:
        reloading = loop.create_task(_reload_when_asked(gateway, reload_asked))
        if announce is not None:
            await announce(gateway)
        await stopping.wait()
        reloading.cancel()


async def _reload_when_asked(gateway: Gateway, asked: asyncio.Event) -> None:
    while True:
        await asked.wait()
        asked.clear()
        await gateway.reload()


@asynccontextmanager
async def running_gateway(
    settings: Settings, *, static_keys: Iterable[KeyRecord] = (), clock: Clock | None = None
) -> AsyncIterator[Gateway]:
    """A gateway that accepts requests inside the block; `clock` is the machine's own unless one is given.

    Raises `ConfigError`, the ledger's errors, or `OSError`.
    """
    shelf = Shelf(_load_all(settings))
    metrics = Metrics()
    async with AsyncExitStack() as stack:
        outbox, in_flight = await _open_outbox(settings, metrics, stack), InFlight()
        # The store comes later, so it closes before: what its closing gives back still finds the outbox open.
        stack.push_async_callback(in_flight.until_none, BOOKING_TIMEOUT_S)
        store = await stack.enter_async_context(open_ledger(settings))
        watch = _start_watch(store, metrics, stack)
        store.ledger.allowances.on_given = report_given
        await _apply_teams(settings, store.ledger)
        books = Books(store.ledger, outbox, in_flight)
        gate = await _build_gate(settings, shelf, books, metrics, static_keys, clock or SystemClock(), stack)
        _start_replayer(gate, stack)
        _start_sweeper(store.ledger, metrics, stack)
        _start_allowances(store.ledger, stack)
        _start_reconciler(gate, stack)
        _start_watcher(gate, settings, stack)
        reload = partial(reload_catalog, settings, shelf, metrics)
        token = admin_token(settings.admin_token, data_dir(settings))
        ready = partial(_readiness, store, watch, shelf)
        admin = AdminPlane(token, metrics, store.ledger, ready, reload, lambda: shelf.catalog)
        admin_url = await _listen_admin(settings, admin, stack)
        stack.push_async_callback(_await_bookings, gate)
        url = await _listen_data(settings, gate, stack)
        emit(_started(url, admin_url, store))
        yield Gateway(url, admin_url, token, store, gate, reload)


def _load_all(settings: Settings) -> Catalog:
    """The catalog; and every mistake in providers, catalog and teams file at once, before anything is written."""
    problems = provider_problems(settings)
    catalog = None
    try:
        catalog = load_catalog(settings.catalog_files())
    except ConfigError as error:
        problems += error.problems
    path = settings.teams_file()
    if path is not None:
        problems += teams_problems(path)
    if catalog is None or problems:
        raise ConfigError(problems)
    return catalog


def data_dir(settings: Settings) -> Path:
    """Where this gateway keeps its own files."""
    return settings.base_dir / settings.store.data_dir


async def _apply_teams(settings: Settings, ledger: Ledger) -> None:
    path = settings.teams_file()
    if path is not None:
        await apply_teams_file(ledger, path, actor="start")


async def _build_gate(  # every argument is a part that is wired in
    settings: Settings,
    shelf: Shelf,
    books: Books,
    metrics: Metrics,
    static_keys: Iterable[KeyRecord],
    clock: Clock,
    stack: AsyncExitStack,
) -> Gate:
    server = settings.server
    providers = await build_providers(settings, stack)
    callers = Authenticator(
        books.ledger.keyring.find, books.ledger.team, clock, static_keys, key_headers(providers.values())
    )
    return Gate(
        providers=providers,
        native_dialect=DIALECTS["native"],
        shelf=shelf,
        ledger=books.ledger,
        outbox=books.outbox,
        authenticator=callers,
        clock=clock,
        metrics=metrics,
        in_flight=books.in_flight,
        new_id=lambda: os.urandom(REQUEST_ID_BYTES).hex(),
        max_body_bytes=server.max_body_mb * 1024**2,
        body_timeout_s=server.body_timeout_s,
        client_write_timeout_s=server.client_write_timeout_s,
        client_total_s=server.client_total_s,
        retry_guard_window_s=server.retry_guard_window_s,
        jobs=settings.jobs,
        desk=JobDesk(books.ledger, clock.monotonic_s),
        webhooks=await _open_webhooks(settings, books, clock, metrics, stack),
        public_url=server.public_url,
    )


async def _open_webhooks(
    settings: Settings, books: Books, clock: Clock, metrics: Metrics, stack: AsyncExitStack
) -> Webhooks:
    secret = await books.ledger.secret()
    report = partial(report_error, "webhooks")
    log = AlertLog(books.ledger, clock, metrics, report)
    opening = open_webhooks(settings, data_dir(settings), secret, clock, metrics, report, log.tried)
    return await stack.enter_async_context(opening)


async def _open_outbox(settings: Settings, metrics: Metrics, stack: AsyncExitStack) -> Outbox:
    directory = data_dir(settings) / OUTBOX_NAME
    outbox = await open_outbox(directory, max_bytes=settings.store.outbox_max_mb * 1024**2)
    stack.push_async_callback(outbox.close)
    metrics.outbox_depth(lambda: outbox.depth)
    for warning in outbox.warnings:
        emit(StoreWarning(warning=warning))
    return outbox


def _start_replayer(gate: Gate, stack: AsyncExitStack) -> None:
    def hear(replayed: Replayed) -> None:
        report_replayed(gate.metrics, gate.outbox.rejected, replayed)
        take_up(gate, replayed)

    replayer = Replayer(gate.ledger, gate.outbox, on_replayed=hear, on_error=partial(report_error, "outbox"))
    replayer.start()
    stack.push_async_callback(replayer.stop)


def _start_sweeper(ledger: Ledger, metrics: Metrics, stack: AsyncExitStack) -> None:
    report = partial(report_transition, metrics)
    sweeper = Sweeper(ledger, on_transition=report, on_error=partial(report_error, "sweeper"))
    sweeper.start()
    stack.push_async_callback(sweeper.stop)


def _start_allowances(ledger: Ledger, stack: AsyncExitStack) -> None:
    loop = AllowanceLoop(ledger.allowances, ledger.wallet, on_error=partial(report_error, "allowances"))
    loop.start()
    stack.push_async_callback(loop.stop)


def _start_reconciler(gate: Gate, stack: AsyncExitStack) -> None:
    owner = secrets.token_hex(LEASE_OWNER_BYTES)
    reconciler = Reconciler(gate, owner, on_error=partial(report_error, "reconciler"))

    def hear(lost: LostHistory) -> None:
        report_lost_history(gate.metrics, lost)
        gate.desk.doubt_all(lost.team)

    gate.ledger.repair.on_lost = hear
    gate.metrics.jobs_open(lambda: reconciler.watched)
    reconciler.start()
    stack.push_async_callback(reconciler.stop)


def _start_watcher(gate: Gate, settings: Settings, stack: AsyncExitStack) -> None:
    """Tells of what limits and budgets have reached."""
    report = partial(report_error, "signals")
    send = partial(send_alert, gate.webhooks, AlertLog(gate.ledger, gate.clock, gate.metrics, report))
    owner = secrets.token_hex(LEASE_OWNER_BYTES)
    watcher = Watcher(
        gate.ledger, lambda: gate.shelf.catalog, settings.signals, gate.metrics, owner, send, on_error=report
    )
    watcher.start()
    stack.push_async_callback(watcher.stop)


async def reload_catalog(settings: Settings, shelf: Shelf, metrics: Metrics) -> Reload:
    """Reads the catalog anew, off the event loop. A bad file keeps the old one; event and answer say what is wrong."""
    try:
        shelf.catalog = await asyncio.to_thread(lambda: load_catalog(settings.catalog_files()))
        problems: tuple[str, ...] = ()
    except ConfigError as error:
        problems = tuple(str(problem) for problem in error.problems)
    done = Reload(not problems, len(shelf.catalog.models), shelf.catalog.digest, problems)
    metrics.reloaded(ok=done.ok)
    emit(CatalogReloaded(ok=done.ok, models=done.models, digest=done.digest, problems=problems))
    return done


def _start_watch(store: OpenStore, metrics: Metrics, stack: AsyncExitStack) -> StoreWatch:
    """Tells what the store is now, and again whenever one of its servers is another."""
    store.ledger.repair.on_lost = partial(report_lost_history, metrics)
    report_store(metrics, store.report)
    watch = StoreWatch(
        store.client,
        store.report,
        # Not after the report, which takes every node: whoever answers may lack what the one before had acknowledged.
        on_change=store.ledger.repair.check_soon,
        on_report=partial(report_store, metrics),
    )
    watch.start()
    stack.push_async_callback(watch.stop)
    return watch


async def _readiness(store: OpenStore, watch: StoreWatch, shelf: Shelf) -> Readiness:
    problems = tuple(f"store: {problem}" for problem in watch.report.problems)
    try:
        await store.client.each("PING")
    except LedgerError as error:
        problems = (f"store: {error}",)
    return Readiness(
        ready=not problems,
        store=_store_name(store),
        durability=watch.report.durability,
        catalog_models=len(shelf.catalog.models),
        catalog_digest=shelf.catalog.digest,
        problems=problems,
    )


def _store_name(store: OpenStore) -> str:
    where = "embedded" if store.embedded is not None else "remote"
    return f"{where} {store.report.server} {store.report.version}"


async def _listen_admin(settings: Settings, admin: AdminPlane, stack: AsyncExitStack) -> str:
    application = admin.application()
    runner = FrontRunner(application, refuse_unparsable, refused_by_http, access_log=None, handle_signals=False)
    return await _listen(runner, settings.server.admin_host, settings.server.admin_port, stack)


async def _listen_data(settings: Settings, gate: Gate, stack: AsyncExitStack) -> str:
    plane = DataPlane(gate)
    server = FrontServer(
        plane.handle,
        plane.refuse_unparsable,
        access_log=None,
        auto_decompress=False,
        keepalive_timeout=settings.server.head_timeout_s,
        max_line_size=HEADER_LINE_BYTES_MAX,
        max_field_size=HEADER_LINE_BYTES_MAX,
    )
    # To aiohttp a grace of exactly 0 means no limit.
    runner = web.ServerRunner(server, shutdown_timeout=max(settings.server.shutdown_grace_s, SHUTDOWN_GRACE_S_MIN))
    return await _listen(runner, settings.server.host, settings.server.port, stack)


async def _listen(runner: web.BaseRunner, host: str, port: int, stack: AsyncExitStack) -> str:
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, host, port).start()
    bound_host, bound_port = runner.addresses[0][:2]
    shown = f"[{bound_host}]" if ":" in bound_host else bound_host
    return f"http://{shown}:{bound_port}"


async def _await_bookings(gate: Gate) -> None:
    """Runs when nothing is accepted any more and the grace is over: what was cut off is still booked as unknown."""
    abandoned = await gate.in_flight.until_none(BOOKING_TIMEOUT_S)
    emit(ServerStopped(pid=os.getpid(), abandoned=abandoned))


def _started(url: str, admin_url: str, store: OpenStore) -> ServerStarted:
    return ServerStarted(
        url=url,
        admin_url=admin_url,
        store=_store_name(store),
        durability=store.report.durability,
        pid=os.getpid(),
        version=__version__,
    )
