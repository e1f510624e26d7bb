"""The outbox: on disk before it answers, in order, bounded, and there again after a restart."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from gatekeeper.ledger.errors import OutboxFailed, OutboxFull, StoreRefused
from gatekeeper.ledger.outbox import Outbox, open_outbox
from gatekeeper.ledger.resolution import Act, Resolution, record_frame
from gatekeeper.ledger.segments import Entry, Segments

MIB = 1024**2

OpenOutbox = Callable[..., Awaitable[Outbox]]


@pytest.fixture(name="open_here")
async def _open_here(tmp_path: Path) -> AsyncIterator[OpenOutbox]:
    """Opens the outbox of one directory; closed at the end whatever happens."""
    opened: list[Outbox] = []

    async def open_here(max_bytes: int = MIB) -> Outbox:
        opened.append(await open_outbox(tmp_path / "outbox", max_bytes=max_bytes))
        return opened[-1]

    yield open_here
    for outbox in opened:
        await outbox.close()


def a_resolution(number: int = 0, **changes: Any) -> Resolution:
    """A settle of a hold of its own."""
    fields = {"act": Act.SETTLE, "team": "studio", "hold_id": f"{number:032x}", "amount": number, **changes}
    return Resolution(**fields)


def waiting(outbox: Outbox, team: str = "studio") -> list[int]:
    """The amounts that wait for a team."""
    return [each.resolution.amount for each in outbox.first(team, 1000)]


async def test_what_was_written_is_there_after_a_restart(open_here: OpenOutbox) -> None:
    """In the order in which it was written, team by team."""
    outbox = await open_here()
    await asyncio.gather(*(outbox.write(a_resolution(n)) for n in range(20)))
    await outbox.write(a_resolution(20, team="other"))
    await outbox.close()

    later = await open_here()

    assert (list(range(20)), [20], 21) == (waiting(later), waiting(later, "other"), later.depth)


class CountingSegments(Segments):
    """Counts appends, and lets a test hold one back."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.batches: list[int] = []
        self.threads: set[int] = set()
        self.gate = threading.Event()

    def append(self, payloads: Sequence[bytes]) -> list[Entry]:
        assert self.gate.wait(5)
        self.batches.append(len(payloads))
        self.threads.add(threading.get_ident())
        return super().append(payloads)


