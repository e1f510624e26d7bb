"""From what a request says about size to pixels, by one plain rule for every model.

Vendors have tables: a "1K" 3:4 is 896x1280 at one and 864x1152 at another, and neither is what this rule gives. The
sandbox does not imitate them; a test that needs a vendor's exact pixels asks for them as WxH.
"""

import math

from gatekeeper.core.sizes import Auto, Pixels, Ratio, Tier, Unreadable, ratio_value, read_size, tier_rank
from gatekeeper.sandbox.call import ProviderError
from gatekeeper.sandbox.picture import AREA_PX_MAX, SIDE_PX_MAX

SIDE_PX_MIN = 16
"""Smaller than any model makes, so that tests may ask for tiny pictures."""

STEP_PX = 8
"""Sides worked out from a tier and a ratio are multiples of this, as most models' are."""

TIER_DEFAULT = Tier("1K")
RATIO_DEFAULT = Ratio("1:1")


def pixels_asked(size: str | None, resolution: str | None, aspect_ratio: str | None) -> Pixels:
    """The pixels for a size in any of its spellings, or for a tier and a ratio; 1K and 1:1 where nothing is said.

    Raises:
        ProviderError: 400, a spelling that cannot be read or more pixels than the sandbox draws.
    """
    tier, ratio = TIER_DEFAULT, RATIO_DEFAULT
    for field, text in (("aspect_ratio", aspect_ratio), ("resolution", resolution), ("size", size)):
        match read_size(text) if text is not None else Auto():
            case Pixels() as pixels:
                return within_bounds(pixels, field)
            case Tier() as tier:
                pass
            case Ratio() as ratio:
                pass
            case Unreadable(unread):
                raise ProviderError(400, f"{field} {unread!r} is no size.", code="invalid_size", param=field)
            case Auto():
                pass
    return within_bounds(tier_pixels(tier, ratio), "resolution")


def tier_pixels(tier: Tier, ratio: Ratio) -> Pixels:
    """A rectangle of that ratio with the area of a square of the tier's side, sides rounded to `STEP_PX`."""
    side, proportion = float(tier_rank(tier.name)), math.sqrt(ratio_value(ratio.label))
    width, height = (max(1, round(length / STEP_PX)) * STEP_PX for length in (side * proportion, side / proportion))
    return Pixels(width, height)


def upscaled(given: Pixels, scale: float) -> Pixels:
    """`given` times `scale`, or the largest the sandbox draws of that shape.

    Real upscalers reach far beyond; the answer states the pixels that were made, so the reduction is not hidden.
    """
    room = min(SIDE_PX_MAX / given.width, SIDE_PX_MAX / given.height, math.sqrt(AREA_PX_MAX / given.area))
    factor = min(scale, room)
    return Pixels(max(1, int(given.width * factor)), max(1, int(given.height * factor)))


def within_bounds(pixels: Pixels, field: str) -> Pixels:
    """`pixels` if the sandbox draws that many. Raises `ProviderError` 400."""
    sides = (pixels.width, pixels.height)
    if min(sides) < SIDE_PX_MIN or max(sides) > SIDE_PX_MAX or pixels.area > AREA_PX_MAX:
        message = (
            f"{field} {pixels} is outside what the sandbox draws: sides of {SIDE_PX_MIN} to {SIDE_PX_MAX} pixels "
            f"and at most {AREA_PX_MAX} pixels in all."
        )
        raise ProviderError(400, message, code="invalid_size", param=field)
    return pixels


def film_pixels(tier: str, aspect_ratio: str) -> Pixels:
    """A film of a tier such as `720p`: its shorter side has so many lines. Raises `ProviderError` 400 for no tier."""
    meaning, shape = read_size(tier), read_size(aspect_ratio)
    if not isinstance(meaning, Tier) or not isinstance(shape, Ratio):
        message = f"{tier[:20]!r} and {aspect_ratio[:20]!r} are no tier and shape of a film."
        raise ProviderError(400, message, code="invalid_size", param="resolution")
    lines = int(tier_rank(meaning.name)) if meaning.name.endswith("P") else int(tier_rank(meaning.name)) * 9 // 16
    proportion = ratio_value(shape.label)
    longer = round(lines * float(max(proportion, 1 / proportion)) / 2) * 2
    pixels = Pixels(longer, lines) if proportion >= 1 else Pixels(lines, longer)
    return within_bounds(pixels, "resolution")
