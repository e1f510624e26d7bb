"""The caller's webhook in a request: found, and exchanged for the gateway's own. Nothing else of the request changes.

Pure: it says where the address stands and what the request is with another one in its place. Whether the address may
be called is for `addresses`. What could be read as another webhook by the provider's parser is refused.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise
from typing import Final
from urllib.parse import quote, unquote_plus

import orjson

from gatekeeper.core.pieces import Spliced, found, release, stretch
from gatekeeper.core.rejection import Code, Rejected, refuse
from gatekeeper.dialects.base import Webhook
from gatekeeper.dialects.multipart import HEADERS_BYTES_MAX, read_boundary
from gatekeeper.dialects.skim import Skimmer
from gatekeeper.proxy.jobs.rewriting import rewrite
from gatekeeper.proxy.webhooks.keys import CALLBACKS, MAC_CHARS

SECRET_CHARS_MAX: Final = 128
"""Of the caller's own secret, in plain characters: longer than any in use, and it lies in the job's record."""

STRING_BYTES_MAX: Final = 8 * 1024
"""Longer texts are not looked at. An address of the most characters, each of them escaped, is shorter."""

SKELETON_BYTES_MAX: Final = 4 * 1024 * 1024
"""What may be left of a body without its long texts; dialects take far less."""

_ESCAPED_ASCII: Final = re.compile(rb"\\u00[2-7]")
"""Letters that need no escaping: with them a field's name can be spelt so that a search does not find it."""

_ESCAPED_BYTES: Final = 5
"""One less than such a letter has."""

NAMED_MAX: Final = 64
"""So often a field's name is looked for in a body before every token of it is looked at."""

_KEY: Final = re.compile(rb"[ \t\r\n]*(?::|\Z)")

_TEXT_BEHIND_KEY: Final = re.compile(rb'[ \t\r\n]*:[ \t\r\n]*("(?:[^"\\]|\\.)*+")', re.DOTALL)

_PART_NAME: Final = re.compile(rb'^content-disposition:.*?;[ \t]*name="?([^";\r\n]+)', re.IGNORECASE | re.MULTILINE)

_OURS: Final = re.compile(rb"%b(?:[\w.%%~-]+/){3}[0-9a-f]{%d}" % (CALLBACKS.encode(), MAC_CHARS))
"""The end of an address that was made for a hold, wherever it stands."""

_SCHEMES: Final = (b"http://", b"https://")

_NO_ADDRESS: Final = re.compile(rb"[\s\"'<>\\]")

HOST_BYTES_MAX: Final = 300
"""Of such an address, all before its end. It is looked for from its end: a text may have any number of beginnings."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A webhook that a request asks for: its address, the caller's own secret or "", and where they stand."""

    url: str = field(repr=False)
    secret: str = field(repr=False)
    trait: Webhook
    content_type: str

    def exchanged(self, query: str, body: Sequence[bytes], url: str, secret: str) -> tuple[str, Sequence[bytes]]:
        """Query and body with our address, and our secret where the caller gave one."""
        match self.trait.place:
            case "query":
                return _in_query(query, self.trait.field, url), body
            case "json":
                fields = {self.trait.field: url} | ({self.trait.secret_field: secret} if self.secret else {})
                return query, _in_json(body, fields)
            case "form":
                start, end, _ = _form_parts(self.content_type, body)[self.trait.field][0]
                return query, Spliced(body, start, end, url.encode())


def find_webhook(trait: Webhook, query: str, content_type: str, body: Sequence[bytes]) -> Wanted | None:
    """The webhook that a request asks for, or None. Raises `Rejected` (malformed_request) for one that is unclear."""
    match trait.place:
        case "query":
            url, secret = _of_query(query, trait.field), ""
        case "json":
            url, secret = _of_json(trait, body)
        case "form":
            url, secret = _of_form(trait, content_type, body), ""
    return Wanted(url, secret, trait, content_type) if url else None


def _of_query(query: str, field: str) -> str:
    given = [part.partition("=")[2] for part in query.split("&") if _parameter(part) == field]
    if len(given) > 1:
        raise _unclear(field, "is there more than once")
    return unquote_plus(given[0]) if given else ""


def _in_query(query: str, field: str, url: str) -> str:
    mine = f"={quote(url, safe='')}"
    return "&".join(p.partition("=")[0] + mine if _parameter(p) == field else p for p in query.split("&"))


def _parameter(part: str) -> str:
    return unquote_plus(part.partition("=")[0])


def _of_json(trait: Webhook, body: Sequence[bytes]) -> tuple[str, str]:
    skimmer = Skimmer(string_bytes_max=STRING_BYTES_MAX, skeleton_bytes_max=SKELETON_BYTES_MAX)
    for chunk in body:
        skimmer.feed(chunk)
    try:
        values = orjson.loads(skimmer.skeleton)
    except orjson.JSONDecodeError:
        # The dialect has read the body before and took it: what only one of two readers takes is unclear.
        raise _unclear(trait.field, "may stand in a body that can be read in two ways") from None
    url = _json_text(values, trait.field)
    secret = _json_text(values, trait.secret_field) if trait.secret_field else ""
    if len(secret) > SECRET_CHARS_MAX or not (secret.isascii() and secret.isprintable()):
        raise _unclear(trait.secret_field, f"is not of plain characters, at most {SECRET_CHARS_MAX}")
    if url and any(orjson.loads(b'"%b"' % head) == url for head in skimmer.cut):
        raise _unclear(trait.field, "is far too long")
    return url, secret


