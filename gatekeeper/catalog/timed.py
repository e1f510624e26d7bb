"""The prices that depend on how long an output lasts, and whether they cover exactly what the capability sells.

In a table by duration a missing cell means that the combination is not sold; in any other a gap is a mistake.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Annotated, Literal

from pydantic import Field

from gatekeeper.catalog.entry import PriceEntryBase
from gatekeeper.catalog.tables import (
    AUDIO,
    EVERY_TIER,
    SILENT,
    Amounts,
    DurationAmounts,
    Seconds,
    TierAmounts,
    duration_text,
)
from gatekeeper.core.credits import Rounding
from gatekeeper.core.rules import BaseSecondsPrice, DurationPrice, SecondsPrice, TierSound, TimedPrice, TokenPrice
from gatekeeper.core.spec import Audio, Combination
from gatekeeper.yamlfile import Mistake

FPS_MAX = 240
"""Ten times what these models make; a typing error of three digits is caught."""


class PerSecond(PriceEntryBase):
    """An amount for each second."""

    kind: Literal["per_second"]
    credits: TierAmounts
    rounding: Annotated[Rounding, Field(strict=False)]


class PerDuration(PriceEntryBase):
    """An amount for each duration that is sold."""

    kind: Literal["per_duration"]
    credits: DurationAmounts


class BasePlusSeconds(PriceEntryBase):
    """An amount for the first seconds, and one for each second after them."""

    kind: Literal["base_plus_seconds"]
    base: TierAmounts
    included_s: Seconds = Fraction(1)
    credits: TierAmounts
    rounding: Annotated[Rounding, Field(strict=False)]


class PerThousandTokens(PriceEntryBase):
    """An amount for a thousand tokens of video."""

    kind: Literal["per_thousand_tokens"]
    credits: TierAmounts
    fps: Annotated[int, Field(ge=1, le=FPS_MAX)]
    rounding: Annotated[Rounding, Field(strict=False)]
    with_input_video: TierAmounts | None = None
    input_video_s_max: Seconds | None = None


TimedEntry = PerSecond | PerDuration | BasePlusSeconds | PerThousandTokens


@dataclass(frozen=True, slots=True)
class Sold:
    """What a capability sells, as far as it could be read: None is itself wrong and proves nothing."""

    tiers: Collection[str] | None
    durations: Collection[Fraction] | None
    audio: Audio | None
    sized: Collection[tuple[str, str]] | None = None
    ratios: Collection[str] | None = None

    @property
    def sounds(self) -> tuple[bool, ...]:
        return {Audio.NONE: (False,), Audio.ALWAYS: (True,)}.get(self.audio or Audio.OPTIONAL, (False, True))


def timed_rule(entry: TimedEntry, tiers: Collection[str]) -> TimedPrice:
    """The rule as the core knows it, with every tier and sound spelled out."""
    match entry:
        case PerSecond():
            return SecondsPrice(_spelled(entry.credits, tiers), entry.rounding)
        case PerDuration():
            return DurationPrice(dict(_cells(entry.credits, tiers)))
        case BasePlusSeconds():
            base, each = _spelled(entry.base, tiers), _spelled(entry.credits, tiers)
            return BaseSecondsPrice(base, each, entry.included_s, entry.rounding)
        case PerThousandTokens():
            with_video = _spelled(entry.with_input_video or {}, tiers)
            seconds = entry.input_video_s_max or Fraction(0)
            return TokenPrice(_spelled(entry.credits, tiers), entry.fps, entry.rounding, with_video, seconds)


def missing_cells(
    entry: object, tiers: Collection[str], durations: Collection[Fraction], audio: Audio
) -> list[Combination]:
    """What a table by duration does not have, and what is therefore not sold."""
    if not isinstance(entry, PerDuration):
        return []
    cells, sounds = dict(_cells(entry.credits, tiers)), Sold(tiers, durations, audio).sounds
    found = []
    for tier, seconds in product(tiers or (EVERY_TIER,), durations):
        missing: list[bool | None] = [sound for sound in sounds if (tier, seconds, sound) not in cells]
        either = [None] if len(missing) == len(sounds) else missing
        found += [Combination(tier or None, None, seconds, sound) for sound in either]
    return found


def timed_mistakes(entry: TimedEntry, sold: Sold) -> list[Mistake]:
    """Tiers, durations and sounds that are sold without a price, and prices for what is not sold."""
    found = []
    if sold.durations is not None and not sold.durations:
        found.append(Mistake(("kind",), "a price by time needs durations", "Add them, like durations: [5, 10]."))
    if isinstance(entry, PerDuration):
        return found + list(_duration_mistakes(entry.credits, sold))
    tables = {"credits": entry.credits}
    if isinstance(entry, BasePlusSeconds):
        tables["base"] = entry.base
    if isinstance(entry, PerThousandTokens):
        found += _token_mistakes(entry, sold)
        tables |= {} if entry.with_input_video is None else {"with_input_video": entry.with_input_video}
    for field, table in tables.items():
        found += _tier_mistakes(field, table, sold)
    return found


def _tier_mistakes(field: str, table: Mapping[str, Amounts], sold: Sold) -> Iterator[Mistake]:
    if sold.tiers is not None and EVERY_TIER not in table:
        for tier in sold.tiers:
            if tier not in table:
                yield Mistake((field,), f"resolution `{tier}` has no price", "Add it, or stop selling it.")
        yield from _unsold_tiers(field, table, sold.tiers)
    if sold.audio is not None:
        for tier, amounts in table.items():
            yield from _sound_mistakes((field, *([tier] if tier else [])), amounts, sold, gaps=True)


def _unsold_tiers(field: str, table: Collection[str], tiers: Collection[str]) -> Iterator[Mistake]:
    for tier in table:
        if tier not in tiers and tier != EVERY_TIER:
            mend = f"Add `{tier}` to resolutions, or remove its price."
            yield Mistake((field, tier), f"resolution `{tier}` has a price but is not sold", mend)


def _sound_mistakes(path: tuple[str, ...], amounts: Amounts, sold: Sold, *, gaps: bool) -> Iterator[Mistake]:
    if amounts.split and sold.audio is not Audio.OPTIONAL:
        mend = "Write one amount, or set audio: optional."
        yield Mistake(path, "has prices with and without audio, but the model leaves no choice", mend)
    elif gaps and amounts.split:
        for sound, word in ((False, SILENT), (True, AUDIO)):
            if amounts.of(sound) is None:
                yield Mistake(path, f"`{word}` has no price", f"Add it, like {word}: 10.")


def _duration_mistakes(table: Mapping[str, Mapping[Fraction, Amounts]], sold: Sold) -> Iterator[Mistake]:
    if sold.tiers is not None:
        if EVERY_TIER not in table:
            for tier in sold.tiers:
                if tier not in table:
                    yield Mistake(("credits",), f"resolution `{tier}` has no price", "Add it, or stop selling it.")
        yield from _unsold_tiers("credits", table, sold.tiers)
    priced = {seconds for row in table.values() for seconds in row}
    for seconds in sorted(set(sold.durations or ()) - priced):
        yield Mistake(("credits",), f"duration `{duration_text(seconds)}` has no price", "Add it, or stop selling it.")
    for tier, row in table.items():
        for seconds, amounts in row.items():
            path = ("credits", *([tier] if tier else []), duration_text(seconds))
            if sold.durations is not None and seconds not in sold.durations:
                mend = "Add it to durations, or remove its price."
                yield Mistake(path, f"duration `{duration_text(seconds)}` has a price but is not sold", mend)
            if sold.audio is not None:
                yield from _sound_mistakes(path, amounts, sold, gaps=False)


def _token_mistakes(entry: PerThousandTokens, sold: Sold) -> Iterator[Mistake]:
    """Tokens are counted in pixels, so every tier and ratio that is sold has some."""
    if sold.tiers is not None and sold.ratios is not None and sold.sized is not None:
        pairs = [(tier, ratio) for tier in sold.tiers or ("",) for ratio in sold.ratios or ("",)]
        missing = [" ".join(pair).strip() for pair in pairs if pair not in sold.sized]
        if missing:
            mend = "Add them to pixels: tokens are counted in them."
            yield Mistake(("kind",), f"no pixels for {', '.join(missing) or 'the model'}", mend)
    if (entry.with_input_video is None) != (entry.input_video_s_max is None):
        mend = "Write both: the rates, and how many seconds of video may go in."
        yield Mistake(("kind",), "with_input_video and input_video_s_max go together", mend)


def _spelled(table: Mapping[str, Amounts], tiers: Collection[str]) -> dict[TierSound, int]:
    """Every tier with every sound. What has one amount has it for both; what is not sold is never looked up."""
    found: dict[TierSound, int] = {}
    for tier, amounts in table.items():
        for each in (*tiers, EVERY_TIER) if tier == EVERY_TIER else (tier,):
            for sound in (False, True):
                amount = amounts.of(sound)
                if amount is not None:
                    found[each, sound] = amount
    return found


def _cells(
    table: Mapping[str, Mapping[Fraction, Amounts]], tiers: Collection[str]
) -> Iterator[tuple[tuple[str, Fraction, bool], int]]:
    for tier, row in table.items():
        for seconds, amounts in row.items():
            for (each, sound), amount in _spelled({tier: amounts}, tiers).items():
                yield (each, seconds, sound), amount
