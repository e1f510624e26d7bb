"""What has to confirm a write before it counts: replicas, disks, both. One question for each pipeline (WAIT, WAITAOF).

The question covers what its own connection wrote last, and answers at once on a connection that wrote nothing: on a
new one, or after a repeat that found its work done, it would prove nothing. So a small write of our own, in a slot of
the same node, goes before each question: what it confirms includes all that the node had written before.
"""

from dataclasses import dataclass
from typing import Final

from gatekeeper.ledger.keys import fence
from gatekeeper.ledger.slots import hash_tag
from gatekeeper.ledger.wire import Reply, packed

FENCE_TTL_MS: Final = 60_000
"""How long the small write stays: nobody reads it."""

_ASKING: Final = packed(("ASKING",))


@dataclass(frozen=True, slots=True)
class Confirm:
    """How many replicas must have a write, whether disks must have it (the master's and those replicas'), and how long
    that is waited for. With no replicas and no disk nothing is asked."""

    replicas: int = 0
    fsync: bool = False
    timeout_ms: int = 1000

    def __bool__(self) -> bool:
        return self.replicas > 0 or self.fsync

    def question(self, key: str, *, asking: bool) -> list[bytes]:
        """The commands that write near this key and ask. `asking`: the key's slot is just coming to the node."""
        small = packed(("SET", fence(hash_tag(key)), "1", "PX", FENCE_TTL_MS))
        wait: tuple[str | int, ...] = ("WAIT", self.replicas, self.timeout_ms)
        if self.fsync:
            wait = ("WAITAOF", 1, self.replicas, self.timeout_ms)
        return [*([_ASKING] if asking else []), small, packed(wait)]

    def lacks(self, small: Reply, count: Reply) -> str:
        """What is missing for a proof, in words; '' if it is one."""
        if small != "OK":
            return f"the small write was refused ({small})"
        if isinstance(count, Exception):
            return f"the store does not count confirmations ({count})"
        disks, replicas = count if self.fsync else (1, count)
        if self.fsync and int(disks) < 1:
            return "the write is not on the master's disk yet"
        if int(replicas) < self.replicas:
            return f"{replicas} of {self.replicas} replicas confirmed within {self.timeout_ms} ms"
        return ""
