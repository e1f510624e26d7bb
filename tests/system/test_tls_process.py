"""TLS as it is run for real: in a process of its own, on the event loop that it has there."""

import asyncio
import signal
import socket
import ssl
from contextlib import suppress
from pathlib import Path

import aiohttp

from tests.certificates import Authority
from tests.system.process import gatekeeper, write_config
from tests.system.provider import Provider
from tests.system.test_tls_ports import address, serial, trusting
from tests.system.workering import ENVIRONMENT, KEY, run_to_its_end

BODY = {"model": "gpt-image-1.5", "size": "1024x1024"}


async def test_a_process_by_tls(tmp_path: Path, provider: Provider) -> None:
    """Large bodies both ways, callers of every bad kind, and a renewal by SIGHUP under a connection that goes on."""
    provider.document = {"created": 1, "data": [{"b64_json": "A" * 5_000_000}]}
    authority = Authority(tmp_path)
    pair, tls = authority.sign(), trusting(authority)
    server = {"tls_certificate": str(pair.certificate), "tls_key": str(pair.key)}
    limits = {"client_write_timeout_s": 2, "head_timeout_s": 15}
    config = write_config(tmp_path, provider.url, **server, **limits)
    connector = aiohttp.TCPConnector(ssl=tls, limit=1)
    async with (
        gatekeeper("serve", "--config", str(config), cwd=tmp_path, **ENVIRONMENT) as process,
        aiohttp.ClientSession(connector=connector, headers=KEY) as session,
    ):
        url = (await process.event("server.started"))["url"]

        async def generate() -> tuple[int, bool]:
            body = BODY | {"prompt": "a cat " * 100_000}
            async with session.post(f"{url}/openai/v1/images/generations", json=body) as answer:
                return answer.status, provider.document == await answer.json()

        first = await generate()
        heard = await asyncio.to_thread(_misbehave, address(url), tls)
        renewed = authority.sign()
        process.signal(signal.SIGHUP)
        told = await process.event("catalog.reloaded")
        second = await generate()
        shown = await serial(url, authority)
        process.signal(signal.SIGTERM)
        code = await process.ended()

    assert [(200, True)] * 2 == [first, second]
    assert [False, False] == heard
    assert (True, renewed.serial, 0) == (told["ok"], shown, code)
    assert [] == [line for line in process.lines if '"event":"error"' in line or "Traceback" in line]


def _misbehave(where: tuple[str, int], tls: ssl.SSLContext) -> list[bool]:
    """Plain HTTP, half a handshake, and a caller who reads nothing: whether the first two heard anything of HTTP."""
    heard = []
    for data in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\xfc\x03\x03"):
        said = b""
        with socket.create_connection(where, timeout=15) as raw, suppress(ConnectionError):
            raw.sendall(data)
            raw.shutdown(socket.SHUT_WR)
            said = raw.recv(4096)
        heard.append(b"HTTP" in said)
    deaf = tls.wrap_socket(socket.create_connection(where), server_hostname="127.0.0.1")
    deaf.settimeout(20)
    with suppress(OSError):
        deaf.sendall(b"GET /v1/balance HTTP/1.1\r\nHost: x\r\n\r\n" * 20_000)
    deaf.close()
    return heard


async def test_a_bad_file_ends_the_start_with_its_name(tmp_path: Path) -> None:
    """And with what to do; nothing listens."""
    pair = Authority(tmp_path).sign()
    pair.key.write_text("half of a")
    server = {"tls_certificate": str(pair.certificate), "tls_key": str(pair.key)}
    config = write_config(tmp_path, "http://127.0.0.1:1", **server)

    code, said = await run_to_its_end(config, "serve")

    assert code != 0
    assert "server.tls_key" in said
    assert "holds no private key" in " ".join(said.split())
