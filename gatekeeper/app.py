"""The composition root: builds everything from settings, wires it, starts and stops it in order.

Knows every part and decides nothing: no pricing, no routing, no policy. Whoever wants a gateway in a process of its
own calls `serve`; a test that wants one inside its own uses `running_gateway`.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

from gatekeeper import __version__
from gatekeeper.admin.plane import AdminPlane, Readiness, Reload
from gatekeeper.admin.teams_file import apply_teams_file, teams_problems
from gatekeeper.admin.token import admin_token
from gatekeeper.background import (
    start_allowances,
    start_reconciler,
    start_replayer,
    start_rounds,
    start_sweeper,
    start_watch,
    start_watcher,
)
from gatekeeper.catalog import Catalog, load_catalog
from gatekeeper.clock import Clock, SystemClock
from gatekeeper.dialects.registry import DIALECTS
from gatekeeper.garbage import free_what_was_left, leave_in_peace
from gatekeeper.ledger.errors import LedgerError
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.opening import OpenStore
from gatekeeper.ledger.outbox import Outbox, open_outbox
from gatekeeper.ledger.teamrecord import KeyRecord
from gatekeeper.ledger.watch import StoreWatch
from gatekeeper.listening import listen_admin, listen_data
from gatekeeper.logs import emit
from gatekeeper.metrics import Metrics
from gatekeeper.providers import build_providers, key_headers, provider_problems
from gatekeeper.proxy.crowd import Elsewhere, gather
from gatekeeper.proxy.entropy import Entropy
from gatekeeper.proxy.gate import Gate, InFlight, Shelf
from gatekeeper.proxy.jobs.desk import JobDesk
from gatekeeper.proxy.keeping import Room
from gatekeeper.proxy.webhooks.alerting import AlertLog
from gatekeeper.proxy.webhooks.parts import Webhooks, open_webhooks
from gatekeeper.reporting import report_error, report_given
from gatekeeper.serverevents import CatalogReloaded, ServerStarted, ServerStopped, StoreWarning
from gatekeeper.settings import Settings
from gatekeeper.store import data_dir, open_ledger
from gatekeeper.tracing import Tracing, open_tracing, tracing_problems
from gatekeeper.web.auth import Authenticator
from gatekeeper.web.senders import Senders
from gatekeeper.web.tls import Certificate, certificate_problems, open_certificate
from gatekeeper.yamlfile import ConfigError

REQUEST_ID_DIGITS = 24
"""96 random bits: enough to be found alone among all the requests of a year."""

BOOKING_TIMEOUT_S = 10
"""How long the last ledger calls of a shutdown may take; each is bounded by itself far below this."""

OUTBOX_NAME = "outbox"
"""The outbox's directory in the data directory."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway that accepts requests."""

    url: str
    admin_url: str
    admin_token: str = field(repr=False)
    store: OpenStore
    gate: Gate
    reload: Callable[[], Coroutine[None, None, Reload]]


@dataclass(frozen=True, slots=True)
class Seat:
    """Which of how many processes that serve this one is; the first is number 1, and 0 serves alone."""

    number: int
    of: int


ALONE = Seat(0, 1)


@dataclass(frozen=True, slots=True)
class Books:
    """Where holds end: in the ledger, or in the outbox until the ledger can be told."""

    ledger: Ledger
    outbox: Outbox
    in_flight: InFlight
    tracing: Tracing


class Running(Protocol):
    """What is known of a gateway that accepts requests, in however many processes."""

    @property
    def url(self) -> str: ...
    @property
    def admin_url(self) -> str: ...
    @property
    def store(self) -> OpenStore: ...


Announce = Callable[[Running], Awaitable[None]]


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
        leave_in_peace()
        if announce is not None:
            await announce(gateway)
        await stopping.wait()
        reloading.cancel()


async def _reload_when_asked(gateway: Gateway, asked: asyncio.Event) -> None:
    while True:
        await asked.wait()
        asked.clear()
        await gateway.reload()


def run_until_done(main: Coroutine[None, None, None]) -> None:
    """Runs it on the fastest event loop that this system has."""
    if sys.platform == "win32":
        asyncio.run(main)
        return
    import uvloop  # noqa: PLC0415 - not there on Windows

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)


