"""A sandbox that listens on a free port, and a client that talks to it as any client would."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from PIL import Image

from gatekeeper.sandbox import RunningSandbox, SandboxSettings, start_sandbox

StartSandbox = Callable[..., Awaitable[RunningSandbox]]


@dataclass(frozen=True)
class Reply:
    """A response, read whole and closed."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """Sends requests to one sandbox and reads every answer to its end."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self.url = url

    async def send(self, method: str, path: str, **options: Any) -> Reply:
        async with self._session.request(method, self.url + path, **options) as response:
            body = await response.read()
            return Reply(response.status, dict(response.headers), body)

    async def generate(self, behaviour: str | None = None, **fields: Any) -> Reply:
        """An `openai` generation with boring defaults: one picture of 64 by 64."""
        headers = {} if behaviour is None else {"Sandbox-Behaviour": behaviour}
        body = {"model": "m", "prompt": "a cat", "size": "64x64", **fields}
        return await self.send("POST", "/v1/images/generations", json=body, headers=headers)

    async def native(self, behaviour: str | None = None, **fields: Any) -> Reply:
        """A `native` generation with boring defaults: one picture of 64 by 64."""
        headers = {} if behaviour is None else {"Sandbox-Behaviour": behaviour}
        body = {"model": "m", "prompt": "a cat", "size": "64x64", **fields}
        return await self.send("POST", "/v1/generations", json=body, headers=headers)

    async def ledger(self) -> Any:
        return (await self.send("GET", "/sandbox/ledger")).json

    async def until_requests(self, count: int) -> None:
        """Wait until that many requests have arrived, for tests that keep one waiting."""
        for _ in range(500):
            if (await self.ledger())["requests"] >= count:
                return
            await asyncio.sleep(0.01)
        raise TimeoutError(f"{count} requests did not arrive")


@pytest.fixture
async def start() -> AsyncIterator[StartSandbox]:
    """Starts sandboxes with the settings given, and closes them all after the test."""
    running: list[RunningSandbox] = []

    async def start_one(**settings: Any) -> RunningSandbox:
        running.append(await start_sandbox(SandboxSettings(**settings)))
        return running[-1]

    yield start_one
    for sandbox in running:
        await sandbox.close()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session
    # One more turn of the loop, in which the connections are really closed.
    await asyncio.sleep(0)


@pytest.fixture
def client_of(session: aiohttp.ClientSession) -> Callable[[RunningSandbox], Client]:
    """A client for a sandbox that the test started itself."""
    return lambda sandbox: Client(session, sandbox.url)


@pytest.fixture
async def client(start: StartSandbox, session: aiohttp.ClientSession) -> Client:
    """A client for a sandbox with default settings."""
    return Client(session, (await start()).url)


@pytest.fixture
def png() -> Callable[..., bytes]:
    """Makes the bytes of a plain PNG."""

    def make(width: int = 64, height: int = 48, colour: str = "red") -> bytes:
        out = io.BytesIO()
        Image.new("RGB", (width, height), colour).save(out, "PNG")
        return out.getvalue()

    return make


@pytest.fixture
def pixels() -> Callable[[bytes], tuple[str | None, tuple[int, int]]]:
    """Decodes an image wholly and tells its format and size."""

    def decode(data: bytes) -> tuple[str | None, tuple[int, int]]:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            return image.format, image.size

    return decode
