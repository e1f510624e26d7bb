"""The command as a whole: help, version, where the config is found, how failures are told."""

import errno
import getpass
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from gatekeeper import __version__
from gatekeeper.cli.failures import told
from gatekeeper.cli.locate import default_config_path, find_settings, packaged_config_dir
from gatekeeper.cli.root import COMMANDS, GROUPS, make_app
from gatekeeper.cli.who import who
from gatekeeper.ledger.errors import LedgerConflict
from tests.cases import each_case
from tests.cli.scene import CONFIG, Run


def test_version_of_the_module() -> None:
    """`python -m gatekeeper` is the command."""
    done = subprocess.run(
        [sys.executable, "-m", "gatekeeper", "--version"], capture_output=True, text=True, check=True, timeout=60
    )

    assert f"gatekeeper {__version__}\n" == done.stdout


def test_help_lists_every_command(run: Run) -> None:
    """The help names each command that the contract has, with what it does."""
    result = run("--help")

    names = [
        "serve",
        "demo",
        "health",
        "check",
        "quote",
        "models",
        "apply",
        "usage",
        "signals",
        "verify",
        "replay",
        "shadow",
    ]
    names += ["sandbox", "teams", "keys", "grants", "limits", "projects", "alerts", "holds", "journal"]
    assert names == [*COMMANDS, *(group.name for group in GROUPS)]
    assert [] == [name for name in names if f" {name} " not in result.stdout]


def test_everything_is_explained() -> None:
    """Each command, argument and option has a help text."""
    root = get_command(make_app())
    assert isinstance(root, TyperGroup)
    groups = [group for group in root.commands.values() if isinstance(group, TyperGroup)]

    silent = [
        f"{name} {parameter.name}"
        for each in (root, *groups)
        for name, command in each.commands.items()
        if command not in groups or not command.help
        for parameter in command.params
        if not (command.help and getattr(parameter, "help", None))
    ]
    assert [] == silent


def test_an_unknown_option(run: Run) -> None:
    """A typing error in an option exits with 2."""
    result = run("check", "--cofnig", "x")

    assert 2 == result.exit_code
    assert "No such option" in result.stderr


@pytest.mark.parametrize(
    ("there", "variable", "found"),
    [
        ((), None, None),
        (("gatekeeper.yaml",), None, "gatekeeper.yaml"),
        (("gatekeeper.yaml", "config/gatekeeper.yaml"), None, "config/gatekeeper.yaml"),
        (("gatekeeper.yaml",), "other.yaml", "other.yaml"),
    ],
)
def test_where_the_config_is(
    home: Path, monkeypatch: pytest.MonkeyPatch, there: tuple[str, ...], variable: str | None, found: str | None
) -> None:
    """The variable comes first, then config/gatekeeper.yaml, then gatekeeper.yaml."""
    for name in there:
        (home / name).parent.mkdir(exist_ok=True)
        (home / name).write_text("")
    if variable:
        monkeypatch.setenv("GATEKEEPER_CONFIG", variable)

    assert (None if found is None else Path(found)) == default_config_path()


def test_no_config_at_all() -> None:
    """Without a config the built-in defaults hold, with the catalog that comes with the package."""
    settings = find_settings(None)

    assert {} == settings.providers
    assert sorted(packaged_config_dir().glob("catalog/*.yaml")) == list(settings.catalog_files())


def test_the_option_comes_first(run: Run, home: Path) -> None:
    """--config wins over the variable."""
    (home / "mine.yaml").write_text(CONFIG)

    result = run("models", "--config", "mine.yaml", GATEKEEPER_CONFIG="other.yaml")

    assert "catalog.yaml" in result.stderr
    assert "other.yaml" not in result.stderr


@each_case(
    ("error", "line"),
    [
        (
            OSError(errno.EADDRNOTAVAIL, "error while attempting to bind on address ('10.0.0.1', 80): no"),
            "10.0.0.1:80 is no address of this machine: correct the host.",
        ),
        (
            OSError(errno.EACCES, "error while attempting to bind on address ('127.0.0.1', 80): denied"),
            "127.0.0.1:80 may not be used by this user: choose a port from 1024 on.",
        ),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "The system refused: [Errno 28] No space left on device."),
        (
            LedgerConflict("team studio has revision 3"),
            "The store was changed meanwhile: team studio has revision 3. Nothing is lost; run the command again.",
        ),
    ],
)
def test_failures_in_words(error: OSError | LedgerConflict, line: str) -> None:
    """What cannot be done is told with what to do."""
    assert line == told(error)


def test_who_is_asked_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal has the user's name, or the number of a user who has none, as containers do."""

    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    known = who()
    monkeypatch.setattr("getpass.getuser", nobody)

    assert (getpass.getuser is nobody, f"uid {os.getuid()}") == (True, who())
    assert known
