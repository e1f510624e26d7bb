"""The process as operators meet it: start, reload, stop, kill, and the commands beside it."""

import asyncio
import io
import json
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from PIL import Image

from gatekeeper.catalog import load_catalog
from gatekeeper.sandbox import RunningSandbox, SandboxSettings, start_sandbox
from gatekeeper.settings import load_settings
from gatekeeper.store import open_ledger
from tests.system.process import CATALOG_FILES, Process, gatekeeper, write_config
from tests.system.world import CATALOG

KEY = {"Authorization": "Bearer gk_the_process_of_the_tests"}
ENVIRONMENT = {"STUDIO_KEY": "gk_the_process_of_the_tests"}


@pytest.fixture(name="sandbox")
async def _sandbox() -> AsyncIterator[RunningSandbox]:
    sandbox = await start_sandbox(SandboxSettings())
    yield sandbox
    await sandbox.close()


async def generate(url: str, prompt: str = "a cat") -> tuple[int, Any]:
    """One native generation of 49 credits."""
    body = {"model": "nano-banana-2", "prompt": prompt, "resolution": "1K", "aspect_ratio": "1:1"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/v1/generations", json=body, headers=KEY) as response,
    ):
        return response.status, await response.json(content_type=None)


async def balance(url: str) -> Any:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/v1/balance", headers=KEY) as response:
        return await response.json()


async def verify(config: Path) -> None:
    """The books that a process has left are right. In this process: to start a command for it takes a second."""
    async with open_ledger(load_settings(config)) as store:
        reports = [await store.ledger.verify(team) async for team in store.ledger.teams()]

    assert reports
    assert [] == [report for report in reports if not report.clean]


async def test_sigterm_lets_what_is_in_flight_finish_and_settle(tmp_path: Path, sandbox: RunningSandbox) -> None:
    """The answer arrives, the charge is booked, the exit code is 0."""
    config = write_config(tmp_path, sandbox.url)
    async with gatekeeper("serve", "--config", str(config), cwd=tmp_path, **ENVIRONMENT) as server:
        url = (await server.event("server.started"))["url"]
        answer = asyncio.ensure_future(generate(url, "a cat [sandbox: latency=0.5]"))
        await server.event("generation.admitted")
        server.signal(signal.SIGTERM)
        status, _ = await answer
        code = await server.ended()

    assert (200, 0) == (status, code)
    assert any('"event":"generation.settled"' in line for line in server.lines)
    await verify(config)


async def test_sigterm_past_the_grace_records_what_is_unknown(tmp_path: Path, sandbox: RunningSandbox) -> None:
    """A generation that outlasts the grace ends as a recorded unknown, not as a forgotten hold."""
    config = write_config(tmp_path, sandbox.url, shutdown_grace_s=0.2)
    async with gatekeeper("serve", "--config", str(config), cwd=tmp_path, **ENVIRONMENT) as server:
        url = (await server.event("server.started"))["url"]
        answer = asyncio.ensure_future(generate(url, "a cat [sandbox: hang]"))
        await server.event("generation.admitted")
        server.signal(signal.SIGTERM)
        with pytest.raises(aiohttp.ClientError):
            await answer
        code = await server.ended()

    assert 0 == code
    assert any('"event":"hold.unknown"' in line for line in server.lines)
    assert 1 == (await server.event("server.stopped"))["abandoned"]
    await verify(config)


async def test_after_kill_9_every_booked_credit_is_still_there(tmp_path: Path, sandbox: RunningSandbox) -> None:
    """Killed between two generations and started again on the same directory: the balance goes on."""
    config = write_config(tmp_path, sandbox.url)
    arguments = ("serve", "--config", str(config))
    async with gatekeeper(*arguments, cwd=tmp_path, **ENVIRONMENT) as server:
        url = (await server.event("server.started"))["url"]
        await generate(url)
        before = await balance(url)
        server.signal(signal.SIGKILL)
        await server.ended()
    async with gatekeeper(*arguments, cwd=tmp_path, **ENVIRONMENT) as server:
        url = (await server.event("server.started"))["url"]
        after = await balance(url)

    assert 49 == before["charged"]
    assert before == after
    await verify(config)


async def test_killed_in_mid_generation_the_hold_is_still_known(tmp_path: Path, sandbox: RunningSandbox) -> None:
    """The credits of a generation whose gateway died are held, not lost and not free."""
    config = write_config(tmp_path, sandbox.url)
    arguments = ("serve", "--config", str(config))
    async with gatekeeper(*arguments, cwd=tmp_path, **ENVIRONMENT) as server:
        url = (await server.event("server.started"))["url"]
        answer = asyncio.ensure_future(generate(url, "a cat [sandbox: hang]"))
        await server.event("generation.admitted")
        server.signal(signal.SIGKILL)
        with pytest.raises(aiohttp.ClientError):
            await answer
    async with gatekeeper(*arguments, cwd=tmp_path, **ENVIRONMENT) as server:
        after = await balance((await server.event("server.started"))["url"])

    assert (951, 49, 0) == (after["available"], after["held"], after["charged"])
    await verify(config)


