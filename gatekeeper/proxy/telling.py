"""A request and its outcome as a log line tells them, and read again: what `gatekeeper replay` judges anew.

Only what a price or a refusal depends on, and only what was said: no prompt, no address, nothing of a picture but its
size. Pure.
"""

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Final

from gatekeeper.core.decide import may_be_remembered, settings_of
from gatekeeper.core.memo import Memo
from gatekeeper.core.outcome import Made
from gatekeeper.core.price import Quote
from gatekeeper.core.rejection import number_text
from gatekeeper.core.request import GenerationRequest, Operation, Settings, ValidRequest
from gatekeeper.core.sizes import Pixels
from gatekeeper.logs import one_word

PIXELS_TOLD_MAX: Final = 10
"""Outputs whose sizes are told; no request asks for more than that."""

NUMBER_CHARS_MAX: Final = 40
"""A longer number in a log line is none that was written here."""

COUNT_MAX: Final = 10**9
"""Past it a number is told as this one: no model takes so many of anything, and huge ones cannot be written at all."""

ADMITTED_REMEMBERED: Final = 4096
"""Requests in words, about a kilobyte each; without their prompts few are not the same as others."""

_admitted: Final = Memo[tuple[str, Settings], dict[str, Any]](ADMITTED_REMEMBERED)

_SIDES: Final = re.compile(r"(-?\d{1,10})x(-?\d{1,10})", re.ASCII)
_WORDS: Final = ("model", "resolution", "aspect_ratio", "size", "quality")


def asked_words(asked: GenerationRequest) -> dict[str, Any]:
    """What was asked, by name; what was not said is left out."""
    told = {
        "model": one_word(asked.model),
        "resolution": one_word(asked.resolution),
        "aspect_ratio": one_word(asked.aspect_ratio),
        "size": one_word(asked.size),
        "quality": one_word(asked.quality),
        "audio": asked.audio,
        "enhance_prompt": asked.enhance_prompt,
        "outputs": count_told(asked.outputs),
        "reference_images": count_told(asked.reference_images),
        "operation": None if asked.operation is None else asked.operation.value,
        "duration_s": "auto" if asked.duration_auto else _number(asked.duration_s),
        "scale": _number(asked.scale),
        "input": _sides(asked.input_pixels),
        "input_video": asked.input_video or None,
        "prompt": bool(asked.prompt_length) or None,
    }
    return {name: value for name, value in told.items() if value is not None}


def admitted_words(asked: GenerationRequest, upstream_id: str) -> dict[str, Any]:
    """The same of a request that its model can do, which is sent under this id: it is told as one of few, and what they
    say is the catalog's words."""
    key = upstream_id, asked.settings or settings_of(asked)
    known = _admitted.get(key)
    if known is None:
        known = asked_words(asked) | {"model": upstream_id}
        if may_be_remembered(asked):
            _admitted.put(key, known)
    return known


Told = tuple[
    dict[str, Any], str, str, Operation, str | None, str | None, str | None, int, float | None, bool, int, str
]  # fmt: skip
"""A request in words, and the facts that every log line has of it, in their order: from its provider to its price
list."""


def admitted_facts(provider: str, model: str, valid: ValidRequest, price: Quote, words: dict[str, Any]) -> Told:
    """All that is told of a request which may be sent."""
    size = None if valid.size is None else str(valid.size)
    duration_s = None if valid.duration_s is None else float(valid.duration_s)
    return (
        words, provider, model, valid.operation, valid.resolution, valid.aspect_ratio, size, valid.outputs, duration_s,
        valid.audio, price.credits, price.price_list.id,
    )  # fmt: skip


def read_asked(told: Mapping[str, Any]) -> GenerationRequest:
    """The request of a line. Raises ValueError for what cannot have been written by `asked_words`."""
    operation, duration = told.get("operation"), told.get("duration_s")
    return GenerationRequest(
        operation=None if operation is None else Operation(operation),
        duration_s=None if duration == "auto" else _fraction(duration),
        duration_auto=duration == "auto",
        scale=_fraction(told.get("scale")),
        input_pixels=_pixels(told.get("input")),
        input_video=_typed(told, "input_video", bool) or False,
        prompt_length=int(_typed(told, "prompt", bool) or False),
        outputs=_typed(told, "outputs", int),
        audio=_typed(told, "audio", bool),
        enhance_prompt=_typed(told, "enhance_prompt", bool),
        reference_images=_typed(told, "reference_images", int),
        **{name: _typed(told, name, str) for name in _WORDS},
    )


def made_words(made: Made) -> dict[str, Any]:
    """What was made, as far as the answer told it."""
    sizes = [_sides(each) for each in made.pixels[:PIXELS_TOLD_MAX]] if made.pixels else []
    told = {
        "outputs": count_told(made.outputs),
        "pixels": sizes if any(sizes) else None,
        "quality": one_word(made.quality),
        "resolution": one_word(made.resolution),
        "duration_s": _number(made.duration_s),
        "audio": made.audio,
        "tokens": count_told(made.tokens),
    }
    return {name: value for name, value in told.items() if value is not None}


def read_made(told: Mapping[str, Any]) -> Made:
    """The outcome of a line. Raises ValueError for what cannot have been written by `made_words`."""
    return Made(
        outputs=_typed(told, "outputs", int) or 0,
        pixels=tuple(_pixels(each) for each in _typed(told, "pixels", list) or ()),
        duration_s=_fraction(told.get("duration_s")),
        **{name: _typed(told, name, str) for name in ("quality", "resolution")},
        audio=_typed(told, "audio", bool),
        tokens=_typed(told, "tokens", int),
    )


def _number(value: Fraction | None) -> str | None:
    """As people write it where that is exact: 8, 2.5, else 1/3."""
    if value is None:
        return None
    text = number_text(value)
    try:
        return text if Fraction(text) == value else str(value)[:NUMBER_CHARS_MAX]
    except ValueError:
        return text.replace(" ", "_")


def _fraction(text: Any) -> Fraction | None:
    if text is None:
        return None
    if not isinstance(text, str | int) or isinstance(text, bool) or len(str(text)) > NUMBER_CHARS_MAX:
        raise ValueError("no number")
    try:
        return Fraction(text)
    except ZeroDivisionError as error:
        raise ValueError("no number") from error


def count_told(value: int | None) -> int | None:
    """A count as it is told, within bounds."""
    return value if value is None or -COUNT_MAX <= value <= COUNT_MAX else max(-COUNT_MAX, min(value, COUNT_MAX))


def _sides(size: Pixels | None) -> str | None:
    return None if size is None else f"{count_told(size.width)}x{count_told(size.height)}"


def _pixels(text: Any) -> Pixels | None:
    if text is None:
        return None
    found = _SIDES.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError("no size in pixels")
    return Pixels(int(found[1]), int(found[2]))


def _typed(told: Mapping[str, Any], name: str, kind: type) -> Any:
    value = told.get(name)
    if value is not None and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
        raise ValueError(f"{name} is no {kind.__name__}")
    return value
