"""`check`: everything that can be known to be wrong before the gateway starts, in one run."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeVar

import typer
from pydantic import ValidationError

from gatekeeper.admin.teams_schema import TeamsFile, idle_patterns, load_teams
from gatekeeper.admin.teams_secrets import read_secrets
from gatekeeper.catalog import Catalog, load_catalog
from gatekeeper.cli.locate import default_config_path, find_settings
from gatekeeper.cli.options import ConfigOption, JsonOption
from gatekeeper.cli.show import print_json, say
from gatekeeper.clock import SystemClock
from gatekeeper.dialects.registry import DIALECTS
from gatekeeper.ledger.address import read_address
from gatekeeper.ledger.errors import StoreRefused
from gatekeeper.ledger.opening import EMBEDDED
from gatekeeper.providers import provider_problems
from gatekeeper.settings import ProviderSettings, Settings
from gatekeeper.tracing import tracing_problems
from gatekeeper.web.tls import certificate_problems
from gatekeeper.yamlfile import ConfigError, Problem, load_yaml

Found = TypeVar("Found")

CATALOG_DEFAULT: tuple[str, ...] = Settings.model_fields["catalog"].default
"""Where the catalog is when a config does not say."""

_THIS_MACHINE = re.compile(r"https?://(127\.0\.0\.1|localhost|\[::1\])(:|/|$)")

MODELS_MEND = (
    "Write models: [...], the catalog ids that it takes, or offers_of: with the name that it has in the catalog."
)


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

    Every problem is told in one run: file, line, what is wrong, how to mend it. Exit code 1 if there is one. What
    may be right all the same is a warning, such as a secret that is not in this environment, or a provider that offers
    nothing.
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
    settings = found.attempt(lambda: find_settings(config)) or _readable_part(config or default_config_path())
    if settings is not None:
        _check_settings(settings, found)
        catalog = found.attempt(lambda: load_catalog(settings.catalog_files()))
        if catalog is not None:
            found.checked.append(_told_catalog(settings, catalog))
            found.warnings += _idle_provider_patterns(settings, catalog)
            found.warnings += _nothing_to_serve(settings, catalog)
            found.warnings += _dated_ahead(settings, catalog)
        _check_teams(settings, catalog, found)
    found.problems = list(dict.fromkeys(found.problems))
    return found


def _check_settings(settings: Settings, found: Findings) -> None:
    if settings.store.url != EMBEDDED:
        try:
            read_address(settings.store.url)
        except StoreRefused as error:
            found.problems.append(settings.problem(("store", "url"), str(error), "Correct the address."))
    found.problems += provider_problems(settings, secrets_needed=False)
    found.problems += tracing_problems(settings)
    found.warnings += _without_credential(settings)
    found.warnings += [p for p in provider_problems(settings) if p not in found.problems]
    # The files lie where the gateway runs, as its credentials do.
    found.warnings += certificate_problems(settings)
    name = "the built-in defaults" if settings.source is None else str(settings.source.path)
    found.checked.append(f"{name}: {_count(settings.providers, 'provider')}")


def _readable_part(path: Path | None) -> Settings | None:
    """What can be made out of a config with mistakes, so that those behind them are told in the same run."""
    try:
        file = load_yaml(path) if path is not None else None
    except ConfigError:
        return None
    if path is None or file is None or not isinstance(file.data, dict):
        return None
    patterns, teams, providers = (file.data.get(key) for key in ("catalog", "teams", "providers"))
    listed = patterns if isinstance(patterns, list) else CATALOG_DEFAULT
    return Settings.model_construct(
        catalog=tuple(pattern for pattern in listed if isinstance(pattern, str)),
        teams=Path(teams) if isinstance(teams, str) else None,
        providers=dict(_readable_providers(providers if isinstance(providers, dict) else {})),
        base_dir=path.parent.resolve(),
        source=file,
    )


def _readable_providers(providers: dict[str, Any]) -> Iterator[tuple[str, ProviderSettings]]:
    """Those without mistakes whole; of the others the dialect, and nothing beside it that could be complained of."""
    for name, stated in providers.items():
        try:
            yield name, ProviderSettings.model_validate(stated)
        except ValidationError:
            dialect = stated.get("dialect") if isinstance(stated, dict) else None
            if isinstance(dialect, str):
                address = DIALECTS[dialect].TRAITS.address if dialect in DIALECTS else ""
                yield (
                    name,
                    ProviderSettings.model_construct(
                        dialect=dialect, base_url=address, models=("*",), credential="none"
                    ),
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


def _without_credential(settings: Settings) -> Iterator[Problem]:
    """Of whom config does not say whether it needs one; who is on this machine hardly does."""
    for name, provider in settings.providers.items():
        is_here = _THIS_MACHINE.match(provider.base_url or "")
        if "credential" not in provider.model_fields_set and not is_here:
            mend = "Write credential: {env: NAME}, or 'credential: none'."
            yield settings.problem(("providers", name), "its requests go upstream without a credential", mend)


def _idle_provider_patterns(settings: Settings, catalog: Catalog) -> Iterator[Problem]:
    """A pattern that matches no model offers nothing: most likely a typing error."""
    known = [model.id for model in catalog.models]
    for name, provider in settings.providers.items():
        for number, pattern in enumerate(getattr(provider, "models", ())):
            if not any(fnmatchcase(model_id, pattern) for model_id in known):
                near = get_close_matches(pattern, known, n=1)
                mend = f"Did you mean `{near[0]}`?" if near else "`gatekeeper models` lists the ids."
                where = ("providers", name, "models", number)
                yield settings.problem(where, f"`{pattern}` matches no model of the catalog", mend)


def _nothing_to_serve(settings: Settings, catalog: Catalog) -> Iterator[Problem]:
    """Providers that would refuse every request, and calls without a model that would be refused."""
    sold = {offer.provider for model in catalog.models for offer in model.offers}
    for name, provider in settings.providers.items():
        offers_of, usual = provider.offers_of or name, provider.default_model
        if offers_of not in sold and not provider.models:
            what = f"no model of the catalog is offered at `{offers_of}`"
            mend = (
                f"Write offers_of: {provider.dialect} (or models: [...])." if provider.dialect in sold else MODELS_MEND
            )
            yield settings.problem(("providers", name, "offers_of"), what, mend)
        elif usual is not None and catalog.find_offer(offers_of, usual, provider.models) is None:
            near = get_close_matches(usual, _names_at(provider, offers_of, catalog), n=1)
            mend = (
                f"Did you mean `{near[0]}`?" if near else f"`gatekeeper models` lists what is offered at {offers_of}."
            )
            yield settings.problem(("providers", name, "default_model"), f"`{usual}` is no model that it has", mend)


def _names_at(provider: ProviderSettings, offers_of: str, catalog: Catalog) -> list[str]:
    """What models are called there."""
    own = [offer.upstream_id for model in catalog.models for offer in model.offers if offer.provider == offers_of]
    taken = [model.id for model in catalog.models if any(fnmatchcase(model.id, each) for each in provider.models)]
    return own + taken


def _dated_ahead(settings: Settings, catalog: Catalog) -> Iterator[Problem]:
    """A list's date is for people: its prices are in force as soon as the file is loaded."""
    lists = {model.price_list.id: model.price_list for model in catalog.models}
    for each in lists.values():
        if each.effective_at > SystemClock().now():
            what = f"price list {each.id} is dated {each.effective_at.date()}, and in force as soon as it is loaded"
            yield settings.problem(("catalog",), what, "Put the file in its place on that day.")


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
        print(_verdict(len(found.warnings)))


def _verdict(warnings: int) -> str:
    """The last line. Warnings count, for some of them, like a secret that is not set, keep `serve` from starting."""
    if not warnings:
        return "No problems found."
    return f"No mistakes found, {warnings} warning{'s' if warnings != 1 else ''}."


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
