"""How a store's address is read: one server, the master that sentinels name, or a cluster.

A refusal says what to write instead and never repeats the address: it may hold a password.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from redis.asyncio.connection import SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.driver_info import DriverInfo

from gatekeeper.ledger.errors import StoreRefused
from gatekeeper.ledger.slots import Place

SOCKET_TIMEOUT_S: Final = 2.0
"""How long one pipeline may take: far above a slow fsync, and two of them fit into a call's budget."""
CONNECT_TIMEOUT_S: Final = 2.0
CONNECTIONS_MAX: Final = 8
"""Two lanes use one connection each; the rest is for checks and for sockets that are just being replaced."""

CLUSTER_EXAMPLE: Final = "redis+cluster://host1:6379,host2:6379,host3:6379"
SENTINEL_EXAMPLE: Final = "redis+sentinel://host1:26379,host2:26379/name-of-the-master"

_SINGLE: Final = ("redis", "rediss", "unix")
_STORE_PORT: Final = 6379
_SENTINEL_PORT: Final = 26379


class Kind(StrEnum):
    """What stands behind an address."""

    SINGLE = "single"
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


_UNIX_NAMES: Final = frozenset({"db", "username", "password"})
_ADDRESS: Final = re.compile(
    r"(?:([A-Za-z][-+.0-9A-Za-z]*):)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#.*)?", re.DOTALL
)

_TLS_FILES: Final = frozenset({"ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile"})
_VERIFYING: Final = {"ssl_cert_reqs": "required", "ssl_check_hostname": "true"}
"""What may be said of verification, and changes nothing: a store that anybody can play has everybody's credits."""
_TLS_NAMES: Final = frozenset({"db", *_TLS_FILES, *_VERIFYING})
"""What an address of one server may say behind its question mark; the library would pass on anything."""


@dataclass(frozen=True, slots=True)
class Address:
    """A store's address. `options` are for a connection of the library; for one server they name it, for the others
    `seeds` are who is asked first. `asking` are the options for the sentinels themselves."""

    kind: Kind
    options: Mapping[str, Any] = field(repr=False)
    seeds: tuple[Place, ...] = ()
    master: str = ""
    asking: Mapping[str, Any] = field(default_factory=dict, repr=False)


class _Parts(NamedTuple):
    """An address as RFC 3986 divides it (appendix B); all hosts together are its `netloc`."""

    scheme: str
    netloc: str
    path: str
    query: str


def _parts(url: str) -> _Parts:
    """The library's own way refuses, in newer versions of Python, an address of several hosts of which one is in
    brackets."""
    found = _ADDRESS.fullmatch(url)
    assert found is not None, "each of its parts may be missing"
    scheme, netloc, path, query = found.groups("")
    return _Parts(scheme.lower(), netloc, path, query)


def read_address(url: str) -> Address:
    """The address in a store.url other than 'embedded'. Raises StoreRefused with what to write instead."""
    scheme = _parts(url).scheme
    if scheme == "redis+cluster":
        return _cluster(url)
    if scheme == "redis+sentinel":
        return _sentinel(url)
    if scheme not in _SINGLE:
        raise StoreRefused(
            f"store scheme {scheme!r}: use redis://, rediss://, unix://, redis+sentinel://, redis+cluster://"
            " or 'embedded'"
        )
    if "," in _parts(url).netloc.rpartition("@")[2]:
        raise StoreRefused(f"{scheme}:// names one server: for several write {CLUSTER_EXAMPLE} or {SENTINEL_EXAMPLE}")
    known = _UNIX_NAMES if scheme == "unix" else _TLS_NAMES if scheme == "rediss" else frozenset({"db"})
    _query(url, known, f"{scheme}://")
    if scheme != "unix" and not re.fullmatch(r"/?|/\d+", _parts(url).path):
        raise StoreRefused("store address cannot be read: behind the host stands the number of a database, as in /0")
    try:
        options: dict[str, Any] = dict(parse_url(url))
    except ValueError as error:
        raise StoreRefused(f"store address cannot be read: {error}") from error
    return Address(Kind.SINGLE, {**options, **_ours()})


