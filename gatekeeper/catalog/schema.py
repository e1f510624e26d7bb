"""What a catalog file looks like, and all that can be checked while looking at one model alone.

Checks sit on the field they speak about and read the fields above it, so that one mistake never hides another: a
field that is itself wrong is left out of the later checks. What takes a look across models is in `across`.
"""

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any, TypeVar

from pydantic import AwareDatetime, Field, ValidationInfo, field_validator

from gatekeeper.catalog.fields import (
    TEXT_LENGTH_MAX,
    Alias,
    Deadlines,
    Id,
    Operations,
    RatioLabel,
    RatioLabels,
    Scales,
    Size,
    Strict,
    Text,
    TierName,
    TierNames,
    Words,
    no_twice,
)
from gatekeeper.catalog.pixels import read_pixels
from gatekeeper.catalog.prices import (
    PriceEntry,
    add_on_mistakes,
    area_mistakes,
    free_size_mistakes,
    input_mistakes,
    quality_mistakes,
    scale_mistakes,
    tier_mistakes,
    time_mistakes,
)
from gatekeeper.catalog.tables import Durations, Seconds, duration_text
from gatekeeper.catalog.timed import Sold
from gatekeeper.core.lasting import durations_text
from gatekeeper.core.request import Operation
from gatekeeper.core.sizes import Pixels, ratio_value
from gatekeeper.core.spec import Audio, OverRun, SizeRange, Status
from gatekeeper.yamlfile import Mistake, mistake, raise_mistakes

OUTPUTS_MAX = 100
"""No provider makes more in one request (the most is 15); a typing error of three digits is caught."""

SIDE_MAX = 100_000
"""Ten times the largest side that any upscaler makes."""

HOLD_TTL_S_MAX = 7 * 24 * 3600
"""Credits held for longer than a week are as good as lost to the team."""

Side = Annotated[int, Field(ge=1, le=SIDE_MAX)]


class Bounds(Strict):
    """From `min` to `max`, both included."""

    min: Annotated[int, Field(ge=1)]
    max: Annotated[int, Field(ge=1)]

    @field_validator("max")
    @classmethod
    def _check_order(cls, value: int, info: ValidationInfo) -> int:
        if value < info.data.get("min", value):
            raise mistake(f"the largest, {value}, is below the smallest", "Swap min and max, or correct one.")
        return value


class SideBounds(Bounds):
    """Bounds of one side in pixels."""

    min: Side
    max: Side


class RatioBounds(Strict):
    """The narrowest and the widest shape, as labels: `1:3` to `3:1`."""

    min: RatioLabel
    max: RatioLabel

    @field_validator("max")
    @classmethod
    def _check_order(cls, value: str, info: ValidationInfo) -> str:
        if "min" in info.data and ratio_value(value) < ratio_value(info.data["min"]):
            raise mistake(f"the widest, {value}, is narrower than the narrowest", "Swap min and max, or correct one.")
        return value


class SizeRangeEntry(Strict):
    """Free sizes."""

    side: SideBounds
    multiple_of: Annotated[int, Field(ge=1, le=1024)] = 1
    area: Bounds | None = None
    ratio: RatioBounds | None = None

    @field_validator("multiple_of")
    @classmethod
    def _check_multiple(cls, value: int, info: ValidationInfo) -> int:
        side = info.data.get("side")
        if side is not None and side.max // value * value < side.min:
            raise mistake(f"no side from {side.min} to {side.max} is a multiple of {value}", "Correct one of the two.")
        return value

    @property
    def range(self) -> SizeRange:
        """The bounds as the core knows them."""
        area, ratio = self.area, self.ratio
        return SizeRange(
            side_min=self.side.min,
            side_max=self.side.max,
            multiple_of=self.multiple_of,
            area_min=area.min if area else 1,
            area_max=area.max if area else None,
            ratio_min=ratio_value(ratio.min) if ratio else None,
            ratio_max=ratio_value(ratio.max) if ratio else None,
        )


