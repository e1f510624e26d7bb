"""What is packed, how paths are spelt, what lands in the log: from the outside, at both ports."""

import asyncio
import gzip
import socket
import tracemalloc
import zlib
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.system.conftest import StartWorld
from tests.system.test_adversary_front import exchange
from tests.system.world import World

ROOM_BYTES = 24 * 1024**2
"""What an answer to it may take for a moment: an eighth of that."""


@cache
def bomb() -> bytes:
    """Two hundred kilobytes that are two hundred megabytes."""
    return gzip.compress(b" " * (200 * 1024**2), 9)


async def peak_of(asking: Any) -> tuple[Any, int]:
    """What came of it, and the most memory that was taken meanwhile."""
    tracemalloc.start()
    try:
        return await asking, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "encoding", ["gzip", "deflate", "br", "zstd", "gzip, gzip", "GZIP", "x-gzip", "identity, gzip"]
)
async def test_nothing_packed_is_unpacked_on_the_data_port(world: World, encoding: str) -> None:
    """What cannot be read cannot be priced, so it is refused for what its head says."""
    key = await world.key()
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}

    answer, peak = await peak_of(world.send("POST", "/v1/generations", key, data=bomb(), headers=headers))

    assert (400, "malformed_request") == (answer.status, answer.headers["Gatekeeper-Rejection"])
    assert peak < ROOM_BYTES
    assert 0 == (await world.provider())["requests"]


@pytest.mark.parametrize("pack", [lambda text: text, zlib.compress], ids=["gzip", "twice"])
@pytest.mark.parametrize("path", ["/admin/v1/teams", "/login"])
async def test_a_bomb_at_the_admin_port_is_given_up_early(world: World, path: str, pack: Any) -> None:
    """What comes out of it counts as the body, so it ends where bodies end."""
    sent = gzip.compress(pack(b" " * (100 * 1024**2)), 9)
    kind = "application/json" if path.startswith("/admin") else "application/x-www-form-urlencoded"
    headers = {"Content-Type": kind, "Content-Encoding": "gzip"}
    headers |= {"Authorization": f"Bearer {world.gateway.admin_token}"}

    async def ask() -> int:
        url = world.gateway.admin_url + path
        async with world.session.post(url, data=sent, headers=headers, skip_auto_headers=["Accept"]) as response:
            return response.status

    status, peak = await peak_of(ask())

    assert status in {400, 403, 413}
    assert peak < ROOM_BYTES
    assert [] == world.events("error")


PROVIDERS_PATHS = [
    "/fal/fal-ai/flux/requests/{}/status",
    "/replicate/v1/predictions/{}",
    "/openai/v1/videos/{}",
    "/runway/v1/tasks/{}",
    "/luma/dream-machine/v1/generations/{}",
    "/v1/tasks/{}",
]

TRICKS = [
    "..",
    ".",
    "%2e%2e",
    "%2E%2e",
    "..%2f..%2fv1",
    "a%2fb",
    "a%5cb",
    "..\\..",
    "a%00b",
    "%00",
    "a%0d%0aX:%20y",
    "%e2%80%a5",
    "\u2025",
    "\uff0e\uff0e",
    "%ef%bc%8e%ef%bc%8e",
    "%c0%ae%c0%ae",
    "%252e%252e",
    "..;",
    "..;/..",
    "a;b=c",
    "*",
    "",
    "a" * 600,
]
"""Ways up, ends of strings and lines, dots that some reader makes plain ones of, and too much."""


@pytest.mark.parametrize("path", PROVIDERS_PATHS)
async def test_no_id_of_a_job_leads_elsewhere_at_a_provider(world: World, path: str) -> None:
    """No spelling reaches a provider, because none is a job of this team; and none is a failure inside."""
    key = await world.key()
    found = {}
    for trick in TRICKS:
        head = (
            f"GET {path.format(trick)} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n\r\n"
        )
        answer = await exchange(world, head.encode())
        found[trick] = int(answer.split(b" ")[1])

    assert {400, 403, 404} >= set(found.values()), found
    assert 0 == (await world.provider())["requests"]
    assert [] == world.events("error")


async def test_what_callers_write_begins_no_line_of_the_log(world: World) -> None:
    """Line ends, escapes and a megabyte of text in every place that is told of: each request has one short line."""
    key = await world.key()
    evil = "\x1b[2J\r\n" + '{"event":"generation.settled","credits_charged":0}' + "\u2028" + "x" * 1_000_000
    for field in ("model", "size", "resolution", "aspect_ratio", "quality", "scale", "operation"):
        await world.native(key, **{field: evil})
    await world.send("POST", "/v1/%0d%0a%1b[2J", key)
    raw = b"GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + key.encode()
    await exchange(world, raw + b"\r\nGatekeeper-Project: \x1b[2J\r\nConnection: close\r\n\r\n")

    log = world.log.getvalue()
    lines = log.splitlines()
    assert b"\x1b" not in log
    assert [] == [line for line in lines if len(line) > 4096]
    assert [] == world.events("generation.settled")


@pytest.mark.parametrize(
    "asked",
    [
        b"GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer gk_unknown%b\r\n\r\n",
    ],
    ids=["answers", "refusals"],
)
@pytest.mark.parametrize("times", [1, 20_000])
async def test_who_reads_nothing_is_hung_up_on(start_world: StartWorld, asked: bytes, times: int) -> None:
    """Whatever waits to be read, with a key and without: when the time is over the place is free again."""
    world = await start_world(client_write_timeout_s=0.3, head_timeout_s=0.3)
    key = await world.key()
    before = _open_here(world)
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    raw.setblocking(False)
    loop = asyncio.get_running_loop()
    host, _, port = world.url.rpartition("/")[2].partition(":")
    await loop.sock_connect(raw, (host, int(port)))
    with suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(5):
            await loop.sock_sendall(raw, asked % key.encode() * times)
    for _ in range(500):
        if _open_here(world) == before:
            break
        await asyncio.sleep(0.02)

    assert before == _open_here(world)
    raw.close()


def _open_here(world: World) -> int:
    """Connections that the data port has from this process."""
    port = f":{int(world.url.rpartition(':')[2]):04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(port) and row[3] == "01" for row in rows)
