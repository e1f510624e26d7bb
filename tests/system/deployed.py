"""Gateways as docker-compose.yml runs them, on this machine: the same command and environment, and the shipped nginx.

What is replaced is where things are: addresses, ports, and the directories of the container.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tests.house.deployfiles import ROOT, composed, image_environment
from tests.ledger.topologies import free_port
from tests.system.nginx import running_nginx
from tests.system.process import Process, gatekeeper

BALANCER = ROOT / "config/balancer/nginx.conf"
KEY = {"Authorization": "Bearer gk_the_process_of_the_tests"}
BODY = {"model": "nano-banana-2", "prompt": "a cat", "resolution": "1K", "aspect_ratio": "1:1"}
"""49 credits."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """A gateway that accepts requests."""

    process: Process
    url: str
    admin_url: str

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


def command_of(service: str) -> list[str]:
    """What the container runs, with the image's configuration directory in place of the mounted one."""
    command: list[str] = composed()["services"][service]["command"]
    return command


def environment_of(service: str, store_url: str, data: Path) -> dict[str, str]:
    """The container's environment, that of its image included."""
    stated: dict[str, Any] = composed()["services"][service]["environment"]
    here = {
        "GATEKEEPER_STORE__URL": store_url,
        "GATEKEEPER_STORE__DATA_DIR": str(data),
        "GATEKEEPER_SERVER__HOST": "127.0.0.1",
        "GATEKEEPER_SERVER__ADMIN_HOST": "127.0.0.1",
        "GATEKEEPER_SERVER__PORT": str(free_port()),
        "GATEKEEPER_SERVER__ADMIN_PORT": str(free_port()),
    }
    return image_environment() | {name: str(value) for name, value in stated.items()} | here


@asynccontextmanager
async def deployed(
    service: str, store_url: str, directory: Path, config: Path | None = None, **environment: str
) -> AsyncIterator[Deployed]:
    """The service's gateway, with the project's own configuration unless another is given. It may be started again in
    the same directory, which keeps its data."""
    directory.mkdir(exist_ok=True)  # noqa: ASYNC240 - one call in a test
    path = config or ROOT / "config/gatekeeper.yaml"
    command = [str(path) if word == "/etc/gatekeeper/gatekeeper.yaml" else word for word in command_of(service)]
    known = environment_of(service, store_url, directory / "data") | {"GATEKEEPER_CONFIG": str(path)} | environment
    async with gatekeeper(*command, cwd=directory, **known) as process:
        started = await process.event("server.started")
        yield Deployed(process, started["url"], started["admin_url"])


@asynccontextmanager
async def balancer(directory: Path, gateways: list[Deployed]) -> AsyncIterator[str]:
    """The shipped nginx in front of these; its URL. Only addresses and places of files are changed."""
    port, text = free_port(), BALANCER.read_text()
    for number, gateway in enumerate(gateways, 1):
        old = f"gateway-{number}:8080"
        assert old in text
        text = text.replace(old, f"127.0.0.1:{gateway.port}")
    assert "listen 8080;" in text
    text = text.replace("listen 8080;", f"listen 127.0.0.1:{port};").replace("/tmp/", f"{directory}/")
    text = re.sub(r"^worker_processes.*$", "worker_processes 1;", text, flags=re.MULTILINE)
    async with running_nginx(directory, text, port):
        yield f"http://127.0.0.1:{port}"


async def generate(url: str, prompt: str = "a cat") -> int:
    """One generation on a connection of its own; its status, 0 for one that ended without an answer."""
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{url}/v1/generations", json=BODY | {"prompt": prompt}, headers=KEY) as response,
        ):
            await response.read()
            return response.status
    except aiohttp.ClientError:
        return 0


async def metric(gateway: Deployed, name: str) -> float:
    """The sum of all samples of this name."""
    async with aiohttp.ClientSession() as session, session.get(f"{gateway.admin_url}/metrics") as response:
        found = re.findall(rf"^{name}(?:{{.*}})? (\S+)$", await response.text(), re.MULTILINE)
    return sum(map(float, found))