async def test_verify_works_beside_a_running_gateway(tmp_path: Path, sandbox: RunningSandbox) -> None:
    """The embedded store is shared with the command, not fought over."""
    config = write_config(tmp_path, sandbox.url)
    async with gatekeeper("serve", "--config", str(config), cwd=tmp_path, **ENVIRONMENT) as server:
        url = (await server.event("server.started"))["url"]
        await generate(url)

        async with gatekeeper("verify", "--config", str(config), cwd=tmp_path, **ENVIRONMENT) as command:
            assert 0 == await command.ended()
        assert 200 == (await generate(url))[0]


async def test_sighup_reads_the_catalog_anew(tmp_path: Path, sandbox: RunningSandbox) -> None:
    """The signal reloads and says so."""
    config = write_config(tmp_path, sandbox.url)
    async with gatekeeper("serve", "--config", str(config), cwd=tmp_path, **ENVIRONMENT) as server:
        await server.event("server.started")
        server.signal(signal.SIGHUP)

        reloaded = await server.event("catalog.reloaded")

    read = load_catalog([CATALOG / name for name in CATALOG_FILES])
    assert (True, len(read.models)) == (reloaded["ok"], reloaded["models"])


async def test_a_second_gateway_on_a_taken_port_says_so(tmp_path: Path, sandbox: RunningSandbox) -> None:
    """One line and exit code 1, no traceback."""
    config = write_config(tmp_path, sandbox.url)
    async with gatekeeper("serve", "--config", str(config), cwd=tmp_path, **ENVIRONMENT) as server:
        port = (await server.event("server.started"))["url"].rpartition(":")[2]
        arguments = ("serve", "--config", str(config), "--port", port)
        async with gatekeeper(*arguments, cwd=tmp_path, **ENVIRONMENT) as second:
            assert 1 == await second.ended()


async def run_printed(command: str) -> tuple[int, Any]:
    """Pastes a printed line into a shell, asking curl for the status as well."""
    shell = await asyncio.create_subprocess_shell(f"{command} -w '\\n%{{http_code}}'", stdout=asyncio.subprocess.PIPE)
    output, _ = await shell.communicate()
    body, _, status = output.decode().rpartition("\n")
    return int(status), json.loads(body)


async def demo_commands(demo: Process) -> list[str]:
    """The two curl lines that the demo prints."""
    await demo.until_line("Ctrl-C")
    return [line.strip() for line in demo.lines if re.match(r"curl .*/v1/generations", line)]


async def test_the_demos_admin_command_finds_its_token(tmp_path: Path) -> None:
    """It is pasted as it is printed, and answered."""
    async with gatekeeper("demo", "--port", "0", "--admin-port", "0", cwd=tmp_path) as demo:
        await demo.until_line("Ctrl-C")
        (line,) = [line for line in demo.lines if line.startswith("Admin API:")]
        status, teams = await run_printed(line.partition(":")[2].strip())

    assert (200, ["demo"]) == (status, [team["id"] for team in teams["teams"]])


async def test_the_demos_two_commands_do_what_it_says(tmp_path: Path) -> None:
    """The first gives a picture that opens, the second a 422 that names the allowed set."""
    async with gatekeeper("demo", "--port", "0", "--admin-port", "0", cwd=tmp_path) as demo:
        forwarded, refused = await demo_commands(demo)
        made, no = await run_printed(forwarded), await run_printed(refused)
        async with aiohttp.ClientSession() as session, session.get(made[1]["outputs"][0]["url"]) as response:
            picture = Image.open(io.BytesIO(await response.read()))
            picture.load()
        demo.signal(signal.SIGTERM)
        code = await demo.ended()

    assert (200, 422, 0) == (made[0], no[0], code)
    assert picture.width > picture.height
    assert "16:9" in no[1]["violations"][0]["supported"]


async def test_a_start_that_is_refused_writes_nothing(tmp_path: Path) -> None:
    """A provider's missing secret is told, with every other mistake, before any team or grant is made."""
    config = write_config(tmp_path, "http://127.0.0.1:9")
    settings = json.loads(config.read_text())
    settings["providers"]["openai"]["credential"] = {"env": "NO_SUCH_SECRET"}
    config.write_text(json.dumps(settings))
    async with gatekeeper("serve", "--config", str(config), cwd=tmp_path, **ENVIRONMENT) as server:
        code = await server.ended()

    assert 1 == code
    assert not (tmp_path / "data").exists()
