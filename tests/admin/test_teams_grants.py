"""Grants with an expiry in a teams file."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gatekeeper.admin.teams_file import apply_teams_file, plan
from gatekeeper.admin.teams_schema import TeamsFile, load_teams
from gatekeeper.ledger.keys import TeamKeys
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.opening import EMBEDDED, open_store
from gatekeeper.ledger.teamrecord import TeamRecord
from gatekeeper.yamlfile import ConfigError

CREDIT = 1_000_000


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    """A ledger on a real store."""
    store = await open_store(EMBEDDED, tmp_path / "data")
    yield store.ledger
    await store.close()


def written(directory: Path, line: str) -> Path:
    """A teams file with one team and one more line about it."""
    path = directory / "teams.yaml"
    path.write_text(f"teams:\n  - id: studio\n    {line}\n")
    return path


def a_file(directory: Path, line: str) -> TeamsFile:
    """The same, read."""
    return load_teams(written(directory, line))


async def test_a_grant_that_expires(ledger: Ledger, tmp_path: Path) -> None:
    """The plan says when, the store keeps it, and the same file again changes nothing."""
    text = "grants: [{id: summer, credits: 5, expires_at: 2999-01-01T00:00:00+01:00}]"
    done = await apply_teams_file(ledger, written(tmp_path, text), actor="test")

    assert "studio: new grant summer, 5 credits, expires 2998-12-31T23:00:00Z" == str(done.changes[-1])
    assert [(32_472_140_400_000, 5 * CREDIT)] == [
        (grant.expires_at_ms, grant.remaining) for grant in await ledger.grants("studio")
    ]
    assert [] == list((await plan(ledger, a_file(tmp_path, text))).changes)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (", expires_at: 2999-01-01T00:00:00Z", "", "with the expiry 2999-01-01T00:00:00Z. Correct the expiry"),
        ("", ", expires_at: 2999-01-01T00:00:00Z", "with no expiry. Correct the expiry"),
        (", expires_at: 2999-01-01T00:00:00Z", ", expires_at: 2998-01-01T00:00:00Z", "with the expiry 2999"),
    ],
)
async def test_a_grant_with_another_expiry(ledger: Ledger, tmp_path: Path, before: str, after: str, told: str) -> None:
    """It is a problem at its line, with the expiry that was given."""
    line = "grants: [{{id: summer, credits: 5{}}}]"
    await apply_teams_file(ledger, written(tmp_path, line.format(before)), actor="test")

    with pytest.raises(ConfigError) as caught:
        await plan(ledger, a_file(tmp_path, line.format(after)))
    (problem,) = caught.value.problems
    assert (3, True) == (problem.line, f"grant summer was given before, {told}" in str(problem))


async def test_a_grant_that_has_expired(ledger: Ledger, tmp_path: Path) -> None:
    """Never given it is a problem, and nothing is done; given in its time it may stay in the file."""
    text = "grants: [{id: old, credits: 5, expires_at: 2020-01-01T00:00:00Z}]"
    with pytest.raises(ConfigError) as caught:
        await apply_teams_file(ledger, written(tmp_path, text), actor="test")
    not_made = await ledger.team("studio")
    await ledger.put_team(TeamRecord("studio"))
    await ledger._client.command("HSET", TeamKeys("studio").grants, "old", f"{5 * CREDIT}\t1577836800000")

    assert (None, []) == (not_made, list((await plan(ledger, a_file(tmp_path, text))).changes))
    assert [
        "teams[studio].grants[old].expires_at: grant old was never given, and expired at 2020-01-01T00:00:00Z. "
        "Write a later time, or remove the grant."
    ] == [str(problem).partition(":3: ")[2] for problem in caught.value.problems]
