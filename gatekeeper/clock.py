"""The one place from which the gateway has the time of day for whatever it decides.

Whoever decides by the time receives a `Clock`; tests bring their own. Who only writes down when something was (a log
line, the `Date` of an answer, since when a metric counts) reads the machine's clock itself, and the sandbox, which is a
provider, has its own. The ledger's money decisions do not use this clock at all: a script asks the store for its time,
once.
"""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What time it is, in the two senses that matter."""

    def now(self) -> datetime:
        """Wall-clock time, aware, in UTC."""
        ...

    def now_ms(self) -> int:
        """The same in whole milliseconds since 1970, for ids."""
        return int(self.now().timestamp() * 1000)

    def monotonic_s(self) -> float:
        """Seconds from an arbitrary start; never goes back."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    monotonic_s = staticmethod(time.monotonic)  # itself: it is read several times for every request
