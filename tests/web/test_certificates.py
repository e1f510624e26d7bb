"""The certificates of our own ports: which files are taken, and what is said of those that are not."""

import ssl
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from gatekeeper.settings import Settings, load_settings
from gatekeeper.web.tls import FILE_BYTES_MAX, SETTINGS, Port, certificate_problems, open_certificate
from gatekeeper.yamlfile import ConfigError
from tests.certificates import Authority, Pair, key_text


@pytest.fixture(name="authority")
def _authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def settings_with(pair: Pair, port: Port = "data") -> Settings:
    """Settings that name these files for a port."""
    certificate, key = SETTINGS[port]
    return load_settings(None, {"server": {certificate: str(pair.certificate), key: str(pair.key)}})


def test_without_files_nothing_is_encrypted() -> None:
    """Plain HTTP is what a gateway speaks unless it is told otherwise."""
    settings = load_settings(None)

    assert (None, None, []) == (
        open_certificate(settings, "data"),
        open_certificate(settings, "admin"),
        certificate_problems(settings),
    )


@pytest.mark.parametrize("port", ["data", "admin"])
def test_a_good_pair_is_taken(authority: Authority, port: Port) -> None:
    """With nothing older than TLS 1.2, and no compression or renegotiation."""
    opened = open_certificate(settings_with(authority.sign(), port), port)

    assert opened is not None
    assert ssl.TLSVersion.TLSv1_2 == opened.context.minimum_version
    assert opened.context.options & ssl.OP_NO_RENEGOTIATION
    assert opened.context.options & ssl.OP_NO_COMPRESSION


def gone(authority: Authority, pair: Pair) -> None:  # as the others
    pair.certificate.unlink()


def no_certificate(authority: Authority, pair: Pair) -> None:
    pair.certificate.write_text("certificate")


def ended(authority: Authority, pair: Pair) -> None:
    authority.sign(lasts=-timedelta(days=1))


def large(authority: Authority, pair: Pair) -> None:
    pair.certificate.write_bytes(b"x" * (FILE_BYTES_MAX + 1))


def no_key(authority: Authority, pair: Pair) -> None:
    pair.key.write_bytes(pair.certificate.read_bytes())


def encrypted(authority: Authority, pair: Pair) -> None:
    pair.key.write_bytes(key_text(ec.generate_private_key(ec.SECP256R1()), b"password"))


def another_key(authority: Authority, pair: Pair) -> None:
    pair.key.write_bytes(key_text(ec.generate_private_key(ec.SECP256R1())))


def torn_key(authority: Authority, pair: Pair) -> None:
    pair.key.write_bytes(pair.key.read_bytes()[:60])


BAD: dict[Callable[[Authority, Pair], None], tuple[str, str]] = {
    gone: ("server.pem", "cannot be read: No such file"),
    no_certificate: ("server.pem", "holds no certificate"),
    ended: ("server.pem", "holds a certificate that ended on "),
    large: ("server.pem", "too large"),
    no_key: ("server.key", "holds no private key"),
    encrypted: ("server.key", "is encrypted"),
    another_key: ("server.key", "is not the key of the certificate"),
    torn_key: ("server.key", "cannot be used: "),
}


@pytest.mark.parametrize("spoil", BAD)
def test_a_bad_file_is_named_with_its_way_out(authority: Authority, spoil: Callable[[Authority, Pair], None]) -> None:
    """Which file, what is wrong with it, what to do; and nothing of what is in it. Nobody is asked for a password."""
    pair = authority.sign()
    spoil(authority, pair)
    (problem,) = certificate_problems(settings_with(pair))

    file, says = BAD[spoil]
    assert file in problem.what
    assert says in problem.what
    assert problem.mend
    assert "BEGIN" not in str(problem)


@pytest.mark.parametrize("name", SETTINGS["data"])
def test_one_file_without_the_other_is_a_mistake(authority: Authority, name: str) -> None:
    """Nobody meant to speak plain HTTP who named one of them."""
    settings = load_settings(None, {"server": {name: str(authority.sign().certificate)}})
    (problem,) = certificate_problems(settings)

    assert "is missing" in problem.what


def test_a_bad_renewal_changes_nothing(authority: Authority) -> None:
    """The old one goes on until both files are good again; then it is replaced."""
    pair = authority.sign()
    opened = open_certificate(settings_with(pair), "data")
    assert opened is not None
    before = opened.context
    another_key(authority, pair)
    problems = opened.renew()
    kept = opened.context
    authority.sign()

    assert 1 == len(problems)
    assert before is kept
    assert () == opened.renew()
    assert before is not opened.context


def test_a_bad_file_ends_the_start(authority: Authority) -> None:
    """There is no gateway that speaks less than it was told to."""
    pair = authority.sign()
    another_key(authority, pair)
    with pytest.raises(ConfigError):
        open_certificate(settings_with(pair), "data")
