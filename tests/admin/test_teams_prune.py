"""Pruning: what a teams file does not name goes, when it is asked for, and never what was spent."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from gatekeeper.admin.teams_file import apply_teams_file, plan
from gatekeeper.admin.teams_schema import load_teams
from gatekeeper.admin.teams_steps import ChangeKind, Plan
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.opening import EMBEDDED, open_store
from gatekeeper.ledger.teamrecord import Caps, KeyRecord, Limit, Per, Project, TeamRecord
from gatekeeper.web.auth import key_sha256
from gatekeeper.yamlfile import ConfigError

CREDIT = 1_000_000
SECRET, THEIRS, ALSO_THEIRS = "gk_the_secret_of_the_file", "gk_a_secret_by_hand", "gk_the_other_teams_own_secret"

FILE = """\
teams:
  - id: studio
    limits: [{scope: team, per: month, credits: 10}]
    keys: [{id: ci, secret: {env: CI_KEY}}]
"""


@pytest.fixture
async def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Ledger]:
    """A ledger that has more than the file: parts of the team, a key, another team with a key and credits."""
    monkeypatch.setenv("CI_KEY", SECRET)
    store = await open_store(EMBEDDED, tmp_path / "data")
    found = store.ledger
    await apply_teams_file(found, written(tmp_path, FILE), "test")
    record = await found.team("studio")
    assert record is not None
    more = replace(
        record,
        timezone="Europe/Berlin",
        frozen=True,
        limits=(*record.limits, Limit("member:amy", Per.DAY, 5 * CREDIT)),
        caps=Caps(open_holds=3),
        models_deny=("dear-*",),
        projects=(Project("spring", 5 * CREDIT),),
    )
    await found.put_team(more)
    await found.keyring.put(KeyRecord(key_sha256(THEIRS), "studio", "by-hand"))
    await found.put_team(TeamRecord("other"))
    await found.grant("other", "opening", 7 * CREDIT)
    await found.keyring.put(KeyRecord(key_sha256(ALSO_THEIRS), "other", "theirs"))
    yield found
    await store.close()


def written(directory: Path, text: str) -> Path:
    """A teams file with this text."""
    path = directory / "teams.yaml"
    path.write_text(text)
    return path


def lines_of(todo: Plan) -> list[str]:
    """The changes in words."""
    return [str(change) for change in todo.changes]


PRUNED = [
    "studio: limit member:amy per day removed, was 5 credits",
    "studio: cap open_holds 3 -> none",
    "studio: models deny dear-* -> none",
    "studio: project spring removed, was 5 credits per month",
    "studio: key by-hand removed",
]
"""What is in the store and not in the file."""


async def test_nothing_is_deleted_unless_it_is_asked_for(ledger: Ledger, tmp_path: Path) -> None:
    """Without pruning there is nothing to do, and the plan says what it keeps."""
    todo = await plan(ledger, load_teams(written(tmp_path, FILE)))

    assert () == todo.changes
    assert PRUNED == [str(change) for change in todo.kept]


async def test_what_pruning_does(ledger: Ledger, tmp_path: Path) -> None:
    """The file's teams have what it says and no more; another team is frozen without keys, and keeps its credits."""
    done = await apply_teams_file(ledger, written(tmp_path, FILE), "test", why="tidy up", prune=True)

    studio, other = await ledger.team("studio"), await ledger.team("other")
    assert [*PRUNED, "other: frozen: the file does not name this team", "other: key theirs removed"] == lines_of(done)
    assert (
        TeamRecord(
            "studio", timezone="Europe/Berlin", frozen=True, limits=(Limit("team", Per.MONTH, 10 * CREDIT),), revision=3
        )
        == studio
    )
    assert TeamRecord("other", frozen=True, revision=2) == other
    assert ["ci"] == [key.key_id for key in await ledger.keyring.of_team("studio")]
    assert [None, None] == [await ledger.keyring.find(key_sha256(each)) for each in (THEIRS, ALSO_THEIRS)]
    assert 7 * CREDIT == (await ledger.balance("other")).available
    assert {"tidy up"} == {entry.fields["why"] for entry in (await ledger.journal("other"))[-2:]}
    assert (await ledger.verify("other")).clean


async def test_pruning_twice_changes_nothing(ledger: Ledger, tmp_path: Path) -> None:
    """The second time there is nothing left over."""
    path = written(tmp_path, FILE)
    await apply_teams_file(ledger, path, "test", prune=True)

    assert Plan(()) == await apply_teams_file(ledger, path, "test", prune=True)


async def test_a_plan_that_prunes_writes_nothing(ledger: Ledger, tmp_path: Path) -> None:
    """It says what would be done, and the store stays as it was."""
    todo = await plan(ledger, load_teams(written(tmp_path, FILE)), prune=True)

    assert len(PRUNED) + 2 == len(todo.changes)
    assert 2 == [change.kind for change in todo.changes].count(ChangeKind.REMOVED_KEY)
    assert await ledger.keyring.find(key_sha256(ALSO_THEIRS)) is not None


async def test_a_file_without_teams_prunes_nothing(ledger: Ledger, tmp_path: Path) -> None:
    """It would close every team: most likely it is not the file that was meant."""
    with pytest.raises(ConfigError) as caught:
        await apply_teams_file(ledger, written(tmp_path, "teams: []\n"), "test", prune=True)

    assert ["names no team, and pruning would close all there are"] == [each.what for each in caught.value.problems]
    other = await ledger.team("other")
    assert other is not None
    assert not other.frozen
