"""The load generator: a closed loop, an open loop at a fixed rate, and a burst that stays in flight.

In the closed loop each connection asks again as soon as it has its answer: for CPU and throughput. In the open loop
requests are due at fixed times whatever the answers do, and the clock of each starts when it was due, so that a server
that stalls is charged for all who wait meanwhile. A window ends when its last answer is there; none is cut off.
"""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from benchmarks.client import LOST, Connection, connect

Make = Callable[[], bytes]
"""Makes the next request, whole."""

DRAIN_S: Final = 60.0
"""No window waits longer for its last answers."""
OK: Final = 200
CONNECT_AT_ONCE: Final = 100
"""Connections opened at a time: more overrun a server's queue of new ones."""


@dataclass(eq=False, slots=True)
class Window:
    """What a window came to."""

    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    body_bytes: int = 0
    latencies_s: list[float] = field(default_factory=list)
    """Open loop: from when it was due to the end of the answer, in order of arrival."""
    accepted_s: list[float] = field(default_factory=list)
    """The latencies of answers with 200 alone; in the closed loop from when it was asked."""
    accepted_due_s: list[float] = field(default_factory=list)
    """Open loop: when each of them was due, from the first that was due on."""
    late_s: list[float] = field(default_factory=list)
    """Open loop: from when it was due until it was sent: what the generator itself adds to each."""

    @property
    def requests(self) -> int:
        """All that were asked."""
        return self.statuses.total()

    def note(self, connection: Connection) -> None:
        """One more answer."""
        self.statuses[connection.status] += 1
        self.body_bytes += connection.size

    def wrong(self, expected: int) -> dict[int, int]:
        """Statuses that are not the expected one; `LOST` is a connection that broke."""
        return {status: count for status, count in self.statuses.items() if status != expected}


async def connect_all(url: str, done: Callable[[Connection], None], count: int) -> list[Connection]:
    """So many connections."""
    found: list[Connection] = []
    for start in range(0, count, CONNECT_AT_ONCE):
        some = range(start, min(start + CONNECT_AT_ONCE, count))
        found += await asyncio.gather(*(connect(url, done) for _ in some))
    return found


class ClosedLoop:
    """`async with ClosedLoop(url, make, 64) as loop: window = await loop.run(3)`. Connections are open before `run`."""

    def __init__(self, url: str, make: Make, connections: int) -> None:
        self._url, self._make, self._count = url, make, connections
        self._connections: list[Connection] = []
        self._window = Window()
        self._until = 0.0
        self._asking = 0
        self._quiet = asyncio.Event()

    async def __aenter__(self) -> "ClosedLoop":
        self._connections = await connect_all(self._url, self._done, self._count)
        return self

    async def __aexit__(self, *_: object) -> None:
        for each in self._connections:
            each.transport.abort()
        await asyncio.sleep(0)  # for the loop to let go of them

    async def run(self, seconds: float) -> Window:
        """Load for so long. Raises TimeoutError if answers stay away."""
        self._window, self._quiet = Window(), asyncio.Event()
        begun = time.perf_counter()
        self._until = begun + seconds
        self._asking = len(self._connections)
        for connection in self._connections:
            self._ask(connection)
        async with asyncio.timeout(seconds + DRAIN_S):
            await self._quiet.wait()
        self._window.seconds = time.perf_counter() - begun
        return self._window

    def _ask(self, connection: Connection) -> None:
        connection.due_s = time.perf_counter()
        connection.ask(self._make())

    def _done(self, connection: Connection) -> None:
        now_s = time.perf_counter()
        self._window.note(connection)
        if connection.status == OK:
            self._window.accepted_s.append(now_s - connection.due_s)
        if now_s < self._until and not connection.closed:
            self._ask(connection)
            return
        self._asking -= 1
        if not self._asking:
            self._quiet.set()


