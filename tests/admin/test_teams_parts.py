"""What a teams file says beyond limits and keys: raises, allowances, projects, alerts, scopes, overlaps."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from gatekeeper.admin.teams_file import apply_teams_file
from gatekeeper.admin.teams_schema import load_teams
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.opening import EMBEDDED, open_store
from gatekeeper.ledger.teamrecord import Allowance, BudgetPart, Limit, Per, Project, TeamRecord
from gatekeeper.web.auth import key_sha256
from gatekeeper.yamlfile import ConfigError

CREDIT = 1_000_000
OLD, NEW, NEWER, NEWEST = (f"gk_the_{age}_of_four_secrets" for age in ("first", "second", "third", "fourth"))
NOVEMBER_MS = 1_793_487_600_000
"""The first of November 2026 begins in Berlin."""

EVERYTHING = """\
    timezone: Europe/Berlin
    organisation: acme
    shadow: true
    limits:
      - {scope: member, per: day, credits: 200, raised_to: 400, raised_until: 2026-12-01T00:00:00Z}
    allowances:
      - {id: monthly, credits: 500, per: month, since: 2026-11-01, lasts_periods: 2}
    projects:
      - id: spring
        credits: 3000
        parts:
          - {name: drafts, share_percent: 70, phases: [iteration], resolutions: [1k]}
          - {name: finals, share_percent: 30, phases: [final, fix]}
        high_resolutions: [4K]
        high_in_final_only: true
      - {id: film, credits: 10, per: lifetime, since: 2026-11-01, until: 2026-11-01}
    thresholds: [100, 50]
    alert_url: https://hooks.example.test/gate?team=studio
