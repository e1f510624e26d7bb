"""The reference of settings: its variables are those that are read, and what it calls the default is one."""

import json
import re

import pytest

from gatekeeper.settings import load_settings
from tests.docs.snippets import ROOT

ROW = re.compile(r"^\| `[\w.]+`<br>`(GATEKEEPER_\w+)` \| (.*?) \| (.*?) \| (.*) \|$", re.MULTILINE)

PATHS = {"GATEKEEPER_CATALOG"}
"""A list of patterns that are relative to where the file is."""


def rows() -> list[tuple[str, str, str, str]]:
    """The variable of a setting, what it takes, its default, its reason."""
    return ROW.findall((ROOT / "docs/settings.md").read_text())


def as_variable(takes: str, default: str) -> str:
    """A default as a variable says it."""
    word = default.strip("`")
    if takes.startswith("list"):
        inside = word.strip("[]")
        numbers = "number" in takes
        return json.dumps([int(each) if numbers else each for each in inside.split(", ") if each])
    return word


def test_every_setting_has_a_row_and_a_reason() -> None:
    """A reason is more than a word, but for the port that is told with its host."""
    found = rows()

    assert len(found) > 75
    assert ["GATEKEEPER_SERVER__ADMIN_PORT"] == [name for name, _, _, why in found if len(why) < 10]


def test_every_variable_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them at their defaults, at once, make the settings that there are without any."""
    provider = {"GATEKEEPER_PROVIDERS__NAME__DIALECT": "native", "GATEKEEPER_PROVIDERS__NAME__BASE_URL": "http://a"}
    said = {
        name: as_variable(takes, default)
        for name, takes, default, _ in rows()
        if default.startswith("`") and name not in PATHS
    }
    for name, value in provider.items():
        monkeypatch.setenv(name, value)
    without = load_settings(None)
    for name, value in said.items():
        monkeypatch.setenv(name, value)

    assert without == load_settings(None)
    assert len(said) > 60


def test_a_variable_that_is_none_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the test before would prove nothing."""
    monkeypatch.setenv("GATEKEEPER_SERVER__PORTS", "1")

    with pytest.raises(Exception, match="ports"):
        load_settings(None)