@asynccontextmanager
async def running_gateway(
    settings: Settings, *, static_keys: Iterable[KeyRecord] = (), clock: Clock | None = None
) -> AsyncIterator[Gateway]:
    """A gateway that accepts requests inside the block; `clock` is the machine's own unless one is given.

    Raises `ConfigError`, the ledger's errors, or `OSError`.
    """
    shelf = Shelf(load_all(settings))
    metrics = Metrics()
    metrics.workers(lambda: 1)
    async with AsyncExitStack() as stack:
        store, books = await _open_books(settings, metrics, stack, ALONE)
        watch = start_watch(store, metrics, stack)
        await apply_teams(settings, store.ledger)
        gate = await _build_gate(settings, shelf, books, metrics, static_keys, clock or SystemClock(), stack)
        start_replayer(gate, stack)
        start_sweeper(store.ledger, metrics, stack)
        start_allowances(store.ledger, stack)
        start_rounds(store, shelf, metrics, stack)
        start_reconciler(gate, stack)
        start_watcher(gate, settings, stack)
        certificate = open_certificate(settings, "admin")
        reload = partial(reload_files, settings, shelf, metrics, (certificate, gate.certificate))
        token = admin_token(settings.admin_token, data_dir(settings))
        ready = partial(readiness, store, watch, shelf)
        admin = AdminPlane(token, metrics, store.ledger, ready, reload, lambda: shelf.catalog, metrics.shown)
        admin_url = await listen_admin(settings, admin, stack, gate.recent, certificate)
        stack.push_async_callback(_await_bookings, gate)
        url = await listen_data(settings.server, gate, stack)
        emit(server_started(url, admin_url, store))
        yield Gateway(url, admin_url, token, store, gate, reload)


@asynccontextmanager
async def running_worker(
    settings: Settings, catalog: Catalog, seat: Seat, static_keys: Iterable[KeyRecord] = ()
) -> AsyncIterator[Gate]:
    """The data plane alone, beside others like it on the same port. Whoever leads them has the admin plane and what is
    done once for all: teams, walks over all of them, what is told of the store. Raises the ledger's errors or OSError.
    """
    metrics, clock = Metrics(), SystemClock()
    async with AsyncExitStack() as stack:
        store, books = await _open_books(settings, metrics, stack, seat)
        start_watch(store, metrics, stack, tells=False)
        gate = await _build_gate(settings, Shelf(catalog), books, metrics, static_keys, clock, stack)
        start_replayer(gate, stack)
        start_sweeper(store.ledger, metrics, stack, walks=False)
        start_reconciler(gate, stack)
        start_watcher(gate, settings, stack)
        stack.push_async_callback(gate.in_flight.until_none, BOOKING_TIMEOUT_S)
        await listen_data(settings.server, gate, stack, shared=True)
        yield gate


def load_all(settings: Settings) -> Catalog:
    """The catalog; and every mistake in providers, catalog, certificates and teams file at once, before anything is
    written."""
    problems = [*provider_problems(settings), *certificate_problems(settings), *tracing_problems(settings)]
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


async def apply_teams(settings: Settings, ledger: Ledger) -> None:
    """What the settings' teams file says is made so; without one nothing is. Raises the ledger's errors."""
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
    elsewhere = Elsewhere()
    providers = await build_providers(settings, stack, elsewhere)
    keyring, senders = books.ledger.keyring, Senders(server.trusted_proxies)
    callers = Authenticator(
        keyring.find, books.ledger.team, clock, static_keys, key_headers(providers.values()), senders
    )
    gate = Gate(
        providers=providers,
        native_dialect=DIALECTS["native"],
        shelf=shelf,
        ledger=books.ledger,
        outbox=books.outbox,
        authenticator=callers,
        clock=clock,
        metrics=metrics,
        in_flight=books.in_flight,
        new_id=partial(Entropy().digits, REQUEST_ID_DIGITS),
        max_body_bytes=server.max_body_mb * 1024**2,
        body_timeout_s=server.body_timeout_s,
        client_write_timeout_s=server.client_write_timeout_s,
        client_total_s=server.client_total_s,
        retry_guard_window_s=server.retry_guard_window_s,
        jobs=settings.jobs,
        desk=JobDesk(books.ledger, clock.monotonic_s),
        webhooks=await _open_webhooks(settings, books, clock, metrics, stack),
        crowd=gather(server, clock, elsewhere),
        room=_room(settings),
        public_url=server.public_url,
        certificate=open_certificate(settings, "data"),
    )
    return books.tracing.of_gate(gate)


