"""What has to confirm a write before it counts: replicas, disks, both. One question for each pipeline (WAIT, WAITAOF).

The question covers what its own connection wrote last, and answers at once on a connection that wrote nothing: on a
new one, or after a repeat that found its work done, it would prove nothing. So a small write of our own, in a slot of
the same node, goes before each question: what it confirms includes all that the node had written before.

A replica that is asked in the same breath in which it gets a write answers for its disk before it has written it, and
then not again for a second. So disks are asked a few times, soon and then ever later.
"""

from dataclasses import dataclass
from typing import Any, Final

from gatekeeper.ledger.keys import fence
from gatekeeper.ledger.slots import hash_tag
from gatekeeper.ledger.wire import Reply, exchange, packed

FENCE_TTL_MS: Final = 60_000
"""How long the small write stays: nobody reads it."""

FIRST_MS: Final = 4
"""How long the first question about replicas' disks waits: an fsync or two."""

_ASKING: Final = packed(("ASKING",))


@dataclass(frozen=True, slots=True)
class Confirm:
    """How many replicas must have a write, whether disks must have it (the master's and those replicas'), and how long
    that is waited for. With no replicas and no disk nothing is asked."""

    replicas: int = 0
    fsync: bool = False
    timeout_ms: int = 1500

    def __bool__(self) -> bool:
        return self.replicas > 0 or self.fsync

    def question(self, key: str, *, asking: bool) -> list[bytes]:
        """The commands that write near this key and ask. `asking`: the key's slot is just coming to the node."""
        small = packed(("SET", fence(hash_tag(key)), "1", "PX", FENCE_TTL_MS))
        return [*([_ASKING] if asking else []), small, self._wait(self._patience_ms(0))]

    async def settle(self, connection: Any, small: Reply, count: Reply) -> str:
        """What is missing for a proof, in words, once it came or the time is over; '' if nothing is."""
        asked, spent_ms = 1, self._patience_ms(0)
        while (lacking := self._lacks(small, count)) and small == "OK" and spent_ms < self.timeout_ms:
            pause_ms = min(self._patience_ms(asked), self.timeout_ms - spent_ms)
            (count,) = await exchange(connection, [self._wait(pause_ms)], pause_ms / 1000)
            asked, spent_ms = asked + 1, spent_ms + pause_ms
        return lacking

    def _patience_ms(self, asked: int) -> int:
        """How long the next question waits. Replicas that only count memory answer the first one as they can."""
        return min(FIRST_MS * 2**asked, self.timeout_ms) if self.fsync and self.replicas else self.timeout_ms

    def _wait(self, timeout_ms: int) -> bytes:
        if self.fsync:
            return packed(("WAITAOF", 1, self.replicas, timeout_ms))
        return packed(("WAIT", self.replicas, timeout_ms))

    def _lacks(self, small: Reply, count: Reply) -> str:
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
