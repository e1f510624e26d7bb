"""The front door under tricks: what reaches the provider is paid, whatever the bytes around it look like."""

import asyncio

import orjson
import pytest

from tests.system.world import World

BODY = orjson.dumps({"model": "nano-banana-2", "prompt": "a cat", "resolution": "1K", "aspect_ratio": "1:1"})
"""One 1K square of 49 credits."""

QUIET_S = 0.3
"""A connection that is kept says nothing more after this, once what was asked for has come."""

PATIENCE_S = 20
"""An answer takes milliseconds; this is for a machine that is busy with everything else."""


def head(key: str, *lines: str, target: str = "/v1/generations") -> bytes:
    """A request's head with these lines beside the usual ones."""
    usual = (f"POST {target} HTTP/1.1", "Host: x", f"Authorization: Bearer {key}", "Content-Type: application/json")
    return "\r\n".join((*usual, *lines, "", "")).encode()


def plain(key: str, body: bytes = BODY, target: str = "/v1/generations") -> bytes:
    """A request as everybody sends it."""
    return head(key, f"Content-Length: {len(body)}", target=target) + body


def chunked(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


async def exchange(world: World, data: bytes, answers: int = 1) -> bytes:
    """Sends the bytes on a connection of their own and reads until it ends, or until it has begun so many answers and
    says nothing more."""
    host, _, port = world.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    answer, wait_s = b"", float(PATIENCE_S)
    try:
        writer.write(data)
        while piece := await asyncio.wait_for(reader.read(65536), wait_s):
            answer += piece
            wait_s = QUIET_S if answer.count(b"HTTP/1.1 ") >= answers else PATIENCE_S
    except (TimeoutError, ConnectionError):
        pass
    finally:
        writer.close()
    return answer


@pytest.mark.parametrize(
    "lines",
    [
        ("Content-Length: 4", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked", "Content-Length: 4"),
        ("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked, identity",),
        ("Transfer-Encoding: xchunked",),
        ("Transfer-Encoding : chunked",),
    ],
)
async def test_two_ways_to_frame_a_body_are_refused(world: World, lines: tuple[str, ...]) -> None:
    """What the gateway and a provider could cut differently goes nowhere."""
    key = await world.key()

    answer = await exchange(world, head(key, *lines) + chunked(BODY))

    assert b" 400 " in answer.split(b"\r\n")[0]
    assert 0 == (await world.provider())["requests"]
    await world.assert_books_clean()


@pytest.mark.parametrize("length", [f"{len(BODY)}, {len(BODY)}", f"+{len(BODY)}", hex(len(BODY)), "-1", "9" * 20])
async def test_an_odd_length_is_refused(world: World, length: str) -> None:
    """A length is digits, once, and small enough to be one."""
    key = await world.key()

    answer = await exchange(world, head(key, f"Content-Length: {length}") + BODY)

    assert b" 400 " in answer.split(b"\r\n")[0]
    assert 0 == (await world.provider())["requests"]


async def test_two_requests_in_one_packet_are_both_paid(world: World) -> None:
    """Pipelining is no discount."""
    key = await world.key()

    answer = await exchange(world, plain(key) * 2, answers=2)

    assert 2 == answer.count(b"HTTP/1.1 200 OK")
    assert 98_000_000 == (await world.balance()).charged
    assert 2 == (await world.provider())["generations"]


@pytest.mark.parametrize("target", ["/nowhere/x", "/v1/generations"])
async def test_the_body_of_a_refused_request_is_no_request(world: World, target: str) -> None:
    """A generation inside the body of something refused is never read as one."""
    key = await world.key()
    inner = plain(key)
    outer_key = key if target == "/nowhere/x" else "gk_unknown"

    answer = await exchange(world, plain(outer_key, inner, target))

    assert 1 == answer.count(b"HTTP/1.")
    assert 0 == (await world.provider())["requests"]
    assert 0 == (await world.balance()).charged


@pytest.mark.parametrize(
    "target",
    [
        "//v1/generations",
        "/v1/%67enerations",
        "/v1%2fgenerations",
        "/v1/generations;a=1",
        "/v1/generations/",
        "/V1/generations",
        "http://x/v1/generations",
        "/openai/../v1/generations",
        "/openai/v1/models/../images/generations",
        "/openai/v1/models/%2e%2e/images/generations",
    ],
)
async def test_a_route_has_one_spelling(world: World, target: str) -> None:
    """A path that some server would tidy up to a generation is not open."""
    key = await world.key()

    answer = await exchange(world, plain(key, target=target))

    assert b"HTTP/1.1 403 Forbidden" == answer.split(b"\r\n")[0]
    assert 0 == (await world.provider())["requests"]


@pytest.mark.parametrize("header", ["Gatekeeper-Dry-Run", "Gatekeeper-Project", "Gatekeeper-Phase"])
async def test_a_header_of_ours_that_comes_twice_is_refused(world: World, header: str) -> None:
    """Nobody has to guess which of the two counts."""
    key = await world.key()

    answer = await exchange(world, head(key, f"{header}: fix", f"{header}: true", "Content-Length: 0"))

    assert b" 400 " in answer.split(b"\r\n")[0]
    assert 0 == (await world.provider())["requests"]
