"""A Redis or Valkey server as our child process: started, watched, started again if it dies, stopped.

On Linux it dies with its parent. A tiny launcher asks the kernel for a SIGTERM at the parent's death, then becomes
the server; a hook between fork and exec would do the same, but runs Python in the forked child of a threaded
process. Elsewhere an orphan keeps running, and keeps its directory locked, until somebody stops it.
"""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from gatekeeper.ledger.errors import StoreRefused

READY_TIMEOUT_S: Final = 60.0
"""How long a server may take to load its append-only file."""
STOP_TIMEOUT_S: Final = 15.0
"""How long a server may take to end after SIGTERM; then it is killed, which loses nothing that was answered."""
RESTART_WAIT_MAX_S: Final = 5.0
"""Longest pause before a server that keeps dying is started again."""
LOG_NAME: Final = "store.log"

_POLL_S: Final = 0.02
_ANSWER_TIMEOUT_S: Final = 1.0
_LAUNCHER: Final = """
import ctypes, os, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 15)  # PR_SET_PDEATHSIG, SIGTERM: it survives the exec below
if os.getppid() != int(sys.argv[1]):
    sys.exit(0)  # the parent died before the line above could take effect
os.execv(sys.argv[2], sys.argv[2:])
"""


class ServerProcess:
    """The server of one data directory, listening on one unix socket.

    `lock_fd` is handed down, so that the directory's lock lives as long as the server. `on_restart` is told the exit
    code when the server died by itself and is about to be started again.
    """

    def __init__(self, binary: Path, data_dir: Path, socket: Path, lock_fd: int) -> None:
        self.binary = binary
        self.data_dir = data_dir
        self.socket = socket
        self.on_restart: Callable[[int], None] = lambda _code: None
        self._lock_fd = lock_fd
        self._process: asyncio.subprocess.Process | None = None
        self._watcher: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The running server's process id."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Start the server, wait until it answers, and watch it from then on. Raises StoreRefused."""
        try:
            await self._launch()
        except BaseException:
            await self.close()
            raise
        self._watcher = asyncio.get_running_loop().create_task(self._watch())

    async def close(self) -> None:
        """Ask the server to end and wait for it."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.wait({self._watcher})
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _launch(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), str(self.binary), *self._arguments(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            pass_fds=(self._lock_fd,),
            start_new_session=True,  # Ctrl-C in a terminal is for us; the store has to outlive our last settle
        )  # fmt: skip
        await self._wait_ready(self._process)

    def _arguments(self) -> list[str]:
        return [
            "--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700",
            "--dir", str(self.data_dir), "--logfile", str(self.data_dir / LOG_NAME), "--loglevel", "warning",
            "--appendonly", "yes", "--appendfsync", "always", "--aof-load-truncated", "yes", "--save", "",
            "--maxmemory-policy", "noeviction", "--lazyfree-lazy-expire", "yes", "--databases", "1",
        ]  # fmt: skip

    async def _wait_ready(self, process: asyncio.subprocess.Process) -> None:
        deadline = asyncio.get_running_loop().time() + READY_TIMEOUT_S
        while asyncio.get_running_loop().time() < deadline:
            if process.returncode is not None:
                raise StoreRefused(
                    f"{self.binary} ended with code {process.returncode} at its start: see {self.data_dir / LOG_NAME}"
                )
            if await answers(self.socket):
                return
            await asyncio.sleep(_POLL_S)
        process.kill()
        raise StoreRefused(f"{self.binary} did not answer within {READY_TIMEOUT_S:.0f} s")

    async def _watch(self) -> None:
        wait_s = 0.0
        while self._process is not None:
            code = await self._process.wait()
            self.on_restart(code)
            await asyncio.sleep(wait_s)
            wait_s = min(max(0.1, wait_s * 2), RESTART_WAIT_MAX_S)
            try:
                await self._launch()
            except (StoreRefused, OSError):
                continue


async def answers(socket: Path) -> bool:
    """Whether a server answers a PING on this socket now (one that still loads its data does not)."""
    try:
        async with asyncio.timeout(_ANSWER_TIMEOUT_S):
            reader, writer = await asyncio.open_unix_connection(str(socket))
            try:
                writer.write(b"*1\r\n$4\r\nPING\r\n")
                return (await reader.readline()).startswith(b"+PONG")
            finally:
                writer.close()
                await writer.wait_closed()
    except (OSError, TimeoutError):
        return False
