"""Reads a JSON body strictly enough that the provider cannot read it differently, and hands out typed fields.

A body which two parsers may take in two ways is a way to have one thing priced and another made. So: UTF-8 only, no
key twice at any depth, no key that differs from one we read only in its case (some parsers take both for the same),
no NaN, bounded nesting, an object at the top. A field that is there must be of its type; `null` counts as not given.
What nobody asks for is not looked at: the body goes upstream as it came.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from hashlib import blake2b
from typing import Protocol

from gatekeeper.core.sizes import AUTO
from gatekeeper.dialects.complaints import Complaints, malformed, shown
from gatekeeper.dialects.contenttype import is_json
from gatekeeper.dialects.skim import STRING_BYTES_MAX, Skimmer
from gatekeeper.dialects.strictjson import kind, parse_object

WHOLE_BYTES_MAX = 64 * 1024
"""A body up to this size is parsed as it is; a larger one is skimmed first."""

SKELETON_BYTES_MAX = 256 * 1024
"""More, without its long strings, is not a generation request."""

TEXT_LENGTH_MAX = 256
"""The longest name or setting that is read. Prompts are not read, only measured."""

DIGEST_BYTES = 8
"""Of a prompt: enough to know it again among the thousands of a day, too little to guess it from."""

NUMBER_ABS_MAX = 10**18
"""Beyond it a number is malformed; below it, however silly, it is the model's to refuse."""

NUMBER_DECIMALS_MAX = 18
"""More decimals than any duration or scale has."""

_NUMBER = r"([0-9]{1,9}(?:\.[0-9]{1,9})?)"


class Fields(Protocol):
    """Typed access to a body's fields, the same for JSON and for forms.

    Each getter returns None for a field that is not given, and for one that is wrong, which is noted; `finish` raises
    for everything noted.
    """

    def given(self, name: str) -> bool:
        """Whether the field is there at all."""
        ...

    def text(self, name: str) -> str | None:
        """A name or a setting: short and printable."""
        ...

    def text_length(self, name: str) -> int | None:
        """The length of a text that is not to be looked at."""
        ...

    def text_digest(self, name: str) -> bytes | None:
        """What tells such a text from another one: not to be kept for long, logged or shown."""
        ...

    def whole(self, name: str) -> int | None:
        """A whole number between -10^18 and 10^18."""
        ...

    def quantity(self, name: str, unit: str) -> Fraction | None:
        """A number at or above 0, with its unit or without."""
        ...

    def flag(self, name: str) -> bool | None:
        """True or false."""
        ...

    def missing(self, name: str, wanted: str) -> None:
        """Notes that the field ought to have been there."""
        ...

    def finish(self) -> None:
        """Raises `Rejected` with all that was noted, if anything was."""
        ...


