"""`gatekeeper journal` and `verify --journal`, on a real embedded store."""

import json
from pathlib import Path

import pytest

from gatekeeper.cli import journal as commands
from gatekeeper.cli.stores import span
from gatekeeper.cli.tables import progress
from gatekeeper.ledger.holdid import DAY_MS
from gatekeeper.ledger.keys import TeamKeys
from gatekeeper.ledger.opening import OpenStore
from gatekeeper.ledger.records import HoldOrder
from tests.cases import each_case
from tests.cli.scene import CI_KEY, InStore, Run, hold_id, running


@pytest.fixture(autouse=True)
def _spent(run: Run, in_store: InStore) -> None:
    """The team of the teams file, with a hold that was settled: five entries."""
    run("apply", "teams.yaml", CI_KEY=CI_KEY)

    async def spend(store: OpenStore) -> None:
        asked = HoldOrder(hold_id(), "studio", 49_000_000, 60_000, project="spring", member="amy")
        await store.ledger.hold(asked)
        await store.ledger.settle(asked.hold_id, "studio", 24_500_000, outcome="made")

    in_store(spend)


def lines_of(text: str) -> list[str]:
    """What was printed, without the spaces of the tables."""
    return [" ".join(line.split()) for line in text.splitlines()]


def test_show(run: Run) -> None:
    """The last entries, with what they moved, for whom and why."""
    result = run("journal", "show", "studio", COLUMNS="200")

    first, *_, third, fourth = lines_of(result.stdout)[2:7]
    assert (0, True) == (result.exit_code, first.startswith("1 20"))
    assert " hold 49 0 " in third
    assert third.endswith("spring, amy")
    assert " settle 49 24.5 " in fourth
    assert fourth.endswith("spring, amy made")


def test_show_a_part(run: Run) -> None:
    """After an entry, and no more than asked for; without either the newest."""
    shown = [
        [entry["seq"] for entry in json.loads(run("journal", "show", "studio", "--json", *which).stdout)["entries"]]
        for which in (("--after", "1", "--limit", "2"), ("--limit", "1"), ("--after", "5"))
    ]

    assert [[2, 3], [5], []] == shown
    assert "There are no entries here.\n" == run("journal", "show", "studio", "--after", "5").stdout


def test_show_for_scripts_says_what_the_api_says(run: Run) -> None:
    """Exact credits, and null for what an entry does not have."""
    document = json.loads(run("journal", "show", "studio", "--json").stdout)

    entry = document["entries"][-1]
    assert (None, 0) == (document["next_after"], document["cut_seq"])
    assert ("settle", 49, 24.5, "made", None) == tuple(
        entry[name] for name in ("kind", "credits", "charged", "why", "actor")
    )


def test_export_twice(run: Run, home: Path) -> None:
    """The first time everything, the second time nothing."""
    first, second = run("journal", "export", "--to", "out"), run("journal", "export", "studio", "--to", "out")

    assert "studio 5 5 out/studio.jsonl" in lines_of(first.stdout)
    assert ["5 entries of 1 team exported.", "0 entries of 1 team exported."] == [
        result.stdout.splitlines()[-1] for result in (first, second)
    ]
    assert (0, "", 0) == (first.exit_code, first.stderr, second.exit_code)


def test_export_for_scripts(run: Run) -> None:
    """With --json what was done is a document."""
    document = json.loads(run("journal", "export", "--to", "out", "--json").stdout)

    assert [{"team": "studio", "file": "out/studio.jsonl", "entries": 5, "seq": 5}] == document["teams"]
    assert {} == document["problems"]


def test_a_file_that_cannot_be_continued(run: Run, home: Path) -> None:
    """It is told with what to do, the exit code is 1, and the other teams are exported all the same."""
    (home / "more.yaml").write_text("teams: [{id: attic}]\n")
    run("apply", "more.yaml")
    (home / "out").mkdir()
    (home / "out" / "attic.jsonl").write_text("garbage\n")

    result = run("journal", "export", "--to", "out")

    assert (1, 1) == (result.exit_code, len(result.stderr.splitlines()))
    assert result.stderr.startswith("out/attic.jsonl, line the last one: ")
    assert (home / "out" / "studio.jsonl").exists()


