"""Config files as plain data that remembers its lines, and what is wrong with them in words that help.

YAML 1.2: an unquoted `16:9` is a ratio and `off` a word; decimals come out as `Decimal`, never `float`. This package
knows no settings, no catalog and no teams; their schemas come to `problems_of` with what pydantic found.
"""

from gatekeeper.yamlfile.data import DataPath, YamlFile
from gatekeeper.yamlfile.findings import (
    Mistake,
    known_keys,
    mistake,
    nearest_key,
    problems_of,
    raise_mistakes,
    words_of,
)
from gatekeeper.yamlfile.problem import ConfigError, Problem
from gatekeeper.yamlfile.read import TEXTS_REMEMBERED, load_yaml, parse_yaml

__all__ = [
    "TEXTS_REMEMBERED",
    "ConfigError",
    "DataPath",
    "Mistake",
    "Problem",
    "YamlFile",
    "known_keys",
    "load_yaml",
    "mistake",
    "nearest_key",
    "parse_yaml",
    "problems_of",
    "raise_mistakes",
    "words_of",
]
