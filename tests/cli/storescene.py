"""A store that many tests share, one after the other: a command that need not start one is done in a moment."""

import asyncio
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gatekeeper.ledger.client import connect
from tests.cli.scene import wait_for
from tests.ledger.topologies import server_binary


@contextmanager
def a_server() -> Iterator[str]:
    """The address of a real server on a unix socket."""
    directory = Path(tempfile.mkdtemp(prefix="gk-"))
    socket = directory / "s"
    command = [server_binary(), "--port", "0", "--unixsocket", str(socket), "--dir", str(directory), "--save", ""]
    process = subprocess.Popen([*command, "--appendonly", "yes"], stdout=subprocess.DEVNULL)
    try:
        wait_for(socket.exists)
        yield f"unix://{socket}"
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(directory)


def emptied(url: str) -> None:
    """Nothing is in this store any more."""

    async def flush() -> None:
        redis = connect(url)
        await redis.flushall()
        await redis.aclose()

    asyncio.run(flush())
