"""The price rules a catalog file can state, and whether a rule covers exactly what the capability sells.

A rule must price every tier or scale that is sold and none that is not: a gap would be found by a customer, a surplus
by nobody. Prices by time are in `timed`. Arithmetic is `core.price`'s; here a rule is only read and checked.
"""

from collections.abc import Collection, Iterator, Mapping
from fractions import Fraction
from typing import Annotated, Literal, get_args

from pydantic import Field

from gatekeeper.catalog.entry import PriceEntryBase
from gatekeeper.catalog.fields import (
    Amount,
    AmountByScale,
    AmountByTier,
    FactorByScale,
    FactorByTier,
)
from gatekeeper.catalog.tables import EVERY_TIER, QualityAmounts
from gatekeeper.catalog.timed import (
    BasePlusSeconds,
    PerDuration,
    PerSecond,
    PerThousandTokens,
    Sold,
    timed_mistakes,
    timed_rule,
)
from gatekeeper.core.credits import Rounding
from gatekeeper.core.request import Operation
from gatekeeper.core.rules import (
    AddOn,
    AddOnTrigger,
    AreaPrice,
    FlatPrice,
    MegapixelScalePrice,
    Price,
    PriceRule,
    QualityPrice,
    ScalePrice,
    TierMultiplierPrice,
    TierPrice,
)
from gatekeeper.core.sizes import AUTO
from gatekeeper.core.spec import scale_text
from gatekeeper.yamlfile import Mistake


class PerOutput(PriceEntryBase):
    kind: Literal["per_output"]
    credits: Amount


class PerTier(PriceEntryBase):
    kind: Literal["per_tier"]
    credits: AmountByTier


class TierMultiplier(PriceEntryBase):
    kind: Literal["tier_multiplier"]
    base: Amount
    factors: FactorByTier
    rounding: Annotated[Rounding, Field(strict=False)]


class PerScale(PriceEntryBase):
    kind: Literal["per_scale"]
    credits: AmountByScale


class InputMegapixelsTimesScale(PriceEntryBase):
    kind: Literal["input_megapixels_times_scale"]
    base: Amount
    factors: FactorByScale
    rounding: Annotated[Rounding, Field(strict=False)]


class PerQuality(PriceEntryBase):
    kind: Literal["per_quality"]
    credits: QualityAmounts


class PerMegapixel(PriceEntryBase):
    kind: Literal["per_megapixel"]
    first: Amount
    further: Amount


PriceEntry = Annotated[
    PerOutput
    | PerTier
    | TierMultiplier
    | PerScale
    | InputMegapixelsTimesScale
    | PerQuality
    | PerMegapixel
    | PerSecond
    | PerDuration
    | BasePlusSeconds
    | PerThousandTokens,
    Field(discriminator="kind"),
]

PRICE_KINDS: tuple[type[PriceEntryBase], ...] = get_args(get_args(PriceEntry)[0])
"""Every kind, in the order in which the guide explains them."""

_Table = PerTier | TierMultiplier | PerScale | InputMegapixelsTimesScale
"""The kinds that have an amount or a factor for each tier or scale."""

_TIMED = (PerSecond, PerDuration, BasePlusSeconds, PerThousandTokens)


def rule_of(entry: PriceEntry, tiers: Collection[str]) -> PriceRule:
    """The rule as the core knows it. One amount for all tiers is spelled out for each of `tiers`."""
    match entry:
        case PerOutput():
            found: PriceRule = FlatPrice(entry.credits)
        case PerTier():
            found = TierPrice(entry.credits)
        case TierMultiplier():
            found = TierMultiplierPrice(entry.base, entry.factors, entry.rounding)
        case PerScale():
            found = ScalePrice(entry.credits)
        case InputMegapixelsTimesScale():
            found = MegapixelScalePrice(entry.base, entry.factors, entry.rounding)
        case PerQuality():
            found = QualityPrice(dict(_qualities(entry.credits, tiers)))
        case PerMegapixel():
            found = AreaPrice(entry.first, entry.further)
        case _:
            found = timed_rule(entry, tiers)
    return found


def _qualities(table: Mapping[str, Mapping[str, int]], tiers: Collection[str]) -> Iterator[tuple[tuple[str, str], int]]:
    for tier, row in table.items():
        for each in (*tiers, EVERY_TIER) if tier == EVERY_TIER else (tier,):
            for quality, amount in row.items():
                yield (each, quality), amount


def price_of(entry: PriceEntry, tiers: Collection[str]) -> Price:
    """The whole price as the core knows it."""
    add_ons = tuple(AddOn(a.when, a.credits, a.per, a.free) for a in entry.add_ons)
    return Price(rule_of(entry, tiers), add_ons, entry.minimum)


def time_mistakes(entry: PriceEntry, sold: Sold) -> list[Mistake]:
    """For the kinds that price by time: what is sold without a price, and priced without being sold."""
    return timed_mistakes(entry, sold) if isinstance(entry, _TIMED) else []


