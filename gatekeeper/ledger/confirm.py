"""What has to confirm a write before it counts: replicas, disks, both. One question for each pipeline (WAIT, WAITAOF).

The question covers what its own connection wrote last, and answers at once on a connection that wrote nothing: on a
new one, or after a repeat that found its work done, it would prove nothing. So a small write of our own, in a slot of
the same node, goes before each question: what it confirms includes all that the node had written before.

A replica that is asked in the same breath in which it gets a write answers for its disk before it has written it, and
then not again for a second. So replicas' disks are asked apart, and a few times: soon, and then ever later.
"""

from dataclasses import dataclass
from typing import Final

from gatekeeper.ledger.keys import fence
from gatekeeper.ledger.line import Line
from gatekeeper.ledger.slots import hash_tag
from gatekeeper.ledger.wire import Reply, packed

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
        write = [*([_ASKING] if asking else []), small]
        return write if self.apart else [*write, self._wait(self.timeout_ms)]

    def settled(self, replies: list[Reply]) -> str:
        """What is missing for a proof, in words, after the replies to a question that is not asked apart; '' if nothing
        is."""
        return self._lacks(*replies[-2:])

    async def settle(self, line: Line, replies: list[Reply]) -> str:
        """The same for any question."""
        if not self.apart:
            return self.settled(replies)
        spent_ms, pause_ms, lacking = 0, FIRST_MS, self._lacks(replies[-1], [0, 0])
        while lacking and replies[-1] == "OK" and spent_ms < self.timeout_ms:
            (count,) = await line.exchange([self._wait(pause_ms)], pause_ms / 1000)
            lacking = self._lacks("OK", count)
            spent_ms += pause_ms
            pause_ms = min(2 * pause_ms, max(1, self.timeout_ms - spent_ms))
        return lacking

    @property
    def apart(self) -> bool:
        """Whether it takes questions of its own, after the writes."""
        return self.fsync and self.replicas > 0

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
