"""A store that runs by itself on a loopback port, to be stopped, killed and started again by a test."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gatekeeper.ledger.binary import find_server
from tests.ledger.topologies import DURABLE

AOF = DURABLE
"""Every write on disk before it is answered."""


async def until_listening(port: int) -> None:
    """Waits (bounded) until somebody accepts on this port."""
    for _ in range(1000):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            await asyncio.sleep(0.02)
            continue
        writer.close()
        await writer.wait_closed()
        return
    raise AssertionError(f"nothing listens on {port}")


@asynccontextmanager
async def store_server(directory: Path, port: int, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A server on a loopback port, answering when the block begins."""
    directory.mkdir(exist_ok=True)  # noqa: ASYNC240  # one call in a test
    process = await asyncio.create_subprocess_exec(
        str(find_server()), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(directory), "--save", "",
        *arguments, stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    await until_listening(port)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