def _room(settings: Settings) -> Room:
    server = settings.server
    return Room(
        memory_bytes=server.bodies_memory_mb * 1024**2,
        body_memory_bytes=server.body_memory_kb * 1024,
        json_memory_bytes=server.json_memory_kb * 1024,
        folder=data_dir(settings) if server.bodies_dir is None else settings.base_dir / server.bodies_dir,
    )


async def _open_webhooks(
    settings: Settings, books: Books, clock: Clock, metrics: Metrics, stack: AsyncExitStack
) -> Webhooks:
    secret = await books.ledger.secret()
    report = partial(report_error, "webhooks")
    log = AlertLog(books.ledger, clock, metrics, report)
    opening = open_webhooks(settings, data_dir(settings), secret, clock, metrics, report, log.tried)
    return await stack.enter_async_context(opening)


async def _open_books(
    settings: Settings, metrics: Metrics, stack: AsyncExitStack, seat: Seat
) -> tuple[OpenStore, Books]:  # fmt: skip
    tracing = open_tracing(settings, metrics, stack)
    outbox, in_flight = await _open_outbox(settings, metrics, stack, seat), InFlight()
    # The store comes later, so it closes before: what its closing gives back still finds the outbox open.
    stack.push_async_callback(in_flight.until_none, BOOKING_TIMEOUT_S)
    store = await stack.enter_async_context(open_ledger(settings, tracing.ledger_of))
    store.ledger.allowances.on_given = report_given
    return store, Books(store.ledger, outbox, in_flight, tracing)


async def _open_outbox(settings: Settings, metrics: Metrics, stack: AsyncExitStack, seat: Seat) -> Outbox:
    """All workers share the directory, and the room: each has files of its own in it, and adopts those of the dead."""
    max_bytes = settings.store.outbox_max_mb * 1024**2 // seat.of
    outbox = await open_outbox(data_dir(settings) / OUTBOX_NAME, max_bytes=max_bytes, worker=seat.number)
    stack.push_async_callback(outbox.close)
    metrics.outbox_depth(lambda: outbox.depth)
    for warning in outbox.warnings:
        emit(StoreWarning(warning=warning))
    return outbox


async def reload_files(
    settings: Settings, shelf: Shelf, metrics: Metrics, certificates: Iterable[Certificate | None]
) -> Reload:
    """Reads the catalog and the certificates anew. A bad file keeps the old one; event and answer say what is wrong."""
    done = with_renewed(await read_catalog(settings, shelf), certificates)
    free_what_was_left()
    report_reload(metrics, done)
    return done


async def read_catalog(settings: Settings, shelf: Shelf) -> Reload:
    """Puts the catalog of the files on the shelf, read off the event loop; with a mistake in them nothing changes."""
    try:
        shelf.catalog = await asyncio.to_thread(lambda: load_catalog(settings.catalog_files()))
        problems: tuple[str, ...] = ()
    except ConfigError as error:
        problems = tuple(str(problem) for problem in error.problems)
    return Reload(not problems, len(shelf.catalog.models), shelf.catalog.digest, problems)


def with_renewed(done: Reload, certificates: Iterable[Certificate | None]) -> Reload:
    """The same when the certificates were read again, with what was wrong with them."""
    problems = tuple(problem for each in certificates if each is not None for problem in each.renew())
    return replace(done, ok=done.ok and not problems, problems=(*done.problems, *problems))


def report_reload(metrics: Metrics, done: Reload) -> None:
    """What came of it, in the log and as a metric."""
    metrics.reloaded(ok=done.ok)
    emit(CatalogReloaded(ok=done.ok, models=done.models, digest=done.digest, problems=done.problems))


async def readiness(store: OpenStore, watch: StoreWatch, shelf: Shelf) -> Readiness:
    """Whether the store answers and can keep credits, and what is served from it."""
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


async def _await_bookings(gate: Gate) -> None:
    """Runs when nothing is accepted any more and the grace is over: what was cut off is still booked as unknown."""
    await gate.in_flight.until_none(BOOKING_TIMEOUT_S)
    emit(ServerStopped(pid=os.getpid(), abandoned=gate.in_flight.abandoned))


def server_started(url: str, admin_url: str, store: OpenStore, workers: int = 1) -> ServerStarted:
    """The event that tells where everything is."""
    return ServerStarted(
        url=url,
        admin_url=admin_url,
        store=_store_name(store),
        durability=store.report.durability,
        pid=os.getpid(),
        version=__version__,
        workers=workers,
    )
