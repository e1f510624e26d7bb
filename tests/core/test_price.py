"""What a request costs and what an outcome is charged: exact, in proportion, and never beyond the hold."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest

from gatekeeper.core.credits import AMOUNT_MICROCREDITS_MAX, MICRO, Rounding, parse_credits
from gatekeeper.core.outcome import Made
from gatekeeper.core.price import Line, charge, quote, worth
from gatekeeper.core.rejection import Code, Rejected
from gatekeeper.core.request import Operation, ValidRequest
from gatekeeper.core.rules import (
    AddOn,
    AddOnTrigger,
    FlatPrice,
    MegapixelScalePrice,
    PriceRule,
    ScalePrice,
    TierMultiplierPrice,
    TierPrice,
)
from gatekeeper.core.sizes import Pixels
from gatekeeper.core.spec import ModelSpec
from tests.cases import each_case
from tests.factories import PIXELS, TIERS, a_capability, a_model, a_plain_capability, a_price, a_valid_request

ENHANCER = AddOn(AddOnTrigger.ENHANCE_PROMPT, MICRO)
TOPAZ = MegapixelScalePrice(
    20 * MICRO, {Fraction(2): Fraction(1), Fraction(3): Fraction(2), Fraction(4): Fraction(3)}, Rounding.EXACT
)
MAGNIFIC = ScalePrice({Fraction(scale): n * MICRO for scale, n in ((2, 65), (4, 260), (8, 520), (16, 1040))})


def priced(rule: PriceRule, **changes: Any) -> ModelSpec:
    """A model with this rule; one without tiers if the rule needs none."""
    tiered = isinstance(rule, TierPrice | TierMultiplierPrice)
    return a_model((a_capability if tiered else a_plain_capability)(price=a_price(rule, **changes)))


def an_upscale(scale: int, width: int = 1920, height: int = 1080) -> ValidRequest:
    """A valid upscale."""
    return a_valid_request(resolution=None, scale=Fraction(scale), input_pixels=Pixels(width, height))


@pytest.mark.parametrize(("tier", "text"), [("1K", "49"), ("2K", "73.5"), ("4K", "98")])
def test_a_tier_has_its_amount(tier: str, text: str) -> None:
    """Half credits included."""
    found = quote(a_model(), a_valid_request(resolution=tier, outputs=2))

    assert (Line(f"image generate, {tier}", parse_credits(text), 2),) == found.lines
    assert (2 * parse_credits(text), False) == (found.credits, found.upper_bound)


def test_a_flat_price_is_the_same_for_all() -> None:
    """One amount for every output."""
    found = quote(priced(FlatPrice(5 * MICRO)), a_valid_request(resolution=None, outputs=4))

    assert (Line("image generate", 5 * MICRO, 4),) == found.lines


@each_case(
    ("rounding", "text"),
    [
        (Rounding.EXACT, "13.125"),
        (Rounding.HALF_UP_TO_CREDIT, "13"),
        (Rounding.UP_TO_CREDIT, "14"),
        (Rounding.DOWN_TO_CREDIT, "13"),
    ],
)
def test_a_tier_multiplier_is_rounded_once_for_each_output(rounding: Rounding, text: str) -> None:
    """The rounded amount of one is multiplied, never the exact one."""
    rule = TierMultiplierPrice(parse_credits("10.5"), dict.fromkeys(TIERS, Fraction(5, 4)), rounding)

    found = quote(priced(rule), a_valid_request(outputs=3))

    assert (Line("image generate, 1K (x 1.25)", parse_credits(text), 3),) == found.lines


@each_case(("scale", "whole"), [(2, 65), (4, 260), (8, 520), (16, 1040)])
def test_a_scale_has_its_amount(scale: int, whole: int) -> None:
    """Magnific's table, whatever the size of the input."""
    assert (Line(f"image generate, {scale}x", whole * MICRO, 1),) == quote(priced(MAGNIFIC), an_upscale(scale)).lines


