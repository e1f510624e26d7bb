"""The full parser of YAML, for texts that are not plain, for mistakes, and for the lines on which things stand."""

from collections.abc import Iterator
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import Event

from gatekeeper.yamlfile.build import Builder, Unreadable
from gatekeeper.yamlfile.problem import ConfigError, Problem


def built(text: str, path: Path) -> Builder:
    """What the full parser makes of a text. Raises `ConfigError` with every mistake found."""
    builder = Builder(path)
    try:
        for event in _events(text):
            builder.take(event)
    except MarkedYAMLError as error:
        builder.problems.append(_syntax_problem(path, error))
    except YAMLError as error:
        what = f"not readable as YAML: {str(error).splitlines()[0]}"
        builder.problems.append(Problem(str(path), 1, "", what, "Remove characters that are no text."))
    except Unreadable:
        pass
    if builder.problems:
        raise ConfigError(builder.problems)
    return builder


def _events(text: str) -> Iterator[Event]:
    """The parser's own steps. Its loader is not used: it would resolve numbers to floats and expand aliases."""
    yield from YAML(typ="safe", pure=True).parse(text)


def _syntax_problem(path: Path, error: MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    words = error.problem or error.context or "unexpected text"
    tab = "'\\t'" in words
    mend = "Indent with spaces, not tabs." if tab else "Look here and just above: indent, colon, bracket, quote."
    return Problem(str(path), mark.line + 1 if mark else 1, "", f"not readable as YAML: {words}", mend)
