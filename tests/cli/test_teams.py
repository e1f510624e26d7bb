"""`gatekeeper teams`, `keys`, `projects` and `alerts`: made, changed, stopped, and told as the admin API tells it."""

import getpass
import json
from collections.abc import Iterator
from typing import Any

import pytest

from gatekeeper.web.auth import KEY_PATTERN
from tests.cases import each_case
from tests.cli.scene import Run

pytestmark = pytest.mark.usefixtures("store_url")


def lines_of(text: str) -> list[str]:
    """What was printed, without the spaces of the tables."""
    return [" ".join(line.split()) for line in text.splitlines()]


def document(run: Run, *args: str) -> Any:
    """What a command says to scripts."""
    result = run(*args, "--json")
    assert 0 == result.exit_code, result.output
    return json.loads(result.stdout)


def journal(run: Run) -> list[dict[str, Any]]:
    return list(document(run, "journal", "show", "studio")["entries"])


@pytest.fixture
def unchanged(run: Run, store_url: str) -> Iterator[None]:
    """A team with a key and a limit, which are as they were when the test is over."""
    assert store_url
    run("teams", "create", "studio")
    run("keys", "create", "studio", "ci")
    run("limits", "set", "studio", "team", "month", "5")
    before = journal(run)
    yield
    assert (before, 1) == (journal(run), len(document(run, "teams", "list")["teams"]))


def test_a_team_is_made_once(run: Run) -> None:
    """The first time it is made, the same again changes nothing, another one of its name is refused."""
    asked = ("teams", "create", "studio", "--timezone", "Europe/Berlin", "--per-request", "73.5", "--deny", "dear-*")
    first, again = run(*asked, "--why", "a new client"), run(*asked)
    other = run("teams", "create", "studio", "--timezone", "UTC")

    assert ["Team studio is made.", "Team studio is there already; nothing was changed."] == [
        result.stdout.splitlines()[-1] for result in (first, again)
    ]
    assert 1 == other.exit_code
    assert [
        "There is a team studio already, and it differs in timezone. Nothing was changed.",
        "timezone: it is Europe/Berlin, and UTC was asked.",
    ] == other.stderr.splitlines()
    (entry,) = journal(run)
    assert ("team", getpass.getuser(), "a new client") == (entry["kind"], entry["actor"], entry["why"])


def test_a_team_is_shown(run: Run) -> None:
    """As a table, and as the document of the admin API."""
    run("teams", "create", "studio", "--open-holds", "5")
    run("grants", "give", "studio", "opening", "73.5")

    lines = lines_of(run("teams", "show", "studio").stdout)
    found = document(run, "teams", "show", "studio")

    assert {"Team studio", "State open", "Caps open_holds 5", "Available 73.5"} <= set(lines)
    assert ("studio", 73.5, 5) == (found["id"], found["balance"]["available"], found["caps"]["open_holds"])


def test_the_list_of_teams(run: Run) -> None:
    """Each with its credits; a page at a time when there are many."""
    for name in ("b-team", "a-team"):
        run("teams", "create", name)

    table = run("teams", "list").stdout
    first = run("teams", "list", "--limit", "1")
    page = document(run, "teams", "list", "--limit", "1", "--cursor", "a-team")

    assert ["a-team 0 0 0 UTC open", "b-team 0 0 0 UTC open"] == lines_of(table)[2:4]
    assert "There are more: --cursor a-team" == first.stdout.splitlines()[-1]
    assert (["b-team"], None) == ([team["id"] for team in page["teams"]], page["next_cursor"])


def test_a_freeze_and_its_end(run: Run) -> None:
    """The switch, with who and why; and a team that is changed."""
    run("teams", "create", "studio")
    states = [
        document(run, "teams", *command)["frozen"]
        for command in (("freeze", "studio", "--why", "a leak"), ("unfreeze", "studio"))
    ]
    changed = document(run, "teams", "set", "studio", "--shadow", "--organisation", "acme")

    assert [True, False] == states
    assert ("a leak", True, "acme") == (journal(run)[1]["why"], changed["shadow"], changed["organisation"])
    assert 2 == run("teams", "set", "studio").exit_code


def test_what_is_not_named_stays(run: Run) -> None:
    """One cap, or one list of patterns, changes no other."""
    run("teams", "create", "studio", "--open-holds", "5", "--allow", "a-*")
    run("teams", "set", "studio", "--per-request", "73.5")
    found = document(run, "teams", "set", "studio", "--deny", "a-dear-*")
    bare = document(run, "teams", "set", "studio", "--no-caps")

    assert (5, 73.5) == (found["caps"]["open_holds"], found["caps"]["per_request"])
    assert {"allow": ["a-*"], "deny": ["a-dear-*"]} == found["models"] == bare["models"]
    assert {None} == set(bare["caps"].values())


