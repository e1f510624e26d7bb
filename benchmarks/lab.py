"""A scratch directory and the processes of one run, each on its core, its output in a file; all gone at the end.

    async with Lab() as lab:
        mock = await start_mock(lab)
        gateway = await start_gateway(lab, mock.url, await start_store(lab))

What is started inherits the tree that this file is in (PYTHONPATH), whatever else is installed.
"""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from benchmarks import accounting
from benchmarks.machine import ROOT, Cores, on_core, own_cores

READY_S: Final = 60.0
"""Starting takes a second; this is for a machine that is busy with everything else."""
STOP_S: Final = 15.0
POLL_S: Final = 0.02
LISTENING: Final = "listening on port "
"""What the servers of this folder say when they are ready, followed by the port."""


class NotStartedError(RuntimeError):
    """A server of the run did not start; the end of its output is in the message."""


@dataclass(eq=False, slots=True)
class Running:
    """A started process. `url` is where it answers, once it is known."""

    name: str
    process: "subprocess.Popen[bytes]"
    log: Path
    url: str = ""
    pids: tuple[int, ...] = ()
    """Whose CPU and memory count: the process itself, if nothing is said."""

    @property
    def pid(self) -> int:
        """The process that was started."""
        return self.process.pid

    def measured(self) -> Sequence[int]:
        """The processes that count."""
        return self.pids or (self.pid,)

    def cpu_us(self) -> float:
        """CPU used until now, in microseconds."""
        return sum(map(accounting.cpu_ns, self.measured())) / 1000

    def rss_bytes(self) -> int:
        """Memory in use now."""
        return sum(map(accounting.rss_bytes, self.measured()))

    def peak_rss_bytes(self) -> int:
        """The most memory since its start, or since `reset_peak`."""
        return sum(map(accounting.peak_rss_bytes, self.measured()))

    def reset_peak(self) -> None:
        """From here on the peak counts anew."""
        for pid in self.measured():
            accounting.reset_peak(pid)

    async def line_with(self, text: str) -> str:
        """The first line of its output that has the text. NotStartedError if it ends before or takes too long."""
        until = time.monotonic() + READY_S
        while time.monotonic() < until:
            lines = self.log.read_text("utf-8", "replace").splitlines(keepends=True)
            for line in lines:
                if text in line and line.endswith("\n"):
                    return line
            if self.process.poll() is not None:
                break
            await asyncio.sleep(POLL_S)
        tail = self.log.read_text("utf-8", "replace")[-3000:]
        raise NotStartedError(f"{self.name} did not start:\n{tail}")

    async def listening(self) -> Self:
        """Wait for the word of a server of this folder, and take its port."""
        line = await self.line_with(LISTENING)
        self.url = f"http://127.0.0.1:{line.split(LISTENING)[1].strip()}"
        return self

    def stop(self) -> None:
        """End it and wait for its end."""
        if self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass(eq=False)
class Lab:
    """What a run has started, and where."""

    cores: Cores = field(default_factory=own_cores)
    directory: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="gk-bench-")))
    running: list[Running] = field(default_factory=list)
    keep: bool = False
    _before: set[int] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        self._before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {self.cores.load})
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each in reversed(self.running):
            each.stop()
        os.sched_setaffinity(0, self._before)
        if isinstance(error, Exception):
            self.keep = True
            error.add_note(f"What its processes wrote is kept in {self.directory}")
        if not self.keep:
            shutil.rmtree(self.directory, ignore_errors=True)

    def folder(self, name: str) -> Path:
        """A directory of that name, or the next free one."""
        count = sum(1 for each in self.directory.iterdir() if each.name.partition("-")[0] == name)
        path = self.directory / (f"{name}-{count}" if count else name)
        path.mkdir()
        return path

    def start(self, name: str, command: Sequence[str | Path], core: int, *, cwd: Path, **environment: str) -> Running:
        """Start a program on a core; its output goes to a file in its directory."""
        log = cwd / f"{name}.log"
        inherited = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        env = inherited | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"} | environment
        with on_core(core), log.open("wb") as out:
            process = subprocess.Popen(
                [str(part) for part in command], cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=out,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        found = Running(name, process, log)
        self.running.append(found)
        return found

    def python(self, name: str, module: str, *arguments: str, core: int, cwd: Path, **environment: str) -> Running:
        """Start a module of this tree."""
        return self.start(name, [sys.executable, "-m", module, *arguments], core, cwd=cwd, **environment)

    def stop(self, *ended: Running) -> None:
        """End these before the others."""
        for each in ended:
            each.stop()
            self.running.remove(each)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
