"""Teams files: what they may say, what follows from them, and that doing it twice changes nothing."""

import asyncio
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gatekeeper.admin.teams_file import apply_plan, apply_teams_file, plan
from gatekeeper.admin.teams_schema import TeamsFile, idle_patterns, load_teams
from gatekeeper.admin.teams_secrets import read_secrets
from gatekeeper.admin.teams_steps import ChangeKind, Plan
from gatekeeper.ledger.errors import LedgerConflict
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.opening import EMBEDDED, open_store
from gatekeeper.ledger.records import EntryKind
from gatekeeper.ledger.teamrecord import Caps, KeyRecord, Limit, Per, TeamRecord
from gatekeeper.web.auth import key_sha256
from gatekeeper.yamlfile import ConfigError

CREDIT = 1_000_000
SECRET = "gk_0123456789abcdefghij"

FULL = """\
teams:
  - id: studio
    timezone: Europe/Berlin
    grants: [{id: opening, credits: 1000, note: to begin with}]
    limits:
      - {scope: team, per: month, credits: 5000}
      - {scope: "member:amy", per: day, credits: 73.5}
    caps: {per_request: 300, open_holds: 50}
    models: {allow: ["*"], deny: [dear-*]}
    keys:
      - {id: ci, secret: {env: CI_KEY}, project: spring, expires_at: 2030-01-01T00:00:00Z}
"""


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI_KEY", SECRET)


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    """A ledger on a real store."""
    store = await open_store(EMBEDDED, tmp_path / "data")
    yield store.ledger
    await store.close()


def written(directory: Path, text: str) -> Path:
    """A teams file with this text."""
    path = directory / "teams.yaml"
    path.write_text(text)
    return path


def a_file(directory: Path, text: str) -> TeamsFile:
    """The same, read."""
    return load_teams(written(directory, text))


def problems(directory: Path, text: str) -> list[str]:
    """What is wrong with a file, without its path."""
    path = written(directory, text)
    with pytest.raises(ConfigError) as caught:
        load_teams(path)
    return [str(problem).removeprefix(f"{path}:") for problem in caught.value.problems]


def team_with(line: str) -> str:
    """A file with one team and one more line about it."""
    return f"teams:\n  - id: studio\n    {line}\n"


async def apply_plan_of(ledger: Ledger, directory: Path, text: str) -> list[str]:
    """Applies a file; the changes in words."""
    return lines_of(await apply_teams_file(ledger, written(directory, text), "test"))


def lines_of(todo: Plan) -> list[str]:
    """The changes in words."""
    return [str(change) for change in todo.changes]


async def test_everything_a_file_can_say(ledger: Ledger, tmp_path: Path) -> None:
    """Team, limits, caps, models, grant and key are in the store as the file has them."""
    await apply_teams_file(ledger, written(tmp_path, FULL), actor="test")

    assert await ledger.team("studio") == TeamRecord(
        "studio",
        timezone="Europe/Berlin",
        limits=(Limit("team", Per.MONTH, 5000 * CREDIT), Limit("member:amy", Per.DAY, 73_500_000)),
        caps=Caps(per_request=300 * CREDIT, open_holds=50),
        models_deny=("dear-*",),
        revision=1,
    )
    assert 1000 * CREDIT == (await ledger.balance("studio")).granted
    assert await ledger.keyring.find(key_sha256(SECRET)) == KeyRecord(
        key_sha256(SECRET), "studio", "ci", project="spring", expires_at_ms=1_893_456_000_000
    )


async def test_who_did_it_is_in_the_journal(ledger: Ledger, tmp_path: Path) -> None:
    """The actor and a grant's note are kept with the entry."""
    await apply_teams_file(ledger, written(tmp_path, FULL), actor="test")

    team, grant, key = await ledger.journal("studio")
    assert ["test"] * 3 == [entry.fields["actor"] for entry in (team, grant, key)]
    assert "to begin with" == grant.fields["why"]


