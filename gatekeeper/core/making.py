"""A request in the light of what came of it: which of its open settings are closed by what a provider made.

And before anything is made: every way in which what is left open may come out. Both are questions of price, so what
changes no price is left open. Nothing here knows an amount.
"""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import product
from typing import Any

from gatekeeper.core.outcome import Made
from gatekeeper.core.request import Operation, ValidRequest
from gatekeeper.core.rules import BaseSecondsPrice, DurationPrice, QualityPrice, SecondsPrice, TokenPrice
from gatekeeper.core.sizes import AUTO, Pixels
from gatekeeper.core.spec import Audio, Capability

FRAMES_S = Fraction(1, 2)
"""A file's length tells some frames more or less than was sold: 5.04 seconds are 5."""


def closings(capability: Capability, request: ValidRequest) -> Iterator[ValidRequest]:
    """The requests, with nothing open, that this one may come out as. Itself, if nothing is open."""
    if not _is_open(capability, request):
        yield request
        return
    tiers = request.resolutions_possible or (request.resolution,)
    sounds = capability.sounds if request.audio_open else (request.audio,)
    for tier, sound, quality in product(tiers, sounds, _qualities(capability, request)):
        for duration_s in _durations(capability, request, tier, sound):
            yield replace(
                request,
                resolution=tier,
                resolutions_possible=(),
                duration_s=duration_s,
                durations_possible=(),
                audio=sound,
                audio_open=False,
                quality=quality,
            )


def _is_open(capability: Capability, request: ValidRequest) -> bool:
    if request.resolutions_possible or request.durations_possible or request.audio_open:
        return True
    return request.quality is None and isinstance(capability.price.rule, QualityPrice)


def _qualities(capability: Capability, request: ValidRequest) -> tuple[str | None, ...]:
    if request.quality is None and isinstance(capability.price.rule, QualityPrice):
        return tuple(quality for quality in capability.qualities if quality != AUTO)
    return (request.quality,)


def _durations(
    capability: Capability, request: ValidRequest, tier: str | None, sound: bool
) -> tuple[Fraction | None, ...]:
    """Those that are sold with the rest; where the price only rises with time the shortest and the longest will do."""
    possible: tuple[Fraction | None, ...] = (request.duration_s,)
    if request.durations_possible:
        shortest, longest = request.durations_possible[0], request.durations_possible[-1]
        possible = tuple(each for each in capability.durations if shortest <= each <= longest)
    sold = tuple(d for d in possible if capability.sells(tier, request.aspect_ratio, d, sound))
    return sold if isinstance(capability.price.rule, DurationPrice) else sold[:1] + sold[1:][-1:]


def as_made(capability: Capability, request: ValidRequest, made: Made, pixels: Pixels | None) -> ValidRequest:
    """The request with what one output tells about itself in place of what was asked.

    What cannot be priced, because the price list does not have it, is as it was asked for.
    """
    if request.scale is not None:
        shown = pixels if request.input_pixels is not None else None
        return request if shown is None else _upscaled(request, shown, request.scale)
    facts = _tier_made(capability, made, pixels)
    if pixels is not None:
        facts["size"] = pixels
    if made.quality in capability.qualities and made.quality != AUTO:
        facts["quality"] = made.quality
    if made.audio is not None and capability.audio is Audio.OPTIONAL:
        facts |= {"audio": made.audio, "audio_open": False}
    tells_length = (
        request.operation is not Operation.VIDEO_EXTEND
    )  # there the answer may count the source's seconds too
    if made.duration_s is not None and made.duration_s > 0 and capability.durations and tells_length:
        facts |= {"duration_s": _duration_sold(capability, made.duration_s), "durations_possible": ()}
    if not facts:
        return request
    found = replace(request, **facts)
    sold = any(capability.sells(c.resolution, None, c.duration_s, c.audio) for c in closings(capability, found))
    return found if sold else request


def _tier_made(capability: Capability, made: Made, pixels: Pixels | None) -> dict[str, Any]:
    """By its pixels if the table has them, else by its name."""
    tier = made.resolution if pixels is None else capability.by_pixels.get(pixels, (made.resolution, ""))[0]
    return {"resolution": tier, "resolutions_possible": ()} if tier in capability.resolutions else {}


def _duration_sold(capability: Capability, made_s: Fraction) -> Fraction:
    """The duration on the list that is meant; what is beyond the longest is as long as it is, if that has a price."""
    nearest = min(capability.durations, key=lambda each: (abs(each - made_s), each))
    beyond = made_s > capability.durations[-1] + FRAMES_S
    by_time = isinstance(capability.price.rule, SecondsPrice | BaseSecondsPrice | TokenPrice)
    return made_s if beyond and by_time else nearest


def _upscaled(request: ValidRequest, made: Pixels, scale: Fraction) -> ValidRequest:
    """An output larger than the claimed input can have given proves that the input was larger than claimed.

    A smaller one proves nothing: providers cap their output, and the price is for the input.
    """
    claimed = request.input_pixels
    if claimed is None or made.area <= (claimed.width * scale + scale) * (claimed.height * scale + scale):
        return request
    return replace(request, input_pixels=Pixels(round(made.width / scale), round(made.height / scale)))
