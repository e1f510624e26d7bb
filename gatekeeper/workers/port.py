"""The data port of several processes: taken once, so that all get the same number, and shared among them.

The system deals connections out to all who listen on it (SO_REUSEPORT). Two gateways must not share one by mistake, so
a port that somebody listens on already is refused here as it is to a process alone. Nobody listens while workers start;
so that another gateway's leader finds the port taken then too, each has a lock: a local socket that is named for it.
"""

import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def reserved_port(host: str, port: int) -> Iterator[tuple[str, int]]:
    """Keeps a port for workers to listen on, without listening: its address and number, a free one if `port` is 0.

    Raises OSError, as for a server that cannot listen there.
    """
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    with ExitStack() as stack:
        first: tuple[str, int] | None = None
        for family, _, _, _, address in dict.fromkeys(found):
            wanted = (address[0], first[1] if first else port, *address[2:])
            if wanted[1]:
                stack.enter_context(_lock(wanted))
                _bind(family, wanted, shared=False).close()
            mine = stack.enter_context(_bind(family, wanted, shared=True))
            if not wanted[1]:  # the system gives a port to one at a time
                stack.enter_context(_lock(mine.getsockname()))
            first = first or mine.getsockname()[:2]
        assert first is not None
        yield first


def _lock(address: tuple[object, ...]) -> socket.socket:
    """Had by one process at a time, and gone with it. Its name is in no directory, and belongs to the network that the
    port belongs to. Only Linux has such names; other systems let nobody but sharers have a port that somebody has."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    if sys.platform == "linux":
        try:
            made.bind(f"\0gatekeeper/{address[0]}/{address[1]}")
        except OSError as error:
            made.close()
            raise OSError(error.errno, f"cannot bind {address[:2]}: {error.strerror}") from None
    return made


def _bind(family: int, address: tuple[object, ...], *, shared: bool) -> socket.socket:
    """A socket at this address. One that is not shared is had only where nobody listens."""
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        # As servers do it: connections that were closed a moment ago do not count.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
    except OSError as error:
        made.close()
        raise OSError(error.errno, f"cannot bind {address[:2]}: {error.strerror}") from None
    return made
