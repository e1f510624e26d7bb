"""Letters on disk: whole or not there, once each, and known again after they have left."""

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from gatekeeper.proxy.webhooks.letters import MARKS_KEPT_S, BoxFull, Letter, LetterBox


def box(directory: Path, letters_max: int = 10, bytes_max: int = 100_000) -> LetterBox:
    """A box that is open."""
    opened = LetterBox(directory / "webhooks", letters_max=letters_max, bytes_max=bytes_max)
    opened.open()
    return opened


def names(directory: Path) -> list[str]:
    """The files in the box."""
    return sorted(path.name for path in (directory / "webhooks").iterdir())


def letter(name: str = "msg_1", body: bytes = b'{"id":"job-1"}\xff') -> Letter:
    return Letter(
        id=name, url="https://example.com/hook", body=body, headers={"Content-Type": "application/json"},
        team="team-0", provider="replicate", hold_id="hold-1", written_at_ms=1_000,
    )  # fmt: skip


def test_a_letter_comes_back_as_it_was(tmp_path: Path) -> None:
    """Bytes that are no text included, and in the next process too."""
    box(tmp_path).put(letter())

    later = LetterBox(tmp_path / "webhooks", letters_max=10, bytes_max=100_000)
    (waiting,) = later.open()
    with later.opened(waiting.name) as read:
        assert letter() == read


def test_an_event_is_kept_once(tmp_path: Path) -> None:
    """While it waits, and after it was delivered, in this process and the next."""
    first = box(tmp_path)

    answers = [first.put(letter()) is not None, first.put(letter()) is not None]
    first.finish("team-0@msg_1")
    answers += [first.put(letter()) is not None, box(tmp_path).put(letter()) is not None]

    assert [True, False, False, False] == answers
    assert (0, []) == (first.depth, box(tmp_path).open())


def test_two_processes_keep_one(tmp_path: Path) -> None:
    """Whoever is first; the other is told that it is there."""
    first, second = box(tmp_path), box(tmp_path)

    assert [True, False] == [each.put(letter()) is not None for each in (first, second)]


def test_one_at_a_time_delivers(tmp_path: Path) -> None:
    """A letter that is in one process's hands is in no other's."""
    first, second = box(tmp_path), box(tmp_path)
    first.put(letter())

    with first.opened("team-0@msg_1") as held, second.opened("team-0@msg_1") as other:
        assert (True, None) == (held is not None, other)


def test_what_another_has_delivered_is_not_there(tmp_path: Path) -> None:
    """Even for whoever had it in view before."""
    first = box(tmp_path)
    first.put(letter())
    second = box(tmp_path)
    first.finish("team-0@msg_1")

    with second.opened("team-0@msg_1") as read:
        assert (None, False) == (read, second.has("team-0@msg_1"))


@pytest.mark.parametrize("by", ["letters_max", "bytes_max"])
def test_a_full_box_takes_no_more(tmp_path: Path, by: str) -> None:
    """By count and by bytes; what is in it stays. One team has a quarter of it."""
    size = box(tmp_path / "other").put(letter())
    assert size is not None
    full = box(tmp_path, **{by: 4 if by == "letters_max" else 4 * size.size_bytes})

    full.put(letter("msg_1"))
    with pytest.raises(BoxFull):
        full.put(letter("msg_2"))
    for number in range(3):
        full.put(replace(letter(), team=f"team-{number + 1}"))
    with pytest.raises(BoxFull):
        full.put(replace(letter(), team="team-4"))

    assert 4 == full.depth


def test_a_letter_that_cannot_be_read_is_set_aside(tmp_path: Path) -> None:
    """Under another name, and the others go on."""
    opened = box(tmp_path)
    opened.put(letter())
    (tmp_path / "webhooks" / "team-0@msg_1.letter").write_bytes(b"{ no letter")

    with opened.opened("team-0@msg_1") as read:
        assert read is None
    assert (["team-0@msg_1.damaged"], 0) == (names(tmp_path), opened.depth)


def test_old_marks_and_halves_go(tmp_path: Path) -> None:
    """After three days no provider repeats itself; a half-written letter was never answered for."""
    opened = box(tmp_path)
    opened.put(letter())
    opened.finish("team-0@msg_1")
    half = tmp_path / "webhooks" / "team-0@msg_2-1-1.tmp"
    half.write_bytes(b"{")
    for path in (tmp_path / "webhooks" / "team-0@msg_1.done", half):
        os.utime(path, (time.time() - MARKS_KEPT_S - 1,) * 2)

    opened.tidy()

    assert [] == names(tmp_path)


def test_marks_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest go first."""
    monkeypatch.setattr("gatekeeper.proxy.webhooks.letters.MARKS_MAX", 2)
    opened = box(tmp_path)
    for number in range(4):
        opened.put(letter(f"msg_{number}"))
        opened.finish(f"team-0@msg_{number}")
        os.utime(tmp_path / "webhooks" / f"team-0@msg_{number}.done", (time.time() - 100 + number,) * 2)

    opened.tidy()

    assert ["team-0@msg_2.done", "team-0@msg_3.done"] == names(tmp_path)


def test_files_are_for_the_owner_alone(tmp_path: Path) -> None:
    """An address may hold a secret."""
    opened = box(tmp_path)
    opened.put(letter())

    modes = [(tmp_path / "webhooks" / name).stat().st_mode & 0o777 for name in (".", "team-0@msg_1.letter")]
    assert [0o700, 0o600] == modes


def test_a_name_that_is_no_file_name_is_refused(tmp_path: Path) -> None:
    """It is derived, so this would be a mistake of our own."""
    with pytest.raises(ValueError, match="file name"):
        box(tmp_path).put(letter("../msg_1"))


def test_one_that_is_delivered_just_now_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its provider repeats it between the word of its receiver and the mark."""
    mine, exists = box(tmp_path), Path.exists
    mine.put(letter())

    def delivered_behind_it(path: Path) -> bool:
        found = exists(path)
        mine.finish("team-0@msg_1")
        return found

    monkeypatch.setattr(Path, "exists", delivered_behind_it)

    assert mine.put(letter()) is None
    assert ["team-0@msg_1.done"] == names(tmp_path)


def test_one_that_another_delivers_meanwhile_is_not_put(tmp_path: Path) -> None:
    """The provider called two processes at once, and the receiver is quick."""
    other = box(tmp_path)

    class Late(LetterBox):
        """Another process does all of it while this one looks whether there is room."""

        def _check_room(self, team: str, size_bytes: int) -> None:
            other.put(letter())
            other.finish("team-0@msg_1")
            super()._check_room(team, size_bytes)

    late = Late(tmp_path / "webhooks", letters_max=10, bytes_max=100_000)
    late.open()

    assert late.put(letter()) is None
    assert (["team-0@msg_1.done"], 0) == (names(tmp_path), late.depth)
