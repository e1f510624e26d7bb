"""What settings of every kind are made of: sections, addresses, and where secrets are.

A secret itself is in no settings; it is read when it is needed.
"""

import os
import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, model_validator

from gatekeeper.yamlfile import Mistake, mistake, raise_mistakes

SECRET_FILE_BYTES_MAX = 64 * 1024
"""A credential file larger than this is some other file."""


WORKERS_MAX = 64
"""Beyond what one store keeps busy with its one thread; a gateway that needs more has several machines."""


def _http_address(url: str) -> str:
    if not re.match(r"^https?://[^/?#\s@]+(/[^?#\s]*)?$", url):
        raise mistake(
            "the address cannot be used", "Write http:// or https:// with a host, without user, query or fragment."
        )
    return url.rstrip("/")


HttpAddress = Annotated[str, AfterValidator(_http_address)]
"""An address to which paths are appended; kept without a slash at its end."""


def _network(text: str) -> str:
    try:
        network = ip_network(text)
    except ValueError as error:
        raise mistake(f"{error}", "Write an address or a network, such as 10.0.3.7 or 10.0.3.0/24.") from None
    if not network.prefixlen:
        raise mistake(f"{text!r} is every address there is", "Name the proxies alone: whatever they say is believed.")
    return str(network)


Network = Annotated[str, AfterValidator(_network)]
"""An address, or a network of them (CIDR)."""


def _own_host(name: str) -> str:
    if not re.match(r"^\.?[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$", name.lower()):
        raise mistake(
            f"{name!r} is no host name",
            "Write one such as gate.example.com, without a port, or .example.com for all below it.",
        )
    return name.lower()


OwnHost = Annotated[str, AfterValidator(_own_host)]
"""A name that this machine is called by; with a dot before it, all names that end so."""
EVERYWHERE = {"0.0.0.0", "::"}  # noqa: S104 - where it listens on all addresses, no other is free


class Section(BaseModel):
    """A part of the settings: every key is known, and none changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ServerSettings(Section):
    """Where the two planes listen, and how much one request may weigh."""

    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535)
    admin_host: str = "127.0.0.1"
    admin_port: int = Field(8081, ge=0, le=65535)
    admin_hosts: tuple[OwnHost, ...] = Field(
        (), description="Names with a dot that lead to the admin port; by others it is not read, where it has names."
    )
    tls_certificate: Path | None = Field(
        None, description="Where there is one the data port speaks TLS alone; its issuers stand behind it."
    )
    tls_key: Path | None = Field(None, description="Of that certificate, without a password.")
    admin_tls_certificate: Path | None = Field(None, description="The same for the admin port and its console.")
    admin_tls_key: Path | None = Field(None, description="Of that certificate.")
    public_url: HttpAddress | None = Field(
        None, description="How callers reach the data plane, for links in answers; else as the caller's `Host` says."
    )
    trusted_proxies: tuple[Network, ...] = Field(
        (), description="Whose `X-Forwarded-For` says where callers are, for limits on guessed keys and for the log."
    )
    workers: int = Field(
        1,
        ge=1,
        le=WORKERS_MAX,
        description="Processes that serve: one for each core there is beside the store's.",
    )
    max_body_mb: int = Field(64, ge=1, le=1024, description="OpenAI takes edits up to 50 MB; above that nobody sends.")
    body_memory_kb: int = Field(
        1024,
        ge=64,
        description="What is larger and no JSON waits on disk until it is sent: that is pictures.",
    )
    json_memory_kb: int = Field(
        16_384,
        ge=64,
        description="And larger JSON: it has pictures as text, and most has no more than some MB of them.",
    )
    bodies_memory_mb: int = Field(
        1024, ge=16, description="Of all bodies that wait to be sent, in each process: 60 of JSON at 16 MB."
    )
    bodies_dir: Path | None = Field(
        None, description="Where bodies wait on disk; else in store.data_dir, for the system's own place may be memory."
    )
    body_timeout_s: float = Field(120, gt=0, description="A body that takes longer than this is not being sent.")
    client_write_timeout_s: float = Field(60, gt=0, description="A client that reads nothing for this long is gone.")
    client_total_s: float = Field(
        300, gt=0, description="How long a client may keep its answer waiting in all; its hold lives that much longer."
    )
    head_timeout_s: float = Field(
        30, gt=0, description="A connection that has sent no whole request head for this long is closed."
    )
    retry_guard_window_s: float = Field(
        1800,
        gt=0,
        le=86_400,
        description="An SDK tries three times and waits 10 min for each: its last try is within it.",
    )
    connections_max: int = Field(
        16_384, ge=1, description="Of callers to one process, idle ones too: more than there may be requests in flight."
    )
    in_flight_max: int = Field(
        12_000, ge=1, description="Requests that one process works on: 10,000 that wait for pictures, and their polls."
    )
    holds_at_once: int = Field(
        128, ge=1, description="Generations that ask the ledger at once: more gain nothing and wait in its queue."
    )
    holds_waiting_max: int = Field(
        2000, ge=0, description="And that may wait to do so; further ones push out the first."
    )
    holds_wait_max_s: float = Field(1, gt=0, description="For so long: a hiccup of the store's disk is over by then.")
    at_work_max: int = Field(
        64, ge=1, description="Requests worked on at once, beside those that wait for a provider, body or client."
    )
    line_max: int = Field(
        256,
        ge=0,
        description="And that wait in line for it: a batch. With who finds it full a rush begins, and nobody waits.",
    )
    line_wait_max_s: float = Field(1, gt=0, description="For so long: a hiccup of the store's disk is over by then.")
    shutdown_grace_s: float = Field(
        30, ge=0, description="How long SIGTERM waits for generations in flight; then their outcome is unknown."
    )

    @model_validator(mode="after")
    def _planes_apart(self) -> Self:
        """Else the start says that the port is in use, by nobody who could be found."""
        hosts = {self.host, self.admin_host}
        if self.port == self.admin_port != 0 and (len(hosts) == 1 or hosts & EVERYWHERE):
            what = f"{self.port} is the data port, too"
            raise_mistakes([Mistake(("admin_port",), what, "Give each plane a port of its own.")])
        return self


class SignalSettings(Section):
    """How often teams' limits and budgets are looked at, to tell what has been reached."""

    watch_every_s: float = Field(
        5, gt=0, le=3600, description="From spending to being told; each look costs two reads for a team that spent."
    )
    diagnose_every_s: float = Field(
        60, gt=0, le=86_400, description="For a team with projects: it reads all its usage of the window."
    )
    walk_every_s: float = Field(
        300, gt=0, le=86_400, description="Between two looks at all teams, for what a gateway that is gone left untold."
    )