class NotSold(Strict):
    """A combination that is not sold. A key left out stands for every value."""

    resolution: TierName | None = None
    aspect_ratio: RatioLabel | None = None
    durations: Durations | None = None
    audio: bool | None = None


class CapabilityEntry(Strict):
    """What a model does in some operations, and its price."""

    operations: Operations
    resolutions: TierNames | None = None
    resolution_default: TierName | None = None
    aspect_ratios: RatioLabels | None = None
    pixels: Annotated[dict[str, Any], Field(min_length=1)] | None = None
    size_range: SizeRangeEntry | None = None
    outputs_max: Annotated[int, Field(ge=1, le=OUTPUTS_MAX)] = 1
    scales: Annotated[Scales | None, Field(validate_default=True)] = None
    qualities: Words | None = None
    durations: Durations | None = None
    duration_default: Seconds | None = None
    audio: Annotated[Audio, Field(strict=False)] = Audio.NONE
    audio_default: bool | None = None
    size_default: Size | None = None
    not_sold: Annotated[list[NotSold], Field(min_length=1)] | None = None
    hold_ttl_s: Annotated[int, Field(ge=1, le=HOLD_TTL_S_MAX)] | None = None
    over: Annotated[OverRun, Field(strict=False)] = OverRun.ABSORB
    job_deadline_s: Deadlines | None = None
    price: PriceEntry

    @field_validator("resolution_default")
    @classmethod
    def _check_default(cls, value: str | None, info: ValidationInfo) -> str | None:
        tiers = _given(info, "resolutions")
        if value is not None and tiers is not None and value not in tiers:
            raise mistake(f"`{value}` is not among the resolutions", f"Choose one of: {', '.join(tiers) or 'none'}.")
        return value

    @field_validator("pixels")
    @classmethod
    def _check_pixels(cls, value: dict[str, Any] | None, info: ValidationInfo) -> dict[str, Any] | None:
        if value is not None:
            raise_mistakes(read_pixels(value, _given(info, "resolutions"), _given(info, "aspect_ratios")).mistakes)
        return value

    @field_validator("scales")
    @classmethod
    def _check_scales(cls, value: list[Any] | None, info: ValidationInfo) -> list[Any] | None:
        if value is None and Operation.IMAGE_UPSCALE in (_given(info, "operations") or ()):
            raise mistake("`scales` is missing, and image.upscale is sold by scale", "Add it, like scales: [2x, 4x].")
        return value

    @field_validator("durations")
    @classmethod
    def _check_durations(cls, value: Any, info: ValidationInfo) -> Any:
        operations = _given(info, "operations")
        if value is not None and operations and not any(o.startswith("video.") for o in operations):
            raise mistake("a picture has no duration", "Remove it, or name operations of video.")
        return value

    @field_validator("duration_default")
    @classmethod
    def _check_duration_default(cls, value: Any, info: ValidationInfo) -> Any:
        durations = _given(info, "durations")
        if value is not None and durations is not None and value not in durations:
            listed = ", ".join(durations_text(durations)) or "none"
            raise mistake(f"`{duration_text(value)}` is not among the durations", f"Choose one of: {listed}.")
        return value

    @field_validator("audio_default")
    @classmethod
    def _check_audio_default(cls, value: bool | None, info: ValidationInfo) -> bool | None:
        audio = info.data.get("audio", Audio.OPTIONAL)
        if value is not None and audio is not Audio.OPTIONAL:
            raise mistake(f"audio is `{audio}`, so there is no default to it", "Remove it, or set audio: optional.")
        return value

    @field_validator("size_default")
    @classmethod
    def _check_size_default(cls, value: Pixels | None, info: ValidationInfo) -> Pixels | None:
        tiers, ratios = _given(info, "resolutions"), _given(info, "aspect_ratios")
        bounds, pixels = _given(info, "size_range"), _given(info, "pixels")
        if value is None or bounds is None or pixels is None:
            return value
        free = bounds != () and bounds.range.contains(value)
        if not free and value not in read_pixels(dict(pixels), tiers, ratios).readings:
            raise mistake(f"`{value}` is no size that is sold", "Choose one inside size_range, or one of pixels.")
        return value

    @field_validator("not_sold")
    @classmethod
    def _check_not_sold(cls, value: list[NotSold] | None, info: ValidationInfo) -> list[NotSold] | None:
        raise_mistakes([m for index, entry in enumerate(value or ()) for m in _not_sold_mistakes(index, entry, info)])
        return value

    @field_validator("job_deadline_s")
    @classmethod
    def _check_deadlines(cls, value: dict[str, int] | None, info: ValidationInfo) -> dict[str, int] | None:
        tiers = _given(info, "resolutions")
        if value is None or "" in value or tiers is None:
            return value
        raise_mistakes([_unsold_tier(name, tiers) for name in value if name not in tiers])
        raise_mistakes([_no_deadline(name) for name in tiers if name not in value])
        return value

    @field_validator("price")
    @classmethod
    def _check_price(cls, value: PriceEntry, info: ValidationInfo) -> PriceEntry:
        tiers, scales, operations = _given(info, "resolutions"), _given(info, "scales"), _given(info, "operations")
        found = add_on_mistakes(value) + time_mistakes(value, _sold(info))
        found += quality_mistakes(value, _given(info, "qualities") or (), tiers or ())
        found += area_mistakes(value, _is_sized(info))
        found += tier_mistakes(value, tiers) if tiers is not None else []
        found += scale_mistakes(value, scales) if scales is not None else []
        found += input_mistakes(value, operations or ())
        found += free_size_mistakes(value) if _given(info, "size_range") else []
        raise_mistakes(found)
        return value


