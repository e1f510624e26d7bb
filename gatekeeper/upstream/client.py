"""The client that talks to providers: aiohttp's ClientSession behind our own small interface.

Bytes pass unchanged both ways: nothing is unpacked, no redirect is followed, no cookie is kept, no header is added
but Host and Content-Length. Nothing is ever sent twice, GET included: a caller may repeat a poll itself. A kept
connection that turns out dead before its first byte is replaced: then certainly nothing was written.

Time limits, cancelling and closing are our own because aiohttp's cannot tell "nothing was sent" from "no answer came",
and because its close waits for a peer that has stopped reading.
"""

import ssl
from typing import Self

import aiohttp
import yarl
from multidict import CIMultiDict

from gatekeeper.upstream.answer import Answer
from gatekeeper.upstream.connection import CONNECTION_TRIES_MAX, PIECE_BYTES, Body, Connector, Exchange
from gatekeeper.upstream.failure import NeverSent, Reason, UpstreamError
from gatekeeper.upstream.messages import Delivery, Headers, UpstreamAnswer, UpstreamRequest
from gatekeeper.upstream.translation import reason_and_detail

# Generations take minutes, so many are in flight; past this a request waits for `connect_s` and then is refused.
CONNECTIONS_PER_HOST = 1000
# Shorter than the 5 s after which common servers drop an idle connection: a POST that meets the drop has no known fate.
KEEPALIVE_S = 4.0
# Content-Security-Policy and the like grow past aiohttp's 8190 bytes.
HEADER_BYTES_MAX = 32 * 1024

# Whoever writes the bytes says where a message ends; `Expect` would make aiohttp send the head on its own.
_FRAMING = frozenset({"content-length", "transfer-encoding", "expect", "connection", "upgrade"})
_ADDED_BY_AIOHTTP = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


class Upstream:
    """Sends requests to providers over kept connections. Open it in the event loop that uses it."""

    def __init__(
        self,
        *,
        connections_per_host: int = CONNECTIONS_PER_HOST,
        keepalive_s: float = KEEPALIVE_S,
        tls: ssl.SSLContext | None = None,
        trust_env: bool = False,
    ) -> None:
        """`tls` brings own authorities (None: the system's; verification is always on). `trust_env` honours
        HTTP_PROXY and its kin, and with them `~/.netrc`.
        """
        self._connections_per_host = connections_per_host
        self._keepalive_s = keepalive_s
        self._tls = tls
        self._trust_env = trust_env
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Gets ready to send. Opens no connection yet."""
        connector = Connector(
            limit=0,
            limit_per_host=self._connections_per_host,
            keepalive_timeout=self._keepalive_s,
            ssl=self._tls or True,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_ADDED_BY_AIOHTTP,
            auto_decompress=False,
            trust_env=self._trust_env,
            read_bufsize=PIECE_BYTES,
            max_line_size=HEADER_BYTES_MAX,
            max_field_size=HEADER_BYTES_MAX,
        )

    async def aclose(self) -> None:
        """Closes every connection, those in use too."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def send(self, request: UpstreamRequest, delivery: Delivery | None = None) -> UpstreamAnswer:
        """Sends once and returns when the head of the answer is there, be it 2xx, 3xx, 4xx or 5xx.

        The caller must close the answer. A cancel closes the connection at once; `delivery` then still says whether
        anything may have been written. Raises NeverSent or OutcomeUnknown.
        """
        session = self._session
        if session is None:
            raise NeverSent(Reason.CLOSED, "the client is not open")
        exchange = Exchange.begin(delivery or Delivery(), request.timeouts)
        tries = 0
        while True:
            tries += 1
            outcome = await _attempt(session, request, exchange)
            if not isinstance(outcome, UpstreamError):
                return Answer(outcome, exchange, request.timeouts.idle_s)
            # A kept connection that died before its first byte: the next one may live, and nothing is sent twice.
            replaceable = not outcome.sent and outcome.reason is Reason.DISCONNECTED
            if not replaceable or tries == CONNECTION_TRIES_MAX:
                # Raised out here so that it does not hang on the foreign exception, which quotes the whole address.
                raise outcome


async def _attempt(
    session: aiohttp.ClientSession, request: UpstreamRequest, exchange: Exchange
) -> aiohttp.ClientResponse | UpstreamError:
    """One try on one connection, which is closed at once unless a response came of it."""
    response: aiohttp.ClientResponse | None = None
    try:
        async with exchange.limited():
            response = await _request(session, request, exchange)
            return response
    except UpstreamError as failure:
        return failure
    except aiohttp.ClientError as exc:
        return exchange.failure(*reason_and_detail(exc))
    except TimeoutError:
        return exchange.failure(exchange.expired_limit())
    except (OSError, ValueError) as exc:
        return exchange.failure(*reason_and_detail(exc))
    finally:
        if response is None:
            exchange.abort()


async def _request(
    session: aiohttp.ClientSession, request: UpstreamRequest, exchange: Exchange
) -> aiohttp.ClientResponse:
    response = await session.request(
        request.method,
        yarl.URL(request.url, encoded=True),
        headers=_multidict(request.headers),
        data=Body(request.body, exchange),
        allow_redirects=False,
        timeout=aiohttp.ClientTimeout(total=None, connect=request.timeouts.connect_s),
    )
    if response.status == 101:
        # We never ask for another protocol, and what follows has no end that we could see.
        response.close()
        raise exchange.failure(Reason.BAD_ANSWER, "the provider switches protocols unasked")
    return response


def _multidict(headers: Headers) -> CIMultiDict[str]:
    """Order and duplicates kept; of names that differ in case only (aiohttp would drop one) the first spelling wins."""
    spelling: dict[str, str] = {}
    result: CIMultiDict[str] = CIMultiDict()
    for name, value in headers:
        lower = name.lower()
        if lower not in _FRAMING:
            result.add(spelling.setdefault(lower, name), value)
    return result
