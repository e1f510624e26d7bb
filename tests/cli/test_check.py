"""`gatekeeper check`: every problem of config, catalog and teams file in one run."""

import json
from pathlib import Path

import pytest

from gatekeeper.dialects.registry import DIALECTS
from tests.cli.scene import CATALOG, CI_KEY, CONFIG, TEAMS, Run

PROVIDERS = "providers:\n  acme: {dialect: native, base_url: http://127.0.0.1:1, credential: {env: ACME_TOKEN}}\n"


def test_all_is_well(run: Run, configured: Path) -> None:
    """It says what was checked."""
    (configured / "gatekeeper.yaml").write_text(CONFIG + "teams: teams.yaml\n")

    result = run("check", CI_KEY=CI_KEY)

    config, catalog, teams, verdict = result.stdout.splitlines()
    assert "gatekeeper.yaml: 0 providers" == config
    assert catalog.startswith("catalog ")
    assert catalog.endswith(": 1 file, 2 models")
    assert f"{configured}/teams.yaml: 1 team, 1 grant, 1 key" == teams
    assert "No problems found." == verdict
    assert (0, "") == (result.exit_code, result.stderr)


def test_problems_of_every_file(run: Run, configured: Path) -> None:
    """A mistake in one file hides none in another: each is told with file and line, and the exit code is 1."""
    (configured / "gatekeeper.yaml").write_text(CONFIG + "teams: teams.yaml\nserver: {port: 70000}\n" + PROVIDERS)
    (configured / "catalog.yaml").write_text(CATALOG.replace("2K: 73.5", "2K: -1"))
    (configured / "teams.yaml").write_text(TEAMS.replace("Europe/Berlin", "Europe/Berln"))

    result = run("check")

    assert [
        "gatekeeper.yaml:4: server.port: `70000` is out of bounds. It must be at most 65535.",
        f"{configured}/catalog.yaml:18: models[a-model].capabilities[0].price.credits.2K: "
        "`-1` credits is less than nothing. A price is 0 or more.",
        f"{configured}/teams.yaml:3: teams[studio].timezone: "
        "`Europe/Berln` is no time zone known here. Did you mean `Europe/Berlin`?",
    ] == [line for line in result.stderr.splitlines() if not line.startswith("warning: ")]
    assert (1, "") == (result.exit_code, result.stdout)


def test_a_dialect_that_is_not_there_behind_another_mistake(run: Run, configured: Path) -> None:
    """What only shows once the settings are read is told although they cannot be."""
    wrong = PROVIDERS.replace("native", "nativ").replace("{env: ACME_TOKEN}", "none") + "log: {level: loud}\n"
    (configured / "gatekeeper.yaml").write_text(CONFIG + wrong)

    result = run("check")

    assert 2 == len(result.stderr.splitlines())
    assert "gatekeeper.yaml:5: log.level: `loud` is not known here." in result.stderr
    assert "gatekeeper.yaml:4: providers.acme.dialect: no dialect 'nativ'" in result.stderr


ELSEWHERE = """\
  fal: {dialect: fal, base_url: http://a.test, base_urls: {queue: http://b.test}, credential: none}
  part: {dialect: fal, base_url: http://a.test, base_urls: {queue: http://b.test}, on_unknown: perhaps}
"""


def test_addresses_behind_another_mistake(run: Run, configured: Path) -> None:
    """Further addresses that are there are not said to be missing because something else is wrong."""
    (configured / "gatekeeper.yaml").write_text(CONFIG + "server: {port: 70000}\nproviders:\n" + ELSEWHERE)

    result = run("check")

    problems = [line for line in result.stderr.splitlines() if not line.startswith("warning: ")]
    assert ["server.port", "providers.part.on_unknown"] == [line.split(": ")[1] for line in problems]


def test_an_address_that_is_missing_behind_another_mistake(run: Run, configured: Path) -> None:
    """One that is missing is told in the same run."""
    lacking = ELSEWHERE.replace(", base_urls: {queue: http://b.test}", "", 1)
    (configured / "gatekeeper.yaml").write_text(CONFIG + "providers:\n" + lacking)

    result = run("check")

    assert "gatekeeper.yaml:4: providers.fal.base_url: base_urls.queue is missing" in result.stderr


