"""Providers as settings state them, and what is wrong with them beyond their shape."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from gatekeeper.dialects import openai
from gatekeeper.dialects.registry import DIALECTS
from gatekeeper.providers import build_providers, provider_problems
from gatekeeper.settings import Settings, load_settings
from gatekeeper.yamlfile import ConfigError

Write = Callable[[str], Path]


@pytest.fixture(name="write")
def _write(tmp_path: Path) -> Write:
    """Writes a config file with these providers."""

    def write(providers: str) -> Path:
        path = tmp_path / "gatekeeper.yaml"
        path.write_text(f"providers:\n{providers}")
        return path

    return write


@pytest.fixture(name="twofold")
def _twofold(monkeypatch: pytest.MonkeyPatch) -> None:
    """For this test there is a dialect with two further addresses."""
    bases = {"queue": "https://queue.example.com", "rest": "https://rest.example.com"}
    traits = replace(openai.TRAITS, address="https://first.example.com", bases=bases)
    monkeypatch.setitem(DIALECTS, "twofold", SimpleNamespace(TRAITS=traits))


def told(path: Path) -> list[str]:
    """What the settings' own checks say of a file."""
    with pytest.raises(ConfigError) as raised:
        load_settings(path)
    return [f"{problem.line}: {problem.where}: {problem.what}. {problem.mend}" for problem in raised.value.problems]


def test_addresses_and_hosts_that_cannot_be_used(write: Write) -> None:
    """Each is told with its place and how to mend it, all in one run."""
    path = write("""\
  a: {dialect: openai, base_url: "https://a.test", base_urls: {queue: "ftp://q.test"}}
  b: {dialect: openai, base_url: "https://b.test", host: "b.test/openai"}
  c: {dialect: openai, base_url: "https://c.test", host: ""}
""")

    address = "the address cannot be used. Write http:// or https:// with a host, without user, query or fragment."
    host = "is no host name. Write it as a Host header has it, such as images.example.com."
    assert [
        f"2: providers.a.base_urls.queue: {address}",
        f"3: providers.b.host: 'b.test/openai' {host}",
        f"4: providers.c.host: '' {host}",
    ] == told(path)


def test_a_host_is_of_one_provider(write: Write) -> None:
    """Two providers with one host name could not be told apart; misnamed ones are told in the same run."""
    path = write("""\
  a: {dialect: openai, base_url: "https://a.test", host: images.test}
  b: {dialect: openai, base_url: "https://b.test", host: Images.test}
  v1: {dialect: openai, base_url: "https://c.test"}
""")

    assert [
        "3: providers.b.host: 'images.test' is the host of a too. Use another.",
        "4: providers.v1: 'v1' cannot name a provider. Use a short lower-case word, none of 'v1', 'admin' and "
        "'decisions'.",
    ] == told(path)


@pytest.mark.usefixtures("twofold")
def test_an_address_that_the_dialect_does_not_have(write: Write) -> None:
    """Further addresses have the dialect's own names; a dialect with one address takes none."""
    settings = load_settings(
        write("""\
  a: {dialect: twofold, base_urls: {queu: "https://q.test"}}
  b:
    dialect: openai
    base_url: https://b.test
    base_urls:
      queue: https://q.test
""")
    )

    assert [
        (2, "providers.a.base_urls.queu", "the dialect twofold has no address 'queu'", "Use queue, rest."),
        (
            7, "providers.b.base_urls.queue", "the dialect openai has no address 'queue'",
            "Leave it out: this dialect has base_url alone.",
        ),
    ] == [(each.line, each.where, each.what, each.mend) for each in provider_problems(settings)]  # fmt: skip


@pytest.mark.usefixtures("twofold")
async def test_an_address_that_is_not_stated_is_the_public_one() -> None:
    """Addresses that config does not say are the provider's own."""
    stated = {"dialect": "twofold", "base_urls": {"queue": "http://q.test"}}
    settings: Settings = load_settings(None, {"providers": {"a": stated}})

    async with AsyncExitStack() as stack:
        provider = (await build_providers(settings, stack))["a"]
    assert {
        "": "https://first.example.com",
        "queue": "http://q.test",
        "rest": "https://rest.example.com",
    } == provider.bases


