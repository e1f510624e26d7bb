"""Workers that cannot start, or whose store is away: told once, and nothing is lost."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gatekeeper.cli.root import make_app
from gatekeeper.sandbox import RunningSandbox, SandboxSettings, start_sandbox
from tests.ledger.topologies import free_port
from tests.system.process import gatekeeper, write_config
from tests.system.provider import Provider
from tests.system.storeserver import AOF, store_server
from tests.system.test_outbox import killed, segments, verify_by_url
from tests.system.workering import ENVIRONMENT, run_to_its_end, workers


@pytest.fixture(name="sandbox")
async def _sandbox() -> AsyncIterator[RunningSandbox]:
    sandbox = await start_sandbox(SandboxSettings())
    yield sandbox
    await sandbox.close()


async def test_a_port_in_use_is_told_once(tmp_path: Path, sandbox: RunningSandbox) -> None:
    """Also by the workers of another gateway, with whom it could be shared: one line, exit code 1, no worker begins."""
    config = write_config(tmp_path, sandbox.url)
    async with workers(config, 2) as gateway:
        port = gateway.url.rpartition(":")[2]
        ends = [
            await run_to_its_end(
                config, "serve", "--port", port, "--workers", count, GATEKEEPER_STORE__DATA_DIR="other"
            )
            for count in ("1", "2")
        ]

    line = (
        f"127.0.0.1:{port} is in use: stop what listens there, or choose another --port or --admin-port (0: any free)."
    )
    assert [(1, f"{line}\n")] * 2 == ends


async def test_mistakes_in_the_config_are_told_once(tmp_path: Path) -> None:
    """By the process that was started, before there is any worker."""
    config = write_config(tmp_path, "http://127.0.0.1:9")
    config.write_text(config.read_text().replace("google.yaml", "nowhere.yaml"))

    code, said = await run_to_its_end(config, "serve", "--workers", "3")

    assert (1, 1) == (code, said.count("no file matches"))
    assert not (tmp_path / "data").exists()


async def test_workers_that_die_at_the_start_end_all_of_it(tmp_path: Path) -> None:
    """After a few tries the gateway says why and ends; a supervisor of its own would only try on."""
    config = write_config(tmp_path, "http://127.0.0.1:9")
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data" / "outbox").write_text("a file where a directory has to be")

    code, said = await run_to_its_end(config, "serve", "--workers", "2")

    assert 1 == code
    assert said.startswith("The workers cannot serve. worker ")
    assert "outbox cannot be used" in said
    assert 1 == said.count("\n")


@pytest.mark.parametrize("number", ["0", "65", "two"])
def test_a_number_of_workers_that_cannot_be(tmp_path: Path, number: str) -> None:
    """On the command line it is a mistake of use, in the environment one of the config."""
    words = ["serve", "--config", str(write_config(tmp_path, "http://127.0.0.1:9"))]

    by_option = CliRunner().invoke(make_app(words), [*words, "--workers", number])
    by_variable = CliRunner().invoke(make_app(words), words, env={"GATEKEEPER_SERVER__WORKERS": number})

    assert (2, 1) == (by_option.exit_code, by_variable.exit_code)
    assert "--workers" in by_option.stderr
    assert "GATEKEEPER_SERVER__WORKERS" in by_variable.stderr


async def test_fewer_workers_book_what_more_have_left(tmp_path: Path, provider: Provider) -> None:
    """Store gone, charges on the disk of three workers, all killed; one process alone books every one of them."""
    port, store_dir = free_port(), tmp_path / "store"
    environment = {"GATEKEEPER_STORE__URL": f"redis://127.0.0.1:{port}/0"}
    config = write_config(tmp_path, provider.url)
    provider.gate.clear()
    async with store_server(store_dir, port, *AOF) as store, workers(config, **environment) as gateway:
        answers = [asyncio.ensure_future(gateway.generate()) for _ in range(12)]
        await gateway.until_in_flight(12)
        await killed(store)
        provider.gate.set()
        statuses = await asyncio.gather(*answers)
        waiting = await gateway.metric("gatekeeper_outbox_resolutions")
        for pid in (gateway.process.pid, *gateway.worker_pids()):
            os.kill(pid, signal.SIGKILL)
    owners = {path.name.split("-")[1] for path in segments(tmp_path / "data")}
    async with store_server(store_dir, port, *AOF):
        arguments = ("serve", "--config", str(config))
        async with gatekeeper(*arguments, cwd=tmp_path, **ENVIRONMENT, **environment) as alone:
            for _ in range(12):
                await alone.until_line('"event":"settle.replayed"')
                alone.lines = [line for line in alone.lines if "settle.replayed" not in line]
            alone.signal(signal.SIGTERM)
            assert 0 == await alone.ended()
        assert 0 == await verify_by_url(tmp_path, config, ENVIRONMENT | environment)

    assert ([200] * 12, 12) == (statuses, waiting)
    assert len(owners) > 1
    assert [] == segments(tmp_path / "data")
