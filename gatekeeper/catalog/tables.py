"""The tables of prices that depend on more than a tier: by sound, by duration, by quality.

A table may leave a level out: one amount stands for every tier, or for both sounds. What a table leaves out altogether
is `timed`'s and `prices`' to judge, for it depends on what the capability sells.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any

from pydantic import PlainValidator, ValidationError

from gatekeeper.catalog.fields import credits_of, one_spelling, tier_of
from gatekeeper.core.rejection import number_text
from gatekeeper.core.sizes import Tier, read_size
from gatekeeper.yamlfile import Mistake, mistake, raise_mistakes

DURATION_S_MAX = 3600
"""No model makes an hour; a typing error of four digits is caught."""

DURATIONS_MAX = 120
"""So many lengths make a list that can still be looked through for every request."""

EVERY_TIER = ""
"""Stands for all tiers, or for none if the model has none."""

SILENT, AUDIO = "silent", "audio"

_SECONDS = re.compile(r"\d{1,4}(?:\.\d{1,3})?\Z")


@dataclass(frozen=True, slots=True)
class Amounts:
    """What something costs without and with sound; `split` if the file says them apart. None: not in the file."""

    silent: int | None
    audio: int | None
    split: bool = False

    def of(self, sound: bool) -> int | None:
        return self.audio if sound else self.silent


def seconds_of(value: Any) -> Fraction:
    """A duration: a number of seconds, as a value or as a key."""
    plain = isinstance(value, int | Decimal) and not isinstance(value, bool)
    if not (plain or (isinstance(value, str) and _SECONDS.match(value))) or not 0 < Fraction(value) <= DURATION_S_MAX:
        raise mistake(f"`{value}` is no duration", f"Write seconds, like 5 or 2.5, up to {DURATION_S_MAX}.")
    return Fraction(value)


def durations_of(value: Any) -> tuple[Fraction, ...]:
    """`[5, 10]`, or `{min: 3, max: 15, step: 1}`: all of them, the shortest first."""
    if isinstance(value, dict):
        return _steps(value)
    if not isinstance(value, list) or not value:
        raise mistake("is no list of durations", "Write it like [5, 10], or {min: 3, max: 15, step: 1}.")
    found = _each(dict(enumerate(value)), seconds_of)
    twice = [at for at, each in found.items() if list(found.values()).index(each) < at]
    raise_mistakes([Mistake((at,), f"`{value[at]}` is in the list twice", "Keep one of them.") for at in twice])
    return tuple(sorted(found.values()))


def _steps(value: dict[str, Any]) -> tuple[Fraction, ...]:
    if set(value) != {"min", "max", "step"}:
        raise mistake("is no range of durations", "Write it like {min: 3, max: 15, step: 1}.")
    bounds = _each(value, seconds_of)
    first, last, step = bounds["min"], bounds["max"], bounds["step"]
    count = (last - first) / step + 1
    if last < first or count.denominator != 1:
        raise mistake("does not lead from min to max in whole steps", "Correct one of the three.")
    if count > DURATIONS_MAX:
        raise mistake(f"makes {count} durations", f"At most {DURATIONS_MAX}: take a larger step.")
    return tuple(first + step * at for at in range(int(count)))


def amounts_of(value: Any) -> Amounts:
    """One amount, or `{silent: 42.2, audio: 84.4}`."""
    if not isinstance(value, dict):
        amount = credits_of(value)
        return Amounts(amount, amount)
    others = [key for key in value if key not in {SILENT, AUDIO}]
    mend = f"Write an amount, or {{{SILENT}: 10, {AUDIO}: 20}}."
    raise_mistakes([Mistake((key,), f"`{key}` is neither {SILENT} nor {AUDIO}", mend) for key in others])
    found = _each(value, credits_of)
    return Amounts(found.get(SILENT), found.get(AUDIO), split=True)


def by_tier(value: Any) -> dict[str, Amounts]:
    """By tier and sound; under `EVERY_TIER` if it names no tier."""
    if not isinstance(value, dict) or set(value) & {SILENT, AUDIO}:
        return {EVERY_TIER: amounts_of(value)}
    return _by_tier(value, amounts_of)


def by_duration(value: Any) -> dict[str, dict[Fraction, Amounts]]:
    """By tier, duration and sound. `{5: 10, 10: 20}` names no tier."""
    if not isinstance(value, dict) or not value:
        raise mistake("is no table by duration", "Write it like {5: 10, 10: 20}, or {720P: {5: 10, 10: 20}}.")
    if all(isinstance(read_size(key), Tier) and isinstance(row, dict) for key, row in value.items()):
        return _by_tier(value, _duration_row)
    return {EVERY_TIER: _duration_row(value)}


def by_quality(value: Any) -> dict[str, dict[str, int]]:
    """By tier and quality. `{low: 2, high: 8}` names no tier."""
    if not isinstance(value, dict) or not value:
        raise mistake("is no table by quality", "Write it like {low: 2, high: 8}, or {1K: {low: 2, high: 8}}.")
    if any(isinstance(row, dict) for row in value.values()):
        return _by_tier(value, _quality_row)
    return {EVERY_TIER: _quality_row(value)}


def _by_tier(value: dict[str, Any], read: Callable[[Any], Any]) -> dict[str, Any]:
    one_spelling(tier_of)(value)
    rows = _each(value, read)
    tiers = _each({key: key for key in value}, tier_of)
    return {tiers[key]: row for key, row in rows.items()}


def _duration_row(value: Any) -> dict[Fraction, Amounts]:
    if not isinstance(value, dict) or not value:
        raise mistake("is no row of durations", "Write it like {5: 10, 10: 20}.")
    one_spelling(seconds_of)(value)
    rows = _each(value, amounts_of)
    seconds = _each({key: key for key in value}, seconds_of)
    return {seconds[key]: row for key, row in rows.items()}


def _quality_row(value: Any) -> dict[str, int]:
    if not isinstance(value, dict) or not value:
        raise mistake("is no row of qualities", "Write it like {low: 2, high: 8}.")
    return _each(value, credits_of)


def _each(values: Mapping[Any, Any], read: Callable[[Any], Any]) -> dict[Any, Any]:
    """Every value read, or all that is wrong with them at once, each at its key."""
    found, wrong = {}, []
    for key, value in values.items():
        try:
            found[key] = read(value)
        except ValidationError as error:
            wrong += [
                Mistake((key, *e["loc"]), e["ctx"]["what"], e["ctx"]["mend"]) for e in error.errors(include_url=False)
            ]
        except ValueError as error:
            context = getattr(error, "context", None) or {}
            wrong.append(Mistake((key,), context.get("what", str(error)), context.get("mend", "Correct it.")))
    raise_mistakes(wrong)
    return found


def duration_text(seconds: Fraction) -> str:
    """A duration as a key of a file, and as a message names it."""
    return number_text(seconds)


Durations = Annotated[tuple[Fraction, ...], PlainValidator(durations_of)]
Seconds = Annotated[Fraction, PlainValidator(seconds_of)]
TierAmounts = Annotated[dict[str, Amounts], PlainValidator(by_tier)]
DurationAmounts = Annotated[dict[str, dict[Fraction, Amounts]], PlainValidator(by_duration)]
QualityAmounts = Annotated[dict[str, dict[str, int]], PlainValidator(by_quality)]
