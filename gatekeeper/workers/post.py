"""One worker's place: filled, and filled again when who had it dies.

A worker that ends early, before it accepts requests or soon after, is followed by the next after a pause that doubles,
whether it died or ended in order; one that had served for a while is followed at once. Whether it is tried any more is
for the crew to say. One that says nothing for long is killed, which to everybody else is a death like any other.
"""

import asyncio
import json
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, Protocol

from gatekeeper.catalog import Catalog
from gatekeeper.logs import emit
from gatekeeper.recent import Seen
from gatekeeper.serverevents import WorkerDied, WorkerStarted, WorkerStopped
from gatekeeper.workers.channel import (
    Ask,
    Channel,
    Farewell,
    Happened,
    Look,
    Message,
    NewCatalog,
    OwnFigures,
    Ready,
    Reloaded,
    Start,
    StartFailure,
    open_channel,
)
from gatekeeper.workers.figures import IN_FLIGHT, Figures

READY_TIMEOUT_S: Final = 60.0
"""A worker that does not accept requests by then is ended: starting takes about a second."""

EARLY_S: Final = 5.0
"""Who ends within this of being ready ended early: what ends it so soon will end the next one too."""

AGAIN_LEAST_S: Final = 0.2
"""Pause after the first early end; it doubles with each that follows."""

AGAIN_MAX_S: Final = 30.0
"""Longest pause: so soon after its cause is gone the place is filled."""

DOUBLINGS_MAX: Final = 10
"""More make no longer pause, and only a larger number."""

QUIET_S: Final = 10.0
"""Who has told nothing for this long is stuck: a worker tells its figures every second, however busy it is."""

LOOK_EVERY_S: Final = 5.0
"""How often it is looked whether somebody still says anything."""

SILENT_LOOKS_MAX: Final = 12
"""Who has said nothing at so many looks in a row, a minute, is killed: it serves nobody, its connections wait for ever,
and what it has in flight is resolved as after any crash. Looks are counted, not seconds: a leader that was held up
itself makes one look of that, and reads what was said meanwhile before the next."""

GONE_S: Final = 5.0
"""How long a process may take to end that says nothing any more."""

_LAUNCHER: Final = """\
import json, sys
sys.path[:] = json.loads(sys.argv[2])
from gatekeeper.garbage import nothing_is_collected
with nothing_is_collected():
    from gatekeeper.workers.worker import main
main(int(sys.argv[1]))
"""
"""Imports what its leader would import: the module path is the leader's own, not what its place on disk makes it."""


class Process(Protocol):
    """What is known of a worker's process, as `asyncio.subprocess.Process` has it."""

    @property
    def pid(self) -> int: ...
    @property
    def returncode(self) -> int | None: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...
    async def wait(self) -> int: ...


Spawn = Callable[[int], Awaitable[tuple[Process, Channel]]]


