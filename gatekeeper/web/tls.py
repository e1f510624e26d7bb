"""What our own ports show of themselves: a certificate and its key, read at the start and again at each reload.

Both files are read before anything is replaced: while one of them is wrong the old ones go on, and whoever asked for
the reload is told which and why. Connections that there are keep what they began with. Certificates of clients are not
asked for.
"""

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

from cryptography import x509

from gatekeeper.clock import SystemClock
from gatekeeper.settings import Settings
from gatekeeper.yamlfile import ConfigError, Problem

Port = Literal["data", "admin"]

SETTINGS: Final[Mapping[Port, tuple[str, str]]] = {
    "data": ("tls_certificate", "tls_key"),
    "admin": ("admin_tls_certificate", "admin_tls_key"),
}
"""Where each port's files are named in `server`."""

FILE_BYTES_MAX: Final = 256 * 1024
"""A chain of certificates has a few kilobytes; a larger file is some other."""

VERSION_MIN: Final = ssl.TLSVersion.TLSv1_2
"""RFC 8996 has buried what is older."""


class Certificate:
    """That of one port. `context` is for the connections that are made from now on."""

    def __init__(self, settings: Settings, port: Port) -> None:
        """Raises ConfigError."""
        self._settings = settings
        self._port = port
        self.context = _context(settings, port)

    def renew(self) -> tuple[str, ...]:
        """Reads the files anew. With a problem in them, which it tells, nothing changes."""
        try:
            self.context = _context(self._settings, self._port)
        except ConfigError as error:
            return tuple(map(str, error.problems))
        return ()


def open_certificate(settings: Settings, port: Port) -> Certificate | None:
    """The port's certificate; None where it speaks plain HTTP. Raises ConfigError."""
    return Certificate(settings, port) if _is_stated(settings, port) else None


def certificate_problems(settings: Settings) -> list[Problem]:
    """What is wrong with the files of either port."""
    problems = list[Problem]()
    for port in SETTINGS:
        try:
            open_certificate(settings, port)
        except ConfigError as error:
            problems += error.problems
    return problems


def _is_stated(settings: Settings, port: Port) -> bool:
    return any(getattr(settings.server, name) is not None for name in SETTINGS[port])


def _context(settings: Settings, port: Port) -> ssl.SSLContext:
    """Raises ConfigError: the setting, what is wrong with its file, and how to mend it."""
    certificate, key = (_file(settings, name, other) for name, other in _pair(port))
    names = SETTINGS[port]
    _check_certificate(settings, names[0], certificate)
    _check_key(settings, names[1], key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = VERSION_MIN
    # A client that asks for new keys over and over would keep one core busy for nothing.
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(["http/1.1"])
    try:
        # Without a password here the library would ask for one at a terminal, and wait.
        context.load_cert_chain(certificate, key, password="")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise _wrong(settings, names[1], key, "is not the key of the certificate", "Name the two that belong "
                         "together; a renewal writes both.") from None  # fmt: skip
        reason = (error.reason or "it cannot be read").lower().replace("_", " ")
        raise _wrong(settings, names[1], key, f"cannot be used: {reason}", "Write both as PEM.") from None
    return context


def _pair(port: Port) -> tuple[tuple[str, str], tuple[str, str]]:
    certificate, key = SETTINGS[port]
    return (certificate, key), (key, certificate)


def _file(settings: Settings, name: str, other: str) -> Path:
    stated: Path | None = getattr(settings.server, name)
    if stated is None:
        what, mend = f"is missing, and {other} is there", "Name both files, or neither for plain HTTP."
        raise ConfigError((settings.problem(("server", name), what, mend),))
    return settings.base_dir / stated


def _check_certificate(settings: Settings, name: str, file: Path) -> None:
    try:
        first = x509.load_pem_x509_certificate(_text(settings, name, file))
    except ValueError:
        mend = "Write the certificate as PEM, those of its issuers behind it."
        raise _wrong(settings, name, file, "holds no certificate", mend) from None
    ends = first.not_valid_after_utc
    if ends <= SystemClock().now():
        what = f"holds a certificate that ended on {ends:%Y-%m-%d}"
        raise _wrong(settings, name, file, what, "Renew it, and reload.")


def _check_key(settings: Settings, name: str, file: Path) -> None:
    text = _text(settings, name, file)
    if b"PRIVATE KEY-----" not in text:
        raise _wrong(settings, name, file, "holds no private key", "Write the certificate's key as PEM.")
    if b"ENCRYPTED" in text:
        mend = "Write it without a password, readable to the gateway alone."
        raise _wrong(settings, name, file, "is encrypted", mend)


def _text(settings: Settings, name: str, file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            text = opened.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        what = f"cannot be read: {error.strerror or type(error).__name__}"
        raise _wrong(settings, name, file, what, "Name a file that the gateway may read.") from None
    if len(text) > FILE_BYTES_MAX:
        raise _wrong(settings, name, file, "is too large to be one", "Name a file in PEM.")
    return text


def _wrong(settings: Settings, name: str, file: Path, what: str, mend: str) -> ConfigError:
    """With the file's name; nothing of what is in it."""
    return ConfigError((settings.problem(("server", name), f"{file} {what}", mend),))
