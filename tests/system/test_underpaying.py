"""Ways in which a caller once got more than it paid for, or took the gateway's memory or time for nothing."""

import asyncio
import io
import json

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.system.conftest import StartWorld
from tests.system.world import World

MB = 1024 * 1024


async def test_a_slow_reader_is_charged(start_world: StartWorld) -> None:
    """A client that reads slower than the provider's total time is no reason to call the outcome unknown."""
    picture = b"A" * (24 * MB)

    async def answer(request: web.Request) -> web.StreamResponse:
        await request.read()
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        await response.write(b'{"created":1,"size":"1024x1024","data":[{"b64_json":"')
        for start in range(0, len(picture), MB):
            await response.write(picture[start : start + MB])
        await response.write(b'"}]}')
        return response

    app = web.Application()
    app.router.add_post("/{anything:.*}", answer)
    async with TestServer(app) as server:
        url = str(server.make_url("")).rstrip("/")
        world = await start_world(provider_url=url, timeouts={"total_s": 1}, client_total_s=2)
        key = await world.key()
        reader, writer = await asyncio.open_connection("127.0.0.1", int(world.url.rpartition(":")[2]), limit=65536)
        body = b'{"model":"gpt-image-1.5","prompt":"x","size":"1024x1024"}'
        head = f"POST /openai/v1/images/generations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
        writer.write(head.encode() + b"Content-Type: application/json\r\n")
        writer.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        await reader.readexactly(1000)

        settled = await world.event("generation.settled")
        writer.transport.abort()

    assert (35, "made") == (settled["credits_charged"], settled["outcome"])
    await world.assert_books_clean()


@pytest.mark.parametrize(
    "headers",
    [
        {"X-HTTP-Method-Override": "PUT", "Range": "bytes=0-10", "If-None-Match": "*"},
        {"X_Api_Key": "someone", "OpenAI_Organization": "org", "Content_Type": "text/plain"},
        {"Accept": "image/png"},
    ],
)
async def test_headers_that_change_what_is_made_do_not_pass(world: World, headers: dict[str, str]) -> None:
    """What the provider makes, and of it what we get to read, is not for a header to change."""
    answer = await world.openai(await world.key(), headers=headers)

    names = {name.lower() for name in (await world.provider())["recent"][-1]["header_names"]}
    assert 200 == answer.status
    assert set() == names & {name.lower() for name in headers}


async def test_a_caller_cannot_take_the_content_type_away(world: World) -> None:
    """`Connection: Content-Type` would leave the provider to guess how the body is to be read."""
    await world.openai(await world.key(), headers={"Connection": "Content-Type"})

    assert "application/json" == (await world.provider())["recent"][-1]["headers"]["content-type"]


async def test_a_second_content_encoding_is_seen(world: World) -> None:
    """`identity` first and `deflate` after it is still compressed."""
    key = await world.key()
    reader, writer = await asyncio.open_connection("127.0.0.1", int(world.url.rpartition(":")[2]))
    writer.write(f"POST /v1/generations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n".encode())
    writer.write(b"Content-Encoding: identity\r\nContent-Encoding: deflate\r\nContent-Length: 2\r\n\r\n{}")
    head = await reader.readline()
    writer.close()
    await writer.wait_closed()

    assert b"400" in head


@pytest.mark.parametrize("query", ["n=10", "callback=x", "%6e=10", "N=10"])
async def test_a_query_that_nobody_reads_is_refused(world: World, query: str) -> None:
    """A provider that merges it with the body would make what was not paid for."""
    body = {"model": "gpt-image-1.5", "prompt": "x", "size": "1024x1024"}

    answer = await world.send("POST", f"/openai/v1/images/generations?{query}", await world.key(), json=body)

    assert (400, "malformed_request") == (answer.status, answer.json["error"]["code"])
    assert 0 == (await world.provider())["requests"]