"""
KEY = "    keys: [{id: ci, secret: {env: CI_KEY}, overlap: 36h}]\n"


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    """A ledger on a real store."""
    store = await open_store(EMBEDDED, tmp_path / "data")
    yield store.ledger
    await store.close()


def written(directory: Path, lines: str) -> Path:
    """A teams file with one team and more lines about it."""
    path = directory / "teams.yaml"
    path.write_text(f"teams:\n  - id: studio\n{lines}")
    return path


async def applied(ledger: Ledger, directory: Path, lines: str) -> list[str]:
    """Applies such a file; the changes in words, without the team."""
    done = await apply_teams_file(ledger, written(directory, lines), "test", why="a test")
    return [change.what for change in done.changes]


async def test_everything_is_in_the_record(ledger: Ledger, tmp_path: Path) -> None:
    """Raise, allowance, projects, thresholds, address, organisation and shadow are stored, and again change nothing."""
    first = await applied(ledger, tmp_path, EVERYTHING)

    parts = (
        BudgetPart("drafts", 70, ("iteration",), ("1K",)),
        BudgetPart("finals", 30, ("final", "fix")),
    )
    assert await ledger.team("studio") == TeamRecord(
        "studio",
        timezone="Europe/Berlin",
        organisation="acme",
        shadow=True,
        limits=(Limit("member", Per.DAY, 200 * CREDIT, 400 * CREDIT, 1_796_083_200_000),),
        allowances=(Allowance("monthly", 500 * CREDIT, Per.MONTH, NOVEMBER_MS, 2),),
        projects=(
            Project("spring", 3000 * CREDIT, parts=parts, high_resolutions=("4K",), high_in_final_only=True),
            Project("film", 10 * CREDIT, Per.LIFETIME, since_ms=NOVEMBER_MS, until_ms=NOVEMBER_MS + 86_400_000),
        ),
        thresholds=(50, 100),
        alert_url="https://hooks.example.test/gate?team=studio",
        revision=1,
    )
    assert [
        "new team, time zone Europe/Berlin",
        "organisation none -> acme",
        "in shadow: nothing is refused any more",
        "new limit member per day, 200 credits, raised to 400 credits until 2026-12-01T00:00:00Z",
        "new allowance monthly, 500 credits per month that last for 2 months, from 2026-10-31T23:00:00Z on",
        "new project spring, 3000 credits per month, drafts 70 % (iteration, 1K), finals 30 % (final, fix), "
        "4K high in phase final only",
        "new project film, 10 credits, from 2026-10-31T23:00:00Z, until 2026-11-01T23:00:00Z",
        "thresholds 50 %, 80 %, 95 %, 100 % -> 50 %, 100 %",
        "alert address none -> https://hooks.example.test/gate?team=studio",
    ] == first
    assert [] == await applied(ledger, tmp_path, EVERYTHING)


async def test_changes_of_what_is_there(ledger: Ledger, tmp_path: Path) -> None:
    """Each change has a line with before and after."""
    await applied(ledger, tmp_path, EVERYTHING)
    changed = (
        EVERYTHING.replace("credits: 500", "credits: 600")
        .replace("credits: 10, per: lifetime", "credits: 11, per: lifetime")
        .replace("raised_to: 400", "raised_to: 500")
        .replace("shadow: true", "shadow: false")
        .replace("https://hooks.example.test/gate?team=studio", "none")
    )

    told = await applied(ledger, tmp_path, changed)

    assert [
        "no longer in shadow",
        "limit member per day raised to 500 credits until 2026-12-01T00:00:00Z",
        "allowance monthly: 500 credits per month that last for 2 months, from 2026-10-31T23:00:00Z on -> "
        "600 credits per month that last for 2 months, from 2026-10-31T23:00:00Z on",
        "project film: 10 credits, from 2026-10-31T23:00:00Z, until 2026-11-01T23:00:00Z -> "
        "11 credits, from 2026-10-31T23:00:00Z, until 2026-11-01T23:00:00Z",
        "alert address https://hooks.example.test/gate?team=studio -> none",
    ] == told


async def test_an_allowance_begins_when_it_is_first_applied(ledger: Ledger, tmp_path: Path) -> None:
    """Without `since` it begins now, and a file that is applied again does not move it."""
    line = "    allowances: [{id: weekly, credits: 5, per: week}]\n"
    before_ms = await ledger.now_ms("studio")
    await applied(ledger, tmp_path, line)

    again = await applied(ledger, tmp_path, line)

    record = await ledger.team("studio")
    assert record is not None
    assert [] == again
    assert before_ms <= record.allowances[0].since_ms <= await ledger.now_ms("studio")


async def test_a_raise_by_hand_stays(ledger: Ledger, tmp_path: Path) -> None:
    """A file that says nothing of a raise does not take it back, also when it changes the limit."""
    await ledger.put_team(TeamRecord("studio", limits=(Limit("team", Per.DAY, CREDIT, 9 * CREDIT, NOVEMBER_MS),)))

    told = await applied(ledger, tmp_path, "    limits: [{scope: team, per: day, credits: 2}]\n")

    record = await ledger.team("studio")
    assert ["limit team per day 1 -> 2 credits"] == told
    assert record is not None
    assert (Limit("team", Per.DAY, 2 * CREDIT, 9 * CREDIT, NOVEMBER_MS),) == record.limits


async def test_a_raise_by_hand_ends_where_the_file_allows_as_much(ledger: Ledger, tmp_path: Path) -> None:
    """A limit that the file sets to what it was raised to, or above, is raised no longer: the file can be applied."""
    await ledger.put_team(TeamRecord("studio", limits=(Limit("team", Per.DAY, CREDIT, 9 * CREDIT, NOVEMBER_MS),)))

    told = await applied(ledger, tmp_path, "    limits: [{scope: team, per: day, credits: 9}]\n")

    record = await ledger.team("studio")
    assert ["limit team per day 1 -> 9 credits", "limit team per day no longer raised"] == told
    assert record is not None
    assert (Limit("team", Per.DAY, 9 * CREDIT),) == record.limits


async def test_scopes_of_a_key(ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are stored and told; a file that is silent about them leaves them as they are."""
    monkeypatch.setenv("CI_KEY", OLD)
    line = "    keys: [{{id: ci, secret: {{env: CI_KEY}}{}}}]\n"

    told = [
        await applied(ledger, tmp_path, line.format(scopes))
        for scopes in (", scopes: [quote, read]", "", ", scopes: [read, quote]", ", scopes: []")
    ]

    new = ["new team, time zone UTC", "new key ci (scopes quote, read)"]
    assert [new, [], [], ["key ci scopes quote, read -> all"]] == told


