"""What is asked of a hosted model: fal and Replicate run many vendors' models, each with a schema of its own.

One thing has many names there (`num_images`, `num_outputs`, `number_of_images`), and which of them a model knows is
not known here. So every spelling is read, and two that disagree are refused: whichever the model follows, it is the
one that was priced. It may follow none: a length, a tier or silence that is told under another name than the usual
one is held at the dearest, as if nothing had been said. What no price depends on is left alone.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Final, TypeVar, cast

from gatekeeper.core.request import GenerationRequest, Operation
from gatekeeper.core.sizes import AUTO, Pixels, read_size
from gatekeeper.dialects.answers import png_pixels
from gatekeeper.dialects.fields import JsonFields, read_sides

OUTPUTS: Final = ("num_images", "num_outputs", "number_of_images", "num_videos", "num_samples", "batch_size", "n")
"""How many. `max_images` (Seedream's series) multiplies it."""

DURATIONS: Final = ("duration", "seconds", "duration_seconds", "video_length", "length")

AUDIO: Final = (
    "generate_audio", "generate_audio_switch", "enable_audio", "with_audio", "sound", "generate_sound", "audio",
)  # fmt: skip
"""Of this, of `DURATIONS` and of `RESOLUTIONS` the first is the usual name."""

ENHANCE: Final = (
    "enhance_prompt", "prompt_upsampling", "prompt_optimizer", "enable_prompt_expansion", "prompt_expansion",
    "expand_prompt", "prompt_extend",
)  # fmt: skip

SCALES: Final = ("upscale_factor", "scale_factor", "scale")

RESOLUTIONS: Final = ("resolution", "video_resolution", "image_resolution", "megapixels")

RATIOS: Final = ("aspect_ratio", "ratio")

SIZES: Final = ("image_size", "size", "video_size")

SHOTS: Final = ("multi_prompt", "shots")
"""Lists of scenes, each with a length of its own (Kling 3)."""

READS: Final = (
    *SIZES, "width", "height", *RATIOS, *RESOLUTIONS, *OUTPUTS, "max_images", "sequential_image_generation",
    *DURATIONS, "num_frames", "frames_per_second", "fps", *SHOTS, *AUDIO, *ENHANCE, *SCALES, "quality",
    "rendering_speed", "prompt",
)  # fmt: skip
"""Every field by its name. Beside them every field whose name tells of a picture or a film that goes in."""

FPS_LOWEST: Final = 16
"""Frames a second where nothing is said (Wan's own): fewer than any other model's, so a film is never priced short."""

_FILMS: Final = re.compile(r"video|veo|seedance|hailuo|sora|kling|wan[/-]|ltx|ray-|pixverse|vidu", re.IGNORECASE)
"""Ids of models of films. A tier has one name there, and the default is not always the cheapest."""

_OWN_LENGTHS: Final = {
    "seconds": re.compile(r"sora"),
    "num_frames": re.compile(r"wan[/-]|ltx|hunyuan|cogvideo|mochi|framepack|animatediff"),
    "multi_prompt": re.compile(r"kling"),
}
"""Models that take a length under a name of their own."""

SECONDS_MAX: Final = 100_000
"""No film is a day long."""

_CHOSEN_BY_MODEL: Final = frozenset({AUTO, "match_input_image", "match_input", "adaptive", "source", "original"})
_NOTHING_SAID: Final = frozenset({"", "none", "custom", "default"})
"""`custom`: width and height say it."""

_AUTO_TIER: Final = re.compile(r"auto_(\d{1,2}K)", re.IGNORECASE | re.ASCII)
_MEGAPIXELS: Final = re.compile(r"(\d{1,2}(?:\.\d{1,3})?)\s*(?:MP)?", re.IGNORECASE | re.ASCII)
_TIERS_OF_LTX: Final = {"2k": "1440P"}
"""What Lightricks' hosts call the tier of 1440 lines; for pictures 2K is another."""

_READ_AS_SWITCHES: Final = frozenset({"true", "false", "1", "0", "on", "off", "yes", "no", "t", "f", "y", "n", "none"})
"""What lenient parsers take for true or false."""

_LINES: Final = re.compile(r"\d{3,4}p", re.IGNORECASE | re.ASCII)
_TIER_OF_MEGAPIXELS: Final = ((1, "1K"), (4, "2K"), (16, "4K"))
"""The tier that so many megapixels are at most."""

_PICTURE_NAME: Final = re.compile(r"image|frame|photo|picture|reference|element|face")
_NO_PICTURE_NAME: Final = re.compile(r"video|audio|mask|voice")
_MEDIA: Final = re.compile(r"\s*(?:[a-z][a-z0-9+.-]*://|data:)|\s+$", re.IGNORECASE)
"""An address or a data URI; how its scheme is spelled makes no difference to whoever fetches it. Of a long text in a
large body only the beginning is there, which may be nothing but spaces before it."""

_WRAPPED: Final = frozenset({"url", "uri", "href", "src", "data", "content", "file", "file_data"})
"""Names that say nothing of what they hold: in an object, that stands in the object's own name."""

_PNG_URI: Final = "data:image/png;base64,"
_INPUT_NAMES: Final = ("image_url", "image", "input_image")

_OPERATION_WORDS: Final = {
    "edit": Operation.IMAGE_EDIT,
    "remix": Operation.IMAGE_EDIT,
    "replace-background": Operation.IMAGE_EDIT,
    "image-to-image": Operation.IMAGE_EDIT,
    "text-to-image": Operation.IMAGE_GENERATE,
    "text-to-video": Operation.VIDEO_GENERATE,
    "image-to-video": Operation.VIDEO_GENERATE,
    "reference-to-video": Operation.VIDEO_GENERATE,
    "first-last-frame-to-video": Operation.VIDEO_GENERATE,
    "video-to-video": Operation.VIDEO_EDIT,
    "extend-video": Operation.VIDEO_EXTEND,
}
"""Parts of an id that say what its route does."""

T = TypeVar("T")


def read_input(model: str | None, fields: JsonFields, *, stream: bool = False) -> GenerationRequest:
    """What the input of a hosted model asks. What is wrong with it is noted in `fields`, whose `finish` raises."""
    size, size_tier = _size(fields)
    shots = _shots(fields)
    duration, auto = _duration(model, fields, shots)
    tier = _resolution(model, fields) or size_tier
    if (tier or size) and not _is_tier_heard(model, fields):
        tier = AUTO
    return GenerationRequest(
        model=model,
        operation=_operation(model),
        size=size,
        resolution=tier,
        aspect_ratio=_agreed(fields, RATIOS, _word),
        outputs=_outputs(fields),
        duration_s=duration,
        duration_auto=auto,
        audio=_audio(fields),
        scale=_agreed(fields, SCALES, lambda inner, name: inner.quantity(name, "x")),
        input_pixels=_input_pixels(fields),
        quality=None if _quality_tier(fields) else _quality(fields),
        enhance_prompt=_agreed(fields, ENHANCE, _switch),
        prompt_length=fields.text_length("prompt") or (len(shots) or None),
        prompt_digest=fields.text_digest("prompt"),
        stream=stream,
        reference_images=sum(1 for _ in _media(fields, _is_picture)) or None,
        input_video=any(True for _ in _media(fields, lambda name: "video" in name)),
    )


def _operation(model: str | None) -> Operation | None:
    """What the id says its route does; None leaves it to the model."""
    parts = (model or "").split("/")
    return next((_OPERATION_WORDS[part] for part in reversed(parts) if part in _OPERATION_WORDS), None)


def _agreed(fields: JsonFields, names: tuple[str, ...], read: Callable[[JsonFields, str], T | None]) -> T | None:
    """What several spellings of one thing say together. One that says otherwise than another before it is noted."""
    found: tuple[str, T] | None = None
    for name in names:
        value = read(fields, name)
        if value is None:
            continue
        if found is None:
            found = name, value
        elif found[1] != value:
            fields.wrong(name, f"left out beside {found[0]}, or say the same")
    return None if found is None else found[1]


def _word(fields: JsonFields, name: str) -> str | None:
    """A setting, with what leaves it to the model spelled `auto`, and None for what says nothing."""
    text = fields.text(name)
    word = None if text is None else text.strip().lower()
    if word is None or word in _NOTHING_SAID:
        return None
    return AUTO if word in _CHOSEN_BY_MODEL else text


def _switch(fields: JsonFields, name: str) -> bool | None:
    """True or false. A text is a sound that goes in, or a mode: no switch, unless a parser could take it for one."""
    if not fields.holds_text(name):
        return fields.flag(name)
    if str(fields.raw(name)).strip().lower() in _READ_AS_SWITCHES:
        fields.wrong(name, "true or false")
    return None


def _audio(fields: JsonFields) -> bool | None:
    """Silence must be asked for in the usual way: a model that passes over the word makes sound."""
    audio = _agreed(fields, AUDIO, _switch)
    return audio if audio or fields.given(AUDIO[0]) else None


def _size(fields: JsonFields) -> tuple[str | None, str | None]:
    """A size in one of its spellings, and the tier that one of fal's (`auto_2K`) is.

    Pixels in `resolution` are no tier; some models (Ideogram) have their sizes there all the same.
    """
    said = {
        "size": _agreed(fields, SIZES, _one_size),
        "width": read_sides(fields),
        "resolution": _agreed(fields, RESOLUTIONS, _pixels_word),
    }
    given = {name: text for name, text in said.items() if text is not None}
    if len({read_size(text) for text in given.values()}) > 1:
        fields.complaints.wrong(list(given)[-1], "another size", "left out beside another size")
    size = next(iter(given.values()), None)
    tier = None if size is None else _AUTO_TIER.fullmatch(size)
    return (size, None) if tier is None else (None, tier[1].upper())


def _one_size(fields: JsonFields, name: str) -> str | None:
    if fields.holds_text(name):
        return _word(fields, name)
    inner = fields.inner(name, "a text or an object with width and height")
    return None if inner is None else read_sides(inner) or AUTO


def _pixels_word(fields: JsonFields, name: str) -> str | None:
    word = _word(fields, name) if fields.holds_text(name) else None
    return word if word is not None and isinstance(read_size(word), Pixels) else None


def _resolution(model: str | None, fields: JsonFields) -> str | None:
    word = _agreed(fields, RESOLUTIONS, _tier_word) or _quality_tier(fields)
    return _TIERS_OF_LTX.get(word.lower(), word) if word is not None and "ltx" in (model or "") else word


def _tier_word(fields: JsonFields, name: str) -> str | None:
    """A tier as it is written; megapixels (`1`, `0.5 MP`) as the tier that they are at most."""
    word = _word(fields, name)
    if word is None or isinstance(read_size(word), Pixels):
        return None
    amount = _MEGAPIXELS.fullmatch(word)
    if amount is None:
        return word
    return next((tier for most, tier in _TIER_OF_MEGAPIXELS if Fraction(amount[1]) <= most), word)


def _quality_tier(fields: JsonFields) -> str | None:
    """A tier that stands in `quality` (Pixverse)."""
    text = _quality(fields)
    return text if text is not None and _LINES.fullmatch(text) else None


def _quality(fields: JsonFields) -> str | None:
    """As a number it is that of a JPEG, and no price depends on it. Ideogram has speeds in place of qualities."""
    return _agreed(fields, ("quality", "rendering_speed"), _quality_word)


def _quality_word(fields: JsonFields, name: str) -> str | None:
    return fields.text(name) if fields.holds_text(name) else None


def _outputs(fields: JsonFields) -> int | None:
    count = _agreed(fields, OUTPUTS, JsonFields.whole)
    series = fields.whole("max_images")
    if series is None or fields.text("sequential_image_generation") == "disabled":
        return count
    counts = [1 if count is None else count, series]
    return min(counts) if min(counts) < 1 else counts[0] * counts[1]


def _shots(fields: JsonFields) -> tuple[JsonFields, ...]:
    """The scenes of a film that is told in several. A list of texts says nothing of lengths."""
    told = [name for name in SHOTS if fields.holds_list(name)]
    lists = {name: cast("list[object]", fields.raw(name)) for name in told}
    return tuple(
        shot for name in told if any(isinstance(each, dict) for each in lists[name]) for shot in fields.objects(name)
    )


def _duration(model: str | None, fields: JsonFields, shots: tuple[JsonFields, ...]) -> tuple[Fraction | None, bool]:
    """The length in seconds, and whether the model is to choose it, or may not have heard it."""
    auto = any(fields.raw(name) in (AUTO, -1, "-1") for name in DURATIONS)
    said = _agreed(fields, DURATIONS, _seconds)
    told = sum((shot.quantity("duration", "s") or Fraction(0) for shot in shots), Fraction(0)) or _filmed(fields)
    if said is not None and told and said != told:
        fields.complaints.wrong("duration", "another length", f"the {told} seconds that its scenes or frames come to")
    length = told or None if said is None else said
    return (None, True) if auto or (length is not None and not _is_heard(model, fields)) else (length, False)


def _is_tier_heard(model: str | None, fields: JsonFields) -> bool:
    """Whether a film's tier stands under a name that the model must know. Pixverse has it in `quality`."""
    name = "quality" if "pixverse" in (model or "") else RESOLUTIONS[0]
    return fields.given(name) or not _FILMS.search(model or "")


def _is_heard(model: str | None, fields: JsonFields) -> bool:
    """Whether a length stands under a name that the model must know."""
    own = (name for name, ids in _OWN_LENGTHS.items() if ids.search(model or ""))
    return any(fields.given(name) for name in (DURATIONS[0], *own))


def _seconds(fields: JsonFields, name: str) -> Fraction | None:
    return None if fields.raw(name) in (AUTO, -1, "-1") else fields.quantity(name, "s")


def _filmed(fields: JsonFields) -> Fraction | None:
    """A length told in frames."""
    frames = fields.whole("num_frames")
    rate = _agreed(fields, ("frames_per_second", "fps"), lambda inner, name: inner.quantity(name, "fps"))
    if not frames or frames < 0:
        return None
    return Fraction(frames) / (rate or FPS_LOWEST)


def _input_pixels(fields: JsonFields) -> Pixels | None:
    """The size of the picture that goes in, where it goes in as a PNG whose head can be read.

    Of several pictures nobody knows here which one the model takes, so that none of them tells the size.
    """
    given = [name for name in _INPUT_NAMES if fields.given(name)]
    if len(given) != 1 or not fields.holds_text(given[0]) or sum(1 for _ in _media(fields, _is_picture)) != 1:
        return None
    text = cast("str", fields.raw(given[0]))
    return png_pixels(text.removeprefix(_PNG_URI)) if text.startswith(_PNG_URI) else None


def _is_picture(name: str) -> bool:
    return _PICTURE_NAME.search(name) is not None and _NO_PICTURE_NAME.search(name) is None


def _media(fields: JsonFields, named: Callable[[str], bool]) -> Iterator[str]:
    """Every address or data URI in fields so named, inner ones too."""
    for name in fields.names():
        yield from _media_in(name, fields.raw(name), named)


def _media_in(name: str, value: object, named: Callable[[str], bool]) -> Iterator[str]:
    """Depth is bounded: the body's reader refuses what is nested deeper than anything real."""
    if isinstance(value, str):
        if named(name.casefold()) and _MEDIA.match(value):
            yield value
    elif isinstance(value, list):
        for each in value:
            yield from _media_in(name, each, named)
    elif isinstance(value, dict):
        for inner_name, each in cast("Mapping[str, object]", value).items():
            yield from _media_in(name if inner_name.casefold() in _WRAPPED else inner_name, each, named)


def filmed_seconds(value: object) -> Fraction | None:
    """A film's length as an answer states it, to the whole second nearby: files run a frame or two over or under."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < SECONDS_MAX:
        return None
    whole = round(value)
    near = whole > 0 and abs(value - whole) <= 0.25
    return Fraction(whole) if near else Fraction(str(round(value, 2)))
