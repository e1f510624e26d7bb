"""Fields of a body that the provider reads as protocol buffers, which take every name in two spellings.

`imageConfig` and `image_config` are one field there. Either is read; both at once are refused, for which of them the
provider follows is its own affair. Where it has only one of the two spellings and passes over the other, the other is
refused.
"""

import re
from fractions import Fraction
from typing import Literal

from gatekeeper.dialects.fields import JsonFields

Spelling = Literal["camelCase", "snake_case"]

_HUMP = re.compile(r"(?<=[a-z0-9])([A-Z])")


class ProtoFields:
    """Typed access by the name in camelCase; each getter is that of `JsonFields`. `only`: the one spelling there is."""

    __slots__ = ("_fields", "_only")

    def __init__(self, fields: JsonFields, only: Spelling | None = None) -> None:
        self._fields = fields
        self._only = only

    def spelled(self, only: Spelling) -> "ProtoFields":
        """The same fields, of which those within have one spelling."""
        return ProtoFields(self._fields, only)

    def given(self, name: str) -> bool:
        return self._fields.given(self._spelled(name))

    def text(self, name: str) -> str | None:
        return self._fields.text(self._spelled(name))

    def text_length(self, name: str) -> int | None:
        return self._fields.text_length(self._spelled(name))

    def text_digest(self, name: str) -> bytes | None:
        return self._fields.text_digest(self._spelled(name))

    def whole(self, name: str) -> int | None:
        return self._fields.whole(self._spelled(name))

    def quantity(self, name: str, unit: str) -> Fraction | None:
        return self._fields.quantity(self._spelled(name), unit)

    def flag(self, name: str) -> bool | None:
        return self._fields.flag(self._spelled(name))

    def words(self, name: str) -> tuple[str, ...]:
        return self._fields.words(self._spelled(name))

    def head(self, name: str) -> str:
        return self._fields.beginning(self._spelled(name)) or ""

    def holds_text(self, name: str) -> bool:
        return self._fields.holds_text(self._spelled(name))

    def holds_list(self, name: str) -> bool:
        return self._fields.holds_list(self._spelled(name))

    def inner(self, name: str) -> "ProtoFields | None":
        found = self._fields.inner(self._spelled(name))
        return None if found is None else ProtoFields(found, self._only)

    def objects(self, name: str) -> "tuple[ProtoFields, ...]":
        return tuple(ProtoFields(each, self._only) for each in self._fields.objects(self._spelled(name)))

    def one_or_more(self, name: str) -> "tuple[ProtoFields, ...]":
        """The objects of a field that may hold a list of them, or one."""
        if self.holds_list(name):
            return self.objects(name)
        found = self.inner(name)
        return () if found is None else (found,)

    def wrong(self, name: str, wanted: str) -> None:
        self._fields.wrong(self._spelled(name), wanted)

    def missing(self, name: str, wanted: str) -> None:
        self._fields.missing(name, wanted)

    def finish(self) -> None:
        self._fields.finish()

    def _spelled(self, name: str) -> str:
        """The spelling that the body uses."""
        snake = _HUMP.sub(lambda hump: f"_{hump[1].lower()}", name)
        if self._only is not None and snake != name:
            return self._spelled_so(name, snake)
        if snake == name or not self._fields.given(snake):
            return name
        if self._fields.given(name):
            self._fields.wrong(snake, f"left out beside {name}")
            return name
        return snake

    def _spelled_so(self, camel: str, snake: str) -> str:
        """The one spelling; the other is noted."""
        right, wrong = (camel, snake) if self._only == "camelCase" else (snake, camel)
        if self._fields.given(wrong):
            self._fields.wrong(wrong, f"spelled {right}")
        return right
