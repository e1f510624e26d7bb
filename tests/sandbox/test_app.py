"""The application around the dialects: record, files, limits, honesty."""

import asyncio
import gzip
import hashlib
import io
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from gatekeeper.sandbox import settings as limits
from gatekeeper.sandbox import start_sandbox
from gatekeeper.sandbox.record import credential_digest
from gatekeeper.sandbox.settings import SandboxSettings


async def test_it_says_what_it_is_and_what_it_is_not(client: Any) -> None:
    """The front page is plain text that nobody could take for a provider's."""
    page = await client.send("GET", "/")

    assert page.headers["Content-Type"].startswith("text/plain")
    assert b"What it is not: a model." in page.body
    assert b"made up" in page.body


@pytest.mark.parametrize("path", ["/", "/v1/models", "/nowhere", "/files/none.png", "/sandbox/ledger"])
async def test_every_answer_names_its_server(client: Any, path: str) -> None:
    """Errors included."""
    assert "gatekeeper-sandbox" == (await client.send("GET", path)).headers["Server"]


async def test_an_unknown_route_is_404_and_recorded(client: Any) -> None:
    """What a gateway lets through by mistake can be seen."""
    reply = await client.send("POST", "/v1/chat/completions", json={})

    ledger = await client.ledger()
    assert (404, "unknown_url") == (reply.status, reply.json["error"]["code"])
    assert ("/v1/chat/completions", "* (other)") == (ledger["recent"][0]["path"], ledger["recent"][0]["route"])


@pytest.mark.parametrize(
    "path", ["/openai/v1/images/generations", "/openai/images/generations", "/native/v1/generations"]
)
async def test_each_dialect_is_mounted_under_its_name(client: Any, path: str) -> None:
    """So that dialects whose paths are alike can live side by side."""
    reply = await client.send("POST", path, json={"model": "m", "prompt": "a cat", "size": "64x64"})

    assert 200 == reply.status


async def test_counts_per_model_and_credential(client: Any) -> None:
    """Requests, generations and images, apart."""
    await client.generate(n=3)
    await client.native(model="other", outputs=2)
    await client.send("GET", "/v1/models", headers={"Authorization": "Bearer sk-up"})

    ledger = await client.ledger()
    assert (3, 2, 5) == (ledger["requests"], ledger["generations"], ledger["images"])
    assert {"m": {"generations": 1, "images": 3}, "other": {"generations": 1, "images": 2}} == ledger["models"]
    assert {"(none)": 2, credential_digest("sk-up"): 1} == ledger["credentials"]


async def test_bodies_can_be_compared_byte_for_byte(client: Any) -> None:
    """Length and SHA-256 of exactly what was sent, odd spacing and all."""
    body = b'{ "prompt" :"a  cat",\n\t"size":"64x64" }'

    await client.send("POST", "/v1/images/generations", data=body, headers={"Content-Type": "application/json"})

    seen = (await client.ledger())["recent"][0]
    assert (len(body), hashlib.sha256(body).hexdigest()) == (seen["body_bytes"], seen["body_sha256"])


async def test_a_compressed_body_is_seen_as_sent(client: Any) -> None:
    """Nothing is decoded before the digest is taken; what cannot be read then is an ordinary 400."""
    body = gzip.compress(b'{"prompt":"a cat"}', mtime=0)

    reply = await client.send("POST", "/v1/images/generations", data=body, headers={"Content-Encoding": "gzip"})

    assert 400 == reply.status
    assert hashlib.sha256(body).hexdigest() == (await client.ledger())["recent"][0]["body_sha256"]


async def test_a_large_body_is_hashed_as_well(client: Any) -> None:
    """Above the size that is hashed in place, by the same rule."""
    body = b'{"prompt":"a cat","size":"64x64","user":"' + b"x" * 3_000_000 + b'"}'

    reply = await client.send("POST", "/v1/images/generations", data=io.BytesIO(body))

    assert 200 == reply.status
    assert hashlib.sha256(body).hexdigest() == (await client.ledger())["recent"][0]["body_sha256"]


async def test_a_large_answer_arrives_whole(client: Any) -> None:
    """Several megabytes in one body, without a warning from the server."""
    words = " ".join(f"word{number}" for number in range(200))

    reply = await client.generate(n=10, size="1024x1536", prompt=words)

    assert (10, True) == (len(reply.json["data"]), len(reply.body) > 4_000_000)


async def test_headers_are_seen_as_they_arrived(client: Any) -> None:
    """Names in their order and spelling, and whether a team's key was among the values."""
    await client.generate()
    await client.send("GET", "/v1/models", headers={"X-Odd-Name": "gk_leaked"})

    first, second = (await client.ledger())["recent"]
    assert (False, True) == (first["team_key_seen"], second["team_key_seen"])
    assert "X-Odd-Name" in second["header_names"]


async def test_the_record_can_be_reset(client: Any) -> None:
    """DELETE forgets."""
    await client.generate()

    assert 204 == (await client.send("DELETE", "/sandbox/ledger")).status
    assert (0, []) == ((await client.ledger())["requests"], (await client.ledger())["recent"])


