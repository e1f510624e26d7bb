"""Model shapes, requests and outcomes to search with, and how long a search lasts.

The shapes are those that the catalog's loader lets through: a price for every tier and scale that is sold, spellings
as `sizes` reads them, no size in the pixel table twice. Requests are anything at all, leaning towards the model's set.
"""

from collections.abc import Mapping
from fractions import Fraction

from hypothesis import settings
from hypothesis import strategies as st

from gatekeeper.core.credits import Rounding
from gatekeeper.core.outcome import Made
from gatekeeper.core.request import GenerationRequest, Operation
from gatekeeper.core.sizes import Pixels
from gatekeeper.core.spec import (
    AddOn,
    AddOnTrigger,
    Audio,
    Capability,
    Combination,
    FlatPrice,
    MegapixelScalePrice,
    ModelSpec,
    Price,
    PriceRule,
    ScalePrice,
    SizeRange,
    TierMultiplierPrice,
    TierPrice,
)
from tests.factories import a_model

PROPERTY = settings(max_examples=150, deadline=None, derandomize=True)
"""The same examples on every machine and every run; a failure is a failure for everyone."""

TIER_NAMES = ("512", "1K", "2K", "4K", "768P", "1080P")
RATIO_LABELS = ("1:1", "4:3", "3:4", "16:9", "9:16", "21:9", "9:19.5", "3:1")
SCALES = (Fraction(3, 2), Fraction(2), Fraction(4), Fraction(16))
QUALITIES = ("low", "medium", "high")
ODD_WORDS = ("auto", "AUTO", "", "0x0", "1024x0", "landscape_0_9", "landscape_99_98", "100.0:100.0", "1e9", "16:9:4")
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

amounts = st.integers(0, 2 * 10**11)


def some_of(choices: tuple[str, ...], max_size: int = 4) -> st.SearchStrategy[tuple[str, ...]]:
    """A few of these, in some order, none twice."""
    return st.lists(st.sampled_from(choices), unique=True, max_size=max_size).map(tuple)


def price_rules(tiers: tuple[str, ...], scales: tuple[Fraction, ...]) -> st.SearchStrategy[PriceRule]:
    """A rule that prices whatever the shape sells."""
    factors, rounding = st.fractions(0, 8, max_denominator=100), st.sampled_from(Rounding)
    rules: list[st.SearchStrategy[PriceRule]] = [st.builds(FlatPrice, amounts)]
    if tiers:
        rules.append(st.builds(TierPrice, st.fixed_dictionaries(dict.fromkeys(tiers, amounts))))
        rules.append(
            st.builds(TierMultiplierPrice, amounts, st.fixed_dictionaries(dict.fromkeys(tiers, factors)), rounding)
        )
    if scales:
        by_scale = st.fixed_dictionaries(dict.fromkeys(scales, factors))
        rules.append(st.builds(ScalePrice, st.fixed_dictionaries(dict.fromkeys(scales, amounts))))
        rules.append(st.builds(MegapixelScalePrice, amounts, by_scale, rounding))
    return st.one_of(rules)


@st.composite
def size_ranges(draw: st.DrawFn) -> SizeRange:
    """Bounds around the sizes that models make."""
    area_max = draw(st.none() | st.integers(2**18, 2**24))
    ratio_max = draw(st.none() | st.sampled_from([Fraction(3), Fraction(16)]))
    return SizeRange(
        side_min=draw(st.sampled_from([64, 256, 500])),
        side_max=draw(st.sampled_from([1440, 2048, 14142])),
        multiple_of=draw(st.sampled_from([1, 8, 16, 32])),
        area_min=draw(st.sampled_from([1, 512 * 512])),
        area_max=area_max,
        ratio_min=None if ratio_max is None else 1 / ratio_max,
        ratio_max=ratio_max,
    )


@st.composite
def pixel_tables(draw: st.DrawFn, tiers: tuple[str, ...]) -> Mapping[tuple[str, str], Pixels]:
    """A partial table, which may know tiers and ratios that are not sold."""
    pairs = st.tuples(st.sampled_from((*tiers, "512") if tiers else ("",)), st.sampled_from(RATIO_LABELS))
    sizes = st.builds(Pixels, st.integers(64, 6000), st.integers(64, 6000))
    found = draw(st.dictionaries(sizes, pairs, max_size=8))
    return {pair: size for size, pair in found.items()}


