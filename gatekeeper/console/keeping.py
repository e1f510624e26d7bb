"""What is dear to read is read once for all who look at the same moment, and kept for a while where it was dear.

So a page that many have open costs the store what one of them does, and says how old its figures are.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from gatekeeper.clock import Clock

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

KEEP_S: Final = 10.0
"""How old a figure of many teams may be: soon enough for who looks, and rare enough for who generates."""

KINDS_MAX: Final = 32
"""Readings that are kept at once, each for one search and page."""


@dataclass(frozen=True, slots=True)
class Reading(Generic[Value]):
    """What was read, and how long ago."""

    value: Value
    age_s: float


class Kept(Generic[Key, Value]):
    """Readings by their key. `is_dear` says of a value whether it was; what is not is read anew each time."""

    def __init__(self, clock: Clock, is_dear: Callable[[Value], bool]) -> None:
        self._clock = clock
        self._is_dear = is_dear
        self._kept: dict[Key, tuple[float, Value]] = {}
        self._reading: dict[Key, asyncio.Task[Value]] = {}

    async def get(self, key: Key, read: Callable[[], Awaitable[Value]]) -> Reading[Value]:
        """What was read a while ago, or is read now. Raises what `read` does."""
        at_s, value = self._kept.get(key, (0.0, None))
        age_s = self._clock.monotonic_s() - at_s
        if value is not None and age_s < KEEP_S:
            return Reading(value, age_s)
        task = self._reading.get(key)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._read(key, read))
            self._reading[key] = task
        # Whoever goes away meanwhile does not take it from the others.
        return Reading(await asyncio.shield(task), 0.0)

    async def _read(self, key: Key, read: Callable[[], Awaitable[Value]]) -> Value:
        try:
            value = await read()
        finally:
            del self._reading[key]
        self._kept.pop(key, None)
        if self._is_dear(value):
            self._kept[key] = self._clock.monotonic_s(), value
            while len(self._kept) > KINDS_MAX:
                del self._kept[next(iter(self._kept))]
        return value