def test_a_store_address_that_is_none(run: Run, configured: Path) -> None:
    """An address that no store can have is found without connecting to anything."""
    (configured / "gatekeeper.yaml").write_text("catalog: [catalog.yaml]\nstore:\n  url: mysql://here\n")

    result = run("check")

    schemes = "redis://, rediss://, unix://, redis+sentinel://, redis+cluster:// or 'embedded'"
    told = f"store scheme 'mysql': use {schemes}. Correct the address."
    assert (1, f"gatekeeper.yaml:3: store.url: {told}\n") == (result.exit_code, result.stderr)


@pytest.mark.parametrize(
    ("stated", "is_told"),
    [
        ("{port: 9000, admin_port: 9000}", True),
        ("{port: 9000, host: 0.0.0.0, admin_port: 9000}", True),
        ("{port: 9000, host: 10.0.0.7, admin_port: 9000}", False),
        ("{port: 0, admin_port: 0}", False),
    ],
)
def test_both_planes_at_one_port(run: Run, configured: Path, stated: str, is_told: bool) -> None:
    """That cannot be listened to, which the start would tell as a port that somebody else has."""
    (configured / "gatekeeper.yaml").write_text(f"{CONFIG}server: {stated}\n")

    result = run("check")

    told = "gatekeeper.yaml:3: server.admin_port: 9000 is the data port, too. Give each plane a port of its own.\n"
    assert (int(is_told), told if is_told else "") == (result.exit_code, result.stderr)


def test_missing_secrets_are_warnings(run: Run, configured: Path) -> None:
    """Secrets that are not in this environment do not fail the check; they are told with where they are named."""
    (configured / "gatekeeper.yaml").write_text(CONFIG + PROVIDERS + "teams: teams.yaml\n")

    result = run("check")

    first, second = result.stderr.splitlines()
    assert first.startswith("warning: gatekeeper.yaml:4: providers.acme.credential: environment variable ACME_TOKEN ")
    assert second.startswith(f"warning: {configured}/teams.yaml:7: teams[studio].keys[ci].secret: environment variable")
    assert 0 == result.exit_code


@pytest.mark.parametrize(
    ("stated", "is_told"),
    [
        ("base_url: http://a.test", True),
        ("base_url: http://a.test, credential: none", False),
        ("base_url: http://localhost:1", False),
        ("base_url: 'http://[::1]'", False),
        ("base_url: http://localhost.a.test", True),
        ("base_url: http://a.test, on_unknown: perhaps, credential: {env: X}", False),
    ],
)
def test_no_word_of_a_credential(run: Run, configured: Path, stated: str, is_told: bool) -> None:
    """Requests would go upstream without one, which is right only for a service nearby, or if config says so."""
    (configured / "gatekeeper.yaml").write_text(CONFIG + f"providers:\n  acme: {{dialect: native, {stated}}}\n")

    result = run("check")

    said = "warning: gatekeeper.yaml:4: providers.acme: its requests go upstream without a credential. "
    assert is_told == (said in result.stderr)


def test_a_secret_of_the_wrong_form(run: Run, configured: Path) -> None:
    """A secret that is there and cannot be a key is a problem, and is not repeated."""
    (configured / "gatekeeper.yaml").write_text(CONFIG + "teams: teams.yaml\n")

    result = run("check", CI_KEY="sk-something-else")

    assert 1 == result.exit_code
    assert "teams.yaml:7: teams[studio].keys[ci].secret: environment variable CI_KEY holds no gatekeeper key" in (
        result.stderr
    )
    assert "sk-something-else" not in result.output


def test_a_denial_that_denies_nothing(run: Run, configured: Path) -> None:
    """A pattern that matches no model is worth a warning."""
    (configured / "gatekeeper.yaml").write_text(CONFIG + "teams: teams.yaml\n")
    (configured / "teams.yaml").write_text(TEAMS + "    models: {deny: [a-mdoel]}\n")

    result = run("check", CI_KEY=CI_KEY)

    told = "teams[studio].models.deny[0]: `a-mdoel` matches no model of the catalog. Did you mean `a-model`?"
    assert f"warning: {configured}/teams.yaml:8: {told}\n" == result.stderr
    assert 0 == result.exit_code


