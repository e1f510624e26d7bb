"""Takes new connections, all that wait, in each turn of the event loop.

uvloop takes one a turn. A turn of a busy process lasts a good many milliseconds, so that new callers would wait for
seconds before anything is read from them, while nobody here knows that they are there. What is accepted is served as
aiohttp serves it. How many there may be is bounded: one more is told so, unasked, and hung up on. Idle ones are not
closed for it; their time limit does that.
"""

import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from aiohttp import web

from gatekeeper.web.front import MOMENT_S, FrontServer
from gatekeeper.web.outgoing import as_bytes

ACCEPTED_AT_ONCE_MAX: Final = 256
"""In one turn: some milliseconds of work; whoever is left is taken in the next one."""

OUT_OF_FILES_PAUSE_S: Final = 0.1
"""Where the system has no more files (or memory) for connections, so long nobody is taken; they wait in its queue."""


HANDSHAKE_S: Final = 10.0
"""So long TLS may take to begin: a few round trips. Whoever takes longer keeps a place that others want."""

FAREWELL_S: Final = 5.0
"""And so long to end, for those that never say goodbye."""

TURNED_AWAY_S: Final = 1.0
"""So long one that was turned away stays open: to close it under a request that is still coming would take the answer
away again."""

TURNED_AWAY_MAX: Final = 256
"""And so many of them; further ones are closed at once."""

Full = Callable[[], web.Response]
"""Makes the answer to whoever there is no connection for."""

Tls = Callable[[], ssl.SSLContext]
"""What a connection that is made now is encrypted with: certificates are renewed while others go on."""


class Site(web.BaseSite):
    """Where a runner's server listens: as `web.TCPSite`, but for how connections are taken, and how many.

    The base class keeps the runner, the backlog and the listening server in `_runner`, `_backlog` and `_server`; it has
    no other names for them, and its own `stop` closes the last.
    """

    __slots__ = ("_acceptors", "_connections_max", "_full", "_host", "_port", "_shared", "_tls")

    def __init__(
        self,
        runner: web.BaseRunner,
        host: str,
        port: int,
        *,
        backlog: int,
        connections_max: int,
        full: Full | None = None,
        shared: bool = False,
    ) -> None:
        """`full` None: who is over `connections_max` hears nothing."""
        super().__init__(runner, backlog=backlog)
        self._host = host
        self._port = port
        self._shared = shared
        self._connections_max = connections_max
        self._full = full
        self._tls: Tls | None = None
        self._acceptors: list[Acceptor] = []

    @property
    def name(self) -> str:
        """As aiohttp shows it."""
        return f"http{'s' if self._tls else ''}://{self._host}:{self._port}"

    def encrypt(self, tls: Tls) -> None:
        """Speaks TLS alone. Called before the start."""
        self._tls = tls

    async def start(self) -> None:
        """Listens. Raises OSError."""
        await super().start()
        front = self._runner.server
        if not isinstance(front, FrontServer):
            raise TypeError("the runner has no server, or not one of ours")
        loop = asyncio.get_running_loop()
        # Bound by the loop, which knows about names with several addresses; listened to here.
        server = await loop.create_server(
            front, self._host, self._port, backlog=self._backlog, reuse_port=self._shared or None, start_serving=False
        )
        self._server = server
        self._acceptors = [
            Acceptor(each.fileno(), front, self._backlog, self._connections_max, self._full, self._tls)
            for each in server.sockets
        ]

    async def stop(self) -> None:
        """Takes no more connections but those that wait to be taken, and of each the request that it is at."""
        await super().stop()  # first: while that has the socket open too, the system would go on taking connections
        await asyncio.gather(*(acceptor.close() for acceptor in self._acceptors))


class Acceptor:
    """Takes the connections of one bound socket, as long as the server has fewer than `connections_max`."""

    def __init__(  # as a site has it
        self,
        bound: int,
        front: FrontServer,
        backlog: int,
        connections_max: int,
        full: Full | None,
        tls: Tls | None = None,
    ) -> None:
        self._front = front
        self._backlog = backlog
        self._connections_max = connections_max
        # To say anything by TLS takes a handshake, which is what there is no room for.
        self._full = full if tls is None else None
        self._tls = tls
        self._turned_away: dict[socket.socket, asyncio.TimerHandle] = {}
        self._loop = asyncio.get_running_loop()
        self._beginning: set[asyncio.Task[object]] = set()
        self._listening = socket.socket(fileno=os.dup(bound))
        self._listening.setblocking(False)
        self._listening.listen(backlog)
        self._resume: asyncio.TimerHandle | None = None
        self._watch()

    async def close(self) -> None:
        """Takes those that wait, for the system would reset them, whatever they have sent by now; then no more. Whose
        TLS has not begun in a moment is left: it has asked for nothing yet."""
        if self._resume is not None:
            self._resume.cancel()
        self._front.pre_shutdown()
        self._loop.remove_reader(self._listening)
        with suppress(OSError):
            for _ in range(self._backlog):
                if not self._take():
                    break
        self._listening.close()
        if self._beginning:
            await asyncio.wait(self._beginning, timeout=MOMENT_S)
        for beginning in self._beginning:
            beginning.cancel()
        for connection in tuple(self._turned_away):
            self._hang_up(connection)

    def _watch(self) -> None:
        self._loop.add_reader(self._listening, self._accept)

    def _accept(self) -> None:
        try:
            for _ in range(ACCEPTED_AT_ONCE_MAX):
                if not self._take():
                    return
        except OSError:
            self._loop.remove_reader(self._listening)
            self._resume = self._loop.call_later(OUT_OF_FILES_PAUSE_S, self._watch)

    def _take(self) -> bool:
        """Takes one. False: nobody waits. Raises OSError where there are no files for it."""
        try:
            connection, _address = self._listening.accept()
        except BlockingIOError:
            return False
        except ConnectionAbortedError:  # gone already; others may wait behind it
            return True
        connection.setblocking(False)
        if self._front.count + len(self._beginning) < self._connections_max:
            self._begin(connection)
        else:
            self._turn_away(connection)
        return True

    def _turn_away(self, connection: socket.socket) -> None:
        """Tells that there is no room, and hangs up."""
        if self._full is None or len(self._turned_away) >= TURNED_AWAY_MAX:
            connection.close()
            return
        self._turned_away[connection] = self._loop.call_later(TURNED_AWAY_S, self._hang_up, connection)
        try:
            connection.send(as_bytes(self._full()))
            connection.shutdown(socket.SHUT_WR)
        except OSError:  # gone already
            self._hang_up(connection)

    def _hang_up(self, connection: socket.socket) -> None:
        self._turned_away.pop(connection).cancel()
        connection.close()

    def _begin(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task: asyncio.Task[object] = self._loop.create_task(self._serve(connection))
        self._beginning.add(task)
        task.add_done_callback(self._beginning.discard)

    async def _serve(self, connection: socket.socket) -> None:
        try:
            if self._tls is None:
                await self._loop.connect_accepted_socket(self._front, connection)
            else:
                await self._loop.connect_accepted_socket(
                    self._front,
                    connection,
                    ssl=self._tls(),
                    ssl_handshake_timeout=HANDSHAKE_S,
                    ssl_shutdown_timeout=FAREWELL_S,
                )
        except OSError:  # gone already, or it speaks no TLS, or none that we do
            connection.close()
