"""`gatekeeper teams export`: a teams file of what was made by hand."""

from pathlib import Path

import pytest

from tests.cli.scene import Run

BY_HAND = """\
teams create studio --timezone Europe/Berlin --organisation "Acme & Co" --per-request 73.5 --open-holds 5
teams set studio --deny recraft-*
teams create film --shadow --no-retry-guard
teams create empty
grants give studio opening 1000.5
grants give studio 4711 200 --expires 30d
grants allow studio monthly 500 --lasts 2
limits set studio member:amy@x.org day 20
limits raise studio member:amy@x.org day 40 --until 2d
limits set studio team lifetime 5000
projects set studio spring 3000 --part drafts=70:iteration,1K --part finals=30:final --high 4K --high-in-final-only
projects set studio life 10 --per lifetime --since 2026-01-01 --until 2999-01-01
alerts set studio --threshold 50 --threshold 100
keys create studio ci --project spring --scope generate --expires 2999-01-01
"""


@pytest.fixture(name="file")
def _file(run: Run, store_url: str, tmp_path: Path) -> Path:
    assert store_url
    for line in BY_HAND.splitlines():
        done = run(*_words(line))
        assert 0 == done.exit_code, done.output
    exported = run("teams", "export")
    assert 0 == exported.exit_code, exported.output
    file = tmp_path / "exported.yaml"
    file.write_text(exported.stdout)
    return file


def _words(line: str) -> list[str]:
    before, quote, rest = line.partition('"')
    quoted, _, after = rest.partition('"')
    return before.split() + ([quoted] if quote else []) + after.split()


def test_applied_again_it_changes_nothing(run: Run, file: Path) -> None:
    """All that the file can say is in it; with --prune only keys would go, whose secrets are nowhere."""
    applied = run("apply", str(file))
    pruned = run("apply", str(file), "--prune", "--dry-run")

    assert (0, "Nothing to do: the store is as the file says.") == (applied.exit_code, applied.stdout.splitlines()[0])
    assert ["studio: key ci removed", "1 change to make; nothing was written."] == pruned.stdout.splitlines()


def test_keys_wait_for_their_secrets(file: Path) -> None:
    """In comments, each with a place for its secret."""
    text = file.read_text()

    assert "    #   - {id: ci, secret: {env: STUDIO_CI_KEY}, project: spring, scopes: [generate], expires_at: 2" in text
    assert "gk_" not in text


def test_some_teams(run: Run, file: Path) -> None:
    """Those that are named; one that is not there is told."""
    assert file.exists()
    some, none = run("teams", "export", "empty"), run("teams", "export", "emty")

    assert "teams:\n  - id: empty\n    timezone: UTC\n" == some.stdout
    assert (1, "") == (none.exit_code, none.stdout)
    assert "There is no team emty." in none.stderr
