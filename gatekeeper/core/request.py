"""What a caller asks for, in one shape for every wire format.

`GenerationRequest` is what a dialect read; None means the caller did not say. `ValidRequest` is what validation made
of it: defaults filled, spellings resolved, and `defaulted` telling which fields the caller did not give. Neither
holds a prompt or an image: nothing that may not be logged gets this far inside.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import Any

from gatekeeper.core.sizes import Auto, Pixels, Ratio, SizeMeaning, Tier, Unreadable, read_size


class Operation(StrEnum):
    """What is to be done. One word for every provider's own name of it."""

    IMAGE_GENERATE = "image.generate"
    IMAGE_EDIT = "image.edit"
    IMAGE_PERSONALISE = "image.personalise"
    IMAGE_STYLE_REFERENCE = "image.style_reference"
    IMAGE_UPSCALE = "image.upscale"
    VIDEO_GENERATE = "video.generate"
    VIDEO_EDIT = "video.edit"
    VIDEO_EXTEND = "video.extend"

    __hash__ = str.__hash__  # an enumeration's own is written in Python, and memos ask for it with every request


Settings = tuple[Any, ...]
"""What is asked of a model, as a key for memos: of a prompt there is in it whether there is one."""


@dataclass(slots=True, kw_only=True)
class GenerationRequest:
    """A request as its dialect read it. It does not change; one is made for each, and a frozen one costs more.

    `size` is any size spelling, `resolution` and `aspect_ratio` their own; each may say "auto". `scale` is the factor
    of an upscale, `input_pixels` the size of the picture that goes in, `prompt_length` its characters, never itself.
    `prompt_digest` tells a prompt from another one while it is remembered in memory; it is not logged or stored.
    `audio_unsaid`: it was the wire format's own default that filled `audio`, not the caller.
    `duration_auto`: the caller leaves the length to the model. `reference_images` counts pictures that go in beside the
    prompt, `input_video` says that a video does.
    `sources` are the provider's names of earlier jobs, and of files of theirs, that it is made from: each must be the
    team's own.
    """

    model: str | None = None
    operation: Operation | None = None
    resolution: str | None = None
    aspect_ratio: str | None = None
    size: str | None = None
    outputs: int | None = None
    duration_s: Fraction | None = None
    audio: bool | None = None
    audio_unsaid: bool = field(default=False, compare=False)
    scale: Fraction | None = None
    input_pixels: Pixels | None = None
    quality: str | None = None
    enhance_prompt: bool | None = None
    prompt_length: int | None = None
    prompt_digest: bytes | None = field(default=None, compare=False, repr=False)
    stream: bool = False
    duration_auto: bool = False
    reference_images: int | None = None
    input_video: bool = False
    sources: tuple[str, ...] = ()
    settings: Settings | None = field(default=None, init=False, compare=False, repr=False)
    """All of it that a decision follows from, once `decide.settings_of` was asked for that."""

    def sizes_asked(self) -> tuple[tuple[str, SizeMeaning], ...]:
        """Every field in which the caller said something about size, read, with the field's name."""
        fields = (("size", self.size), ("resolution", self.resolution), ("aspect_ratio", self.aspect_ratio))
        return tuple((field, _expect(field, text)) for field, text in fields if text is not None)


_MEANT_IN: dict[str, tuple[type[SizeMeaning], ...]] = {
    "size": (Pixels, Tier, Ratio, Auto, Unreadable),
    "resolution": (Tier, Auto, Unreadable),
    "aspect_ratio": (Ratio, Auto, Unreadable),
}


def _expect(field: str, text: str) -> SizeMeaning:
    """In `resolution` only a tier makes sense, in `aspect_ratio` only a ratio; in `size` all do."""
    meaning = read_size(text)
    return meaning if isinstance(meaning, _MEANT_IN[field]) else Unreadable(text.strip())


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidRequest:
    """A request that its model can do.

    `resolution` None: the model has no tiers, or which one comes out is not known before (then `resolutions_possible`
    lists them and the dearest is held). `size` None: the vendor publishes no pixels for it, or the model chooses.
    `quality` None: not said, or left to the model. `duration_s` None: a picture, or the model chooses (then
    `durations_possible` has the shortest and the longest, and the dearest between them is held). `audio_open`: with
    sound or without is not known before, and the dearer is held.
    """

    model: str
    operation: Operation
    resolution: str | None = None
    resolutions_possible: tuple[str, ...] = ()
    aspect_ratio: str | None = None
    size: Pixels | None = None
    outputs: int = 1
    duration_s: Fraction | None = None
    audio: bool = False
    scale: Fraction | None = None
    input_pixels: Pixels | None = None
    quality: str | None = None
    enhance_prompt: bool = False
    reference_images: int = 0
    input_video: bool = False
    durations_possible: tuple[Fraction, ...] = ()
    audio_open: bool = False
    defaulted: frozenset[str] = frozenset()