def test_trim_and_verify(run: Run) -> None:
    """What was exported is cut off; verify goes on from the checkpoint, and derives it from the files."""
    untouched = run("journal", "trim", "--keep-days", "0")
    run("journal", "export", "--to", "out")
    kept = run("journal", "trim")
    dry = run("journal", "trim", "--keep-days", "0", "--dry-run")
    cut = run("journal", "trim", "studio", "--keep-days", "0")
    trusted, proven = run("verify"), run("verify", "--journal", "out")

    assert ["0 entries of 1 team cut off."] * 2 == [result.stdout.splitlines()[0] for result in (untouched, kept)]
    assert "Not exported yet: 1 team. `gatekeeper journal export --to DIR` does it." == untouched.stdout.splitlines()[1]
    assert "5 entries of 1 team to cut off; nothing was written." == dry.stdout.splitlines()[-1]
    assert ["studio 5 5 5", "5 entries of 1 team cut off."] == [lines_of(cut.stdout)[i] for i in (2, -1)]
    assert "studio 0 ok, on the checkpoint of entry 5" in lines_of(trusted.stdout)
    assert "studio 5 ok" in lines_of(proven.stdout)
    assert "Entries 1 to 5 were exported and cut off." in run("journal", "show", "studio").stdout


def test_trim_for_scripts(run: Run) -> None:
    """With --json what was done is a document."""
    run("journal", "export", "--to", "out")
    document = json.loads(run("journal", "trim", "--keep-days", "0", "--json").stdout)

    assert [{"team": "studio", "entries": 5, "cut_seq": 5, "exported_seq": 5}] == document["teams"]


def test_a_journal_that_does_not_add_up_is_not_cut(run: Run, in_store: InStore) -> None:
    """It is told, and the exit code is 1."""
    run("journal", "export", "--to", "out")

    async def lose(store: OpenStore) -> None:
        await store.client.command("XDEL", TeamKeys("studio").journal, "2-0")

    in_store(lose)
    result = run("journal", "trim", "--keep-days", "0")

    assert 1 == result.exit_code
    assert "the journal of team studio does not add up: " in result.stderr


def test_files_that_differ(run: Run, home: Path) -> None:
    """verify names the place, and the exit code is 1."""
    run("journal", "export", "--to", "out")
    path = home / "out" / "studio.jsonl"
    path.write_text(path.read_text().replace('"spring"', '"winter"', 1))

    result = run("verify", "--journal", "out", COLUMNS="400")

    assert 1 == result.exit_code
    assert "exported entry 4" in result.stdout


def test_beside_a_running_gateway(run: Run, home: Path) -> None:
    """All of it works while the gateway serves."""
    with running(home, "serve", "--port", "0", "--admin-port", "0", until="server.started"):
        results = [
            run("journal", "export", "--to", "out"),
            run("journal", "trim", "--keep-days", "0"),
            run("holds", "list", "studio"),
            run("verify", "--journal", "out"),
        ]

    assert [0] * 4 == [result.exit_code for result in results]


@pytest.mark.parametrize("command", [("show", "nobody"), ("export", "nobody", "--to", "out"), ("trim", "nobody")])
def test_no_such_team(run: Run, command: tuple[str, ...]) -> None:
    """It is answered with those there are."""
    result = run("journal", *command)

    assert (1, "There is no team nobody. There are: studio.\n") == (result.exit_code, result.stderr)


def test_progress_is_for_terminals(capsys: pytest.CaptureFixture[str]) -> None:
    """Where nobody watches nothing is drawn."""
    with progress("Exporting", 1, silent=False) as step:
        step("studio")(1, 2)

    assert ("", "") == capsys.readouterr()


def test_days_that_are_kept() -> None:
    """No days keep nothing, however far this machine's clock is behind."""
    assert (11 * DAY_MS, 9 * DAY_MS) == tuple(commands._young_from_ms(10 * DAY_MS, days) for days in (0, 1))


@each_case(("seconds", "text"), [(0, "0 s"), (59.9, "59 s"), (3600, "1 h"), (3661, "1 h 1 min"), (200_000, "2 d 7 h")])
def test_spans_of_time(seconds: float, text: str) -> None:
    """In their two largest units."""
    assert text == span(seconds)
