"""Builders with boring defaults: a test names only what it is about.

The model is an image model with the tiers 1K, 2K and 4K at 49, 73.5 and 98 credits, the ratios 1:1, 16:9 and 9:16,
and a pixel table for all of them.
"""

from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

from gatekeeper.core.combining import keep_sold
from gatekeeper.core.credits import MICRO, Rounding, parse_credits
from gatekeeper.core.rejection import Violation
from gatekeeper.core.request import GenerationRequest, Operation, ValidRequest
from gatekeeper.core.rules import FlatPrice, Price, PriceRule, SecondsPrice, TierPrice
from gatekeeper.core.sizes import Pixels
from gatekeeper.core.sizing import SizeChoice, choose_size
from gatekeeper.core.spec import Audio, Capability, ModelSpec, PriceList

TIERS = ("1K", "2K", "4K")
RATIOS = ("1:1", "16:9", "9:16")
_AT_1K = {"1:1": (1024, 1024), "16:9": (1376, 768), "9:16": (768, 1376)}
PIXELS = {
    (tier, ratio): Pixels(width * factor, height * factor)
    for tier, factor in (("1K", 1), ("2K", 2), ("4K", 4))
    for ratio, (width, height) in _AT_1K.items()
}

A_PRICE_LIST = PriceList(id="test@0", effective_at=datetime(2026, 1, 1, tzinfo=UTC), source="made up")


def tier_price(**amounts: str) -> TierPrice:
    """`tier_price(_1K="49")`: the underscore is there because a keyword cannot begin with a digit."""
    return TierPrice({tier.lstrip("_"): parse_credits(amount) for tier, amount in amounts.items()})


def a_price(rule: PriceRule | None = None, **changes: Any) -> Price:
    """A price per tier: 49, 73.5 and 98 credits."""
    return Price(rule or tier_price(_1K="49", _2K="73.5", _4K="98"), **changes)


def a_capability(**changes: Any) -> Capability:
    """Image generation with three tiers, three ratios and up to four outputs. `by_pixels` follows from `pixels`."""
    settings: dict[str, Any] = {
        "operations": (Operation.IMAGE_GENERATE,),
        "price": a_price(),
        "resolutions": TIERS,
        "aspect_ratios": RATIOS,
        "pixels": PIXELS,
        "outputs_max": 4,
    } | changes
    settings.setdefault("by_pixels", {size: pair for pair, size in settings["pixels"].items()})
    return Capability(**settings)


def a_plain_capability(**changes: Any) -> Capability:
    """One without tiers, ratios or pixels, at a flat 20 credits."""
    plain: dict[str, Any] = {"price": a_price(FlatPrice(parse_credits(20)))}
    return a_capability(**(plain | {"resolutions": (), "aspect_ratios": (), "pixels": {}} | changes))


def a_video_capability(**changes: Any) -> Capability:
    """Video with two tiers, one ratio, lengths of 5 and 10 seconds, sound to choose, at 2 and 3 credits a second.

    With sound it is half as much again at 720P, and no dearer at 1080P.
    """
    amounts = {("720P", False): 2, ("720P", True): 3, ("1080P", False): 3, ("1080P", True): 3}
    rule = SecondsPrice({key: amount * MICRO for key, amount in amounts.items()}, Rounding.EXACT)
    settings: dict[str, Any] = {
        "operations": (Operation.VIDEO_GENERATE,),
        "price": a_price(rule),
        "resolutions": ("720P", "1080P"),
        "aspect_ratios": ("16:9",),
        "pixels": {("720P", "16:9"): Pixels(1280, 720), ("1080P", "16:9"): Pixels(1920, 1080)},
        "durations": (Fraction(5), Fraction(10)),
        "audio": Audio.OPTIONAL,
    }
    return a_capability(**(settings | changes))


def a_video_request(**changes: Any) -> GenerationRequest:
    """A request for 5 silent seconds at 720P."""
    boring: dict[str, Any] = {"model": "a-model", "operation": Operation.VIDEO_GENERATE, "prompt_length": 5}
    return GenerationRequest(**(boring | {"resolution": "720P", "duration_s": Fraction(5), "audio": False} | changes))


def a_model(*capabilities: Capability, **changes: Any) -> ModelSpec:
    """A model with these capabilities, or with one boring one."""
    settings: dict[str, Any] = {"id": "a-model", "name": "A Model", "price_list": A_PRICE_LIST} | changes
    return ModelSpec(capabilities=capabilities or (a_capability(),), **settings)


def a_request(**changes: Any) -> GenerationRequest:
    """A request for one image that says nothing about its size."""
    boring: dict[str, Any] = {"model": "a-model", "operation": Operation.IMAGE_GENERATE, "prompt_length": 5}
    return GenerationRequest(**(boring | changes))


def a_valid_request(**changes: Any) -> ValidRequest:
    """A request as validation lets it through: one 1K image."""
    boring: dict[str, Any] = {"model": "a-model", "operation": Operation.IMAGE_GENERATE}
    return ValidRequest(**(boring | {"resolution": "1K", "aspect_ratio": "1:1"} | changes))


def sized(capability: Capability, request: GenerationRequest) -> tuple[SizeChoice, list[Violation]]:
    """What a picture's words about size come to, once only what is sold is left."""
    choice, wrong = choose_size(capability, request)
    return choice, wrong or keep_sold(capability, choice, (), (False,))[2]
