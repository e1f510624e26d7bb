"""Backup and restore of the ledger, as docs/operations.md has it: what is copied while it works proves itself."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from gatekeeper.sandbox import RunningSandbox, SandboxSettings, start_sandbox
from tests.ledger.topologies import free_port
from tests.system.deployed import Deployed, deployed, generate
from tests.system.process import write_config
from tests.system.storeserver import AOF, store_server
from tests.system.workering import run_to_its_end

STUDIO = {"STUDIO_KEY": "gk_the_process_of_the_tests", "GATEKEEPER_SERVER__LINE_WAIT_MAX_S": "30"}
"""However slow the machine of the tests is, nobody is refused for that."""
TRIES = 500


@pytest.fixture(name="sandbox")
async def _sandbox() -> AsyncIterator[RunningSandbox]:
    sandbox = await start_sandbox(SandboxSettings())
    yield sandbox
    await sandbox.close()


@asynccontextmanager
async def asked(port: int) -> AsyncIterator[Redis]:
    """Whoever would type valkey-cli."""
    redis = Redis(port=port, decode_responses=True)
    try:
        yield redis
    finally:
        await redis.aclose()


async def until_written(redis: Redis) -> None:
    """Waits (bounded) until no file is being written in the background."""
    for _ in range(TRIES):
        info: dict[str, Any] = await redis.info("persistence")
        if not info["aof_rewrite_in_progress"] and not info["rdb_bgsave_in_progress"]:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it is still writing")


class At:
    """A gateway at work on a store of its own, and where both keep their files."""

    def __init__(self, directory: Path, port: int, gateway: Deployed, config: Path) -> None:
        self.store, self.port, self.gateway, self.config = directory / "store", port, gateway, config
        self._directory = directory

    async def while_it_works(self, copy: Any) -> None:
        """Copies in the midst of forty generations."""
        made = [asyncio.ensure_future(generate(self.gateway.url)) for _ in range(40)]
        await copy()
        assert {200} == set(await asyncio.gather(*made))

    async def verified(self, port: int) -> int:
        """The exit code of `gatekeeper verify` on the store at this port."""
        code, said = await run_to_its_end(self.config, "verify", GATEKEEPER_STORE__URL=f"redis://127.0.0.1:{port}/0")
        assert "" == said or code
        return code


@pytest.fixture(name="at")
async def _at(tmp_path: Path, sandbox: RunningSandbox) -> AsyncIterator[At]:
    port, config = free_port(), write_config(tmp_path, sandbox.url, grant="100000")
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(store_server(tmp_path / "store", port, *AOF))
        running = deployed("gateway-1", f"redis://127.0.0.1:{port}/0", tmp_path / "one", config, **STUDIO)
        gateway = await stack.enter_async_context(running)
        for _ in range(5):
            await generate(gateway.url)
        yield At(tmp_path, port, gateway, config)


async def charged(port: int) -> int:
    """What the team has been charged, in micro-credits, as the store's own record has it."""
    async with asked(port) as redis:
        figures: str = await redis.hget("gk:{studio}:bal", "figures")  # type: ignore[misc]
    return int(figures.split(":")[3])


async def test_a_copy_of_the_append_only_file_proves_itself(at: At, tmp_path: Path) -> None:
    """Copied under load, with rewrites held off; started beside, its books are right, and not older than the copy."""

    async def copy() -> None:
        async with asked(at.port) as redis:
            await redis.config_set("auto-aof-rewrite-percentage", 0)
            await until_written(redis)
            await asyncio.to_thread(shutil.copytree, at.store / "appendonlydir", tmp_path / "restored/appendonlydir")
            await redis.config_set("auto-aof-rewrite-percentage", 100)

    before = await charged(at.port)
    await at.while_it_works(copy)
    port = free_port()
    async with store_server(tmp_path / "restored", port, *AOF):
        after, code = await charged(port), await at.verified(port)

    assert 0 == code
    assert before <= after <= await charged(at.port)


async def test_a_snapshot_proves_itself(at: At, tmp_path: Path) -> None:
    """Taken under load, loaded by a server without an append-only file, which then writes one: the last start has both
    the file and the books. A server that is to write the file at once begins empty."""

    async def copy() -> None:
        async with asked(at.port) as redis:
            await redis.bgsave()
            await until_written(redis)

    before = await charged(at.port)
    await at.while_it_works(copy)
    (tmp_path / "restored").mkdir()
    shutil.copy(at.store / "dump.rdb", tmp_path / "restored/dump.rdb")
    shutil.copytree(tmp_path / "restored", tmp_path / "at once")
    empty = free_port()
    async with store_server(tmp_path / "at once", empty, *AOF), asked(empty) as redis:
        assert 0 == await redis.dbsize()
    loading, port = free_port(), free_port()
    async with store_server(tmp_path / "restored", loading, "--appendonly", "no"), asked(loading) as redis:
        await redis.config_set("appendonly", "yes")
        await until_written(redis)
    async with store_server(tmp_path / "restored", port, *AOF):
        after, code = await charged(port), await at.verified(port)

    assert 0 == code
    assert before <= after <= await charged(at.port)


async def test_a_copy_that_was_tampered_with_does_not(at: At, tmp_path: Path) -> None:
    """`verify` is what tells a good restore from one that only starts."""
    shutil.copytree(at.store / "appendonlydir", tmp_path / "restored/appendonlydir")
    port = free_port()
    async with store_server(tmp_path / "restored", port, *AOF):
        async with asked(port) as redis:
            entries = await redis.xrevrange("gk:{studio}:j", count=1)
            await redis.xdel("gk:{studio}:j", entries[0][0])
        code = await at.verified(port)

    assert 1 == code
