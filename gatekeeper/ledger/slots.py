"""Where a key lives in a cluster: its hash tag, its slot, and the map of slots to nodes as a node tells it.

Facts: the cluster specification (CRC16 with polynomial 0x1021, 16384 slots, the first non-empty {tag}).
"""

from binascii import crc_hqx
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from gatekeeper.ledger.wire import Reply

SLOTS: Final = 16384

Place = tuple[str, int]
"""A node's host and port."""


@dataclass(frozen=True, slots=True)
class Share:
    """A run of slots, the master that serves it, and that master's replicas."""

    first: int
    last: int
    master: Place
    replicas: tuple[Place, ...]


def hash_tag(key: str) -> str:
    """The part of a key that decides on its slot."""
    start = key.find("{")
    if start >= 0:
        end = key.find("}", start + 1)
        if end > start + 1:
            return key[start + 1 : end]
    return key


def slot_of(key: str) -> int:
    """The key's slot."""
    return crc_hqx(hash_tag(key).encode(errors="replace"), 0) % SLOTS


def shares(reply: Reply, asked: Place) -> tuple[Share, ...]:
    """What CLUSTER SLOTS tells. A node that does not know its own name is where it was `asked`."""
    found = []
    for first, last, master, *replicas in reply:
        places = [_place(node, asked) for node in (master, *replicas)]
        found.append(Share(int(first), int(last), places[0], tuple(places[1:])))
    return tuple(found)


def covered(told: Iterable[Share]) -> int:
    """How many slots have a master."""
    return sum(share.last - share.first + 1 for share in told)


def _place(node: Reply, asked: Place) -> Place:
    host = str(node[0] or "")
    return (asked[0] if host in {"", "?"} else host, int(node[1]))