async def test_twice_changes_nothing(ledger: Ledger, tmp_path: Path) -> None:
    """The second time there is nothing to do, and the journal does not grow."""
    path = written(tmp_path, FULL)
    await apply_teams_file(ledger, path, actor="test")

    again = await apply_teams_file(ledger, path, actor="test")

    assert Plan(()) == again
    assert 3 == len(await ledger.journal("studio"))


async def test_a_plan_writes_nothing(ledger: Ledger, tmp_path: Path) -> None:
    """A plan says what it would do, in order, and the store stays as it was."""
    todo = await plan(ledger, a_file(tmp_path, FULL))

    assert [
        "studio: new team, time zone Europe/Berlin",
        "studio: new limit team per month, 5000 credits",
        "studio: new limit member:amy per day, 73.5 credits",
        "studio: cap per_request none -> 300 credits",
        "studio: cap open_holds none -> 50",
        "studio: models deny none -> dear-*",
        "studio: new grant opening, 1000 credits",
        "studio: new key ci (project spring, expires 2030-01-01T00:00:00Z)",
    ] == lines_of(todo)
    assert [ChangeKind.NEW_TEAM] * 6 + [ChangeKind.NEW_GRANT, ChangeKind.NEW_KEY] == [c.kind for c in todo.changes]
    assert await ledger.team("studio") is None
    assert await ledger.keyring.find(key_sha256(SECRET)) is None


async def test_what_a_file_does_not_say_stays(ledger: Ledger, tmp_path: Path) -> None:
    """Limits, caps, a freeze, other teams, grants and keys are left alone by a file that does not name them."""
    await apply_teams_file(ledger, written(tmp_path, FULL), actor="test")
    stored = await ledger.team("studio")
    assert stored is not None
    await ledger.put_team(replace(stored, frozen=True))
    await ledger.put_team(TeamRecord("other"))

    todo = await apply_teams_file(ledger, written(tmp_path, team_with("timezone: Europe/Paris")), actor="test")

    assert ["studio: time zone Europe/Berlin -> Europe/Paris"] == lines_of(todo)
    assert await ledger.team("studio") == replace(stored, frozen=True, timezone="Europe/Paris", revision=3)
    assert 1 == len(await ledger.keyring.of_team("studio"))


async def test_a_list_of_limits_deletes_none(ledger: Ledger, tmp_path: Path) -> None:
    """A limit is known by its scope and its period; what the list leaves out stays, and another order is no change."""
    await apply_teams_file(ledger, written(tmp_path, FULL), actor="test")
    new = "limits: [{scope: key, per: hour, credits: 1}, {scope: team, per: month, credits: 10}]"
    other_order = "limits: [{scope: team, per: month, credits: 10}, {scope: key, per: hour, credits: 1}]"

    changed = await apply_teams_file(ledger, written(tmp_path, team_with(new)), actor="test")
    turned = await plan(ledger, a_file(tmp_path, team_with(other_order)))

    assert ["studio: limit team per month 5000 -> 10 credits", "studio: new limit key per hour, 1 credit"] == lines_of(
        changed
    )
    assert [] == lines_of(turned)
    assert "studio: limit member:amy per day removed, was 73.5 credits" == str(turned.kept[0])


async def test_caps_and_patterns_that_are_left_out_stay(ledger: Ledger, tmp_path: Path) -> None:
    """Each cap is known by its name, and so is each list of patterns; a list that is written replaces its own."""
    await apply_teams_file(ledger, written(tmp_path, FULL), actor="test")
    new = "caps: {per_request: 200, held_credits: 2.5, requests_per_minute: 60}\n    models: {allow: [a-model]}"

    todo = await apply_teams_file(ledger, written(tmp_path, team_with(new)), actor="test")

    assert [
        "studio: cap per_request 300 credits -> 200 credits",
        "studio: cap held_credits none -> 2.5 credits",
        "studio: cap requests_per_minute none -> 60",
        "studio: models allow * -> a-model",
    ] == lines_of(todo)