class OpenLoop:
    """Requests at a fixed rate, over as many connections as it takes.

    A thread of its own keeps the time, because event loops count timers in milliseconds.
    """

    def __init__(self, url: str, make: Make, rate: float, connections: int = 16) -> None:
        self._url, self._make, self._rate, self._count = url, make, rate, connections
        self._free: list[Connection] = []
        self._window = Window()
        self._open, self._first_s = 0, 0.0
        self._opening: set[asyncio.Task[None]] = set()
        self._quiet = asyncio.Event()

    async def __aenter__(self) -> "OpenLoop":
        self._free = await connect_all(self._url, self._done, self._count)
        return self

    async def __aexit__(self, *_: object) -> None:
        for each in self._free:
            each.transport.abort()
        await asyncio.sleep(0)  # for the loop to let go of them

    async def run(self, seconds: float) -> Window:
        """Load for so long. Raises TimeoutError if answers stay away."""
        self._window, self._quiet = Window(), asyncio.Event()
        due = due_times(time.perf_counter() + 0.05, self._rate, seconds)
        self._open, self._first_s = len(due), due[0]
        ticker = threading.Thread(target=_tick, args=(asyncio.get_running_loop(), self._send, due), daemon=True)
        begun = time.perf_counter()
        ticker.start()
        async with asyncio.timeout(seconds + DRAIN_S):
            await self._quiet.wait()
        self._window.seconds = time.perf_counter() - begun
        return self._window

    def _send(self, due_s: float) -> None:
        if self._free:
            self._ask(self._free.pop(), due_s)
            return
        task = asyncio.get_running_loop().create_task(self._open_and_ask(due_s))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _open_and_ask(self, due_s: float) -> None:
        try:
            connection = await connect(self._url, self._done)
        except OSError:
            self._window.statuses[LOST] += 1
            self._count_down()
            return
        self._ask(connection, due_s)

    def _ask(self, connection: Connection, due_s: float) -> None:
        connection.due_s = due_s
        self._window.late_s.append(time.perf_counter() - due_s)
        connection.ask(self._make())

    def _done(self, connection: Connection) -> None:
        took_s = time.perf_counter() - connection.due_s
        self._window.latencies_s.append(took_s)
        if connection.status == OK:
            self._window.accepted_s.append(took_s)
            self._window.accepted_due_s.append(connection.due_s - self._first_s)
        self._window.note(connection)
        if not connection.closed:
            self._free.append(connection)
        self._count_down()

    def _count_down(self) -> None:
        self._open -= 1
        if not self._open:
            self._quiet.set()


def due_times(first_s: float, rate: float, seconds: float) -> list[float]:
    """When each request is due: evenly, from the first on, whatever becomes of them."""
    return [first_s + number / rate for number in range(round(rate * seconds))]


def _tick(loop: asyncio.AbstractEventLoop, send: Callable[[float], None], due: list[float]) -> None:
    for due_s in due:
        wait_s = due_s - time.perf_counter()
        if wait_s > 0:
            time.sleep(wait_s)
        loop.call_soon_threadsafe(send, due_s)


class Burst:
    """Requests that are all asked and wait for their answers: `ask`, look at what is to be seen, `answered`."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connections: list[Connection] = []
        self._open = 0
        self._quiet = asyncio.Event()
        self.window = Window()

    async def __aenter__(self) -> "Burst":
        return self

    async def __aexit__(self, *_: object) -> None:
        for each in self._connections:
            each.transport.abort()
        await asyncio.sleep(0)  # for the loop to let go of them

    async def ask(self, count: int, *pieces: Callable[[], bytes]) -> None:
        """So many requests, each on a connection of its own; its pieces are written one after the other."""
        for start in range(0, count, CONNECT_AT_ONCE):
            some = await connect_all(self._url, self._done, min(CONNECT_AT_ONCE, count - start))
            self._connections += some
            self._open += len(some)
            for connection in some:
                connection.ask(*(piece() for piece in pieces))

    async def answered(self, within_s: float) -> Window:
        """All answers. Raises TimeoutError."""
        async with asyncio.timeout(within_s):
            while self._open:
                self._quiet.clear()
                await self._quiet.wait()
        return self.window

    def _done(self, connection: Connection) -> None:
        self.window.note(connection)
        self._open -= 1
        self._quiet.set()
