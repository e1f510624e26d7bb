"""What holds for every price list and every request: searched, not listed."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gatekeeper.core.credits import AMOUNT_MICROCREDITS_MAX, Rounding
from gatekeeper.core.making import closings
from gatekeeper.core.outcome import Made
from gatekeeper.core.price import charge, quote, worth
from gatekeeper.core.rating import has_open_input
from gatekeeper.core.rejection import Code, Rejected
from gatekeeper.core.request import ValidRequest
from gatekeeper.core.rules import (
    BaseSecondsPrice,
    MegapixelScalePrice,
    QualityPrice,
    SecondsPrice,
    TierMultiplierPrice,
    TierPrice,
    TimedPrice,
    TokenPrice,
)
from gatekeeper.core.sizes import Pixels
from gatekeeper.core.spec import Audio, ModelSpec
from gatekeeper.core.validate import validate
from tests.core.strategies import PROPERTY, amounts, mades, models, tiered_models, valid_looking_requests
from tests.factories import TIERS, a_capability, a_model, a_plain_capability, a_price, a_valid_request


def drawn(model: ModelSpec, data: st.DataObject) -> ValidRequest:
    """A request that this model takes; the search goes on if it takes none like it."""
    found = validate(model, data.draw(valid_looking_requests(model)))
    assume(isinstance(found, ValidRequest))
    assert isinstance(found, ValidRequest)
    return found


@PROPERTY
@given(models, st.data())
def test_a_price_is_never_negative_and_its_lines_sum_to_it(model: ModelSpec, data: st.DataObject) -> None:
    """Neither the total nor any line is below zero, and each line is its unit times its number."""
    found = worth(model, drawn(model, data))

    assert found.credits == sum(line.unit_credits * line.times for line in found.lines)
    assert min(line.credits for line in found.lines) >= 0


@PROPERTY
@given(models, st.data(), st.integers(1, 50))
def test_n_outputs_cost_n_times_one(model: ModelSpec, data: st.DataObject, outputs: int) -> None:
    """Rounding and minimum are applied to one output, so more outputs never cost less nor another amount each."""
    request = drawn(model, data)

    one = worth(model, replace(request, outputs=1)).credits

    assert outputs * one == worth(model, replace(request, outputs=outputs)).credits


@PROPERTY
@given(models, st.data())
def test_an_open_request_costs_the_most_of_the_closed_ones(model: ModelSpec, data: st.DataObject) -> None:
    """It is an upper bound exactly if something cheaper may come out, or a video goes in whose length counts."""
    request = drawn(model, data)

    found = worth(model, request)

    capability = model.capability(request.operation)
    assert capability is not None
    of_input = has_open_input(capability.price.rule, request)
    closed = {worth(model, each).credits for each in every_way(model, request)}
    assert (max(closed), len(closed) > 1 or of_input) == (found.credits, found.upper_bound)


def every_way(model: ModelSpec, request: ValidRequest) -> Iterator[ValidRequest]:
    """Each combination of what is open that is sold together, one by one."""
    able = model.capabilities[0]
    first, last = (*request.durations_possible, None, None)[:2]
    between = tuple(each for each in able.durations if first is not None and last is not None and first <= each <= last)
    open_quality = request.quality is None and isinstance(able.price.rule, QualityPrice)
    for tier, seconds, sound, quality in product(
        request.resolutions_possible or (request.resolution,),
        between or (request.duration_s,),
        able.sounds if request.audio_open else (request.audio,),
        able.qualities if open_quality else (request.quality,),
    ):
        if able.sells(tier, request.aspect_ratio, seconds, sound):
            plain = replace(request, resolutions_possible=(), durations_possible=(), audio_open=False)
            yield replace(plain, resolution=tier, duration_s=seconds, audio=sound, quality=quality)


@PROPERTY
@given(tiered_models, st.data())
def test_leaving_more_open_never_costs_less(model: ModelSpec, data: st.DataObject) -> None:
    """Saying "auto" beside or in place of a tier holds at least what the tier itself would."""
    request = replace(data.draw(valid_looking_requests(model)), size=None)
    closed = replace(request, resolution=data.draw(st.sampled_from(model.capabilities[0].resolutions)))
    found = validate(model, closed)
    assume(isinstance(found, ValidRequest))
    assert isinstance(found, ValidRequest)

    longer = replace(closed, duration_s=None, duration_auto=True)
    # Sound that is not asked for is the model's choice where it has no default, and only then open.
    unheard = longer if model.capabilities[0].audio_default is not None else replace(longer, audio=None)
    for opened in (replace(closed, size="auto"), replace(closed, resolution="auto"), longer, unheard):
        open_too = validate(model, opened)
        assert isinstance(open_too, ValidRequest)
        assert worth(model, found).credits <= worth(model, open_too).credits


@PROPERTY
@given(models, st.data())
def test_a_quote_is_bookable_or_refused(model: ModelSpec, data: st.DataObject) -> None:
    """No amount that the ledger cannot hold ever leaves as a quote."""
    request = replace(drawn(model, data), outputs=data.draw(st.integers(1, 10**12)))

    amount = worth(model, request).credits

    if amount <= AMOUNT_MICROCREDITS_MAX:
        assert amount == quote(model, request).credits
    else:
        with pytest.raises(Rejected, match=Code.PRICE_UNDETERMINED):
            quote(model, request)


@PROPERTY
@given(models, st.data())
def test_a_charge_is_never_beyond_the_hold(model: ModelSpec, data: st.DataObject) -> None:
    """Whatever a provider says it made, and whatever was held, the charge and the rest are the worth."""
    request, made, held = drawn(model, data), data.draw(mades(model)), data.draw(st.just(0) | amounts)

    found = charge(model, request, made, held)

    assert (0 <= found.credits <= held, found.over >= 0) == (True, True)
    assert found.quote.credits == found.credits + found.over
    assert found.over == 0 or found.credits == held


@PROPERTY
@given(models, st.data())
def test_everything_made_as_asked_is_charged_as_quoted(model: ModelSpec, data: st.DataObject) -> None:
    """With the pixels shown or not, as long as they are those of the request."""
    request = drawn(model, data)
    quoted, scale = worth(model, request), request.scale
    shown = None if scale else request.size if request.resolution else None

    for pixels in ((), (shown,) * request.outputs):
        sound = None if request.audio_open else request.audio
        made = Made(request.outputs, pixels, duration_s=request.duration_s, audio=sound)
        found = charge(model, request, made, quoted.credits)
        assert (quoted.credits, 0) == (found.credits, found.over)


@PROPERTY
@given(models, st.data())
def test_fewer_made_cost_in_proportion(model: ModelSpec, data: st.DataObject) -> None:
    """Each output that was not made frees its part of the hold."""
    request = drawn(model, data)
    held, made = worth(model, request).credits, data.draw(st.integers(0, request.outputs))

    assert held * made == charge(model, request, Made(made), held).credits * request.outputs


@PROPERTY
@given(st.lists(amounts, min_size=3, max_size=3), amounts, st.booleans())
def test_prices_are_monotone_in_tier_where_the_list_is(table: list[int], minimum: int, enhance: bool) -> None:
    """Add-ons and a minimum keep the order of the list."""
    rule = TierPrice(dict(zip(TIERS, sorted(table), strict=True)))
    model = a_model(a_capability(price=a_price(rule, minimum=minimum)))

    found = [worth(model, a_valid_request(resolution=t, enhance_prompt=enhance)).credits for t in TIERS]

    assert sorted(found) == found


@PROPERTY
@given(models, st.data())
def test_what_may_come_out_is_sold(model: ModelSpec, data: st.DataObject) -> None:
    """There is always something, nothing of it is open, and nothing of it is a combination that is not sold."""
    request, able = drawn(model, data), model.capabilities[0]

    found = list(closings(able, request))

    assert found
    assert not any(each.resolutions_possible or each.durations_possible or each.audio_open for each in found)
    assert all(able.sells(e.resolution, e.aspect_ratio, e.duration_s, e.audio) for e in found)


@PROPERTY
@given(models, st.data())
def test_what_may_come_out_is_never_beyond_the_hold(model: ModelSpec, data: st.DataObject) -> None:
    """Whichever of the possible outputs it is, the hold covers it, and it is charged at least its own price."""
    request = drawn(model, data)
    held = worth(model, request).credits

    for each in every_way(model, request):
        made = Made(
            request.outputs,
            quality=each.quality,
            duration_s=each.duration_s,
            resolution=each.resolution,
            audio=each.audio,
        )
        found = charge(model, request, made, held)
        assert (0, True) == (found.over, found.credits >= worth(model, each).credits)


@PROPERTY
@given(models, st.data(), st.integers(0, 10**9), st.integers(0, 10**9))
def test_more_tokens_never_cost_less(model: ModelSpec, data: st.DataObject, fewer: int, more: int) -> None:
    """Where tokens are not the price they change nothing."""
    request, made = drawn(model, data), Made(2)

    found = [charge(model, request, replace(made, tokens=t), 0).over for t in sorted((fewer, fewer + more))]

    assert sorted(found) == found


LENGTHS = tuple(Fraction(each) for each in (1, 2, 5, 8, 15))
RATES = st.fixed_dictionaries({("1K", False): amounts, ("1K", True): amounts})
TIMED = st.one_of(
    st.builds(SecondsPrice, RATES, st.sampled_from(Rounding)),
    st.builds(BaseSecondsPrice, RATES, RATES, st.sampled_from(LENGTHS), st.sampled_from(Rounding)),
    st.builds(TokenPrice, RATES, st.just(24), st.sampled_from(Rounding)),
)


@PROPERTY
@given(TIMED, amounts, st.booleans())
def test_prices_by_time_rise_with_time(rule: TimedPrice, minimum: int, sound: bool) -> None:
    """No rounding, base or minimum makes a longer one cheaper, nor what was made of it."""
    model = a_model(a_capability(price=a_price(rule, minimum=minimum), durations=LENGTHS, audio=Audio.OPTIONAL))
    requests = [a_valid_request(duration_s=each, audio=sound) for each in LENGTHS]

    found = [worth(model, request).credits for request in requests]
    came = [charge(model, requests[0], Made(1, duration_s=each), 0).over for each in (*LENGTHS, Fraction(40))]

    assert (sorted(found), sorted(came)) == (found, came)
    assert found == came[: len(LENGTHS)]


FACTORS = st.lists(st.fractions(0, 16, max_denominator=50), min_size=3, max_size=3)


@PROPERTY
@given(amounts, FACTORS, st.sampled_from(Rounding))
def test_multiplied_prices_are_monotone_in_tier(base: int, factors: list[Fraction], rounding: Rounding) -> None:
    """No rounding turns a larger factor into a smaller amount."""
    rule = TierMultiplierPrice(base, dict(zip(TIERS, sorted(factors), strict=True)), rounding)
    model = a_model(a_capability(price=a_price(rule)))

    found = [worth(model, a_valid_request(resolution=tier)).credits for tier in TIERS]

    assert sorted(found) == found


SIDES = st.integers(1, 20_000)


@PROPERTY
@given(amounts, FACTORS, st.sampled_from(Rounding), st.builds(Pixels, SIDES, SIDES))
def test_upscales_are_monotone_in_scale_and_input(
    base: int, factors: list[Fraction], rounding: Rounding, input_pixels: Pixels
) -> None:
    """A larger scale, or one more row of input, never costs less."""
    scales = (Fraction(2), Fraction(3), Fraction(4))
    rule = MegapixelScalePrice(base, dict(zip(scales, sorted(factors), strict=True)), rounding)
    model = a_model(a_plain_capability(price=a_price(rule), scales=scales))
    request = a_valid_request(resolution=None, input_pixels=input_pixels)

    found = [worth(model, replace(request, scale=scale)).credits for scale in scales]

    taller = Pixels(input_pixels.width, input_pixels.height + 1)
    assert sorted(found) == found
    assert found[0] <= worth(model, replace(request, scale=scales[0], input_pixels=taller)).credits
