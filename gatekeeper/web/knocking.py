"""How often somebody may try a key or a token that is not known, by the network that he comes from.

Only who fails pays, and only failures are remembered, so many and no more. What is good is never asked about here.
Addresses are those that `senders.py` tells: behind a proxy that is not trusted all callers have the proxy's.
"""

from collections import OrderedDict
from ipaddress import IPv6Address
from math import ceil
from typing import Final

from gatekeeper.clock import Clock
from gatekeeper.web.senders import address_in

AT_ONCE_MAX: Final = 60
"""Failures of one network in a row: of a whole office whose keys have just been replaced."""

A_SECOND: Final = 2.0
"""And from then on: what a program in a corner, which nobody looks after, asks with its old key."""

NETWORKS_MAX: Final = 4096
"""Networks that are remembered, in half a megabyte; further ones push out those that failed longest ago."""

IPV6_PREFIX_BITS: Final = 64
"""A host has the rest to itself, more addresses than it can ever use; its network is what it cannot change."""


class Knocks:
    """What each network has left of its failures: `AT_ONCE_MAX`, of which `A_SECOND` come back each second."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, address: str) -> int:
        """0, or for how many seconds there is none left: then nothing is looked at."""
        left, _ = self._left_now(network_of(address))
        return 0 if left >= 1 else max(1, ceil((1 - left) / A_SECOND))

    def take(self, address: str) -> int:
        """One more has failed, where there is one left. As `wait_s`, before that."""
        wait_s = self.wait_s(address)
        if not wait_s:
            network = network_of(address)
            left, now_s = self._left_now(network)
            self._keep(network, left - 1, now_s)
        return wait_s

    def __len__(self) -> int:
        return len(self._left)

    def _left_now(self, network: str) -> tuple[float, float]:
        now_s = self._clock.monotonic_s()
        left, at_s = self._left.get(network, (float(AT_ONCE_MAX), now_s))
        return min(AT_ONCE_MAX, left + (now_s - at_s) * A_SECOND), now_s

    def _keep(self, network: str, left: float, now_s: float) -> None:
        self._left[network] = left, now_s
        self._left.move_to_end(network)
        while len(self._left) > NETWORKS_MAX:
            self._left.popitem(last=False)


def network_of(address: str) -> str:
    """What all addresses have in common that one host can have: an IPv4 address, the first half of an IPv6 one."""
    found = address_in(address)
    if not isinstance(found, IPv6Address):
        return address if found is None else str(found)
    return f"{int(found) >> (128 - IPV6_PREFIX_BITS):x}/64"