def test_a_provider_pattern_that_offers_nothing(run: Run, configured: Path) -> None:
    """The same of a provider's patterns: with one that matches no model it offers none."""
    provider = "providers: {studio: {dialect: native, base_url: http://127.0.0.1:1, models: [a-mdoel]}}\n"
    (configured / "gatekeeper.yaml").write_text(CONFIG + provider)

    result = run("check")

    told = "providers.studio.models[0]: `a-mdoel` matches no model of the catalog. Did you mean `a-model`?"
    assert (0, f"warning: gatekeeper.yaml:3: {told}\n") == (result.exit_code, result.stderr)


@pytest.mark.parametrize(
    ("stated", "told"),
    [
        ("dialect: acme", "is offered at `mine`. Write offers_of: acme (or models: [...])."),
        ("dialect: native", "is offered at `mine`. Write models: [...], the catalog ids that it takes, or offers_of: "),
        ("dialect: native, offers_of: acmee", "is offered at `acmee`. Write models: [...], "),
        ("dialect: native, offers_of: acme", ""),
        ("dialect: native, models: [a-*]", ""),
    ],
)
def test_a_provider_that_offers_nothing(
    run: Run, configured: Path, monkeypatch: pytest.MonkeyPatch, stated: str, told: str
) -> None:
    """Under a name of its own it has no offers of the catalog, and would refuse every request."""
    monkeypatch.setitem(DIALECTS, "acme", DIALECTS["native"])
    provider = f"providers:\n  mine: {{{stated}, base_url: http://127.0.0.1:1, credential: none}}\n"
    (configured / "gatekeeper.yaml").write_text(CONFIG + provider)

    result = run("check")

    start = "warning: gatekeeper.yaml:4: providers.mine.offers_of: no model of the catalog "
    assert 0 == result.exit_code
    assert result.stderr.startswith(start + told if told else "")
    assert (1 if told else 0) == len(result.stderr.splitlines())


@pytest.mark.parametrize(
    ("usual", "told"),
    [("acme-2", "Did you mean `acme-1`?"), ("b-modle", "Did you mean `b-model`?"), ("acme-1", ""), ("b-model", "")],
)
def test_a_default_model_that_is_nowhere(run: Run, configured: Path, usual: str, told: str) -> None:
    """It is one of the offers, or of the catalog's own names that the provider takes."""
    stated = f"dialect: native, base_url: http://127.0.0.1:1, credential: none, models: [b-*], default_model: {usual}"
    (configured / "gatekeeper.yaml").write_text(CONFIG + f"providers:\n  acme: {{{stated}}}\n")

    result = run("check")

    said = f"warning: gatekeeper.yaml:4: providers.acme.default_model: `{usual}` is no model that it has. {told}\n"
    assert (0, said if told else "") == (result.exit_code, result.stderr)


def test_a_price_list_of_tomorrow(run: Run, configured: Path) -> None:
    """A date in the future holds nothing back, and whoever wrote it may think so."""
    (configured / "gatekeeper.yaml").write_text(CONFIG)
    (configured / "catalog.yaml").write_text(CATALOG.replace("2026-01-01T", "2999-01-01T"))

    result = run("check")

    assert "is dated 2999-01-01, and in force as soon as it is loaded" in result.stderr
    assert 0 == result.exit_code


def test_for_scripts(run: Run, configured: Path) -> None:
    """With --json problems and warnings are a document."""
    (configured / "gatekeeper.yaml").write_text(CONFIG + PROVIDERS + "store: {}\n")

    document = json.loads(run("check", "--json").stdout)

    assert (False, [], []) == (document["ok"], document["warnings"], document["checked"])
    assert [(5, "`store` is already given on line 2")] == [(p["line"], p["what"]) for p in document["problems"]]


@pytest.mark.parametrize("named", [("--config", "nowhere.yaml"), ()])
def test_a_config_that_is_not_there(run: Run, named: tuple[str, ...]) -> None:
    """A config that is named, by option or environment, has to be there."""
    result = run("check", *named, GATEKEEPER_CONFIG="nowhere.yaml")

    assert "nowhere.yaml:1: there is no such file. Check the path and the file that names it.\n" == result.stderr
    assert 1 == result.exit_code


def test_a_catalog_that_is_not_there(run: Run, configured: Path) -> None:
    """A pattern that matches no file is a problem."""
    (configured / "catalog.yaml").unlink()

    result = run("check")

    assert 1 == result.exit_code
    assert "no file matches 'catalog.yaml'" in result.stderr
