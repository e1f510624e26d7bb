"""Tables and bars for people. Apart from `show`, for not every command draws."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Table

from gatekeeper.cli.fitting import fit
from gatekeeper.cli.show import cell, plain, print_json, tell_more

_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\dZ)")

WIDE_COLUMNS_MIN = 120
"""From this width on tables give every fact a column of its own."""


def terminal() -> Console:
    """Standard output. Markup stays off: what is printed comes from files and may have brackets in it."""
    return Console(markup=False, highlight=False, emoji=False)


def is_wide() -> bool:
    """Whether there is room for every column."""
    return terminal().width >= WIDE_COLUMNS_MIN


def new_table(*columns: str, right: Sequence[str] = (), whole: Sequence[str] = ()) -> Table:
    """A plain table; the columns named in `right` hold numbers, those in `whole` what people copy, never broken."""
    table = Table(box=box.SIMPLE, pad_edge=False, show_edge=False)
    for column in columns:
        justify: Literal["left", "right"] = "right" if column in right else "left"
        table.add_column(column, justify=justify, overflow="fold", no_wrap=column in whole)
    return table


def print_rows(
    rows: Sequence[Mapping[str, Any]],
    columns: Mapping[str, str],
    *,
    right: Sequence[str] = (),
    whole: Sequence[str] = (),
) -> None:
    """A table of facts: for each column its heading and which fact it shows. Nothing without rows."""
    if rows:
        table = new_table(*columns, right=right, whole=whole)
        for row in rows:
            table.add_row(*(breakable(cell(row[fact])) for fact in columns.values()))
        print_table(table)


def print_table(table: Table) -> None:
    """A table on stdout, as wide as the terminal at most."""
    out = terminal()
    out.print(fit(table, out))


def breakable(text: str) -> str:
    """A cell whose times have a space where a narrow column may break them: 2026-11-30 23:00:00Z."""
    return _INSTANT.sub(r"\1 \2", text)


def print_page(
    document: Mapping[str, Any],
    things: str,
    columns: Mapping[str, str],
    *,
    none: str,
    right: Sequence[str] = (),
    whole: Sequence[str] = (),
    as_json: bool,
) -> None:
    """A page of a list: the document for scripts; for people a table, or `none`, and how to see the rest."""
    if as_json:
        print_json(document)
        return
    found = plain(document)
    print_rows(found[things], columns, right=right, whole=whole)
    if not found[things]:
        print(none)
    tell_more(found["next_cursor"])


@contextmanager
def progress(what: str, total: int, *, silent: bool) -> Iterator[Callable[[str], Callable[[int, int], None]]]:
    """Bars on stderr while something long is done, one for all `total` things and one for the thing at hand; nothing
    where nobody watches. Gives a function that begins the next thing, by name, and gives one to be told how far it is.
    """
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TaskProgressColumn())
    with Progress(*columns, console=console, transient=True, disable=silent or not console.is_terminal) as bars:
        whole, part = bars.add_task(what, total=total), bars.add_task("", total=None)
        begun = iter(range(total + 1))

        def begin(name: str) -> Callable[[int, int], None]:
            bars.update(whole, completed=next(begun))
            bars.reset(part, description=name, total=None)
            return lambda done, of: bars.update(part, completed=done, total=of)

        yield begin
