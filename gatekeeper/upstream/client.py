"""The client that talks to providers: our own, thin and strict, over the event loop's connections.

Bytes pass unchanged both ways: nothing is unpacked, no redirect is followed, no cookie is kept, no header is added
but Host and Content-Length, no proxy of the environment is asked. Nothing is ever sent twice, GET included: a caller
may repeat a poll itself. A kept connection that turns out dead before its first byte is replaced: then certainly
nothing was written.
"""

import asyncio
import ssl
from typing import Self

from gatekeeper.core.pieces import PIECE_BYTES, release, size_of
from gatekeeper.upstream.answer import Answer
from gatekeeper.upstream.connection import Connection
from gatekeeper.upstream.dialing import DialError
from gatekeeper.upstream.failure import NeverSent, Reason
from gatekeeper.upstream.messages import Delivery, UpstreamAnswer, UpstreamRequest
from gatekeeper.upstream.pool import Origin, Pool
from gatekeeper.upstream.target import head, split

# Generations take minutes, so many are in flight; past this a request waits for `connect_s` and then is refused.
CONNECTIONS_PER_HOST = 1000
# Shorter than the 5 s after which common servers drop an idle connection: a POST that meets the drop has no known fate.
KEEPALIVE_S = 4.0
# Connections may have died or been spoken on unasked; after this many in a row something else is wrong.
CONNECTION_TRIES_MAX = 3


class Upstream:
    """Sends requests to providers over kept connections. Open it in the event loop that uses it."""

    def __init__(
        self,
        *,
        connections_per_host: int = CONNECTIONS_PER_HOST,
        keepalive_s: float = KEEPALIVE_S,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`tls` brings own authorities (None: the system's; verification is always on)."""
        self._connections_per_host = connections_per_host
        self._keepalive_s = keepalive_s
        self._tls = tls
        self._pool: Pool | None = None

    async def open(self) -> None:
        """Gets ready to send. Opens no connection yet."""
        self._pool = Pool(self._connections_per_host, self._keepalive_s, self._tls)

    async def aclose(self) -> None:
        """Closes every connection, those in use too."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()
            # What was closed is told so in the loop's next turn.
            await asyncio.sleep(0)

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
        pool, limits, method, body = self._pool, request.timeouts, request.method, request.body
        if pool is None:
            raise NeverSent(Reason.CLOSED, "the client is not open")
        loop, unsendable = pool.loop, ""  # to ask which one runs is a system call
        try:
            authority, target = split(request.url)
            origin = pool.origins.get(authority) or pool.origin(authority)
            size = size_of(body)
            written = head(method, target, origin.place.host_line, request.headers, size, request.lines)
            if size <= PIECE_BYTES:
                written, body = b"".join((written, *body)), ()
        except (ValueError, OSError) as exc:
            unsendable = str(exc) if type(exc) is ValueError else type(exc).__name__
        if unsendable:
            # Raised out here so that nothing foreign hangs on it, which might quote the whole address.
            raise NeverSent(Reason.UNSENDABLE, unsendable)
        answer = Answer(loop, delivery or Delivery(), limits)
        now = loop.time()
        connection = origin.take(now)
        if connection is None:
            connection = await self._connect(pool, origin, answer, now + limits.connect_s)
        connection.begin(answer, written, body, no_body=method == "HEAD")
        if not body and type(request.body) is not list:
            release(request.body)
        request.headers, request.lines, request.body, written, body = (), (), (), b"", ()
        # What is on its way need not wait for its answer here.
        del request, written, body
        if answer.broken is None:
            try:
                await answer.news(min(answer.total_at, loop.time() + limits.head_s))
            except asyncio.CancelledError:
                answer.abort()
                raise
        if answer.broken is not None and not answer.status:
            raise answer.broken
        return answer

    async def _connect(self, pool: Pool, origin: Origin, answer: Answer, connect_at: float) -> Connection:
        """A live connection, by `connect_at`. Raises NeverSent."""
        limit = asyncio.timeout_at(min(connect_at, answer.total_at))
        reason, detail = Reason.DISCONNECTED, "the connection was spoiled before the first byte"
        try:
            async with limit:
                for _ in range(CONNECTION_TRIES_MAX):
                    connection = await pool.connect(origin)
                    if connection.usable:
                        return connection
        except TimeoutError:
            reason = Reason.CONNECT_TIMEOUT if connect_at <= answer.total_at else Reason.TOTAL_TIMEOUT
            detail = ""
        except DialError as exc:
            reason, detail = exc.reason, exc.detail
        raise NeverSent(reason, detail)
