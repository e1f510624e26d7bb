"""`replay` and `shadow`: what they take, and what they say when something is wrong."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.scene import CATALOG, Run
from tests.replaying.scene import Place, admitted, line, settled


@pytest.fixture(name="place")
def _place(configured: Path) -> Place:
    place = Place(configured)
    place.log(admitted("a"), settled("a"))
    return place


def document(run: Run, *args: str) -> Any:
    """What a command prints as JSON."""
    result = run(*args, "--json")
    assert 0 == result.exit_code, result.output
    return json.loads(result.stdout)


def test_the_configured_catalog_and_teams_are_the_default(place: Place, run: Run) -> None:
    """Without a teams file nobody has rules; with the one of the settings its teams do."""
    bare = document(run, "replay", "gateway.log")
    (place.directory / "gatekeeper.yaml").write_text("catalog: [catalog.yaml]\nteams: teams.yaml\n")
    ruled = document(run, "replay", "gateway.log")

    assert [["studio"], []] == [each["not_judged"]["teams_without_rules"] for each in (bare, ruled)]
    assert [49, 49] == [each["credits_after"] for each in (bare, ruled)]


def test_credits_are_exact(place: Place, run: Run) -> None:
    """Half a credit is half a credit, after a thousand of them too."""
    lines = [each for n in range(1000) for each in (admitted(f"h{n}", credits=73.5), settled(f"h{n}", charged=73.5))]
    place.log(*lines)

    assert "73500," in run("replay", "gateway.log", "--json").stdout
    assert 73_500 == document(run, "replay", "gateway.log")["credits_before"]


@pytest.mark.parametrize("command", ["replay", "shadow"])
def test_a_log_that_is_not_there_is_told(place: Place, run: Run, command: str) -> None:
    """By its name, with the exit code of a wrong command line."""
    result = run(command, "nothing.log")

    assert 2 == result.exit_code
    assert "nothing.log" in result.stderr


def test_a_wrong_teams_file_is_told_line_by_line(place: Place, run: Run) -> None:
    """As `apply` would tell it."""
    (place.directory / "wrong.yaml").write_text("teams:\n  - id: studio\n    limit: []\n")

    result = run("replay", "gateway.log", "--teams", "wrong.yaml")

    assert 1 == result.exit_code
    assert "wrong.yaml:3" in result.stderr


def test_a_catalog_is_a_file_a_directory_or_a_pattern(place: Place, run: Run) -> None:
    """All three name the same one; what names none is told."""
    (place.directory / "next").mkdir()
    (place.directory / "next" / "prices.yaml").write_text(CATALOG.replace("1K: 49", "1K: 60"))

    found = [
        document(run, "replay", "gateway.log", "--catalog", named)["credits_after"]
        for named in ("next/prices.yaml", "next", "next/*.yaml")
    ]
    wrong = run("replay", "gateway.log", "--catalog", "none")

    assert ([60] * 3, 2) == (found, wrong.exit_code)
    assert "none" in wrong.stderr


def test_a_log_without_requests_says_so(place: Place, run: Run) -> None:
    """And so does one in which shadow let nothing by."""
    place.log(line("server.started"), b"something else\n")

    replayed, shadow = run("replay", "gateway.log").stdout, run("shadow", "gateway.log").stdout

    assert "There is no request in it that can be judged." in replayed
    assert "1 line were passed by" not in replayed
    assert "1 line passed by, for it is no log line of a gateway: those are JSON (log.format: json)." in replayed
    assert "Shadow mode let nothing by that would have been refused." in shadow


def test_remarks_tell_what_the_tables_do_not(place: Place, run: Run) -> None:
    """What is assumed, still running, from before, without rules, or not told at all."""
    refused = line(
        "generation.rejected", code="insufficient_credits", codes=[], asked={"model": "a-model", "prompt": True}
    )
    place.log(refused, admitted("open"), settled("earlier"), admitted("odd", asked={"outputs": "x"}))

    said = run("replay", "gateway.log").stdout

    for words in (
        "49 of the credits after are of requests that were not made then.",
        "1 request had no end in the log; nothing is charged for that.",
        "49 credits, the same in both, are of requests from before the log.",
        "Not in the teams file, so only validated and priced: studio.",
        "Not judged: 1 line that does not say what was asked.",
    ):
        assert words in said
