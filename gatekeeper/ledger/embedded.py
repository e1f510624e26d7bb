"""The embedded store: a real Redis or Valkey server of our own, for whoever has no store to point at.

One server per data directory. Whoever opens the directory first starts the server and owns it; whoever comes while
that owner lives (a command beside a running gateway) is connected to the owner's server instead, and `owned` says
which it was. The lock file is handed down to the server, so the lock is held exactly as long as a server may write
here: after a kill -9 of the gateway, the next one waits until the old server is really gone.

The server listens on a unix socket only, writes its append-only file with an fsync before it answers, and never
evicts (`server.py`). fakeredis is no store: it forgets, and its Lua is not the real one.
"""

import asyncio
import fcntl
import json
import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import quote

from gatekeeper.ledger.binary import find_server
from gatekeeper.ledger.errors import StoreRefused
from gatekeeper.ledger.server import ServerProcess, answers

SOCKET_PATH_BYTES_MAX: Final = 100
"""A unix socket's path may have 107 bytes on Linux, 103 on macOS."""
TAKEOVER_TIMEOUT_S: Final = 30.0
"""How long to wait for the server of a dead owner to end."""

_LOCK_NAME: Final = "store.lock"
_STATE_NAME: Final = "store.json"
_SOCKET_NAME: Final = "store.sock"
_POLL_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class EmbeddedStore:
    """An open data directory. `server` is None if another process owns the server."""

    data_dir: Path
    socket: Path
    server: ServerProcess | None
    lock: BinaryIO | None

    @property
    def owned(self) -> bool:
        """Whether the server is ours."""
        return self.server is not None

    @property
    def url(self) -> str:
        """The address for `client.connect`."""
        return f"unix://{quote(str(self.socket))}"

    async def close(self) -> None:
        """End our server and wait for it; leave another's alone. Closing again does nothing."""
        if self.server is None:
            return
        await self.server.close()
        if self.lock is not None:
            self.lock.close()
        if self.socket.parent != self.data_dir:
            shutil.rmtree(self.socket.parent, ignore_errors=True)


async def open_embedded(data_dir: Path) -> EmbeddedStore:
    """Start the server of this directory, or connect to the one that a living owner runs there.

    Raises StoreRefused if there is no server to start, if it does not start, or if the directory stays locked
    without a server that answers.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + TAKEOVER_TIMEOUT_S
    try:
        data_dir = _make_private(data_dir)
        while loop.time() < deadline:
            lock = _try_lock(data_dir)
            if lock is not None:
                return await _start_owned(data_dir, lock)
            socket = _living_owners_socket(data_dir)
            if socket is not None and await answers(socket):
                return EmbeddedStore(data_dir, socket, None, None)
            await asyncio.sleep(_POLL_S)
    except OSError as error:
        raise StoreRefused(f"data directory {data_dir} cannot be used: {error}") from error
    raise StoreRefused(f"another server holds {data_dir} and does not answer: stop it, or use another directory")


async def _start_owned(data_dir: Path, lock: BinaryIO) -> EmbeddedStore:
    socket = _socket_path(data_dir)
    try:
        server = ServerProcess(find_server(), data_dir, socket, lock.fileno())
        _write_state(data_dir, socket)
        await server.start()
    except BaseException:
        lock.close()
        raise
    return EmbeddedStore(data_dir, socket, server, lock)


def _write_state(data_dir: Path, socket: Path) -> None:
    """Tell those who come later where the server listens and whose it is."""
    state = {"socket": str(socket), "owner_pid": os.getpid()}
    (data_dir / _STATE_NAME).write_text(json.dumps(state), "utf-8")


def _make_private(data_dir: Path) -> Path:
    """The directory by its full path, made for us alone if it is not there."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    return data_dir.resolve()


def _try_lock(data_dir: Path) -> BinaryIO | None:
    """The directory's lock as an open file, None if somebody has it."""
    lock = (data_dir / _LOCK_NAME).open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    except OSError:
        lock.close()
        raise
    return lock


def _socket_path(data_dir: Path) -> Path:
    """Inside the directory if the path is short enough for a socket, else in a private directory of its own."""
    path = data_dir / _SOCKET_NAME
    if len(os.fsencode(path)) <= SOCKET_PATH_BYTES_MAX:
        return path
    return Path(tempfile.mkdtemp(prefix="gatekeeper-")) / _SOCKET_NAME


def _living_owners_socket(data_dir: Path) -> Path | None:
    """Where the owner says its server listens; None while there is no owner, or it died and its server still ends."""
    with suppress(OSError, ValueError, KeyError):
        state = json.loads((data_dir / _STATE_NAME).read_text("utf-8"))
        os.kill(int(state["owner_pid"]), 0)
        return Path(state["socket"])
    return None
