"""Refusals of several workers, on the one page of the process that leads them."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from gatekeeper.sandbox import RunningSandbox, SandboxSettings, start_sandbox
from tests.system.process import write_config
from tests.system.workering import Gateway, workers


@pytest.fixture(name="sandbox")
async def _sandbox() -> AsyncIterator[RunningSandbox]:
    sandbox = await start_sandbox(SandboxSettings())
    yield sandbox
    await sandbox.close()


async def page(gateway: Gateway, path: str) -> str:
    """A page of the console, for somebody who signs in for it."""
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        await (await session.post(f"{gateway.admin_url}/login", data={"token": gateway._token})).read()
        async with session.get(f"{gateway.admin_url}{path}") as answer:
            return await answer.text()


async def test_one_page_has_the_refusals_of_all_workers(tmp_path: Path, sandbox: RunningSandbox) -> None:
    """Sixteen requests on connections of their own, refused in two processes: each is there once, in order."""
    async with workers(write_config(tmp_path, sandbox.url), 2) as gateway:
        for _ in range(16):
            await gateway.post("/v1/generations", resolution="8K")
        seen = [await page(gateway, "/refusals") for _ in range(2)]

    numbers = [[int(number) for number in re.findall(r'data-number="(\d+)"', text)] for text in seen]
    assert [*range(16, 0, -1)] == numbers[0] == numbers[1]
