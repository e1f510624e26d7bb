"""A whole gateway in this process: real store, real sandbox over HTTP, real log lines. Only the process is shared."""

import io
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gatekeeper.app import running_gateway
from gatekeeper.ledger.client import connect
from gatekeeper.logs import configure_logs
from gatekeeper.sandbox import SandboxSettings, start_sandbox
from tests.ledger.conftest import start_server
from tests.system.jobprovider import JobProvider
from tests.system.provider import Provider
from tests.system.storeserver import AOF
from tests.system.tracing import Hearing
from tests.system.world import World, settings_for

StartWorld = Callable[..., Awaitable[World]]


@pytest.fixture(scope="session")
def store_url() -> Iterator[str]:
    """A store as durable as the embedded one, for all tests of the session: to start one takes longer than most."""
    directory = Path(tempfile.mkdtemp(prefix="gk-"))
    process, socket = start_server(directory, *AOF)
    yield f"unix://{socket}"
    process.terminate()
    process.wait()
    shutil.rmtree(directory)


@pytest.fixture(scope="session", autouse=True)
def _a_reload_frees_nothing() -> Iterator[None]:
    """What a reload leaves is looked for in all there is, which here is all the tests: it would take seconds each time.
    That it is freed `tests/test_garbage.py` shows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gatekeeper.app.free_what_was_left", lambda: None)
        yield


@pytest.fixture(name="start_world")
async def _start_world(tmp_path: Path, store_url: str) -> AsyncIterator[StartWorld]:
    """Starts a world; settings that differ from the defaults are named. One per test is the rule.

    Worlds of one test share an empty store, but for those that name their own (`store_url="embedded"`) or a directory.
    """
    await emptied(store_url)
    async with AsyncExitStack() as stack:

        async def start(*, provider_url: str | None = None, **changes: Any) -> World:
            sandbox = None
            if provider_url is None:
                sandbox = await start_sandbox(SandboxSettings())
                stack.push_async_callback(sandbox.close)
            if "directory" not in changes:
                changes = {"store_url": store_url} | changes
            log = io.BytesIO()
            configure_logs("info", "json", log)
            clock = changes.pop("clock", None)
            settings = settings_for(changes.pop("directory", tmp_path), provider_url or sandbox.url, **changes)
            gateway = await stack.enter_async_context(running_gateway(settings, clock=clock))
            session = await stack.enter_async_context(aiohttp.ClientSession())
            return World(gateway, sandbox, session, log)

        yield start


async def emptied(store_url: str) -> None:
    """Takes everything out of a store but its scripts."""
    redis = connect(store_url)
    await redis.flushall()
    await redis.aclose()


StartProvider = Callable[..., Awaitable[str]]


@pytest.fixture(name="start_provider")
async def _start_provider() -> AsyncIterator[StartProvider]:
    """Starts a provider that answers every POST with one JSON document; gives its URL."""
    async with AsyncExitStack() as stack:

        async def start(document: Any, status: int = 200) -> str:
            async def answer(request: web.Request) -> web.Response:
                await request.read()
                return web.json_response(document, status=status)

            app = web.Application()
            app.router.add_post("/{anything:.*}", answer)
            server = TestServer(app)
            await server.start_server()
            stack.push_async_callback(server.close)
            return str(server.make_url("")).rstrip("/")

        yield start


@pytest.fixture(name="provider")
async def _provider() -> AsyncIterator[Provider]:
    """A provider that counts what it is asked."""
    provider = Provider()
    await provider.start()
    yield provider
    await provider.close()


@pytest.fixture(name="jobs")
async def _jobs() -> AsyncIterator[JobProvider]:
    """A provider of jobs that end when they are told to."""
    provider = JobProvider()
    await provider.start()
    yield provider
    await provider.close()


StartCutStream = Callable[[bytes], Awaitable[str]]


@pytest.fixture(name="start_cut_stream")
async def _start_cut_stream() -> AsyncIterator[StartCutStream]:
    """Starts a provider whose event stream breaks off after these bytes; gives its URL."""
    async with AsyncExitStack() as stack:

        async def start(events: bytes) -> str:
            async def answer(request: web.Request) -> web.StreamResponse:
                await request.read()
                response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
                await response.prepare(request)
                await response.write(events)
                assert request.transport is not None
                request.transport.close()
                return response

            app = web.Application()
            app.router.add_post("/{anything:.*}", answer)
            server = TestServer(app)
            await server.start_server()
            stack.push_async_callback(server.close)
            return str(server.make_url("")).rstrip("/")

        yield start


@pytest.fixture(name="hearing")
async def _hearing() -> AsyncIterator[Hearing]:
    """A provider that keeps the headers it was sent."""
    hearing = Hearing()
    await hearing.start()
    yield hearing
    await hearing.close()


@pytest.fixture(name="world")
async def _world(start_world: StartWorld) -> World:
    """A gateway in front of the sandbox, every limit at its default."""
    return await start_world()
