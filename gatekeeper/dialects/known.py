"""JSON bodies that were met before but for their prompt, and what they ask for.

A team's software sends the same settings again and again, in the same bytes, around another prompt. What a reader of
JSON makes of the bytes before and behind a text does not depend on the text: so a body with the same two pieces says
the same, whatever its prompt, which alone has to be read anew. Remembered are the pieces, and no prompt.
"""

from collections.abc import Sequence
from dataclasses import fields as fields_of
from decimal import Decimal
from operator import attrgetter
from typing import Any, Final

import orjson

from gatekeeper.core.decide import settings_of
from gatekeeper.core.memo import Memo
from gatekeeper.core.request import GenerationRequest, Settings
from gatekeeper.dialects.fields import WHOLE_BYTES_MAX, JsonFields, digest_of

KNOWN_MAX: Final = 2048
"""A team's software asks for a few dozens. Two kilobytes each at most."""

SETTINGS_MAX: Final = 16
"""More fields than the format has are somebody's own: such a body is read each time."""

SETTING_LENGTH_MAX: Final = 32
"""Every name and setting there is; a longer text may be a prompt that was put into the wrong field."""

AROUND_BYTES_MAX: Final = 1024
"""Such settings are no longer, but for blanks between them."""

_PROMPT: Final = b'"prompt":'
_PLAIN: Final = (str, int, bool, Decimal, type(None))
_BACKSLASH: Final = ord("\\")

_FIELDS: Final = tuple(each.name for each in fields_of(GenerationRequest) if each.init)
_PROMPT_AT: Final = _FIELDS.index("prompt_length")
"""Its digest stands behind it."""

_said: Final = attrgetter(*_FIELDS)

Around = tuple[bytes, bytes]
"""The bytes before and behind the prompt of a body, which has its quotes."""


class KnownBodies:
    """Requests by the bytes around their prompts. Of what is read only the prompt's own length and digest may follow
    from the prompt."""

    def __init__(self) -> None:
        self._known = Memo[Around, tuple[Sequence[Any], Sequence[Any], Settings]](KNOWN_MAX)

    def __len__(self) -> int:
        return len(self._known)

    def find(self, around: Around, prompt: str) -> GenerationRequest | None:
        """The request that the prompt makes with what is around it, where that is known."""
        known = self._known.get(around)
        if known is None:
            return None
        before, behind, settings = known
        # As many as it has fields, which cannot be counted from here.
        request = GenerationRequest(*before, len(prompt), digest_of(prompt), *behind)  # type: ignore[call-arg]
        request.settings = settings
        return request

    def learn(self, around: Around, fields: JsonFields, request: GenerationRequest) -> None:
        """Remembers what was found right, if it is one object of short settings."""
        if _may_be_known(around, fields):
            said = _said(request)
            self._known.put(around, (said[:_PROMPT_AT], said[_PROMPT_AT + 2 :], settings_of(request)))


def parted(body: Sequence[bytes]) -> tuple[Around, str] | None:
    """What is around the prompt of a body, and the prompt. None where there is none that is found at first sight."""
    if len(body) != 1 or len(body[0]) > WHOLE_BYTES_MAX:
        return None
    (text,) = body
    start = text.find(_PROMPT) + len(_PROMPT)
    if start < len(_PROMPT):
        return None
    if text[start : start + 1] == b" ":
        start += 1
    end = text.find(b'"', start + 1)
    end = end + 1 if text[end - 1] != _BACKSLASH else _end_of_string(text, start)
    try:
        prompt = orjson.loads(text[start:end])
    except orjson.JSONDecodeError:
        return None
    return ((text[:start], text[end:]), prompt) if prompt and type(prompt) is str else None


def _end_of_string(text: bytes, start: int) -> int:
    """Behind the quote that ends the string which begins there; 0 where none does."""
    end = text.find(b'"', start + 1)
    while end > 0 and text[end - 1] == _BACKSLASH:
        first = end - 1
        while text[first - 1] == _BACKSLASH:
            first -= 1
        if (end - first) % 2 == 0:
            break
        end = text.find(b'"', end + 1)
    return end + 1


def _may_be_known(around: Around, fields: JsonFields) -> bool:
    """Without a backslash before it what was found is the name of a field, and without an inner object it is the
    body's own."""
    before, behind = around
    settings = {name: fields.raw(name) for name in fields.names() if name != "prompt"}
    return (
        len(settings) <= SETTINGS_MAX
        and len(before) + len(behind) <= AROUND_BYTES_MAX
        and _BACKSLASH not in before
        and all(type(each) in _PLAIN for each in settings.values())
        and all(type(e) is not str or len(e) <= SETTING_LENGTH_MAX for e in (*settings, *settings.values()))
    )
