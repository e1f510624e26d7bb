"""A provider that misbehaves on command: a raw socket server on loopback, scripted connection by connection.

Every test of this folder that awaits runs on both event loops, because closing, cancelling and buffering are theirs.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import pytest
import uvloop

from gatekeeper.upstream.client import Upstream
from gatekeeper.upstream.messages import Timeouts, UpstreamRequest


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@dataclass
class Peer:
    """The provider's side of one connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    number: int
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    async def head(self) -> bytes:
        return await self.reader.readuntil(b"\r\n\r\n")

    async def request(self) -> bytes:
        """One whole request, head and body, as it came."""
        head = await self.head()
        length = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b":0")
        return head + await self.reader.readexactly(int(length.partition(b":")[2]))

    async def answer(self, text: bytes) -> None:
        self.writer.write(text)
        await self.writer.drain()

    async def until_closed(self) -> None:
        """Reads, and drops, until the gateway's side is closed."""
        with contextlib.suppress(ConnectionError):
            while await self.reader.read(65536):
                pass
        self.closed.set()

    def stop_reading(self) -> None:
        self.writer.transport.pause_reading()

    async def until_refused(self) -> None:
        """Writes, without reading, until the gateway's side refuses it: it is gone, not merely closing politely."""
        with contextlib.suppress(ConnectionError):
            while not self.writer.transport.is_closing():
                await self.answer(b".")
                await asyncio.sleep(0.005)
        self.closed.set()

    def abort(self) -> None:
        self.writer.transport.abort()


Script = Callable[[Peer], Awaitable[None]]


@dataclass
class Provider:
    """Runs the script once for each connection; a connection ends with its script."""

    script: Script
    tls: ssl.SSLContext | None
    peers: list[Peer] = field(default_factory=list)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    port: int = 0

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    async def start(self) -> asyncio.Server:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=self.tls)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        peer = Peer(reader, writer, len(self.peers))
        self.peers.append(peer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self.script(peer)
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError, asyncio.CancelledError):
            await writer.wait_closed()


@pytest.fixture
async def provider() -> AsyncIterator[Callable[..., Awaitable[Provider]]]:
    """Starts scripted providers: `await provider(script)`."""
    started: list[tuple[Provider, asyncio.Server]] = []

    async def start(script: Script, tls: ssl.SSLContext | None = None) -> Provider:
        scripted = Provider(script, tls)
        started.append((scripted, await scripted.start()))
        return scripted

    yield start
    for scripted, server in started:
        server.close()
        for peer in scripted.peers:
            peer.abort()
        for task in scripted.tasks:
            task.cancel()
        await asyncio.gather(*scripted.tasks, return_exceptions=True)


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with Upstream() as client:
        yield client


@pytest.fixture
def ask() -> Callable[..., UpstreamRequest]:
    """Builds requests with boring defaults: a small POST and limits that no healthy test meets."""

    def build(url: str, **over: object) -> UpstreamRequest:
        limits = {name: over.pop(name) for name in ("connect_s", "head_s", "idle_s", "total_s") if name in over}
        given = {"method": "POST", "url": url, "body": (b"{}",)} | over
        return UpstreamRequest(**given, timeouts=Timeouts(**({"connect_s": 5, "head_s": 10, "idle_s": 10} | limits)))

    return build


@pytest.fixture
def read() -> Callable[..., Awaitable[bytes]]:
    """Reads an answer to its end and closes it."""

    async def read_all(answer: object) -> bytes:
        async with answer:
            return b"".join([piece async for piece in answer.chunks()])

    return read_all
