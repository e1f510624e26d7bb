"""Links of a provider's answer that must lead through the gateway: found at their places, and only they are changed.

An SDK follows the addresses that it is given, with the team's key; one of the provider's own would get that key, and
go past the gate. Pure: bytes in, bytes out, every byte but those of the links as it came. An answer that is no JSON
has no places and stays as it is.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

import orjson

from gatekeeper.upstream.headers import strip_credentials_from_query

_TOKEN = re.compile(rb'"((?:[^"\\]++|\\.)*+)"|([{}\[\],:])|[^\s{}\[\],:"]++', re.DOTALL)
_LABELS_MIN = 2
"""A domain of fewer labels is everybody's."""

_PLAIN = re.compile(r"[!-\[\]-~]+")
"""Visible ASCII without a backslash: in what else there is, two parsers may see two hosts."""

_PORTS = {"http": 80, "https": 443}

_PATH = re.compile(r"/[!\"$-;=@-\[\]-~]*")
"""A path alone, of plain characters."""

Places = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Mount:
    """A provider as its caller reaches it: `here` is the address of its mount, `bases` are its own, by segment.

    No link shows what is `hidden`, the provider's credential.
    """

    here: str
    bases: Mapping[str, str]
    hidden: tuple[str, ...] = ()

    def through(self, url: str) -> str | None:
        """The address here of one of the provider's, or None for any other, which stays as it is."""
        for segment, base in _apart(tuple(self.bases.items())):
            # As it is spelled nearly always: a base, and a path below it.
            rest = url[len(base) :]
            if url.startswith(base) and _PATH.fullmatch(rest):
                return f"{self.here}{f'/{segment}' if segment else ''}{rest}"
        parts = _split(url)
        found = None if parts is None else self._below_a_base(parts)
        if parts is None or found is None:
            return None
        segment, path = found
        query = strip_credentials_from_query(parts.query, *self.hidden)
        return f"{self.here}{f'/{segment}' if segment else ''}{path}{f'?{query}' if query else ''}"

    def _below_a_base(self, parts: SplitResult) -> tuple[str, str] | None:
        """The base with the longest path above it; else, at another host of the provider's, the usual one."""
        above = [
            (len(base.path), segment, parts.path[len(base.path) :])
            for segment, base in self._split_bases()
            if _same_host(base, parts) and _is_below(parts.path, base.path)
        ]
        if above:
            _, segment, path = max(above)
            return segment, path
        for segment, base in sorted(self._split_bases()):
            if is_own_host(base, parts):
                return segment, parts.path[len(base.path) :] if _is_below(parts.path, base.path) else parts.path
        return None

    def _split_bases(self) -> Iterator[tuple[str, SplitResult]]:
        return ((segment, urlsplit(base)) for segment, base in self.bases.items())