def _ours() -> dict[str, Any]:
    """The settings that no address may change: our own time limits, and no retry behind our back."""
    return {
        "retry": Retry(NoBackoff(), 0),
        "retry_on_error": [],
        "retry_on_timeout": False,
        "socket_timeout": SOCKET_TIMEOUT_S,
        "socket_connect_timeout": CONNECT_TIMEOUT_S,
        "protocol": 2,
        "decode_responses": True,
        "encoding_errors": "replace",
        "max_connections": CONNECTIONS_MAX,
        "driver_info": _driver(),
    }


@cache
def _driver() -> DriverInfo:
    """Who we say we are. Found once: the library looks its version up among all packages for every connection."""
    return DriverInfo()


def _cluster(url: str) -> Address:
    given = _query(url, {"tls", *_TLS_FILES}, CLUSTER_EXAMPLE)
    if _parts(url).path not in {"", "/", "/0"}:
        raise StoreRefused(f"a cluster has database 0 only: write {CLUSTER_EXAMPLE}")
    return Address(Kind.CLUSTER, {**_login(url), **_tls(given), **_ours()}, _places(url, _STORE_PORT, CLUSTER_EXAMPLE))


def _sentinel(url: str) -> Address:
    given = _query(url, {"tls", *_TLS_FILES, "db", "sentinel_username", "sentinel_password"}, SENTINEL_EXAMPLE)
    master = unquote(_parts(url).path.strip("/"))
    if not master or "/" in master:
        raise StoreRefused(f"the address has to end with the name that the sentinels know: write {SENTINEL_EXAMPLE}")
    if not given.get("db", "0").isdecimal():
        raise StoreRefused("store address cannot be read: db has to be a number")
    login = {name: given[f"sentinel_{name}"] for name in ("username", "password") if f"sentinel_{name}" in given}
    return Address(
        Kind.SENTINEL,
        {**_login(url), **_tls(given), "db": int(given.get("db", "0")), **_ours()},
        _places(url, _SENTINEL_PORT, SENTINEL_EXAMPLE),
        master,
        {**login, **_tls(given), **_ours()},
    )


def _query(url: str, known: Collection[str], example: str) -> dict[str, str]:
    given = dict(parse_qsl(_parts(url).query, keep_blank_values=True))
    for name in given:
        if name not in known:
            raise StoreRefused(f"the store address does not take {name!r}: it takes {', '.join(sorted(known))}")
    for name, must in _VERIFYING.items():
        if given.get(name, must).lower() != must:
            raise StoreRefused(
                f"{name} has to be {must}: the store's certificate is always verified; name an authority of your own "
                "with ssl_ca_certs=/path/to/authority.pem"
            )
    if given.get("tls", "false") not in {"true", "false"}:
        raise StoreRefused(f"tls has to be true or false: write {example}?tls=true")
    return given


def _tls(given: Mapping[str, str]) -> dict[str, Any]:
    """With `tls=true`, and the files of one's own authority."""
    files = {name: given[name] for name in _TLS_FILES if name in given}
    if given.get("tls") == "true":
        return {"connection_class": SSLConnection, **files}
    if files:
        raise StoreRefused(f"{min(files)} needs tls=true beside it")
    return {}


def _login(url: str) -> dict[str, str]:
    login = _parts(url).netloc.rpartition("@")[0]
    name, _, password = login.partition(":")
    return {what: unquote(text) for what, text in (("username", name), ("password", password)) if text}


def _places(url: str, port: int, example: str) -> tuple[Place, ...]:
    """The hosts of an address, each with its port."""
    hosts = _parts(url).netloc.rpartition("@")[2].split(",")
    try:
        found = [urlsplit(f"//{host}") for host in hosts]
        places = tuple((each.hostname or "", port if each.port is None else each.port) for each in found)
    except ValueError as error:
        raise StoreRefused(f"store address cannot be read: {error}; write {example}") from error
    if any(not host for host, _ in places):
        raise StoreRefused(f"the store address lacks a host: write {example}")
    return places
