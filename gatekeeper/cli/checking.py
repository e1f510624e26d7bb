"""`check`: everything that can be known to be wrong before the gateway starts, in one run."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import typer

from gatekeeper.admin.teams_file import read_secrets
from gatekeeper.admin.teams_schema import TeamsFile, idle_patterns, load_teams
from gatekeeper.app import provider_problems
from gatekeeper.catalog import Catalog, load_catalog
from gatekeeper.cli.locate import default_config_path, find_settings
from gatekeeper.cli.options import ConfigOption, JsonOption
from gatekeeper.cli.show import print_json, say
from gatekeeper.settings import Settings
from gatekeeper.yamlfile import ConfigError, Problem, load_yaml

Found = TypeVar("Found")


@dataclass(slots=True)
class Findings:
    """Problems stand in the way of a start, warnings may: a secret that is not there is often elsewhere."""

    checked: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def attempt(self, read: Callable[[], Found]) -> Found | None:
        """What was read, or nothing and its problems noted."""
        try:
            return read()
        except ConfigError as error:
            self.problems += error.problems
            return None


def check(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Check the configuration, the catalog and the teams file; no store is opened, nothing is written.

    Every problem is told in one run: file, line, what is wrong, how to mend it. Exit code 1 if there is one. Secrets
    that are not in this environment are warnings.
    """
    found = _check(config)
    if as_json:
        print_json(_document(found))
    else:
        _print(found)
    if found.problems:
        raise typer.Exit(1)


def _check(config: Path | None) -> Findings:
    found = Findings()
    settings = found.attempt(lambda: find_settings(config))
    if settings is not None:
        _check_providers(settings, found)
    path = config or default_config_path()
    settings = settings or _its_files(path)
    if settings is not None:
        catalog = found.attempt(lambda: load_catalog(settings.catalog_files()))
        if catalog is not None:
            found.checked.append(_told_catalog(settings, catalog))
        _check_teams(settings, catalog, found)
    found.problems = list(dict.fromkeys(found.problems))
    return found


def _check_providers(settings: Settings, found: Findings) -> None:
    found.problems += provider_problems(settings, secrets_needed=False)
    found.warnings += [p for p in provider_problems(settings) if p not in found.problems]
    name = "the built-in defaults" if settings.source is None else str(settings.source.path)
    found.checked.append(f"{name}: {_count(settings.providers, 'provider')}")


def _its_files(path: Path | None) -> Settings | None:
    """The files that a config with mistakes names, so that their mistakes are told in the same run."""
    try:
        data = load_yaml(path).data if path is not None else None
    except ConfigError:
        return None
    if path is None or not isinstance(data, dict):
        return None
    patterns, teams = data.get("catalog", ["catalog/*.yaml"]), data.get("teams")
    named = [pattern for pattern in patterns if isinstance(pattern, str)] if isinstance(patterns, list) else []
    return Settings.model_construct(
        catalog=tuple(named),
        teams=Path(teams) if isinstance(teams, str) else None,
        base_dir=path.parent.resolve(),
        source=None,
    )


def _check_teams(settings: Settings, catalog: Catalog | None, found: Findings) -> None:
    path = settings.teams_file()
    if path is None:
        return
    teams = found.attempt(lambda: load_teams(path))
    if teams is None:
        return
    secrets = read_secrets(teams)
    found.problems += secrets.wrong
    found.warnings += secrets.missing
    if catalog is not None:
        found.warnings += idle_patterns(teams, (model.id for model in catalog.models))
    found.checked.append(_told_teams(path, teams))


def _told_catalog(settings: Settings, catalog: Catalog) -> str:
    files, models = settings.catalog_files(), catalog.models
    return f"catalog {catalog.digest}: {_count(files, 'file')}, {_count(models, 'model')}"


def _told_teams(path: Path, teams: TeamsFile) -> str:
    grants = [grant for team in teams.teams for grant in team.grants]
    keys = list(teams.all_keys())
    return f"{path}: {_count(teams.teams, 'team')}, {_count(grants, 'grant')}, {_count(keys, 'key')}"


def _count(things: Any, noun: str) -> str:
    return f"{len(things)} {noun}{'s' if len(things) != 1 else ''}"


def _print(found: Findings) -> None:
    for problem in found.problems:
        say(str(problem))
    for warning in found.warnings:
        say(f"warning: {warning}")
    if not found.problems:
        for line in found.checked:
            print(line)
        print("No problems found.")


def _document(found: Findings) -> dict[str, Any]:
    return {
        "ok": not found.problems,
        "problems": [_problem_document(problem) for problem in found.problems],
        "warnings": [_problem_document(problem) for problem in found.warnings],
        "checked": found.checked,
    }


def _problem_document(problem: Problem) -> dict[str, Any]:
    return {
        "file": problem.file,
        "line": problem.line,
        "where": problem.where,
        "what": problem.what,
        "mend": problem.mend,
    }
