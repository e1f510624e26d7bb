"""The embedded store: a real Redis or Valkey server of our own, for whoever has no store to point at.

One server per data directory. Whoever opens the directory first starts the server and owns it; whoever comes while
that owner lives (a command beside a running gateway) is connected to the owner's server instead, and takes over when
the owner ends. The lock file is handed down to the server, so the lock is held exactly as long as a server may write
here: after a kill -9 of the gateway, the next one waits until the old server is really gone.

The server listens on a unix socket only, writes its append-only file with an fsync before it answers, and never
evicts (`server.py`). fakeredis is no store: it forgets, and its Lua is not the real one.
"""

import asyncio
import fcntl
import hashlib
import json
import os
import stat
import tempfile
from contextlib import suppress
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

WATCH_INTERVAL_S: Final = 0.1
"""How soon a server whose owner ended is replaced: well within the time that a ledger call is retried."""

_LOCK_NAME: Final = "store.lock"
_STATE_NAME: Final = "store.json"
_SOCKET_NAME: Final = "store.sock"
_POLL_S: Final = 0.02


class EmbeddedStore:
    """An open data directory, and our server of it if it is ours.

    While another process owns the server we watch the lock: when that process ends its server ends with it, and we
    start one in its place on the same socket. So a command may come and go before, beside or after a gateway.
    """

    def __init__(self, data_dir: Path, socket: Path) -> None:
        self.data_dir = data_dir
        self.socket = socket
        self.server: ServerProcess | None = None
        self._lock: BinaryIO | None = None
        self._watcher: asyncio.Task[None] | None = None

    @property
    def owned(self) -> bool:
        """Whether the server is ours."""
        return self.server is not None

    @property
    def url(self) -> str:
        """The address for `client.connect`; the same whoever owns the server."""
        return f"unix://{quote(str(self.socket))}"

    async def own(self, lock: BinaryIO) -> None:
        """Start the server under a lock that we hold. Raises StoreRefused or OSError; then the lock is free again."""
        try:
            server = ServerProcess(find_server(), self.data_dir, self.socket, lock.fileno())
            _make_socket_directory(self.socket.parent, self.data_dir)
            _write_state(self.data_dir)
            await server.start()
        except BaseException:
            lock.close()
            raise
        self.server, self._lock = server, lock

    def watch(self) -> None:
        """Take over when the owner ends."""
        self._watcher = asyncio.get_running_loop().create_task(self._take_over())

    async def _take_over(self) -> None:
        while self.server is None:
            await asyncio.sleep(WATCH_INTERVAL_S)
            lock = _try_lock(self.data_dir)
            if lock is not None:
                # What went wrong this time may not go wrong the next; until then every call says the store is away.
                with suppress(StoreRefused, OSError):
                    await self.own(lock)

    async def close(self) -> None:
        """End our server and wait for it; leave another's alone. Closing again does nothing."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.wait({self._watcher})
            self._watcher = None
        server, self.server = self.server, None
        if server is None:
            return
        await server.close()
        if self._lock is not None:
            self._lock.close()
        if self.socket.parent != self.data_dir:
            with suppress(OSError):
                self.socket.unlink(missing_ok=True)
                self.socket.parent.rmdir()


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
            store = EmbeddedStore(data_dir, _socket_path(data_dir))
            lock = _try_lock(data_dir)
            if lock is not None:
                await store.own(lock)
                return store
            if owner_lives(data_dir) and await answers(store.socket):
                store.watch()
                return store
            await asyncio.sleep(_POLL_S)
    except OSError as error:
        raise StoreRefused(f"data directory {data_dir} cannot be used: {error}") from error
    raise StoreRefused(f"another server holds {data_dir} and does not answer: stop it, or use another directory")


def _write_state(data_dir: Path) -> None:
    """Tell those who come later whose server it is."""
    (data_dir / _STATE_NAME).write_text(json.dumps({"owner_pid": os.getpid()}), "utf-8")


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
    """Inside the directory if that is short enough for a socket, else in a directory of its own that follows from it.

    Always the same for one data directory, so that a server that was taken over is found where the first one was.
    """
    path = data_dir / _SOCKET_NAME
    if len(os.fsencode(path)) <= SOCKET_PATH_BYTES_MAX:
        return path
    name = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"gatekeeper-{os.getuid()}-{name}" / _SOCKET_NAME


def _make_socket_directory(directory: Path, data_dir: Path) -> None:
    """Makes it for us alone. Somebody else's directory under our name in a shared place would be their store."""
    if directory == data_dir:
        return
    directory.mkdir(mode=0o700, exist_ok=True)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise StoreRefused(f"{directory} is not a directory of ours alone: remove it, or use a shorter data directory")


def owner_lives(data_dir: Path) -> bool:
    """False while there is no owner, or it died and its server still ends."""
    with suppress(OSError, ValueError, KeyError):
        state = json.loads((data_dir / _STATE_NAME).read_text("utf-8"))
        os.kill(int(state["owner_pid"]), 0)
        return True
    return False
