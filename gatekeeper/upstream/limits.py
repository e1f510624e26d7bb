"""Time limits of many connections on one timer.

A timer for each wait costs more than the wait. Here a limit is a number on the connection; one timer runs for the
nearest of all, and looks at all when it fires. Most limits are minutes away and most connections are free again in
less, so it seldom fires. A limit is kept never early, and late by `CHECK_EVERY_S` at most.
"""

import asyncio
from math import inf
from typing import Final, Generic, Protocol, TypeVar

CHECK_EVERY_S: Final = 0.02
"""However many limits run out one after the other, all connections are not looked at more often than this."""


class Limited(Protocol):
    """Something that may not go on for ever. `limit_at` is in seconds of the loop's clock, `inf` for no limit."""

    limit_at: float

    def limit_reached(self) -> None: ...


Member = TypeVar("Member", bound=Limited)


class Limits(Generic[Member]):
    """Calls `limit_reached` of every member whose `limit_at` has come. It looks at `nearest_at`: a limit that is not
    before that needs not be told."""

    __slots__ = ("_handle", "_loop", "members", "nearest_at")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._handle: asyncio.TimerHandle | None = None
        self.nearest_at = inf
        self.members: set[Member] = set()

    def watch(self, limit_at: float) -> None:
        """Must be told of every limit that a member sets itself, if that is before `nearest_at`."""
        if limit_at < self.nearest_at:
            self.stop()
            self.nearest_at = limit_at
            self._handle = self._loop.call_at(limit_at, self._check)

    def stop(self) -> None:
        """Watches no longer, until it is told of the next limit."""
        if self._handle is not None:
            self._handle.cancel()
        self._handle, self.nearest_at = None, inf

    def _check(self) -> None:
        self.stop()
        now = self._loop.time()
        for member in tuple(self.members):
            if member.limit_at <= now and member in self.members:
                member.limit_at = inf
                member.limit_reached()
        nearest = min((member.limit_at for member in self.members), default=inf)
        if nearest < inf:
            self.watch(max(nearest, now + CHECK_EVERY_S))