@st.composite
def capabilities(draw: st.DrawFn) -> Capability:
    """Any shape that a file can state."""
    tiers, ratios = draw(some_of(TIER_NAMES)), draw(some_of(RATIO_LABELS, 5))
    scales = tuple(draw(st.lists(st.sampled_from(SCALES), unique=True, max_size=3)))
    pixels = draw(pixel_tables(tiers))
    combination = st.builds(
        Combination, st.sampled_from((None, *tiers)), st.sampled_from(ratios) if ratios else st.none()
    )
    add_ons = st.lists(st.builds(AddOn, st.just(AddOnTrigger.ENHANCE_PROMPT), amounts), max_size=1).map(tuple)
    return Capability(
        operations=(draw(st.sampled_from(Operation)),),
        price=Price(draw(price_rules(tiers, scales)), draw(add_ons), draw(st.just(0) | amounts)),
        resolutions=tiers,
        resolution_default=draw(st.sampled_from((None, *tiers))),
        aspect_ratios=ratios,
        pixels=pixels,
        by_pixels={size: pair for pair, size in pixels.items()},
        size_range=draw(st.none() | size_ranges()),
        outputs_max=draw(st.integers(1, 15)),
        scales=scales,
        qualities=draw(some_of(QUALITIES)),
        audio=draw(st.sampled_from(Audio)),
        not_sold=tuple(draw(st.lists(combination, max_size=3))) if tiers or ratios else (),
    )


models: st.SearchStrategy[ModelSpec] = capabilities().map(a_model)


def words(*likely: str) -> st.SearchStrategy[str | None]:
    """What a caller may write: mostly what the model knows, sometimes nothing, sometimes anything."""
    known = st.sampled_from(likely) if likely else st.none()
    return st.none() | known | known | st.sampled_from(ODD_WORDS) | st.text(max_size=12)


@st.composite
def requests(draw: st.DrawFn, model: ModelSpec) -> GenerationRequest:
    """Any request at all, leaning towards what the model can do."""
    able = model.capabilities[0]
    sides = st.integers(-2, 3000) | st.sampled_from([10**6, 10**4000])
    sizes = (*map(str, able.by_pixels), "1024x1024", "1536x1000", *able.resolutions, *able.aspect_ratios)
    return GenerationRequest(
        model=model.id,
        operation=draw(st.sampled_from([None, *able.operations, *able.operations, Operation.VIDEO_EXTEND])),
        size=draw(st.none() | words(*sizes)),
        resolution=draw(words(*able.resolutions)),
        aspect_ratio=draw(words(*able.aspect_ratios)),
        outputs=draw(st.none() | st.integers(1, able.outputs_max) | st.sampled_from([0, -1, 10**9, 10**4000])),
        duration_s=draw(st.none() | st.none() | st.just(Fraction(8)) | st.just(Fraction(10**400))),
        audio=draw(st.none() | st.none() | st.booleans()),
        scale=draw(st.sampled_from([None, *able.scales, *able.scales, Fraction(0), Fraction(-1), Fraction(10) ** 400])),
        input_pixels=draw(st.none() | st.just(Pixels(1920, 1080)) | st.builds(Pixels, sides, sides)),
        quality=draw(words(*able.qualities)),
        enhance_prompt=draw(st.none() | st.booleans()),
        prompt_length=draw(st.sampled_from([5, 5, 5, 5, 0, None, -1])),
    )


@st.composite
def valid_looking_requests(draw: st.DrawFn, model: ModelSpec) -> GenerationRequest:
    """A request made of the model's own settings; it may still be refused for how they go together."""
    able = model.capabilities[0]
    pictured = [None, None, *map(str, able.sizes_sold()), "auto"]
    return GenerationRequest(
        operation=able.operations[0],
        size=draw(st.sampled_from(pictured)),
        resolution=draw(st.sampled_from([None, "auto", *able.resolutions])),
        aspect_ratio=draw(st.sampled_from([None, "auto", *able.aspect_ratios])),
        outputs=draw(st.none() | st.integers(1, able.outputs_max)),
        scale=draw(st.sampled_from(able.scales)) if able.scales else None,
        input_pixels=draw(st.builds(Pixels, st.integers(1, 8000), st.integers(1, 8000))),
        enhance_prompt=draw(st.none() | st.booleans()),
        prompt_length=5,
    )


def mades(model: ModelSpec, outputs_max: int = 20) -> st.SearchStrategy[Made]:
    """What a provider may say that it made, true to the request or not."""
    sizes = st.builds(Pixels, st.integers(1, 9000), st.integers(1, 9000)) | st.none()
    known = tuple(model.capabilities[0].by_pixels)
    shown = st.lists(sizes | st.sampled_from(known) if known else sizes, max_size=outputs_max).map(tuple)
    return st.builds(Made, st.integers(-1, outputs_max), shown)
