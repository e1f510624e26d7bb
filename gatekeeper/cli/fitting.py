"""Making a table fit the terminal: smaller gaps first, then lines that break between words, never within one.

Where not even that is narrow enough the table is left to rich, which breaks words.
"""

from rich.console import Console
from rich.table import Table

GAPS = (1, 0)
"""Spaces on each side of a column's divider, which is one space itself."""


def fit(table: Table, console: Console) -> Table:
    """The table with gaps and widths of columns so that it fits."""
    whole = [_widest(column.header, *column.cells, by_word=False) for column in table.columns]
    words = [_widest(column.header, *column.cells, by_word=not column.no_wrap) for column in table.columns]
    for wanted in (whole, words):
        for gap in GAPS:
            left = console.width - sum(wanted) - (1 + 2 * gap) * (len(wanted) - 1)
            if left >= 0:
                return _set(table, gap, wanted, whole, left)
    return table


def _set(table: Table, gap: int, widths: list[int], whole: list[int], left: int) -> Table:
    """Widths as wanted; what is left goes to columns that could use it, each in its turn."""
    given = list(widths)
    while left and any(width < most for width, most in zip(given, whole, strict=True)):
        for index, most in enumerate(whole):
            if left and given[index] < most:
                given[index], left = given[index] + 1, left - 1
    table.padding = (0, gap)
    for column, width in zip(table.columns, given, strict=True):
        column.width = width
    return table


def _widest(*cells: object, by_word: bool) -> int:
    return max(
        (len(part) for cell in cells for part in (str(cell).split() if by_word else str(cell).split("\n"))), default=1
    )