async def test_the_retry_guard(ledger: Ledger, tmp_path: Path) -> None:
    """It is on until a file turns it off, and stays as it is when a file does not say."""
    await apply_teams_file(ledger, written(tmp_path, FULL), actor="test")
    said = ["retry_guard: false", "frozen: false", "retry_guard: true"]

    todo = [await apply_teams_file(ledger, written(tmp_path, team_with(new)), actor="test") for new in said]

    assert [["studio: retry guard off"], [], ["studio: retry guard on"]] == [lines_of(each) for each in todo]


async def test_a_new_secret(ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key whose secret changed works with the new one only, and no line tells either."""
    await apply_teams_file(ledger, written(tmp_path, FULL), actor="test")
    monkeypatch.setenv("CI_KEY", "gk_another_secret_of_mine")

    todo = await apply_teams_file(ledger, written(tmp_path, FULL), actor="test")

    assert ["studio: key ci gets a new secret"] == lines_of(todo)
    assert await ledger.keyring.find(key_sha256(SECRET)) is None
    assert await ledger.keyring.find(key_sha256("gk_another_secret_of_mine")) is not None


async def test_a_revoked_key_stays_revoked(ledger: Ledger, tmp_path: Path) -> None:
    """A key that was revoked is not brought back by its old secret in a file."""
    await apply_teams_file(ledger, written(tmp_path, FULL), actor="test")
    key = await ledger.keyring.find(key_sha256(SECRET))
    assert key is not None
    await ledger.keyring.put(replace(key, revoked=True))

    todo = await apply_teams_file(ledger, written(tmp_path, FULL.replace("spring", "autumn")), actor="test")

    assert ["studio: key ci project spring -> autumn"] == lines_of(todo)
    assert await ledger.keyring.find(key_sha256(SECRET)) == replace(key, project="autumn", revoked=True)


async def test_a_freeze_and_its_end(ledger: Ledger, tmp_path: Path) -> None:
    """`frozen: true` freezes, `frozen: false` lifts it, and silence leaves it as it is."""
    told = []
    for line in ("frozen: true", "timezone: UTC", "frozen: false"):
        done = await apply_plan_of(ledger, tmp_path, team_with(line))
        record = await ledger.team("studio")
        assert record is not None
        told.append((record.frozen, done))

    assert [True, True, False] == [frozen for frozen, _ in told]
    assert ["studio: frozen: nothing is forwarded any more", "studio: no longer frozen"] == [
        line for _, lines in told for line in lines if "frozen" in line
    ]


async def test_a_key_can_be_revoked_by_the_file(ledger: Ledger, tmp_path: Path) -> None:
    """`revoked: true` ends a key and says so."""
    keys = "keys: [{{id: ci, secret: {{env: CI_KEY}}{}}}]"
    await apply_plan_of(ledger, tmp_path, team_with(keys.format("")))

    told = await apply_plan_of(ledger, tmp_path, team_with(keys.format(", revoked: true")))

    assert ["studio: key ci revoked no -> yes"] == told
    assert [True] == [key.revoked for key in await ledger.keyring.of_team("studio")]


async def test_a_grant_with_another_amount(ledger: Ledger, tmp_path: Path) -> None:
    """It is a problem at its line, with the amount that was given, and nothing else of the file is done."""
    await apply_teams_file(ledger, written(tmp_path, FULL), actor="test")
    path = written(tmp_path, FULL.replace("credits: 1000", "credits: 10").replace("Berlin", "Paris"))

    with pytest.raises(ConfigError) as caught:
        await apply_teams_file(ledger, path, actor="test")

    assert [
        f"{path}:4: teams[studio].grants[opening].credits: grant opening was given before, with 1000 credits. "
        "Correct the amount, or give the difference under an id of its own."
    ] == [str(problem) for problem in caught.value.problems]
    stored = await ledger.team("studio")
    assert stored is not None
    assert "Europe/Berlin" == stored.timezone


async def test_grants_are_found_however_long_the_journal_is(ledger: Ledger, tmp_path: Path) -> None:
    """A grant that lies more than a page of the journal back is known."""
    await ledger.put_team(TeamRecord("studio"))
    await asyncio.gather(*(ledger.grant("studio", f"g-{number}", CREDIT) for number in range(1005)))
    text = team_with("grants: [{id: g-0, credits: 1}, {id: g-1004, credits: 1}, {id: new, credits: 1}]")

    todo = await plan(ledger, a_file(tmp_path, text))

    assert ["studio: new grant new, 1 credit"] == lines_of(todo)


async def test_a_secret_that_is_another_keys(ledger: Ledger, tmp_path: Path) -> None:
    """A secret that the store knows for another key is a problem, and the other key keeps it."""
    await ledger.put_team(TeamRecord("other"))
    await ledger.keyring.put(KeyRecord(key_sha256(SECRET), "other", "theirs"))
    path = written(tmp_path, FULL)

    with pytest.raises(ConfigError) as caught:
        await apply_teams_file(ledger, path, actor="test")

    told = "the secret is that of key theirs of team other in the store. Give each key a secret of its own."
    assert [f"{path}:11: teams[studio].keys[ci].secret: {told}"] == [str(p) for p in caught.value.problems]
    assert await ledger.team("studio") is None


async def test_somebody_else_at_the_same_time(ledger: Ledger, tmp_path: Path) -> None:
    """A plan made before a change by somebody else is refused; planning again takes their change in."""
    teams = a_file(tmp_path, team_with("timezone: Europe/Paris"))
    old = await plan(ledger, teams)
    await ledger.put_team(TeamRecord("studio", caps=Caps(open_holds=3)))

    with pytest.raises(LedgerConflict):
        await apply_plan(ledger, old, actor="test")
    await apply_teams_file(ledger, teams.file.path, actor="test")

    assert await ledger.team("studio") == TeamRecord(
        "studio", timezone="Europe/Paris", caps=Caps(open_holds=3), revision=2
    )


class Meddled(Ledger):
    """A ledger in which somebody else changes the team right before our first change of it."""

    def __init__(self, real: Ledger) -> None:
        super().__init__(real._client)
        self.changes_left = 1

    async def put_team(self, record: TeamRecord, **options: Any) -> TeamRecord:
        if self.changes_left:
            self.changes_left -= 1
            await super().put_team(TeamRecord(record.id, caps=Caps(open_holds=3)))
        return await super().put_team(record, **options)


async def test_a_change_in_between(ledger: Ledger, tmp_path: Path) -> None:
    """Somebody else's change between plan and step is taken in, and what was done is told once."""
    path = written(tmp_path, team_with("timezone: Europe/Paris\n    grants: [{id: a, credits: 2}]"))

    done = await apply_teams_file(Meddled(ledger), path, actor="test")

    assert ["studio: time zone UTC -> Europe/Paris", "studio: new grant a, 2 credits"] == lines_of(done)
    assert await ledger.team("studio") == TeamRecord(
        "studio", timezone="Europe/Paris", caps=Caps(open_holds=3), revision=2
    )


async def test_two_gateways_start_at_once(ledger: Ledger, tmp_path: Path) -> None:
    """Two plans of the same file, one after the other: the second one finds its work done."""
    teams = a_file(tmp_path, FULL)
    mine, theirs = await plan(ledger, teams), await plan(ledger, teams)
    await apply_plan(ledger, theirs, actor="them")

    with pytest.raises(LedgerConflict):
        await apply_plan(ledger, mine, actor="me")

    assert [] == lines_of(await apply_teams_file(ledger, teams.file.path, actor="me"))
    grants = [entry for entry in await ledger.journal("studio") if entry.kind is EntryKind.GRANT]
    assert 1 == len(grants)


def test_every_problem_at_once(tmp_path: Path) -> None:
    """Problems of every kind come out together, each with its line, and no secret is repeated."""
    text = """\
teams:
  - id: studio
    timezone: Europe/Berln
    grants: [{id: a, credits: -1}, {id: a, credits: 0}]
    limits:
      - {scope: tem, per: moth, credits: 9000000001}
    keys:
      - {id: k, secret: gk_written_here}
      - {id: l, secret: {env: CI_KEY}}
      - {id: l, secret: {env: CI_KEY}}
  - {id: studio}
"""
    found = problems(tmp_path, text)

    assert [
        "3: teams[studio].timezone: `Europe/Berln` is no time zone known here. Did you mean `Europe/Berlin`?",
        "4: teams[studio].grants[a].id: the grant `a` is already on line 4. Keep one of the two.",
        "4: teams[studio].grants[a].credits: `-1` credits is less than nothing. Write an amount above 0.",
        "4: teams[studio].grants[a].credits: 0 credits are nothing. Write an amount above 0.",
        "6: teams[studio].limits[0].scope: `tem` is no scope. "
        "Use team, project, member, key, or one by name like member:amy.",
        "6: teams[studio].limits[0].per: `moth` is not known here. Did you mean `month`?",
        "6: teams[studio].limits[0].credits: `9000000001` credits cannot be booked exactly. "
        "Credits have at most six decimals and stay at or below 9000000000.",
        "8: teams[studio].keys[k].secret: does not say where the secret is. "
        "Write {env: NAME} or {file: PATH}; never the secret itself.",
        "10: teams[studio].keys[l].id: the key `l` is already on line 9. Keep one of the two.",
        "10: teams[studio].keys[l].secret: the secret `env CI_KEY` is already on line 9. "
        "Give each key a secret of its own.",
        "11: teams[studio].id: the team `studio` is already on line 2. Keep one of the two.",
    ] == found
    assert "gk_written_here" not in "".join(found)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("colour: red", "unknown key `colour`"),
        ("time_zone: UTC", "Did you mean `timezone`?"),
        ('grants: [{id: a, credits: "5"}]', "the text `5` is no number of credits"),
        ("grants: [{id: a, credits: true}]", "this is no number of credits"),
        ("grants: [{id: a, credits: 0.0000001}]", "cannot be booked exactly"),
        ("grants: [{id: a}]", "teams[studio].grants[a].credits: is missing"),
        ("grants: [{id: a/b, credits: 1}]", "`a/b` is no name"),
        ("grants: [{id: a, credits: 1, expires_at: 2030-01-01T00:00:00}]", "grants[a].expires_at"),
        ("grants: [{id: a, credits: 1, expires: 2030-01-01}]", "unknown key `expires`"),
        ("limits: [{scope: team:x, per: day, credits: 1}]", "`team:x` is no scope"),
        ('limits: [{scope: "member:", per: day, credits: 1}]', "`member:` is no scope"),
        ("limits: [{scope: member:a b, per: day, credits: 1}]", "`member:a b` is no scope"),
        (
            "limits: [{scope: key, per: day, credits: 1}, {scope: key, per: day, credits: 2}]",
            "key per day` is already",
        ),
        ("caps: {open_holds: -1}", "`-1` is out of bounds"),
        ("caps: {open_holds: 1.5}", "`1.5` is not a whole number"),
        ('models: {deny: [""]}', "is no pattern of model ids"),
        ("keys: [{id: k, secret: {env: A, file: b}}]", "does not say where the secret is"),
        ("keys: [{id: k, secret: {env: A-B}}]", "does not say where the secret is"),
        ("keys: [{id: k, secret: {env: A}, project: 2026}]", "`2026` is not text. Put it in quotes."),
        ("keys: [{id: k, secret: {env: A}, expires_at: 2030-01-01}]", "is not a time with its zone"),
        ("keys: [{id: k, secret: {env: A}, scopes: [quotes]}]", "Did you mean `quote`?"),
    ],
)
def test_one_mistake(tmp_path: Path, line: str, told: str) -> None:
    """Each mistake is one problem, in its own words."""
    found = problems(tmp_path, team_with(line))

    assert 1 == len(found)
    assert told in found[0]


