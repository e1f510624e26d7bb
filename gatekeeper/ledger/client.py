"""The ledger's client: one way in for scripts and commands, whatever stands behind the address.

Retries are `batch.Lane`'s alone: the library's own would run a command again behind our back, up to ten times.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from time import monotonic
from typing import Final

from redis.asyncio import ConnectionPool, Redis
from redis.exceptions import AskError

from gatekeeper.ledger.address import Address, Kind, read_address
from gatekeeper.ledger.batch import Lane, Patience
from gatekeeper.ledger.cluster import Cluster
from gatekeeper.ledger.confirm import Confirm
from gatekeeper.ledger.errors import LedgerBroken, StoreRefused
from gatekeeper.ledger.lua import Script
from gatekeeper.ledger.node import Node, PoolSource
from gatekeeper.ledger.pipeline import Call
from gatekeeper.ledger.sentinel import MasterSource
from gatekeeper.ledger.wire import Reply, packed

CLOSE_TIMEOUT_S: Final = 5.0

MEASURED_EVERY: Final = 16
"""One call in so many is measured: enough for a distribution, and nothing that can be felt."""

FOLLOWING: Final = Patience(attempts=100)
"""For stores that heal themselves: the budget alone ends a call, because a fail-over takes seconds."""

_KEYLESS: Final = frozenset(
    {"PING", "TIME", "INFO", "SCRIPT", "CONFIG", "CLUSTER", "KEYS", "FLUSHALL", "DBSIZE", "ROLE", "COMMAND"}
)
_READING: Final = frozenset(
    {
        "GET", "HGET", "HGETALL", "HMGET", "HLEN", "HSCAN", "HEXISTS", "SSCAN", "SISMEMBER", "SCARD", "ZRANGE",
        "ZSCORE", "ZMSCORE", "ZCARD", "ZCOUNT", "ZRANGEBYSCORE", "XRANGE", "XREVRANGE", "XLEN", "EXISTS", "TTL", "PTTL",
        "TYPE", "MEMORY",
    }
)  # fmt: skip
_READING_SCRIPTS: Final = frozenset({"balance", "snapshot"})


def connect(url: str) -> Redis:
    """A Redis client for redis://, rediss:// or unix://, with our own timeouts and no retries. Does not connect yet.

    Raises StoreRefused with what to write instead.
    """
    address = read_address(url)
    if address.kind is not Kind.SINGLE:
        raise StoreRefused(f"{address.kind} addresses name several servers: give one, as redis:// or rediss://")
    return Redis.from_pool(ConnectionPool(**address.options))


async def open_client(
    address: Address, patience: Patience | None = None, confirm: Confirm | None = None
) -> "StoreClient":
    """A client for any address. Raises StoreRefused, and LedgerUnavailable if a cluster does not answer."""
    confirm = confirm or Confirm()
    if address.kind is Kind.SINGLE:
        return StoreClient(Redis.from_pool(ConnectionPool(**address.options)), patience, confirm)
    if address.kind is Kind.SENTINEL:
        source = MasterSource(address)
        client = StoreClient(source, patience or FOLLOWING, confirm)
        start = source.check()
    else:
        cluster = Cluster(address, patience or FOLLOWING, confirm)
        client = StoreClient(cluster, patience or FOLLOWING, confirm)
        start = cluster.start()
    try:
        await start
    except BaseException:
        await client.close()
        raise
    return client


class StoreClient:
    """Runs scripts and commands on one store. Everything sent here has to be safe to run twice.

    `on_new_server` is told a run id whenever another server answers than before: after a restart, a fail-over or with a
    new node. What was found out before has to be found out again then, also of a server that was left and came back.
    `on_call` is told of one script in `MEASURED_EVERY`, by its name, how long it took until its answer, in seconds.
    """

    def __init__(
        self, store: Redis | MasterSource | Cluster, patience: Patience | None = None, confirm: Confirm | None = None
    ) -> None:
        self.on_new_server: Callable[[str], None] = lambda _run_id: None
        self.on_call: Callable[[str, float], None] | None = None
        self._calls = 0
        self.confirm = confirm or Confirm()
        self.kind = Kind.SINGLE
        self._cluster: Cluster | None = None
        if isinstance(store, Cluster):
            self.kind, self._cluster = Kind.CLUSTER, store
            store.on_met = self._meet
            return
        if isinstance(store, MasterSource):
            self.kind = Kind.SENTINEL
            self._one = Node(str(store), store, patience or FOLLOWING, self.confirm, router=Follower(store))
            store.on_connect(self._one.greet_master)
        else:
            # Replies are taken as the server sends them, the same in every version of the library.
            store.response_callbacks.clear()
            source = PoolSource(store)
            self._one = Node("the store", source, patience or Patience(), self.confirm)
            source.on_connect(self._one.greet)
        self._one.on_met = self._meet

    @property
    def money(self) -> Lane:
        """The lane that money takes, where there is one node."""
        return self._one.money

    @property
    def bulk(self) -> Lane:
        """The lane of long reads, where there is one node."""
        return self._one.bulk

    @property
    def masters(self) -> tuple[Node, ...]:
        """Every node that calls go to."""
        return self._cluster.masters if self._cluster is not None else (self._one,)

    @property
    def slots_covered(self) -> int | None:
        """How many of a cluster's slots are served; None if the store is no cluster."""
        return None if self._cluster is None else self._cluster.covered

    def run(
        self, script: Script, keys: Sequence[str], args: Sequence[str | int], *, bulk: bool = False
    ) -> Awaitable[list[Reply]]:
        """The reply of a script, which is sent off at once. Raises LedgerUnavailable or LedgerBroken."""
        node = self._one if self._cluster is None else self._cluster.node(keys[0])
        lane = node.bulk if bulk else node.money
        command = packed(("EVALSHA", script.sha, len(keys), *keys, *args))
        answer = lane.ask(command, script.text, keys[0], script.name not in _READING_SCRIPTS)
        self._calls += 1
        if not self._calls % MEASURED_EVERY:
            self._measure(script, answer)
        return answer

    def tell(self, script: Script, key: str, call: bytes) -> Awaitable[list[Reply]]:
        """The same for a call that is packed already, of a script that writes; `key` is its first one."""
        node = self._one if self._cluster is None else self._cluster.node(key)
        answer = node.money.ask(call, script.text, key, True)
        self._calls += 1
        if not self._calls % MEASURED_EVERY:
            self._measure(script, answer)
        return answer

    def _measure(self, script: Script, answer: asyncio.Future[list[Reply]]) -> None:
        if self.on_call is not None:
            answer.add_done_callback(partial(_measured, self.on_call, script.name, monotonic()))

    async def command(self, *args: str | int, bulk: bool = False, at: str = "") -> Reply:
        """The reply of a plain command that may run twice. Raises LedgerUnavailable or LedgerBroken.

        A command without a key has to say by a key `at` which node it means; `each` asks all of them.
        """
        name = str(args[0])
        key = at or ("" if name in _KEYLESS or len(args) < 2 else str(args[1]))
        if self._cluster is None:
            node = self._one
        elif key:
            node = self._cluster.node(key)
        else:
            raise LedgerBroken(f"{name} has no key: say which node it is for, or ask each")
        return await node.lane(bulk).call(args, "", key, bool(key) and not at and name not in _READING)

    async def each(self, *args: str | int) -> dict[str, Reply]:
        """Every master's reply to a command without a key, by the node's name. Raises the first that fails."""
        nodes = self.masters
        replies = await asyncio.gather(*(node.money.call(args) for node in nodes))
        return {node.name: reply for node, reply in zip(nodes, replies, strict=True)}

    def epoch(self, key: str) -> str:
        """The run id of the server that answered last for this key; '' if it does not tell.

        Another one than before means: a restart, a fail-over, or in a cluster a slot that moved. Only the figures say
        whether anything is missing.
        """
        return (self._one if self._cluster is None else self._cluster.node(key)).run_id

    async def close(self) -> None:
        """Let what is in flight be answered (bounded), then close the connections."""
        if self._cluster is not None:
            await self._cluster.close(CLOSE_TIMEOUT_S)
        else:
            await self._one.close(CLOSE_TIMEOUT_S)
            await self._one.source.close()

    def _meet(self, run_id: str) -> None:
        self.on_new_server(run_id)


def _measured(tell: Callable[[str, float], None], name: str, since_s: float, answer: asyncio.Future[Reply]) -> None:
    if not answer.cancelled():
        tell(name, monotonic() - since_s)


class Follower:
    """The router of a store with one master at a time: nothing is elsewhere, but the master may be another."""

    def __init__(self, source: MasterSource) -> None:
        self._source = source

    def redirect(self, lane: Lane, away: list[tuple[Call, AskError]]) -> None:
        """A master that is no cluster node redirects nobody."""
        lane.submit(call for call, _ in away)

    def home(self, lane: Lane, call: Call) -> Lane:  # noqa: ARG002 - the router's own signature
        """There is one."""
        return lane

    async def recover(self) -> None:
        """Look for the master again."""
        await self._source.recover()
