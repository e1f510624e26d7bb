"""What goes to a provider and what comes back, in our own types."""

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias

Headers: TypeAlias = tuple[tuple[str, str], ...]
RawHeaders: TypeAlias = tuple[tuple[bytes, bytes], ...]

TOKEN: Final = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
"""A method, or a header's name (RFC 9110 section 5.6.2)."""

CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""What ends a header's value, or makes some readers end it."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a provider may take, in seconds.

    `connect_s` bounds everything before the first byte can be written: waiting for a free connection, name look-up,
    TCP and TLS. `head_s` runs from there to the head of the answer and so includes the upload; generation is slow
    (up to 280 s seen for one high-quality image), hence ten minutes. `idle_s` bounds each wait for more of the body
    and does not run while our own reader is slow, nor does `total_s`, which bounds the whole exchange.
    """

    connect_s: float = 10.0
    head_s: float = 600.0
    idle_s: float = 120.0
    total_s: float = 900.0


@dataclass(slots=True, repr=False)
class UpstreamRequest:
    """One request, complete. `url` is used as it is spelled; `body` is sent piece by piece.

    `lines` are more of its headers, as they are written, by whoever knows that they may stand in a head.

    It is sent once: `headers`, `lines` and `body` are empty when it is, so that they are not kept for as long as the
    provider takes, and a body that can be released (`Pieces`) is.

    The length is computed from `body`; Host, Content-Length, Transfer-Encoding, Expect, Connection and Upgrade among
    `headers` are left out because framing belongs to the client that writes the bytes.
    """

    method: str
    url: str
    headers: Headers = ()
    body: Sequence[bytes] = ()
    timeouts: Timeouts = field(default_factory=Timeouts)
    lines: Sequence[bytes] = ()

    def __repr__(self) -> str:
        # Headers and query carry credentials, the body carries prompts.
        address = re.split(r"[?#]", self.url, maxsplit=1)[0]
        return f"<UpstreamRequest {self.method} {re.sub(r'//[^/]*@', '//', address)}>"


@dataclass(slots=True)
class Delivery:
    """How far one request got. Hand one to `send` to be able to ask after a cancel, which carries no answer."""

    sent: bool = False
    """False is certain: nothing was written, or not all of what was stated. True means that all may have been."""


class UpstreamAnswer(Protocol):
    """An answer whose head has arrived. Whoever receives it must close it; `async with` does."""

    @property
    def status(self) -> int: ...

    @property
    def raw_headers(self) -> RawHeaders:
        """Order, case, duplicates and bytes as they came."""
        ...

    @property
    def content_length(self) -> int | None:
        """Bytes of body announced by the provider, None if it did not say (chunked, or until it closes)."""
        ...

    def whole(self) -> bytes | None:
        """The entire body if all of it is here already and nothing of it was read yet; never waits.

        None means only that `chunks` has to be asked. Asked again, it gives the same.
        """
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it came, nothing unpacked, in pieces of at most 256 KiB. Reads ahead only a little.

        Raises OutcomeUnknown when the body ends early, stalls or breaks its framing.
        """
        ...

    def abort(self) -> None:
        """What `aclose` does, without anything to wait for."""
        ...

    async def aclose(self) -> None:
        """Gives the connection back if the body was received whole, else closes it at once. May be repeated."""
        ...

    async def __aenter__(self) -> "UpstreamAnswer": ...

    async def __aexit__(self, *_: object) -> None: ...


class Sender(Protocol):
    """Sends requests to providers."""

    async def send(self, request: UpstreamRequest, delivery: Delivery | None = None) -> UpstreamAnswer:
        """Sends once, as `client.Upstream` does, and raises what that raises."""
        ...
