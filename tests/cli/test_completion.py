"""Tab: the script that a shell loads, and what it is offered."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gatekeeper.cli import completing
from tests.cases import each_case
from tests.cli.scene import Run


def offered(run: Run, line: str) -> list[str]:
    """What bash is offered at the end of this line."""
    words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
    return run(_GATEKEEPER_COMPLETE="complete_bash", **words).stdout.split()


@each_case(
    ("line", "found"),
    [
        ("gatekeeper te", ["teams"]),
        ("gatekeeper teams fr", ["freeze"]),
        ("gatekeeper limits ", ["list", "set", "raise", "lower", "remove"]),
        ("gatekeeper usage studio --b", ["--by"]),
    ],
)
def test_commands_and_options(run: Run, line: str, found: list[str]) -> None:
    """Those that begin so."""
    assert found == offered(run, line)


@pytest.mark.usefixtures("store_url")
def test_teams(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The teams of the store that begin so, wherever a team is asked for."""
    monkeypatch.setattr(completing, "PATIENCE_S", 60)  # who types waits for a second, a busy machine may need longer
    for name in ("studio", "stage", "film"):
        run("teams", "create", name)

    assert ["stage", "studio"] == offered(run, "gatekeeper keys create st")
    assert ["film"] == offered(run, "gatekeeper verify f")


def test_without_a_store_nothing_is_offered(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is said and nothing is started: no store was here, and none is now."""
    there = offered(run, "gatekeeper teams show s")
    monkeypatch.setenv("GATEKEEPER_STORE__URL", "unix:///nowhere/store.sock")

    assert [[], []] == [there, offered(run, "gatekeeper teams show s")]
    assert [] == [*home.iterdir()]


@each_case("shell", ["bash", "zsh", "fish"])
def test_there_is_a_script_for_every_shell(run: Run, shell: str) -> None:
    """It asks the command itself what there is."""
    script = run(_GATEKEEPER_COMPLETE=f"source_{shell}").stdout

    assert f"_GATEKEEPER_COMPLETE=complete_{shell}" in script


def test_bash_completes_with_the_script(home: Path) -> None:
    """A real bash loads what the command prints, and offers what it says."""
    command = home / "gatekeeper"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m gatekeeper "$@"\n')
    command.chmod(0o755)
    script = (
        'eval "$(_GATEKEEPER_COMPLETE=source_bash gatekeeper)"; COMP_WORDS=(gatekeeper jou); COMP_CWORD=1; '
        "_gatekeeper_completion gatekeeper; echo ${COMPREPLY[@]}"
    )
    environment = os.environ | {"PATH": f"{home}:{os.environ['PATH']}"}

    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=environment, check=True)

    assert "journal\n" == done.stdout