class TracingSettings(Section):
    """Traces in the terms of OpenTelemetry, whose own variables (`OTEL_...`) say where they go and how many."""

    enabled: bool = Field(False, description="It takes the extra `otel`, and some time of each request.")
    to_providers: bool = Field(
        True,
        description="Providers hear of the span that waits for them, and can go on with its trace.",
    )


class EnvSecret(Section):
    """A secret in an environment variable."""

    env: str


class FileSecret(Section):
    """A secret in a file, without its last newline."""

    file: Path


SecretSource = EnvSecret | FileSecret

NOT_WRITTEN = "secrets are named here, not written"


def _named(value: Any) -> SecretSource:
    """Where a secret is. Whatever else stands there is not repeated: it may be the secret itself."""
    found = _source(value)
    if found is None:
        raise mistake(NOT_WRITTEN, "Write {env: NAME} or {file: path}.")
    return found


def _named_or_none(value: Any) -> SecretSource | Literal["none"]:
    if value == "none":
        return "none"
    found = _source(value)
    if found is None:
        raise mistake(NOT_WRITTEN, "Write {env: NAME}, {file: path} or none.")
    return found


def _source(value: Any) -> SecretSource | None:
    match value:
        case EnvSecret() | FileSecret():
            return value
        case {"env": str(name), **rest} if name and not rest:
            return EnvSecret(env=name)
        case {"file": str() | Path() as path, **rest} if str(path) and not rest:
            return FileSecret(file=Path(path))
    return None


NamedSecret = Annotated[SecretSource, PlainValidator(_named)]
"""The place of a secret."""

NamedCredential = Annotated[SecretSource | Literal["none"], PlainValidator(_named_or_none)]
"""The place of a credential, or that none is needed."""


def read_secret(source: SecretSource, base_dir: Path) -> str:
    """The secret itself. Raises `LookupError` in words that name where it was looked for, never what was found."""
    match source:
        case EnvSecret(env=name):
            value = os.environ.get(name, "")
        case FileSecret(file=path):
            value = _read_secret_file(base_dir / path)
    value = value.strip()
    if not value:
        raise LookupError(f"{describe_secret(source)} is not set or empty")
    if not value.isprintable() or " " in value:
        raise LookupError(f"{describe_secret(source)} holds more than one printable word")
    return value


def describe_secret(source: SecretSource) -> str:
    """Where a secret comes from, for messages."""
    return f"environment variable {source.env}" if isinstance(source, EnvSecret) else f"file {source.file}"


def _read_secret_file(path: Path) -> str:
    try:
        if path.stat().st_size > SECRET_FILE_BYTES_MAX:
            raise LookupError(f"file {path} is too large to be a secret")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LookupError(f"file {path} cannot be read: {type(error).__name__}") from None