def quality_mistakes(entry: PriceEntry, qualities: Collection[str], tiers: Collection[str]) -> list[Mistake]:
    """Qualities that are sold without a price, and prices for qualities that are not."""
    if not isinstance(entry, PerQuality):
        return []
    if not qualities:
        return [Mistake(("kind",), "a price by quality needs qualities", "Add them, like qualities: [low, high].")]
    found = []
    if EVERY_TIER not in entry.credits:
        found += _gaps("credits", "resolution", {tier: tier for tier in tiers}, tuple(entry.credits), "resolutions")
    wanted = [quality for quality in qualities if quality.lower() != AUTO]
    for tier, row in entry.credits.items():
        path = ("credits", *([tier] if tier else []))
        found += [_unpriced(path, quality) for quality in wanted if quality not in row]
        found += [_unsold(path, quality) for quality in row if quality not in wanted]
    return found


def _unpriced(path: tuple[str, ...], quality: str) -> Mistake:
    return Mistake(path, f"quality `{quality}` has no price", "Add it, or stop selling it.")


def _unsold(path: tuple[str, ...], quality: str) -> Mistake:
    mend = "Add it to qualities, or remove its price."
    return Mistake((*path, quality), f"quality `{quality}` has a price but is not sold", mend)


def area_mistakes(entry: PriceEntry, sized: bool) -> list[Mistake]:
    """Megapixels are those of the output, so something must bound them."""
    if sized or not isinstance(entry, PerMegapixel):
        return []
    mend = "Add size_range with an area, or pixels."
    return [Mistake(("kind",), "a price by megapixel needs sizes", mend)]


def tier_mistakes(entry: PriceEntry, tiers: Collection[str]) -> list[Mistake]:
    """Tiers that are sold without a price, and prices for tiers that are not sold."""
    if not isinstance(entry, PerTier | TierMultiplier):
        return []
    field, priced = _table(entry)
    return _gaps(field, "resolution", {tier: tier for tier in tiers}, priced, "resolutions")


def scale_mistakes(entry: PriceEntry, scales: Collection[Fraction]) -> list[Mistake]:
    """Scales that are sold without a price, and prices for scales that are not sold."""
    if not isinstance(entry, PerScale | InputMegapixelsTimesScale):
        return [_no_scale_price(scales)] if scales else []
    field, priced = _table(entry)
    return _gaps(field, "scale", {scale: scale_text(scale) for scale in scales}, priced, "scales")


def free_size_mistakes(entry: PriceEntry) -> list[Mistake]:
    """A free size belongs to no tier, so a price by tier would leave it without one."""
    by_tier = isinstance(entry, PerTier | TierMultiplier) or (
        isinstance(entry, (*_TIMED, PerQuality)) and EVERY_TIER not in entry.credits
    )
    if not by_tier:
        return []
    what = "a price by resolution cannot price the free sizes of size_range"
    return [Mistake(("kind",), what, "Use kind: per_output, or list the sizes under pixels and drop size_range.")]


def input_mistakes(entry: PriceEntry, operations: Collection[Operation]) -> list[Mistake]:
    """Only an upscale tells the size of its input before it runs."""
    others = [operation for operation in operations if operation is not Operation.IMAGE_UPSCALE]
    if not isinstance(entry, InputMegapixelsTimesScale) or not others:
        return []
    what = f"input megapixels are not known for {', '.join(others)}"
    return [Mistake(("kind",), what, "Use this kind for image.upscale alone.")]


def add_on_mistakes(entry: PriceEntry) -> list[Mistake]:
    """Two add-ons for one setting would be charged both; that is never meant."""
    seen: set[AddOnTrigger] = set()
    found = []
    for index, add_on in enumerate(entry.add_ons):
        if add_on.when in seen:
            found.append(Mistake(("add_ons", index), f"`{add_on.when}` has two add-ons", "Keep one of them."))
        seen.add(add_on.when)
    return found


def _table(entry: _Table) -> tuple[str, Collection[str | Fraction]]:
    """The field that prices by tier or scale, and what it has an entry for."""
    match entry:
        case PerTier() | PerScale():
            return "credits", tuple(entry.credits)
        case TierMultiplier() | InputMegapixelsTimesScale():
            return "factors", tuple(entry.factors)


def _gaps(
    field: str,
    noun: str,
    sold: Mapping[str | Fraction, str],
    priced: Collection[str | Fraction],
    list_name: str,
) -> list[Mistake]:
    unpriced = [text for key, text in sold.items() if key not in priced]
    surplus = [key for key in priced if key not in sold]
    found = [Mistake((field,), f"{noun} `{text}` has no price", "Add it, or stop selling it.") for text in unpriced]
    for key in surplus:
        text = scale_text(key) if isinstance(key, Fraction) else key
        mend = f"Add `{text}` to {list_name}, or remove its price."
        found.append(Mistake((field, text), f"{noun} `{text}` has a price but is not sold", mend))
    return found


def _no_scale_price(scales: Collection[Fraction]) -> Mistake:
    listed = ", ".join(scale_text(scale) for scale in scales)
    return Mistake(("kind",), f"the scales {listed} have no price", "Use per_scale or input_megapixels_times_scale.")
