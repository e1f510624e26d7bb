"""Results, as they are shown and put into a document."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from benchmarks.report import BEGIN, END, NoPlaceError, insert, main, markdown, number, reached, show
from benchmarks.results import Results, Row, Section
from benchmarks.sections.latency import _row as added_row
from tests.cases import each_case
from tests.later import Later

plot = Later("benchmarks.plot")


def results(**changes: Any) -> dict[str, Any]:
    """A document of one section."""
    machine = {"processor": "a processor", "cores": 4, "memory_gb": 8.0, "system": "Linux", "python": "CPython 3"}
    base = ("aio", [1.0, 2.0])
    rows = (Row.of("aio", base[1], base), Row.of("gateway", [2.0, 8.0], base, reach=2.5, note="with a word about it"))
    found = Results(
        "2026-01-02T03:04:05+00:00", "quick", machine | {"packages": {"x": "1"}, "commit": "c", "changed": False}
    )
    found.sections = [Section("small", "Small", "us", rows, ("a note",))]
    found.books = [{"agree": True, "line": "books agree"}]
    for name, value in changes.items():
        setattr(found, name, value)
    return found.document()


@each_case("case", [(1234.5, "1,234"), (99.94, "99.9"), (9.994, "9.99"), (0.042, "0.04"), (-12.0, "-12.0")])
def test_three_digits_count(case: tuple[float, str]) -> None:
    """More would say what was not measured."""
    value, expected = case

    assert expected == number(value)


def test_a_row_has_its_ratio_round_by_round() -> None:
    """2 to 1 and 8 to 2, so 3 in the middle."""
    row = results()["sections"][0]["rows"][1]

    assert (3.0, 2.0, 4.0) == tuple(row["ratio"][name] for name in ("median", "min", "max"))


@each_case(
    "case", [(2.5, False, False), (3.0, False, True), (3.5, True, False), (3.0, True, True), (None, False, None)]
)
def test_a_row_reaches_what_it_shall(case: tuple[float | None, bool, bool | None]) -> None:
    """At most, or at least; nothing where nothing was set."""
    reach, at_least, expected = case
    row = Row.of("x", [3.0], ("aio", [1.0]), reach=reach, at_least=at_least)

    assert expected == reached(row.document())


def test_the_tables_go_between_their_lines() -> None:
    """Nothing else of a document changes, and putting them in twice is putting them in once."""
    text = f"# Before\n\n{BEGIN}\nold\n{END}\n\nafter\n"

    once = insert(text, "new")

    assert f"# Before\n\n{BEGIN}\n\nnew\n\n{END}\n\nafter\n" == once == insert(once, "new")


@each_case("text", ["", BEGIN, f"{END} {BEGIN}", f"{BEGIN} {END} {BEGIN} {END}"])
def test_a_document_without_its_place_is_refused(text: str) -> None:
    """Nothing is put anywhere else."""
    with pytest.raises(NoPlaceError):
        insert(text, "new")


def test_the_document_has_everything() -> None:
    """Where, with what, rows, notes, what was left out, and the verdict on the books."""
    text = markdown(results(left_out=["nginx: not installed"]))

    for part in ("commit c", "a processor", "| gateway | 5.00 | 2.00 to 8.00 | 3.00 | 2.00 to 4.00 | ≤ 2.5 | aio |",
                 "A note.", "Gateway: with a word about it.", "- nginx: not installed", "- books agree"):  # fmt: skip
        assert part in text


def test_the_terminal_has_the_same() -> None:
    """Rows, notes, what was left out."""
    out = io.StringIO()

    show(results(left_out=["nginx: not installed"]), Console(file=out, width=120))

    for part in ("Small, us", "gateway", "≤ 2.5", "a note", "left out: nginx: not installed"):
        assert part in out.getvalue()


def test_without_books_nothing_agrees() -> None:
    """A run that judged nothing proves nothing."""
    assert (True, False, False) == tuple(
        results(books=books)["books_agree"] for books in ([{"agree": True}], [{"agree": True}, {"agree": False}], [])
    )


def test_a_picture_is_drawn(tmp_path: Path) -> None:
    """An SVG with the names of the rows."""
    plot.draw(results(), tmp_path / "x.svg")

    assert "<svg" in (tmp_path / "x.svg").read_text()


def test_a_reference_that_added_nothing_is_compared_by_medians() -> None:
    """Noise in one round is no reason to have no ratio, but it is said."""
    row = added_row("gateway", [4.0, 8.0, 6.0], [2.0, -1.0, 3.0], 1.5)

    assert row.ratio is not None
    assert (3.0, (3.0,)) == (row.ratio.median, row.ratio.values)
    assert "medians" in row.note


def test_a_reference_that_adds_nothing_has_no_ratio() -> None:
    """Nothing is divided by nothing."""
    assert added_row("gateway", [4.0], [0.0], 1.5).ratio is None


def test_several_files_go_into_one_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of peers beside the others, in the order they are named."""
    page, first, second = tmp_path / "page.md", tmp_path / "a.json", tmp_path / "b.json"
    page.write_text(f"{BEGIN}\n{END}\n")
    first.write_text(json.dumps(results(left_out=["one"])))
    second.write_text(json.dumps(results(left_out=["two"])))
    monkeypatch.setattr("sys.argv", ["report", str(page), str(first), str(second)])

    main()

    assert 0 < page.read_text().index("- one") < page.read_text().index("- two")
