"""The outbox: resolutions that the store could not take, on disk until it can.

`write` returns when the resolution is fsynced; from then on neither a restart nor a kill -9 loses it. All writes of
one moment share one fsync, made in a thread, in the order in which they were asked for. It does not talk to the store
(`replay.py` does), does not log, and keeps no more than it was allowed to.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from gatekeeper.clock import SystemClock
from gatekeeper.ledger.errors import OutboxFailed, OutboxFull, StoreRefused
from gatekeeper.ledger.resolution import FRAME_BYTES_MAX, Resolution, from_payload, to_payload
from gatekeeper.ledger.segments import REJECTED_NAME, Entry, Segments

FRAME_OVERHEAD_BYTES: Final = 32
"""What a record takes on disk beside its JSON: its frame, and the note that it is done, rounded up."""


@dataclass(slots=True, eq=False)
class _Append:
    team: str
    payload: bytes
    done: asyncio.Future[None]


@dataclass(slots=True, eq=False)
class _Finish:
    entries: Sequence["Waiting"]
    rejected: Sequence[bytes]
    done: asyncio.Future[None]


@dataclass(slots=True, eq=False)
class _Adopt:
    done: asyncio.Future[None]


@dataclass(slots=True, eq=False)
class Waiting:
    """A resolution on disk that the ledger has not been told, since then (in seconds since 1970)."""

    team: str
    entry: Entry
    since_s: float

    @property
    def resolution(self) -> Resolution:
        """Read anew each time: an outbox that is full takes as little memory as it can."""
        return from_payload(self.entry.payload)


class Outbox:
    """The outbox of one process. Made by `open_outbox`."""

    def __init__(self, segments: Segments, adopted: Sequence[Entry], *, directory: Path, max_bytes: int) -> None:
        self.arrived = asyncio.Event()
        self._segments = segments
        self._directory = directory
        self._max_bytes = max_bytes
        self._by_team: dict[str, deque[Waiting]] = {}
        self._asked: deque[_Append | _Finish | _Adopt] = deque()
        self._asked_bytes = 0
        self._writer: asyncio.Task[None] | None = None
        self._closed = False
        self._clock = SystemClock()
        self._line_up_all(adopted)

    @property
    def depth(self) -> int:
        """How many resolutions wait for the store."""
        return sum(map(len, self._by_team.values()))

    @property
    def oldest_age_s(self) -> float:
        """How long the oldest of them waits; 0 if none does. Of what a dead process left the file's time is known."""
        oldest_s = min((queue[0].since_s for queue in self._by_team.values()), default=None)
        return 0.0 if oldest_s is None else max(self._now_s() - oldest_s, 0.0)

    @property
    def rejected(self) -> Path:
        """Where resolutions are set aside that the ledger would not book."""
        return self._directory / REJECTED_NAME

    @property
    def warnings(self) -> tuple[str, ...]:
        """What somebody should look at, as it was found when the outbox was opened."""
        damaged = tuple(f"a part of the outbox cannot be read; it is kept in {path}" for path in self._segments.damaged)
        if not self._segments.rejected_bytes:
            return damaged
        return (*damaged, f"resolutions that could not be booked wait to be looked at in {self.rejected}")

    def teams(self) -> tuple[str, ...]:
        """The teams that have something waiting."""
        return tuple(self._by_team)

    def first(self, team: str, count: int) -> list[Waiting]:
        """The team's oldest waiting resolutions, in order."""
        return list(islice(self._by_team.get(team, ()), count))

    async def write(self, resolution: Resolution) -> None:
        """Keeps a resolution; it is on disk when this returns. Raises OutboxFull or OutboxFailed.

        A caller that is cancelled gives up the answer, not the writing.
        """
        payload = to_payload(resolution)
        cost = _cost(payload)
        if cost > FRAME_BYTES_MAX:
            raise OutboxFailed(f"a resolution of {cost} bytes is too large for the outbox")
        if self._segments.size_bytes + self._asked_bytes + cost > self._max_bytes:
            raise OutboxFull(f"the outbox has reached its {self._max_bytes} bytes")
        self._asked_bytes += cost
        await self._ask(_Append(resolution.team, payload, asyncio.get_running_loop().create_future()))

    async def finish(self, entries: Sequence[Waiting], rejected: Sequence[bytes] = ()) -> None:
        """Forgets resolutions, durably; `rejected` are lines to set aside first. Raises OutboxFailed: then all stay."""
        await self._ask(_Finish(entries, rejected, asyncio.get_running_loop().create_future()))

    async def adopt(self) -> None:
        """Takes over what other processes have left that died since this was opened. Raises OutboxFailed."""
        await self._ask(_Adopt(asyncio.get_running_loop().create_future()))

    async def close(self) -> None:
        """Writes what was asked for and lets the files go; what waits in them is adopted by the next that opens or
        looks."""
        self._closed = True
        if self._writer is not None:
            await self._writer
        await asyncio.to_thread(self._segments.close)

    async def _ask(self, ask: _Append | _Finish | _Adopt) -> None:
        if self._closed:
            raise OutboxFailed("the outbox is closed")
        self._asked.append(ask)
        if self._writer is None or self._writer.done():
            # The task starts in the next turn of the loop, so all that is asked in this turn shares one fsync.
            self._writer = asyncio.get_running_loop().create_task(self._write_all())
        await ask.done

    async def _write_all(self) -> None:
        while self._asked:
            asked, self._asked = self._asked, deque()
            appends = [ask for ask in asked if isinstance(ask, _Append)]
            if appends:
                await self._append(appends)
            for ask in asked:
                if isinstance(ask, _Finish):
                    await self._finish(ask)
                elif isinstance(ask, _Adopt):
                    await self._adopt(ask)

    async def _append(self, appends: Sequence[_Append]) -> None:
        try:
            entries = await asyncio.to_thread(self._segments.append, [ask.payload for ask in appends])
        except OSError as error:
            for ask in appends:
                _fail(ask.done, error)
            return
        finally:
            self._asked_bytes -= sum(_cost(ask.payload) for ask in appends)
        now_s = self._now_s()
        for ask, entry in zip(appends, entries, strict=True):
            self._line_up(Waiting(ask.team, entry, now_s))
            _succeed(ask.done)

    async def _finish(self, ask: _Finish) -> None:
        try:
            await asyncio.to_thread(self._segments.finish, [waiting.entry for waiting in ask.entries], ask.rejected)
        except OSError as error:
            _fail(ask.done, error)
            return
        for waiting in ask.entries:
            queue = self._by_team[waiting.team]
            queue.remove(waiting)
            if not queue:
                del self._by_team[waiting.team]
        _succeed(ask.done)

    async def _adopt(self, ask: _Adopt) -> None:
        try:
            self._line_up_all(await asyncio.to_thread(self._segments.adopt))
        except (OSError, ValueError, LookupError, TypeError) as error:
            _fail(ask.done, error)
        else:
            _succeed(ask.done)

    def _now_s(self) -> float:
        return self._clock.now().timestamp()

    def _line_up_all(self, adopted: Sequence[Entry]) -> None:
        """What others have left: all of it, or nothing where one cannot be read, which stays on disk."""
        for waiting in [Waiting(from_payload(each.payload).team, each, each.segment.written_s) for each in adopted]:
            self._line_up(waiting)

    def _line_up(self, waiting: Waiting) -> None:
        self._by_team.setdefault(waiting.team, deque()).append(waiting)
        self.arrived.set()


async def open_outbox(directory: Path, *, max_bytes: int, worker: int = 0) -> Outbox:
    """Opens the outbox in a directory of its own and adopts what dead processes left there. Raises StoreRefused."""
    segments = Segments(directory, worker=worker)
    try:
        adopted = await asyncio.to_thread(segments.open)
        return Outbox(segments, adopted, directory=directory, max_bytes=max_bytes)
    except OSError as error:
        segments.close()
        raise StoreRefused(f"outbox directory {directory} cannot be used: {error}") from error
    except (ValueError, LookupError, TypeError) as error:
        segments.close()
        raise StoreRefused(
            f"outbox directory {directory} holds resolutions that this version cannot read: start the version that "
            "wrote them once more, or move the directory away and book what is in it by hand"
        ) from error


def _cost(payload: bytes) -> int:
    return len(payload) + FRAME_OVERHEAD_BYTES


def _succeed(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)


def _fail(done: asyncio.Future[None], error: Exception) -> None:
    if not done.done():
        done.set_exception(OutboxFailed(f"the outbox cannot be used: {error}"))
        # A caller that was cancelled never looks; the error is not lost, it is told to nobody.
        done.exception()
