"""Clients that say half of it: that wait to be asked for their body, and that close their side and listen on."""

import asyncio

import pytest

from tests.system.conftest import StartWorld
from tests.system.provider import Provider
from tests.system.test_adversary_front import BODY, head
from tests.system.world import World

EXPECTS = ("Expect: 100-continue", f"Content-Length: {len(BODY)}")
JSON = {"Content-Type": "application/json"}
NEXT = b"GET /v1/balance HTTP/1.1\r\nHost: x\r\n\r\n"


async def connect(world: World) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = world.url.removeprefix("http://").partition(":")
    return await asyncio.open_connection(host, int(port))


async def answer_of(reader: asyncio.StreamReader) -> tuple[bytes, list[bytes]]:
    """The status and the headers of the next answer, its body read past."""
    first, *lines = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).rstrip().split(b"\r\n")
    length = next((int(line[15:]) for line in lines if line.lower().startswith(b"content-length:")), 0)
    await reader.readexactly(length)
    return first, lines


@pytest.mark.parametrize(
    ("lines", "target"), [((), "/v1/generations"), (("Content-Encoding: gzip",), "/v1/generations"), ((), "/nowhere")]
)
async def test_a_body_that_nobody_asked_for_ends_the_connection(
    world: World, lines: tuple[str, ...], target: str
) -> None:
    """Whoever is refused may keep his body, so nobody knows where another request would begin: he is told so."""
    key = await world.key() if lines else "gk_unknown"
    reader, writer = await connect(world)
    writer.write(head(key, *EXPECTS, *lines, target=target))

    first, told = await answer_of(reader)
    writer.write(NEXT)
    writer.write_eof()

    assert b" 40" in first
    assert b"Connection: close" in told
    assert b"" == await asyncio.wait_for(reader.read(), 10)
    assert 0 == (await world.provider())["requests"]
    writer.close()


async def test_a_body_that_was_asked_for_leaves_the_connection_open(world: World) -> None:
    """It is asked for once, and after its answer another request follows."""
    key = await world.key()
    reader, writer = await connect(world)
    for available in (951, 902):
        writer.write(head(key, *EXPECTS))
        leave, _ = await answer_of(reader)
        writer.write(BODY)
        first, told = await answer_of(reader)

        assert b"HTTP/1.1 100 Continue" == leave
        assert b"HTTP/1.1 200 OK" == first
        assert b"Connection: close" not in told
        assert f"Gatekeeper-Credits-Available: {available}".encode() in told
    writer.close()


async def test_who_closes_one_side_has_left_and_pays_once(start_world: StartWorld, provider: Provider) -> None:
    """No answer comes; what was made is charged, and the same request, sent again by its name, has it."""
    world = await start_world(provider_url=provider.url)
    key, order = await world.key(), {"Idempotency-Key": "order-1817"}
    provider.gate.clear()
    reader, writer = await connect(world)
    writer.write(head(key, "Idempotency-Key: order-1817", f"Content-Length: {len(BODY)}") + BODY)
    await world.event("generation.admitted")
    writer.write_eof()

    heard = await asyncio.wait_for(reader.read(), 10)
    provider.gate.set()
    await world.event("generation.settled")
    again = await world.send("POST", "/v1/generations", key, data=BODY, headers=order | JSON)

    assert b"" == heard
    assert (200, "true") == (again.status, again.headers.get("Gatekeeper-Replayed"))
    assert (1, 49_000_000) == (provider.calls, (await world.balance()).charged)
    await world.assert_books_clean()
    writer.close()
