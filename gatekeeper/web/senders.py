"""Where a request comes from: the address of its connection, or, if that is a proxy of ours, the one it names.

Proxies add the address that they see at the end of `X-Forwarded-For`; what stands before it anybody may have written.
So it is read from its end, and nothing of it is believed but what a trusted proxy has added.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

from aiohttp import web

FORWARDED_FOR: Final = "X-Forwarded-For"

PROXIES_MAX: Final = 16
"""One behind the other: more than anybody has, and few to look at."""


class Senders:
    """Tells where requests come from. `trusted` are networks of proxies, whose word is taken. Raises ValueError."""

    def __init__(self, trusted: Iterable[str] = ()) -> None:
        self._trusted = tuple(map(ip_network, trusted))

    def address_of(self, request: web.BaseRequest) -> str:
        """The address of whoever sent it: the last in line that is no trusted proxy's, as far as there is one."""
        peer = request.remote or ""
        if not self._trusted or not self._is_trusted(address_in(peer)):
            return peer
        named = ",".join(request.headers.getall(FORWARDED_FOR, ())).rsplit(",", PROXIES_MAX)
        for text in reversed(named[-PROXIES_MAX:]):
            address = address_in(text.strip())
            if address is None:
                break
            if not self._is_trusted(address):
                return str(address)
        return peer

    def _is_trusted(self, address: IPv4Address | IPv6Address | None) -> bool:
        return address is not None and any(address in network for network in self._trusted)


def address_in(text: str) -> IPv4Address | IPv6Address | None:
    """What it names, without its port or zone; an IPv4 address in IPv6 is one."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found
