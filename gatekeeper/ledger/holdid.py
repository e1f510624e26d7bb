"""Hold ids: a UUID version 7 (RFC 9562) written as 32 hex digits without dashes.

The gateway makes the id before it asks the ledger, so a lost answer is asked for again under the same id. The id's
time picks the day-bucket in which a resolved hold is remembered. Pure: time and randomness come from the caller.
"""

import re
from datetime import date
from functools import lru_cache
from typing import Final

DAY_MS: Final = 86_400_000
RANDOM_BITS: Final = 74

match_hold_id: Final = re.compile(r"[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}").fullmatch
"""Whether a text has the form that `new_hold_id` gives; not None if it has."""

RANDOM_DIGITS: Final = 19
"""They in hexadecimal digits: of the first only two bits count."""

_TIME_BITS: Final = 48
_TIME_END: Final = 1 << _TIME_BITS
_RANDOM_END: Final = 1 << RANDOM_BITS
_VARIANT: Final = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))
_EPOCH: Final = date(1970, 1, 1).toordinal()


def new_hold_id(now_ms: int, random_bits: int) -> str:
    """A hold id for this instant (milliseconds since 1970 UTC) from 74 random bits.

    Call it as `new_hold_id(now_ms, secrets.randbits(RANDOM_BITS))`.
    """
    if not 0 <= now_ms < _TIME_END or not 0 <= random_bits < _RANDOM_END:
        raise ValueError("a hold id takes a 48 bit time in milliseconds and 74 random bits")
    return hold_id_of(now_ms, f"{random_bits:019x}")


def hold_id_of(now_ms: int, digits: str) -> str:
    """The same from `RANDOM_DIGITS` random digits, unchecked: of a clock's time, and of what was drawn for it."""
    return f"{hex(_TIME_END + now_ms)[3:]}7{digits[1:4]}{_VARIANT[digits[0]]}{digits[4:]}"


def is_hold_id(text: str) -> bool:
    """Whether the text has the form `new_hold_id` gives."""
    return match_hold_id(text) is not None


def hold_id_ms(hold_id: str) -> int:
    """The instant in the id, in milliseconds since 1970 UTC."""
    return int(hold_id[:12], 16)


def hold_id_day(hold_id: str) -> int:
    """The UTC day in the id, counted from 1970-01-01 as 0."""
    return int(hold_id[:12], 16) // DAY_MS


def hold_id_month(hold_id: str) -> str:
    """The UTC month of the instant in the id, as 2026-11."""
    return month_of_day(hold_id_day(hold_id))


@lru_cache(maxsize=64)
def month_of_day(day: int) -> str:
    """The month of this UTC day (days since 1970-01-01); of a day past the last that has a date, that one's."""
    return date.fromordinal(min(_EPOCH + max(0, day), date.max.toordinal())).isoformat()[:7]
