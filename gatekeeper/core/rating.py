"""A price rule applied to one output of a request in which nothing is open: what to call it, and its amount.

Which of several possible outputs is the dearest is `price`'s question, and so is what comes on top.
"""

from fractions import Fraction
from typing import assert_never

from gatekeeper.core.credits import MICRO, credits_text, round_microcredits
from gatekeeper.core.rejection import number_text
from gatekeeper.core.request import ValidRequest
from gatekeeper.core.rules import (
    AreaPrice,
    BaseSecondsPrice,
    DurationPrice,
    FlatPrice,
    MegapixelScalePrice,
    PriceRule,
    QualityPrice,
    ScalePrice,
    SecondsPrice,
    TierMultiplierPrice,
    TierPrice,
    TimedPrice,
    TokenPrice,
)
from gatekeeper.core.spec import Capability, scale_text

MEGAPIXEL_PX = 1024 * 1024
"""What those who bill by the area of an output call a megapixel."""

TOKEN_PX = 1024
"""Pixels of video in one token."""

TOKENS_PRICED = 1000
"""Tokens are priced by the thousand."""

Rated = tuple[str, int]
"""What one output is called in a quote, and its amount in micro-credits."""


def rate(capability: Capability, request: ValidRequest) -> Rated:
    """The rule of this capability for one output. Never raises for a request that validation let through."""
    rule, tier = capability.price.rule, request.resolution or ""
    words = [request.operation.replace(".", " ").replace("_", " "), *([tier] if tier else [])]
    item = ", ".join(words)
    match rule:
        case FlatPrice(credits):
            found = words[0], credits
        case TierPrice(credits):
            found = item, credits[tier]
        case TierMultiplierPrice(base, factors, rounding):
            amount = round_microcredits(base * factors[tier], rounding)
            found = f"{item} (x {number_text(factors[tier])})", amount
        case QualityPrice(credits):
            assert request.quality is not None, "an open quality is closed before it is priced"
            found = f"{item}, {request.quality}", credits[tier, request.quality]
        case ScalePrice(credits):
            assert request.scale is not None, "validation asks for a scale"
            found = f"{words[0]}, {scale_text(request.scale)}", credits[request.scale]
        case MegapixelScalePrice():
            found = _megapixels(rule, request, words[0])
        case AreaPrice():
            found = _area(rule, area_of(capability, request), words[0])
        case SecondsPrice() | DurationPrice() | BaseSecondsPrice() | TokenPrice():
            found = _timed(rule, capability, request, item)
        case _:
            assert_never(rule)
    return found


def _timed(rule: TimedPrice, capability: Capability, request: ValidRequest, noun: str) -> Rated:
    assert request.duration_s is not None, "the loader lets no model with a price by time be without durations"
    seconds, key = request.duration_s, (request.resolution or "", request.audio)
    item = f"{noun}, {number_text(seconds)} s"
    sound = ", with audio" if request.audio else ""
    match rule:
        case SecondsPrice(credits, rounding):
            each = credits[key]
            return f"{item} x {credits_text(each)}{sound}", round_microcredits(each * seconds, rounding)
        case DurationPrice(credits):
            return f"{item}{sound}", credits[key[0], seconds, key[1]]
        case BaseSecondsPrice(base, credits, included_s, rounding):
            after = max(seconds - included_s, Fraction(0))
            shown = f" ({credits_text(base[key])} + {number_text(after)} x {credits_text(credits[key])})"
            return f"{item}{shown}{sound}", round_microcredits(base[key] + credits[key] * after, rounding)
        case TokenPrice():
            tokens = tokens_of(rule, capability, request)
            of_input = (
                f" and at most {number_text(rule.input_s_max)} s of input" if has_open_input(rule, request) else ""
            )
            return f"{item}{of_input}, {number_text(tokens)} tokens{sound}", price_of_tokens(rule, request, tokens)
        case _:
            assert_never(rule)


def has_open_input(rule: PriceRule, request: ValidRequest) -> bool:
    """Whether the seconds of a video that goes in are in the price, of which only the most is known before."""
    return isinstance(rule, TokenPrice) and request.input_video and rule.input_s_max > 0


def tokens_of(rule: TokenPrice, capability: Capability, request: ValidRequest) -> Fraction:
    """The tokens that one output is expected to take: at most so many where a video goes in."""
    assert request.duration_s is not None, "the loader lets no model with a price by time be without durations"
    seconds = request.duration_s + (rule.input_s_max if has_open_input(rule, request) else 0)
    return seconds * area_of(capability, request) * rule.fps / TOKEN_PX


def price_of_tokens(rule: TokenPrice, request: ValidRequest, tokens: Fraction) -> int:
    """What so many tokens cost at the rate of this request."""
    rates = rule.with_video if request.input_video and rule.with_video else rule.credits
    return round_microcredits(rates[request.resolution or "", request.audio] * tokens / TOKENS_PRICED, rule.rounding)


def area_of(capability: Capability, request: ValidRequest) -> int:
    """The pixels of one output: as asked, else the most that the model makes of what is left open."""
    if request.size is not None:
        return request.size.area
    made = [
        size.area
        for (tier, ratio), size in capability.pixels.items()
        if tier == (request.resolution or "")
        and ratio in ((request.aspect_ratio,) if request.aspect_ratio else capability.aspect_ratios or (ratio,))
    ]
    if made:
        return max(made)
    if capability.size_range is not None and capability.size_range.area_max is not None:
        return capability.size_range.area_max
    return capability.size_default.area if capability.size_default is not None else 0


def _area(rule: AreaPrice, area: int, noun: str) -> Rated:
    megapixels = max(-(-area // MEGAPIXEL_PX), 1)
    return f"{noun}, {megapixels} MP", rule.first + rule.further * (megapixels - 1)


def _megapixels(rule: MegapixelScalePrice, request: ValidRequest, noun: str) -> Rated:
    assert request.scale is not None, "validation asks for a scale"
    assert request.input_pixels is not None, "validation asks for the input's size"
    megapixels, factor = Fraction(request.input_pixels.area, MICRO), rule.factors[request.scale]
    amount = round_microcredits(rule.base * megapixels * factor, rule.rounding)
    return f"{noun}, {scale_text(request.scale)} ({number_text(megapixels)} MP x {number_text(factor)})", amount
