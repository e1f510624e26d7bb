"""Finds the config: the one that is named, else the usual places, else the defaults with the packaged catalog."""

import os
from pathlib import Path

import gatekeeper
from gatekeeper.settings import Settings, load_settings
from gatekeeper.yamlfile import ConfigError, Problem

CONFIG_VARIABLE = "GATEKEEPER_CONFIG"
"""Names the config file for whoever does not want to write --config every time."""

USUAL_PLACES = (Path("config/gatekeeper.yaml"), Path("gatekeeper.yaml"))
"""Looked for in the working directory, in this order."""


def default_config_path() -> Path | None:
    """The config file when none is named on the command line; None when there is none to find."""
    named = os.environ.get(CONFIG_VARIABLE)
    if named:
        return Path(named)
    return next((place for place in USUAL_PLACES if place.is_file()), None)


def packaged_config_dir() -> Path:
    """The configuration that comes with the package: inside the wheel, or beside the package in a source tree."""
    package = Path(gatekeeper.__file__).parent
    installed = package / "_config"
    return installed if installed.is_dir() else package.parent / "config"


def find_settings(config: Path | None) -> Settings:
    """The settings of the named config, or of the one that is found. Raises `ConfigError` with every problem."""
    path = config or default_config_path()
    if path is not None:
        return load_settings(path)
    files = sorted(packaged_config_dir().glob("catalog/*.yaml"))
    if not files:
        what = "no config file was found, and no catalog came with this installation"
        raise ConfigError([Problem(str(packaged_config_dir()), 0, "catalog", what, "Name a file with --config.")])
    return load_settings(None, {"catalog": [str(file) for file in files]})
