"""Printing: JSON for scripts, one line for each thing that went wrong, and what tables say in a cell."""

import json
import re
import sys
from decimal import Decimal
from typing import Any

import orjson
import typer

_FRACTION = re.compile(r"(?<=:\d\d)\.\d{3}Z$")
"""Of an instant: no table is about parts of a second."""


def tell_more(cursor: str | None) -> None:
    """How to see the rest of a list."""
    if cursor is not None:
        print(f"There are more: --cursor {cursor}")


def cell(value: Any) -> str:
    """A fact of a JSON document as a table shows it."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(str, value))
        case _:
            return _FRACTION.sub("Z", str(value))


def print_json(document: object) -> None:
    """A document on stdout, indented, credits as exact numbers."""
    sys.stdout.write(to_json(document))


def to_json(document: object) -> str:
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def plain(document: object) -> Any:
    """A document as the reader of its JSON sees it, numbers exact. Tables are made of this, so both say the same."""
    return json.loads(to_json(document), parse_float=Decimal)


def say(line: str) -> None:
    """A line on stderr, never wrapped."""
    typer.echo(line, err=True)
