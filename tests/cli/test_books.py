"""`gatekeeper apply` and `gatekeeper verify`, on a real embedded store."""

import asyncio
import getpass
import json
from pathlib import Path

import pytest

from gatekeeper.ledger.client import connect
from gatekeeper.ledger.codec import parse_figures
from gatekeeper.ledger.keys import TeamKeys
from gatekeeper.ledger.opening import EMBEDDED, open_store
from tests.cli.scene import CI_KEY, TEAMS, Run

pytestmark = pytest.mark.usefixtures("configured")

FIRST_TIME = """\
studio: new team, time zone Europe/Berlin
studio: new limit team per month, 5000 credits
studio: new grant opening, 1000 credits
studio: new key ci (project spring)
"""


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI_KEY", CI_KEY)


def tamper(home: Path) -> None:
    """Changes a team's counter behind the ledger's back."""

    async def change() -> None:
        store = await open_store(EMBEDDED, home / "data")
        redis = connect(store.url)
        figures = parse_figures(await redis.hget(TeamKeys("studio").bal, "figures"))
        changed = ":".join((figures | {"charged": "7000000"}).values())
        await redis.hset(TeamKeys("studio").bal, "figures", changed)
        await redis.aclose()
        await store.close()

    asyncio.run(change())


def test_apply_twice(run: Run) -> None:
    """The first time makes everything that the file says, the second changes nothing."""
    first, second = run("apply", "teams.yaml"), run("apply", "teams.yaml")

    assert FIRST_TIME + "4 changes made.\n" == first.stdout
    assert "Nothing to do: the store is as the file says.\n" == second.stdout
    assert (0, 0, "", "") == (first.exit_code, second.exit_code, first.stderr, second.stderr)


def test_dry_run_writes_nothing(run: Run) -> None:
    """--dry-run says what would change, and the store stays empty."""
    result = run("apply", "teams.yaml", "--dry-run")

    assert FIRST_TIME + "4 changes to make; nothing was written.\n" == result.stdout
    assert "There are no teams in this store.\n" == run("verify").stdout


def test_the_difference(run: Run, home: Path) -> None:
    """A changed file changes what it says, and says so without any secret."""
    run("apply", "teams.yaml")
    changed = TEAMS.replace("credits: 5000", "credits: 73.5").replace("project: spring", "member: amy")
    (home / "teams.yaml").write_text(changed)

    result = run("apply", "teams.yaml", CI_KEY="gk_another_secret_of_mine")

    assert (
        "studio: limit team per month 5000 -> 73.5 credits\n"
        "studio: key ci gets a new secret\n"
        "studio: key ci project spring -> none\n"
        "studio: key ci member none -> amy\n"
        "4 changes made.\n"
    ) == result.stdout
    assert "secret_of_mine" not in result.output


def test_changes_for_scripts(run: Run) -> None:
    """With --json the changes are a list of facts."""
    document = json.loads(run("apply", "teams.yaml", "--dry-run", "--json").stdout)

    assert document["dry_run"]
    assert {"team": "studio", "kind": "new_grant", "what": "new grant opening, 1000 credits"} in document["changes"]


def test_pruning(run: Run, home: Path) -> None:
    """Without --prune what the file no longer names is kept and named; with it, it goes."""
    run("apply", "teams.yaml")
    (home / "teams.yaml").write_text("teams: [{id: studio}]\n")

    without, pruned, again = (
        run("apply", "teams.yaml"),
        run("apply", "teams.yaml", "--prune"),
        run("apply", "teams.yaml"),
    )

    assert (
        "Nothing to do: the store is as the file says.\n"
        "The store has more than the file; --prune would do this:\n"
        "  studio: limit team per month removed, was 5000 credits\n"
        "  studio: key ci removed\n"
    ) == without.stdout
    assert "2 changes made.\n" in pruned.stdout
    assert "Nothing to do: the store is as the file says.\n" == again.stdout


