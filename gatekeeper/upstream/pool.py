"""Kept connections, a bounded number for each place. Whoever finds none free waits in line.

Knows nothing of time limits on waiting: whoever asks brings their own, and cancels.
"""

import asyncio
import contextlib
import ssl
from collections import deque
from math import inf

from gatekeeper.upstream.connection import Connection
from gatekeeper.upstream.dialing import DialError, Dialing
from gatekeeper.upstream.failure import Reason
from gatekeeper.upstream.limits import Limits
from gatekeeper.upstream.target import Place, place


class Origin:
    """The connections to one place. The one used last is used next: those that nobody needs grow old."""

    __slots__ = ("_pool", "authority", "count", "idle", "place", "waiting", "watch")

    def __init__(self, pool: "Pool", authority: str) -> None:
        """Raises ValueError for an authority that leads nowhere."""
        self._pool = pool
        self.watch = pool.limits.watch
        self.authority = authority
        self.place: Place = place(authority)
        self.count = 0
        # A dict for its order and for taking one out of the middle.
        self.idle: dict[Connection, None] = {}
        self.waiting: deque[asyncio.Future[Connection | None]] = deque()

    def take(self, now_s: float) -> Connection | None:
        """A kept connection, if there is one."""
        while self.idle:
            connection, _ = self.idle.popitem()
            transport = connection.transport
            # `usable`, which every request asks for.
            if connection.limit_at > now_s and transport is not None and not transport.is_closing():
                connection.limit_at = inf
                return connection
            connection.abort()
        return None

    def release(self, connection: Connection) -> None:
        """Called by a connection that is free."""
        if self._pool.closed:
            connection.abort()
        elif not self.waiting or not self.hand_on(connection):
            self.idle[connection] = None
            limit_at = connection.limit_at = self._pool.kept_until()
            if limit_at < self._pool.limits.nearest_at:
                self.watch(limit_at)

    def forget(self, connection: Connection) -> None:
        """Called by a connection that is closed or was never opened; may be repeated."""
        if connection not in self._pool.limits.members:
            return
        self._pool.limits.members.discard(connection)
        self.count -= 1
        self.idle.pop(connection, None)
        if not self.hand_on(None) and self.count == 0:
            self._pool.origins.pop(self.authority, None)

    def hand_on(self, connection: Connection | None) -> bool:
        """Gives it to the first who waits; None tells them that there is room for another."""
        while self.waiting:
            waiter = self.waiting.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return True
        return False


class Pool:
    """All connections of one client, in one event loop."""

    def __init__(self, per_origin_max: int, keepalive_s: float, tls: ssl.SSLContext | None) -> None:
        self.loop = asyncio.get_running_loop()
        self._per_origin_max = per_origin_max
        self._keepalive_s = keepalive_s
        self._dialing = Dialing(self.loop, tls)
        self.limits: Limits[Connection] = Limits(self.loop)
        self.origins: dict[str, Origin] = {}
        self.closed = False

    def origin(self, authority: str) -> Origin:
        """The connections to this place. Raises ValueError for an authority that leads nowhere."""
        return self.origins.get(authority) or Origin(self, authority)

    def kept_until(self) -> float:
        """Until when a connection that becomes free now is kept."""
        return self.loop.time() + self._keepalive_s

    async def connect(self, origin: Origin) -> Connection:
        """A connection that is free, or a new one, or the next that becomes free. First come, first served.

        Raises `DialError` for one that cannot be made; waits as long as it takes.
        """
        called = False
        while not self.closed:
            # While nobody had a connection to it, another may have taken its place.
            origin = self.origins.setdefault(origin.authority, origin)
            connection = origin.take(self.loop.time())
            if connection is not None:
                if called:
                    # It was called because there is room, and did not need it.
                    origin.hand_on(None)
                return connection
            if origin.count < self._per_origin_max and (called or not origin.waiting):
                return await self._opened(origin)
            connection = await self._next_free(origin)
            if connection is not None and connection.usable:
                return connection
            called = True
        raise DialError(Reason.CLOSED, "the client was closed")

    async def _opened(self, origin: Origin) -> Connection:
        connection = Connection(origin)
        self.limits.members.add(connection)
        origin.count += 1
        try:
            await self._dialing.dial(connection, origin.place)
        except BaseException:
            origin.forget(connection)
            raise
        if self.closed:
            connection.abort()
            raise DialError(Reason.CLOSED, "the client was closed")
        return connection

    async def _next_free(self, origin: Origin) -> Connection | None:
        waiter: asyncio.Future[Connection | None] = self.loop.create_future()
        origin.waiting.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._give_back(origin, waiter.result())
            else:
                with contextlib.suppress(ValueError):
                    origin.waiting.remove(waiter)
            raise

    def _give_back(self, origin: Origin, connection: Connection | None) -> None:
        if connection is None or not connection.usable:
            origin.hand_on(None)
        else:
            origin.release(connection)

    def close(self) -> None:
        """Closes every connection, those in use too, and ends every wait for one."""
        self.closed = True
        for origin in tuple(self.origins.values()):
            while origin.hand_on(None):
                pass
        for connection in tuple(self.limits.members):
            connection.fail(Reason.CUT, "the client was closed")
        self.limits.stop()
