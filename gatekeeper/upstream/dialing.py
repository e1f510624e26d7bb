"""Makes connections: name look-up, TCP, TLS. Says why there is none, in our own words.

A name with several addresses is tried as RFC 8305 has it: the next address after a moment, or at once when one fails,
and the first connection wins.
"""

import asyncio
import errno
import ipaddress
import socket
import ssl
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias

from gatekeeper.upstream.connection import Connection
from gatekeeper.upstream.failure import Reason
from gatekeeper.upstream.target import Place

NEXT_ADDRESS_AFTER_S: Final = 0.25
"""RFC 8305 section 8: how long one address is tried alone."""

NAMES_KEPT_S: Final = 10.0
"""As long as providers move slowly, and short enough to follow them when they do."""

NAMES_KEPT_MAX: Final = 256
"""Providers are few; a catalog does not have so many hosts."""

Address: TypeAlias = tuple[int, Any]


class DialError(Exception):
    """There is no connection: `reason` and `detail` as in `UpstreamError`. Nothing was sent."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(slots=True)
class _Looked:
    """One look-up, shared by all who wait for it."""

    task: asyncio.Task[list[Address]]
    until_s: float


class Dialing:
    """Opens connections in one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, tls: ssl.SSLContext | None) -> None:
        self._loop = loop
        self._tls = tls
        self._names: dict[tuple[str, int], _Looked] = {}

    async def dial(self, connection: Connection, place: Place) -> None:
        """Connects it. Raises DialError."""
        try:
            addresses = await self._addresses(place)
        except (OSError, UnicodeError) as exc:
            failure = DialError(Reason.DNS, _words(exc))
        else:
            try:
                return await self._open(connection, place, addresses)
            except (OSError, ssl.CertificateError) as exc:
                failure = DialError(_reason(exc), _words(exc))
        raise failure

    async def _open(self, connection: Connection, place: Place, addresses: list[Address]) -> None:
        """From where the socket is the loop's, closing it is the loop's too, whatever happens."""
        tls, name = (self._context(), place.host) if place.tls else (None, None)
        if len(addresses) == 1:
            host, port = addresses[0][1][:2]
            await self._loop.create_connection(lambda: connection, host, port, ssl=tls, server_hostname=name)
        else:
            raw = await self._first(addresses)
            await self._loop.create_connection(lambda: connection, sock=raw, ssl=tls, server_hostname=name)

    def _context(self) -> ssl.SSLContext:
        """Verification is always on. The system's authorities are read on first use: it takes a moment."""
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls

    async def _addresses(self, place: Place) -> list[Address]:
        try:
            literal = ipaddress.ip_address(place.host)
        except ValueError:
            return await self._looked_up(place.host, place.port)
        family = socket.AF_INET if literal.version == 4 else socket.AF_INET6
        return [(family, (place.host, place.port))]

    async def _looked_up(self, host: str, port: int) -> list[Address]:
        looked = self._names.get((host, port))
        now = self._loop.time()
        if looked is None or looked.until_s < now:
            if len(self._names) >= NAMES_KEPT_MAX:
                self._names.clear()
            looked = _Looked(self._loop.create_task(self._look_up(host, port)), now + NAMES_KEPT_S)
            self._names[host, port] = looked
            # Not by those who wait for it: they may all be gone when it fails.
            looked.task.add_done_callback(partial(self._forget_failed, (host, port)))
        # Shielded: one who goes away does not end it for the others.
        return await asyncio.shield(looked.task)

    def _forget_failed(self, name: tuple[str, int], task: asyncio.Task[list[Address]]) -> None:
        """The next one who asks looks it up anew."""
        looked = self._names.get(name)
        if (task.cancelled() or task.exception() is not None) and looked is not None and looked.task is task:
            del self._names[name]

    async def _look_up(self, host: str, port: int) -> list[Address]:
        found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
        return _alternating([(family, address) for family, _, _, _, address in found])

    async def _first(self, addresses: list[Address]) -> socket.socket:
        """The first connection that comes about. Raises what the last address failed with."""
        waiting, tried, last = iter(addresses), set[asyncio.Task[socket.socket]](), OSError("no address")
        more = True
        try:
            while True:
                address = next(waiting, None)
                if address is not None:
                    tried.add(self._loop.create_task(self._try(address)))
                more = more and address is not None
                if not tried:
                    raise last
                patience = NEXT_ADDRESS_AFTER_S if more else None
                done, _ = await asyncio.wait(tried, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    tried.discard(task)  # another one that is done in the same moment is still to be dropped
                    error = task.exception()
                    if error is None:
                        return task.result()
                    if not isinstance(error, OSError):
                        raise error
                    last = error
        finally:
            for task in tried:
                task.add_done_callback(_dropped)
                task.cancel()

    async def _try(self, address: Address) -> socket.socket:
        family, where = address
        raw = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            raw.setblocking(False)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await self._loop.sock_connect(raw, where)
        except BaseException:
            raw.close()
            raise
        return raw


def _dropped(task: asyncio.Task[socket.socket]) -> None:
    """A connection that came too late, or never."""
    if not task.cancelled() and task.exception() is None:
        task.result().close()


def _alternating(addresses: list[Address]) -> list[Address]:
    """In their order, but the two families in turn, so that one that leads nowhere costs little."""
    first = [each for each in addresses if each[0] == addresses[0][0]]
    other = [each for each in addresses if each[0] != addresses[0][0]]
    count = min(len(first), len(other))
    paired = [each for pair in zip(first, other, strict=False) for each in pair]
    return [*paired, *first[count:], *other[count:]]


def _reason(exc: OSError) -> Reason:
    if isinstance(exc, ssl.SSLError):
        return Reason.TLS
    return Reason.REFUSED if exc.errno == errno.ECONNREFUSED else Reason.UNREACHABLE


def _words(exc: Exception) -> str:
    return str(exc) or type(exc).__name__
