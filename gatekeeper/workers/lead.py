"""The process that leads workers: it has what there is once, and they serve.

It opens the store, so that an embedded one outlives every worker, applies the teams file, and keeps the admin plane,
which answers however busy the workers are. It keeps the data port too, without listening. It stops in the other order:
the workers finish first, then the admin plane, then the store.
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from gatekeeper import app
from gatekeeper.admin.plane import AdminPlane, Readiness, Reload
from gatekeeper.admin.token import admin_token
from gatekeeper.background import start_allowances, start_rounds, start_sweeper, start_watch
from gatekeeper.catalog import Catalog
from gatekeeper.ledger.opening import OpenStore
from gatekeeper.ledger.teamrecord import KeyRecord
from gatekeeper.listening import http_url, listen_admin
from gatekeeper.logs import configure_logs, emit
from gatekeeper.metrics import Metrics, exposition
from gatekeeper.proxy.gate import Shelf
from gatekeeper.proxy.webhooks.letters import letters_in
from gatekeeper.proxy.webhooks.parts import DIRECTORY
from gatekeeper.reporting import report_given
from gatekeeper.serverevents import ServerStopped
from gatekeeper.settings import Settings
from gatekeeper.store import data_dir, open_ledger
from gatekeeper.web.tls import open_certificate
from gatekeeper.workers.channel import Start, start_for
from gatekeeper.workers.crew import Crew
from gatekeeper.workers.failed import WorkersFailed
from gatekeeper.workers.lines import shared_lines
from gatekeeper.workers.port import reserved_port


@dataclass(frozen=True, slots=True)
class Led:
    """A gateway whose workers accept requests."""

    url: str
    admin_url: str
    store: OpenStore


@dataclass(slots=True)
class SignalsHeard:
    """What signals have asked for."""

    stop: asyncio.Event = field(default_factory=asyncio.Event)
    reload: asyncio.Event = field(default_factory=asyncio.Event)


async def serve(
    settings: Settings, *, announce: app.Announce | None = None, static_keys: Iterable[KeyRecord] = ()
) -> None:
    """Runs a gateway until SIGTERM or SIGINT, in as many processes as the settings say. SIGHUP reloads.

    Raises `ConfigError`, the ledger's errors, OSError, or WorkersFailed.
    """
    if settings.server.workers == 1:
        await app.serve(settings, announce=announce, static_keys=static_keys)
        return
    catalog = app.load_all(settings)
    with shared_lines(data_dir(settings)) as lines:
        configure_logs(settings.log.level, settings.log.format)
        await Lead(settings, catalog, tuple(static_keys), lines).serve(announce)


class Lead:
    """The leading process of one gateway."""

    def __init__(self, settings: Settings, catalog: Catalog, static_keys: tuple[KeyRecord, ...], lines: Path) -> None:
        self._settings = settings
        self._static_keys = static_keys
        self._lines = lines
        self._shelf = Shelf(catalog)
        self._metrics = Metrics()
        self._crew = Crew(settings.server.workers, self._start_of, self._metrics)
        self._certificate = open_certificate(settings, "admin")
        # The workers' own are read in their processes; here it is found out first whether they can be.
        self._data_certificate = open_certificate(settings, "data")
        self._reloading = asyncio.Lock()
        self._port = settings.server.port

    async def serve(self, announce: app.Announce | None) -> None:
        """Until it is told to stop, or the workers cannot go on: then raises WorkersFailed."""
        asked = _listen_to_signals()
        loop = asyncio.get_running_loop()
        async with AsyncExitStack() as stack:
            led = await self._open(stack)
            reloading = loop.create_task(self._reload_when(asked.reload))
            stopping = loop.create_task(asked.stop.wait())
            starting = loop.create_task(self._crew.start())
            await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
            if starting.done() and not self._crew.failure:
                emit(app.server_started(led.url, led.admin_url, led.store, self._settings.server.workers))
                if announce is not None:
                    await announce(led)
                failing = loop.create_task(self._crew.ended.wait())
                await asyncio.wait((stopping, failing), return_when=asyncio.FIRST_COMPLETED)
                failing.cancel()
            for task in (starting, stopping, reloading):
                task.cancel()
        if self._crew.failure:
            raise WorkersFailed(f"The workers cannot serve. {self._crew.failure}")

    async def _open(self, stack: AsyncExitStack) -> Led:
        settings, metrics = self._settings, self._metrics
        host, self._port = stack.enter_context(reserved_port(settings.server.host, settings.server.port))
        store = await stack.enter_async_context(open_ledger(settings))
        watch = start_watch(store, metrics, stack)
        store.ledger.allowances.on_given = report_given
        await app.apply_teams(settings, store.ledger)
        start_sweeper(store.ledger, metrics, stack)
        start_allowances(store.ledger, stack)
        start_rounds(store, self._shelf, metrics, stack)
        metrics.workers(lambda: self._crew.accepting)
        metrics.webhooks_waiting(partial(letters_in, data_dir(settings) / DIRECTORY))
        token = admin_token(settings.admin_token, data_dir(settings))
        ready = partial(self._readiness, partial(app.readiness, store, watch, self._shelf))
        catalog = self._catalog
        admin = AdminPlane(token, metrics, store.ledger, ready, self.reload, catalog, self._exposition)
        admin_url = await listen_admin(settings, admin, stack, self._crew, self._certificate)
        stack.push_async_callback(self._stop)
        tls = settings.server.tls_certificate is not None
        return Led(http_url(host, self._port, tls=tls), admin_url, store)

    async def reload(self) -> Reload:
        """Reads the catalog, once for all, and hands it to every worker, which renews its certificate too."""
        async with self._reloading:
            done = await app.read_catalog(self._settings, self._shelf)
            # One is renewed though the catalog has a mistake: the old catalog is handed out then.
            problems = await self._crew.reload(self._shelf.catalog) if done.ok or self._data_certificate else ()
            done = app.with_renewed(done, (self._certificate, self._data_certificate))
            done = replace(done, ok=done.ok and not problems, problems=(*done.problems, *problems))
            app.report_reload(self._metrics, done)
            return done

    async def _reload_when(self, asked: asyncio.Event) -> None:
        while True:
            await asked.wait()
            asked.clear()
            await self.reload()

    async def _readiness(self, of_store: Callable[[], Awaitable[Readiness]]) -> Readiness:
        """With a worker less the others serve: that is a problem to tell, and no reason to send nobody here."""
        found, crew = await of_store(), self._crew
        return replace(
            found,
            ready=found.ready and crew.accepting > 0,
            workers=len(crew.posts),
            workers_accepting=crew.accepting,
            problems=(*found.problems, *crew.problems),
        )

    async def _exposition(self) -> bytes:
        await self._crew.tell()
        return exposition(self._crew.totals)

    async def _stop(self) -> None:
        await self._crew.stop(self._settings.server.shutdown_grace_s)
        emit(ServerStopped(pid=os.getpid(), abandoned=self._crew.abandoned))

    def _catalog(self) -> Catalog:
        return self._shelf.catalog

    def _start_of(self, seat: app.Seat) -> Start:
        server = self._settings.server.model_copy(update={"port": self._port})
        settings = self._settings.model_copy(update={"server": server})
        return start_for(settings, self._shelf.catalog, seat, self._static_keys, self._lines)


def _listen_to_signals() -> SignalsHeard:
    """From now on: whoever starts this may stop it before it serves."""
    asked, loop = SignalsHeard(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.stop.set)
    loop.add_signal_handler(signal.SIGHUP, asked.reload.set)
    return asked
