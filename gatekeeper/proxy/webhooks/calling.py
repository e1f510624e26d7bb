"""One call of a caller's webhook: posts an event, and says in a word how that went.

No redirect is followed, no more of the answer is read than its head, and no address is called that `addresses` holds
back, whatever its name has come to mean since the request.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

import aiohttp
import yarl
from aiohttp.abc import AbstractResolver
from aiohttp.resolver import ThreadedResolver

from gatekeeper.proxy.webhooks.addresses import Allowed, GuardedResolver, NotCallable, check_url

USER_AGENT: Final = "gatekeeper"

GONE: Final = 410
"""The receiver's word for "never again", as Standard Webhooks has it."""


@dataclass(frozen=True, slots=True)
class Called:
    """How a call went. `status` 0: there was no answer, and `reason` says why."""

    status: int
    reason: str = ""

    @property
    def taken(self) -> bool:
        return 200 <= self.status < 300


class Caller:
    """Calls webhooks. Open it in the event loop that uses it."""

    def __init__(self, allowed: Allowed, timeout_s: float, resolver: AbstractResolver | None = None) -> None:
        self._allowed = allowed
        self._timeout_s = timeout_s
        self._resolver = resolver
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        resolver = GuardedResolver(self._resolver or ThreadedResolver(), self._allowed)
        connector = aiohttp.TCPConnector(
            resolver=resolver,
            use_dns_cache=False,  # a name is looked up, and looked at, for every connection
            force_close=True,
            limit=0,  # how many at once is for whoever calls to say
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=self._timeout_s),
            trust_env=False,
            auto_decompress=False,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def call(self, url: str, headers: Mapping[str, str], body: bytes) -> Called:
        """Posts the event once. Never raises for what the other side, or the way there, does."""
        try:
            check_url(url, self._allowed)
            return await self._post(url, headers, body)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            return Called(0, next((word for kind, word in _WORDS if isinstance(error, kind)), type(error).__name__))

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> Called:
        if self._session is None:
            return Called(0, "closed")
        address = yarl.URL(url, encoded=True)
        sent = {**headers, "User-Agent": USER_AGENT}
        async with self._session.post(address, data=io.BytesIO(body), headers=sent, allow_redirects=False) as response:
            # The answer's body is left unread: nothing in it matters, and it may have no end.
            response.close()
            return Called(response.status)


_WORDS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (NotCallable, "address not allowed"),
    (TimeoutError, "timeout"),
    (aiohttp.ClientConnectorDNSError, "name leads nowhere that may be called"),
    (aiohttp.ClientConnectorCertificateError, "certificate refused"),
)
