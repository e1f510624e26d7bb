"""The single values of a catalog file: names, tiers, ratios, sizes, scales, amounts; and what to say of a wrong one.

Spellings are `core.sizes`' business: what a caller may write, a file may write too, and both come out the same.
"""

import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator

from gatekeeper.core.credits import AMOUNT_MICROCREDITS_MAX, MICRO, parse_credits
from gatekeeper.core.request import Operation
from gatekeeper.core.sizes import Pixels, Ratio, Tier, read_size
from gatekeeper.yamlfile import Mistake, mistake, raise_mistakes

_ID = re.compile(r"[a-z0-9][a-z0-9.-]{0,63}\Z")
_ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}\Z")

TEXT_LENGTH_MAX = 500
"""Names, sources and notes are shown in tables and answers."""

DEADLINE_S_MAX = 7 * 24 * 3600
"""No provider works on one output for longer than a week, and none keeps a result for longer."""

_SCALE = re.compile(r"^(\d{1,3}(?:\.\d{1,3})?)x$")


class Strict(BaseModel):
    """What every mapping of a catalog file shares: no unknown keys, no guessing of types, no change after reading."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def id_of(value: str) -> str:
    """An id stands in URLs, log lines and metric labels: small letters, digits, dots and dashes."""
    if not _ID.match(value):
        raise mistake(f"`{value}` is no id", "Use small letters, digits, dots and dashes, 64 at most.")
    return value


def alias_of(value: str) -> str:
    """An alias may also have the capitals and slashes that people know from elsewhere."""
    if not _ALIAS.match(value):
        raise mistake(f"`{value}` is no alias", "Use letters, digits and . _ : / - without spaces, 64 at most.")
    return value


def tier_of(value: Any) -> str:
    """A resolution tier in its one spelling: `2k` is `2K`. A bare `512` is a number in the file."""
    meaning = read_size(str(value)) if _is_word(value) else None
    if not isinstance(meaning, Tier):
        raise mistake(f"`{value}` is no resolution", "Write it like 1K, 2K, 768P or 512.")
    return meaning.name


def ratio_of(value: Any) -> str:
    """An aspect ratio in its one spelling: `16x9` is `16:9`."""
    meaning = read_size(value) if isinstance(value, str) else None
    if not isinstance(meaning, Ratio):
        raise mistake(f"`{value}` is no aspect ratio", "Write it like 16:9.")
    return meaning.label


def pixels_of(value: Any) -> Pixels:
    """A size in pixels: `1024x1536`."""
    meaning = read_size(value) if isinstance(value, str) else None
    if not isinstance(meaning, Pixels):
        raise mistake(f"`{value}` is no size in pixels", "Write it like 1024x1536.")
    return meaning


def scale_of(value: Any) -> Fraction:
    """An upscale factor: `2x`."""
    found = _SCALE.match(value) if isinstance(value, str) else None
    if found is None or Fraction(found[1]) == 0:
        raise mistake(f"`{value}` is no upscale factor", "Write it like 2x or 1.5x.")
    return Fraction(found[1])


def credits_of(value: Any) -> int:
    """Credits in micro-credits: whole or with up to six decimals, never negative."""
    if not _is_number(value):
        raise mistake(f"{_kind(value)} is no number of credits", "Write it like 49 or 73.5, without quotes.")
    if value < 0:
        raise mistake(f"`{value}` credits is less than nothing", "A price is 0 or more.")
    try:
        return parse_credits(value)
    except ValueError:
        mend = f"Credits have at most six decimals and stay below {AMOUNT_MICROCREDITS_MAX // MICRO}."
        raise mistake(f"`{value}` credits cannot be booked exactly", mend) from None


def factor_of(value: Any) -> Fraction:
    """What an amount is multiplied with: a number above 0."""
    if not _is_number(value) or value <= 0:
        raise mistake(f"`{value}` is no factor", "Write a number above 0, like 2 or 1.5.")
    return Fraction(value)


def deadlines_of(value: Any) -> dict[str, int]:
    """Seconds that a job may take: one number for every tier (under ""), or a number for each tier."""
    if not isinstance(value, dict):
        if not _is_deadline(value):
            raise mistake(*_no_deadline(value))
        return {"": value}
    one_spelling(tier_of)(value)
    raise_mistakes([Mistake((tier,), *_no_deadline(s)) for tier, s in value.items() if not _is_deadline(s)])
    return {tier_of(tier): seconds for tier, seconds in value.items()}


def _is_deadline(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= DEADLINE_S_MAX


def _no_deadline(value: Any) -> tuple[str, str]:
    return f"{_kind(value)} is no time that a job may take", f"Write whole seconds, from 1 to {DEADLINE_S_MAX}."


def _is_number(value: Any) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _kind(value: Any) -> str:
    """A wrong value with its kind, for `"15"` and `15` look alike in a message."""
    match value:
        case str():
            return f"the text `{value}`"
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case _:
            return "nothing" if value is None else f"`{value}`"


def _is_word(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool))


def no_twice(values: list[Any]) -> list[Any]:
    """Refuses a list in which something stands twice, at each of its repetitions."""
    mend = "Keep one of them."
    raise_mistakes([Mistake((i,), f"`{v}` is in the list twice", mend) for i, v in _repeated(values)])
    return values


def _repeated(values: Iterable[Any]) -> list[tuple[int, Any]]:
    seen, repeated = set(), []
    for index, value in enumerate(values):
        if value in seen:
            repeated.append((index, value))
        seen.add(value)
    return repeated


def one_spelling(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """For a mapping by tier or scale: refuses two keys that mean the same (`1K` and `1k`). Shape is checked later."""

    def check(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        readable = [key for key in value if _reads(read, key)]
        twins = _repeated(read(key) for key in readable)
        mend = "Keep one of them."
        raise_mistakes([Mistake((readable[i],), f"`{readable[i]}` is there in two spellings", mend) for i, _ in twins])
        return value

    return check


def _reads(read: Callable[[Any], Any], key: Any) -> bool:
    try:
        read(key)
    except ValueError:
        return False
    return True


Id = Annotated[str, AfterValidator(id_of)]
Alias = Annotated[str, AfterValidator(alias_of)]
TierName = Annotated[str, PlainValidator(tier_of)]
RatioLabel = Annotated[str, PlainValidator(ratio_of)]
Size = Annotated[Pixels, PlainValidator(pixels_of)]
Scale = Annotated[Fraction, PlainValidator(scale_of)]
Amount = Annotated[int, PlainValidator(credits_of)]
Factor = Annotated[Fraction, PlainValidator(factor_of)]
Deadlines = Annotated[dict[str, int], PlainValidator(deadlines_of)]
OperationName = Annotated[Operation, Field(strict=False)]

TierNames = Annotated[list[TierName], Field(min_length=1), AfterValidator(no_twice)]
RatioLabels = Annotated[list[RatioLabel], Field(min_length=1), AfterValidator(no_twice)]
Scales = Annotated[list[Scale], Field(min_length=1), AfterValidator(no_twice)]
Words = Annotated[list[str], Field(min_length=1), AfterValidator(no_twice)]
Operations = Annotated[list[OperationName], Field(min_length=1), AfterValidator(no_twice)]
AmountByTier = Annotated[dict[TierName, Amount], Field(min_length=1), BeforeValidator(one_spelling(tier_of))]
FactorByTier = Annotated[dict[TierName, Factor], Field(min_length=1), BeforeValidator(one_spelling(tier_of))]
AmountByScale = Annotated[dict[Scale, Amount], Field(min_length=1), BeforeValidator(one_spelling(scale_of))]
FactorByScale = Annotated[dict[Scale, Factor], Field(min_length=1), BeforeValidator(one_spelling(scale_of))]
Text = Annotated[str, Field(min_length=1, max_length=TEXT_LENGTH_MAX)]
