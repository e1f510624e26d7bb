"""A file's plain data, with the line that each value stands on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gatekeeper.yamlfile.problem import Problem

DataPath = tuple[str | int, ...]
"""Where a value is: the keys and list indexes that lead to it."""


@dataclass(frozen=True, slots=True, eq=False)
class YamlFile:
    """A file's data and the line of each of its values. `data` is None for one with nothing but comments.

    Two are the same only if they are one reading, so that what follows from it can be remembered.
    """

    path: Path
    data: Any
    lines: Mapping[DataPath, int] = field(default_factory=dict, repr=False)

    def line_of(self, path: Sequence[str | int]) -> int:
        """The line of a value; where there is none (it is missing), that of the nearest thing around it."""
        return self.lines.get(self.known_part(path), 1)

    def known_part(self, path: Sequence[str | int]) -> DataPath:
        """The path without what the file does not have: missing keys, and words that a schema put in between."""
        known: DataPath = ()
        for part in path:
            if (*known, part) in self.lines:
                known = (*known, part)
        return known

    def where(self, path: Sequence[str | int]) -> str:
        """A path in words: `models[nano-banana-2].offers[0].status`. A list's entry goes by its `id` if it has one."""
        words, value = "", self.data
        for part in path:
            value = _child(value, part)
            if isinstance(part, str):
                words += f".{part}" if words else part
            else:
                name = value.get("id") if isinstance(value, dict) else None
                words += f"[{name if isinstance(name, str) else part}]"
        return words

    def problem(self, path: Sequence[str | int], what: str, mend: str) -> Problem:
        """A mistake at a value of this file."""
        return Problem(str(self.path), self.line_of(path), self.where(path), what, mend)


def _child(value: Any, part: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(part)
    return value[part] if isinstance(value, list) and isinstance(part, int) and part < len(value) else None
