"""Model shapes, requests and outcomes to search with, and how long a search lasts.

The shapes are those that the catalog's loader lets through: a price for every tier and scale that is sold, spellings
as `sizes` reads them, no size in the pixel table twice. Requests are anything at all, leaning towards the model's set.
Choices are picked by a drawn number, for a strategy built anew in every example costs ten times the example.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import product
from typing import TypeVar

from hypothesis import settings
from hypothesis import strategies as st

from gatekeeper.core.credits import Rounding
from gatekeeper.core.outcome import Made
from gatekeeper.core.request import GenerationRequest, Operation
from gatekeeper.core.rules import (
    AddOn,
    AddOnTrigger,
    AreaPrice,
    BaseSecondsPrice,
    DurationPrice,
    FlatPrice,
    MegapixelScalePrice,
    Per,
    Price,
    PriceRule,
    QualityPrice,
    ScalePrice,
    SecondsPrice,
    TierMultiplierPrice,
    TierPrice,
    TimedPrice,
    TokenPrice,
)
from gatekeeper.core.sizes import Pixels
from gatekeeper.core.spec import Audio, Capability, Combination, ModelSpec, SizeRange
from tests.factories import a_model

PROPERTY = settings(max_examples=75, deadline=None, derandomize=True)
"""The same examples on every machine and every run; a failure is a failure for everyone."""

TIER_NAMES = ("512", "1K", "2K", "4K", "768P", "1080P")
RATIO_LABELS = ("1:1", "4:3", "3:4", "16:9", "9:16", "21:9", "9:19.5", "3:1")
SCALES = (Fraction(3, 2), Fraction(2), Fraction(4), Fraction(16))
FACTORS = (Fraction(0), Fraction(1, 3), Fraction(1), Fraction(5, 4), Fraction(3, 2), Fraction(7, 3), Fraction(8))
QUALITIES = ("low", "medium", "high")
SIZES = (Pixels(1024, 1024), Pixels(1536, 768))
DURATIONS = (Fraction(1), Fraction(5, 2), Fraction(5), Fraction(8), Fraction(10))
ODD_WORDS: tuple[str, ...] = (
    "auto",
    "AUTO",
    "",
    "0x0",
    "1024x0",
    "landscape_0_9",
    "landscape_99_98",
    "100.0:100.0",
    "1e9",
    "16:9:4",
)
ODD_WORDS += (
    "1664*928",
    "3*4",
    "999999x1",
    "1x999999",
    "8K",
    "0K",
    "2k",
    "7:1",
    "square_hd",
    "x" * 500,
    "\ud800",
    "²:³",
)
HUGE = 10**4000
ODD_OUTPUTS = (0, -1, 10**9, HUGE)
ODD_DURATIONS = (Fraction(0), Fraction(-1), Fraction(10**18), Fraction(1, 10**18), Fraction(HUGE))
ODD_SCALES = (Fraction(0), Fraction(-1), Fraction(3), Fraction(HUGE))
ODD_PIXELS = (Pixels(0, 5), Pixels(-2, -2), Pixels(10**6, 10**6), Pixels(HUGE, 1))

amounts = st.integers(0, 2 * 10**11)
_numbers = st.integers(0, 2**12 - 1)
_sides = st.integers(1, 9000)
_texts = st.text(max_size=12)

T = TypeVar("T")


def pick(draw: st.DrawFn, choices: Sequence[T]) -> T:
    """One of these; a failing example shrinks towards the first."""
    return choices[draw(_numbers) % len(choices)]


def pick_some(draw: st.DrawFn, choices: Sequence[T], least: int = 0) -> tuple[T, ...]:
    """A few of these, none twice, at least the first `least`."""
    chosen = draw(_numbers)
    return tuple(choice for at, choice in enumerate(choices) if at < least or chosen >> at & 1)


def maybe(draw: st.DrawFn, value: T) -> T | None:
    """This, or nothing."""
    return pick(draw, (None, value))


def by_sound(draw: st.DrawFn, tiers: tuple[str, ...]) -> Mapping[tuple[str, bool], int]:
    """An amount for every tier with sound and without."""
    return {(tier, sound): draw(amounts) for tier in (tiers or ("",)) for sound in (False, True)}


def a_timed_rule(draw: st.DrawFn, tiers: tuple[str, ...], durations: tuple[Fraction, ...]) -> TimedPrice:
    """A rule that prices every length."""
    rounding = pick(draw, list(Rounding))
    match pick(draw, ("seconds", "duration", "base", "tokens")):
        case "seconds":
            return SecondsPrice(by_sound(draw, tiers), rounding)
        case "duration":
            cells = product(tiers or ("",), durations, (False, True))
            return DurationPrice({cell: draw(amounts) for cell in cells})
        case "base":
            return BaseSecondsPrice(by_sound(draw, tiers), by_sound(draw, tiers), pick(draw, DURATIONS), rounding)
        case _:
            rates = by_sound(draw, tiers)
            with_video = pick(draw, ({}, by_sound(draw, tiers)))
            return TokenPrice(rates, 24, rounding, with_video, pick(draw, DURATIONS))


def a_picture_rule(draw: st.DrawFn, tiers: tuple[str, ...], qualities: tuple[str, ...]) -> PriceRule:
    """A rule that prices every tier and quality."""
    kinds = ("flat", "area", *(("tier", "multiplier") if tiers else ()), *(("quality",) if qualities else ()))
    match pick(draw, kinds):
        case "tier":
            return TierPrice({tier: draw(amounts) for tier in tiers})
        case "multiplier":
            factors = {tier: pick(draw, FACTORS) for tier in tiers}
            return TierMultiplierPrice(draw(amounts), factors, pick(draw, list(Rounding)))
        case "area":
            return AreaPrice(draw(amounts), draw(amounts))
        case "quality":
            return QualityPrice({cell: draw(amounts) for cell in product((*tiers, ""), qualities)})
        case _:
            return FlatPrice(draw(amounts))


def a_rule(
    draw: st.DrawFn,
    tiers: tuple[str, ...],
    scales: tuple[Fraction, ...],
    durations: tuple[Fraction, ...],
    qualities: tuple[str, ...],
) -> PriceRule:
    """A rule that prices whatever the shape sells."""
    timed, scaled = ("timed",) * 2 if durations else (), ("scale", "megapixel") if scales else ()
    match pick(draw, ("picture", "picture", *timed, *scaled)):
        case "timed":
            return a_timed_rule(draw, tiers, durations)
        case "scale":
            return ScalePrice({scale: draw(amounts) for scale in scales})
        case "megapixel":
            factors = {scale: pick(draw, FACTORS) for scale in scales}
            return MegapixelScalePrice(draw(amounts), factors, pick(draw, list(Rounding)))
        case _:
            return a_picture_rule(draw, tiers, qualities)


@st.composite
def size_ranges(draw: st.DrawFn) -> SizeRange:
    """Bounds around the sizes that models make."""
    ratio_max = pick(draw, (None, Fraction(3), Fraction(16)))
    return SizeRange(
        side_min=pick(draw, (64, 256, 500)),
        side_max=pick(draw, (1440, 2048, 14142)),
        multiple_of=pick(draw, (1, 8, 16, 32)),
        area_min=pick(draw, (1, 512 * 512)),
        area_max=pick(draw, (None, 2**18, 2_000_000, 2**24)),
        ratio_min=None if ratio_max is None else 1 / ratio_max,
        ratio_max=ratio_max,
    )


def a_pixel_table(draw: st.DrawFn, tiers: tuple[str, ...]) -> Mapping[tuple[str, str], Pixels]:
    """A partial table, which may know tiers and ratios that are not sold. Its widths are all different."""
    known = [(tier, ratio) for tier in ((*tiers, "512") if tiers else ("",)) for ratio in RATIO_LABELS]
    pairs = dict.fromkeys(pick(draw, known) for _ in range(draw(_numbers) % 6))
    first, height = draw(_sides) + 63, draw(_sides) + 63
    return {pair: Pixels(first + 97 * step, height) for step, pair in enumerate(pairs)}


@st.composite
def capabilities(draw: st.DrawFn, tiers_min: int = 0) -> Capability:
    """Any shape that a file can state."""
    tiers, ratios = pick_some(draw, TIER_NAMES, tiers_min), pick_some(draw, RATIO_LABELS)
    scales, pixels = pick_some(draw, SCALES[: draw(_numbers) % 5]), a_pixel_table(draw, tiers)
    free = maybe(draw, draw(_ranges))
    durations, qualities = pick_some(draw, DURATIONS[: draw(_numbers) % 6]), pick_some(draw, QUALITIES)
    unsold = [
        Combination(
            pick(draw, (*tiers, None)),
            pick(draw, (*ratios, None)),
            pick(draw, (*durations, None)),
            pick(draw, (None, None, True, False)),
        )
        for _ in range(draw(_numbers) % 4)
    ]
    add_ons = [AddOn(when, draw(amounts), Per.OUTPUT, draw(_numbers) % 3) for when in AddOnTrigger]
    return Capability(
        operations=(pick(draw, list(Operation)),),
        price=Price(
            a_rule(draw, tiers, scales, durations, qualities),
            pick_some(draw, add_ons),
            pick(draw, (0, draw(amounts))),
        ),
        resolutions=tiers,
        resolution_default=pick(draw, (None, *tiers)),
        aspect_ratios=ratios,
        pixels=pixels,
        by_pixels={size: pair for pair, size in pixels.items()},
        size_range=free,
        outputs_max=draw(_numbers) % 15 + 1,
        scales=scales,
        qualities=qualities,
        durations=durations,
        duration_default=pick(draw, (None, *durations)),
        audio=pick(draw, list(Audio)),
        audio_default=pick(draw, (None, True, False)),
        size_default=pick(draw, (None, *(size for size in SIZES if free is not None and free.contains(size)))),
        not_sold=tuple(unsold),
    )


_ranges = size_ranges()
models: st.SearchStrategy[ModelSpec] = capabilities().map(a_model)
tiered_models: st.SearchStrategy[ModelSpec] = capabilities(tiers_min=1).map(a_model)


def word(draw: st.DrawFn, likely: Sequence[str]) -> str | None:
    """What a caller may write: mostly what the model knows or nothing, sometimes anything."""
    kind = draw(_numbers) % 8
    if kind < 3 or not likely:
        return None
    return pick(draw, likely) if kind < 6 else pick(draw, ODD_WORDS) if kind == 6 else draw(_texts)


def oddly(draw: st.DrawFn, likely: T, odd: Sequence[T]) -> T:
    """Mostly this, sometimes one of those."""
    return pick(draw, (likely, likely, likely, likely, pick(draw, odd)))


@st.composite
def requests(draw: st.DrawFn, model: ModelSpec) -> GenerationRequest:
    """Any request at all, leaning towards what the model can do."""
    able = model.capabilities[0]
    sizes = (*map(str, able.by_pixels), "1024x1024", "1536x1000", *able.resolutions, *able.aspect_ratios)
    return GenerationRequest(
        model=model.id,
        operation=oddly(draw, able.operations[0], (None, Operation.VIDEO_EXTEND)),
        size=word(draw, sizes),
        resolution=word(draw, able.resolutions),
        aspect_ratio=word(draw, able.aspect_ratios),
        outputs=oddly(draw, 1, (None, able.outputs_max, *ODD_OUTPUTS)),
        duration_s=oddly(draw, pick(draw, (None, *able.durations)), (Fraction(8), *ODD_DURATIONS)),
        duration_auto=pick(draw, (False, False, True)),
        reference_images=oddly(draw, None, (1, 9, -3, HUGE)),
        input_video=pick(draw, (False, True)),
        audio=oddly(draw, None, (True, False)),
        scale=oddly(draw, pick(draw, able.scales or (None,)), (None, *ODD_SCALES)),
        input_pixels=oddly(draw, Pixels(1920, 1080), (None, *ODD_PIXELS)),
        quality=word(draw, able.qualities),
        enhance_prompt=pick(draw, (None, True, False)),
        prompt_length=oddly(draw, 5, (0, None, -1)),
    )


@st.composite
def valid_looking_requests(draw: st.DrawFn, model: ModelSpec) -> GenerationRequest:
    """A request made of the model's own settings; it may still be refused for how they go together."""
    able = model.capabilities[0]
    return GenerationRequest(
        operation=able.operations[0],
        size=pick(draw, (None, None, None, *map(str, able.sizes_sold()), "auto")),
        resolution=pick(draw, (None, "auto", *able.resolutions)),
        aspect_ratio=pick(draw, (None, "auto", *able.aspect_ratios)),
        outputs=pick(draw, (None, 1, able.outputs_max)),
        scale=pick(draw, able.scales or (None,)),
        input_pixels=Pixels(draw(_sides), draw(_sides)),
        enhance_prompt=pick(draw, (None, True, False)),
        quality=pick(draw, (None, *able.qualities)),
        duration_s=pick(draw, (None, *able.durations)),
        duration_auto=pick(draw, (False, False, True)),
        audio=pick(draw, (None, *able.sounds)),
        reference_images=draw(_numbers) % 5,
        input_video=pick(draw, (False, True)),
        prompt_length=5,
    )


def any_requests(model: ModelSpec) -> st.SearchStrategy[GenerationRequest]:
    """Likely ones and unlikely ones in equal parts."""
    return requests(model) | valid_looking_requests(model)


@st.composite
def mades(draw: st.DrawFn, model: ModelSpec) -> Made:
    """What a provider may say that it made, true to the request or not."""
    able = model.capabilities[0]
    known = (None, Pixels(7, 7), *able.by_pixels)
    shown = tuple(oddly(draw, pick(draw, known), (Pixels(draw(_sides), 99),)) for _ in range(draw(_numbers) % 8))
    return Made(
        draw(_numbers) % 20 - 1,
        shown,
        quality=pick(draw, (None, "low", "best")),
        duration_s=pick(draw, (None, *able.durations, Fraction(504, 100), Fraction(99), *ODD_DURATIONS[:2])),
        resolution=pick(draw, (None, "720P", *able.resolutions)),
        audio=pick(draw, (None, True, False)),
        tokens=pick(draw, (None, 0, -5, draw(_sides))),
    )