async def test_a_file_can_be_fetched_and_decodes(client: Any, pixels: Callable[[bytes], Any]) -> None:
    """The URL in an answer leads to a picture of the stated pixels and type."""
    output = (await client.native(size="320x200")).json["outputs"][0]

    picture = await client.send("GET", output["url"].removeprefix(client.url))

    assert ("PNG", (320, 200)) == pixels(picture.body)
    assert output["content_type"] == picture.headers["Content-Type"]
    assert 1 == (await client.ledger())["files_served"]


async def test_forgotten_files_are_404(start: Any, client_of: Any) -> None:
    """Only so many stay fetchable, and the answer says so."""
    client = client_of(await start(files=2))
    urls = [(await client.native(prompt=f"cat {n}")).json["outputs"][0]["url"] for n in range(3)]

    replies = [await client.send("GET", url.removeprefix(client.url)) for url in urls]

    assert [404, 200, 200] == [reply.status for reply in replies]
    assert b"remembers the last 2 files" in replies[0].body


async def test_public_url_is_used_in_answers(start: Any, client_of: Any) -> None:
    """Where clients reach the sandbox by another name than the gateway does."""
    client = client_of(await start(public_url="http://pictures.example/"))

    output = (await client.native()).json["outputs"][0]

    assert output["url"].startswith("http://pictures.example/files/")


async def test_rates_strike_generations_only(start: Any, client_of: Any) -> None:
    """With everything failing, the list of models still answers."""
    client = client_of(await start(fail_rate=1.0, fail_status=503))

    assert (503, 200) == ((await client.generate()).status, (await client.send("GET", "/v1/models")).status)
    assert 200 == (await client.generate("none")).status


async def test_the_same_seed_fails_the_same_requests(start: Any, client_of: Any) -> None:
    """Two runs, one story."""
    runs = []
    for _ in range(2):
        client = client_of(await start(fail_rate=0.5, seed=3))
        runs.append([(await client.generate()).status for _ in range(12)])

    assert runs[0] == runs[1]
    assert {200, 500} == set(runs[0])


async def test_a_body_over_the_limit_is_413(start: Any, client_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the dialect's own shape, by the sandbox's own limit."""
    monkeypatch.setattr("gatekeeper.sandbox.app.BODY_BYTES_MAX", 1_000)
    client = client_of(await start())

    reply = await client.send("POST", "/v1/images/generations", data=b"x" * 1_001)

    assert (413, "too_large") == (reply.status, reply.json["error"]["code"])
    assert 64 * 1024 * 1024 == limits.BODY_BYTES_MAX


def _request(body: bytes, length: int | None = None) -> bytes:
    head = f"POST /v1/images/generations HTTP/1.1\r\nHost: x\r\nContent-Length: {length or len(body)}\r\n\r\n"
    return head.encode() + body


@pytest.mark.parametrize(
    ("request_bytes", "read_bytes"),
    [
        (_request(b"{", length=100), 0),
        (_request(b'{"prompt": "a cat"}'), 0),
        (_request(b'{"prompt": "a cat", "stream": true, "partial_images": 3, "n": 4}'), 100),
        (_request(b'{"prompt": "a cat [sandbox: slow_body=0.3]"}'), 100),
    ],
    ids=["in mid-request", "before the answer", "in mid-stream", "in mid-body"],
)
async def test_a_client_that_leaves_harms_nobody(
    client: Any, request_bytes: bytes, read_bytes: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Whenever it goes: no error is logged, no task stays, the next request is served."""
    host, port = client.url.removeprefix("http://").split(":")
    await client.ledger()
    before = len(asyncio.all_tasks())
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request_bytes)
    await reader.readexactly(read_bytes)
    await client.until_requests(1)
    writer.transport.abort()

    for _ in range(500):
        if len(asyncio.all_tasks()) <= before:
            break
        await asyncio.sleep(0.01)

    assert (before, []) == (len(asyncio.all_tasks()), caplog.messages)
    assert 200 == (await client.native()).status


async def test_a_burst_is_served_completely(client: Any) -> None:
    """Sixty at once, each answered, each counted."""
    replies = await asyncio.gather(*(client.generate(prompt=f"cat {n % 5}") for n in range(60)))

    assert {200} == {reply.status for reply in replies}
    assert 60 == (await client.ledger())["generations"]


async def test_drawing_does_not_hold_up_other_requests(client: Any) -> None:
    """While a large picture is drawn, a small question is answered."""
    large = asyncio.create_task(client.generate(size="4096x4096"))

    await client.until_requests(1)
    models = await client.send("GET", "/v1/models")

    assert (200, False) == (models.status, large.done())
    assert 200 == (await large).status


async def test_an_address_in_use_is_an_error(start: Any) -> None:
    """Binding fails loudly and leaves nothing open."""
    port = int((await start()).url.rpartition(":")[2])

    with pytest.raises(OSError, match="address already in use"):
        await start_sandbox(SandboxSettings(), "127.0.0.1", port)


async def test_after_closing_nobody_listens(start: Any, session: aiohttp.ClientSession) -> None:
    """`close` frees the port."""
    sandbox = await start()

    await sandbox.close()

    with pytest.raises(aiohttp.ClientConnectorError):
        await session.get(sandbox.url)
