"""A cluster: which node serves which slot, learnt from the nodes and from their redirections.

Every node has lanes of its own, so the calls of a tick leave in one pipeline for each node. A call that a node says
is elsewhere certainly did not run; it goes where it was sent, behind the calls that were made before it.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

from redis.exceptions import AskError, MovedError, RedisError, ResponseError

from gatekeeper.ledger.address import Address
from gatekeeper.ledger.batch import REDIRECTS_AT_ONCE, Lane, Patience
from gatekeeper.ledger.confirm import Confirm
from gatekeeper.ledger.errors import LedgerUnavailable, StoreRefused
from gatekeeper.ledger.node import Node, parse_info, pool_source, where
from gatekeeper.ledger.pipeline import Call
from gatekeeper.ledger.slots import SLOTS, Place, Share, covered, shares, slot_of
from gatekeeper.ledger.wire import ask

ASKED_MAX: Final = 16
"""Nodes that are asked for the map at once; the first good answer is taken."""


class Cluster:
    """The nodes of a cluster, and the map of slots to them."""

    def __init__(self, address: Address, patience: Patience, confirm: Confirm) -> None:
        self._address = address
        self._patience = patience
        self._confirm = confirm
        self._nodes: dict[Place, Node] = {}
        self._slots: list[Node | None] = [None] * SLOTS
        self._known: set[Place] = set()
        self._reading: asyncio.Task[None] | None = None
        self._why = "nobody was asked"
        self._newest = 0
        self.on_met: Callable[[str], None] = lambda _run_id: None
        for seed in address.seeds:
            self._node_at(seed)

    async def start(self) -> None:
        """Learn the map. Raises LedgerUnavailable if no node tells it, StoreRefused if they are no cluster."""
        deadline = asyncio.get_running_loop().time() + self._patience.budget_s
        await self.recover()
        while not self._known:
            if "cluster support disabled" in self._why:
                raise StoreRefused("the server is no cluster node: write redis:// or rediss:// with its address")
            if asyncio.get_running_loop().time() > deadline:
                raise LedgerUnavailable(f"no node of the cluster tells its map: {self._why}", maybe_executed=False)
            await asyncio.sleep(self._patience.wait_max_s)
            await self.recover()

    @property
    def masters(self) -> tuple[Node, ...]:
        """The nodes that serve slots."""
        return tuple(dict.fromkeys(node for node in self._slots if node is not None))

    @property
    def covered(self) -> int:
        """How many slots are served."""
        return sum(node is not None for node in self._slots)

    def node(self, key: str) -> Node:
        """The node that serves this key; any, if none is known to: it says better."""
        return self._slots[slot_of(key)] or next(iter(self._nodes.values()))

    def home(self, lane: Lane, call: Call) -> Lane:
        """The lane of the call's node that is of the same kind as this one; a call without a key is for this node."""
        return self.node(call.key).lane(lane.bulk) if call.key else lane

    def redirect(self, lane: Lane, away: list[tuple[Call, AskError]]) -> None:
        """Send each call where its node said, in order; a key that has moved takes those that wait for it along."""
        bulk, moved = lane.bulk, False
        for call, error in away:
            node = self._node_at((error.host or self._place_of(lane)[0], error.port))
            if isinstance(error, MovedError):
                moved = True
                self._serve(error.slot_id, node)
            else:
                call.asking = True
            if call.detours > REDIRECTS_AT_ONCE:
                node.lane(bulk).put_aside(call)
            else:
                node.lane(bulk).submit([call])
        if moved:
            self._move_waiting()
            self._read_soon()

    async def recover(self) -> None:
        """Ask for the map again; whoever needs it at the same time waits for the same answer."""
        await asyncio.shield(self._read_soon())

    async def close(self, timeout_s: float) -> None:
        """Finish what is in flight, bounded, and close every connection."""
        await asyncio.gather(*(node.close(timeout_s) for node in self._nodes.values()))
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait({self._reading})
        for node in self._nodes.values():
            await node.source.close()

    def _read_soon(self) -> "asyncio.Task[None]":
        if self._reading is None or self._reading.done():
            self._reading = asyncio.get_running_loop().create_task(self._read())
        return self._reading

    async def _read(self) -> None:
        """Take the map that the first node tells whose cluster is whole; if there is none, the fullest."""
        asked = sorted(self._nodes, key=lambda place: not self._nodes[place].serving)[:ASKED_MAX]
        tasks = [asyncio.ensure_future(self._ask(place)) for place in asked]
        best: tuple[Share, ...] = ()
        try:
            for answer in asyncio.as_completed(tasks):
                whole, told = await answer
                if whole or covered(told) > covered(best):
                    best = told
                if whole:
                    break
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if best:
            self._adopt(best)
            await self._forget_strangers()

    async def _ask(self, place: Place) -> tuple[bool, tuple[Share, ...]]:
        """Whether the cluster is whole in this node's eyes, and its map; an empty one if it does not answer."""
        try:
            info, slots = await ask(self._nodes[place].source, ("CLUSTER", "INFO"), ("CLUSTER", "SLOTS"))
        except (RedisError, OSError, RuntimeError) as error:
            # RuntimeError: as in `batch.Lane`; a lane that waits for the map must not end by it.
            self._why = f"{where(place)}: {error}"
            return False, ()
        if isinstance(slots, ResponseError) or isinstance(info, ResponseError):
            self._why = f"{where(place)}: {slots}"
            return False, ()
        said = parse_info(info)
        epoch = int(said.get("cluster_current_epoch", "0"))
        # A master that hung through its own fail-over tells yesterday's map until it has heard of it.
        current = epoch >= self._newest
        self._newest = max(self._newest, epoch)
        return current and said.get("cluster_state") == "ok", shares(slots, place)

    def _adopt(self, told: tuple[Share, ...]) -> None:
        slots: list[Node | None] = [None] * SLOTS
        self._known = set()
        for share in told:
            node = self._node_at(share.master)
            slots[share.first : share.last + 1] = [node] * (share.last - share.first + 1)
            self._known |= {share.master, *share.replicas}
            for replica in share.replicas:
                self._node_at(replica)
        self._slots = slots
        serving = set(self.masters)
        for node in self._nodes.values():
            fresh = node in serving and not node.serving
            node.serving = node in serving
            if fresh:
                node.tell()
        self._move_waiting()

    def _serve(self, slot: int, node: Node) -> None:
        self._slots[slot] = node
        if not node.serving:
            node.serving = True
            node.tell()

    def _met(self, run_id: str) -> None:
        self.on_met(run_id)

    def _move_waiting(self) -> None:
        """Calls that wait at a node for slots that another one serves now go there, in order."""
        for node in tuple(self._nodes.values()):
            for bulk in (False, True):
                for call in node.lane(bulk).give_up(partial(self._foreign, node)):
                    self.node(call.key).lane(bulk).submit([call])

    def _foreign(self, node: Node, call: Call) -> bool:
        return bool(call.key) and not call.asking and self._slots[slot_of(call.key)] not in {node, None}

    def _node_at(self, place: Place) -> Node:
        node = self._nodes.get(place)
        if node is None:
            source = pool_source(self._address.options, place)
            node = Node(where(place), source, self._patience, self._confirm, router=self)
            node.serving = False
            node.on_met = self._met
            source.on_connect(node.greet)
            self._nodes[place] = node
        return node

    async def _forget_strangers(self) -> None:
        """Close what is neither in the map nor in the address, and has nothing left to do."""
        kept = self._known | set(self._address.seeds)
        for place, node in tuple(self._nodes.items()):
            if place not in kept and node.idle and not node.serving:
                del self._nodes[place]
                await node.close(0)
                await node.source.close()

    def _place_of(self, lane: Lane) -> Place:
        found = (place for place, node in self._nodes.items() if lane in {node.money, node.bulk})
        return next(found, self._address.seeds[0])