def _given(info: ValidationInfo, name: str) -> Any:
    """What an earlier field came to: () if it was left out, None if it is itself wrong and proves nothing."""
    if name not in info.data:
        return None
    return () if info.data[name] is None else info.data[name]


def _unsold_tier(name: str, tiers: list[str]) -> Mistake:
    mend = f"Name one of: {', '.join(tiers) or 'none'}, or remove it."
    return Mistake((name,), f"resolution `{name}` has a deadline but is not sold", mend)


def _no_deadline(name: str) -> Mistake:
    mend = "Add it, or write one number for all."
    return Mistake((), f"resolution `{name}` has no deadline", mend)


def _sold(info: ValidationInfo) -> Sold:
    tiers, ratios, pixels = _given(info, "resolutions"), _given(info, "aspect_ratios"), _given(info, "pixels")
    sized = None if pixels is None else read_pixels(dict(pixels), tiers, ratios).made
    return Sold(tiers, _given(info, "durations"), info.data.get("audio"), sized, ratios)


def _is_sized(info: ValidationInfo) -> bool:
    """Whether the largest output is known, or what would tell it is itself wrong."""
    bounds, pixels = _given(info, "size_range"), _given(info, "pixels")
    return bounds is None or pixels is None or bool(pixels) or (bounds != () and bounds.area is not None)


def _not_sold_mistakes(index: int, entry: NotSold, info: ValidationInfo) -> list[Mistake]:
    found = []
    if entry == NotSold():
        found.append(Mistake((index,), "names nothing, so it would forbid everything", "Name a value, or remove it."))
    lists = (("resolution", "resolutions"), ("aspect_ratio", "aspect_ratios"))
    for key, list_name in lists:
        value, known = getattr(entry, key), _given(info, list_name)
        if value is not None and known is not None and value not in known:
            mend = f"Name one of: {', '.join(known) or 'none'}, or remove the entry."
            found.append(Mistake((index, key), f"`{value}` is not sold anyway", mend))
    known = _given(info, "durations")
    for at, seconds in enumerate(entry.durations or () if known is not None else ()):
        if seconds not in known:
            mend = f"Name some of: {', '.join(durations_text(known)) or 'none'}, or remove the entry."
            found.append(Mistake((index, "durations", at), f"`{duration_text(seconds)}` s is not sold anyway", mend))
    return found


