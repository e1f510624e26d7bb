"""A gateway with several workers in a process tree of its own, and what is asked of it from outside."""

import asyncio
import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp

from tests.system.process import READY_TIMEOUT_S, Process, gatekeeper, started

ENVIRONMENT = {"STUDIO_KEY": "gk_the_process_of_the_tests"}
KEY = {"Authorization": "Bearer gk_the_process_of_the_tests"}
BODY = {"model": "nano-banana-2", "prompt": "a cat", "resolution": "1K", "aspect_ratio": "1:1"}
"""49 credits."""

TRIES, PAUSE_S = 2400, 0.05
"""Two minutes, for a machine that is busy with everything else."""

ESTABLISHED, LISTENING = "01", "0A"
"""As the system's table of connections writes it."""


class Gateway:
    """A running gateway of several processes."""

    def __init__(self, process: Process, started: dict[str, Any], token: str) -> None:
        self.process = process
        self.url: str = started["url"]
        self.admin_url: str = started["admin_url"]
        self._token = token

    @property
    def events(self) -> list[dict[str, Any]]:
        """The log as far as it was read."""
        return [json.loads(line) for line in self.process.lines]

    def worker_pids(self) -> list[int]:
        """Those who started first, in order."""
        found = [each for each in self.events if each["event"] == "worker.started" and each["starts"] == 1]
        return [each["pid"] for each in sorted(found, key=lambda each: int(each["worker"]))]

    async def generate(self, prompt: str = "a cat") -> int:
        """One generation on a connection of its own; its status, 0 for a connection that ended without an answer."""
        return (await self.post("/v1/generations", prompt=prompt))[0]

    async def price(self) -> Any:
        """What a generation costs, asked on a connection of its own."""
        return (await self.post("/v1/quotes"))[1]["credits"]

    async def post(self, path: str, **changes: Any) -> tuple[int, Any]:
        """A request of the team on a connection of its own."""
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.post(f"{self.url}{path}", json=BODY | changes, headers=KEY) as response,
            ):
                return response.status, await response.json(content_type=None)
        except aiohttp.ClientError:
            return 0, None

    async def balance(self) -> Any:
        """The team's credits."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.url}/v1/balance", headers=KEY) as response:
            return await response.json()

    async def admin(self, method: str, path: str, **options: Any) -> tuple[int, str]:
        """What the admin plane says."""
        headers = {"Authorization": f"Bearer {self._token}"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.request(method, f"{self.admin_url}{path}", **options) as response,
        ):
            return response.status, await response.text()

    async def ready(self) -> Any:
        """What `/readyz` says."""
        return json.loads((await self.admin("GET", "/readyz"))[1])

    async def until_accepting(self, count: int) -> None:
        """Waits (bounded) until so many workers accept requests."""
        for _ in range(TRIES):
            if (await self.ready())["workers"]["accepting"] == count:
                return
            await asyncio.sleep(PAUSE_S)
        raise AssertionError(f"there are never {count} that accept: {self.process.lines}")

    async def until_in_flight(self, count: int) -> None:
        """Waits (bounded) until so many generations are between hold and settlement, in all workers together."""
        for _ in range(TRIES):
            if await self.metric("gatekeeper_generations_in_flight") == count:
                return
            await asyncio.sleep(PAUSE_S)
        raise AssertionError(f"there are never {count} in flight")

    async def metric(self, name: str) -> float:
        """The sum of all samples of this name."""
        _, text = await self.admin("GET", "/metrics")
        found = re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE)
        return sum(map(float, found))

    def connections(self, state: str = ESTABLISHED) -> Counter[int]:
        """How many connections to the data port each process has."""
        port = f":{int(self.url.rpartition(':')[2]):04X}"
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        inodes = {row[9] for row in rows if row[1].endswith(port) and row[3] == state}
        return Counter(pid for pid in self.worker_pids() for inode in _sockets(pid) if inode in inodes)

    async def until_stopping(self, *pids: int) -> None:
        """Waits (bounded) until none of these workers, which have something to end yet, takes anything new."""
        for _ in range(TRIES):
            if not {*pids} & {*self.connections(LISTENING)}:
                return
            await asyncio.sleep(PAUSE_S)
        raise AssertionError("they do not stop")


def _sockets(pid: int) -> list[str]:
    links = []
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed just now
            links.append(str(each.readlink()))
    return [link[len("socket:[") : -1] for link in links if link.startswith("socket:")]


@asynccontextmanager
async def workers(config: Path, count: int = 3, **environment: str) -> AsyncIterator[Gateway]:
    """A gateway with so many workers, all of which accept requests when the block begins."""
    arguments = ("serve", "--config", str(config), "--workers", str(count))
    async with gatekeeper(*arguments, cwd=config.parent, **ENVIRONMENT, **environment) as process:
        started = await process.event("server.started")
        token = (config.parent / "data" / "admin-token").read_text().strip()
        yield Gateway(process, started, token)


async def run_to_its_end(config: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    """A command that is to end by itself: its exit code, and what it said on stderr."""
    command = ("gatekeeper", *arguments, "--config", str(config))
    with tempfile.TemporaryFile() as said:
        process = await started(command, config.parent, {**os.environ, **ENVIRONMENT, **environment}, said.fileno())
        assert process.stdout is not None
        async with asyncio.timeout(READY_TIMEOUT_S):
            await process.stdout.read()
            code = await process.wait()
        said.seek(0)
        return code, said.read().decode()


async def until_gone(pid: int) -> None:
    """Waits (bounded) until there is no such process; one that nobody has waited for is gone too."""
    for _ in range(TRIES):
        if not _runs(pid):
            return
        await asyncio.sleep(PAUSE_S)
    raise AssertionError(f"process {pid} does not end")


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
