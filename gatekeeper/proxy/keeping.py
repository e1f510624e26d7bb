"""Where the bodies of requests wait until they are sent: in memory, large ones on disk.

All that is in memory together is bounded; what comes beyond is told to come again, and so is what the disk does not
take. A file has no name, nobody else can open it, and it is gone with its body.
"""

import asyncio
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Final, ParamSpec, Self, TypeVar

from gatekeeper.core.pieces import PIECE_BYTES, Pieces, size_of
from gatekeeper.core.rejection import Rejected
from gatekeeper.logs import emit
from gatekeeper.proxy.crowd import overloaded
from gatekeeper.serverevents import BodyNotKept

AT_ONCE_BYTES: Final = 1024**2
"""Looking through so much takes a millisecond or two; more is done in a thread, so that nobody else waits for it."""

P = ParamSpec("P")
T = TypeVar("T")


class Room:
    """The memory that bodies may take, and where those go that are not to take it."""

    def __init__(self, *, memory_bytes: int, body_memory_bytes: int, json_memory_bytes: int, folder: Path) -> None:
        """`memory_bytes` are all bodies'; one that has more than `json_memory_bytes`, or is no JSON and has more than
        `body_memory_bytes`, goes to a file in `folder`."""
        self.body_memory_bytes = body_memory_bytes
        self.json_memory_bytes = json_memory_bytes
        self.free_bytes = memory_bytes
        self._folder = folder

    def check(self, size_bytes: int) -> None:
        """Raises `Rejected` (overloaded) where there is not so much."""
        if size_bytes > self.free_bytes:
            raise Rejected(overloaded("The requests that wait to be sent take all the memory that they may."))

    def take(self, size_bytes: int) -> None:
        """Raises `Rejected` (overloaded) where there is not so much."""
        self.check(size_bytes)
        self.free_bytes -= size_bytes

    def give_back(self, size_bytes: int) -> None:
        """What was taken."""
        self.free_bytes += size_bytes

    def open_file(self) -> FileIO:
        """A new file without a name. Raises OSError."""
        return tempfile.TemporaryFile(buffering=0, dir=self._folder)

    def not_kept(self, error: OSError) -> Rejected:
        """The disk took no more of a body, or has lost it: what is told to the operator, and to the caller."""
        emit(BodyNotKept(folder=str(self._folder), error=type(error).__name__, detail=os.strerror(error.errno or 0)))
        return Rejected(overloaded("This body is too large to be kept in memory, and could not be put on disk."))


class Corner:
    """Memory of the room's for an answer that is read whole, for the length of a block."""

    __slots__ = ("_room", "_taken_bytes")

    def __init__(self, room: Room) -> None:
        self._room = room
        self._taken_bytes = 0

    def takes(self, size_bytes: int) -> bool:
        """Whether there was room for so much more."""
        if size_bytes > self._room.free_bytes:
            return False
        self._room.take(size_bytes)
        self._taken_bytes += size_bytes
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._room.give_back(self._taken_bytes)


class Body(Pieces):
    """One request's body while it arrives, and from then on as its pieces: first those in the file, if there is one."""

    __slots__ = ("_file", "_filed_bytes", "_kept", "_memory_bytes", "_released", "_room", "_size_bytes", "_taken_bytes")

    def __init__(self, room: Room, *, is_json: bool) -> None:
        self._room = room
        self._memory_bytes = room.json_memory_bytes if is_json else room.body_memory_bytes
        self._file: FileIO | None = None
        self._filed_bytes = self._size_bytes = self._taken_bytes = 0
        self._kept: list[bytes] = []
        self._released = False

    def add(self, piece: bytes) -> bool:
        """More of it. True: `put_away` is to be called. Raises `Rejected` (overloaded) for want of room."""
        # With what Python needs for it, which is most of it where somebody sends byte by byte.
        weight = sys.getsizeof(piece)
        self._room.take(weight)
        self._taken_bytes += weight
        self._size_bytes += len(piece)
        self._kept.append(piece)
        return self._taken_bytes > self._memory_bytes

    async def put_away(self) -> None:
        """Moves to the file what is in memory. Raises `Rejected` (overloaded) where the disk does not take it."""
        try:
            await aside(self._write)
        except OSError as error:
            raise self._room.not_kept(error) from None
        self._filed_bytes = self._size_bytes
        self._let_go()
        self._memory_bytes = self._room.body_memory_bytes

    def _write(self) -> None:
        if self._file is None:
            self._file = self._room.open_file()
        for written in _joined(self._kept):
            left = memoryview(written)
            while left:
                left = left[self._file.write(left) :]

    def _let_go(self) -> None:
        self._kept.clear()
        self._room.give_back(self._taken_bytes)
        self._taken_bytes = 0

    @property
    def size_bytes(self) -> int:
        return self._size_bytes

    def release(self) -> None:
        self._released = True
        self._let_go()
        if self._file is not None:
            with suppress(OSError):  # what was read of it is right, and nobody reads it any more
                self._file.close()

    def __len__(self) -> int:
        return -(-self._filed_bytes // PIECE_BYTES) + len(self._kept)

    def __iter__(self) -> Iterator[bytes]:
        if self._released:
            raise ValueError("this body was released")
        for at in range(0, self._filed_bytes, PIECE_BYTES):
            yield self._read(at)
        yield from self._kept

    def _read(self, at: int) -> bytes:
        """A piece of what is in the file. Raises OSError where it is not there as it was written."""
        assert self._file is not None
        wanted = min(PIECE_BYTES, self._filed_bytes - at)
        piece = os.pread(self._file.fileno(), wanted, at)
        if len(piece) != wanted:
            raise OSError("a body on disk is shorter than it was")
        return piece


def _joined(pieces: Sequence[bytes]) -> Iterator[bytes]:
    """The same bytes, small pieces together: a system call for each would be many."""
    few, size = list[bytes](), 0
    for piece in pieces:
        few.append(piece)
        size += len(piece)
        if size >= PIECE_BYTES:
            yield b"".join(few)
            few, size = [], 0
    yield b"".join(few)


async def looked_through(body: Sequence[bytes], look: Callable[P, T], *args: P.args, **kw: P.kwargs) -> T:
    """The result of `look`, which reads the body: in a thread where it is large."""
    if size_of(body) <= AT_ONCE_BYTES:
        return look(*args, **kw)
    return await aside(look, *args, **kw)


async def aside(work: Callable[P, T], *args: P.args, **kw: P.kwargs) -> T:
    """Works in a thread. A cancel waits for the end of it, for it reads what its caller is about to release."""
    working = asyncio.ensure_future(asyncio.to_thread(work, *args, **kw))
    cancelled: asyncio.CancelledError | None = None
    while not working.done():
        try:
            await asyncio.wait((working,))
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not working.cancelled():
            working.exception()
        raise cancelled
    return working.result()
