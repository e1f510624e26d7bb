"""The run with real gateways: `gatekeeper serve`, clients with keys, a provider over HTTP, one store for all."""

import asyncio
import itertools
import json
import secrets
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from gatekeeper.core.credits import parse_credits
from gatekeeper.ledger.teamrecord import KeyRecord
from gatekeeper.web.auth import key_sha256
from tests.system.world import CATALOG
from tests.torture.bills import lot
from tests.torture.httpprovider import PICTURE, HttpProvider
from tests.torture.judge import Verdict
from tests.torture.polling import until
from tests.torture.scenes import NOTHING, RICH, Cast, Least, Run, teams_of
from tests.torture.steps import outbox_bytes
from tests.torture.victims import Victim

CLIENTS = 24
"""Clients at once."""
ANSWER_S = 15.0
"""No client waits longer."""
PROVIDER_S, CLIENT_S, MARGIN_S, GRACE_S = 2, 3, 60, 1
"""The provider's time, a slow client's, what a hold lives beyond both (the gateway's own), and the grace."""
OUTBOXES_S = 60.0
"""How long outboxes may take to empty."""


@dataclass(eq=False)
class Clients:
    """Clients of all gateways. What they were told about charges goes to the bills."""

    run: Run
    gateways: list[Victim]
    keys: list[str]
    statuses: Counter[str] = field(default_factory=Counter)
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)
    stopping: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def load(self) -> None:
        """All clients until they are told to stop, each to the end of its last request."""
        patience = aiohttp.ClientTimeout(total=ANSWER_S)
        async with aiohttp.ClientSession(timeout=patience) as session, asyncio.TaskGroup() as clients:
            for _ in range(CLIENTS):
                clients.create_task(self._client(session))
        self.ended.set()

    async def _client(self, session: aiohttp.ClientSession) -> None:
        while not self.stopping:
            call = f"c{self.run.seed}-{next(self.numbers)}"
            gateway = self.gateways[lot("gateway" + call, len(self.gateways))]
            try:
                await self._ask(session, gateway, call)
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                self.statuses[type(error).__name__] += 1
                await asyncio.sleep(0.05)

    async def _ask(self, session: aiohttp.ClientSession, gateway: Victim, call: str) -> None:
        """One generation. The call's id travels as the prompt to the provider, and as the project to the books."""
        outputs = 1 + lot("outputs" + call, 3)
        body = {"model": "imagen-4", "prompt": call, "resolution": "1K", "aspect_ratio": "1:1", "outputs": outputs}
        headers = {
            "Authorization": f"Bearer {self.keys[lot('key' + call, len(self.keys))]}",
            "Gatekeeper-Project": call,
            "Gatekeeper-Member": ("amy", "bob", "cyd")[lot("member" + call, 3)],
        }
        path = ("release", "charge")[lot("policy" + call, 2)]
        async with session.post(f"{gateway.url}/{path}/v1/generations", json=body, headers=headers) as response:
            self.statuses[str(response.status)] += 1
            charged = response.headers.get("Gatekeeper-Credits-Charged")
            if charged is not None:
                self.run.bills.told[call] = parse_credits(charged)
            await response.read()


def _config(cwd: Path, provider: str) -> Path:
    """A gateway with two providers that differ in what becomes of unknown outcomes."""
    timeouts = {"connect_s": 1, "head_s": 1, "idle_s": 1, "total_s": PROVIDER_S}
    common = {"dialect": "native", "base_url": provider, "models": ["*"], "timeouts": timeouts}
    config = {
        "server": {"port": 0, "admin_port": 0, "client_total_s": CLIENT_S, "shutdown_grace_s": PROVIDER_S + 1},
        "store": {"data_dir": "data"},
        "log": {"format": "json"},
        "catalog": [str(CATALOG / "google.yaml")],
        "providers": {
            policy: {**common, "on_unknown": policy, "unknown_grace_s": GRACE_S} for policy in ("release", "charge")
        },
    }
    path = cwd / "gatekeeper.yaml"
    path.write_text(json.dumps(config))
    return path


async def _keys(run: Run) -> list[str]:
    """A key for each team; the rich ones have most of the calls."""
    keys = {}
    for team in teams_of(PICTURE):
        secret = f"gk_{secrets.token_urlsafe(24)}"
        await run.ledger.keyring.put(KeyRecord(key_sha256(secret), team.id, f"key-of-{team.id}"))
        keys[team.id] = secret
    return [*(keys[name] for name in RICH * 6), *keys.values()]


async def _gateway(run: Run, name: str, provider: HttpProvider) -> Victim:
    cwd = run.directory / name
    cwd.mkdir()
    proxy = await run.proxy()
    config = _config(cwd, provider.url(name))
    command = ["gatekeeper", "serve", "--config", str(config)]
    return Victim(name, command, cwd, proxy, '"event":"server.started"', GATEKEEPER_STORE__URL=proxy.url)


async def _finish(clients: Clients) -> None:
    """The last requests end, and outboxes empty."""
    clients.stopping = True
    await asyncio.wait_for(clients.ended.wait(), OUTBOXES_S)
    await until(lambda: not any(outbox_bytes(gateway.outbox) for gateway in clients.gateways), OUTBOXES_S)


async def _stop(clients: Clients) -> None:
    """Gateways stop, and what they said they would book is noted."""
    for gateway in clients.gateways:
        clients.run.codes.append(await gateway.stop())
        for line in map(json.loads, gateway.deferred):
            if line["act"] == "settle":
                clients.run.bills.kept_holds[line["hold_id"]] = parse_credits(str(line["credits_to_charge"]))


async def torture_gateways(
    directory: Path,
    *,
    seconds: float,
    seed: int,
    say: Callable[[str], None],
    waits: bool,
    gateways: int = 2,
    least: Least = NOTHING,
) -> tuple[Run, Verdict, list[Victim]]:
    """One run with so many gateways."""
    run = Run(directory, seed, waits, say)
    async with AsyncExitStack() as stack:
        await run.open()
        stack.push_async_callback(run.close)
        await run.found_teams(PICTURE)
        provider = HttpProvider(run.bills)
        await provider.start()
        stack.push_async_callback(provider.close)
        victims = [await _gateway(run, f"g{number}", provider) for number in range(gateways)]
        for victim in victims:
            await victim.start()
            stack.callback(victim.kill)
        clients = Clients(run, victims, await _keys(run))
        life_ms = (PROVIDER_S + CLIENT_S + MARGIN_S + GRACE_S) * 1000
        cast = Cast(
            victims, clients.load, lambda: _finish(clients), PICTURE, life_ms, "project", lambda: _stop(clients),
            least=least,
        )  # fmt: skip
        verdict = await run.play(cast, seconds)
        verdict.figures.update({f"answer: {status}": count for status, count in clients.statuses.items()})
        for line in ("settle.failed", "settle.rejected"):
            for _ in range(sum(victim.lines[line] for victim in victims)):
                verdict.breach("lines of what is not booked", line)
        for name, count in clients.statuses.items():
            for _ in range(count if "Timeout" in name else 0):
                verdict.breach("requests without an end", name)
        return run, verdict, victims
