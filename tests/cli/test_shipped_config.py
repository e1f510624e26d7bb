"""The configuration that ships: complete, true to the defaults, and usable as it stands."""

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from gatekeeper.admin.teams_schema import load_teams
from gatekeeper.cli.locate import packaged_config_dir
from gatekeeper.sections import EnvSecret
from gatekeeper.settings import ProviderSettings, Settings, load_settings
from tests.cases import each_case
from tests.cli.scene import Run

CONFIG = packaged_config_dir() / "gatekeeper.yaml"

NOT_IN_A_FILE = {"base_dir", "source"}
"""Fields that the loader fills."""


def keys(model: type[BaseModel]) -> set[str]:
    """Every key that a mapping of this model can have."""
    return set(model.model_fields) - NOT_IN_A_FILE


def sections() -> dict[str, type[BaseModel]]:
    """The settings' sections with a model of their own, and a provider's."""
    found = {name: field.annotation for name, field in Settings.model_fields.items()}
    nested = {name: each for name, each in found.items() if isinstance(each, type) and issubclass(each, BaseModel)}
    timeouts = ProviderSettings.model_fields["timeouts"].annotation
    assert isinstance(timeouts, type)
    return {**nested, "openai": ProviderSettings, "timeouts": timeouts}


def keys_below(heading: str, text: str) -> set[str]:
    """The keys directly below a heading, those in comments too."""
    lines = iter(text.splitlines())
    start = next(line for line in lines if re.match(rf" *{heading}:", line))
    indent = len(start) - len(start.lstrip()) + 2
    below = set[str]()
    for line in lines:
        if line.strip() and not line.startswith(" " * indent):
            break
        if match := re.match(rf" {{{indent}}}(?:# )?([a-z_]+):", line):
            below.add(match[1])
    return below


@each_case("heading", sections())
def test_every_setting_of_a_section_is_there(heading: str) -> None:
    """Each key of a section stands in the file, as a setting or as one that is off."""
    assert set() == keys(sections()[heading]) - keys_below(heading, CONFIG.read_text())


def test_every_section_is_there() -> None:
    """Each key at the top stands in the file, as a setting or as one that is off."""
    top = set(re.findall(r"^(?:# )?([a-z_]+):", CONFIG.read_text(), re.MULTILINE))

    assert set() == keys(Settings) - top


def test_every_setting_has_its_reason() -> None:
    """No setting stands without a comment beside or above it."""
    lines = CONFIG.read_text().splitlines()
    bare = [
        line
        for above, line in pairwise(lines)
        if re.match(r" *[a-z_]+: .", line) and "#" not in line and not above.lstrip().startswith("#")
    ]

    assert ["  admin_port: 8081"] == bare


def test_it_says_the_defaults() -> None:
    """What the file sets is what would be set without it."""
    stated, defaults = load_settings(CONFIG), load_settings(None)

    def shown(settings: Settings) -> dict[str, Any]:
        return settings.model_dump(exclude={"base_dir", "providers"})

    base = {"dialect": "openai", "base_url": "https://api.openai.com/v1", "offers_of": "openai"}
    provider = ProviderSettings(**base, credential=EnvSecret(env="OPENAI_API_KEY"))
    assert shown(defaults) == shown(stated)
    assert {"openai": provider} == stated.providers


def test_it_passes_the_check(run: Run) -> None:
    """On a machine without any secret the shipped config has no problems; the missing key is a warning."""
    result = run("check", "--config", str(CONFIG), OPENAI_API_KEY="")

    assert 0 == result.exit_code
    assert result.stdout.endswith("No mistakes found, 1 warning.\n")
    assert 1 == len(result.stderr.splitlines())
    assert "environment variable OPENAI_API_KEY" in result.stderr


def test_the_example_team() -> None:
    """The example of a teams file can be read, and its settings that are off could be switched on."""
    path = CONFIG.parent / "teams.yaml"

    assert ["studio"] == [team.id for team in load_teams(path).teams]


def test_what_is_off_could_be_on(tmp_path: Path) -> None:
    """Every setting in a comment is valid as it stands."""
    for name in ("gatekeeper.yaml", "teams.yaml"):
        text = (CONFIG.parent / name).read_text()
        (tmp_path / name).write_text(re.sub(r"^( *)# ((?:  )*(?:[a-z_]+:|- \{))", r"\1\2", text, flags=re.MULTILINE))

    settings = load_settings(tmp_path / "gatekeeper.yaml")
    teams = load_teams(tmp_path / "teams.yaml").teams
    assert ({"openai", "studio"}, Path("teams.yaml")) == (set(settings.providers), settings.teams)
    assert "chatgpt-1.5" == settings.providers["openai"].default_model
    assert ["ci", "amy"] == [key.id for key in teams[0].keys]
