"""A provider's secret of webhooks: where it is none, that is said before anything starts."""

from pathlib import Path

import pytest

from gatekeeper.providers import provider_problems
from gatekeeper.settings import load_settings


def problems(directory: Path, dialect: str, secret: str, *, secrets_needed: bool = True) -> list[str]:
    """What is wrong with one provider that has this secret in a file, or none if it is empty."""
    if secret:
        (directory / "secret").write_text(secret)
    path = directory / "gatekeeper.yaml"
    path.write_text(
        f"providers:\n  some: {{dialect: {dialect}, base_url: 'https://a.test', webhook_secret: {{file: secret}}}}\n"
    )
    found = provider_problems(load_settings(path), secrets_needed=secrets_needed)
    told = [f"{problem.line}: {problem.where}: {problem.what}" for problem in found]
    return [line for line in told if "webhook" in line]


def test_a_secret_of_the_standard_is_taken(tmp_path: Path) -> None:
    """As Replicate gives it."""
    assert [] == problems(tmp_path, "replicate", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")


@pytest.mark.parametrize(
    ("dialect", "secret", "expected"),
    [
        ("replicate", "whsec_no-base64!", "this is no secret of webhooks"),
        ("replicate", "notwhsec", "this is no secret of webhooks"),
        ("replicate", "whsec_notwhsec", "this is no secret of webhooks"),
        ("replicate", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "this is no secret of webhooks"),
        ("replicate", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\u00e4", "this is no secret of webhooks"),
        ("openai", "whsec_MDEyMzQ1", "this dialect's webhooks are not signed with such a secret"),
        ("fal", "whsec_MDEyMzQ1", "this dialect's webhooks are not signed with such a secret"),
        ("bfl", "whsec_MDEyMzQ1", "this dialect's webhooks are not signed with such a secret"),
    ],
)
def test_what_cannot_verify_anything_is_told(tmp_path: Path, dialect: str, secret: str, expected: str) -> None:
    """With its line; the secret itself is not repeated."""
    (found,) = problems(tmp_path, dialect, secret)

    assert f"2: providers.some.webhook_secret: {expected}" == found


def test_a_secret_that_is_not_there_is_told(tmp_path: Path) -> None:
    """But where only the files are looked at, as on another machine."""
    (found,) = problems(tmp_path, "replicate", "")

    assert "cannot be read" in found
    assert [] == problems(tmp_path, "replicate", "", secrets_needed=False)


@pytest.mark.parametrize(
    "setting", ["allow_hosts: [Example.com]", "allow_hosts: ['a b']", "ports: [0]", "timeout_s: 0"]
)
def test_settings_that_make_no_sense_are_told(tmp_path: Path, setting: str) -> None:
    """Before anything starts."""
    path = tmp_path / "gatekeeper.yaml"
    path.write_text(f"webhooks: {{{setting}}}\n")

    with pytest.raises(Exception, match="webhooks"):
        load_settings(path)
