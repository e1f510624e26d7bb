"""Memory does not grow with what passes through, measured on a process of its own."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.system.process import Process, gatekeeper, write_config

MB = 1024 * 1024
LARGE_MB = 200
STUCK_AFTER_S = 2.0
"""A provider that could write nothing for this long is held back; one that is not writes 200 MB in less."""
KEY = {"Authorization": "Bearer gk_the_process_of_the_tests"}


async def _large_answer(request: web.Request) -> web.StreamResponse:
    """200 MB of base64 in one JSON string, made as it is sent."""
    await request.read()
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(b'{"created":1,"size":"1024x1024","data":[{"b64_json":"')
    for _ in range(LARGE_MB):
        await response.write(b"A" * MB)
    await response.write(b'"}]}')
    return response


async def _small_answer(request: web.Request) -> web.Response:
    """Reads the body to its end and answers with one output."""
    size = 0
    async for piece in request.content.iter_any():
        size += len(piece)
    return web.json_response({"created": size, "size": "1024x1024", "data": [{"url": "http://x/1.png"}]})


@asynccontextmanager
async def running(tmp_path: Path, handler: object, **server_settings: object) -> AsyncIterator[tuple[str, Process]]:
    """A gateway in front of one handler."""
    app = web.Application(client_max_size=0)
    app.router.add_post("/{anything:.*}", handler)  # type: ignore[arg-type]
    provider = TestServer(app)
    await provider.start_server()
    config = write_config(tmp_path, str(provider.make_url("")).rstrip("/"), **server_settings)
    try:
        async with gatekeeper(
            "serve", "--config", str(config), cwd=tmp_path, STUDIO_KEY="gk_the_process_of_the_tests"
        ) as server:
            yield (await server.event("server.started"))["url"], server
    finally:
        await provider.close()


async def _warm_up(session: aiohttp.ClientSession, url: str, server: Process) -> int:
    """One request that goes the whole way, so that what is made on first use is not counted; then the peak so far."""
    body = {"model": "gpt-image-1.5", "prompt": "a", "size": "1024x1024"}
    async with session.post(f"{url}/openai/v1/images/generations", json=body, headers=KEY) as response:
        async for _ in response.content.iter_any():
            pass
        assert response.status == 200
    server.reset_peak_rss()
    return server.peak_rss_bytes()


@pytest.mark.timeout(120)
async def test_a_large_answer_streams_in_bounded_memory(tmp_path: Path) -> None:
    """200 MB pass through with less than 16 MB more than before, and are charged."""
    async with running(tmp_path, _large_answer) as (url, server), aiohttp.ClientSession() as session:
        before, size = await _warm_up(session, url, server), 0
        body = {"model": "gpt-image-1.5", "prompt": "a", "size": "1024x1024"}
        async with session.post(f"{url}/openai/v1/images/generations", json=body, headers=KEY) as response:
            async for piece in response.content.iter_any():
                size += len(piece)
        grown = server.peak_rss_bytes() - before
        settled = await server.event("generation.settled")

    assert size > LARGE_MB * MB
    assert 35 == settled["credits_charged"]
    assert grown < 16 * MB


@pytest.mark.timeout(120)
async def test_a_20_mb_json_request_stays_under_twice_its_size(tmp_path: Path) -> None:
    """The body is in memory once; reading its fields does not copy it."""
    async with running(tmp_path, _small_answer) as (url, server), aiohttp.ClientSession() as session:
        before = await _warm_up(session, url, server)
        body = b'{"model":"gpt-image-1.5","prompt":"a","size":"1024x1024","image":"' + b"A" * (20 * MB) + b'"}'
        headers = {**KEY, "Content-Type": "application/json"}
        target = f"{url}/openai/v1/images/generations"
        async with session.post(target, data=io.BytesIO(body), headers=headers) as response:
            document = await response.json()
        grown = server.peak_rss_bytes() - before

    assert len(body) == document["created"]
    assert grown < 2 * 20 * MB


def _form(picture_bytes: int) -> tuple[bytes, str]:
    """An edit with a picture of that size, and its type."""
    text = '--xyz\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'
    said = {"model": "gpt-image-1.5", "prompt": "a", "size": "1024x1024"}
    head = "".join(text.format(name, value) for name, value in said.items())
    file = '--xyz\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
    body = b"".join((head.encode(), file.encode(), b"\0" * picture_bytes, b"\r\n--xyz--\r\n"))
    return body, "multipart/form-data; boundary=xyz"


@pytest.mark.timeout(120)
async def test_forms_pass_in_bounded_memory(tmp_path: Path) -> None:
    """Four of 50 MB at once, whole and charged, with less than a tenth of them in memory, and no file is left."""
    async with running(tmp_path, _small_answer) as (url, server), aiohttp.ClientSession() as session:
        before = await _warm_up(session, url, server)
        body, kind = _form(50 * MB)

        async def ask(number: int) -> int:
            headers = {**KEY, "Content-Type": kind, "Idempotency-Key": f"form-{number}"}
            target = f"{url}/openai/v1/images/edits"
            async with session.post(target, data=io.BytesIO(body), headers=headers) as response:
                assert response.status == 200
                return int((await response.json())["created"])

        sizes = await asyncio.gather(*(ask(number) for number in range(4)))
        grown = server.peak_rss_bytes() - before
        left = [link for link in _open_files(server) if link.startswith(str(tmp_path)) and "(deleted)" in link]

    assert [len(body)] * 4 == sizes
    assert grown < 20 * MB
    assert [] == left


def _open_files(server: Process) -> list[str]:
    return [str(link.readlink()) for link in Path(f"/proc/{server.pid}/fd").iterdir()]


@pytest.mark.timeout(120)
async def test_bodies_beyond_the_memory_for_them_are_refused(tmp_path: Path) -> None:
    """As overloaded, with when to come again; nothing is held for them, and smaller ones still go by."""
    async with (
        running(tmp_path, _small_answer, bodies_memory_mb=16, json_memory_kb=32 * 1024) as (url, server),
        aiohttp.ClientSession() as session,
    ):
        await _warm_up(session, url, server)
        body = b'{"model":"gpt-image-1.5","prompt":"a","size":"1024x1024","image":"' + b"A" * (20 * MB) + b'"}'
        headers = {**KEY, "Content-Type": "application/json"}
        target = f"{url}/openai/v1/images/generations"
        async with session.post(target, data=io.BytesIO(body), headers=headers) as response:
            refused = response.status, response.headers.get("Retry-After"), (await response.json())["error"]["code"]
        await _warm_up(session, url, server)

    assert (503, "1", "overloaded") == refused


@dataclass
class Counted:
    """A provider that counts how much of its large answer it could hand over."""

    sent_bytes: int = 0
    stuck: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        await request.read()
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        await response.write(b'{"created":1,"size":"1024x1024","data":[{"b64_json":"')
        for _ in range(LARGE_MB):
            try:
                await asyncio.wait_for(response.write(b"A" * MB), STUCK_AFTER_S)
            except TimeoutError:
                self.stuck.set()
                return response
            self.sent_bytes += MB
        await response.write(b'"}]}')
        return response


@pytest.mark.timeout(120)
async def test_a_slow_reader_holds_the_provider_back(tmp_path: Path) -> None:
    """A client that stops reading stops the provider: the gateway keeps nothing of what waits."""
    provider = Counted()
    async with (
        running(tmp_path, provider.answer) as (url, server),
        aiohttp.ClientSession(read_bufsize=65536) as session,
    ):
        before = await _warm_up(session, url, server)
        provider.sent_bytes = 0
        body = {"model": "gpt-image-1.5", "prompt": "a", "size": "1024x1024"}
        async with session.post(f"{url}/openai/v1/images/generations", json=body, headers=KEY) as response:
            await response.content.readany()
            await provider.stuck.wait()
            grown = server.peak_rss_bytes() - before

    assert provider.sent_bytes < LARGE_MB * MB / 2
    assert grown < 16 * MB


@pytest.mark.timeout(120)
async def test_a_client_that_stops_reading_is_given_up_and_still_charged(tmp_path: Path) -> None:
    """After the write timeout it counts as gone: the answer is read to its end and settled."""
    async with (
        running(tmp_path, _large_answer, client_write_timeout_s=0.5) as (url, server),
        aiohttp.ClientSession(read_bufsize=65536) as session,
    ):
        body = {"model": "gpt-image-1.5", "prompt": "a", "size": "1024x1024"}
        async with session.post(f"{url}/openai/v1/images/generations", json=body, headers=KEY) as response:
            await response.content.readany()
            settled = await server.event("generation.settled")

    assert (35, "made") == (settled["credits_charged"], settled["outcome"])