@pytest.mark.parametrize("text", ["", "teams:\n", "teams: studio\n", "[]\n", "team: []\n"])
def test_no_teams_file_at_all(tmp_path: Path, text: str) -> None:
    """What is no teams file is told as one, never as a crash."""
    assert problems(tmp_path, text)


@pytest.mark.parametrize(
    ("secret", "told"),
    [
        ("sk-other", "environment variable CI_KEY holds no gatekeeper key"),
        ("gk_" + "x" * 129, "environment variable CI_KEY holds no gatekeeper key"),
        ("gk_ü", "environment variable CI_KEY holds no gatekeeper key"),
        ("gk_1", "environment variable CI_KEY holds a key that is too short to be safe"),
        ("gk_" + "x" * 19, "environment variable CI_KEY holds a key that is too short to be safe"),
        ("gk_demo", "environment variable CI_KEY holds the demo's key, which everybody knows"),
    ],
)
def test_a_secret_that_cannot_be_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secret: str, told: str) -> None:
    """A secret that no request could carry, or that everybody knows, is wrong; it is not repeated."""
    monkeypatch.setenv("CI_KEY", secret)

    found = read_secrets(a_file(tmp_path, FULL))

    assert [told] == [problem.what for problem in found.wrong]
    assert "secrets.token_hex(24)" in found.wrong[0].mend
    assert ({}, []) == (found.sha256, found.missing)


