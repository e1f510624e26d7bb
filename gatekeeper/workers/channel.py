"""What a worker and its leader say to each other, over a socket pair that nobody else has.

A worker reads the end of its leader from it, so none outlives the one that started it. Messages are pickled: both ends
are the same program of the same user, and what travels are its own types. No worker is told anything else than here.
"""

import asyncio
import pickle
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gatekeeper.app import Seat
from gatekeeper.catalog import Catalog
from gatekeeper.ledger.teamrecord import KeyRecord
from gatekeeper.recent import Seen
from gatekeeper.settings import Settings
from gatekeeper.workers.figures import Figures

LENGTH_BYTES: Final = 4
"""Before each message: 4 GiB are more than any catalog."""


@dataclass(frozen=True, slots=True)
class Start:
    """The first message to a worker: all that it works with. It reads no catalog and no command line itself, so what
    was wrong with them was told before, once. `lines` is the lock of the log that all write."""

    settings: Settings
    catalog: Catalog
    seat: Seat
    static_keys: tuple[KeyRecord, ...]
    lines: Path


@dataclass(frozen=True, slots=True)
class NewCatalog:
    """To a worker: this is the catalog from now on."""

    catalog: Catalog


@dataclass(frozen=True, slots=True)
class Ask:
    """To a worker: tell your figures."""


@dataclass(frozen=True, slots=True)
class Look:
    """To a worker: tell what happened behind this number. Asked only while somebody looks."""

    after: int


@dataclass(frozen=True, slots=True)
class Ready:
    """From a worker: it accepts requests."""


@dataclass(frozen=True, slots=True)
class StartFailure:
    """From a worker: why it cannot start."""

    reason: str


@dataclass(frozen=True, slots=True)
class Reloaded:
    """From a worker: the catalog it serves from now."""

    digest: str


@dataclass(frozen=True, slots=True)
class OwnFigures:
    """From a worker: its figures now."""

    figures: Figures


@dataclass(frozen=True, slots=True)
class Happened:
    """From a worker: what happened there, in its order."""

    seen: tuple[Seen, ...]


@dataclass(frozen=True, slots=True)
class Farewell:
    """From a worker, the last: it was told to stop and has. `abandoned` were still in flight."""

    abandoned: int


Message = Start | NewCatalog | Ask | Look | Ready | StartFailure | Reloaded | OwnFigures | Happened | Farewell


class Channel:
    """One end. Made by `open_channel`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, message: Message) -> bool:
        """Says something; False if there is nobody to hear it any more, which `receive` tells too."""
        if self._writer.is_closing():
            return False
        text = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        try:
            self._writer.write(len(text).to_bytes(LENGTH_BYTES) + text)
            await self._writer.drain()
        except OSError:
            return False
        return True

    async def receive(self) -> Message | None:
        """The next message; None when the other end is gone."""
        try:
            length = int.from_bytes(await self._reader.readexactly(LENGTH_BYTES))
            found = pickle.loads(await self._reader.readexactly(length))  # noqa: S301  # our own words, see above
        except (asyncio.IncompleteReadError, OSError):
            return None
        assert isinstance(found, Message)
        return found

    def close(self) -> None:
        """Says no more; the other end reads that."""
        self._writer.close()


async def open_channel(end: socket.socket) -> Channel:
    """A channel on one end of a socket pair, which is the channel's from now on."""
    return Channel(*await asyncio.open_unix_connection(sock=end))


def start_for(settings: Settings, catalog: Catalog, seat: Seat, static_keys: Iterable[KeyRecord], lines: Path) -> Start:
    """What a worker is started with: the leader's settings but for what is the leader's alone."""
    return Start(settings.model_copy(update={"admin_token": None}), catalog, seat, tuple(static_keys), lines)