@pytest.mark.parametrize(("scale", "text"), [(2, "41.472"), (3, "82.944"), (4, "124.416")])
def test_input_megapixels_times_the_scales_factor(scale: int, text: str) -> None:
    """Topaz: a megapixel is 10^6 pixels of the input; 1920x1080 at 2x is 41.472 credits."""
    found = quote(priced(TOPAZ), an_upscale(scale))

    item = f"image generate, {scale}x (2.0736 MP x {scale - 1})"
    assert (Line(item, parse_credits(text), 1),) == found.lines


def test_a_megapixel_price_rounds_as_its_list_says() -> None:
    """Half-up to a credit gives the 41 of the published example."""
    rounded = replace(TOPAZ, rounding=Rounding.HALF_UP_TO_CREDIT)

    assert 41 * MICRO == quote(priced(rounded), an_upscale(2)).credits


def test_an_add_on_is_a_line_of_its_own() -> None:
    """It is charged for each output, and only when the setting is on."""
    model = priced(FlatPrice(5 * MICRO), add_ons=(ENHANCER,))
    request = a_valid_request(resolution=None, outputs=2)

    plain, enhanced = quote(model, request), quote(model, replace(request, enhance_prompt=True))

    assert (10 * MICRO, 12 * MICRO) == (plain.credits, enhanced.credits)
    assert Line("add-on: enhance prompt", MICRO, 2) == enhanced.lines[1]


@pytest.mark.parametrize(("enhance_prompt", "added"), [(False, [2 * MICRO]), (True, [MICRO, MICRO])])
def test_the_minimum_holds_for_one_output_with_its_add_ons(enhance_prompt: bool, added: list[int]) -> None:
    """What is missing to the least amount is shown as a line, not hidden in the price."""
    model = priced(FlatPrice(5 * MICRO), add_ons=(ENHANCER,), minimum=7 * MICRO)

    found = quote(model, a_valid_request(resolution=None, outputs=3, enhance_prompt=enhance_prompt))

    assert 21 * MICRO == found.credits
    assert ("up to the minimum", added) == (found.lines[-1].item, [line.unit_credits for line in found.lines[1:]])


def test_a_minimum_below_the_price_changes_nothing() -> None:
    """The least amount is no surcharge."""
    model = priced(FlatPrice(5 * MICRO), minimum=5 * MICRO)

    assert 1 == len(quote(model, a_valid_request(resolution=None)).lines)


def test_an_open_tier_costs_the_dearest_that_may_come_out() -> None:
    """The quote says that it is the most it can come to."""
    found = quote(a_model(), a_valid_request(resolution=None, resolutions_possible=("1K", "4K", "2K")))

    assert (98 * MICRO, True, "image generate, 4K") == (found.credits, found.upper_bound, found.lines[0].item)


def test_an_open_tier_at_one_price_is_exact() -> None:
    """Where all that may come out costs the same there is nothing to settle down to."""
    found = quote(priced(FlatPrice(MICRO)), a_valid_request(resolution=None, resolutions_possible=TIERS))

    assert (MICRO, False) == (found.credits, found.upper_bound)


def test_an_amount_beyond_the_ledgers_largest_is_a_refusal() -> None:
    """It names its code and what to do; the largest amount itself is still quoted."""
    model = priced(FlatPrice(AMOUNT_MICROCREDITS_MAX))
    request = a_valid_request(resolution=None)

    with pytest.raises(Rejected, match="9000000000 credits") as raised:
        quote(model, replace(request, outputs=2))

    assert Code.PRICE_UNDETERMINED == raised.value.rejection.code
    assert AMOUNT_MICROCREDITS_MAX == quote(model, request).credits
    assert 2 * AMOUNT_MICROCREDITS_MAX == worth(model, replace(request, outputs=2)).credits


ASKED = a_valid_request(resolution="2K", outputs=4)
HELD = 4 * parse_credits("73.5")
AT_1K, AT_2K, AT_4K = (PIXELS[tier, "1:1"] for tier in TIERS)