def test_a_team_is_removed(run: Run) -> None:
    """Not without a word of consent; then it is frozen without keys, and its books stay."""
    run("teams", "create", "studio")
    run("grants", "give", "studio", "opening", "10")
    run("keys", "create", "studio", "ci")

    asked = run("teams", "remove", "studio")
    done = run("teams", "remove", "studio", "--yes")

    assert (1, False) == (asked.exit_code, "is frozen" in asked.output)
    assert "Team studio is frozen, and 1 of its keys are removed; its books stay.\n" == done.stdout
    assert (True, 10) == (
        document(run, "teams", "show", "studio")["frozen"],
        document(run, "teams", "show", "studio")["balance"]["available"],
    )


@each_case(
    ("command", "told"),
    [
        (("teams", "show", "studoi"), "There is no team studoi. Did you mean studio? There are: studio."),
        (("keys", "list", "../etc"), "There is no team ../etc. There are: studio."),
        (("keys", "rotate", "studio", "cj"), "Team studio has no key cj. Did you mean ci? There are: ci."),
        (
            ("limits", "remove", "studio", "team", "day"),
            "Team studio has no limit team per day. Did you mean team per month? There are: team per month.",
        ),
        (("grants", "disallow", "studio", "x"), "ID: team studio has no allowance x. There are none."),
        (("holds", "release", "studio", "0" * 32, "--why", "x"), "There are none yet."),
        (("usage", "studi"), "There is no team studi. Did you mean studio?"),
        (("grants", "transfer", "studio", "t", "fim", "5"), "There is no team fim. There are: studio."),
    ],
)
@pytest.mark.usefixtures("unchanged")
def test_a_name_that_is_not_there(run: Run, command: tuple[str, ...], told: str) -> None:
    """The names that are near, and those there are."""
    result = run(*command)

    assert 1 == result.exit_code
    assert told in result.stderr


def test_a_raise_to_less_than_the_limit_is_told_in_credits(run: Run) -> None:
    """Micro-credits are nobody's business out here."""
    run("teams", "create", "studio")
    run("limits", "set", "studio", "team", "month", "10.5")

    result = run("limits", "raise", "studio", "team", "month", "5", "--until", "2d")

    assert "limit team per month: a raise is to more than the limit itself, 10.5 credits\n" == result.stderr


@each_case(
    ("command", "exit_code", "told"),
    [
        (("teams", "create", "../etc"), 1, "TEAM: `../etc` is no team id."),
        (("teams", "create", "new", "--timezone", "Europe/Berln"), 1, "Did you mean `Europe/Berlin`?"),
        (("teams", "create", "new", "--per-request", "much"), 2, "much is no number of credits"),
        (("grants", "give", "studio", "g", "0"), 1, "CREDITS: 0 credits are nothing. Write an amount above 0."),
        (("grants", "give", "studio", "g", "--", "-1"), 1, "CREDITS: `-1` credits is less than nothing."),
        (("grants", "give", "studio", "g", "1e16"), 1, "cannot be booked exactly"),
        (("grants", "give", "studio", "g", "nan"), 2, "nan is no number of credits"),
        (("grants", "give", "studio", "g", "5", "--expires", "2020-01-01"), 1, "--expires: 2020-01-01T00:00:00Z is"),
        (("grants", "give", "studio", "g", "5", "--expires", "soon"), 2, "soon is no time"),
        (("keys", "create", "studio", "k", "--scope", "everything"), 1, "It can be: generate, quote, read."),
        (("keys", "create", "studio", "k/../x"), 1, "KEY: `k/../x` is no name."),
        (("keys", "rotate", "studio", "ci", "--overlap", "forever"), 2, "forever is no stretch of time"),
        (
            ("keys", "rotate", "studio", "ci", "--overlap", "31d"),
            1,
            "--overlap: 31d is too long. Both secrets work for 30 d",
        ),
        (("limits", "set", "studio", "tem", "day", "5"), 1, "SCOPE: `tem` is no scope."),
        (("limits", "set", "studio", "team", "fortnight", "5"), 1, "PER: `fortnight` is not known here."),
        (
            ("limits", "raise", "studio", "team", "month", "9", "--until", "2020-01-01"),
            1,
            "--until: 2020-01-01T00:00:00Z is",
        ),
        (("grants", "refund", "studio", "r"), 1, "--hold: a charge is named by its hold or by its journal entry."),
        (("grants", "refund", "studio", "r"), 1, "Write --hold, or --entry."),
        (("projects", "set", "studio", "p", "5", "--part", "a"), 2, "a is no part; write it like"),
        (("projects", "set", "studio", "p", "5", "--part", "a=70:final", "--part", "b=31:fix"), 1, "more than 100"),
        (("projects", "set", "studio", "p", "5", "--part", "a=70"), 1, "--part: nothing would belong to the part a."),
        (("projects", "set", "studio", "p", "5", "--part", "a=70:itration"), 1, "Did you mean `iteration`?"),
        (("alerts", "set", "studio", "--threshold", "0"), 1, "--threshold: `0` is out of bounds."),
        (("alerts", "set", "studio", "--url", "ftp://x"), 1, "--url ftp://x: this is no address to send to."),
        (("usage", "studio", "--by", "colour"), 1, "`by` has colour: use model,"),
        (("usage", "studio", "--from", "2026-13-01"), 1, "write a day like 2026-11-30"),
    ],
)
@pytest.mark.usefixtures("unchanged")
def test_what_cannot_be(run: Run, command: tuple[str, ...], exit_code: int, told: str) -> None:
    """It says what is wrong and what would do, and nothing is changed."""
    result = run(*command, COLUMNS="300")

    assert exit_code == result.exit_code
    assert told in result.stderr


