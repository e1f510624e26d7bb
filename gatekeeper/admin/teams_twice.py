"""What stands in a teams file twice: ids, limits, secrets. Looks at the plain data, so that a mistake elsewhere does
not hide it; whether each word is right is the schema's question.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from gatekeeper.yamlfile import DataPath, Problem, YamlFile

BY_ID = ("grants", "allowances", "projects", "keys")
"""The lists of a team whose entries are known by their id."""


def said_twice(file: YamlFile) -> Iterator[Problem]:
    """Every second one of its kind, with the line of the first."""
    teams = list(_mappings(file.data, ()))
    yield from _twice(file, ((path, "id", _word(team, "id")) for path, team in teams), "team")
    secrets = []
    for path, team in teams:
        for kind in BY_ID:
            entries = list(_mappings(team, path, kind))
            yield from _twice(file, ((p, "id", _word(entry, "id")) for p, entry in entries), kind.removesuffix("s"))
            secrets += [(p, "secret", _source(entry)) for p, entry in entries if kind == "keys"]
        limits = ((p, "scope", _scope_and_per(entry)) for p, entry in _mappings(team, path, "limits"))
        yield from _twice(file, limits, "limit")
    yield from _twice(file, secrets, "secret")


def _twice(file: YamlFile, words: Iterable[tuple[DataPath, str, str | None]], noun: str) -> Iterator[Problem]:
    first: dict[str, DataPath] = {}
    for path, key, word in words:
        place = (*path, key)
        if word is not None and first.setdefault(word, place) != place:
            what = f"the {noun} `{word}` is already on line {file.line_of(first[word])}"
            mend = "Give each key a secret of its own." if noun == "secret" else "Keep one of the two."
            yield file.problem(place, what, mend)


def _mappings(holder: Any, path: DataPath, key: str = "teams") -> Iterator[tuple[DataPath, dict[str, Any]]]:
    entries = holder.get(key) if isinstance(holder, dict) else None
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(entry, dict):
            yield (*path, key, index), entry


def _word(entry: dict[str, Any], key: str) -> str | None:
    value = entry.get(key)
    return value if isinstance(value, str) else None


def _source(key: dict[str, Any]) -> str | None:
    """`env NAME` or `file PATH`; nothing for what may be a secret."""
    secret = key.get("secret")
    if not isinstance(secret, dict) or len(secret) != 1 or not secret.keys() <= {"env", "file"}:
        return None
    return " ".join(f"{kind} {place}" for kind, place in secret.items())


def _scope_and_per(limit: dict[str, Any]) -> str | None:
    scope, per = _word(limit, "scope"), _word(limit, "per")
    return None if scope is None or per is None else f"{scope} per {per}"