class OfferEntry(Strict):
    """Where a model is sold, under which id, and for how long still."""

    provider: Id
    upstream_id: Text
    operations: Operations | None = None
    status: Annotated[Status, Field(strict=False)]
    sunset: Annotated[date | None, Field(validate_default=True)] = None
    replacement: Annotated[str | None, Field(validate_default=True)] = None
    resolution_default: TierName | None = None
    duration_default: Seconds | None = None
    audio_default: bool | None = None

    @field_validator("sunset")
    @classmethod
    def _check_sunset(cls, value: date | None, info: ValidationInfo) -> date | None:
        if value is None and info.data.get("status") is Status.DEPRECATED:
            raise mistake("a deprecated offer has no sunset", "Add the day it ends, like sunset: 2026-12-01.")
        return _active_has_none(value, info, "sunset")

    @field_validator("replacement")
    @classmethod
    def _check_replacement(cls, value: str | None, info: ValidationInfo) -> str | None:
        status = info.data.get("status")
        if value is None and status in {Status.DEPRECATED, Status.RETIRED}:
            raise mistake(
                f"a {status} offer has no replacement", "Name the model to move to, like replacement: MODEL-ID."
            )
        return _active_has_none(value, info, "replacement")


_Value = TypeVar("_Value")


def _active_has_none(value: _Value, info: ValidationInfo, name: str) -> _Value:
    if value is not None and info.data.get("status") is Status.ACTIVE:
        raise mistake(f"an active offer has a {name}", "Set status: deprecated or retired, or remove it.")
    return value


class ModelEntry(Strict):
    """One row of the catalog. Offers stand last here, for their defaults are held against the capabilities."""

    id: Id
    name: Text
    aliases: list[Alias] = Field(default_factory=list)
    notes: Annotated[str, Field(max_length=TEXT_LENGTH_MAX)] = ""
    capabilities: Annotated[list[CapabilityEntry], Field(min_length=1)]
    offers: list[OfferEntry] = Field(default_factory=list)

    @field_validator("offers")
    @classmethod
    def _check_defaults(cls, value: list[OfferEntry], info: ValidationInfo) -> list[OfferEntry]:
        capabilities = info.data.get("capabilities", ())
        raise_mistakes(
            [m for at, offer in enumerate(value if capabilities else ()) for m in _unsold(at, offer, capabilities)]
        )
        return value

    @field_validator("aliases")
    @classmethod
    def _check_aliases(cls, value: list[str]) -> list[str]:
        return no_twice(value)


def _unsold(index: int, offer: OfferEntry, capabilities: list[CapabilityEntry]) -> Iterator[Mistake]:
    """The defaults of an offer that are in no capability."""
    tiers = [tier for capability in capabilities for tier in capability.resolutions or ()]
    if offer.resolution_default is not None and offer.resolution_default not in tiers:
        mend = f"Choose one of: {', '.join(tiers) or 'none'}."
        what = f"`{offer.resolution_default}` is not among the resolutions"
        yield Mistake((index, "resolution_default"), what, mend)
    lengths = tuple(seconds for capability in capabilities for seconds in capability.durations or ())
    if offer.duration_default is not None and offer.duration_default not in lengths:
        mend = f"Choose one of: {', '.join(durations_text(lengths)) or 'none'}."
        what = f"`{duration_text(offer.duration_default)}` is not among the durations"
        yield Mistake((index, "duration_default"), what, mend)
    if offer.audio_default is not None and all(capability.audio is not Audio.OPTIONAL for capability in capabilities):
        mend = "Remove it, or set audio: optional."
        yield Mistake((index, "audio_default"), "no capability leaves a choice of audio", mend)


class PriceListEntry(Strict):
    """Which list the file's prices are, since when they hold, and where they come from."""

    name: Id
    effective_at: AwareDatetime
    source: Text


class CatalogFile(Strict):
    """A whole file."""

    price_list: PriceListEntry
    models: Annotated[list[ModelEntry], Field(min_length=1)]
