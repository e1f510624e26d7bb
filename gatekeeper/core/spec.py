"""What the catalog says about a model: where it is offered, what it can do, what it costs.

Frozen values, built by the catalog loader from files that it has already checked; nothing here checks them again.
Look-up tables that a request needs are part of the value, so that validating costs a few dictionary reads.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from fractions import Fraction

from gatekeeper.core.rejection import number_text
from gatekeeper.core.request import GenerationRequest, Operation
from gatekeeper.core.rules import MegapixelScalePrice, Price
from gatekeeper.core.sizes import Pixels


class Status(StrEnum):
    """An offer's lifecycle, as the file states it. The calendar never flips it."""

    ACTIVE = "active"
    DEPRECATED = "deprecated"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """`sunset` is the day the provider stops serving; `replacement` the model id to move to."""

    status: Status = Status.ACTIVE
    sunset: date | None = None
    replacement: str | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """One provider that sells a model, under the id it uses upstream.

    `operations` narrows the model's own list where this provider does only some of them; None means all. The defaults
    are what this provider makes when nothing is said; None means that it is what the model's row says.
    """

    provider: str
    upstream_id: str
    lifecycle: Lifecycle = Lifecycle()
    operations: frozenset[Operation] | None = None
    resolution_default: str | None = None
    duration_default: Fraction | None = None
    audio_default: bool | None = None

    @property
    def is_retired(self) -> bool:
        return self.lifecycle.status is Status.RETIRED

    @property
    def has_defaults(self) -> bool:
        """Whether it makes anything else of what is not said than the model's row."""
        stated = self.resolution_default is not None or self.duration_default is not None
        return stated or self.audio_default is not None


@dataclass(frozen=True, slots=True)
class SizeRange:
    """Free sizes: any width and height inside these bounds. Ratios are width over height."""

    side_min: int
    side_max: int
    multiple_of: int = 1
    area_min: int = 1
    area_max: int | None = None
    ratio_min: Fraction | None = None
    ratio_max: Fraction | None = None

    def contains(self, size: Pixels) -> bool:
        """Whether the size is inside every bound."""
        ratio = Fraction(size.width, size.height)
        return (
            all(self.side_min <= side <= self.side_max for side in (size.width, size.height))
            and size.width % self.multiple_of == size.height % self.multiple_of == 0
            and self.area_min <= size.area <= (self.area_max or size.area)
            and (self.ratio_min or ratio) <= ratio <= (self.ratio_max or ratio)
        )

    def describe(self) -> tuple[str, ...]:
        """The bounds in words, for a refusal."""
        words = [f"{self.side_min} to {self.side_max} px a side"]
        if self.multiple_of > 1:
            words.append(f"sides in multiples of {self.multiple_of}")
        if self.area_min > 1 or self.area_max is not None:
            words.append(f"{self.area_min} to {self.area_max or 'any'} px in all")
        if self.ratio_min is not None or self.ratio_max is not None:
            words.append(f"width:height {_shape(self.ratio_min)} to {_shape(self.ratio_max)}")
        return tuple(words)


def _shape(ratio: Fraction | None) -> str:
    """A bound of width by height as sizes are told apart: 1:3, where a decimal has no end."""
    return "any" if ratio is None else f"{ratio.numerator}:{ratio.denominator}"


@dataclass(frozen=True, slots=True)
class Combination:
    """Settings that are not sold together; None matches anything."""

    resolution: str | None = None
    aspect_ratio: str | None = None
    duration_s: Fraction | None = None
    audio: bool | None = None

    def matches(
        self, resolution: str | None, aspect_ratio: str | None, duration_s: Fraction | None, audio: bool | None
    ) -> bool:
        return (
            self.resolution in {None, resolution}
            and self.aspect_ratio in {None, aspect_ratio}
            and (self.duration_s is None or self.duration_s == duration_s)
            and (self.audio is None or self.audio is audio)
        )


class OverRun(StrEnum):
    """Who bears what was made beyond the hold: the house, the team as far as its credits go, or the team in full."""

    ABSORB = "absorb"
    CHARGE = "charge"
    DEBT = "debt"


