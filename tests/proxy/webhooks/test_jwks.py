"""Published keys: fetched once for many events, anew for keys that changed, and never at anybody's command."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gatekeeper.proxy.webhooks.jwks import (
    AGAIN_S,
    DOCUMENT_BYTES_MAX,
    FAILED_AGAIN_S,
    KEPT_S,
    KeyRing,
    KeysUnavailable,
    fetch_keys,
)

KEY = Ed25519PrivateKey.generate().public_key()
X = base64.urlsafe_b64encode(KEY.public_bytes_raw()).rstrip(b"=").decode()
DOCUMENT = {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": X}]}


class Source:
    """Gives keys, counts how often, and fails when it is told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.fails = False

    async def __call__(self, _url: str) -> Any:
        self.asked += 1
        if self.fails:
            raise KeysUnavailable("status 500")
        return (KEY,)


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def ring(clock: Any, source: Source) -> KeyRing:
    return KeyRing("https://keys.example/jwks.json", clock, source)


async def test_keys_are_remembered(ring: KeyRing, source: Source, clock: Any) -> None:
    """For half a day, and then asked for again."""
    await ring.keys()
    clock.seconds += KEPT_S - 1
    await ring.keys()
    before = source.asked
    clock.seconds += 2
    await ring.keys()

    assert (1, 2) == (before, source.asked)


async def test_newer_keys_are_asked_for_at_most_once_a_minute(ring: KeyRing, source: Source, clock: Any) -> None:
    """A flood of forged events makes no flood of questions."""
    for _ in range(5):
        await ring.keys(newer=True)
    before = source.asked
    clock.seconds += AGAIN_S + 1
    await ring.keys(newer=True)

    assert (1, 2) == (before, source.asked)


async def test_without_keys_nothing_is_believed(ring: KeyRing, source: Source, clock: Any) -> None:
    """It is said that they cannot be had, until they can; and whoever comes meanwhile does not wait for that."""
    source.fails = True

    for _ in range(3):
        with pytest.raises(KeysUnavailable):
            await ring.keys()
    asked = source.asked
    source.fails = False
    clock.seconds += FAILED_AGAIN_S

    assert (1, (KEY,)) == (asked, await ring.keys())


@pytest.fixture
async def serve() -> AsyncIterator[Any]:
    """Serves one document; gives its address."""
    servers: list[TestServer] = []

    async def start(body: bytes, status: int = 200) -> str:
        async def answer(_request: web.Request) -> web.Response:
            return web.Response(body=body, status=status)

        application = web.Application()
        application.router.add_get("/", answer)
        servers.append(TestServer(application))
        await servers[-1].start_server()
        return str(servers[-1].make_url("/"))

    yield start
    for server in servers:
        await server.close()


async def test_keys_are_fetched_from_their_address(serve: Any) -> None:
    """As fal publishes them."""
    assert (KEY,) == await fetch_keys(await serve(web.json_response(DOCUMENT).body))


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 200), (b"{", 200), (b'{"keys":[]}', 200), (b"{}", 404), (b" " * (DOCUMENT_BYTES_MAX + 10) + b"{}", 200)],
)
async def test_an_answer_without_keys_is_no_answer(serve: Any, body: bytes, status: int) -> None:
    """Nor is one that is far too large."""
    with pytest.raises(KeysUnavailable):
        await fetch_keys(await serve(body, status))


async def test_nobody_there_has_no_keys() -> None:
    """Not an error that anybody would not expect."""
    with pytest.raises(KeysUnavailable):
        await fetch_keys("http://127.0.0.1:1/")
