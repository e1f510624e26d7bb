"""The parts of a project's budget: a teams file, the admin API and a command take the same and refuse the same."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from gatekeeper.admin.bodies import ProjectBody
from gatekeeper.admin.problems import unreadable
from gatekeeper.admin.teams_schema import load_teams
from gatekeeper.cli.projects import part_of
from gatekeeper.yamlfile import ConfigError
from tests.cases import each_case

NO_WORDS = "nothing would belong to the part a. Name phases (iteration, final, fix), or resolutions like 2K."
REFUSED = {
    "more than all": (("a=70:final", "b=31:fix"), "the shares come to 101 %, more than 100. Let them come to"),
    "a misspelt phase": (("a=70:itration",), "`itration` is no phase. Did you mean `iteration`?"),
    "a phase in capitals": (("a=70:FINAL,2K",), "`FINAL` is no phase. Did you mean `final`?"),
    "a phase like none": (("a=70:launch",), "`launch` is no phase. Use iteration, final, fix."),
    "a misspelt resolution": (("a=70:2KK",), "`2KK` is no resolution. Write it like 2K or 768P."),
    "no words": (("a=70",), NO_WORDS),
    "no words behind a colon": (("b=30:fix", "a=70:"), NO_WORDS),
    "one name twice": (("a=50:final", "a=50:fix"), "two parts have one name. Give each part a name of its own."),
    "more than one hundred": (("a=101:final",), "`101` is out of bounds. It must be at most 100."),
    "no name": (("=70:final",), "`` is no name."),
}
TAKEN = (("drafts=70:iteration,1K", "finals=25:final,2K", "fixes=5:fix"), ("drafts=60:1k,768p",), ())
"""Fewer than 100 % are a plan for what they name."""


def said_by_file(directory: Path, parts: list[dict[str, Any]]) -> list[str]:
    """What a teams file with such a project is refused with."""
    path = directory / "teams.yaml"
    project = json.dumps({"id": "p", "credits": 5, "parts": parts})
    path.write_text(f"teams: [{{id: studio, projects: [{project}]}}]\n")
    try:
        load_teams(path)
    except ConfigError as error:
        return [f"{problem.what}. {problem.mend}" for problem in error.problems]
    return []


def said_by_api(parts: list[dict[str, Any]]) -> list[str]:
    """What a body with such a project is refused with, which is what a command says too."""
    try:
        ProjectBody.model_validate({"id": "p", "credits": 5, "parts": parts})
    except ValidationError as error:
        return [f"{each.detail}. {each.mend}" for each in unreadable(error, ProjectBody).violations]
    return []


@each_case("name", list(REFUSED))
def test_what_no_part_can_be(tmp_path: Path, name: str) -> None:
    """One mistake, in the same words everywhere."""
    texts, told = REFUSED[name]
    parts = [part_of(text) for text in texts]

    (by_file,) = said_by_file(tmp_path, parts)
    assert by_file.startswith(told)
    assert [by_file] == said_by_api(parts)


@pytest.mark.parametrize("texts", TAKEN)
def test_what_parts_can_be(tmp_path: Path, texts: tuple[str, ...]) -> None:
    """All of it, some of it, none of it."""
    parts = [part_of(text) for text in texts]

    assert ([], []) == (said_by_file(tmp_path, parts), said_by_api(parts))
