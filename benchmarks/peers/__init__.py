"""Other gateways, in environments of their own: how they are set up and started, and what they do not enforce.

They do other things than this one (translate between providers, route, retry), so beside every figure stands what was
not enforced while it was taken. Versions are pinned; nothing of them gets into the project's own environment.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.baselines.nginx import until_listening
from benchmarks.lab import Lab, Running, free_port
from benchmarks.machine import ROOT

WHERE: Final = ROOT / ".peers"
"""Not part of the project; `rm -rf .peers` undoes all of it."""
LITELLM: Final = "1.106.2"
PORTKEY: Final = "1.15.2"
INSTALL_S: Final = 600.0
KEY: Final = "sk-bench-0123456789abcdef"


class NotInstalledError(RuntimeError):
    """The peer could not be set up here; the message says why."""


@dataclass(frozen=True, slots=True)
class Peer:
    """One of them. `setup` raises NotInstalledError; `start` gives it running in front of an address."""

    name: str
    at_least: float
    """How many times its throughput on a core ours shall be."""
    not_enforced: str
    setup: Callable[[], None]
    start: Callable[[Lab, str], Running]
    headers: Callable[[str], Mapping[str, str]] = field(default=lambda _upstream: {})


def _run(*command: str | Path) -> None:
    try:
        done = subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, timeout=INSTALL_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstalledError(f"{command[0]}: {error}") from error
    if done.returncode:
        raise NotInstalledError(f"{' '.join(map(str, command))}: {(done.stderr or done.stdout).strip()[-400:]}")


def _setup_litellm() -> None:
    python = WHERE / "litellm" / "bin" / "python"
    if (WHERE / "litellm" / "bin" / "litellm").exists():
        return
    WHERE.mkdir(exist_ok=True)
    uv = (sys.executable, "-m", "uv")
    _run(*uv, "venv", "--quiet", "--python", sys.executable, WHERE / "litellm")
    _run(*uv, "pip", "install", "--quiet", "--python", python, f"litellm[proxy]=={LITELLM}")


def _start_litellm(lab: Lab, upstream: str) -> Running:
    cwd, port = lab.folder("litellm"), free_port()
    model = {"model": "openai/gpt-image-1", "api_base": f"{upstream}/litellm/plain/v1", "api_key": KEY}
    config = {
        "model_list": [
            {"model_name": "bench-painter", "litellm_params": model, "model_info": {"mode": "image_generation"}}
        ],
        "general_settings": {"master_key": KEY},
        "litellm_settings": {"telemetry": False, "num_retries": 0, "drop_params": True},
    }
    (cwd / "config.yaml").write_text(json.dumps(config))
    command = [WHERE / "litellm" / "bin" / "litellm", "--config", "config.yaml", "--host", "127.0.0.1"]
    found = lab.start(
        "litellm", [*map(str, command), "--port", str(port), "--num_workers", "1"], lab.cores.measured, cwd=cwd,
        LITELLM_LOG="ERROR", LITELLM_LOCAL_MODEL_COST_MAP="True", LITELLM_TELEMETRY="False", PYTHONPATH="",
    )  # fmt: skip
    found.url = f"http://127.0.0.1:{port}"
    return found


def _setup_portkey() -> None:
    if _portkey_server().exists():
        return
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise NotInstalledError("it needs node and npm, which are not installed")
    WHERE.mkdir(exist_ok=True)
    quiet = ("--no-audit", "--no-fund", "--loglevel=error")
    _run(npm, "install", *quiet, "--prefix", WHERE / "portkey", f"@portkey-ai/gateway@{PORTKEY}")


def _portkey_server() -> Path:
    return WHERE / "portkey" / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"


def _start_portkey(lab: Lab, _upstream: str) -> Running:
    cwd, port = lab.folder("portkey"), free_port()
    command = ["node", str(_portkey_server()), f"--port={port}", "--headless"]
    found = lab.start("portkey", command, lab.cores.measured, cwd=cwd, NODE_ENV="production")
    found.url = f"http://127.0.0.1:{port}"
    return found


def _portkey_headers(upstream: str) -> Mapping[str, str]:
    return {"x-portkey-provider": "openai", "x-portkey-custom-host": f"{upstream}/portkey/plain/v1"}


PEERS: Final = (
    Peer(
        f"LiteLLM {LITELLM}", 40,
        "teams, keys of their own and budgets (those need PostgreSQL; here all have one key), sizes and qualities, "
        "credits held before the call. What it does: translate, route, and work out a cost after the call",
        _setup_litellm, _start_litellm,
    ),
    Peer(
        f"Portkey {PORTKEY}", 4,
        "a key of the caller, budgets, sizes and qualities, a price, a ledger. What it does: route by headers, and "
        "read and write the JSON anew",
        _setup_portkey, _start_portkey, _portkey_headers,
    ),
)  # fmt: skip


async def ready(process: Running) -> Running:
    """Wait until it listens. Raises NotStartedError."""
    await until_listening(process, int(process.url.rpartition(":")[2]))
    return process
