"""Amounts: read, written, rounded, and never anything but a whole number of micro-credits."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.core.credits import (
    AMOUNT_MICROCREDITS_MAX,
    MICRO,
    Rounding,
    credits_text,
    parse_credits,
    round_microcredits,
)
from tests.cases import each_case
from tests.core.strategies import PROPERTY


@each_case(
    ("written", "micro"),
    [
        ("73.5", 73_500_000),
        ("0.422", 422_000),
        ("15.825", 15_825_000),
        ("0", 0),
        ("-0", 0),
        ("-1.5", -1_500_000),
        ("1e3", 1_000 * MICRO),
        ("0.000001", 1),
        ("1." + "0" * 60, MICRO),
        (49, 49 * MICRO),
        (Decimal("0.25"), 250_000),
        ("9000000000", AMOUNT_MICROCREDITS_MAX),
    ],
)
def test_credits_are_read_as_written(written: str | int | Decimal, micro: int) -> None:
    """An amount is read exactly."""
    assert micro == parse_credits(written)


@each_case(
    "written",
    [
        "",
        "many",
        "1,5",
        "nan",
        "-Infinity",
        "sNaN",
        "0.0000001",
        "1." + "0" * 30 + "1",
        "9000000000.000001",
        "1e30",
        "1e999999",
        "1e-2000000",
        "1e-999999999",
        True,
        73.5,
        float("nan"),
    ],
)
def test_what_is_no_amount_is_refused(written: Any) -> None:
    """Whatever cannot be an exact amount is a `ValueError`, whichever way it fails inside."""
    with pytest.raises(ValueError, match=r"credits|decimals"):
        parse_credits(written)


@each_case(
    ("micro", "text"),
    [(73_500_000, "73.5"), (0, "0"), (1, "0.000001"), (-1, "-0.000001"), (100 * MICRO, "100"), (-MICRO, "-1")],
)
def test_amounts_are_written_short(micro: int, text: str) -> None:
    """An amount is written as the shortest exact decimal, without an exponent."""
    assert text == credits_text(micro)


@PROPERTY
@given(st.integers(-AMOUNT_MICROCREDITS_MAX, AMOUNT_MICROCREDITS_MAX))
def test_text_and_amount_go_round(micro: int) -> None:
    """What is written is read back as the same amount."""
    assert micro == parse_credits(credits_text(micro))


@PROPERTY
@given(st.text(max_size=30) | st.from_regex(r"-?[0-9.]{1,20}(e-?[0-9]{1,9})?", fullmatch=True))
def test_reading_fails_in_one_way_only(text: str) -> None:
    """Any text is an amount within the bounds or a `ValueError`."""
    try:
        micro = parse_credits(text)
    except ValueError:
        return

    assert abs(micro) <= AMOUNT_MICROCREDITS_MAX


@each_case(
    ("exact", "rounding", "micro"),
    [
        (Fraction(41_472_000), Rounding.EXACT, 41_472_000),
        (Fraction(41_472_000), Rounding.HALF_UP_TO_CREDIT, 41 * MICRO),
        (Fraction(41_472_000), Rounding.UP_TO_CREDIT, 42 * MICRO),
        (Fraction(41_972_000), Rounding.DOWN_TO_CREDIT, 41 * MICRO),
        (Fraction(41_500_000), Rounding.HALF_UP_TO_CREDIT, 42 * MICRO),
        (Fraction(42_500_000), Rounding.HALF_UP_TO_CREDIT, 43 * MICRO),
        (Fraction(42 * MICRO), Rounding.UP_TO_CREDIT, 42 * MICRO),
        (Fraction(1, 2), Rounding.EXACT, 1),
        (Fraction(1, 3), Rounding.EXACT, 0),
        (Fraction(1, 3), Rounding.UP_TO_CREDIT, MICRO),
        (Fraction(0), Rounding.UP_TO_CREDIT, 0),
    ],
)
def test_each_rounding_does_what_its_name_says(exact: Fraction, rounding: Rounding, micro: int) -> None:
    """A half goes up, not to the even neighbour; up and down are what they say."""
    assert micro == round_microcredits(exact, rounding)


@PROPERTY
@given(st.fractions(0, 10**15), st.sampled_from(Rounding))
def test_rounding_moves_less_than_one_step(exact: Fraction, rounding: Rounding) -> None:
    """A rounded amount is a whole number of steps, less than one step from the exact one."""
    step = 1 if rounding is Rounding.EXACT else MICRO

    rounded = round_microcredits(exact, rounding)

    assert (0, True) == (rounded % step, abs(rounded - exact) < step)


@PROPERTY
@given(st.fractions(0, 10**12), st.fractions(0, 10**12), st.sampled_from(Rounding))
def test_rounding_keeps_order(one: Fraction, other: Fraction, rounding: Rounding) -> None:
    """A larger amount never rounds to a smaller one."""
    assert (one <= other) <= (round_microcredits(one, rounding) <= round_microcredits(other, rounding))
