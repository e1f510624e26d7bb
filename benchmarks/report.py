"""Shows results: tables in the terminal, a file, and the tables of a file put into a document.

    python -m benchmarks.report docs/performance.md results/2026-11-22T18-00-00.json

puts them between the lines `<!-- results:begin -->` and `<!-- results:end -->` of the document, in place of what stands
there. Nothing else of the document changes. Several files, one of peers among them, are put there one after the other.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

BEGIN: Final = "<!-- results:begin -->"
END: Final = "<!-- results:end -->"
WIDTH: Final = 132
"""Columns of what is no terminal."""
HEADINGS: Final = ("", "Median", "Range", "Ratio", "Range", "To reach", "Of")

Document = dict[str, Any]


class NoPlaceError(ValueError):
    """The document has no place for results, or more than one."""


def number(value: float) -> str:
    """With three digits that count, and no more decimals than that."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def cells(row: Document) -> tuple[str, ...]:
    """A row of results as texts, in the order of HEADINGS."""
    value, ratio = row["value"], row["ratio"]
    texts = [row["name"], number(value["median"]), f"{number(value['min'])} to {number(value['max'])}"]
    if ratio is None:
        return (*texts, "", "", "", row["base"])
    reach = "" if row["reach"] is None else f"{'≥' if row['at_least'] else '≤'} {row['reach']:g}"
    return (*texts, number(ratio["median"]), f"{number(ratio['min'])} to {number(ratio['max'])}", reach, row["base"])


def reached(row: Document) -> bool | None:
    """Whether the median ratio is what it shall be; None where nothing was set."""
    if row["reach"] is None or row["ratio"] is None:
        return None
    median, reach = row["ratio"]["median"], row["reach"]
    return bool(median >= reach if row["at_least"] else median <= reach)


def show(document: Document, console: Console) -> None:
    """Everything, for people."""
    for section in document["sections"]:
        unit = f", {section['unit']}" if section["unit"] else ""
        table = Table(title=f"{section['title']}{unit}", title_justify="left", title_style="bold")
        for heading in HEADINGS:
            table.add_column(heading, justify="left" if heading in ("", "Of") else "right")
        for row in section["rows"]:
            style = {True: "green", False: "yellow", None: None}[reached(row)]
            table.add_row(*cells(row), style=style)
        console.print(table)
        for note in notes(section):
            console.print(f"  {note}", style="dim", highlight=False)
    for left_out in document["left_out"]:
        console.print(f"left out: {left_out}", highlight=False)


def notes(section: Document) -> list[str]:
    """What has to be said about a section and its rows."""
    return [*section["notes"], *(f"{row['name']}: {row['note']}" for row in section["rows"] if row["note"])]


def markdown(document: Document) -> str:
    """The same for a document."""
    return "\n".join(_lines(document))


def _lines(document: Document) -> Iterator[str]:
    machine = document["machine"]
    commit = f"{machine['commit']}{' with changes' if machine['changed'] else ''}"
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items() if version)
    yield f"Measured {document['at']}, commit {commit}, {document['mode']}, in {document['took_s'] / 60:.0f} minutes."
    yield f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gb']:g} GB; {machine['system']}; "
    yield f"{machine['python']}; {packages}."
    yield from (f"{condition[0].upper()}{condition[1:]}." for condition in document["conditions"])
    for section in document["sections"]:
        unit = f" ({section['unit']})" if section["unit"] else ""
        yield from ("", f"### {section['title']}{unit}", "")
        yield from (f"| {' | '.join(HEADINGS)} |", f"|{'---|' * len(HEADINGS)}")
        yield from (f"| {' | '.join(cells(row))} |" for row in section["rows"])
        yield from (text for note in notes(section) for text in ("", f"{note[0].upper()}{note[1:]}."))
    if document["left_out"]:
        yield from ("", "### Left out of this run", "")
        yield from (f"- {left_out}" for left_out in document["left_out"])
    yield from ("", "### Whether it was right", "")
    yield from (f"- {book['line']}" for book in document["books"])
    yield from (f"- {wrong}" for wrong in document.get("wrong", ()))


def insert(text: str, tables: str) -> str:
    """The text with these tables in its place for them. Raises NoPlaceError."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in after:
        raise NoPlaceError(f"the document needs one line {BEGIN} and below it one line {END}")
    return f"{before}{BEGIN}\n\n{tables}\n\n{END}{after}"


def main() -> None:
    """Put the tables of results files into a document."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description="Puts results into a document.")
    parser.add_argument("document", type=Path)
    parser.add_argument("results", type=Path, nargs="+")
    stated = parser.parse_args()
    tables = "\n\n".join(markdown(json.loads(path.read_text("utf-8"))) for path in stated.results)
    stated.document.write_text(insert(stated.document.read_text("utf-8"), tables), "utf-8")


if __name__ == "__main__":
    main()
