"""A run on its command line, and what it keeps."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.__main__ import PARTS
from benchmarks.bench import FULL, QUICK
from benchmarks.books import line
from benchmarks.results import Results, Row, Section
from benchmarks.running import carry_out, keep

BOOK: dict[str, Any] = {
    "store": "store of gate", "outputs": 1234, "credits_made": 43190, "credits_charged": 43190.0, "credits_held": 0.0,
    "open_holds": 0, "verify_clean": True, "agree": True,
}  # fmt: skip


def test_an_unknown_part_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is started for it."""
    monkeypatch.setattr("sys.argv", ["benchmarks", "--only", "small,speed"])

    with pytest.raises(SystemExit):
        carry_out("benchmarks", "", PARTS, {"full": FULL, "quick": QUICK})

    assert "no part is called speed" in capsys.readouterr().err


def test_a_run_is_kept(tmp_path: Path) -> None:
    """A file with every round, and a plot beside it."""
    results = Results("2026-01-02T03:04:05+00:00", "quick", {"processor": "p", "commit": "c"})
    results.sections = [Section("small", "Small", "us", (Row.of("aio", [1.0, 3.0], ("aio", [1.0, 3.0])),))]

    path = keep(results, tmp_path / "results" / "x.json", plot=True)

    document = json.loads(path.read_text())
    assert [1.0, 3.0] == document["sections"][0]["rows"][0]["value"]["rounds"]
    assert path.with_suffix(".svg").exists()


def test_books_that_agree_are_told_in_a_line() -> None:
    """What was made, charged and held, and the verdict of `verify`."""
    assert (
        "store of gate: books agree: 1,234 outputs made, worth 43,190 credits; 43,190 charged, 0 held, 0 open holds; "
        "verify clean"
    ) == line(BOOK)


def test_books_that_disagree_cannot_be_overlooked() -> None:
    """In capitals."""
    told = line(BOOK | {"agree": False, "verify_clean": False, "credits_charged": 43155.0})

    assert "DO NOT AGREE" in told
    assert "43,155 charged" in told
    assert "verify NOT clean" in told
