"""The one place that reads the time of day for the gateway (the sandbox, which is a provider, has its own).

Whoever needs the time receives a `Clock`; tests bring their own. The ledger's money decisions do not use this
clock at all: a script asks the store for its time, once.
"""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What time it is, in the two senses that matter."""

    def now(self) -> datetime:
        """Wall-clock time, aware, in UTC."""
        ...

    def monotonic_s(self) -> float:
        """Seconds from an arbitrary start; never goes back."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        return time.monotonic()