@lru_cache(maxsize=256)  # a provider has one set of them
def _apart(bases: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """The bases, if each is at a host of its own, so that what begins with one cannot be below another."""
    parts = [_split(base) for _, base in bases]
    hosts = {each.hostname for each in parts if each is not None}
    return bases if len(hosts) == len(bases) else ()


def origin_of(bases: Mapping[str, str], url: str) -> str | None:
    """Scheme and host of an address to which the provider's credential may go: one of its own hosts, spoken to as
    safely as its bases. None for any other."""
    parts = _split(url) if _PLAIN.fullmatch(url) else None
    if parts is None:
        return None
    for base in map(urlsplit, bases.values()):
        if parts.scheme == base.scheme and (is_own_host(base, parts) or _same_host(base, parts)):
            return f"{parts.scheme}://{parts.netloc}"
    return None


def may_have(body: bytes, places: Sequence[str]) -> bool:
    """Whether there is anything in the body that could stand at one of these places."""
    _, names = _split_places(tuple(places))
    if not names or b"\\" in body:
        return True
    for name in names:  # noqa: SIM110  # as quick as can be: most polls of a job end here
        if name in body:
            return True
    return False


def rewrite(body: bytes, places: Sequence[str], change: Callable[[str], str | None]) -> bytes:
    """The body with the strings at these dotted places (`*` is any item of a list) changed, where `change` has a word
    to put there."""
    wanted, names = _split_places(tuple(places))
    if not names or b"\\" in body:
        return _rewrite_any(body, wanted, change)
    if not may_have(body, places):
        return body
    plain = _rewrite_plain(body, wanted, names, change)
    return _rewrite_any(body, wanted, change) if plain is None else plain


@lru_cache(maxsize=256)  # a format has one set of them, so there are as many as providers
def _split_places(places: tuple[str, ...]) -> tuple[Places, tuple[bytes, ...]]:
    """The places step by step, and the last name of each as it is spelled; no names if a place has none."""
    wanted = tuple(tuple(place.split(".")) for place in dict.fromkeys(places))
    names = [next((step for step in reversed(place) if step != "*"), None) for place in wanted]
    return wanted, () if None in names else tuple({b'"%s"' % str(name).encode(): None for name in names})


def _rewrite_plain(
    body: bytes, wanted: Places, names: tuple[bytes, ...], change: Callable[[str], str | None]
) -> bytes | None:
    """The same by a parser and by search, for a body without a backslash, in which every string is spelled as it reads.

    None where it is not certain to be the same: each place's last name must be there as often as the parser saw it, so
    that nothing is there twice, and each link as often as it stands at these places.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    links, named = dict[str, int](), 0
    for place in wanted:
        seen = _look_at(document, place, links)
        if seen is None:
            return None
        named += seen
    if sum(map(body.count, names)) != named:
        return None
    changes = {link: changed for link in links if (changed := change(link)) is not None}
    for link, changed in changes.items():
        spelled = b'"%s"' % link.encode()
        if changed in links or body.count(spelled) != links[link]:
            return None
        body = body.replace(spelled, orjson.dumps(changed))
    return body


def _look_at(document: object, place: tuple[str, ...], links: dict[str, int]) -> int | None:
    """Counts the strings at a place into `links`, and gives how often its last name leads to it. None: who knows."""
    found, named = [document], 0
    for step in place:
        if step == "*":
            if any(isinstance(each, dict) and step in each for each in found):
                return None
            found = [item for each in found if isinstance(each, list) for item in each]
        else:
            found = [each[step] for each in found if isinstance(each, dict) and step in each]
            named = len(found)
    for each in found:
        if isinstance(each, str):
            links[each] = links.get(each, 0) + 1
    return named


def _rewrite_any(body: bytes, wanted: Places, change: Callable[[str], str | None]) -> bytes:
    parts, at = list[bytes](), 0
    for start, end, text in _strings_at(body, wanted):
        changed = change(text)
        if changed is not None:
            parts += [body[at:start], orjson.dumps(changed)]
            at = end
    return b"".join((*parts, body[at:])) if parts else body


def _strings_at(body: bytes, wanted: Places) -> Iterator[tuple[int, int, str]]:
    """Where the strings at these places stand, quotes included. One pass over the tokens, whatever they are."""
    inside: list[tuple[bool, Places]] = []
    awaits_key = False
    for token in _TOKEN.finditer(body):
        sign, quoted = token[2], token[1]
        is_object = bool(inside) and inside[-1][0]
        if sign in {b"{", b"["}:
            wanted = wanted if sign == b"{" else _below(wanted, "*")
            inside.append((sign == b"{", wanted))
            awaits_key = sign == b"{"
        elif sign in {b"}", b"]"}:
            if inside:
                inside.pop()
            wanted, awaits_key = (inside[-1][1] if inside else ()), False
        elif sign == b",":
            wanted, awaits_key = (inside[-1][1] if inside else ()), is_object
        elif quoted is not None and awaits_key and is_object:
            key = _text(token[0])
            wanted, awaits_key = (() if key is None else _below(inside[-1][1], key)), False
        elif quoted is not None and () in wanted:
            text = _text(token[0])
            if text is not None:
                yield token.start(), token.end(), text


def _below(wanted: Places, step: str) -> Places:
    return tuple(place[1:] for place in wanted if place and place[0] == step)


def _text(token: bytes) -> str | None:
    try:
        text = orjson.loads(token)
    except orjson.JSONDecodeError:
        return None
    return text if isinstance(text, str) else None


def _split(url: str) -> SplitResult | None:
    """An absolute address without a user in it, or None."""
    try:
        parts = urlsplit(url)
        has_host = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts if has_host and parts.scheme in _PORTS and "@" not in parts.netloc else None


def _same_host(base: SplitResult, other: SplitResult) -> bool:
    """Whatever the scheme: a provider behind a proxy may not know its own."""
    return base.hostname == other.hostname and (_port(base) == _port(other) or (base.port is None and not other.port))


def is_own_host(base: SplitResult, other: SplitResult) -> bool:
    """Whether another host is of the same provider: beside the base's in its domain, such as one for a region, or
    below it."""
    host, domain = other.hostname or "", (base.hostname or "").partition(".")[2]
    if other.port not in {None, base.port} or host.replace(".", "").isdigit():
        return False
    owned = [domain] if domain.count(".") >= _LABELS_MIN - 1 else []
    return any(host == each or host.endswith(f".{each}") for each in (*owned, base.hostname or "-"))


def _port(parts: SplitResult) -> int | None:
    return parts.port or _PORTS.get(parts.scheme)


def _is_below(path: str, base_path: str) -> bool:
    return path == base_path or path.startswith(f"{base_path}/")
