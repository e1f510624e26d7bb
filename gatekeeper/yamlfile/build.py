"""Turns the parser's steps into plain data, without recursion, noting lines and mistakes as it goes.

One spelling of everything: no anchors, tags, merge keys or second documents, and keys are always text. That keeps
files plain to read, and a small file cannot grow into a large value.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceStartEvent,
)

from gatekeeper.yamlfile.data import DataPath, YamlFile
from gatekeeper.yamlfile.problem import Problem
from gatekeeper.yamlfile.scalar import read_scalar

DEPTH_MAX = 24
"""The deepest file of the project nests seven levels."""


class Unreadable(Exception):
    """Ends the reading of a file whose structure cannot be followed; what is wrong is noted."""


@dataclass(slots=True)
class _Open:
    """A mapping or list that is being filled."""

    value: dict[str, Any] | list[Any]
    path: DataPath
    key: str | None = None


class Builder:
    """Makes plain data of parser events, step by step and without recursion, noting lines and mistakes."""

    def __init__(self, path: Path) -> None:
        self.root: Any = None
        self.lines: dict[DataPath, int] = {}
        self.problems: list[Problem] = []
        self._file = str(path)
        self._open: list[_Open] = []
        self._documents = 0

    def take(self, event: Event) -> None:
        if isinstance(event, DocumentStartEvent):
            self._start_document(event)
        elif isinstance(event, CollectionEndEvent):
            self._close(isinstance(event, MappingEndEvent), event)
        elif isinstance(event, NodeEvent):
            self._refuse_extras(event)
            self._take_node(event)

    def _start_document(self, event: DocumentStartEvent) -> None:
        self._documents += 1
        if self._documents > 1:
            self._note(event, "a second document starts here", "Remove the `---` or make it a file of its own.")
        if event.version not in {None, (1, 2)}:
            self._note(event, "asks for another YAML version", "Remove the %YAML line: these files are YAML 1.2.")

    def _refuse_extras(self, event: NodeEvent) -> None:
        if isinstance(event, AliasEvent):
            self._note(event, f"`*{event.anchor}` points to another place", "Write the value out here.")
        elif event.anchor is not None:
            self._note(event, f"`&{event.anchor}` marks a value for reuse", "Remove it and write each value out.")
        if getattr(event, "tag", None) is not None:
            self._note(event, "a value has a type tag (`!...`)", "Remove the tag; plain values need none.")

    def _take_node(self, event: NodeEvent) -> None:
        holder = self._open[-1] if self._open else None
        if holder is not None and isinstance(holder.value, dict) and holder.key is None:
            self._take_key(holder, event)
        elif isinstance(event, MappingStartEvent | SequenceStartEvent):
            self._open_collection(event, {} if isinstance(event, MappingStartEvent) else [])
        else:
            self._put(event, self._scalar(event) if isinstance(event, ScalarEvent) else None)

    def _take_key(self, holder: _Open, event: NodeEvent) -> None:
        assert isinstance(holder.value, dict), "only a mapping waits for a key"
        if not isinstance(event, ScalarEvent):
            self._note(event, "a key is not plain text", "Write the key as one word.")
            raise Unreadable
        key = event.value
        if key in holder.value:
            first = self.lines[(*holder.path, key)]
            self._note(event, f"`{key}` is already given on line {first}", "Keep one of the two.", holder.path)
        elif key == "<<" and event.style is None:
            self._note(event, "`<<` merges another mapping", "Write its keys out here.", holder.path)
        holder.key = key
        self.lines[(*holder.path, key)] = _line(event)

    def _open_collection(self, event: NodeEvent, value: dict[str, Any] | list[Any]) -> None:
        path = self._put(event, value)
        self._open.append(_Open(value, path))
        if len(self._open) > DEPTH_MAX:
            self._note(event, f"nests deeper than {DEPTH_MAX} levels", "Nothing in these files is that deep.")
            raise Unreadable

    def _put(self, event: NodeEvent, value: Any) -> DataPath:
        """Stores a value where it belongs and returns its path."""
        if not self._open:
            self.root = value
            self.lines.setdefault((), _line(event))
            return ()
        holder = self._open[-1]
        if isinstance(holder.value, list):
            path = (*holder.path, len(holder.value))
            holder.value.append(value)
            self.lines[path] = _line(event)
            return path
        assert holder.key is not None, "a mapping's value comes after its key"
        path = (*holder.path, holder.key)
        holder.value[holder.key] = value
        holder.key = None
        return path

    def _close(self, mapping: bool, event: Event) -> None:
        assert isinstance(self._open[-1].value, dict) is mapping, f"{event} closes what was opened"
        self._open.pop()

    def _scalar(self, event: ScalarEvent) -> Any:
        """What a plain word is; what is quoted or in a block is always text."""
        if event.style is not None and event.style != "":
            return event.value
        try:
            return read_scalar(event.value)
        except ValueError as error:
            self._note(event, str(error), "Correct the value, or quote it if it is meant as text.", self._path_now())
            return None

    def _path_now(self) -> DataPath:
        if not self._open:
            return ()
        holder = self._open[-1]
        return (*holder.path, holder.key) if holder.key is not None else (*holder.path, len(holder.value))

    def _note(self, event: Event, what: str, mend: str, path: DataPath = ()) -> None:
        where = YamlFile(Path(self._file), self.root).where(path)
        self.problems.append(Problem(self._file, _line(event), where, what, mend))


def _line(event: Event) -> int:
    return int(event.start_mark.line) + 1
