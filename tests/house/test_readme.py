"""The README shows what really happens: its commands are run and its answers compared."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gatekeeper import demo
from gatekeeper.app import Gateway, running_gateway
from gatekeeper.core.credits import MICRO
from gatekeeper.ledger.teamrecord import KeyRecord, TeamRecord
from gatekeeper.sandbox import SandboxSettings, start_sandbox
from gatekeeper.settings import load_settings
from gatekeeper.web.auth import key_sha256

ROOT = Path(__file__).parents[2]
URL = "http://127.0.0.1:8080"
CURL = re.compile(r"^curl -sS (\S+) .*-d '(.*)'$", re.MULTILINE)
DIFFERS = {"url", "request_id", "Gatekeeper-Request-Id", "Gatekeeper-Hold-Id"}
"""What is another at every run."""


def blocks(language: str) -> list[str]:
    """The README's blocks in that language, in order."""
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


def lasting(document: Any) -> Any:
    """A document without what differs from run to run."""
    match document:
        case dict():
            return {name: lasting(value) for name, value in document.items() if name not in DIFFERS}
        case list():
            return [lasting(each) for each in document]
        case _:
            return document


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    """What `make run` starts, on free ports."""
    sandbox = await start_sandbox(SandboxSettings())
    shipped = load_settings(ROOT / "config" / "gatekeeper.yaml", {"server": {"port": 0, "admin_port": 0}})
    key = KeyRecord(sha256=key_sha256(demo.DEMO_KEY), team=demo.DEMO_TEAM, key_id="demo")
    async with running_gateway(demo.demo_settings(shipped, sandbox.url, tmp_path), static_keys=(key,)) as gateway:
        await gateway.store.ledger.put_team(TeamRecord(id=demo.DEMO_TEAM))
        await gateway.store.ledger.grant(demo.DEMO_TEAM, "demo", demo.DEMO_CREDITS * MICRO)
        yield gateway
    await sandbox.close()


async def ask(gateway: Gateway, body: str) -> tuple[int, dict[str, str], Any]:
    """Sends a body of the README as its curl lines do."""
    headers = {"Authorization": f"Bearer {demo.DEMO_KEY}", "Content-Type": "application/json"}
    url = f"{gateway.url}/v1/generations"
    async with aiohttp.ClientSession() as session, session.post(url, data=body, headers=headers) as answer:
        return answer.status, dict(answer.headers), json.loads(await answer.read())


def test_its_requests_are_those_that_the_demo_prints() -> None:
    """Whoever reads the one and pastes the other sees the same."""
    banner = demo.banner(URL, "", "", "", "")

    assert [found[0] for found in CURL.finditer(banner)] == [
        found[0] for block in blocks("sh") for found in CURL.finditer(block)
    ]


async def test_the_accepted_request_is_answered_as_shown(gateway: Gateway) -> None:
    """Status, body and the headers about credits."""
    shown, (headers_shown,) = json.loads(blocks("json")[0]), blocks("http")
    headers = dict(line.split(": ") for line in headers_shown.splitlines())

    status, headers_sent, document = await ask(gateway, CURL.findall("".join(blocks("sh")))[0][1])

    assert (200, lasting(shown)) == (status, lasting(document))
    assert lasting(headers) == lasting({name: headers_sent[name] for name in headers})


async def test_the_refused_request_is_answered_as_shown(gateway: Gateway) -> None:
    """Status and every fact of the refusal."""
    status, _, document = await ask(gateway, CURL.findall("".join(blocks("sh")))[1][1])

    assert (422, lasting(json.loads(blocks("json")[1]))) == (status, lasting(document))


async def test_the_sdk_example_makes_a_picture(
    gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It runs as it stands, but for the port."""
    (code,) = blocks("python")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}

    await asyncio.to_thread(exec, code.replace(URL, gateway.url), names)
    names["client"].close()

    assert (tmp_path / "lighthouse.png").read_bytes().startswith(b"\x89PNG")
