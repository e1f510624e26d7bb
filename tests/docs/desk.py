"""What `make run` starts, in a thread of its own: snippets are programs that wait for their answers.

The gateway has a second front door that ends TLS, on the same store, for the one SDK that speaks https only.
"""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gatekeeper import demo
from gatekeeper.app import Gateway, running_gateway
from gatekeeper.core.credits import MICRO
from gatekeeper.ledger.teamrecord import KeyRecord, TeamRecord
from gatekeeper.sandbox import SandboxSettings, start_sandbox
from gatekeeper.settings import Settings, load_settings
from gatekeeper.web.auth import key_sha256
from tests.docs.snippets import ROOT
from tests.system.tlsrelay import TlsRelay

ADMIN_TOKEN = "the-token-of-the-desk"
JOB_S = 0.05
START_TIMEOUT_S = 120

BY_NAME = {"bfl": "localhost"}
"""The demo's `bfl.localhost` is known to every curl and to few resolvers."""


@dataclass
class Desk:
    """A running demo, as snippets reach it from another thread."""

    loop: asyncio.AbstractEventLoop
    gateway: Gateway
    https_url: str
    sandbox_url: str

    def give(self, team: str, key: str, amount: int) -> None:
        """A team with credits and a key."""
        asyncio.run_coroutine_threadsafe(self._give(team, key, amount), self.loop).result(START_TIMEOUT_S)

    async def _give(self, team: str, key: str, amount: int) -> None:
        ledger = self.gateway.store.ledger
        await ledger.put_team(TeamRecord(id=team))
        await ledger.grant(team, "desk", amount * MICRO)
        await ledger.keyring.put(KeyRecord(sha256=key_sha256(key), team=team, key_id="desk"))


def _settings(sandbox_url: str, scratch: Path, hosts: dict[str, str], **more: Any) -> Settings:
    overrides = {"server": {"port": 0, "admin_port": 0} | more, "admin_token": ADMIN_TOKEN}
    ready = demo.demo_settings(load_settings(ROOT / "config" / "gatekeeper.yaml", overrides), sandbox_url, scratch)
    providers = {name: each.model_copy(update={"host": hosts.get(name)}) for name, each in ready.providers.items()}
    return ready.model_copy(update={"providers": providers})


async def _started(scratch: Path, stack: AsyncExitStack) -> Desk:
    sandbox = await start_sandbox(SandboxSettings(job_s=JOB_S))
    stack.push_async_callback(sandbox.close)
    key = KeyRecord(sha256=key_sha256(demo.DEMO_KEY), team=demo.DEMO_TEAM, key_id="demo")
    settings = _settings(sandbox.url, scratch / "one", BY_NAME)
    gateway = await stack.enter_async_context(running_gateway(settings, static_keys=(key,)))
    relay = TlsRelay()
    await relay.start()
    stack.push_async_callback(relay.close)
    other = _settings(sandbox.url, scratch / "other", {}, public_url=relay.url)
    store = other.store.model_copy(update={"url": gateway.store.url})
    second = other.model_copy(update={"store": store})
    relay.target = (await stack.enter_async_context(running_gateway(second, static_keys=(key,)))).url
    await gateway.store.ledger.put_team(TeamRecord(id=demo.DEMO_TEAM), actor="demo")
    await gateway.store.ledger.grant(demo.DEMO_TEAM, "demo", demo.DEMO_CREDITS * MICRO, actor="demo")
    return Desk(asyncio.get_running_loop(), gateway, relay.url, sandbox.url)


@contextmanager
def running_desk(scratch: Path) -> Iterator[Desk]:
    """The demo, as long as the block runs."""
    ready, found, failed = threading.Event(), list[tuple[Desk, asyncio.Event]](), list[BaseException]()

    async def run() -> None:
        over = asyncio.Event()
        async with AsyncExitStack() as stack:
            found.append((await _started(scratch, stack), over))
            ready.set()
            await over.wait()

    def work() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:  # noqa: BLE001 - told in the thread that waits for it
            failed.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=work, name="desk")
    thread.start()
    ready.wait(START_TIMEOUT_S)
    assert found, failed
    desk, over = found[0]
    try:
        yield desk
    finally:
        desk.loop.call_soon_threadsafe(over.set)
        thread.join(START_TIMEOUT_S)
    assert failed == []
