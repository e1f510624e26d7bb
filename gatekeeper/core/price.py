"""What a request costs, with the arithmetic shown, and what an outcome is charged.

Exact integers throughout. A quote is for one output times their number: rounding happens once per output, so n
outputs cost n times one. Where the request leaves the resolution open, the dearest that may come out is quoted, held,
and settled down to the fact. An amount that no ledger entry can hold is a refusal. Prices are the catalog's; this
module owns no figure.
"""

from collections import Counter
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import assert_never

from gatekeeper.core.credits import AMOUNT_MICROCREDITS_MAX, MICRO, credits_text, round_microcredits
from gatekeeper.core.outcome import Made
from gatekeeper.core.rejection import Code, number_text, refuse
from gatekeeper.core.request import ValidRequest
from gatekeeper.core.sizes import Pixels
from gatekeeper.core.spec import (
    AddOnTrigger,
    Capability,
    FlatPrice,
    MegapixelScalePrice,
    ModelSpec,
    Price,
    PriceList,
    ScalePrice,
    TierMultiplierPrice,
    TierPrice,
    scale_text,
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a quote: what, the amount for one, how many, the sum. Micro-credits."""

    item: str
    unit_credits: int
    times: int

    @property
    def credits(self) -> int:
        return self.unit_credits * self.times


@dataclass(frozen=True, slots=True)
class Quote:
    """A price. `upper_bound`: the request left something open, the real charge may be lower."""

    lines: tuple[Line, ...]
    price_list: PriceList
    upper_bound: bool = False

    @property
    def credits(self) -> int:
        return sum(line.credits for line in self.lines)


@dataclass(frozen=True, slots=True)
class Charge:
    """What an outcome is charged. `quote` is what it was worth; `over` is the part beyond the hold, not charged."""

    quote: Quote
    credits: int
    over: int = 0


def quote(model: ModelSpec, request: ValidRequest) -> Quote:
    """The exact price of a valid request, or the most it can come to.

    Raises `Rejected` (price_undetermined) when that is more than one entry of the ledger can hold.
    """
    found = worth(model, request)
    if found.credits > AMOUNT_MICROCREDITS_MAX:
        largest = credits_text(AMOUNT_MICROCREDITS_MAX)
        raise refuse(
            Code.PRICE_UNDETERMINED,
            f"This comes to more than {largest} credits, the most that can be held for one request. "
            "Ask for fewer outputs or send a smaller input.",
        )
    return found


def worth(model: ModelSpec, request: ValidRequest) -> Quote:
    """The same without a bound on the amount, for comparing and for charging: never raises for a valid request."""
    price = _capability(model, request).price
    if not request.resolutions_possible:
        return Quote(_lines(price, request, request.resolution), model.price_list)
    found = [Quote(_lines(price, request, tier), model.price_list) for tier in request.resolutions_possible]
    dearest = max(found, key=lambda each: each.credits)
    return replace(dearest, upper_bound=any(each.credits < dearest.credits for each in found))


def charge(model: ModelSpec, request: ValidRequest, made: Made, held: int) -> Charge:
    """What was made, priced from the same list, and never more than what was held for it. Never raises.

    An output whose pixels the model's table knows is priced at that tier; any other as it was asked for. A provider
    that makes more than was asked does so at its own risk; `over` records by how much.
    """
    capability = _capability(model, request)
    shown = made.pixels[: max(made.outputs, 0)]
    facts = Counter(_as_made(capability, request, pixels) for pixels in shown)
    facts[request] += max(made.outputs, 0) - len(shown)
    found = (worth(model, replace(fact, outputs=count)) for fact, count in facts.items() if count)
    total = Quote(tuple(line for each in found for line in each.lines), model.price_list)
    return Charge(total, min(total.credits, held), max(total.credits - held, 0))


def _capability(model: ModelSpec, request: ValidRequest) -> Capability:
    capability = model.capability(request.operation)
    assert capability is not None, "a valid request names an operation of its model"
    return capability


def _as_made(capability: Capability, request: ValidRequest, pixels: Pixels | None) -> ValidRequest:
    """The request with what one output tells about itself in place of what was asked."""
    if pixels is None:
        return request
    if request.scale is not None and request.input_pixels is not None:
        return replace(request, input_pixels=_input_shown(request.input_pixels, pixels, request.scale))
    tier = capability.by_pixels.get(pixels, ("", ""))[0]
    return replace(request, resolution=tier, resolutions_possible=()) if tier in capability.resolutions else request


def _input_shown(claimed: Pixels, made: Pixels, scale: Fraction) -> Pixels:
    """An output larger than the claimed input can have given proves that the input was larger than claimed.

    A smaller one proves nothing: providers cap their output, and the price is for the input.
    """
    if made.area <= (claimed.width * scale + scale) * (claimed.height * scale + scale):
        return claimed
    return Pixels(round(made.width / scale), round(made.height / scale))


def _lines(price: Price, request: ValidRequest, tier: str | None) -> tuple[Line, ...]:
    item, amount = _unit(price, request, tier)
    lines = [Line(item, amount, request.outputs)]
    lines += [
        Line(f"add-on: {add_on.when.replace('_', ' ')}", add_on.credits, request.outputs)
        for add_on in price.add_ons
        if add_on.when is AddOnTrigger.ENHANCE_PROMPT and request.enhance_prompt
    ]
    one = sum(line.unit_credits for line in lines)
    if one < price.minimum:
        lines.append(Line("up to the minimum", price.minimum - one, request.outputs))
    return tuple(lines)


def _unit(price: Price, request: ValidRequest, tier: str | None) -> tuple[str, int]:
    """The rule applied to one output: what to call it and its amount."""
    noun = request.operation.replace(".", " ").replace("_", " ")
    match price.rule:
        case FlatPrice(credits):
            return noun, credits
        case TierPrice(credits):
            assert tier is not None, "the loader lets no model with a price per tier be without tiers"
            return f"{noun}, {tier}", credits[tier]
        case TierMultiplierPrice(base, factors, rounding):
            assert tier is not None, "the loader lets no model with a price per tier be without tiers"
            factor = factors[tier]
            return f"{noun}, {tier} (x {number_text(factor)})", round_microcredits(base * factor, rounding)
        case ScalePrice(credits):
            assert request.scale is not None, "validation asks for a scale"
            return f"{noun}, {scale_text(request.scale)}", credits[request.scale]
        case MegapixelScalePrice():
            return _megapixel_unit(price.rule, request, noun)
        case _:
            assert_never(price.rule)


def _megapixel_unit(rule: MegapixelScalePrice, request: ValidRequest, noun: str) -> tuple[str, int]:
    assert request.scale is not None, "validation asks for a scale"
    assert request.input_pixels is not None, "validation asks for the input's size"
    megapixels, factor = Fraction(request.input_pixels.area, MICRO), rule.factors[request.scale]
    amount = round_microcredits(rule.base * megapixels * factor, rule.rounding)
    return f"{noun}, {scale_text(request.scale)} ({number_text(megapixels)} MP x {number_text(factor)})", amount