class Audio(StrEnum):
    """Whether a model makes sound."""

    NONE = "none"
    OPTIONAL = "optional"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class Capability:
    """What a model can do in some operations, and at what price.

    `pixels` maps (tier, ratio) to what the vendor makes of it; where the model has no tiers the tier is "". It may be
    partial: a pair that is not in it is sold, its pixels are just not published. It may also say more than is sold:
    a size whose tier or ratio is not in the lists is not sold. `by_pixels` is the same table read backwards (no size
    stands in it for two tiers). `resolution_default` is what the vendor makes when none is named, None means that is
    not known; so it is with `duration_default`, `audio_default` and `size_default`. Tiers and ratios are spelled as
    `sizes` reads them: `2K` and not `2k`, `16:9` and not `16x9`. `durations` are in seconds, the shortest first.
    """

    operations: tuple[Operation, ...]
    price: Price
    resolutions: tuple[str, ...] = ()
    resolution_default: str | None = None
    aspect_ratios: tuple[str, ...] = ()
    pixels: Mapping[tuple[str, str], Pixels] = field(default_factory=dict)
    by_pixels: Mapping[Pixels, tuple[str, str]] = field(default_factory=dict)
    size_range: SizeRange | None = None
    outputs_max: int = 1
    scales: tuple[Fraction, ...] = ()
    qualities: tuple[str, ...] = ()
    durations: tuple[Fraction, ...] = ()
    duration_default: Fraction | None = None
    audio: Audio = Audio.NONE
    audio_default: bool | None = None
    size_default: Pixels | None = None
    not_sold: tuple[Combination, ...] = ()
    hold_ttl_s: int | None = None
    over: OverRun = OverRun.ABSORB
    job_deadlines_s: Mapping[str, int] = field(default_factory=dict)
    """How long a job may take, by tier; "" stands for every tier."""

    def deadline_s(self, resolution: str | None) -> int | None:
        """How long a job at this tier may take; the longest of all if the tier is open. None: nothing is stated."""
        if resolution is None:
            return max(self.job_deadlines_s.values(), default=None)
        return self.job_deadlines_s.get(resolution, self.job_deadlines_s.get(""))

    def sold_as(self, offer: Offer) -> "Capability":
        """The same with the offer's own defaults, as far as they are among what is sold here."""
        resolution, duration_s, audio = offer.resolution_default, offer.duration_default, offer.audio_default
        return replace(
            self,
            resolution_default=resolution if resolution in self.resolutions else self.resolution_default,
            duration_default=duration_s if duration_s in self.durations else self.duration_default,
            audio_default=self.audio_default if audio is None or self.audio is not Audio.OPTIONAL else audio,
        )

    @property
    def priced_by_input(self) -> bool:
        """Whether the price cannot be made without the size of the picture that goes in."""
        return isinstance(self.price.rule, MegapixelScalePrice)

    @property
    def sounds(self) -> tuple[bool, ...]:
        """With and without sound, as far as the model makes it."""
        return {Audio.NONE: (False,), Audio.OPTIONAL: (False, True), Audio.ALWAYS: (True,)}[self.audio]

    def sells(
        self,
        resolution: str | None,
        aspect_ratio: str | None,
        duration_s: Fraction | None = None,
        audio: bool | None = None,
    ) -> bool:
        """Whether these are sold together. None, or "" for the tier, stands for one left open."""
        return not any(c.matches(resolution or None, aspect_ratio, duration_s, audio) for c in self.not_sold)

    def listed(self, size: Pixels) -> tuple[str, str] | None:
        """The tier ("" without tiers) and ratio that the table has for a size, if the lists have both; else None."""
        known = self.by_pixels.get(size)
        if known is None or known[0] not in (self.resolutions or ("",)):
            return None
        return known if not self.aspect_ratios or known[1] in self.aspect_ratios else None

    def sizes_sold(self) -> tuple[Pixels, ...]:
        """The sizes of the table that a caller may ask for."""
        known = ((size, self.listed(size)) for size in self.by_pixels)
        return tuple(size for size, pair in known if pair is not None and self.sells(*pair))


@dataclass(frozen=True, slots=True)
class PriceList:
    """Which list a price comes from. `id` is the list's name and the hash of its content."""

    id: str
    effective_at: datetime
    source: str


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One row of the catalog."""

    id: str
    name: str
    price_list: PriceList
    capabilities: tuple[Capability, ...]
    offers: tuple[Offer, ...] = ()
    aliases: tuple[str, ...] = ()
    notes: str = ""

    @property
    def operations(self) -> tuple[Operation, ...]:
        return tuple(operation for capability in self.capabilities for operation in capability.operations)

    @property
    def sold_at(self) -> tuple[str, ...]:
        """The providers that sell it still, each once, in the order of the offers."""
        return tuple(dict.fromkeys(offer.provider for offer in self.offers if not offer.is_retired))

    def operation_meant(self, request: GenerationRequest) -> Operation:
        """What a request is for. Where it does not say that is the model's first, but pictures that go into a model
        which makes pictures are there to be edited."""
        if request.operation is not None:
            return request.operation
        first = self.operations[0]
        return Operation.IMAGE_EDIT if first is Operation.IMAGE_GENERATE and request.reference_images else first

    def sold_as(self, offer: Offer) -> "ModelSpec":
        """The model as one provider sells it: its own defaults in place of the row's."""
        if not offer.has_defaults:
            return self
        return replace(self, capabilities=tuple(capability.sold_as(offer) for capability in self.capabilities))

    def capability(self, operation: Operation) -> Capability | None:
        for capability in self.capabilities:
            if operation in capability.operations:
                return capability
        return None


def scale_text(scale: Fraction) -> str:
    """A scale as people write it: `2x`, `1.5x`."""
    return f"{number_text(scale)}x"
