"""Takes new connections, all that wait, in each turn of the event loop.

uvloop takes one a turn. A turn of a busy process lasts a good many milliseconds, so that new callers would wait for
seconds before anything is read from them, while nobody here knows that they are there. What is accepted is served as
aiohttp serves it.
"""

import asyncio
import os
import socket
from typing import Final

from aiohttp import web

ACCEPTED_AT_ONCE_MAX: Final = 256
"""In one turn: some milliseconds of work; whoever is left is taken in the next one."""

OUT_OF_FILES_PAUSE_S: Final = 0.1
"""Where the system has no more files (or memory) for connections, so long nobody is taken; they wait in its queue."""


class Site(web.BaseSite):
    """Where a runner's server listens: as `web.TCPSite`, but for how connections are taken."""

    __slots__ = ("_acceptors", "_host", "_port", "_shared")

    def __init__(self, runner: web.BaseRunner, host: str, port: int, *, backlog: int, shared: bool = False) -> None:
        super().__init__(runner, backlog=backlog)
        self._host = host
        self._port = port
        self._shared = shared
        self._acceptors: list[Acceptor] = []

    @property
    def name(self) -> str:
        """As aiohttp shows it."""
        return f"http://{self._host}:{self._port}"

    async def start(self) -> None:
        """Listens. Raises OSError."""
        await super().start()
        front = self._runner.server
        if front is None:
            raise RuntimeError("the runner is not set up")
        loop = asyncio.get_running_loop()
        # Bound by the loop, which knows about names with several addresses; listened to here.
        server = await loop.create_server(
            front, self._host, self._port, backlog=self._backlog, reuse_port=self._shared or None, start_serving=False
        )
        self._server = server
        self._acceptors = [Acceptor(each.fileno(), front, self._backlog) for each in server.sockets]

    async def stop(self) -> None:
        """Takes no more connections; those that there are go on."""
        for acceptor in self._acceptors:
            acceptor.close()
        await super().stop()


class Acceptor:
    """Takes the connections of one bound socket."""

    def __init__(self, bound: int, front: web.Server, backlog: int) -> None:
        self._front = front
        self._loop = asyncio.get_running_loop()
        self._beginning: set[asyncio.Task[object]] = set()
        self._listening = socket.socket(fileno=os.dup(bound))
        self._listening.setblocking(False)
        self._listening.listen(backlog)
        self._resume: asyncio.TimerHandle | None = None
        self._watch()

    def close(self) -> None:
        """Takes no more."""
        if self._resume is not None:
            self._resume.cancel()
        self._loop.remove_reader(self._listening)
        self._listening.close()

    def _watch(self) -> None:
        self._loop.add_reader(self._listening, self._accept)

    def _accept(self) -> None:
        for _ in range(ACCEPTED_AT_ONCE_MAX):
            try:
                connection, _address = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                self._loop.remove_reader(self._listening)
                self._resume = self._loop.call_later(OUT_OF_FILES_PAUSE_S, self._watch)
                return
            self._begin(connection)

    def _begin(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task: asyncio.Task[object] = self._loop.create_task(self._serve(connection))
        self._beginning.add(task)
        task.add_done_callback(self._beginning.discard)

    async def _serve(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._front, connection)
        except OSError:  # gone already
            connection.close()
