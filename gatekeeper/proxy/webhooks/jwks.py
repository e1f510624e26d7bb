"""The keys with which a provider signs its events, fetched from where it publishes them and remembered for a while."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import aiohttp
import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gatekeeper.clock import Clock
from gatekeeper.proxy.webhooks.signatures import read_jwks

FAL_JWKS_URL: Final = "https://rest.alpha.fal.ai/.well-known/jwks.json"
"""Where fal publishes its keys."""

KEPT_S: Final = 12 * 3600
"""fal asks that nobody keeps them for more than a day."""

AGAIN_S: Final = 60
"""An event that no key fits may be signed with a new one; they are asked for anew at most so often."""

FAILED_AGAIN_S: Final = 2
"""Keys that could not be had are asked for again so much later: events that wait for them are told so at once."""

DOCUMENT_BYTES_MAX: Final = 64 * 1024
"""A key takes 200 bytes."""

TIMEOUT_S: Final = 10
"""An event waits for it, and its sender waits 15 s."""

Keys = tuple[Ed25519PublicKey, ...]
Fetch = Callable[[str], Awaitable[Keys]]


class KeysUnavailable(Exception):
    """The keys cannot be had just now."""


async def fetch_keys(url: str) -> Keys:
    """The keys behind an address of the configuration's. Raises KeysUnavailable."""
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)) as session,
            session.get(url, allow_redirects=False) as response,
        ):
            if response.status != 200:
                raise KeysUnavailable(f"status {response.status}")
            text = await response.content.read(DOCUMENT_BYTES_MAX)
            while len(text) < DOCUMENT_BYTES_MAX and (more := await response.content.read(DOCUMENT_BYTES_MAX)):
                text += more
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise KeysUnavailable(type(error).__name__) from None
    try:
        keys = read_jwks(orjson.loads(text))
    except orjson.JSONDecodeError:
        keys = ()
    if not keys:
        raise KeysUnavailable("no keys")
    return keys


class KeyRing:
    """The keys of one provider."""

    def __init__(self, url: str, clock: Clock, fetch: Fetch = fetch_keys) -> None:
        self._url = url
        self._clock = clock
        self._fetch = fetch
        self._keys: Keys = ()
        self._asked_s = 0.0
        self._not_before_s = 0.0
        self._asking = asyncio.Lock()

    async def keys(self, *, newer: bool = False) -> Keys:
        """The keys; with `newer`, ones fetched just now, unless that was done a moment ago. Raises KeysUnavailable."""
        async with self._asking:
            age_s = self._clock.monotonic_s() - self._asked_s
            if not self._keys or age_s > (AGAIN_S if newer else KEPT_S):
                await self._ask()
            return self._keys

    async def _ask(self) -> None:
        if self._clock.monotonic_s() < self._not_before_s:
            raise KeysUnavailable("they could not be had a moment ago")
        try:
            self._keys = await self._fetch(self._url)
        except KeysUnavailable:
            self._not_before_s = self._clock.monotonic_s() + FAILED_AGAIN_S
            raise
        self._asked_s = self._clock.monotonic_s()