def _json_text(values: dict[str, object], field: str) -> str:
    names = [name for name in values if name.casefold() == field.casefold()]
    if names not in ([], [field]):
        raise _unclear(field, "is spelt in two ways, or in another than the provider's")
    value = values.get(field) or ""
    if not isinstance(value, str):
        raise _unclear(field, "must be a text")
    return value


def _in_json(body: Sequence[bytes], fields: dict[str, str]) -> Sequence[bytes]:
    for name, text in fields.items():
        span = _only_place(body, name)
        if span is None:
            whole = rewrite(b"".join(body), (name,), lambda _, text=text: text)  # type: ignore[misc]
            release(body)
            body = [whole]
        else:
            body = Spliced(body, *span, orjson.dumps(text))
    return body


def _only_place(body: Sequence[bytes], field: str) -> tuple[int, int] | None:
    """Where the field's text stands, if its name is a key at one place of the body only, plainly spelt: a search is a
    hundred times as fast as looking at every token of a body full of pictures. None: it has to be looked for."""
    if _has_escaped_ascii(body):
        return None
    name = b'"%b"' % field.encode()
    # Behind a backslash the quote is a character of some text.
    within_text = {at + 1 for at, _ in islice(found(body, b"\\" + name), NAMED_MAX)}
    spans = list[tuple[int, int]]()
    for number, (at, text) in enumerate(found(body, name, behind=2 * STRING_BYTES_MAX)):
        if number == NAMED_MAX:
            return None
        if at not in within_text and _KEY.match(text, len(name)):
            value = _TEXT_BEHIND_KEY.match(text, len(name))
            if value is None or spans:
                return None
            spans.append((at + value.start(1), at + value.end(1)))
    return spans[0] if spans else None


def _has_escaped_ascii(body: Sequence[bytes]) -> bool:
    end = b""
    for piece in body:
        if b"\\u00" in piece and _ESCAPED_ASCII.search(piece):
            return True
        if _ESCAPED_ASCII.search(end + piece[:_ESCAPED_BYTES]):
            return True
        end = (end + piece[-_ESCAPED_BYTES:])[-_ESCAPED_BYTES:]
    return False


def _of_form(trait: Webhook, content_type: str, body: Sequence[bytes]) -> str:
    parts = _form_parts(content_type, body)
    alike = {name for name in parts if name.casefold() == trait.field.casefold()}
    if not alike:
        return ""
    if alike != {trait.field} or len(parts[trait.field]) > 1:
        raise _unclear(trait.field, "is there twice, or spelt in another way than the provider's")
    start, end, is_file = parts[trait.field][0]
    if is_file:
        raise _unclear(trait.field, "must be a text")
    if end - start > STRING_BYTES_MAX:
        raise _unclear(trait.field, "is far too long")
    return stretch(body, start, end).decode("utf-8", "replace")


def _form_parts(content_type: str, body: Sequence[bytes]) -> dict[str, list[tuple[int, int, bool]]]:
    """Where the parts' contents stand, and whether they are files, by name.

    The dialect has read the form before, and takes none whose boundary stands anywhere but between parts.
    """
    boundary = read_boundary(content_type)
    parts: dict[str, list[tuple[int, int, bool]]] = {}
    if boundary is None:
        return parts
    places = found(body, b"--" + boundary, behind=2 * HEADERS_BYTES_MAX)
    for (start, text), (end, _) in pairwise(places):
        head = text[: end - start]
        head_end = head.find(b"\r\n\r\n")
        name = None if head_end < 0 else _PART_NAME.search(head, 0, head_end)
        if name is not None:
            is_file = b"filename" in head[:head_end].lower()
            parts.setdefault(name[1].decode("latin-1"), []).append((start + head_end + 4, end - 2, is_file))
    return parts


def own_shown(trait: Webhook, body: bytes, url: str) -> bytes:
    """An answer or event with the caller's own address where it repeats the webhook: at the places that are known,
    however it is written there, and within any other text, such as a complaint about it."""
    places = (trait.field, f"request.{trait.field}", f"data.{trait.field}")
    body = rewrite(body, places, lambda text: url if CALLBACKS in text else None)
    if CALLBACKS in url or CALLBACKS.encode() not in body:
        return body
    parts, at = list[bytes](), 0
    for found_end in _OURS.finditer(body):
        start = _begin_of_address(body, max(at, found_end.start() - HOST_BYTES_MAX), found_end.start())
        if start is not None:
            parts += [body[at:start], orjson.dumps(url)[1:-1]]
            at = found_end.end()
    return b"".join((*parts, body[at:])) if parts else body


def _begin_of_address(body: bytes, least: int, end: int) -> int | None:
    """Where the address begins that goes on at `end`; None where there stands none."""
    start = max(body.rfind(scheme, least, end) for scheme in _SCHEMES)
    return None if start < 0 or _NO_ADDRESS.search(body, start, end) else start


def _unclear(field: str, what: str) -> Rejected:
    return refuse(Code.MALFORMED_REQUEST, f"The webhook in {field} {what}.")
