"""The exported file: whole lines only, one after the other, and damage is named with its line."""

import json
from pathlib import Path

import pytest

from gatekeeper.ledger.codec import ENTRY_FIELDS
from gatekeeper.ledger.errors import ExportBroken
from gatekeeper.ledger.exportfile import LINE_BYTES_MAX, export_path, open_export, read_export, to_line
from gatekeeper.ledger.records import Entry, EntryKind

TEXTS = [name for name in ENTRY_FIELDS if name not in {"kind", "at", "amount", "charged"}]


def entry(seq: int, meta: str = '{"model":"flux"}') -> Entry:
    fields = dict.fromkeys(TEXTS, "") | {"id": "g", "member": "佐藤", "meta": meta}
    return Entry(seq, 1_763_800_000_000, EntryKind.GRANT, "g", 9_000_000_000_000_000, 1, fields)


def export(directory: Path, entries: list[Entry]) -> Path:
    """Appends entries and lets the file go."""
    file = open_export(directory, "studio")
    try:
        file.append(entries)
        file.sync()
    finally:
        file.close()
    return export_path(directory, "studio")


def test_a_line_has_every_field_by_name(tmp_path: Path) -> None:
    """Numbers are whole, amounts in micro-credits, texts as they are."""
    line = json.loads(export(tmp_path, [entry(1)]).read_text())

    assert ("studio", 1, 1_763_800_000_000, "grant") == (line["team"], line["seq"], line["at_ms"], line["kind"])
    assert (9_000_000_000_000_000, 1) == (line["amount_microcredits"], line["charged_microcredits"])
    assert ("佐藤", '{"model":"flux"}') == (line["member"], line["meta"])


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """Entries come back as they were, over several exports, and nothing comes where nothing was exported."""
    export(tmp_path, [entry(1), entry(2, "tab\tline\n\x00")])
    export(tmp_path, [entry(3, "x" * 4096)])

    assert [entry(1), entry(2, "tab\tline\n\x00"), entry(3, "x" * 4096)] == list(read_export(tmp_path, "studio"))
    assert [] == list(read_export(tmp_path, "nobody"))


@pytest.mark.parametrize("kept", range(0, 260, 13))
def test_a_cut_last_line_is_written_again(tmp_path: Path, kept: int) -> None:
    """Wherever a crash cut the last line, the file goes on after the last whole one."""
    path = export(tmp_path, [entry(1), entry(2)])
    whole = len(to_line("studio", entry(1)))
    path.write_bytes(path.read_bytes()[: whole + kept])
    export(tmp_path, [entry(2), entry(3)])

    assert [1, 2, 3] == [each.seq for each in read_export(tmp_path, "studio")]


def test_a_file_of_one_cut_line_begins_anew(tmp_path: Path) -> None:
    """There is nothing whole in it."""
    export_path(tmp_path, "studio").write_bytes(b'{"team":"stu')
    export(tmp_path, [entry(1)])

    assert [entry(1)] == list(read_export(tmp_path, "studio"))


def test_what_does_not_follow_is_not_written(tmp_path: Path) -> None:
    """Neither a gap nor a repetition gets into a file."""
    path = export(tmp_path, [entry(1)])
    before = path.read_bytes()
    for wrong in ([entry(1)], [entry(3)], [entry(2), entry(4)]):
        with pytest.raises(ExportBroken, match="gap: entry"):
            export(tmp_path, wrong)

    assert before == path.read_bytes()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (b"{}\n", "line 2: it is no journal entry of team studio"),
        (b"garbage\n", "line 2: "),
        (b'{"team":"studio"}\n', "line 2: it has no "),
        (to_line("other", entry(2)), "line 2: it is no journal entry of team studio"),
        (to_line("studio", entry(3)), "line 2: entry 3 stands where 2 belongs"),
        (to_line("studio", entry(2)).replace(b'"grant"', b'"gift"'), "line 2: "),
        (to_line("studio", entry(2)).replace(b'"seq":2', b'"seq":2.0'), "line 2: a field has a value of another type"),
        (b"x" * (LINE_BYTES_MAX + 1) + b"\n", "line 2: it is longer than any journal entry"),
    ],
)
def test_damage_is_named_with_its_line(tmp_path: Path, damage: bytes, said: str) -> None:
    """What stands before it is read."""
    path = export(tmp_path, [entry(1)])
    path.write_bytes(path.read_bytes() + damage + to_line("studio", entry(3)))
    read = read_export(tmp_path, "studio")

    assert entry(1) == next(read)
    with pytest.raises(ExportBroken, match=f"studio.jsonl, {said}"):
        next(read)


@pytest.mark.parametrize("end", [b"garbage\n", b"x" * (3 * LINE_BYTES_MAX)])
def test_a_damaged_end_is_not_continued(tmp_path: Path, end: bytes) -> None:
    """Nobody could say what is to follow; the file stays as it is."""
    path = export(tmp_path, [entry(1)])
    path.write_bytes(path.read_bytes() + end)
    before = path.read_bytes()
    with pytest.raises(ExportBroken, match="empty directory"):
        open_export(tmp_path, "studio")

    assert before == path.read_bytes()


def test_a_file_of_something_else_stays_as_it_is(tmp_path: Path) -> None:
    """What is longer than any cut line is nobody's to drop, even if no line of the file is whole."""
    path = export_path(tmp_path, "studio")
    path.write_bytes(b"x" * (LINE_BYTES_MAX + 1))
    with pytest.raises(ExportBroken, match="empty directory"):
        open_export(tmp_path, "studio")

    assert LINE_BYTES_MAX + 1 == path.stat().st_size


def test_one_export_at_a_time(tmp_path: Path) -> None:
    """A second one is told to wait, and may come when the first has ended."""
    first = open_export(tmp_path, "studio")
    with pytest.raises(ExportBroken, match="another export"):
        open_export(tmp_path, "studio")
    first.close()
    open_export(tmp_path, "studio").close()

    assert b"" == first.path.read_bytes()


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    """Who spent what is nobody else's business."""
    path = export(tmp_path / "journal", [entry(1)])

    assert (0o700, 0o600) == (path.parent.stat().st_mode & 0o777, path.stat().st_mode & 0o777)
