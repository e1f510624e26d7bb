"""Bodies that wait to be sent: the same bytes from memory and from disk, bounded, and gone at their end."""

import asyncio
import os
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatekeeper.core.pieces import PIECE_BYTES
from gatekeeper.core.rejection import Code, Rejected
from gatekeeper.proxy.keeping import AT_ONCE_BYTES, Body, Corner, Room, aside, looked_through

MEMORY_BYTES = 4 * 1024**2
BODY_BYTES = 128 * 1024
JSON_BYTES = 3 * 1024**2 + 64 * 1024


def room_in(folder: Path, **changed: int) -> Room:
    """A room with little in it."""
    return Room(
        **{"memory_bytes": MEMORY_BYTES, "body_memory_bytes": BODY_BYTES, "json_memory_bytes": JSON_BYTES} | changed,
        folder=folder,
    )


async def filled(room: Room, pieces: list[bytes], *, is_json: bool = False) -> Body:
    """A body that these pieces have come of."""
    body = Body(room, is_json=is_json)
    for piece in pieces:
        if body.add(piece):
            await body.put_away()
    return body


def open_files() -> int:
    """How many files and sockets this process has open."""
    return len(named_in(Path("/proc/self/fd")))


def named_in(folder: Path) -> list[Path]:
    """What has a name there."""
    return list(folder.iterdir())


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 100_000), max_size=9), st.booleans())
async def test_it_is_the_bytes_that_came(tmp_path: Path, lengths: list[int], is_json: bool) -> None:
    """From memory and from a file, as often as one reads it, with the size and number of pieces that it says."""
    pieces = [bytes([number + 1]) * length for number, length in enumerate(lengths)]
    body = await filled(room_in(tmp_path), pieces, is_json=is_json)
    try:
        for _ in range(2):
            assert b"".join(pieces) == b"".join(body)
        assert (sum(lengths), len(list(body))) == (body.size_bytes, len(body))
        assert list(body) == [body[number] for number in range(len(body))]
    finally:
        body.release()


async def test_what_is_in_memory_is_bounded_however_large_it_is(tmp_path: Path) -> None:
    """A body of a hundred times the bound never has more of it in memory, nor a piece that is larger than usual."""
    room, least = room_in(tmp_path), MEMORY_BYTES
    body = Body(room, is_json=False)
    for _ in range(200):
        if body.add(bytes(PIECE_BYTES)):
            least = min(least, room.free_bytes)
            await body.put_away()

    assert MEMORY_BYTES - BODY_BYTES - 2 * PIECE_BYTES <= least
    assert {PIECE_BYTES} == {len(piece) for piece in body}
    body.release()


async def test_nothing_is_left_of_it(tmp_path: Path) -> None:
    """Its file never had a name, is closed at its end, and its memory is others' again; it may end twice."""
    room, before = room_in(tmp_path), open_files()
    body = await filled(room, [bytes(BODY_BYTES)] * 3)
    while_it_is_there = open_files(), named_in(tmp_path)
    for _ in range(2):
        body.release()

    assert (before + 1, []) == while_it_is_there
    assert (before, MEMORY_BYTES) == (open_files(), room.free_bytes)
    with pytest.raises(ValueError, match="released"):
        list(body)


async def test_nobody_else_can_open_its_file(tmp_path: Path) -> None:
    """It is the process's own, as long as it is there."""
    room = room_in(tmp_path)

    with room.open_file() as file:
        assert 0o600 == os.fstat(file.fileno()).st_mode & 0o777


async def test_json_stays_in_memory_unless_it_is_very_large(tmp_path: Path) -> None:
    """All of it, and it counts; from its own bound on it goes where others go."""
    room = room_in(tmp_path)
    body = await filled(room, [bytes(BODY_BYTES)] * 8, is_json=True)
    while_it_is_small = room.free_bytes
    for _ in range(40):
        if body.add(bytes(BODY_BYTES)):
            await body.put_away()

    assert while_it_is_small < MEMORY_BYTES - 8 * BODY_BYTES
    assert room.free_bytes > MEMORY_BYTES - 3 * BODY_BYTES
    assert bytes(48 * BODY_BYTES) == b"".join(body)
    body.release()


async def test_all_together_are_bounded(tmp_path: Path) -> None:
    """What comes beyond is refused as overloaded, and told when to come again; the others stay as they are."""
    room = room_in(tmp_path)
    first = await filled(room, [b"a" * 1024**2] * 3, is_json=True)
    second = Body(room, is_json=True)

    with pytest.raises(Rejected) as refused:
        second.add(b"b" * 1024**2)

    assert (Code.OVERLOADED, 1) == (refused.value.rejection.code, refused.value.rejection.retry_after_s)
    second.release()
    assert 3 * 1024**2 == len(b"".join(first))
    first.release()
    assert MEMORY_BYTES == room.free_bytes


async def test_an_answer_takes_of_the_same_memory(tmp_path: Path) -> None:
    """As long as there is some, and until it is gone."""
    room = room_in(tmp_path)
    with Corner(room) as corner:
        took = [corner.takes(3 * 1024**2) for _ in range(2)]
        left = room.free_bytes

    assert ([True, False], 1024**2) == (took, left)
    assert MEMORY_BYTES == room.free_bytes


async def test_a_body_that_comes_byte_by_byte_counts_for_what_it_takes(tmp_path: Path) -> None:
    """Else somebody could fill the memory with bytes that weigh forty times as much."""
    body = Body(room_in(tmp_path, memory_bytes=100_000), is_json=True)

    while body.size_bytes < 2000:
        body.add(b"x")

    with pytest.raises(Rejected, match="overloaded"):
        body.add(bytes(40_000))

    body.release()


async def test_a_disk_that_takes_nothing_is_a_refusal(tmp_path: Path) -> None:
    """Nothing goes on without the body."""
    body = Body(room_in(tmp_path / "not there"), is_json=False)
    body.add(bytes(BODY_BYTES))

    with pytest.raises(Rejected, match=r"overloaded: .*could not be put on disk"):
        await body.put_away()

    body.release()


async def test_a_full_disk_is_a_refusal() -> None:
    """Half a body is none."""

    class FullDisk(Room):
        def open_file(self) -> object:  # type: ignore[override]
            return Path("/dev/full").open("r+b", buffering=0)

    body = Body(
        FullDisk(memory_bytes=MEMORY_BYTES, body_memory_bytes=BODY_BYTES, json_memory_bytes=JSON_BYTES, folder=Path()),
        is_json=False,
    )
    body.add(bytes(BODY_BYTES))

    with pytest.raises(Rejected, match=r"overloaded: .*could not be put on disk"):
        await body.put_away()

    body.release()


async def test_a_cancel_waits_for_what_still_reads() -> None:
    """Whoever cancels may release the body at once."""
    begun, go_on, ended = threading.Event(), threading.Event(), list[bool]()

    def look() -> None:
        begun.set()
        go_on.wait()
        ended.append(True)

    looking = asyncio.ensure_future(aside(look))
    await asyncio.to_thread(begun.wait)
    looking.cancel()
    await asyncio.sleep(0)
    assert not looking.done()
    go_on.set()

    with pytest.raises(asyncio.CancelledError):
        await looking
    assert [True] == ended


@pytest.mark.parametrize(("size", "is_aside"), [(AT_ONCE_BYTES, False), (AT_ONCE_BYTES + 1, True)])
async def test_a_large_body_is_looked_through_in_a_thread(size: int, is_aside: bool) -> None:
    """A small one at once: a thread would take longer."""
    ran_in = await looked_through([bytes(size)], threading.get_ident)

    assert is_aside == (ran_in != threading.get_ident())