async def test_what_is_written_meanwhile_shares_one_fsync(tmp_path: Path) -> None:
    """While the first is being written a hundred more come: they are one append, and none is on the loop's thread."""
    segments = CountingSegments(tmp_path / "outbox")
    segments.open()
    outbox = Outbox(segments, [], directory=tmp_path / "outbox", max_bytes=MIB)
    first = asyncio.ensure_future(outbox.write(a_resolution()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    rest = [asyncio.ensure_future(outbox.write(a_resolution(n))) for n in range(1, 101)]
    await asyncio.sleep(0)
    segments.gate.set()
    await asyncio.gather(first, *rest)
    await outbox.close()

    assert [1, 100] == segments.batches
    assert threading.get_ident() not in segments.threads
    assert list(range(101)) == waiting(outbox)


async def test_a_cancelled_caller_does_not_stop_the_writing(open_here: OpenOutbox) -> None:
    """Whoever gave up waiting finds the resolution on disk all the same."""
    outbox = await open_here()
    writing = asyncio.ensure_future(outbox.write(a_resolution(7)))
    await asyncio.sleep(0)
    writing.cancel()
    await asyncio.wait({writing})
    await outbox.close()

    assert [7] == waiting(await open_here())


async def test_a_full_outbox_says_so(open_here: OpenOutbox) -> None:
    """It never grows beyond its size, not even by what is asked for at once; what is done makes room."""
    outbox = await open_here(max_bytes=1000)
    asked = [outbox.write(a_resolution(n)) for n in range(50)]
    ended = await asyncio.gather(*asked, return_exceptions=True)

    kept = [each for each in ended if each is None]
    assert 0 < len(kept) == outbox.depth < 10
    assert all(isinstance(each, OutboxFull) for each in ended if each is not None)
    await outbox.finish(outbox.first("studio", 100))
    await outbox.write(a_resolution(99))
    assert [99] == waiting(outbox)


async def test_what_is_finished_is_not_there_after_a_restart(open_here: OpenOutbox) -> None:
    """Two of three are done: one waits, now and later."""
    outbox = await open_here()
    for n in range(3):
        await outbox.write(a_resolution(n))
    await outbox.finish(outbox.first("studio", 2))
    now = waiting(outbox)
    await outbox.close()

    assert ([2], [2]) == (now, waiting(await open_here()))


async def test_a_closed_outbox_takes_nothing(open_here: OpenOutbox) -> None:
    """It says so, and its files are free for the next."""
    outbox = await open_here()
    await outbox.close()

    with pytest.raises(OutboxFailed, match="closed"):
        await outbox.write(a_resolution())


async def test_a_resolution_without_end_is_refused(open_here: OpenOutbox) -> None:
    """A record larger than any frame is never begun."""
    outbox = await open_here()

    with pytest.raises(OutboxFailed, match="too large"):
        await outbox.write(a_resolution(meta="x" * 140_000))


async def test_a_disk_that_fails_is_told_to_the_caller(tmp_path: Path) -> None:
    """The record was not kept, and the next one is tried anew."""

    class Failing(Segments):
        failing = True

        def append(self, payloads: Sequence[bytes]) -> list[Entry]:
            if self.failing:
                raise OSError("Input/output error")
            return super().append(payloads)

    segments = Failing(tmp_path / "outbox")
    segments.open()
    outbox = Outbox(segments, [], directory=tmp_path / "outbox", max_bytes=MIB)
    with pytest.raises(OutboxFailed, match="Input/output error"):
        await outbox.write(a_resolution(1))
    segments.failing = False
    await outbox.write(a_resolution(2))
    await outbox.close()

    assert [2] == waiting(outbox)


async def test_a_directory_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    """The message names it."""
    (tmp_path / "outbox").write_text("a file")

    with pytest.raises(StoreRefused, match=r"outbox directory .*outbox cannot be used"):
        await open_outbox(tmp_path / "outbox", max_bytes=MIB)


async def test_what_no_version_here_understands_is_refused(tmp_path: Path) -> None:
    """Better not to start than to drop what a later version wrote."""
    directory = tmp_path / "outbox"
    directory.mkdir()
    (directory / "000000000001-w0-p1.outbox").write_bytes(
        record_frame(0, b'{"act":"transmute","team":"a","hold_id":"b"}')
    )

    with pytest.raises(StoreRefused, match="this version cannot read"):
        await open_outbox(directory, max_bytes=MIB)


async def test_what_was_set_aside_is_told_at_every_start(open_here: OpenOutbox) -> None:
    """Until a person has taken the file away."""
    outbox = await open_here()
    await outbox.write(a_resolution())
    await outbox.finish(outbox.first("studio", 1), [b"{}"])
    await outbox.close()

    (warning,) = (await open_here()).warnings
    assert str(outbox.rejected) in warning


async def test_how_long_the_oldest_waits_is_known_after_a_restart_too(open_here: OpenOutbox, tmp_path: Path) -> None:
    """Of what a dead process left the file's time is known; nothing waits for no time."""
    outbox = await open_here()
    empty_s = outbox.oldest_age_s
    await outbox.write(a_resolution(1))
    fresh_s = outbox.oldest_age_s
    await outbox.close()
    (segment,) = (tmp_path / "outbox").glob("*.outbox")
    an_hour_ago = segment.stat().st_mtime - 3600
    os.utime(segment, (an_hour_ago, an_hour_ago))
    later = await open_here()
    await later.write(a_resolution(2))

    assert 0 == empty_s
    assert 0 <= fresh_s < 60
    assert 3600 <= later.oldest_age_s < 3660


async def test_what_another_leaves_later_is_adopted(open_here: OpenOutbox) -> None:
    """Of a process that dies after this one began; what it has while it lives is left alone. Nothing comes twice."""
    mine, other = await open_here(), await open_here()
    await mine.write(a_resolution(1))
    await other.write(a_resolution(2))
    mine.arrived.clear()

    await mine.adopt()
    while_it_lives = waiting(mine)
    await other.close()
    for _ in range(2):
        await mine.adopt()

    assert ([1], [1, 2], True) == (while_it_lives, waiting(mine), mine.arrived.is_set())
    await mine.finish(mine.first("studio", 9))
    await mine.close()
    assert 0 == (await open_here()).depth
