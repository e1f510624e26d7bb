"""Settings in the environment, and what is wrong with one of them."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from gatekeeper.sections import EnvSecret, FileSecret
from gatekeeper.settings import load_settings
from gatekeeper.yamlfile import ConfigError

AS_LIST = 'Write a list as JSON, like ["a", "b"].'
AS_MAPPING = 'Write a mapping as JSON, like {"key": "value"}.'


def told(directory: Path) -> list[str]:
    """What is said of the environment beside a file that is right."""
    path = directory / "gatekeeper.yaml"
    path.write_text("providers: {x: {dialect: openai}}\nserver: {port: 1}\nwebhooks: {ports: [443]}\n")
    with pytest.raises(ConfigError) as raised:
        load_settings(path)
    return [str(problem) for problem in raised.value.problems]


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("GATEKEEPER_WEBHOOKS__ALLOW_HOSTS", "a,b", f"`a,b` is not a list. {AS_LIST}"),
        ("GATEKEEPER_WEBHOOKS__PORTS", "443", f"`443` is not a list. {AS_LIST}"),
        ("GATEKEEPER_WEBHOOKS__PORTS", '["x"]', "`x` is not a whole number. Write digits only, without quotes."),
        ("GATEKEEPER_CATALOG", "/tmp/x.yaml", f"`/tmp/x.yaml` is not a list. {AS_LIST}"),
        ("GATEKEEPER_WEBHOOKS", "{", f"this value is not a mapping of keys and values. {AS_MAPPING}"),
        ("GATEKEEPER_PROVIDERS", '{"a": "sk-1', f"this value is not a mapping of keys and values. {AS_MAPPING}"),
        ("GATEKEEPER_PROVIDERS__X__CREDENTIAL", "{env: FOO}",
         'secrets are named here, not written. Write {"env": "NAME"} or {"file": "path"}, as JSON.'),
        ("GATEKEEPER_LOG__LEVEL", "loud", "`loud` is not known here. It can be: debug, info, warning, error."),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, what: str
) -> None:
    """It is told of its variable, with how such a value is written there."""
    monkeypatch.setenv(name, value)

    assert [f"environment: {name}: {what}"] == told(tmp_path)


def test_every_mistake_in_one_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that is none hides no other mistake, and no key that is unknown."""
    monkeypatch.setenv("GATEKEEPER_CATALOG", "a,b")
    monkeypatch.setenv("GATEKEEPER_SERVER__PRT", "1")

    assert [
        "environment: server: unknown key `prt`. Did you mean `port`?",
        f"environment: GATEKEEPER_CATALOG: `a,b` is not a list. {AS_LIST}",
    ] == told(tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("CREDENTIAL", '{"env": "FOO"}', EnvSecret(env="FOO")),
        ("CREDENTIAL__ENV", "FOO", EnvSecret(env="FOO")),
        ("CREDENTIAL__FILE", "foo", FileSecret(file=Path("foo"))),
        ("CREDENTIAL", "none", "none"),
    ],
)
def test_the_place_of_a_secret(monkeypatch: pytest.MonkeyPatch, name: str, value: str, read: object) -> None:
    """It may be given there too, in each of its forms."""
    monkeypatch.setenv(f"GATEKEEPER_PROVIDERS__X__{name}", value)

    assert read == load_settings(None, {"providers": {"x": {"dialect": "openai"}}}).providers["x"].credential


def test_a_mistake_beside_an_empty_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of comments is right: the mistake is the variable's."""
    monkeypatch.setenv("GATEKEEPER_CATALOG", "a,b")
    (tmp_path / "gatekeeper.yaml").write_text("# nothing yet\n")

    with pytest.raises(ConfigError) as raised:
        load_settings(tmp_path / "gatekeeper.yaml")
    assert f"environment: GATEKEEPER_CATALOG: `a,b` is not a list. {AS_LIST}" == str(raised.value)


def test_a_list_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read, and wins over the file."""
    monkeypatch.setenv("GATEKEEPER_WEBHOOKS__ALLOW_HOSTS", '["a.test", "b.test"]')

    assert ("a.test", "b.test") == load_settings(None).webhooks.allow_hosts


def test_a_short_admin_token_is_refused_and_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever guesses it has everything; an empty one is none, and one is drawn."""
    with pytest.raises(ConfigError) as refused:
        load_settings(None, {"admin_token": "hunter2hunter2!"})
    monkeypatch.setenv("GATEKEEPER_ADMIN_TOKEN", "")

    assert "fewer than 16 characters" in str(refused.value)
    assert "hunter2" not in str(refused.value)
    assert "" == str((load_settings(None).admin_token or SecretStr("")).get_secret_value())