@each_case(
    ("made", "text"),
    [
        (Made(4), "294"),
        (Made(4, (AT_2K,) * 4), "294"),
        (Made(3), "220.5"),
        (Made(1, (None,)), "73.5"),
        (Made(0), "0"),
        (Made(-1, (AT_2K,)), "0"),
        (Made(4, (AT_1K,) * 4), "196"),
        (Made(4, (AT_1K, AT_2K, None)), "269.5"),
        (Made(2, (Pixels(7, 7), Pixels(2000, 2001))), "147"),
        (Made(2, (AT_1K,) * 9), "98"),
        (Made(1, (AT_4K,)), "98"),
    ],
)
def test_what_was_made_is_charged(made: Made, text: str) -> None:
    """Known pixels at their tier, unknown ones and unseen ones as asked, and only as many as were made."""
    found = charge(a_model(), ASKED, made, HELD)

    assert (parse_credits(text), parse_credits(text), 0) == (found.credits, found.quote.credits, found.over)


@pytest.mark.parametrize(("made", "over"), [(Made(5), "73.5"), (Made(4, (AT_4K,) * 4), "98"), (Made(10**9), None)])
def test_what_goes_beyond_the_hold_is_not_charged(made: Made, over: str | None) -> None:
    """A provider that makes more than was asked does so at its own risk, and it takes no time to say so."""
    found = charge(a_model(), ASKED, made, HELD)

    assert HELD == found.credits
    assert (parse_credits(over) if over else found.quote.credits - HELD) == found.over


def test_an_open_tier_is_settled_down_to_the_fact() -> None:
    """What came out at 1K of a request left open is charged at 1K; what cannot be told, at what was held."""
    request = a_valid_request(resolution=None, resolutions_possible=TIERS, outputs=2)

    found = charge(a_model(), request, Made(2, (AT_1K, None)), 196 * MICRO)

    assert 147 * MICRO == found.credits


def test_a_vendor_size_that_is_not_sold_is_charged_as_asked() -> None:
    """A pixel table that knows more tiers than the price list does not break a settlement."""
    table = PIXELS | {("512", "1:1"): Pixels(512, 512)}
    model = a_model(a_capability(pixels=table))

    assert (
        98 * MICRO == charge(model, a_valid_request(resolution="4K"), Made(1, (Pixels(512, 512),)), 98 * MICRO).credits
    )


@each_case(
    ("made", "worth_text"),
    [
        (Pixels(3840, 2160), "41.472"),
        (Pixels(3841, 2161), "41.472"),
        (Pixels(3000, 2000), "41.472"),
        (Pixels(2160, 3840), "41.472"),
        (Pixels(7680, 4320), "165.888"),
    ],
)
def test_an_output_shows_that_the_input_was_larger_than_claimed(made: Pixels, worth_text: str) -> None:
    """A caller who claims a small input is found out; a provider that caps its output lowers nothing."""
    held = parse_credits("41.472")

    found = charge(priced(TOPAZ), an_upscale(2), Made(1, (made,)), held)

    assert (held, parse_credits(worth_text) - held) == (found.credits, found.over)


def test_prices_rise_with_tier_and_scale_where_the_list_does() -> None:
    """A list that rises gives prices that rise."""
    tiers = [quote(a_model(), a_valid_request(resolution=tier)).credits for tier in TIERS]
    scales = [quote(priced(MAGNIFIC), an_upscale(scale)).credits for scale in (2, 4, 8, 16)]
    inputs = [quote(priced(TOPAZ), an_upscale(2, side, side)).credits for side in (1, 999, 1000, 5000)]

    assert [True] * 8 == [low < high for rising in (tiers, scales, inputs) for low, high in pairwise(rising)]


def test_a_line_is_named_after_the_operation() -> None:
    """What a quote prices is the operation in words."""
    model = a_model(a_plain_capability(operations=(Operation.IMAGE_STYLE_REFERENCE,)))

    found = quote(model, a_valid_request(operation=Operation.IMAGE_STYLE_REFERENCE, resolution=None))

    assert "image style reference" == found.lines[0].item
