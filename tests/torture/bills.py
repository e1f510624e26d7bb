"""What the providers of a torture run did: every call they got, what they billed for it, and how they behave.

The judge. It shares nothing with the gateway but the ids of calls; how a call is treated follows from its id alone.
"""

import zlib
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum


class Manner(StrEnum):
    """How a provider treats a call."""

    OK = "made"
    SLOW = "made slowly"
    PART = "made in part"
    REFUSED = "refused"
    FAILED = "failed"
    LOST_BILLED = "billed, no answer"
    LOST_FREE = "not billed, no answer"
    CUT = "billed, answer cut"
    LATE = "billed, answered late"


WEIGHTS = {
    Manner.OK: 70, Manner.SLOW: 6, Manner.PART: 6, Manner.REFUSED: 4, Manner.FAILED: 4,
    Manner.LOST_BILLED: 2, Manner.LOST_FREE: 2, Manner.CUT: 2, Manner.LATE: 4,
}  # fmt: skip
_LINE = [manner for manner, weight in WEIGHTS.items() for _ in range(weight)]


def lot(call: str, among: int) -> int:
    """A number below `among` that only this call's id decides."""
    return zlib.crc32(call.encode()) % among


def manner_of(call: str) -> Manner:
    """How this call is treated."""
    return _LINE[lot(call, len(_LINE))]


@dataclass(eq=False)
class Bills:
    """All bills of one run, in micro-credits by call; and what clients and outboxes were told."""

    billed: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    told: dict[str, int] = field(default_factory=dict)
    kept: dict[str, int] = field(default_factory=dict)
    kept_holds: dict[str, int] = field(default_factory=dict)
    manners: Counter[Manner] = field(default_factory=Counter)
    on_asked: dict[str, Callable[[], None]] = field(default_factory=dict)
    on_answered: dict[str, Callable[[], None]] = field(default_factory=dict)

    def bill(self, call: str, amount: int) -> None:
        """A provider did something that costs."""
        self.billed[call].append(amount)

    def asked(self, victim: str) -> bool:
        """A provider has a request of this victim in hand; True if that was what somebody waited for."""
        return self._spring(self.on_asked, victim)

    def answered(self, victim: str) -> bool:
        """A provider's answer to this victim is out."""
        return self._spring(self.on_answered, victim)

    @staticmethod
    def _spring(traps: dict[str, Callable[[], None]], victim: str) -> bool:
        strike = traps.pop(victim, None)
        if strike is not None:
            strike()
        return strike is not None
