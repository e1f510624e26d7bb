"""Reads the catalog's files: all of them or none, with every problem of every file in one run."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from pydantic import ValidationError

from gatekeeper.catalog.across import problems_across
from gatekeeper.catalog.build import content_hash, models_of
from gatekeeper.catalog.catalog import Catalog
from gatekeeper.catalog.schema import CatalogFile
from gatekeeper.core.spec import ModelSpec
from gatekeeper.garbage import nothing_is_collected
from gatekeeper.yamlfile import TEXTS_REMEMBERED, ConfigError, Problem, YamlFile, load_yaml, problems_of

CATALOGS_REMEMBERED = 2
"""The one in force, and the one before it: a reload for which no file has changed is done in a moment."""


def load_catalog(paths: Sequence[Path]) -> Catalog:
    """The catalog in these files, in this order; a path named twice is read once.

    Raises `ConfigError` with all that is wrong, file by file and line by line.
    """
    if not paths:
        raise ConfigError([Problem("catalog", 1, "", "no file is named", "Name at least one, like catalog/*.yaml.")])
    with nothing_is_collected():
        return _load(paths)


def _load(paths: Sequence[Path]) -> Catalog:
    problems: list[Problem] = []
    files = [file for path in dict.fromkeys(paths) for file in _read(path, problems)]
    catalog, found = _made_of(tuple(files))
    problems += found
    if problems:
        order = {str(path): index for index, path in enumerate(paths)}
        raise ConfigError(sorted(dict.fromkeys(problems), key=lambda p: (order[p.file], p.line)))
    return catalog


@lru_cache(CATALOGS_REMEMBERED)
def _made_of(files: tuple[YamlFile, ...]) -> tuple[Catalog, tuple[Problem, ...]]:
    """The catalog of these files, or all their mistakes. Remembered like what each of them came to."""
    checked = [_checked(file) for file in files]
    problems = (*(problem for _, found in checked for problem in found), *problems_across(files))
    if problems:
        return Catalog.of((), ""), problems
    models = [model for entries, _ in checked for model in entries]
    return Catalog.of(models, content_hash([file.data for file in files])), ()


def _read(path: Path, problems: list[Problem]) -> list[YamlFile]:
    try:
        return [load_yaml(path)]
    except ConfigError as error:
        problems += error.problems
        return []


@lru_cache(TEXTS_REMEMBERED)
def _checked(file: YamlFile) -> tuple[tuple[ModelSpec, ...], tuple[Problem, ...]]:
    """A file's models, or its mistakes. Remembered as long as the file's text is: a reload checks what has changed."""
    try:
        entry = CatalogFile.model_validate(file.data)
    except ValidationError as error:
        return (), tuple(problems_of(error, file, model=CatalogFile))
    return models_of(entry, file.data), ()
