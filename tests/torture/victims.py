"""The processes that are killed: gateways, workers and the store; each starts again where it was.

A victim has a name, which its calls to the provider carry, and a fault proxy of its own in front of the store.
"""

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.system.nursery import Child
from tests.system.process import READY_TIMEOUT_S, started
from tests.system.storeserver import AOF, store_server
from tests.torture.faultproxy import FaultProxy

STOP_TIMEOUT_S = 60.0
"""Far above what is left to do; a process that needs longer hangs."""


class Victim:
    """A child process that says when it is up, and is started again whenever it was killed."""

    def __init__(self, name: str, command: Sequence[str], cwd: Path, proxy: FaultProxy, up: str, **env: str) -> None:
        self.name = name
        self.proxy = proxy
        self.cwd = cwd
        self.outbox = cwd / "data" / "outbox"
        self.url = ""
        self.kills = 0
        self.lines: Counter[str] = Counter()
        self.deferred: list[str] = []
        self._command = command
        self._up = up
        self._env = env
        self._process: asyncio.subprocess.Process | Child | None = None
        self._reading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start, and wait until it says that it is up."""
        with (self.cwd / "stderr.txt").open("ab") as stderr:
            environment = {**os.environ, "PYTHONUNBUFFERED": "1", **self._env}
            self._process = await started(self._command, self.cwd, environment, stderr.fileno())
        up = asyncio.Event()
        self._reading = asyncio.create_task(self._read(self._process, up))
        async with asyncio.timeout(READY_TIMEOUT_S):
            ended = asyncio.create_task(self._process.wait())
            waited = asyncio.create_task(up.wait())
            await asyncio.wait({ended, waited}, return_when=asyncio.FIRST_COMPLETED)
            ended.cancel()
            waited.cancel()

    @property
    def is_up(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.returncode is None

    def kill(self) -> None:
        """SIGKILL, at once; what else the moment needs comes after it."""
        assert self._process is not None
        if self._process.returncode is None:
            os.kill(self._process.pid, signal.SIGKILL)
            self.kills += 1

    async def buried(self) -> None:
        """The killed process is gone and all it said was read."""
        assert self._process is not None
        assert self._reading is not None
        await self._process.wait()
        await self._reading

    def tracebacks(self) -> list[str]:
        """The last line of every traceback that was printed: errors that nobody took."""
        text = (self.cwd / "stderr.txt").read_text(errors="replace")
        return [block.strip().splitlines()[-1] for block in text.split("Traceback (most recent call last)")[1:]]

    async def stop(self) -> int:
        """SIGTERM, and the exit code; -9 if it had to be killed because it did not end."""
        assert self._process is not None
        assert self._reading is not None
        if self._process.returncode is None:
            os.kill(self._process.pid, signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                code = await self._process.wait()
        except TimeoutError:
            self.kill()
            code = await self._process.wait()
        await self._reading
        return code

    async def _read(self, process: asyncio.subprocess.Process | Child, up: asyncio.Event) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            text = line.decode()
            if self._up in text:
                self.url = json.loads(text).get("url", "") if text.startswith("{") else ""
                up.set()
            self._note(text)

    def _note(self, text: str) -> None:
        if not text.startswith('{"') or '"event":"' not in text:
            return
        event = text.partition('"event":"')[2].partition('"')[0]
        self.lines[event] += 1
        if event == "settle.deferred":
            self.deferred.append(text)


class Store:
    """A real server with an append-only file that is fsynced always, on one port and one directory for ever."""

    def __init__(self, directory: Path, port: int) -> None:
        self.directory = directory
        self.port = port
        self.kills = 0
        self._context = store_server(directory, port, *AOF)
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """Its address, past every proxy."""
        return f"redis://127.0.0.1:{self.port}/0"

    async def start(self) -> None:
        """Start, and wait until it listens."""
        self._context = store_server(self.directory, self.port, *AOF, "--loglevel", "warning")
        self._process = await self._context.__aenter__()

    def kill(self) -> None:
        """SIGKILL, at once."""
        assert self._process is not None
        if self._process.returncode is None:
            os.kill(self._process.pid, signal.SIGKILL)
            self.kills += 1

    async def close(self) -> None:
        """Make sure that it is gone."""
        await self._context.__aexit__(None, None, None)

    async def again(self) -> None:
        """Start anew after a kill."""
        assert self._process is not None
        await self._process.wait()
        await self.close()
        await self.start()


def python(*arguments: str) -> list[str]:
    """A command line for a module of this interpreter."""
    return [sys.executable, "-m", *arguments]