class JsonFields:
    """The fields of one JSON object. An inner object shares the outer one's complaints."""

    __slots__ = ("_cut", "_inner", "_path", "_read", "_values", "complaints")

    def __init__(
        self, values: Mapping[str, object], cut: Mapping[str, int], complaints: Complaints, path: str = ""
    ) -> None:
        self._values = values
        self._cut = cut
        self._path = path
        self._read: set[str] = set()
        self._inner: list[JsonFields] = []
        self.complaints = complaints

    def names(self) -> tuple[str, ...]:
        return tuple(self._values)

    def given(self, name: str) -> bool:
        return self._value(name) is not None

    def holds_text(self, name: str) -> bool:
        """Whether the field is a text, for formats in which a field may be one thing or another."""
        return isinstance(self._value(name), str)

    def raw(self, name: str) -> object:
        """The value as it stands, for formats in which a field may be of many kinds. It does not count as read."""
        return self._values.get(name)

    def _value(self, name: str) -> object:
        self._read.add(name)
        return self._values.get(name)

    def text(self, name: str) -> str | None:
        self._read.add(name)
        value = self._values.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            self._note_kind(name, value, "a text")
        elif len(value) > TEXT_LENGTH_MAX or value in self._cut:
            self._note(name, "a longer one", f"a text of at most {TEXT_LENGTH_MAX} characters")
        elif not value.isprintable():
            self._note(name, "one with such characters", "a text without control characters")
        else:
            return value
        return None

    def text_length(self, name: str) -> int | None:
        """Characters; of a text of more than 512 bytes in a body of more than 64 KiB, bytes as written."""
        value = self._value(name)
        if isinstance(value, str):
            return self._cut.get(value, len(value)) if self._cut else len(value)
        self._note_kind(name, value, "a text")
        return None

    def text_digest(self, name: str) -> bytes | None:
        """Of a text of which only the beginning is there, that and its length count."""
        value = self._value(name)
        if not isinstance(value, str):
            return None
        return digest_of(f"{self._cut[value]} {value}" if value in self._cut else value)

    def whole(self, name: str) -> int | None:
        value = self._value(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            self._note_kind(name, value, "a whole number")
        elif abs(value) > NUMBER_ABS_MAX:
            self._note(name, "a longer one", "a whole number of at most 18 digits")
        else:
            return value
        return None

    def quantity(self, name: str, unit: str) -> Fraction | None:
        """A number at or above 0 as such or as a text, with its unit or without: 8, "8", "8s"."""
        value = self._value(name)
        if isinstance(value, str) and (quantity := read_quantity(value, unit)) is not None:
            return quantity
        if isinstance(value, int | Decimal) and not isinstance(value, bool) and _readable(value):
            return Fraction(value)
        self._note_kind(name, value, f'a number such as 2, "2" or "2{unit}"')
        return None

    def flag(self, name: str) -> bool | None:
        value = self._value(name)
        if isinstance(value, bool):
            return value
        self._note_kind(name, value, "true or false")
        return None

    def beginning(self, name: str) -> str | None:
        """A text, of which in a body of more than 64 KiB only the first characters may be there."""
        value = self._value(name)
        if isinstance(value, str):
            return value
        self._note_kind(name, value, "a text")
        return None

    def count(self, name: str) -> int:
        """How many things a field holds: the length of a list, one for anything else, none if it is not given."""
        value = self._value(name)
        return len(value) if isinstance(value, list) else int(value is not None)

    def inner(self, name: str, wanted: str = "an object") -> "JsonFields | None":
        """The fields of an object in a field. Its `finish` is this one's."""
        value = self._value(name)
        if isinstance(value, dict):
            inner = JsonFields(value, self._cut, self.complaints, f"{self._path}{name}.")
            self._inner.append(inner)
            return inner
        self._note_kind(name, value, wanted)
        return None

    def objects(self, name: str, wanted: str = "a list of objects") -> "tuple[JsonFields, ...]":
        """The fields of each object of a list in a field. Their `finish` is this one's."""
        value = self._value(name)
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            self._note_kind(name, value, wanted)
            return ()
        prefix = f"{self._path}{name}"
        found = [JsonFields(each, self._cut, self.complaints, f"{prefix}[{i}].") for i, each in enumerate(value)]
        self._inner.extend(found)
        return tuple(found)

    def holds_list(self, name: str) -> bool:
        """Whether the field is a list, for formats in which a field may be one thing or several."""
        return isinstance(self._value(name), list)

    def words(self, name: str) -> tuple[str, ...]:
        """A list of short texts."""
        value = self._value(name)
        if isinstance(value, list) and all(isinstance(each, str) and each not in self._cut for each in value):
            return tuple(value)
        self._note_kind(name, value, "a list of short texts")
        return ()

    def prose(self, name: str) -> str | None:
        """A text whole, for formats that take settings out of it: not to be kept or shown."""
        value = self._value(name)
        if isinstance(value, str) and value in self._cut:
            self._note(name, "a longer one", "a text that can be read whole beside so much else")
        elif isinstance(value, str):
            return value
        else:
            self._note_kind(name, value, "a text")
        return None

    def wrong(self, name: str, wanted: str) -> None:
        """Notes that the field, well typed as it is, cannot be what is meant."""
        self._note_kind(name, self._value(name), wanted)

    def missing(self, name: str, wanted: str) -> None:
        self.complaints.missing(self._path + name, wanted)

    def finish(self) -> None:
        self.note_lookalikes()
        self.complaints.raise_any()

    def note_lookalikes(self) -> None:
        """Notes keys, inner ones too, that a parser may take for one that was read. `finish` does it."""
        if not self._read.issuperset(self._values):
            for name, known in lookalikes(self._values, self._read):
                self.complaints.misspelled(self._path + name, known)
        for inner in self._inner:
            inner.note_lookalikes()

    def _note_kind(self, name: str, value: object, wanted: str) -> None:
        if value is not None:
            self._note(name, _described(value), wanted)

    def _note(self, name: str, given: str, wanted: str) -> None:
        self.complaints.wrong(self._path + name, given, wanted)


def digest_of(text: str) -> bytes:
    """64 bits that tell a text from another one, in this process alone."""
    return hash(text).to_bytes(DIGEST_BYTES, "little", signed=True)


def joined_digest(digests: Iterable[bytes | None]) -> bytes | None:
    """One for several texts together; None if there is none."""
    given = [each for each in digests if each is not None]
    return blake2b(b"".join(given), digest_size=DIGEST_BYTES).digest() if given else None


def read_quantity(text: str, unit: str) -> Fraction | None:
    """A number at or above 0 as a text, with its unit or without, or None for any other text."""
    match = re.fullmatch(f"{_NUMBER}(?:{unit})?", text)
    return None if match is None else Fraction(match[1])


def read_sides(fields: JsonFields) -> str | None:
    """Width and height as a size. One of them alone, or 0, leaves the other to the model."""
    width, height = fields.whole("width"), fields.whole("height")
    if width is None and height is None:
        return None
    return f"{width}*{height}" if width and height else AUTO


def _described(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f'"{shown(value)}" (a text)'
        case int() | Decimal():
            return f"{shown(str(value))} ({kind(value)})"
        case _:
            return kind(value)


def lookalikes(names: Iterable[str], read: Collection[str]) -> list[tuple[str, str]]:
    """Names that a parser which ignores case takes for one of those that were read, each with that one.

    Folded as Unicode has it, for some parsers take a long s in `size` for an s.
    """
    others = [name for name in names if name not in read]
    if not others:
        return []
    folded = {known.casefold(): known for known in read}
    return [(name, folded[name.casefold()]) for name in others if name.casefold() in folded]


def _readable(value: int | Decimal) -> bool:
    """Whether a number may become a fraction: 1e999999 is short to write and fills the memory."""
    number = Decimal(value)
    exponent = number.as_tuple().exponent
    small = isinstance(exponent, int) and exponent >= -NUMBER_DECIMALS_MAX
    return small and number.adjusted() < NUMBER_DECIMALS_MAX and number >= 0


def read_json(body: Sequence[bytes], *, string_bytes_max: int = STRING_BYTES_MAX) -> JsonFields:
    """The fields of a JSON body. Raises `Rejected` (malformed_request) for anything that is not one plain object.

    `string_bytes_max`: a longer string of a large body is not read, only measured.
    """
    if sum(map(len, body)) <= WHOLE_BYTES_MAX:
        return JsonFields(parse_object(b"".join(body)), {}, Complaints())
    skimmer = Skimmer(string_bytes_max=string_bytes_max, skeleton_bytes_max=SKELETON_BYTES_MAX)
    for chunk in body:
        skimmer.feed(chunk)
    if not skimmer.utf8:
        raise malformed("The body is not UTF-8.")
    if skimmer.overflowed:
        raise malformed("The body holds far more fields than a generation request has.")
    if any(_names_a_field(skimmer.skeleton, head) for head in skimmer.cut):
        raise malformed("The body has a field whose name is far longer than any there is.")
    values = parse_object(skimmer.skeleton)
    return JsonFields(values, _decode_heads(skimmer.cut), Complaints())


def read_only_json(content_type: str, body: Sequence[bytes]) -> JsonFields:
    """The same for formats that know no other: raises for another content type too."""
    if not is_json(content_type):
        raise malformed("Content-Type must be application/json.")
    return read_json(body)


def _names_a_field(skeleton: bytes, head: bytes) -> bool:
    """Whether a cut string stands where a name does: its head could be the name of a field that the body has not."""
    return re.search(rb'"' + re.escape(head) + rb'"\s*:', skeleton) is not None


def _decode_heads(cut: Mapping[bytes, int]) -> dict[str, int]:
    """Cut strings by their decoded head. The skeleton has been parsed, so each of them is a valid string."""
    heads: dict[str, int] = {}
    for head, length in cut.items():
        text = json.loads(b'"' + head + b'"')
        heads[text] = max(length, heads.get(text, 0))
    return heads
