"""Settings in the environment: `GATEKEEPER_SECTION__KEY`, lists and mappings as JSON, and what is wrong with one.

What the settings are it does not know: `settings.py` has their schema.
"""

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource

from gatekeeper.sections import NOT_WRITTEN
from gatekeeper.yamlfile import DataPath, Problem, YamlFile

PREFIX = "GATEKEEPER_"
DELIMITER = "__"

_SAID = "environment"
_MAPPING = "a mapping of keys and values"
_AS_JSON = {
    "a list": 'Write a list as JSON, like ["a", "b"].',
    _MAPPING: 'Write a mapping as JSON, like {"key": "value"}.',
    NOT_WRITTEN: 'Write {"env": "NAME"} or {"file": "path"}, as JSON.',
}
"""How what is no text is written in a variable, by what it is to be."""


class EnvironmentSource(EnvSettingsSource):
    """The variables. One that is not the JSON it should be stays text, and is told beside every other mistake."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


def with_environment(file: YamlFile) -> YamlFile:
    """The file with a place for each setting that a variable says, for problems to be found there."""
    return replace(file, lines={**dict.fromkeys(_places(), 0), **file.lines})


def at_its_variable(problem: Problem) -> Problem:
    """The same problem, told of the variable that the setting was read from, if there is one."""
    variable = _variable(problem.where)
    if variable is None:
        return replace(problem, file=_SAID) if problem.line == 0 else problem
    wanted = problem.what.rpartition(" is not ")[2]
    # What should be a mapping may have secrets anywhere in it.
    what = f"this value is not {wanted}" if wanted == _MAPPING else problem.what
    return Problem(_SAID, 0, variable, what, _AS_JSON.get(wanted, problem.mend))


def _places() -> Iterator[DataPath]:
    for name in os.environ:
        if name.startswith(PREFIX):
            path = name.removeprefix(PREFIX).lower().split(DELIMITER)
            yield from (tuple(path[:end]) for end in range(1, len(path) + 1))


def _variable(where: str) -> str | None:
    """A list's entry is in the variable of the whole list."""
    setting = where.partition("[")[0]
    name = f"{PREFIX}{setting.replace('.', DELIMITER)}".upper()
    return name if name in os.environ else None
