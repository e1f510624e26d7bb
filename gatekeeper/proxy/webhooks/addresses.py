"""Whom the gateway may call on a caller's behalf. Everybody could have it call its own neighbours otherwise.

An address is looked at twice: as it is written, when the request comes, and as it resolves, each time a connection is
made, so that a name which leads elsewhere by then leads nowhere. Hosts that the settings allow are not looked at.
"""

import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final
from urllib.parse import SplitResult, urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult

URL_CHARS_MAX: Final = 1024
"""It lies in the job's record, which has room for it and for much else."""

_PRINTABLE: Final = re.compile(r"[!-~]+")

_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
"""No top-level domain is one; old resolvers read 2130706433 and 127.1 as this machine."""

_PORTS: Final = {"https": 443, "http": 80}

_NOT_PUBLIC_4: Final = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
            "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24",
            "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        ),
    )
)  # fmt: skip
"""The special-purpose registry of IANA, multicast and what is reserved. Named here, for Python's list changes."""

_PUBLIC_6: Final = ip_network("2000::/3")
"""All that was ever given out. IPv4 in any of its wrappings, loopback, link-local and site-local lie outside."""

_NOT_PUBLIC_6: Final = tuple(map(ip_network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
"""Tunnels that carry an IPv4 address, and documentation."""


class NotCallable(ValueError):
    """The address may not be called. The text says why, without the address's path or query."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the settings allow: `hosts` (a name or address, perhaps with a port) without any further question, `ports`
    elsewhere, and whether private addresses count as any other."""

    hosts: frozenset[str] = frozenset()
    ports: frozenset[int] = frozenset({443})
    private: bool = False

    def has(self, host: str, port: int) -> bool:
        """Whether the settings name this host."""
        shown = f"[{host}]" if ":" in host else host
        return bool({host, f"{shown}:{port}"} & self.hosts)


def check_url(url: str, allowed: Allowed) -> SplitResult:
    """The parts of an address that may be called, as far as it shows. Raises NotCallable."""
    parts, port = _split(url)
    host = parts.hostname or ""
    if allowed.has(host, port):
        return parts
    if parts.scheme != "https":
        raise NotCallable("it must begin with https://")
    if port not in allowed.ports:
        raise NotCallable(f"port {port} is not called here; {', '.join(map(str, sorted(allowed.ports)))} are")
    literal = _literal(host)
    if literal is None and _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
        raise NotCallable("its host is a number, which some take for an address")
    if literal is not None and not allowed.private and not is_public(literal):
        raise NotCallable("it leads into a private network")
    return parts


def _split(url: str) -> tuple[SplitResult, int]:
    if len(url) > URL_CHARS_MAX:
        raise NotCallable(f"it has more than {URL_CHARS_MAX} characters")
    if not _PRINTABLE.fullmatch(url) or "\\" in url:
        raise NotCallable("it has characters that no address has")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise NotCallable("it cannot be read") from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise NotCallable("it must begin with https:// and name a host")
    if "@" in parts.netloc:
        raise NotCallable("it names a user")
    if "#" in url:
        raise NotCallable("it has a fragment")
    return parts, _PORTS[parts.scheme] if port is None else port


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether the address is one that anybody may be reached at."""
    if isinstance(address, IPv4Address):
        return not any(address in each for each in _NOT_PUBLIC_4)
    return address in _PUBLIC_6 and not any(address in each for each in _NOT_PUBLIC_6)


def leads_inside(url: str) -> bool:
    """Whether an address of the configuration's is plainly of one's own network: a private address or such a name."""
    host = urlsplit(url).hostname or ""
    literal = _literal(host)
    if literal is not None:
        return not is_public(literal)
    return "." not in host or host.endswith((".localhost", ".local", ".internal"))


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


class GuardedResolver(AbstractResolver):
    """Resolves names, and keeps back the addresses that may not be called.

    aiohttp asks it for every new connection to a name; an address in the place of a name does not come here, which is
    why `check_url` is asked before each call as well.
    """

    def __init__(self, inner: AbstractResolver, allowed: Allowed) -> None:
        self._inner = inner
        self._allowed = allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        return found if self._allowed.has(host, port) else self._public(found)

    async def close(self) -> None:
        await self._inner.close()

    def _public(self, found: Sequence[ResolveResult]) -> list[ResolveResult]:
        """Raises OSError if nothing is left, as for a name that does not exist."""
        kept = [each for each in found if self._allowed.private or _may_be_called(each["host"])]
        if not kept:
            raise OSError("the name leads into a private network")
        return kept


def _may_be_called(host: str) -> bool:
    literal = _literal(host.partition("%")[0])
    return literal is not None and is_public(literal)
