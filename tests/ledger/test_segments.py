"""The outbox's files: appended, locked, adopted, removed."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gatekeeper.ledger import segments as segments_module
from gatekeeper.ledger.resolution import record_frame
from gatekeeper.ledger.segments import REJECTED_NAME, Segments

Open = Callable[[], Segments]


@pytest.fixture(name="directory")
def _directory(tmp_path: Path) -> Path:
    return tmp_path / "data" / "outbox"


@pytest.fixture(name="segments")
def _segments(directory: Path) -> Iterator[Segments]:
    """Open, in an empty directory."""
    segments = Segments(directory)
    assert [] == segments.open()
    with closing(segments):
        yield segments


def files(directory: Path) -> list[str]:
    """The segments that are there."""
    return sorted(path.name for path in directory.glob("*.outbox"))


def adopted(directory: Path) -> list[bytes]:
    """What the next process finds, which then dies."""
    later = Segments(directory)
    with closing(later):
        return [entry.payload for entry in later.open()]


def test_an_empty_outbox_has_no_files(segments: Segments, directory: Path) -> None:
    """The directory is private, and nothing is in it until something has to be."""
    assert (0o700, []) == (directory.stat().st_mode & 0o777, list(directory.iterdir()))


def test_a_file_names_its_worker_and_process(segments: Segments, directory: Path) -> None:
    """Several workers do not meet in one file, and a person sees whose it is."""
    segments.append([b"a"])

    assert [f"000000000001-w0-p{os.getpid()}.outbox"] == files(directory)


def test_what_a_dead_process_left_is_adopted_in_order(segments: Segments, directory: Path) -> None:
    """Records of two appends, one of them done: the rest is found, oldest first."""
    first = segments.append([b"a", b"b"])
    segments.append([b"c"])
    segments.finish(first[:1])
    segments.close()

    assert [b"b", b"c"] == adopted(directory)


def test_what_a_living_process_has_is_left_alone(segments: Segments, directory: Path) -> None:
    """Two processes share a directory, each with files of its own."""
    segments.append([b"a"])
    other = Segments(directory)
    with closing(other):
        assert [] == other.open()
        other.append([b"b"])
        assert 2 == len(files(directory))
    segments.close()

    assert [b"a", b"b"] == adopted(directory)


def test_a_file_goes_when_all_in_it_is_done(segments: Segments, directory: Path) -> None:
    """What was told to the ledger takes no room, and the next record gets a new file."""
    segments.finish(segments.append([b"a", b"b"]))
    gone = files(directory)
    segments.append([b"c"])

    assert ([], 1) == (gone, len(files(directory)))
    assert len(record_frame(0, b"c")) == segments.size_bytes


def test_done_twice_is_done(segments: Segments, directory: Path) -> None:
    """Finishing what was finished before changes nothing."""
    entries = segments.append([b"a", b"b"])
    segments.finish(entries[:1])
    segments.finish(entries)
    segments.finish(entries)

    assert [] == files(directory)


def test_a_large_file_is_followed_by_another(
    segments: Segments, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Room comes back in pieces: the first file goes while the second has something waiting."""
    monkeypatch.setattr(segments_module, "SEGMENT_BYTES_MAX", 100)
    first = segments.append([b"a" * 100])
    segments.append([b"b"])
    two = files(directory)
    segments.finish(first)

    assert (2, two[1:]) == (len(two), files(directory))


def test_a_torn_record_is_cut_off_before_anything_follows_it(segments: Segments, directory: Path) -> None:
    """Notes that are written after an adoption are read by the one after."""
    segments.append([b"a", b"b"])
    segments.close()
    (path,) = directory.glob("*.outbox")
    path.write_bytes(path.read_bytes() + record_frame(2, b"torn" * 50)[:100])
    second, third = Segments(directory), Segments(directory)
    with closing(second):
        second.finish(second.open()[:1])
    with closing(third):
        assert [b"b"] == [entry.payload for entry in third.open()]

    assert ([], []) == (second.damaged, third.damaged)


def test_what_cannot_be_read_is_kept_and_told(segments: Segments, directory: Path) -> None:
    """Damage in the middle of a file: what is before it is adopted, what is behind it is kept for a person."""
    segments.append([b"first", b"second", b"third"])
    segments.close()
    (path,) = directory.glob("*.outbox")
    data = bytearray(path.read_bytes())
    data[len(record_frame(0, b"first")) + 20] ^= 1
    path.write_bytes(data)
    second = Segments(directory)
    with closing(second):
        assert [b"first"] == [entry.payload for entry in second.open()]

    assert [path.with_suffix(".damaged")] == second.damaged
    assert bytes(data)[len(record_frame(0, b"first")) :] == second.damaged[0].read_bytes()


def test_what_is_rejected_is_on_disk_before_it_is_done(
    segments: Segments, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If it cannot be set aside it stays."""
    entries = segments.append([b"a"])
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", no_room)
        with pytest.raises(OSError, match="No space"):
            segments.finish(entries, [b"{}"])
    stayed = files(directory)
    segments.finish(entries, [b'{"amount":1}'])

    assert (1, []) == (len(stayed), files(directory))
    assert b'{"amount":1}' == (directory / REJECTED_NAME).read_bytes().splitlines()[-1]


def no_room(_fd: int) -> None:
    """A disk that is full."""
    raise OSError(errno.ENOSPC, "No space left on device")


def test_after_a_failed_write_the_next_goes_to_a_new_file(
    segments: Segments, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows what a failed fsync left; what was on disk before is found, and so is what came after."""
    segments.append([b"before"])
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", no_room)
        with pytest.raises(OSError, match="No space"):
            segments.append([b"lost"])
        with pytest.raises(OSError, match="No space"):
            segments.append([b"lost too"])
    segments.append([b"after"])

    assert 2 == len(files(directory))
    segments.close()
    found = adopted(directory)
    assert (b"before", b"after") == (found[0], found[-1])


def test_on_a_full_disk_what_is_done_still_goes(
    segments: Segments, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A note that cannot be written is no reason to keep the file when the last record is done."""
    entries = segments.append([b"a", b"b"])
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", no_room)
        segments.finish(entries[:1])
        segments.finish(entries[1:])

    assert [] == files(directory)
