"""docs/shadow.md: every command of it does what the document shows."""

import json
import re
from pathlib import Path

import pytest

from tests.cli.scene import CATALOG, Run
from tests.house.generated import ROOT
from tests.replaying.scene import Place, admitted, line, rejected, settled

DOCUMENT = (ROOT / "docs" / "shadow.md").read_text()

SHOWN = re.findall(r"^```console\n\$ gatekeeper ([^\n]+)\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
"""Each command with what it prints."""

AMY = {"member": "amy", "project": "spring"}
ODD = {"asked": {"model": "a-model", "prompt": True, "aspect_ratio": "21:9"}, **AMY}


@pytest.fixture(name="place")
def _place(configured: Path) -> Place:
    """A log of one day: four of amy's, one that was refused, one of which nothing came; and a gateway in shadow."""
    place = Place(configured)
    lines = [
        each for n in range(4) for each in (admitted(f"h{n}", f"10:0{n}:00", **AMY), settled(f"h{n}", f"10:0{n}:09"))
    ]
    lines += [
        rejected("unsupported_aspect_ratio", "11:00:00", **ODD),
        admitted("gone", "11:30:00"),
        line("generation.released", "11:30:09", hold_id="gone", outcome="500"),
        rejected("unauthenticated", "12:00:00", team=None, asked=None),
    ]
    place.log(*lines)
    shadowed = "generation.shadowed"
    place.log(
        *(line(shadowed, code="limit_exceeded", codes=[], hold_id="h", credits_held=49) for _ in range(3)),
        line(shadowed, code="unsupported_aspect_ratio", codes=[], hold_id="i", credits_held=73.5),
        line(shadowed, code="model_not_found", codes=[], credits_held=None, model="no-such-model"),
        name="shadow.log",
    )
    (configured / "next-catalog.yaml").write_text(CATALOG.replace("{1K: 49, 2K: 73.5}", "{1K: 60, 2K: 80}"))
    (configured / "next-teams.yaml").write_text(
        "teams:\n  - id: studio\n    grants: [{id: opening, credits: 1000}]\n"
        "    limits: [{scope: member, per: day, credits: 150}]\n"
    )
    return place


def test_the_document_shows_commands() -> None:
    """Or the next test would be about nothing."""
    assert {"shadow", "replay"} == {command.split()[0] for command, _ in SHOWN}


@pytest.mark.parametrize(("command", "output"), SHOWN)
def test_a_command_prints_what_the_document_shows(place: Place, run: Run, command: str, output: str) -> None:
    """Word for word."""
    result = run(*command.split())

    assert (0, output) == (result.exit_code, "".join(f"{each.rstrip()}\n" for each in result.stdout.splitlines()))


def test_a_team_goes_into_shadow_and_out_of_it(place: Place, run: Run) -> None:
    """By the command that the document names."""
    (place.directory / "teams.yaml").write_text("teams: [{id: studio}]\n")
    command = re.search(r"`gatekeeper (teams set studio --shadow)`", DOCUMENT)
    assert command is not None
    assert 0 == run("apply", "teams.yaml").exit_code

    shown = []
    for prefix in ("--", "--no-"):
        assert 0 == run(*command[1].replace("--", prefix).split()).exit_code
        shown.append(json.loads(run("teams", "show", "studio", "--json").stdout)["shadow"])

    assert [True, False] == shown
