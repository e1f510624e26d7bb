"""What a request's head says on the wire, and where it goes. Pure: text in, bytes out, or ValueError.

Strict: whatever could end a line early, start a second request or be read in two ways is refused before a byte is
written. Nothing is mended: an address that is not written as it must be sent is the fault of whoever made it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from gatekeeper.upstream.messages import CONTROL, TOKEN, Headers

NAMES_REMEMBERED: Final = 256
"""Header names that were looked at before: SDKs send the same few dozen with every request."""

ADDRESSES_REMEMBERED: Final = 1024
"""Routes of all providers, and jobs that are being asked about: half a megabyte at most."""

ADDRESS_CHARS_MAX: Final = 256
"""A longer address is looked at each time, so that what is remembered stays small."""

METHODS_WITHOUT_BODY: Final = frozenset({"GET", "HEAD", "OPTIONS"})

# Whoever writes the bytes says where a message ends, and to whom it goes; `Expect` asks for a dialogue.
_OURS: Final = frozenset({"content-length", "transfer-encoding", "expect", "connection", "upgrade", "host"})
_COMMON_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})

# A user in an address would be a credential that nobody here looks after.
_URL = re.compile(r"(https?://[-.0-9:A-Z\[\]_a-z]+)([!\"$-~]*)(?:#.*)?", re.DOTALL)
_QUERY = re.compile(r"[!\"$-~]*")
_AUTHORITY = re.compile(r"(https?)://(\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(?::([0-9]{1,5}))?")
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Place:
    """Where connections go to: one scheme, host and port. `host_line` is how a request names it."""

    host: str
    port: int
    tls: bool
    host_line: str


def split(url: str) -> tuple[str, str]:
    """Scheme and authority, and the target that stands in the request line. The fragment stays here."""
    if len(url) > ADDRESS_CHARS_MAX or "#" in url:
        return _split(url)
    # In a query there may be a secret, and one that is the caller's does not come twice.
    address, mark, query = url.partition("?")
    authority, target = _split_before(address)
    if not mark:
        return authority, target
    if _QUERY.fullmatch(query) is None:
        raise ValueError("the address cannot be written")
    return authority, f"{target}?{query}"


def _split(url: str) -> tuple[str, str]:
    found = _URL.fullmatch(url)
    if found is None:
        raise ValueError("the address cannot be written")
    authority, target = found.groups()
    if target[:1] != "/":
        if target and target[0] != "?":
            raise ValueError("the address cannot be written")
        target = "/" + target
    return authority, target


def place(authority: str) -> Place:
    """Where an authority, as `split` gives it, leads to."""
    found = _AUTHORITY.fullmatch(authority)
    if found is None:
        raise ValueError("the address has no host and port")
    scheme, host, stated = found.groups()
    port = int(stated or _PORTS[scheme])
    if not 0 < port < 65536:
        raise ValueError("the address has no such port")
    host_line = host if port == _PORTS[scheme] else f"{host}:{port}"
    return Place(host.strip("[]"), port, scheme == "https", host_line)


def head(
    method: str, target: str, host_line: str, headers: Headers, body_bytes: int, more: Sequence[bytes] = ()
) -> bytes:
    """The whole head: Host first, the headers as they are spelled and in their order, then `more` lines, which are
    written unseen, Content-Length last."""
    if method not in _COMMON_METHODS and (TOKEN.fullmatch(method) is None or method == "CONNECT"):
        raise ValueError("the method cannot be written")
    lines = [f"{method} {target} HTTP/1.1\r\nHost: {host_line}".encode()]
    for name, value in headers:
        beginning = _beginning(name)
        if beginning:
            if not (value.isascii() and value.isprintable()) and CONTROL.search(value):
                raise ValueError("a header's value cannot be written")
            lines.append((beginning + value).encode())
    lines += more
    if body_bytes or method not in METHODS_WITHOUT_BODY:
        # A length of 0 means something on a POST; on a GET it is noise that some servers object to.
        lines.append(b"Content-Length: %d" % body_bytes)
    lines.append(b"\r\n")
    return b"\r\n".join(lines)


_split_before: Final = lru_cache(ADDRESSES_REMEMBERED)(_split)


@lru_cache(maxsize=NAMES_REMEMBERED)
def _beginning(name: str) -> str:
    """How a header's line begins; "" for one that is not the caller's to write."""
    if TOKEN.fullmatch(name) is None:
        raise ValueError("a header's name cannot be written")
    return "" if name.lower() in _OURS else f"{name}: "
