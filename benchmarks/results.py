"""What a run found, as it is shown, kept in a file, and put into a document."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from benchmarks.figures import Figure, ratios


@dataclass(frozen=True, slots=True)
class Row:
    """One measured thing. `ratio` is to `base`, round by round; `reach` what it shall not exceed, or not fall below."""

    name: str
    value: Figure
    ratio: Figure | None = None
    base: str = ""
    reach: float | None = None
    note: str = ""
    at_least: bool = False

    @classmethod
    def of(
        cls, name: str, values: Sequence[float], base: tuple[str, Sequence[float]] | None = None, *,
        reach: float | None = None, note: str = "", at_least: bool = False,
    ) -> Self:  # fmt: skip
        """A row from its rounds and those of what it is compared with."""
        if base is None:
            return cls(name, Figure.of(values), note=note)
        return cls(name, Figure.of(values), Figure.of(ratios(values, base[1])), base[0], reach, note, at_least)

    def document(self) -> dict[str, Any]:
        """As it stands in a results file."""
        return {
            "name": self.name,
            "value": self.value.document(),
            "ratio": self.ratio and self.ratio.document(),
            "base": self.base,
            "reach": self.reach,
            "note": self.note,
            "at_least": self.at_least,
        }


@dataclass(frozen=True, slots=True)
class Section:
    """Rows with one unit, and what has to be said about them."""

    name: str
    title: str
    unit: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """As it stands in a results file."""
        rows = [row.document() for row in self.rows]
        return {"name": self.name, "title": self.title, "unit": self.unit, "rows": rows, "notes": list(self.notes)}


@dataclass(eq=False, slots=True)
class Results:
    """All of a run. `wrong` are parts that ended by wrong answers: what they would have shown is missing."""

    at: str
    mode: str
    machine: dict[str, object]
    conditions: list[str] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    books: list[dict[str, Any]] = field(default_factory=list)
    took_s: float = 0.0

    @property
    def books_agree(self) -> bool:
        """Whether every ledger, the provider and `verify` say the same."""
        return bool(self.books) and all(book["agree"] for book in self.books)

    def document(self) -> dict[str, Any]:
        """The results file."""
        return {
            "format": 1,
            "at": self.at,
            "mode": self.mode,
            "took_s": round(self.took_s, 1),
            "machine": self.machine,
            "conditions": self.conditions,
            "sections": [section.document() for section in self.sections],
            "left_out": self.left_out,
            "wrong": self.wrong,
            "books": self.books,
            "books_agree": self.books_agree,
        }
