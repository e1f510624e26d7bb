"""How often somebody may try a token: a few times a minute from one address, and not much more from all."""

from collections import OrderedDict, deque
from typing import Final

from gatekeeper.clock import Clock
from gatekeeper.web.knocking import network_of

WINDOW_S: Final = 60.0
"""A minute: long for a program that guesses, short for a person who mistyped."""

OF_ONE_MAX: Final = 8
"""Failed attempts from one address within it, or one network of IPv6; behind one proxy all have the same."""

OF_ALL_MAX: Final = 60
"""And from all addresses together, for whoever has many."""

ADDRESSES_MAX: Final = 1024
"""Addresses that are remembered."""


class Attempts:
    """Failed attempts of the last minute. A good token is refused too while there are too many: else it could be
    guessed by who may not try."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._of: OrderedDict[str, deque[float]] = OrderedDict()
        self._all: deque[float] = deque(maxlen=OF_ALL_MAX)

    def wait_s(self, address: str) -> float:
        """For how long this address may not try; 0 if it may now."""
        now_s = self._clock.monotonic_s()
        of_one = self._of.get(network_of(address), deque())
        waits = (_wait_s(of_one, OF_ONE_MAX, now_s), _wait_s(self._all, OF_ALL_MAX, now_s))
        return max(waits)

    def failed(self, address: str) -> None:
        """One more that was wrong."""
        now_s = self._clock.monotonic_s()
        self._all.append(now_s)
        network = network_of(address)
        self._of.setdefault(network, deque(maxlen=OF_ONE_MAX)).append(now_s)
        self._of.move_to_end(network)
        while len(self._of) > ADDRESSES_MAX:
            self._of.popitem(last=False)

    def forgive(self, address: str) -> None:
        """It was right at last."""
        self._of.pop(network_of(address), None)


def _wait_s(failures: deque[float], most: int, now_s: float) -> float:
    """Until the first of the last so many is a minute past."""
    return max(0.0, failures[-most] + WINDOW_S - now_s) if len(failures) >= most else 0.0