async def test_a_query_that_is_known_passes(world: World) -> None:
    """Hosts that copy OpenAI's format want their version in the address."""
    body = {"model": "gpt-image-1.5", "prompt": "x", "size": "1024x1024"}
    path = "/openai/v1/images/generations?api-version=2026-01-01"

    assert 200 == (await world.send("POST", path, await world.key(), json=body)).status


async def test_a_free_route_takes_no_body(world: World) -> None:
    """A provider that ignores a GET's body would take it for the next request, on our credential."""
    smuggled = b"POST /v1/images/generations HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"

    answer = await world.send("GET", "/openai/v1/models", await world.key(), data=io.BytesIO(smuggled))

    assert (400, "malformed_request") == (answer.status, answer.json["error"]["code"])
    assert 0 == (await world.provider())["requests"]


async def test_an_overlong_name_is_no_field(world: World) -> None:
    """Cut to its head it would read as a field that the provider does not see."""
    name = "\\u0072esolution" + " " * 600
    body = '{"model":"nano-banana-2","prompt":"' + "x" * 70_000 + '","' + name + '":"1K"}'

    answer = await world.send(
        "POST", "/v1/generations", await world.key(), data=body, headers={"Content-Type": "application/json"}
    )

    assert (400, "malformed_request") == (answer.status, answer.json["code"])


@pytest.mark.parametrize("document", ['{"outputs":[{"url":"x","seed":NaN}]}', '\ufeff{"outputs":[{"url":"x"}]}'])
async def test_an_answer_with_common_blemishes_is_still_read(start_world: StartWorld, document: str) -> None:
    """Python writes NaN, Windows writes a byte order mark: a picture came all the same."""

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=document.encode(), content_type="application/json")

    app = web.Application()
    app.router.add_post("/{anything:.*}", answer)
    async with TestServer(app) as server:
        world = await start_world(provider_url=str(server.make_url("")).rstrip("/"))

        assert "49" == (await world.native(await world.key())).headers["Gatekeeper-Credits-Charged"]


async def test_a_whole_document_on_a_broken_connection_reaches_the_client(start_world: StartWorld) -> None:
    """What is charged is handed over, and still shows that it broke off."""
    document = json.dumps({"outputs": [{"url": "http://x/1.png"}]}).encode()

    async def answer(request: web.Request) -> web.StreamResponse:
        await request.read()
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.content_length = len(document) + 1
        await response.prepare(request)
        await response.write(document)
        assert request.transport is not None
        request.transport.close()
        return response

    app = web.Application()
    app.router.add_post("/{anything:.*}", answer)
    async with TestServer(app) as server:
        world = await start_world(provider_url=str(server.make_url("")).rstrip("/"))
        body = {"model": "nano-banana-2", "prompt": "a", "resolution": "1K", "aspect_ratio": "1:1"}
        headers = {"Authorization": f"Bearer {await world.key()}"}
        async with world.session.post(f"{world.url}/v1/generations", json=body, headers=headers) as response:
            received = await response.content.readexactly(len(document))
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.read()

    assert document == received
    assert 49_000_000 == (await world.balance()).charged


async def test_what_is_no_http_is_refused_like_everything_else(world: World) -> None:
    """With a request id, a code, a log line, and without naming the library."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(world.url.rpartition(":")[2]))
    writer.write(b"NONSENSE\r\n\r\n")
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()

    assert b"Gatekeeper-Request-Id" in answer
    assert b"aiohttp" not in answer
    assert "malformed_request" == (await world.event("generation.rejected"))["code"]


async def test_a_half_sent_head_is_closed(start_world: StartWorld) -> None:
    """A connection that sends no whole request for its time is ended by us."""
    world = await start_world(head_timeout_s=0.3)
    reader, writer = await asyncio.open_connection("127.0.0.1", int(world.url.rpartition(":")[2]))
    writer.write(b"POST /v1/generations HTTP/1.1\r\nHost:")

    assert b"" == await asyncio.wait_for(reader.read(), 20)
    writer.close()
    await writer.wait_closed()
