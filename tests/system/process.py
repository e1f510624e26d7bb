"""A gateway in a process of its own, as it is run for real."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson

from tests.system import nursery
from tests.system.world import CATALOG

CATALOG_FILES = ("google.yaml", "openai.yaml")
"""What such tests ask for. Every start reads them anew; all of the catalog would take as long as all the rest of it."""

LINE_BYTES_MAX = 1 << 20

READY_TIMEOUT_S = 120
"""Starting takes a second; this is for a machine that is busy with everything else, and measures coverage."""


class Process:
    """A running `gatekeeper` command, its output read line by line."""

    def __init__(self, process: asyncio.subprocess.Process | nursery.Child) -> None:
        self._process = process
        self.lines: list[str] = []

    @property
    def pid(self) -> int:
        return self._process.pid

    async def until_line(self, text: str) -> str:
        """The first line, read or still to come, that contains the text."""
        for line in self.lines:
            if text in line:
                return line
        assert self._process.stdout is not None
        async with asyncio.timeout(READY_TIMEOUT_S):
            while raw := await self._process.stdout.readline():
                self.lines.append(raw.decode())
                if text in self.lines[-1]:
                    return self.lines[-1]
        raise AssertionError(f"ended without {text!r}: {self.lines}")

    async def event(self, name: str) -> dict[str, Any]:
        """The first log line with this event."""
        return json.loads(await self.until_line(f'"event":"{name}"'))  # type: ignore[no-any-return]

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def ended(self) -> int:
        """Reads the rest of the output and gives the exit code."""
        assert self._process.stdout is not None
        async with asyncio.timeout(READY_TIMEOUT_S):
            while raw := await self._process.stdout.readline():
                self.lines.append(raw.decode())
            return await self._process.wait()

    def peak_rss_bytes(self) -> int:
        """The most memory that the process ever had."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024

    def reset_peak_rss(self) -> None:
        """From here on the peak counts anew (Linux: 5 into clear_refs)."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")


async def started(
    command: Sequence[str], cwd: Path, environment: dict[str, str], stderr: int = 2
) -> asyncio.subprocess.Process | nursery.Child:
    """A process that runs a module. A gateway is forked from one that has imported it, unless it is to import anew."""
    is_measured = any(name.startswith("COVERAGE_") for name in environment)
    imports_differ = environment.get("PYTHONPATH") != os.environ.get("PYTHONPATH")
    if command[0] == "gatekeeper" and not is_measured and not imports_differ:
        return await nursery.start([*command[1:]], cwd, environment, LINE_BYTES_MAX, stderr)
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", *command, cwd=cwd, stdout=asyncio.subprocess.PIPE, stderr=stderr,
        env=environment, limit=LINE_BYTES_MAX,
    )  # fmt: skip


@asynccontextmanager
async def gatekeeper(*arguments: str, cwd: Path, **environment: str) -> AsyncIterator[Process]:
    """Runs a command of the installed package; it is gone when the block ends."""
    process = await started(("gatekeeper", *arguments), cwd, {**os.environ, "PYTHONUNBUFFERED": "1", **environment})
    running = Process(process)
    try:
        yield running
    finally:
        if process.returncode is None:
            process.kill()
        await running.ended()


def write_config(directory: Path, provider_url: str, *, grant: str = "1000", **server: Any) -> Path:
    """A config with a native and an openai provider, and a team with a key `gk_the_process_of_the_tests`."""
    teams = {
        "teams": [
            {
                "id": "studio",
                "grants": [{"id": "opening", "credits": int(grant)}],
                "keys": [{"id": "ci", "secret": {"env": "STUDIO_KEY"}}],
            }
        ]
    }
    config = {
        "server": {"port": 0, "admin_port": 0, **server},
        "store": {"data_dir": "data"},
        "catalog": [str(CATALOG / name) for name in CATALOG_FILES],
        "teams": "teams.yaml",
        "providers": {
            "studio": {"dialect": "native", "base_url": f"{provider_url}/native", "models": ["*"]},
            "openai": {"dialect": "openai", "base_url": f"{provider_url}/openai/v1", "models": ["*"]},
        },
    }
    (directory / "teams.yaml").write_bytes(orjson.dumps(teams))
    path = directory / "gatekeeper.yaml"
    path.write_bytes(orjson.dumps(config))
    return path
