"""The master that sentinels name: asked for anew whenever a connection is made, so that a fail-over is followed.

A server that says it is no master gets no call, whatever a sentinel believes.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final

from redis.asyncio.connection import Connection
from redis.asyncio.sentinel import Sentinel as Asker
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import RedisError, ResponseError

from gatekeeper.ledger.address import SENTINEL_EXAMPLE, Address
from gatekeeper.ledger.errors import StoreRefused
from gatekeeper.ledger.node import where

LOOK_EVERY_S: Final = 1.0
"""How often the sentinels are asked again while all goes well: after a fail-over that an operator ordered, the old
master goes on as one for ten seconds, and what it takes then is lost."""
ASK_TIMEOUT_S: Final = 0.5
"""How long a sentinel may take to answer: the next one is asked meanwhile by nobody."""

_NOT_FOR_SENTINELS: Final = frozenset({"max_connections", "connection_class", "retry_on_timeout"})


class MasterSource:
    """Connections to whoever is master now."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._options: dict[str, Any] = {k: v for k, v in address.options.items() if k != "max_connections"}
        self._make = self._options.pop("connection_class", Connection)
        asking = {k: v for k, v in address.asking.items() if k not in _NOT_FOR_SENTINELS}
        asking |= {"socket_timeout": ASK_TIMEOUT_S, "socket_connect_timeout": ASK_TIMEOUT_S}
        if "connection_class" in address.asking:
            asking["ssl"] = True
        self._asker: Any = Asker(address.seeds, sentinel_kwargs=asking)  # type: ignore[no-untyped-call]
        self._idle: list[Any] = []
        self._generation = 0
        self._master: tuple[str, int] | None = None
        self._looked_at_s = 0.0
        self._looking: asyncio.Task[None] | None = None
        self._greet: Callable[[Any], Coroutine[Any, Any, None]] | None = None

    def on_connect(self, greet: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
        """Call this with each new connection."""
        self._greet = greet

    def keeps(self, connection: Any) -> bool:
        """Whether nobody doubts that this is to the master."""
        self._look_again()
        return bool(connection.generation == self._generation)

    async def get_connection(self) -> Any:
        """An open connection to the master. Raises the library's errors; then nothing was sent."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_connected and not await _has_input(connection):
                return connection
            await connection.disconnect(nowait=True)
        host, port = self._master = await self._find()
        connection = self._make(host=host, port=port, redis_connect_func=self._greet, **self._options)
        connection.generation = self._generation
        try:
            await connection.connect()
        except BaseException:
            # Who gives up in the middle of the greeting leaves it open, and nobody else knows of it.
            await connection.disconnect(nowait=True)
            raise
        return connection

    async def release(self, connection: Any) -> None:
        """Keep it for the next pipeline, unless it broke or its server is doubted."""
        if connection.is_connected and connection.generation == self._generation:
            self._idle.append(connection)
        else:
            await connection.disconnect(nowait=True)

    def _look_again(self) -> None:
        """Once in a while, and in nobody's way: is the master still the same?"""
        loop = asyncio.get_running_loop()
        if self._master is not None and loop.time() - self._looked_at_s > LOOK_EVERY_S and self._looking is None:
            self._looked_at_s = loop.time()
            self._looking = loop.create_task(self._look())

    async def _look(self) -> None:
        try:
            # Sentinels that do not answer are no reason to leave a master that does. RuntimeError: as in `batch.Lane`.
            with suppress(RedisError, OSError, RuntimeError):
                if await self._find() != self._master:
                    await self.recover()
        finally:
            self._looking = None

    async def recover(self) -> None:
        """Doubt every connection there is: each is made anew, to whoever is master then."""
        self._generation += 1
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.disconnect(nowait=True)

    async def check(self) -> None:
        """Raise StoreRefused if whoever answers is no sentinel or knows no such master."""
        for sentinel in self._asker.sentinels:
            try:
                known = await sentinel.sentinel_masters()
            except ResponseError as error:
                raise StoreRefused(
                    f"a sentinel of the address does not answer as one ({error}): the address names sentinels, not "
                    f"stores: write {SENTINEL_EXAMPLE}"
                ) from error
            except (RedisError, OSError):
                continue
            if self._address.master not in known:
                names = ", ".join(sorted(known)) or "none"
                raise StoreRefused(
                    f"the sentinels know no master {self._address.master!r}, but {names}: write {SENTINEL_EXAMPLE}"
                )
            return

    async def close(self) -> None:
        """Close all connections."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})
        await self.recover()
        for sentinel in self._asker.sentinels:
            await sentinel.aclose()

    async def _find(self) -> tuple[str, int]:
        try:
            host, port = await self._asker.discover_master(self._address.master)
        except ResponseError as error:
            raise NoConnection(f"the sentinels do not tell the master: {error}") from error
        return str(host), int(port)

    def __str__(self) -> str:
        return f"{self._address.master} at {', '.join(map(where, self._address.seeds))}"


async def _has_input(connection: Any) -> bool:
    """Whether there is something to read on a connection that owes nothing: then it is broken or closed."""
    try:
        return bool(await connection.can_read())
    except (RedisError, OSError):
        return True
