"""Opens a config file and reads it, or says everything that stands in the way."""

from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from gatekeeper.yamlfile.data import DataPath, YamlFile
from gatekeeper.yamlfile.plain import Unfit, read_plain
from gatekeeper.yamlfile.problem import ConfigError, Problem

FILE_BYTES_MAX = 1024 * 1024
"""A catalog of several hundred models is a fifth of this; more is a wrong file."""

TEXTS_REMEMBERED = 64
"""A reload of a catalog parses only the files that have changed. What a text came to is read by all and changed by
none."""


def load_yaml(path: Path) -> YamlFile:
    """A file's data. Raises `ConfigError` when it is missing, unreadable, too large, or not the YAML taken here."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        raise _file_error(path, "there is no such file", "Check the path and the file that names it.") from None
    except OSError as error:
        what = f"cannot be read ({error.strerror})"
        raise _file_error(path, what, "Check what it is and who may read it.") from error
    if len(raw) > FILE_BYTES_MAX:
        raise _file_error(path, f"is larger than {FILE_BYTES_MAX} bytes", "Split it into several files.")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise _file_error(path, "is not UTF-8 text", "Save it in UTF-8.", line) from None
    return parse_yaml(text, path)


@lru_cache(TEXTS_REMEMBERED)
def parse_yaml(text: str, path: Path) -> YamlFile:
    """The data in a text, which `path` names in messages. Raises `ConfigError` with every mistake found."""
    try:
        return YamlFile(path, read_plain(text), _Lines(text, path))
    except Unfit:
        return YamlFile(path, *_built(text, path))


class _Lines(Mapping[DataPath, int]):
    """The lines of a text's values, which nobody asks for as long as nothing is wrong: then the text is read again, by
    the parser that counts them."""

    def __init__(self, text: str, path: Path) -> None:
        self._text = text
        self._path = path

    @cached_property
    def _lines(self) -> dict[DataPath, int]:
        return _built(self._text, self._path)[1]

    def __getitem__(self, path: DataPath) -> int:
        return self._lines[path]

    def __iter__(self) -> Iterator[DataPath]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)


def _built(text: str, path: Path) -> tuple[Any, dict[DataPath, int]]:
    """The data and its lines, by the full parser. Raises `ConfigError` with every mistake found."""
    from gatekeeper.yamlfile.full import built  # noqa: PLC0415 - most files are plain, and never need that parser

    found = built(text, path)
    return found.root, found.lines


def _file_error(path: Path, what: str, mend: str, line: int = 1) -> ConfigError:
    return ConfigError([Problem(str(path), line, "", what, mend)])