def test_a_rotation_says_what_becomes_of_the_secret_before(run: Run) -> None:
    """Whoever has it in use has to know whether there is time to change it."""
    run("teams", "create", "studio")
    run("keys", "create", "studio", "ci")

    at_once = run("keys", "rotate", "studio", "ci").stdout.splitlines()[-1]
    later = run("keys", "rotate", "studio", "ci", "--overlap", "24h").stdout.splitlines()[-1]

    assert "The secret before ends within a second." == at_once
    assert later.startswith("The secret before works until ")


def test_a_key_is_shown_once(run: Run) -> None:
    """Its secret is printed when it is made and when it is renewed, and is in no list and no journal."""
    run("teams", "create", "studio")
    made = run("keys", "create", "studio", "ci", "--project", "spring", "--scope", "quote", "--expires", "2999-01-01")
    again = run("keys", "create", "studio", "ci", "--project", "spring", "--scope", "quote", "--expires", "2999-01-01")
    other = run("keys", "create", "studio", "ci", "--project", "autumn")
    rotated = document(run, "keys", "rotate", "studio", "ci", "--overlap", "24h")

    first = made.stdout.split()[5]
    (key,) = document(run, "keys", "list", "studio")["keys"]
    assert KEY_PATTERN.fullmatch(first.encode())
    assert (0, None) == (again.exit_code, KEY_PATTERN.search(again.stdout.encode()))
    assert again.stdout.startswith("Key ci is there already; nothing was changed.")
    assert (1, True) == (other.exit_code, "it differs in project" in other.stderr)
    assert first != rotated["secret"]
    assert ("ci", "spring", ["quote"], rotated["older_until"]) == (
        key["id"], key["project"], key["scopes"], key["older_until"],
    )  # fmt: skip
    everything = run("keys", "list", "studio").output + run("journal", "show", "studio", COLUMNS="300").output
    assert [] == [secret for secret in (first, rotated["secret"]) if secret in everything]


def test_a_key_ends(run: Run) -> None:
    """Revoked it stays in the list, removed it does not; what is not there was nothing."""
    run("teams", "create", "studio")
    run("keys", "create", "studio", "ci")

    assert "Key ci of team studio is revoked.\n" == run("keys", "revoke", "studio", "ci").stdout
    assert [True] == [key["revoked"] for key in document(run, "keys", "list", "studio")["keys"]]
    assert "Key ci of team studio is removed.\n" == run("keys", "remove", "studio", "ci", "--yes").stdout
    assert "Team studio has no key ci; nothing was changed.\n" == run("keys", "remove", "studio", "ci", "-y").stdout
    assert ["team", "key", "key", "key"] == [entry["kind"] for entry in journal(run)]


def test_a_projects_budget(run: Run) -> None:
    """Set with its parts, listed, taken away."""
    run("teams", "create", "studio")
    parts = ("--part", "drafts=70:iteration,1K", "--part", "finals=30:final,2K", "--high", "4K", "--high-in-final-only")
    made = run("projects", "set", "studio", "spring", "3000", *parts, COLUMNS="200")
    found = document(run, "projects", "list", "studio")["projects"]
    gone = run("projects", "remove", "studio", "spring")

    assert "spring 3000 month drafts 70 %: iteration, 1K; finals 30 %: final, 2K 4K yes" == lines_of(made.stdout)[2]
    assert [("spring", 3000, "month", ["4K"], True)] == [
        (p["id"], p["credits"], p["per"], p["high_resolutions"], p["high_in_final_only"]) for p in found
    ]
    assert "No project of team studio has a budget.\n" == gone.stdout


def test_whom_to_tell(run: Run) -> None:
    """Percents and an address; each stays as it is when only the other is named."""
    run("teams", "create", "studio")
    run("alerts", "set", "studio", "--threshold", "90", "--threshold", "50")
    run("alerts", "set", "studio", "--url", "https://hooks.example.test/x")

    shown = run("alerts", "show", "studio").stdout
    assert "Told at 50 %, 90 %, in the log and to https://hooks.example.test/x.\n" == shown
    assert {"thresholds": [50, 90], "alert_url": "https://hooks.example.test/x"} == document(
        run, "alerts", "show", "studio"
    )
    assert "Nobody was called about team studio yet.\n" == run("alerts", "log", "studio").stdout