async def test_a_secret_is_replaced_with_an_overlap(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old and new work side by side, the old one until the overlap is over; the journal has who and why, no secret."""
    monkeypatch.setenv("CI_KEY", OLD)
    await applied(ledger, tmp_path, KEY)
    monkeypatch.setenv("CI_KEY", NEW)
    moved = KEY.replace("overlap", "project: spring, overlap")

    told = await applied(ledger, tmp_path, moved)

    old, new = [await ledger.keyring.find(key_sha256(secret)) for secret in (OLD, NEW)]
    now_ms = await ledger.now_ms("studio")
    assert ["key ci project none -> spring", "key ci gets a new secret, and the one before works for 36 h more"] == told
    assert old is not None
    assert old.expires_at_ms is not None
    assert new is not None
    assert 0 <= now_ms + 36 * 3_600_000 - old.expires_at_ms < 60_000
    assert (None, "spring", "spring") == (new.expires_at_ms, old.project, new.project)
    entry = (await ledger.journal("studio"))[-1]
    assert ("key", "test", "a test") == (entry.kind, entry.fields["actor"], entry.fields["why"])
    assert key_sha256(NEW) not in str(entry.fields)
    assert [] == await applied(ledger, tmp_path, moved)


async def test_too_many_secrets_at_once(ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fourth secret while three work is a problem at its line, and nothing is done."""
    for secret in (OLD, NEW, NEWER):
        monkeypatch.setenv("CI_KEY", secret)
        await applied(ledger, tmp_path, KEY)
    monkeypatch.setenv("CI_KEY", NEWEST)

    with pytest.raises(ConfigError) as caught:
        await applied(ledger, tmp_path, KEY)

    (problem,) = caught.value.problems
    assert (3, "key ci has 3 secrets that work already") == (problem.line, problem.what)
    assert await ledger.keyring.find(key_sha256(NEWEST)) is None


async def test_a_revoked_key_gets_no_overlap(ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new secret brings a revoked key back; the secret that it was revoked for stays out."""
    monkeypatch.setenv("CI_KEY", OLD)
    await applied(ledger, tmp_path, KEY)
    await ledger.keyring.change("studio", "ci", lambda key: replace(key, revoked=True))
    monkeypatch.setenv("CI_KEY", NEW)

    told = await applied(ledger, tmp_path, KEY)

    assert ["key ci gets a new secret", "key ci revoked yes -> no"] == told
    assert await ledger.keyring.find(key_sha256(OLD)) is None


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('organisation: "a\\nb"', "this is no organisation"),
        ("allowances: [{id: a, credits: 5, per: hour}]", "`hour` is not known here. It can be: day, week, month."),
        ("allowances: [{id: a, credits: 0, per: day}]", "0 credits are nothing"),
        ("allowances: [{id: a, credits: 5, per: day, since: soon}]", "this is no day and no instant"),
        ("allowances: [{id: a, credits: 5, per: day, since: 2026-11-01T00:00:00}]", "this is no day and no instant"),
        ("allowances: [{id: a, credits: 5, per: day, lasts_periods: 32}]", "`32` is out of bounds"),
        (
            "allowances: [{id: a, credits: 5, per: day, lasts_periods: 25}, "
            "{id: b, credits: 6, per: day, lasts_periods: 24}]",
            "they roll over for 49 periods in all",
        ),
        (
            "allowances: [{id: a, credits: 5, per: day}, {id: a, credits: 6, per: day}]",
            "the allowance `a` is already on line 3",
        ),
        ("projects: [{id: p, credits: 5}, {id: p, credits: 5}]", "the project `p` is already on line 3"),
        ("projects: [{id: p, credits: 5, high_resolutions: [big]}]", "`big` is no resolution"),
        ("projects: [{id: p, credits: 5, since: 2026-11-01}]", "a budget per month begins and ends with it"),
        (
            "projects: [{id: p, credits: 5, per: lifetime, since: 2026-11-02, until: 2026-11-01}]",
            "the project ends before it begins",
        ),
        ("thresholds: [0]", "`0` is out of bounds. It must be at least 1."),
        ("alert_url: ftp://example.test", "this is no address to send to"),
        ("alert_url: https://user:secret@example.test", "this is no address to send to"),
        ("limits: [{scope: team, per: day, credits: 1, raised_to: 2}]", "stands without `raised_until`"),
        (
            "limits: [{scope: team, per: day, credits: 2, raised_to: 2, raised_until: 2999-01-01T00:00:00Z}]",
            "2 is not more than the limit itself",
        ),
        (
            "limits: [{scope: team, per: day, credits: 1, raised_until: 2026-12-01T00:00:00Z}]",
            "stands without `raised_to`",
        ),
        (
            "keys: [{id: k, secret: {env: A}, overlap: 24}]",
            "no stretch of time. Write it like 24h, 90min or 7d.",
        ),
        ("keys: [{id: k, secret: {env: A}, overlap: 31d}]", "is out of bounds"),
        ("keys: [{id: k, secret: {env: A}, scopes: [all]}]", "It can be: generate, quote, read."),
    ],
)
def test_one_mistake(tmp_path: Path, line: str, told: str) -> None:
    """Each mistake is one problem at its line, in its own words."""
    with pytest.raises(ConfigError) as caught:
        load_teams(written(tmp_path, f"    {line}\n"))

    (problem,) = caught.value.problems
    assert told in str(problem)
    assert (3, True) == (problem.line, "secret@" not in str(problem))
