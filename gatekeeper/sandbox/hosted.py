"""What is asked of a hosted model, for the two formats that run many vendors' models: pictures or films, and how many.

By one plain rule for every model: what has a length or says video is a film. Vendors' defaults and limits are not
imitated, and of a picture that goes in only a PNG in a data URI is looked at.
"""

import base64
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from PIL import Image

from gatekeeper.core.sizes import Pixels, Ratio, Tier, ratio_value, read_size, tier_rank
from gatekeeper.sandbox.call import OUTPUTS_MAX, ProviderError, text_field, whole_field
from gatekeeper.sandbox.movie import MovieSpec, movie_spec
from gatekeeper.sandbox.picture import Format, PictureSpec, picture_spec
from gatekeeper.sandbox.sizing import pixels_asked, upscaled, within_bounds
from gatekeeper.sandbox.studio import Spec

COUNTS = ("num_images", "num_outputs", "number_of_images")
FILM_WORDS = re.compile(r"video|veo|kling|seedance|hailuo|sora|ray-|wan-|pixverse|ltx|vidu")
LENGTH_DEFAULT_S = 5.0
LINES_DEFAULT = "720P"
FILM_RATIO_DEFAULT = "16:9"
STEP_PX = 2
"""Sides of films are even."""

_LENGTH = re.compile(r"(\d{1,3}(?:\.\d{1,2})?)s?")
_LEFT_TO_MODEL = ("auto", "match_input_image", "adaptive", "custom", "None")


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be made: every output, before any misbehaviour."""

    kind: Literal["image", "video"]
    model: str
    outputs: tuple[Spec, ...]

    @property
    def seconds(self) -> float:
        """The length of one film, 0 for pictures."""
        first = self.outputs[0]
        return first.duration_s if isinstance(first, MovieSpec) else 0.0


def read_order(model: str, fields: Mapping[str, Any]) -> Order:
    """The order in a model's input. Raises `ProviderError` 400 for what makes no sense."""
    name = next((each for each in COUNTS if each in fields), COUNTS[0])
    count = whole_field(fields, name, default=1, lowest=1, highest=OUTPUTS_MAX)
    film = "duration" in fields or FILM_WORDS.search(model) is not None
    spec: Spec = _film(model, fields) if film else _picture(model, fields)
    outputs = tuple(replace(spec, number=number, of=count) for number in range(1, count + 1))
    return Order("video" if film else "image", model, outputs)


def sides(spec: Spec) -> dict[str, int]:
    return {"width": spec.width, "height": spec.height}


def _picture(model: str, fields: Mapping[str, Any]) -> PictureSpec:
    format_ = text_field(fields, "output_format", "png").replace("jpg", "jpeg")
    if format_ not in list(Format):
        message = f"output_format {format_[:20]!r} is not one of {', '.join(Format)}."
        raise ProviderError(400, message, code="invalid_value", param="output_format")
    prompt = text_field(fields, "prompt", "upscaled" if "upscale_factor" in fields else None)
    pixels = _upscaled(fields) if "upscale_factor" in fields else _pixels(fields)
    return picture_spec(prompt, model, pixels.width, pixels.height, Format(format_))


def _pixels(fields: Mapping[str, Any]) -> Pixels:
    size = fields.get("image_size", fields.get("size"))
    given = size if isinstance(size, dict) else fields
    bounds = {"default": 0, "lowest": 0, "highest": 100_000}
    width, height = (whole_field(given, name, **bounds) for name in ("width", "height"))
    if width and height:
        return within_bounds(Pixels(width, height), "image_size")
    words = [size if isinstance(size, str) else "auto"]
    words += [text_field(fields, name, "auto") for name in ("resolution", "aspect_ratio")]
    return pixels_asked(*("auto" if word in _LEFT_TO_MODEL else word for word in words))


def _upscaled(fields: Mapping[str, Any]) -> Pixels:
    factor = fields["upscale_factor"]
    if isinstance(factor, bool) or not isinstance(factor, int | float) or not 1 <= factor <= 16:
        raise ProviderError(400, "upscale_factor must be 1 to 16.", code="invalid_scale", param="upscale_factor")
    return upscaled(_given(fields.get("image_url")), factor)


def _given(image: Any) -> Pixels:
    """The pixels of a PNG in a data URI; of any other picture 1024 by 1024 are assumed."""
    head, _, encoded = image.partition(",") if isinstance(image, str) else ("", "", "")
    if head != "data:image/png;base64":
        return Pixels(1024, 1024)
    try:
        with Image.open(io.BytesIO(base64.b64decode(encoded))) as picture:
            return Pixels(*picture.size)
    except (OSError, ValueError, SyntaxError) as error:
        raise ProviderError(400, "image_url is no PNG.", code="invalid_image", param="image_url") from error


def _film(model: str, fields: Mapping[str, Any]) -> MovieSpec:
    prompt = text_field(fields, "prompt", "a film")
    tier = read_size(text_field(fields, "resolution", LINES_DEFAULT))
    ratio = read_size(text_field(fields, "aspect_ratio", FILM_RATIO_DEFAULT))
    pixels = film_pixels(tier.name if isinstance(tier, Tier) else LINES_DEFAULT,
                         ratio.label if isinstance(ratio, Ratio) else FILM_RATIO_DEFAULT)  # fmt: skip
    return movie_spec(prompt, model, pixels.width, pixels.height, _length_s(fields.get("duration")))


def film_pixels(tier: str, ratio: str) -> Pixels:
    """A frame whose shorter side has as many lines as the tier says."""
    lines, proportion = int(tier_rank(tier)), ratio_value(ratio)
    long_side = round(lines * max(proportion, 1 / proportion) / STEP_PX) * STEP_PX
    pixels = Pixels(long_side, lines) if proportion >= 1 else Pixels(lines, long_side)
    return within_bounds(pixels, "resolution")


def _length_s(value: Any) -> float:
    if value in (None, "auto", -1):
        return LENGTH_DEFAULT_S
    match = _LENGTH.fullmatch(str(value))
    if isinstance(value, bool) or match is None or not 0 < float(match[1]) <= 60:
        raise ProviderError(400, "duration must be up to 60 seconds.", code="invalid_duration", param="duration")
    return float(match[1])
