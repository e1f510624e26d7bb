"""Both ports by TLS, without anything in front of the gateway."""

import asyncio
import json
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from gatekeeper.health import ALIVE, ask
from tests.certificates import Authority, Pair
from tests.system.conftest import StartWorld
from tests.system.provider import Provider
from tests.system.world import World


@pytest.fixture(name="authority")
def _authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def files(data: Pair, admin: Pair | None = None) -> dict[str, Any]:
    """The settings that name them."""
    found = {"tls_certificate": str(data.certificate), "tls_key": str(data.key)}
    if admin is not None:
        found |= {"admin_tls_certificate": str(admin.certificate), "admin_tls_key": str(admin.key)}
    return found


def trusting(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority.root)


def address(url: str) -> tuple[str, int]:
    host, _, port = url.rpartition("/")[2].partition(":")
    return host, int(port)


async def serial(url: str, authority: Authority) -> int:
    """That of the certificate which a new connection is shown."""

    def shown() -> str:
        raw = socket.create_connection(address(url))
        with trusting(authority).wrap_socket(raw, server_hostname="127.0.0.1") as connection:
            found = connection.getpeercert()
        assert found is not None
        return str(found["serialNumber"])

    return int(await asyncio.to_thread(shown), 16)


async def test_a_generation_by_tls(start_world: StartWorld, authority: Authority) -> None:
    """It is made, charged and answered as ever; the admin port has a certificate of its own."""
    world = await start_world(**files(authority.sign(), authority.sign("admin")))
    key, tls = await world.key(), trusting(authority)

    sent = {"model": "nano-banana-2", "prompt": "a cat", "resolution": "1K", "aspect_ratio": "1:1"}
    answer = await world.send("POST", "/v1/generations", key, json=sent, ssl=tls)

    assert world.url.startswith("https://")
    assert (200, "49") == (answer.status, answer.headers["Gatekeeper-Credits-Charged"])
    async with world.session.get(f"{world.gateway.admin_url}/readyz", ssl=tls) as ready:
        assert 200 == ready.status


async def test_who_speaks_no_tls_hears_nothing(start_world: StartWorld, authority: Authority) -> None:
    """A key sent in the clear is not answered, so that nobody goes on sending it; others are served meanwhile."""
    world = await start_world(**files(authority.sign()))
    reader, writer = await asyncio.open_connection(*address(world.url))
    writer.write(b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n")
    heard = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    answer = await world.send("GET", "/v1/models", await world.key(), ssl=trusting(authority))

    assert b"HTTP" not in heard
    assert 200 == answer.status


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_old_tls_is_refused(start_world: StartWorld, authority: Authority) -> None:
    """1.1 is not spoken, 1.2 is."""
    world = await start_world(**files(authority.sign()))

    def speak(newest: ssl.TLSVersion) -> str | None:
        context = trusting(authority)
        context.minimum_version, context.maximum_version = ssl.TLSVersion.MINIMUM_SUPPORTED, newest
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        raw = socket.create_connection(address(world.url))
        with context.wrap_socket(raw, server_hostname="127.0.0.1") as connection:
            return connection.version()

    with pytest.raises(ssl.SSLError):
        await asyncio.to_thread(speak, ssl.TLSVersion.TLSv1_1)

    assert "TLSv1.2" == await asyncio.to_thread(speak, ssl.TLSVersion.TLSv1_2)


async def test_a_renewed_certificate_is_shown_after_a_reload(start_world: StartWorld, authority: Authority) -> None:
    """To new connections; one that was there goes on, and is asked on again."""
    pair = authority.sign()
    world = await start_world(**files(pair, pair))
    key, url = await world.key(), address(world.url)
    reader, writer = await asyncio.open_connection(*url, ssl=trusting(authority), server_hostname="127.0.0.1")
    request = f"GET /v1/balance HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
    writer.write(request)
    first = await reader.readuntil(b"}\n")

    renewed = authority.sign()
    done = await world.gateway.reload()
    writer.write(request)
    second = await reader.readuntil(b"}\n")
    writer.close()
    shown = {await serial(world.url, authority), await serial(world.gateway.admin_url, authority)}

    assert done.ok
    assert [b"HTTP/1.1 200 OK"] * 2 == [answer.split(b"\r\n")[0] for answer in (first, second)]
    assert {renewed.serial} == shown
    assert renewed.serial != pair.serial


async def test_a_bad_renewal_is_told_and_the_old_one_goes_on(start_world: StartWorld, authority: Authority) -> None:
    """In the answer and the log, with the file's name."""
    pair = authority.sign()
    world = await start_world(**files(pair))
    pair.key.write_text("half of a")
    done = await world.gateway.reload()

    assert not done.ok
    assert "server.key holds no private key" in done.problems[0]
    assert list(done.problems) == (await world.event("catalog.reloaded"))["problems"]
    assert pair.serial == await serial(world.url, authority)


async def test_health_is_asked_by_tls(start_world: StartWorld, authority: Authority) -> None:
    """Of whoever has the certificate in the file, and of nobody else."""
    pair, other = authority.sign(), Authority(authority.root.parent / ".").sign("other")
    world = await start_world(**files(pair, pair))
    host, port = address(world.gateway.admin_url)

    well, _ = await asyncio.to_thread(ask, host, port, ALIVE, pair.certificate)
    fooled, says = await asyncio.to_thread(ask, host, port, ALIVE, other.certificate)

    assert (True, False) == (well, fooled)
    assert "certificate" in says


async def test_an_unfinished_handshake_takes_no_place_for_long(
    start_world: StartWorld, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who begins TLS and says no more is hung up on."""
    monkeypatch.setattr("gatekeeper.web.accepting.HANDSHAKE_S", 0.2)
    world: World = await start_world(**files(authority.sign()))
    reader, writer = await asyncio.open_connection(*address(world.url))
    writer.write(b"\x16\x03\x01")

    assert b"" == await asyncio.wait_for(reader.read(), 10)
    writer.close()


async def test_large_bodies_pass_by_tls_byte_for_byte(
    start_world: StartWorld, authority: Authority, provider: Provider
) -> None:
    """Many records of TLS, in both directions."""
    provider.document = {"created": 1, "data": [{"b64_json": "A" * 5_000_000}]}
    world = await start_world(provider_url=provider.url, **files(authority.sign()))
    body = json.dumps({"model": "gpt-image-1.5", "prompt": "a cat " * 100_000, "size": "1024x1024"}).encode()

    headers = {"Content-Type": "application/json"}
    path, key = "/openai/v1/images/generations", await world.key()
    answer = await world.send("POST", path, key, data=body, headers=headers, ssl=trusting(authority))

    assert [body] == provider.bodies
    assert provider.document == answer.json
    assert 35_000_000 == (await world.balance()).charged


async def test_the_cookie_of_a_console_by_tls_never_travels_without(
    start_world: StartWorld, authority: Authority
) -> None:
    """Without anything before it that says so."""
    pair = authority.sign()
    world = await start_world(**files(pair, pair))
    form = {"token": world.gateway.admin_token}
    url = f"{world.gateway.admin_url}/login"
    options: Any = {"data": form, "ssl": trusting(authority), "allow_redirects": False}
    async with world.session.post(url, headers={"Origin": world.gateway.admin_url}, **options) as answer:
        cookie = answer.headers["Set-Cookie"]

    assert {"Secure", "HttpOnly", "SameSite=Strict"} <= {part.strip() for part in cookie.split(";")}