@pytest.mark.usefixtures("twofold")
def test_addresses_that_are_missing(write: Write) -> None:
    """Who is elsewhere is elsewhere with every address, or a part of it would go to the public one; and a dialect
    without a public address needs one."""
    settings = load_settings(
        write("""\
  a: {dialect: twofold, base_url: "http://a.test", base_urls: {queue: "http://q.test"}}
  b: {dialect: native}
""")
    )

    assert [
        (2, "providers.a.base_url", "base_urls.rest is missing, and base_url is not the provider's public address"),
        (3, "providers.b", "base_url is missing"),
    ] == [(each.line, each.where, each.what) for each in provider_problems(settings)]


def test_places_that_are_none(write: Write) -> None:
    """A credential goes into one place, which has a name that can be written there."""
    path = write("""\
  a: {dialect: openai, base_url: "https://a.test", credential_in: {header: X-Key, query: key}}
  b: {dialect: openai, base_url: "https://b.test", credential_in: {}}
  c: {dialect: openai, base_url: "https://c.test", credential_in: {header: "X Key"}}
""")

    one = "this is not one place. Write {bearer: WORD}, {header: NAME} or {query: NAME}, and only one of them."
    assert [
        f"2: providers.a.credential_in: {one}",
        f"3: providers.b.credential_in: {one}",
        "4: providers.c.credential_in: 'X Key' cannot name a place. Use letters, digits and - . _, at most 64 of them.",
    ] == told(path)


@pytest.mark.parametrize("stated", ["sk-123", "{envv: FOO}", "{env: X, file: y}", "{env: ''}", "{env: 5}", "7", "[a]"])
def test_a_secret_that_is_written(write: Write, stated: str) -> None:
    """One line says where secrets are named, and nothing of what stood there."""
    path = write(
        f"  a: {{dialect: replicate, credential: {stated}}}\n  b: {{dialect: openai, webhook_secret: {stated}}}\n"
    )

    assert [
        "2: providers.a.credential: secrets are named here, not written. Write {env: NAME}, {file: path} or none.",
        "3: providers.b.webhook_secret: secrets are named here, not written. Write {env: NAME} or {file: path}.",
    ] == told(path)


def test_a_signed_secret_in_one_part(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """It could sign nothing: that is told, with where it is kept, and not with what it is."""
    monkeypatch.setenv("KLING", "only-one-part")
    settings = load_settings(
        write("""\
  kling:
    dialect: kling
    base_url: https://api.test
    credential: {env: KLING}
""")
    )

    (problem,) = provider_problems(settings)
    assert (5, "providers.kling.credential") == (problem.line, problem.where)
    assert "environment variable KLING: the credential is no access key and secret key" in problem.what
    assert "only-one-part" not in str(problem)
    assert [] == provider_problems(settings, secrets_needed=False)


WEBHOOKS = """\
  replicate:
    dialect: replicate
    base_url: https://api.test
    webhook_secret: {env: HOOKS}
"""


def test_a_webhook_secret_that_is_not_here(write: Write) -> None:
    """It is looked for where secrets are needed, and told with where that was."""
    settings = load_settings(write(WEBHOOKS))

    (problem,) = provider_problems(settings)
    assert (5, "providers.replicate.webhook_secret") == (problem.line, problem.where)
    assert "environment variable HOOKS" in problem.what
    assert [] == provider_problems(settings, secrets_needed=False)


def test_a_webhook_secret_where_none_is_used(write: Write) -> None:
    """Of a format whose events are not signed with one it is told wherever it is checked."""
    settings = load_settings(write(WEBHOOKS.replace("dialect: replicate", "dialect: openai")))

    (problem,) = provider_problems(settings, secrets_needed=False)
    assert "not signed with such a secret" in problem.what
