"""One server of a store as its callers see it: two lanes to it, and which run of the server answered last.

Money moves on one lane, in order; long reads (journal, verify, sweeps over teams) take the other, so that they never
stand in front of a hold.
"""

from collections.abc import Callable, Mapping
from typing import Any

from redis.asyncio import ConnectionPool, Redis
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import ResponseError

from gatekeeper.ledger.batch import Lane, Patience, Router
from gatekeeper.ledger.confirm import Confirm
from gatekeeper.ledger.slots import Place
from gatekeeper.ledger.wire import Source

Greet = Callable[[Any], Any]


class PoolSource:
    """Connections of a pool of the library's."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        # The pool's own methods: a layer in between would cost every pipeline.
        self.get_connection = redis.connection_pool.get_connection
        self.release = redis.connection_pool.release

    def keeps(self, connection: Any) -> bool:  # noqa: ARG002 - a source's own signature
        """There is one server: as long as it is open."""
        return True

    def on_connect(self, greet: Greet) -> None:
        """Call this with each new connection."""
        self._redis.connection_pool.connection_kwargs["redis_connect_func"] = greet

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()


def pool_source(options: Mapping[str, Any], place: Place | None = None) -> PoolSource:
    """Connections with these options, to this place if one is given. Does not connect yet."""
    where = {} if place is None else {"host": place[0], "port": place[1]}
    return PoolSource(Redis.from_pool(ConnectionPool(**{**options, **where})))


def where(place: Place) -> str:
    """A place in words."""
    return f"[{place[0]}]:{place[1]}" if ":" in place[0] else f"{place[0]}:{place[1]}"


async def facts(connection: Any, section: str) -> dict[str, str]:
    """A section of INFO; empty where the server does not tell."""
    try:
        await connection.send_command("INFO", section)
        return parse_info(str(await connection.read_response()))
    except ResponseError:
        return {}


def parse_info(text: str) -> dict[str, str]:
    """INFO's lines by name."""
    rows = (line.partition(":") for line in text.splitlines() if ":" in line and not line.startswith("#"))
    return {name: value.strip() for name, _, value in rows}


class Node:
    """A server's lanes. `serving`: it is one that calls go to now. `on_met` hears which run of it is connected."""

    def __init__(
        self, name: str, source: Source, patience: Patience, confirm: Confirm, router: Router | None = None
    ) -> None:
        self.name = name
        self.source = source
        self.money = Lane(source, patience, confirm=confirm, router=router)
        self.bulk = Lane(source, patience, router=router, bulk=True)
        self.run_id = ""
        self.serving = True
        self.on_met: Callable[[str], None] = lambda _run_id: None

    def lane(self, bulk: bool) -> Lane:
        """The lane for money, or for long reads."""
        return self.bulk if bulk else self.money

    @property
    def idle(self) -> bool:
        """Whether nothing is on its way to it."""
        return self.money.idle and self.bulk.idle

    async def greet(self, connection: Any) -> None:
        """What a new connection begins with: log in, and learn which run of the server this is."""
        await connection.on_connect()
        self.met((await facts(connection, "server")).get("run_id", ""))

    async def greet_master(self, connection: Any) -> None:
        """The same for a server that has to be a master: one that is none gets no call."""
        await self.greet(connection)
        role = (await facts(connection, "replication")).get("role", "master")
        if role != "master":
            raise NoConnection(f"the sentinels named a server that is a {role}")

    def met(self, run_id: str) -> None:
        """This run of the server answers now."""
        if run_id and run_id != self.run_id:
            self.run_id = run_id
            self.tell()

    def tell(self) -> None:
        """Say which run of the server is connected, if calls go to it."""
        if self.serving and self.run_id:
            self.on_met(self.run_id)

    async def close(self, timeout_s: float) -> None:
        """Let what is in flight be answered, for so long, then fail it."""
        await self.money.close(timeout_s)
        await self.bulk.close(timeout_s)
