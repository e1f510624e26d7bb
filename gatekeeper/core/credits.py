"""Credits: integers of 10^-6 credit, and the few named ways to round to one.

Half credits are sold, and so are 15.825; binary fractions cannot hold them. So an amount is an `int` of
micro-credits everywhere inside, and a decimal only in text (files, JSON, tables). This module does no pricing.
"""

from decimal import Context, Decimal, Inexact, InvalidOperation
from enum import StrEnum
from fractions import Fraction

MICRO = 1_000_000
"""Micro-credits in one credit."""

AMOUNT_MICROCREDITS_MAX = 9 * 10**15
"""The largest amount anywhere: below 2^53, so that the store's Lua numbers hold it exactly."""

_DIGITS_MAX = 40
"""Enough for the largest amount with six decimals and many trailing zeros; a context traps what would not be exact."""

_EXACT = Context(prec=_DIGITS_MAX, traps=[InvalidOperation, Inexact])


class Rounding(StrEnum):
    """A price list names how it rounds; there is no default that rounds in silence."""

    EXACT = "exact"
    HALF_UP_TO_CREDIT = "half_up_to_credit"
    UP_TO_CREDIT = "up_to_credit"
    DOWN_TO_CREDIT = "down_to_credit"


def parse_credits(value: str | int | Decimal) -> int:
    """Credits as a person writes them ("73.5") in micro-credits.

    Negative ones are read too; whether one makes sense is the caller's question. Raises `ValueError` when it is no
    finite number, has more than six decimals, or is beyond the largest amount. A float is refused: by the time it is
    here, the figure that the person wrote is already lost.
    """
    if isinstance(value, bool | float):
        raise ValueError(f"{value!r} is not a number of credits: write it as text or as a whole number")
    try:
        micro = _EXACT.multiply(Decimal(value), MICRO)
    except Inexact:
        raise ValueError(f"{value!r} has more than six decimals") from None
    except InvalidOperation:
        raise ValueError(f"{value!r} is not a number of credits") from None
    if not micro.is_finite():
        raise ValueError(f"{value!r} is not a number of credits")
    if micro.copy_abs() > AMOUNT_MICROCREDITS_MAX:
        raise ValueError(f"{value!r} is beyond the largest amount, {AMOUNT_MICROCREDITS_MAX // MICRO} credits")
    if micro != micro.to_integral_value():
        raise ValueError(f"{value!r} has more than six decimals")
    return int(micro)


def credits_text(amount_microcredits: int) -> str:
    """An amount as the shortest exact decimal: 73500000 is "73.5"."""
    whole, micro = divmod(amount_microcredits, MICRO)
    if not micro:
        return str(whole)
    sign = "-" if amount_microcredits < 0 else ""
    whole, micro = divmod(abs(amount_microcredits), MICRO)
    return f"{sign}{whole}.{micro:06d}".rstrip("0")


def round_microcredits(exact: Fraction, rounding: Rounding) -> int:
    """An exact amount of micro-credits, which may be a fraction, as the price list rounds it.

    `EXACT` keeps micro-credits and rounds what lies below one half-up, for nothing smaller can be booked.
    """
    step = 1 if rounding is Rounding.EXACT else MICRO
    above, below = exact.numerator, exact.denominator * step
    match rounding:
        case Rounding.EXACT | Rounding.HALF_UP_TO_CREDIT:
            return (2 * above + below) // (2 * below) * step
        case Rounding.UP_TO_CREDIT:
            return -(-above // below) * step
        case Rounding.DOWN_TO_CREDIT:
            return above // below * step
