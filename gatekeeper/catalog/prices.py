"""The price rules a catalog file can state, and whether a rule covers exactly what the capability sells.

A rule must price every tier or scale that is sold and none that is not: a gap would be found by a customer, a surplus
by nobody. Arithmetic is `core.price`'s; here a rule is only read and checked.
"""

from collections.abc import Collection, Mapping
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import Field

from gatekeeper.catalog.fields import (
    Amount,
    AmountByScale,
    AmountByTier,
    FactorByScale,
    FactorByTier,
    Strict,
)
from gatekeeper.core.credits import Rounding
from gatekeeper.core.request import Operation
from gatekeeper.core.rules import (
    AddOn,
    AddOnTrigger,
    FlatPrice,
    MegapixelScalePrice,
    Price,
    PriceRule,
    ScalePrice,
    TierMultiplierPrice,
    TierPrice,
)
from gatekeeper.core.spec import scale_text
from gatekeeper.yamlfile import Mistake


class AddOnEntry(Strict):
    """An amount on top of every output while a setting is on."""

    when: Annotated[AddOnTrigger, Field(strict=False)]
    credits: Amount


class _PriceEntry(Strict):
    """What every kind of price may say."""

    minimum: Amount = 0
    add_ons: list[AddOnEntry] = Field(default_factory=list)


class PerOutput(_PriceEntry):
    kind: Literal["per_output"]
    credits: Amount


class PerTier(_PriceEntry):
    kind: Literal["per_tier"]
    credits: AmountByTier


class TierMultiplier(_PriceEntry):
    kind: Literal["tier_multiplier"]
    base: Amount
    factors: FactorByTier
    rounding: Annotated[Rounding, Field(strict=False)]


class PerScale(_PriceEntry):
    kind: Literal["per_scale"]
    credits: AmountByScale


class InputMegapixelsTimesScale(_PriceEntry):
    kind: Literal["input_megapixels_times_scale"]
    base: Amount
    factors: FactorByScale
    rounding: Annotated[Rounding, Field(strict=False)]


PriceEntry = Annotated[
    PerOutput | PerTier | TierMultiplier | PerScale | InputMegapixelsTimesScale,
    Field(discriminator="kind"),
]


_Table = PerTier | TierMultiplier | PerScale | InputMegapixelsTimesScale
"""The kinds that have an amount or a factor for each tier or scale."""


def rule_of(entry: PriceEntry) -> PriceRule:
    """The rule as the core knows it."""
    match entry:
        case PerOutput():
            return FlatPrice(entry.credits)
        case PerTier():
            return TierPrice(entry.credits)
        case TierMultiplier():
            return TierMultiplierPrice(entry.base, entry.factors, entry.rounding)
        case PerScale():
            return ScalePrice(entry.credits)
        case InputMegapixelsTimesScale():
            return MegapixelScalePrice(entry.base, entry.factors, entry.rounding)


def price_of(entry: PriceEntry) -> Price:
    """The whole price as the core knows it."""
    return Price(rule_of(entry), tuple(AddOn(a.when, a.credits) for a in entry.add_ons), entry.minimum)


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
    if not isinstance(entry, PerTier | TierMultiplier):
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