class Post:
    """The post of one worker. `start` gives what it is started with, `spawn` a process and the channel to it.

    `on_ready` is called when it accepts requests, `on_gone` with its last figures whenever somebody has left the post,
    and `on_died`, after that, if it was a death: how many of its ends in a row were early, and why it died.
    """

    def __init__(
        self,
        number: int,
        start: Callable[[int], Start],
        *,
        on_ready: Callable[[], None],
        on_died: Callable[[int, str], None],
        on_gone: Callable[[Figures], None],
        spawn: Spawn | None = None,
    ) -> None:
        self.number = number
        self.accepting = False
        self.figures = Figures()
        self.problem = "it has not begun to accept requests yet"
        self.abandoned = 0
        self._start = start
        self._on_ready = on_ready
        self._on_died = on_died
        self._on_gone = on_gone
        self._spawn = spawn or _spawn
        self._stopping = asyncio.Event()
        self._process: Process | None = None
        self._channel: Channel | None = None
        self._starts = 0
        self._early = 0
        self._ready_s = self._heard_s = 0.0
        self._reason = ""
        self._has_ended = False
        self._catalog: Catalog | None = None
        self._told = asyncio.Event()
        self._seen: list[Seen] = []
        self._seen_to = 0
        self._looking = False
        self._looked = asyncio.Event()
        self._serves = ""
        self._changed = asyncio.Event()

    @property
    def pid(self) -> int:
        """Of whoever has the place; 0 while nobody has."""
        return self._process.pid if self._process else 0

    @property
    def is_quiet(self) -> bool:
        """Whether it accepts requests, as far as the system is concerned, and does nothing about them."""
        return self.accepting and asyncio.get_running_loop().time() - self._heard_s > QUIET_S

    async def keep(self) -> None:
        """Fills the place until it is told to stop."""
        while not self._stopping.is_set():
            try:
                await self._fill()
            except OSError as error:  # no more processes, no more memory: it may pass like any other cause
                self._reason = self._reason or f"it could not be started: {error}"
            wait_s = self._follow()
            if wait_s:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), wait_s)

    def stop(self) -> None:
        """Lets who has the place finish, and fills it no more."""
        self._stopping.set()
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.terminate()

    def kill(self) -> None:
        """Ends whoever has the place at once."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.kill()

    async def tell(self, within_s: float) -> None:
        """Asks for its figures, and has them unless it is too busy to tell them soon: then the last ones stand."""
        if self._channel is None or not self.accepting:
            return
        self._told.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._channel.send(Ask())
                await self._told.wait()

    async def look(self, within_s: float) -> list[Seen]:
        """What happened there since it was asked last; what a busy worker says too late, the next one who asks gets."""
        if self._channel is not None and self.accepting and not self._looking:
            self._looking = True
            self._looked.clear()
            await self._channel.send(Look(self._seen_to))
        with suppress(TimeoutError):
            await asyncio.wait_for(self._looked.wait(), within_s if self._looking else 0)
        seen, self._seen = self._seen, []
        return seen

    async def reload(self, catalog: Catalog, within_s: float) -> str:
        """Hands it a catalog; what went wrong, or nothing. One that is not there now, or dies before it has taken the
        catalog, is followed by one that starts with it."""
        channel = self._channel
        if channel is None or not self.accepting:
            return ""
        # Also where it serves this catalog already: with it the worker reads its certificate again.
        self._catalog, self._serves = catalog, ""
        try:
            async with asyncio.timeout(within_s):
                await channel.send(NewCatalog(catalog))
                while self.accepting and self._channel is channel and self._serves != catalog.digest:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return f"worker {self.number} has not said within {within_s:.0f} s that it serves the new catalog"
        return ""

    async def _fill(self) -> None:
        self._starts += 1
        self._reason, self._has_ended, self._ready_s, self.abandoned = "", False, 0.0, 0
        self._serves, self._seen_to, self._looking = "", 0, False
        start = self._start(self.number)
        self._process, self._channel = await self._spawn(self.number)
        if self._stopping.is_set():
            self.stop()
        loop = asyncio.get_running_loop()
        slow, watch = loop.call_later(READY_TIMEOUT_S, self._too_slow), loop.create_task(self._watch())
        self._catalog = start.catalog
        try:
            await self._hear(self._channel, start)
            await asyncio.wait_for(self._process.wait(), GONE_S)
        except TimeoutError:
            self.kill()
        finally:
            slow.cancel()
            watch.cancel()
            self._channel.close()
            await self._process.wait()

    async def _hear(self, channel: Channel, start: Start) -> None:
        """Tells it what it works with, and hears it to its end."""
        try:
            await channel.send(start)
            while message := await channel.receive():
                await self._heard(message)
        finally:
            self.accepting = False
            self._changed.set()

    async def _heard(self, message: Message) -> None:
        self._heard_s = asyncio.get_running_loop().time()
        match message:
            case Ready():
                await self._is_ready()
            case OwnFigures():
                self.figures = message.figures
                self._told.set()
            case Happened():
                self._has_looked(message.seen)
            case Reloaded():
                self._serves = message.digest
                self._changed.set()
            case StartFailure():
                self._reason = message.reason
            case Farewell():
                self._has_ended, self.abandoned = True, message.abandoned

    async def _is_ready(self) -> None:
        self.accepting, self.problem, self._ready_s = True, "", self._heard_s
        emit(WorkerStarted(worker=self.number, pid=self.pid, starts=self._starts))
        newest = self._start(self.number).catalog
        if newest is not self._catalog and self._channel is not None:  # it was read while this one started
            await self._channel.send(NewCatalog(newest))
        self._on_ready()

    def _has_looked(self, seen: tuple[Seen, ...]) -> None:
        self._seen += seen
        self._seen_to = max((each.number for each in seen), default=self._seen_to)
        self._looking = False
        self._looked.set()

    def _too_slow(self) -> None:
        if not self.accepting:
            self._reason = f"it did not accept requests within {READY_TIMEOUT_S:.0f} s"
            self.kill()

    async def _watch(self) -> None:
        """Kills who accepts requests and has said nothing for long."""
        silent = 0
        while silent < SILENT_LOOKS_MAX:
            heard_s = self._heard_s
            await asyncio.sleep(LOOK_EVERY_S)
            silent = silent + 1 if self.accepting and self._heard_s == heard_s else 0
        self._reason = f"it had said nothing for {SILENT_LOOKS_MAX * LOOK_EVERY_S:.0f} s and was killed"
        self.kill()

    def _follow(self) -> float:
        """Tells how it ended, and for how long nobody takes its place."""
        pid, code, figures = self.pid, self._process.returncode if self._process else None, self.figures
        self._process, self._channel, self.figures = None, None, Figures()
        self._on_gone(figures)
        again_in_s = self._pause_s()
        if self._has_ended:
            emit(WorkerStopped(worker=self.number, pid=pid, abandoned=self.abandoned))
            self.problem = "it was stopped, and the next one starts"
            return again_in_s
        self.abandoned = int(figures.value(IN_FLIGHT))
        self.problem = self._reason or _how(code)
        emit(WorkerDied(worker=self.number, pid=pid, reason=self.problem, again_in_s=again_in_s))
        self._on_died(self._early, f"worker {self.number}: {self.problem}")
        return again_in_s

    def _pause_s(self) -> float:
        """How long to wait with the next one, the longer the more ends in a row were early."""
        is_early = not self._ready_s or asyncio.get_running_loop().time() - self._ready_s < EARLY_S
        self._early = self._early + 1 if is_early else 0
        if not self._early or self._stopping.is_set():
            return 0.0
        return min(AGAIN_LEAST_S * 2.0 ** min(self._early - 1, DOUBLINGS_MAX), AGAIN_MAX_S)


def _how(code: int | None) -> str:
    """How a process ended, from its exit code."""
    if code is not None and code < 0:
        known = -code in set(signal.Signals)
        return f"it was ended by {signal.Signals(-code).name if known else f'signal {-code}'}"
    return f"it ended with exit code {code}"


async def _spawn(number: int) -> tuple[Process, Channel]:
    """A new process, and the channel to it. Raises OSError."""
    ours, theirs = socket.socketpair()
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-c", _LAUNCHER, str(theirs.fileno()), json.dumps(sys.path), f"worker-{number}",
            stdin=asyncio.subprocess.DEVNULL,
            pass_fds=(theirs.fileno(),),
            start_new_session=True,  # Ctrl-C in a terminal is for the leader, which ends its workers in order
        )  # fmt: skip
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return process, await open_channel(ours)
