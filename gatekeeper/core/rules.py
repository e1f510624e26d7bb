"""The shapes that published prices have: how an amount follows from what is asked for.

Values only. Which file key makes which rule is the catalog's business, the arithmetic is `rating`'s. Every amount is
in micro-credits. A key (tier, sound) has "" for the tier where a model has none, and every sound a model makes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction

from gatekeeper.core.credits import Rounding

TierSound = tuple[str, bool]
"""A resolution tier, "" without tiers, and whether there is sound."""


@dataclass(frozen=True, slots=True)
class FlatPrice:
    """One amount for every output."""

    credits: int


@dataclass(frozen=True, slots=True)
class TierPrice:
    """An amount for each resolution tier."""

    credits: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class TierMultiplierPrice:
    """A base amount times the tier's factor, then rounded."""

    base: int
    factors: Mapping[str, Fraction]
    rounding: Rounding


@dataclass(frozen=True, slots=True)
class ScalePrice:
    """An amount for each upscale factor."""

    credits: Mapping[Fraction, int]


@dataclass(frozen=True, slots=True)
class MegapixelScalePrice:
    """Base x megapixels of the input (10^6 pixels) x the scale's factor, then rounded."""

    base: int
    factors: Mapping[Fraction, Fraction]
    rounding: Rounding


@dataclass(frozen=True, slots=True)
class QualityPrice:
    """An amount for each tier and quality; the tier is "" without tiers."""

    credits: Mapping[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class AreaPrice:
    """The first megapixel of an output, and each further one that it begins. A megapixel is 1024 x 1024 pixels."""

    first: int
    further: int


@dataclass(frozen=True, slots=True)
class SecondsPrice:
    """An amount for each second, then rounded."""

    credits: Mapping[TierSound, int]
    rounding: Rounding


@dataclass(frozen=True, slots=True)
class DurationPrice:
    """An amount for each duration that is sold. What is not in the table is not sold."""

    credits: Mapping[tuple[str, Fraction, bool], int]


@dataclass(frozen=True, slots=True)
class BaseSecondsPrice:
    """An amount that covers the first seconds, and one for each second after them, then rounded."""

    base: Mapping[TierSound, int]
    credits: Mapping[TierSound, int]
    included_s: Fraction
    rounding: Rounding


@dataclass(frozen=True, slots=True)
class TokenPrice:
    """An amount for a thousand tokens; tokens are seconds x width x height x frames per second / 1024.

    A video that goes in counts its seconds too, which nobody knows before: `input_s_max` of them are assumed, and
    `with_video` has the rates that then apply. What the provider says it billed replaces the estimate.
    """

    credits: Mapping[TierSound, int]
    fps: int
    rounding: Rounding
    with_video: Mapping[TierSound, int] = field(default_factory=dict)
    input_s_max: Fraction = Fraction(0)


TimedPrice = SecondsPrice | DurationPrice | BaseSecondsPrice | TokenPrice
"""The rules that cannot be applied without a duration."""

PriceRule = (
    FlatPrice
    | TierPrice
    | TierMultiplierPrice
    | ScalePrice
    | MegapixelScalePrice
    | QualityPrice
    | AreaPrice
    | SecondsPrice
    | DurationPrice
    | BaseSecondsPrice
    | TokenPrice
)


class AddOnTrigger(StrEnum):
    """The setting that brings an add-on with it."""

    ENHANCE_PROMPT = "enhance_prompt"
    AUDIO = "audio"
    INPUT_IMAGE = "input_image"
    EACH_INPUT_IMAGE = "each_input_image"
    INPUT_VIDEO = "input_video"


class Per(StrEnum):
    """How often an add-on is charged."""

    OUTPUT = "output"
    REQUEST = "request"


@dataclass(frozen=True, slots=True)
class AddOn:
    """An amount on top when the request has the setting. `free` input images cost nothing where each one counts."""

    when: AddOnTrigger
    credits: int
    per: Per = Per.OUTPUT
    free: int = 0


@dataclass(frozen=True, slots=True)
class Price:
    """A rule, what comes on top, and the least that one output costs."""

    rule: PriceRule
    add_ons: tuple[AddOn, ...] = ()
    minimum: int = 0

    @property
    def knows_input_video(self) -> bool:
        """Whether it says what a film that goes in costs."""
        with_video = isinstance(self.rule, TokenPrice) and bool(self.rule.with_video)
        return with_video or any(add_on.when is AddOnTrigger.INPUT_VIDEO for add_on in self.add_ons)

    @property
    def sounds_differ(self) -> bool:
        """Whether sound changes the price."""
        if any(add_on.when is AddOnTrigger.AUDIO for add_on in self.add_ons):
            return True
        match self.rule:
            case DurationPrice(credits):
                return any(credits.get((*key[:2], not key[2])) != amount for key, amount in credits.items())
            case SecondsPrice(credits):
                return _differ(credits)
            case BaseSecondsPrice(base, credits):
                return _differ(base) or _differ(credits)
            case TokenPrice():
                return _differ(self.rule.credits) or _differ(self.rule.with_video)
            case _:
                return False


def _differ(amounts: Mapping[TierSound, int]) -> bool:
    return any(amounts.get((tier, not sound)) != amount for (tier, sound), amount in amounts.items())
