"""How a price comes about, in words: its rule, how it is rounded, the least that an output costs, and what is held.

Sentences only. The figures in them are the catalog's, written exactly; the arithmetic of one request stands in the
lines of its quote.
"""

from collections.abc import Iterator

from gatekeeper.core.credits import Rounding, credits_text
from gatekeeper.core.making import closings
from gatekeeper.core.price import Quote
from gatekeeper.core.rejection import number_text
from gatekeeper.core.request import ValidRequest
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
    TokenPrice,
)
from gatekeeper.core.spec import Capability

_ROUNDINGS = {
    Rounding.EXACT: "Nothing is rounded: an amount is exact to a millionth of a credit.",
    Rounding.HALF_UP_TO_CREDIT: "Each output is rounded once, to the nearest whole credit, halves up.",
    Rounding.UP_TO_CREDIT: "Each output is rounded once, up to a whole credit.",
    Rounding.DOWN_TO_CREDIT: "Each output is rounded once, down to a whole credit.",
}

_TRIGGERS = {
    AddOnTrigger.ENHANCE_PROMPT: "with the prompt enhancer",
    AddOnTrigger.AUDIO: "with sound",
    AddOnTrigger.INPUT_IMAGE: "where pictures go in",
    AddOnTrigger.EACH_INPUT_IMAGE: "for each picture that goes in",
    AddOnTrigger.INPUT_VIDEO: "where a video goes in",
}


def explain_price(capability: Capability, valid: ValidRequest, quoted: Quote) -> tuple[str, ...]:
    """How the price of this generation comes about, a sentence for each part of it."""
    return (
        _rule_text(capability.price.rule),
        *_roundings(capability.price.rule),
        *_minimum(capability.price, quoted),
        *(_add_on_text(add_on) for add_on in capability.price.add_ons),
        *_open_text(capability, valid, quoted),
    )


_PLAIN_RULES = {
    FlatPrice: "One price for every output, whatever its size.",
    TierPrice: "A price for each resolution; the aspect ratio changes nothing.",
    TierMultiplierPrice: "A price for each resolution; the aspect ratio changes nothing.",
    QualityPrice: "A price for each quality, and for each resolution where there are any.",
    ScalePrice: "A price for each scale, whatever the size of the picture.",
    SecondsPrice: "Seconds × the price of a second.",
    DurationPrice: "A price for each length, as the price list has it.",
}
"""Rules that are said without their figures."""


def _rule_text(rule: PriceRule) -> str:
    match rule:
        case MegapixelScalePrice(base):
            return f"{credits_text(base)} × the millions of pixels that go in × the factor of the scale."
        case AreaPrice(first, further):
            begun = f"the first megapixel {credits_text(first)}, each further one begun {credits_text(further)}"
            return f"By the area that comes out, in megapixels of 1024 × 1024: {begun}."
        case BaseSecondsPrice(included_s=included_s):
            return f"A base for the first {number_text(included_s)} s, and a price for each second after that."
        case TokenPrice(fps=fps):
            counted = f"seconds × width × height × {fps} / 1024"
            return f"By the thousand tokens, which are {counted}; what the provider reports is charged."
        case _:
            return _PLAIN_RULES[type(rule)]


def _roundings(rule: PriceRule) -> Iterator[str]:
    rounding = getattr(rule, "rounding", None)
    if isinstance(rounding, Rounding):
        yield _ROUNDINGS[rounding]


def _minimum(price: Price, quoted: Quote) -> Iterator[str]:
    if price.minimum:
        raised = any(line.item == "up to the minimum" for line in quoted.lines)
        reached = "This one would be less, and is raised to it." if raised else "This one is above it."
        yield f"An output costs at least {credits_text(price.minimum)}. {reached}"


def _add_on_text(add_on: AddOn) -> str:
    free = f", the first {add_on.free} free" if add_on.free else ""
    often = "once for the request" if add_on.per is Per.REQUEST else "with every output"
    return f"{credits_text(add_on.credits)} on top {_TRIGGERS[add_on.when]}{free}, {often}."


def _open_text(capability: Capability, valid: ValidRequest, quoted: Quote) -> Iterator[str]:
    """What is held for a setting that is left open."""
    if not quoted.upper_bound:
        return
    left = [
        *(["resolution"] if valid.resolutions_possible else []),
        *(["duration"] if valid.durations_possible else []),
        *(["sound"] if valid.audio_open else []),
        *(["quality"] if any(each.quality != valid.quality for each in closings(capability, valid)) else []),
        *(["seconds of the video that goes in"] if valid.input_video else []),
    ]
    yield f"Not known before: {', '.join(left)}. The dearest is held, and what comes out is charged."
