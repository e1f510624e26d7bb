"""JSON parsed so strictly that no other parser can take it for something else.

UTF-8 only, no key twice at any depth, no NaN or Infinity, bounded nesting, an object at the top. Numbers with decimals
stay decimals, so that a tenth is a tenth.
"""

import json
import re
from decimal import Decimal, InvalidOperation

import orjson

from gatekeeper.dialects.complaints import malformed, shown

DEPTH_MAX = 64
"""Deeper nesting is no request of any known format, and parsers run out of stack in different places."""

INTEGER_DIGITS_MAX = 40
"""A longer integer is kept as a decimal: reading it as an `int` takes time that grows with the square."""

_BRACKETS = re.compile(r"[\[\]{}]")
_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "a truth value"),
    (str, "a text"),
    (int, "a whole number"),
    (Decimal, "a number with decimals"),
    (dict, "an object"),
    (list, "a list"),
)


def kind(value: object) -> str:
    """What a JSON value is, for people."""
    return next((name for type_, name in _KINDS if isinstance(value, type_)), "null")


class _Unreadable(ValueError):
    """Raised inside the parser by the hooks below; its text is for the caller."""


def parse_object(skeleton: bytes) -> dict[str, object]:
    """The object that the bytes spell. Raises `Rejected` (malformed_request) with the reason for anything else."""
    return _read_plain(skeleton) or _read_strictly(skeleton)


def _read_plain(skeleton: bytes) -> dict[str, object] | None:
    """The object as a parser several times quicker reads it, where the strict one would read the same; else None.

    That parser says nothing of a key that comes twice, but it drops the first, and then the text has more strings than
    the value. Decimals are the strict one's, and so are numbers beyond 64 bits, which come out as floats.
    """
    if skeleton.count(b"[") + skeleton.count(b"{") > DEPTH_MAX:
        return None
    try:
        value = orjson.loads(skeleton)
    except orjson.JSONDecodeError:
        return None
    if type(value) is not dict or _strings_in(value) * 2 != _quotes_in(skeleton):
        return None
    return value


def _strings_in(value: object) -> int:
    """How many strings a value was made of, keys counted; below 0 if there is a float in it."""
    strings, rest = 0, [value]
    while rest:
        each = rest.pop()
        kind_ = type(each)
        if kind_ is str:
            strings += 1
        elif kind_ is dict:
            strings += len(each)  # type: ignore[arg-type]  # a dictionary
            rest += each.values()  # type: ignore[attr-defined]
        elif kind_ is list:
            rest += each  # type: ignore[arg-type]  # a list
        elif kind_ is float:
            return -1
    return strings


def _quotes_in(skeleton: bytes) -> int:
    """How many quotes of a JSON text begin or end a string."""
    if skeleton.find(b"\\") >= 0:
        skeleton = skeleton.replace(b"\\\\", b"__").replace(b'\\"', b"__")
    return skeleton.count(b'"')


def _read_strictly(skeleton: bytes) -> dict[str, object]:
    """The object, or the reason why it is none."""
    if not skeleton.strip():
        raise malformed("The body is empty; a JSON object is needed.")
    try:
        text = skeleton.decode()
    except UnicodeDecodeError:
        raise malformed("The body is not UTF-8.") from None
    if _too_deep(text):
        raise malformed(f"The body is nested more than {DEPTH_MAX} levels deep.")
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise malformed(f"The body is not JSON: {error.msg} (line {error.lineno}).") from None
    except _Unreadable as error:
        raise malformed(f"The body cannot be read: {error}.") from None
    if not isinstance(value, dict):
        raise malformed(f"The body must be a JSON object, not {kind(value)}.")
    return value


def _too_deep(text: str) -> bool:
    if text.count("[") + text.count("{") <= DEPTH_MAX:
        return False
    masked = text.replace("\\\\", "__").replace('\\"', "__")
    depth = 0
    for bracket in _BRACKETS.findall(" ".join(masked.split('"')[::2])):
        depth += 1 if bracket in "[{" else -1
        if depth > DEPTH_MAX:
            return True
    return False


def _no_key_twice(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise _Unreadable(f'the key "{shown(key)}" is there twice')
        seen.add(key)
    raise AssertionError("fewer keys than pairs means that one came twice")


def _read_int(text: str) -> int | Decimal:
    return int(text) if len(text) <= INTEGER_DIGITS_MAX else Decimal(text)


def _read_decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise _Unreadable(f"{shown(text)} is beyond any number") from None


def _no_constant(name: str) -> object:
    raise _Unreadable(f"{name} is no JSON number")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_no_key_twice,
    parse_int=_read_int,
    parse_float=_read_decimal,
    parse_constant=_no_constant,
)
