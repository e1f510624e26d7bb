"""A TCP proxy in front of a store that breaks what networks break, one command at a time.

Faults come by themselves, seeded, at a rate in time; a trap waits for one script and strikes at an exact moment: the
command has arrived and is not forwarded, or its reply has come and is not delivered. It changes no byte.
"""

import asyncio
import random
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum

from tests.torture.resp import script_name, whole_end

READ_BYTES = 1 << 16
DELAY_MAX_S = 0.08
"""A slow answer, but one."""
GHOST_S = (2.1, 3.0)
"""Longer than the client waits for a pipeline: the command runs when its caller has already asked again elsewhere."""


class Fault(StrEnum):
    """What may happen to a command."""

    DELAY = "delayed"
    BEFORE = "dropped before it ran"
    AFTER = "dropped after it ran"
    CUT = "cut in mid-reply"
    SILENT = "half-open, not run"
    DEAF = "half-open, run"
    GHOST = "run long after"


BEFORE_IT_RUNS = {Fault.DELAY, Fault.BEFORE, Fault.SILENT, Fault.GHOST}
WEIGHTS = {
    Fault.DELAY: 6, Fault.BEFORE: 4, Fault.AFTER: 4, Fault.CUT: 4, Fault.SILENT: 1, Fault.DEAF: 1, Fault.GHOST: 1,
}  # fmt: skip


@dataclass(eq=False)
class Trap:
    """Strikes once, when this script is met: before it is forwarded, or when its reply is there."""

    script: str
    is_after: bool
    strike: Callable[[], None]
    hit: asyncio.Event = field(default_factory=asyncio.Event)

    def spring(self) -> None:
        """Strike."""
        self.strike()
        self.hit.set()


class FaultProxy:
    """Listens on a port of its own and forwards to another one on loopback."""

    def __init__(self, target_port: int, seed: int, faults_per_s: float = 0.0) -> None:
        self.target_port = target_port
        self.faults_per_s = faults_per_s
        self.is_away = False
        self.trap: Trap | None = None
        self.counts: Counter[str] = Counter()
        self.random = random.Random(seed)
        self._next_fault_s = 0.0
        self._server: asyncio.Server | None = None
        self._links: set[_Link] = set()

    @property
    def url(self) -> str:
        """The address of a store behind this proxy."""
        assert self._server is not None
        return f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/0"

    async def start(self) -> None:
        """Listen."""
        self._draw_next()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)

    async def close(self) -> None:
        """Stop listening and end every connection."""
        assert self._server is not None
        self._server.close()
        self.drop_all()
        while self._links:
            await asyncio.wait([link.task for link in self._links if link.task is not None], timeout=1)

    def go_away(self) -> None:
        """From now on nobody gets through: connections end at once."""
        self.is_away = True
        self.drop_all()

    def drop_all(self) -> None:
        """End every connection."""
        for link in self._links:
            if link.task is not None:
                link.task.cancel()

    def fault_of(self, name: str) -> Fault | Trap | None:
        """What happens to the next command, which runs this script ('' if none)."""
        self.counts["commands"] += 1
        if self.trap is not None and name == self.trap.script:
            trap, self.trap = self.trap, None
            return trap
        if not name or not self.faults_per_s or asyncio.get_running_loop().time() < self._next_fault_s:
            return None
        self._draw_next()
        fault = self.random.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        self.counts[fault] += 1
        return fault

    def _draw_next(self) -> None:
        wait_s = self.random.expovariate(self.faults_per_s) if self.faults_per_s else 0.0
        self._next_fault_s = asyncio.get_running_loop().time() + wait_s

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = _Link(self, reader, writer)
        self._links.add(link)
        link.task = asyncio.current_task()
        try:
            if not self.is_away:
                await link.run()
        except (OSError, asyncio.CancelledError):
            pass  # the end of a connection, by a fault or by drop_all
        finally:
            link.close()
            self._links.discard(link)


@dataclass(eq=False)
class _Link:
    """One connection, and its other half to the store."""

    proxy: FaultProxy
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    task: asyncio.Task[None] | None = None
    store: asyncio.StreamWriter | None = None
    expected: deque[Fault | Trap | None] = field(default_factory=deque)

    async def run(self) -> None:
        replies, self.store = await asyncio.open_connection("127.0.0.1", self.proxy.target_port)
        both = {asyncio.ensure_future(self._commands(self.store)), asyncio.ensure_future(self._replies(replies))}
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for half in both:
                half.cancel()
            await asyncio.gather(*both, return_exceptions=True)

    def close(self) -> None:
        """Abrupt: what was not delivered is lost."""
        for writer in (self.writer, self.store):
            if writer is not None:
                with suppress(RuntimeError):
                    writer.transport.abort()

    async def _commands(self, store: asyncio.StreamWriter) -> None:
        buffer = bytearray()
        while data := await self.reader.read(READ_BYTES):
            buffer += data
            at = done = 0
            while (end := whole_end(buffer, at)) is not None:
                fault = self.proxy.fault_of(script_name(buffer, at))
                if fault in BEFORE_IT_RUNS or (isinstance(fault, Trap) and not fault.is_after):
                    store.write(bytes(buffer[done:at]))
                    done = at
                    if await self._before(fault):
                        return
                    fault = None
                self.expected.append(fault)
                at = end
            store.write(bytes(buffer[done:at]))
            del buffer[:at]
            await store.drain()

    async def _before(self, fault: Fault | Trap | None) -> bool:
        """Does what the fault says; True if the connection ends with it."""
        if isinstance(fault, Trap):
            fault.spring()
            return True
        if fault is Fault.DELAY:
            await asyncio.sleep(self.proxy.random.uniform(0.001, DELAY_MAX_S))
        elif fault is Fault.GHOST:
            await asyncio.sleep(self.proxy.random.uniform(*GHOST_S))
        elif fault is Fault.SILENT:
            while await self.reader.read(READ_BYTES):
                pass
        return fault in {Fault.BEFORE, Fault.SILENT}

    async def _replies(self, replies: asyncio.StreamReader) -> None:
        buffer = bytearray()
        while data := await replies.read(READ_BYTES):
            buffer += data
            at = done = 0
            while (end := whole_end(buffer, at)) is not None:
                fault = self.expected.popleft()
                if fault is not None:
                    self.writer.write(bytes(buffer[done:at]))
                    await self._after(fault, bytes(buffer[at:end]), replies)
                    return
                at = end
            self.writer.write(bytes(buffer[done:at]))
            del buffer[:at]
            await self.writer.drain()

    async def _after(self, fault: Fault | Trap, reply: bytes, replies: asyncio.StreamReader) -> None:
        """The command has run; what becomes of its reply."""
        if isinstance(fault, Trap):
            fault.spring()
        elif fault is Fault.CUT:
            self.writer.write(reply[: len(reply) // 2])
            await self.writer.drain()
        elif fault is Fault.DEAF:
            while await replies.read(READ_BYTES):
                pass
