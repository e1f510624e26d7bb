"""The ledger's client: how a store's address is read, and the two lanes that calls take to it.

Money moves on one lane, in order; long reads (journal, verify, sweeps over teams) take the other, so that they
never stand in front of a hold. Retries are `batch.Lane`'s alone: the library's own would run a command again
behind our back, up to ten times.
"""

from typing import Any, Final, cast
from urllib.parse import urlsplit

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from gatekeeper.ledger.batch import Lane, Patience, Reply
from gatekeeper.ledger.errors import StoreRefused
from gatekeeper.ledger.lua import Script

SOCKET_TIMEOUT_S: Final = 2.0
"""How long one pipeline may take: far above a slow fsync, and two of them fit into a call's budget."""
CONNECT_TIMEOUT_S: Final = 2.0
CONNECTIONS_MAX: Final = 8
"""Two lanes use one connection each; the rest is for checks and for sockets that are just being replaced."""
CLOSE_TIMEOUT_S: Final = 5.0

_SCHEMES: Final = ("redis", "rediss", "unix")


def connect(url: str) -> Redis:
    """A Redis client for redis://, rediss:// or unix://, with our own timeouts and no retries. Does not connect yet.

    Raises StoreRefused with what to write instead.
    """
    scheme = urlsplit(url).scheme
    if scheme in {"redis+sentinel", "redis+cluster"}:
        raise StoreRefused(f"{scheme}:// is not served by this version; give the master as redis:// or rediss://")
    if scheme not in _SCHEMES:
        raise StoreRefused(f"store scheme {scheme!r}: use redis://, rediss://, unix:// or 'embedded'")
    try:
        options: dict[str, Any] = dict(parse_url(url))
    except ValueError as error:
        raise StoreRefused(f"store address cannot be read: {error}") from error
    options |= {
        "retry": Retry(NoBackoff(), 0),
        "retry_on_error": [],
        "retry_on_timeout": False,
        "socket_timeout": SOCKET_TIMEOUT_S,
        "socket_connect_timeout": CONNECT_TIMEOUT_S,
        "protocol": 2,
        "decode_responses": True,
        "encoding_errors": "replace",
        "max_connections": CONNECTIONS_MAX,
    }
    return Redis.from_pool(ConnectionPool(**options))


class StoreClient:
    """Runs scripts and commands on one store. Everything sent here has to be safe to run twice."""

    def __init__(self, redis: Redis, patience: Patience | None = None) -> None:
        # Replies are taken as the server sends them, the same in every version of the library.
        redis.response_callbacks.clear()
        self._redis = redis
        self.money = Lane(redis, patience or Patience())
        self.bulk = Lane(redis, patience or Patience())

    async def run(self, script: Script, keys: list[str], args: list[str | int], *, bulk: bool = False) -> list[Reply]:
        """The reply of a script. Raises LedgerUnavailable or LedgerBroken."""
        lane = self.bulk if bulk else self.money
        reply = await lane.call(("EVALSHA", script.sha, len(keys), *keys, *args), load=script.text)
        return cast("list[Reply]", reply)

    async def command(self, *args: str | int, bulk: bool = False) -> Reply:
        """The reply of a plain command that may run twice. Raises LedgerUnavailable or LedgerBroken."""
        return await (self.bulk if bulk else self.money).call(args)

    async def close(self) -> None:
        """Let what is in flight be answered (bounded), then close the connections."""
        await self.money.close(CLOSE_TIMEOUT_S)
        await self.bulk.close(CLOSE_TIMEOUT_S)
        await self._redis.aclose()
