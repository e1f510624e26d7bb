"""The demo as `make run` starts it, in a process of its own, and what its teams do while a browser looks."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tests.system.process import Process, gatekeeper

TOKEN = "gka_of_the_browser_tests"

PICTURE = {"model": "nano-banana-2", "prompt": "a cat", "resolution": "1K", "aspect_ratio": "1:1"}
"""49 credits."""


@dataclass(frozen=True)
class Demo:
    """A running demo and its two addresses."""

    process: Process
    session: aiohttp.ClientSession
    url: str
    admin_url: str

    async def admin(self, method: str, path: str, body: Any = None) -> Any:
        """One operation of the admin API, which must succeed; its document."""
        return await self._done(method, f"{self.admin_url}/admin/v1{path}", TOKEN, body)

    async def team(self, team: str, grant: int = 1000, **fields: Any) -> str:
        """A new team with these credits and a key; the key's secret."""
        await self.admin("POST", "/teams", {"id": team, **fields})
        if grant:
            await self.admin("POST", f"/teams/{team}/grants", {"id": "opening", "credits": grant})
        return str((await self.admin("POST", f"/teams/{team}/keys", {"id": "ci"}))["secret"])

    async def generate(self, key: str, **changes: Any) -> tuple[int, Any]:
        """A picture; the status and the document of the answer."""
        head = {"Authorization": f"Bearer {key}"}
        async with self.session.post(f"{self.url}/v1/generations", json=PICTURE | changes, headers=head) as answer:
            return answer.status, json.loads(await answer.read())

    async def film(self, key: str) -> None:
        """A film that is made until somebody says that it has ended, by a job: 50.64 credits."""
        body = {"model": "gen4.5", "promptText": "a cat [sandbox: job_wait]", "ratio": "1280:720", "duration": 2}
        await self._done("POST", f"{self.url}/runway/v1/text_to_video", key, body)

    async def decide(self, key: str) -> str:
        """Credits held for a picture that somebody else makes; the decision's id."""
        return str((await self._done("POST", f"{self.url}/v1/decisions", key, PICTURE | {"ttl_s": 900}))["id"])

    async def _done(self, method: str, url: str, key: str, body: Any) -> Any:
        head = {"Authorization": f"Bearer {key}"}
        async with self.session.request(method, url, json=body, headers=head) as answer:
            text = await answer.text()
            assert answer.status in {200, 201}, (method, url, answer.status, text)
            return json.loads(text)


@asynccontextmanager
async def running_demo(directory: Path) -> AsyncIterator[Demo]:
    """Starts it on free ports; it is gone when the block ends."""
    async with (
        gatekeeper("demo", "--port", "0", "--admin-port", "0", cwd=directory, GATEKEEPER_ADMIN_TOKEN=TOKEN) as process,
        demo_of(process) as demo,
    ):
        yield demo


@asynccontextmanager
async def demo_of(process: Process) -> AsyncIterator[Demo]:
    """The demo that a process has begun to be, once it has said where it is."""
    async with aiohttp.ClientSession() as session:
        await process.until_line("Ctrl-C")
        banner = "".join(process.lines)
        yield Demo(process, session, _found(r"curl -sS (\S+)/v1/balance", banner), _found(r"Console: +(\S+)/ ", banner))


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    assert found, (pattern, text)
    return found[1]