def test_what_is_told_to_draw_a_secret_draws_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command of the mend, pasted into a shell, prints a secret that is taken."""
    monkeypatch.setenv("CI_KEY", "gk_1")
    (problem,) = read_secrets(a_file(tmp_path, FULL)).wrong
    command = (
        problem.mend.removeprefix("Draw one: ")
        .partition(". It is")[0]
        .replace("python3", shlex.quote(sys.executable), 1)
    )
    drawn = subprocess.run(["sh", "-c", command], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    monkeypatch.setenv("CI_KEY", drawn)

    found = read_secrets(a_file(tmp_path, FULL))

    assert ([], [key_sha256(drawn)]) == (found.wrong, list(found.sha256.values()))


def test_a_secret_in_a_file(tmp_path: Path) -> None:
    """A secret's file is found beside the teams file, and its last newline is not part of it."""
    (tmp_path / "ci.key").write_text(SECRET + "\n")

    found = read_secrets(a_file(tmp_path, FULL.replace("{env: CI_KEY}", "{file: ci.key}")))

    assert [key_sha256(SECRET)] == list(found.sha256.values())


def test_one_secret_in_two_places(tmp_path: Path) -> None:
    """The same secret for two keys is wrong even when it comes from two places."""
    (tmp_path / "amy.key").write_text(SECRET)
    text = team_with("keys: [{id: ci, secret: {env: CI_KEY}}, {id: amy, secret: {file: amy.key}}]")

    found = read_secrets(a_file(tmp_path, text))

    assert ["the secret is also that of key ci of team studio"] == [problem.what for problem in found.wrong]


def test_patterns_that_match_nothing(tmp_path: Path) -> None:
    """A pattern without a model is told with the nearest id."""
    text = team_with('models: {allow: ["*"], deny: [recraft-v5-pro, "recraft-*"]}')

    found = idle_patterns(a_file(tmp_path, text), ["recraft-v4-pro", "qwen-image"])

    assert [("`recraft-v5-pro` matches no model of the catalog", "Did you mean `recraft-v4-pro`?")] == [
        (problem.what, problem.mend) for problem in found
    ]
