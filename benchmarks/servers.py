"""Starts what a run is made of: the stand-in provider, a store, a gateway, the bare pass-through."""

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.lab import Lab, Running
from benchmarks.machine import ROOT
from gatekeeper.ledger.binary import find_server

CREDITS: Final = {"bench-painter": 35, "bench-studio": 28}
"""Prices of catalog.yaml, for an output."""
MODEL: Final = "bench-painter"
KEY: Final = "gk_benchbenchbenchbenchbench"
BROKE_KEY: Final = "gk_brokebrokebrokebrokebroke"
"""The key of a team whose balance pays for nothing."""
ADMIN_TOKEN: Final = "0123456789abcdef0123456789abcdef"
FREE_ROUTES: Final = ("GET /models",)
POLLED: Final = "GET /status"
"""The free route that has the answer of a poll."""
FSYNC: Final = ("always", "everysec", "no")
"""What the store does about its disk. `always` is how the product's own store is started; `no`: no file at all."""


@dataclass(eq=False, slots=True)
class Gateway:
    """A running gateway and where its files are."""

    process: Running
    url: str
    admin_url: str
    config: Path
    store_url: str

    @property
    def data_dir(self) -> Path:
        """Its outbox, and what it remembers."""
        return self.config.parent / "data"


async def start_mock(lab: Lab) -> Running:
    """The stand-in provider."""
    return await lab.python("mock", "benchmarks.mock", core=lab.cores.provider, cwd=lab.folder("mock")).listening()


async def start_aio(lab: Lab, upstream: str) -> Running:
    """The reference: a bare aiohttp pass-through in front of this address."""
    cwd = lab.folder("aio")
    return await lab.python("aio", "benchmarks.baselines.aio", upstream, core=lab.cores.measured, cwd=cwd).listening()


async def start_store(lab: Lab, fsync: str = "always") -> str:
    """A store with the settings of the product's own, on a core of its own; gives its URL."""
    cwd = lab.folder("store")
    path = cwd / "s"
    disk = ("--appendonly", "no") if fsync == "no" else ("--appendonly", "yes", "--appendfsync", fsync)
    command = [
        find_server(), "--port", "0", "--unixsocket", path, "--dir", cwd, *disk, "--save", "",
        "--maxmemory-policy", "noeviction", "--lazyfree-lazy-expire", "yes", "--databases", "1",
    ]  # fmt: skip
    store = lab.start("store", command, lab.cores.store, cwd=cwd)
    await store.line_with("eady to accept connections")
    store.url = f"unix://{path}"
    return store.url


def gateway_settings(mock_url: str, store_url: str, who: str = "gate", **server: Any) -> dict[str, Any]:
    """The gateway as it is shipped, in front of the stand-in: logs, metrics and journal on. Change it as you like.

    Each manner of the stand-in is a provider: `openai` answers at once, `slow` when it is released, `large` with 2 MB,
    `fal` with jobs, `polled` has a free route with the answer of a poll. `who` is how the stand-in's tally calls this
    gateway; its jobs are `<who>-jobs` there.
    """

    def openai(manner: str) -> dict[str, Any]:
        base = f"{mock_url}/{who}/{manner}/v1"
        named = {"dialect": "openai", "offers_of": "openai", "base_url": base, "models": [MODEL]}
        return named | {"passthrough": list(FREE_ROUTES), "connections_max": 20_000}

    queue = f"{mock_url}/{who}-jobs/fal"
    polled = {"base_url": f"{mock_url}/{who}-polled/fal/bench/studio/requests/job", "passthrough": [POLLED]}
    return {
        "server": {"port": 0, "admin_port": 0, **server},
        "store": {"url": store_url, "data_dir": "data"},
        "log": {"level": "info", "format": "json"},
        "catalog": [str(ROOT / "config" / "catalog" / "*.yaml"), str(ROOT / "benchmarks" / "catalog.yaml")],
        "teams": "teams.yaml",
        "admin_token": ADMIN_TOKEN,
        "providers": {
            "openai": openai("plain"),
            "slow": openai("hold"),
            "large": openai("large-2000000"),
            "polled": openai("plain") | polled,
            "fal": {"dialect": "fal", "base_url": queue, "base_urls": {"queue": queue}},
        },
    }


TEAMS: Final = {
    "teams": [
        {
            "id": "bench",
            "grants": [{"id": "opening", "credits": 900_000_000}],
            "limits": [{"scope": "team", "per": "month", "credits": 800_000_000}],
            "keys": [{"id": "bench", "secret": {"env": "BENCH_KEY"}}],
        },
        {
            "id": "broke",
            "grants": [{"id": "opening", "credits": 1}],
            "keys": [{"id": "broke", "secret": {"env": "BROKE_KEY"}}],
        },
    ]
}


async def start_gateway(lab: Lab, settings: dict[str, Any], *options: str) -> Gateway:
    """A gateway with these settings (`gateway_settings`) and further options of `gatekeeper serve`."""
    cwd = lab.folder("gateway")
    (cwd / "teams.yaml").write_text(json.dumps(TEAMS))
    config = cwd / "gatekeeper.yaml"
    config.write_text(json.dumps(settings))
    process = lab.python(
        "gateway", "gatekeeper", "serve", "--config", str(config), *options,
        core=lab.cores.measured, cwd=cwd, BENCH_KEY=KEY, BROKE_KEY=BROKE_KEY,
    )  # fmt: skip
    told = json.loads(await process.line_with('"event":"server.started"'))
    process.url = told["url"]
    return Gateway(process, told["url"], told["admin_url"], config, settings["store"]["url"])


async def run_command(gateway: Gateway, *arguments: str) -> tuple[int, str]:
    """A `gatekeeper` command with this gateway's configuration; its exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gatekeeper", *arguments, "--config", str(gateway.config), cwd=gateway.config.parent,
        env=_environment(), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, error = await process.communicate()
    return process.returncode or 0, out.decode() or error.decode()


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "BENCH_KEY": KEY, "BROKE_KEY": BROKE_KEY}