def test_who_and_why_are_in_the_journal(run: Run) -> None:
    """The user of the machine and the reason; without one, the file's name."""
    run("apply", "teams.yaml", "--why", "a new team")

    entries = json.loads(run("journal", "show", "studio", "--json").stdout)["entries"]
    assert {(getpass.getuser(), "a new team")} == {(entry["actor"], entry["why"]) for entry in entries}


def test_another_amount(run: Run, home: Path) -> None:
    """A grant that was given cannot be another one: a problem with its line, and nothing is written."""
    run("apply", "teams.yaml")
    (home / "teams.yaml").write_text(TEAMS.replace("1000", "1001").replace("5000", "1"))

    result = run("apply", "teams.yaml")

    assert 1 == result.exit_code
    assert (
        "teams.yaml:4: teams[studio].grants[opening].credits: grant opening was given before, with 1000 credits. "
        "Correct the amount, or give the difference under an id of its own.\n"
    ) == result.stderr
    (home / "teams.yaml").write_text(TEAMS)
    assert "Nothing to do: the store is as the file says.\n" == run("apply", "teams.yaml").stdout


def test_a_missing_secret(run: Run) -> None:
    """A key whose secret is not there stops everything before anything is written."""
    result = run("apply", "teams.yaml", CI_KEY="")

    assert 1 == result.exit_code
    assert "teams.yaml:7: teams[studio].keys[ci].secret: environment variable CI_KEY is not set" in result.stderr
    assert "There are no teams in this store.\n" == run("verify").stdout


def test_verify_all(run: Run) -> None:
    """Every team's books, and exit code 0 if all are in order."""
    run("apply", "teams.yaml")

    result = run("verify")

    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert ["Team Journal entries Verdict", "studio 3 ok"] == [lines[0], lines[2]]
    assert (0, "") == (result.exit_code, result.stderr)


def test_verify_finds_a_difference(run: Run, home: Path) -> None:
    """A figure that the journal does not confirm is shown with both values, and the exit code is 1."""
    run("apply", "teams.yaml")
    tamper(home)

    result = run("verify", "studio")

    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert 1 == result.exit_code
    assert "studio 3 1 figure off" in lines
    assert "studio charged 7000000 0" in lines


def test_verify_for_scripts(run: Run, home: Path) -> None:
    """With --json the verdict is a document, and the exit code says the same."""
    run("apply", "teams.yaml")
    tamper(home)

    result = run("verify", "--json")

    document = json.loads(result.stdout)
    assert (1, False) == (result.exit_code, document["clean"])
    assert [{"what": "charged", "stored": "7000000", "derived": "0"}] == document["teams"][0]["differences"]


def test_verify_a_team_that_is_not_there(run: Run) -> None:
    """An unknown team is answered with those there are."""
    run("apply", "teams.yaml")

    result = run("verify", "nobody")

    assert "There is no team nobody. There are: studio.\n" == result.stderr
    assert (1, "") == (result.exit_code, result.stdout)


def test_a_store_that_is_away(run: Run) -> None:
    """A store that does not answer is one line that says what to look at."""
    result = run("verify", GATEKEEPER_STORE__URL="unix:///nowhere/store.sock")

    assert 1 == result.exit_code
    assert result.stderr.startswith("The store cannot be reached: ")
    assert 1 == len(result.stderr.splitlines())


def test_a_variable_that_says_where_the_store_is_is_named(run: Run) -> None:
    """Whoever has set it and forgotten would look at `store.url` in the file, which is not asked."""
    result = run("verify", GATEKEEPER_STORE__URL="unix:///nowhere/store.sock")

    assert "that GATEKEEPER_STORE__URL, which goes before store.url, is its address." in result.stderr


def test_an_address_that_is_none(run: Run) -> None:
    """A store address that cannot be used says what can."""
    result = run("verify", GATEKEEPER_STORE__URL="mysql://here")

    schemes = "redis://, rediss://, unix://, redis+sentinel://, redis+cluster:// or 'embedded'"
    assert f"store scheme 'mysql': use {schemes}\n" == result.stderr
    assert 1 == result.exit_code
