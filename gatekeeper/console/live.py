"""What happens, as it happens: one look a second at the feed for all who watch, and none where nobody does.

Each reader has a short queue. One that does not read loses its stream, and its browser comes back for what it missed:
there is no backlog. A stream ends after an hour, with its session, and when the gateway stops.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from gatekeeper.recent import Feed, Seen

LOOK_EVERY_S: Final = 1.0
"""Soon enough for eyes."""

READERS_MAX: Final = 64
"""Pages that are open at once; each is a connection."""

WAITING_MAX: Final = 16
"""Looks that a reader may be behind: a quarter of a minute."""


class TooManyReaders(Exception):
    """There is no room for one more."""


class Live:
    """Looks at the feed while somebody watches. `on_error` hears what went wrong with a look; the next one is made."""

    def __init__(self, feed: Feed, on_error: Callable[[Exception], None]) -> None:
        self._feed = feed
        self._on_error = on_error
        self._readers: set[Reader] = set()
        self._looking: asyncio.Task[None] | None = None
        self._began = asyncio.Event()
        self._closed = False

    @asynccontextmanager
    async def watch(self) -> AsyncIterator["Reader"]:
        """Follows what happens from now on, inside the block. Raises TooManyReaders."""
        if self._closed or len(self._readers) >= READERS_MAX:
            raise TooManyReaders
        reader = Reader()
        self._readers.add(reader)
        if self._looking is None:
            self._looking = asyncio.get_running_loop().create_task(self._look())
        try:
            # What a reader missed before is its own to ask for; from here on nothing falls between that and a look.
            await self._began.wait()
            yield reader
        finally:
            self._readers.discard(reader)
            if not self._readers and self._looking is not None:
                self._looking.cancel()
                self._looking = None
                self._began.clear()

    def close(self) -> None:
        """Ends every stream: the gateway stops."""
        self._closed = True
        for reader in self._readers:
            reader.end()

    async def _look(self) -> None:
        seen = [each.number for each in await self._after(0)]
        mark = max(seen, default=0)
        self._began.set()
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            found = await self._after(mark)
            if found:
                mark = found[-1].number
                for reader in self._readers:
                    reader.put(found)

    async def _after(self, mark: int) -> Sequence[Seen]:
        try:
            return await self._feed.after(mark)
        except Exception as error:  # noqa: BLE001  # the supervisor of a task of its own
            self._on_error(error)
            return ()


class Reader:
    """Whoever watches."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Sequence[Seen] | None] = asyncio.Queue(WAITING_MAX)

    def put(self, seen: Sequence[Seen]) -> None:
        """Something happened; who does not read is let go."""
        try:
            self._queue.put_nowait(seen)
        except asyncio.QueueFull:
            self.end()

    def end(self) -> None:
        """There is no more; what waits is not told either."""
        while not self._queue.empty():
            self._queue.get_nowait()
        self._queue.put_nowait(None)

    async def next(self, within_s: float) -> Sequence[Seen] | None:
        """What happened, nothing if nothing did for so long; None at the end."""
        try:
            return await asyncio.wait_for(self._queue.get(), within_s)
        except TimeoutError:
            return ()
