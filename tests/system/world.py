"""A running gateway with everything around it, and the words in which system tests speak to it."""

import asyncio
import io
import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from gatekeeper.app import Gateway
from gatekeeper.core.credits import parse_credits
from gatekeeper.demo import sandbox_addresses
from gatekeeper.dialects.registry import DIALECTS
from gatekeeper.ledger.records import EntryKind
from gatekeeper.ledger.reports import Balance
from gatekeeper.ledger.teamrecord import KeyRecord, TeamRecord
from gatekeeper.sandbox import RunningSandbox
from gatekeeper.settings import Settings, load_settings
from gatekeeper.web.auth import key_sha256

CATALOG = Path(__file__).parents[2] / "config" / "catalog"


EVENT_TRIES = 2000
"""Twenty seconds: the ledger's patience with a store that is away, twice, and a busy machine."""


@dataclass(frozen=True)
class Answer:
    """An answer, read whole."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


OF_THE_TEAM = {EntryKind.TEAM, EntryKind.KEY, EntryKind.GRANT}
"""Journal entries that are not about a hold."""


@dataclass
class World:
    """A running gateway with everything around it."""

    gateway: Gateway
    sandbox: RunningSandbox | None
    session: aiohttp.ClientSession
    log: io.BytesIO
    teams: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.gateway.url

    async def key(self, granted: str | None = "1000", **team: Any) -> str:
        """A new team with these credits, and a key of its own."""
        team_id = f"team-{len(self.teams)}"
        self.teams.append(team_id)
        ledger = self.gateway.store.ledger
        await ledger.put_team(TeamRecord(id=team_id, **team))
        if granted is not None:
            await ledger.grant(team_id, "opening", parse_credits(granted))
        return await self.another_key(team_id)

    async def another_key(self, team_id: str, **fields: Any) -> str:
        """One more key of a team."""
        key = f"gk_{secrets.token_urlsafe(24)}"
        record = KeyRecord(sha256=key_sha256(key), team=team_id, key_id=f"key-{secrets.token_hex(2)}", **fields)
        await self.gateway.store.ledger.keyring.put(record)
        return key

    async def send(self, method: str, path: str, key: str | None = None, **options: Any) -> Answer:
        """One request, its answer read whole."""
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        headers |= options.pop("headers", {})
        async with self.session.request(method, self.url + path, headers=headers, **options) as response:
            return Answer(response.status, dict(response.headers), await response.read())

    async def native(self, key: str, *, headers: dict[str, str] | None = None, **fields: Any) -> Answer:
        """A native generation with boring defaults: one 1K square of 49 credits."""
        body = {"model": "nano-banana-2", "prompt": "a cat", "resolution": "1K", "aspect_ratio": "1:1", **fields}
        return await self.send("POST", "/v1/generations", key, json=body, headers=headers or {})

    async def openai(self, key: str, *, headers: dict[str, str] | None = None, **fields: Any) -> Answer:
        """An OpenAI generation with boring defaults: one 1024x1024 of 35 credits."""
        body = {"model": "gpt-image-1.5", "prompt": "a cat", "size": "1024x1024", **fields}
        return await self.send("POST", "/openai/v1/images/generations", key, json=body, headers=headers or {})

    async def balance(self, team: str = "team-0") -> Balance:
        return await self.gateway.store.ledger.balance(team)

    async def kinds(self, team: str = "team-0") -> list[str]:
        """What the team's journal says about holds, in order."""
        entries = await self.gateway.store.ledger.journal(team)
        return [entry.kind for entry in entries if entry.kind not in OF_THE_TEAM]

    async def provider(self) -> Any:
        """What the sandbox says it did."""
        assert self.sandbox is not None
        async with self.session.get(f"{self.sandbox.url}/sandbox/ledger") as response:
            return await response.json()

    async def until_made(self, images: int) -> None:
        """Waits (bounded) until the sandbox has drawn this many."""
        for _ in range(1000):
            if (await self.provider())["images"] >= images:
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"not {images} images")

    async def assert_books_clean(self) -> None:
        """Every team verifies, nothing is below zero, and no hold is open."""
        for team in self.teams:
            report = await self.gateway.store.ledger.verify(team)
            assert report.differences == ()
            assert await self.gateway.store.ledger.holds(team) == ()

    def events(self, name: str | None = None) -> list[dict[str, Any]]:
        """The log lines so far."""
        lines = [json.loads(line) for line in self.log.getvalue().splitlines()]
        return [line for line in lines if name in {None, line["event"]}]

    async def event(self, name: str, number: int = 1) -> dict[str, Any]:
        """The line with which this event comes for the first time, or this often, once it is there (bounded)."""
        for _ in range(EVENT_TRIES):
            if len(found := self.events(name)) >= number:
                return found[number - 1]
            await asyncio.sleep(0.01)
        raise AssertionError(f"no {name} among {[line['event'] for line in self.events()]}")


def settings_for(tmp_path: Path, provider_url: str, **changes: Any) -> Settings:
    """A provider of every dialect at one address, by its dialect's name but for the native one's; default limits."""
    timeouts = changes.pop("timeouts", {})
    common = {
        "timeouts": timeouts,
        "unknown_grace_s": changes.pop("unknown_grace_s", 0),
        "on_unknown": changes.pop("on_unknown", "release"),
        "models": changes.pop("models", ["*"]),
    }
    providers = {
        "studio" if name == "native" else name: {"dialect": name, **sandbox_addresses(name, provider_url), **common}
        for name in DIALECTS
    }
    for name, more in changes.pop("providers", {}).items():
        providers[name] = providers.get(name, {}) | more
    store = {"url": changes.pop("store_url", "embedded"), "data_dir": str(tmp_path / "data")}
    store |= {name: changes.pop(name) for name in ("outbox_max_mb",) if name in changes}
    jobs = changes.pop("jobs", {})
    webhooks, signals = changes.pop("webhooks", {}), changes.pop("signals", {})
    tracing = changes.pop("tracing", {})
    overrides = {
        "server": {"port": 0, "admin_port": 0, **changes},
        "store": store,
        "catalog": [str(CATALOG / "*.yaml")],
        "jobs": jobs,
        "webhooks": webhooks,
        "signals": signals,
        "tracing": tracing,
        "providers": providers,
    }
    return load_settings(None, overrides)
