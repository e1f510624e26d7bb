"""What is offered instead of a refused request: valid, exactly priced, near, and never more than can be paid."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gatekeeper.core.alternatives import ALTERNATIVES_MAX, affordable, alternatives, at_tiers
from gatekeeper.core.credits import AMOUNT_MICROCREDITS_MAX, MICRO, parse_credits
from gatekeeper.core.price import worth
from gatekeeper.core.rejection import Alternative
from gatekeeper.core.request import GenerationRequest, Operation, ValidRequest
from gatekeeper.core.rules import FlatPrice, ScalePrice
from gatekeeper.core.sizes import Auto, Pixels, Ratio, Tier
from gatekeeper.core.spec import Combination, ModelSpec, SizeRange
from gatekeeper.core.validate import validate
from tests.cases import each_case
from tests.core.strategies import PROPERTY, amounts, any_requests, models, valid_looking_requests
from tests.factories import a_capability, a_model, a_plain_capability, a_price, a_request

SCALES = tuple(Fraction(n) for n in (2, 4, 8, 16))
MAGNIFIC = a_model(
    a_plain_capability(
        operations=(Operation.IMAGE_UPSCALE,),
        scales=SCALES,
        price=a_price(ScalePrice(dict(zip(SCALES, (n * MICRO for n in (65, 260, 520, 1040)), strict=True)))),
    )
)


def an_upscale(scale: int | None) -> GenerationRequest:
    """An upscale of a small picture."""
    factor = None if scale is None else Fraction(scale)
    return a_request(operation=Operation.IMAGE_UPSCALE, scale=factor, input_pixels=Pixels(640, 480))


def told(found: tuple[Alternative, ...]) -> list[tuple[str | None, ...]]:
    """Tier, ratio and size of each."""
    return [(each.resolution, each.aspect_ratio, each.size) for each in found]


def applied(request: GenerationRequest, alternative: Alternative) -> GenerationRequest:
    """The request that a caller would send who takes the alternative, with the other violations mended."""
    return replace(
        request,
        resolution=alternative.resolution,
        aspect_ratio=alternative.aspect_ratio,
        size=alternative.size,
        scale=Fraction(alternative.scale.removesuffix("x")) if alternative.scale else None,
        outputs=alternative.outputs,
        quality=alternative.quality,
        audio=alternative.audio,
        duration_s=alternative.duration_s,
        duration_auto=request.duration_auto and alternative.duration_s is None,
        prompt_length=5,
    )


def test_a_wrong_ratio_keeps_the_tier() -> None:
    """The nearest shapes at the tier that was asked."""
    found = alternatives(a_model(), a_request(resolution="2K", aspect_ratio="21:9"))

    assert [("2K", "16:9", "2752x1536"), ("2K", "1:1", "2048x2048"), ("2K", "9:16", "1536x2752")] == told(found)
    assert {parse_credits("73.5")} == {each.credits for each in found}


def test_a_wrong_tier_keeps_the_ratio() -> None:
    """Every tier in the shape that was asked, cheapest first."""
    found = alternatives(a_model(), a_request(resolution="8K", aspect_ratio="16x9", outputs=2))

    assert [("1K", 98, 2), ("2K", 147, 2), ("4K", 196, 2)] == [
        (each.resolution, each.credits // MICRO, each.outputs) for each in found
    ]


def test_a_wrong_tier_leaves_an_open_ratio_open() -> None:
    """A shape that the caller did not name is not named for them."""
    assert [("1K", None, None), ("2K", None, None), ("4K", None, None)] == told(
        alternatives(a_model(), a_request(resolution="8K"))
    )


def test_a_wrong_size_leads_to_its_shape() -> None:
    """The nearest shape at every tier, before the next shape."""
    found = alternatives(a_model(), a_request(size="1920x1080"))

    assert {("1K", "16:9", "1376x768"), ("2K", "16:9", "2752x1536"), ("4K", "16:9", "5504x3072")} <= set(told(found))


def test_too_many_outputs_change_nothing_else() -> None:
    """The one thing that was wrong is the one thing that differs."""
    found = alternatives(a_model(), a_request(resolution="2K", aspect_ratio="1:1", outputs=99))

    assert (Alternative(294 * MICRO, "2K", "1:1", "2048x2048", outputs=4),) == found


def test_a_contradiction_offers_both_readings() -> None:
    """Which of two words was meant is the caller's to say."""
    found = alternatives(a_model(), a_request(size="1024x1024", resolution="4K"))

    assert [("1K", "1:1", "1024x1024"), ("4K", "1:1", "4096x4096")] == told(found)


def test_an_unsold_pair_offers_either_half() -> None:
    """The same shape at other tiers, and other shapes at the same tier."""
    model = a_model(a_capability(not_sold=(Combination("4K", "16:9"),)))

    found = told(alternatives(model, a_request(resolution="4K", aspect_ratio="16:9")))

    assert {("2K", "16:9", "2752x1536"), ("4K", "1:1", "4096x4096")} <= set(found)


@pytest.mark.parametrize(("words", "size"), [({"size": "100x100"}, "512x512"), ({"resolution": "1K"}, None)])
def test_a_range_alone_offers_a_size_inside_it(words: dict[str, str], size: str | None) -> None:
    """Where the model has neither tiers nor ratios, the size is moved inside, or left out if none was asked."""
    model = a_model(a_plain_capability(size_range=SizeRange(64, 2048, area_min=512 * 512)))

    assert (Alternative(20 * MICRO, size=size),) == alternatives(model, a_request(**words))


def test_a_valid_free_size_stays() -> None:
    """A size that the model takes is kept while something else is mended."""
    model = a_model(a_plain_capability(size_range=SizeRange(64, 2048)))

    assert (Alternative(20 * MICRO, size="777x333"),) == alternatives(
        model, a_request(size="777x333", scale=Fraction(2))
    )


@pytest.mark.parametrize("scale", [None, 3])
def test_a_missing_or_wrong_scale_runs_through_the_list(scale: int | None) -> None:
    """Cheapest first."""
    assert [("2x", 65), ("4x", 260), ("8x", 520), ("16x", 1040)] == [
        (each.scale, each.credits // MICRO) for each in alternatives(MAGNIFIC, an_upscale(scale))
    ]


def test_nothing_is_offered_for_what_cannot_be_priced() -> None:
    """Neither for another operation, nor beyond the largest amount."""
    beyond = a_model(a_plain_capability(price=a_price(FlatPrice(AMOUNT_MICROCREDITS_MAX)), outputs_max=4))

    assert () == alternatives(MAGNIFIC, a_request())
    assert () == alternatives(beyond, a_request(outputs=2, resolution="1K"))
    assert () == affordable(MAGNIFIC, a_request(), 10**9)
    assert () == affordable(a_model(), a_request(outputs=99), 10**9)


@each_case(
    ("available", "found"),
    [
        (391, [("1K", 4, 196), ("4K", 3, 294), ("2K", 4, 294)]),
        (150, [("4K", 1, 98), ("1K", 3, 147), ("2K", 2, 147)]),
        (49, [("1K", 1, 49)]),
        (48, []),
        (0, []),
        (-5, []),
    ],
)
def test_what_the_credits_still_buy(available: int, found: list[tuple[str, int, int]]) -> None:
    """As many outputs as fit at the tier asked and at each cheaper one."""
    bought = affordable(a_model(), a_request(resolution="4K", aspect_ratio="1:1", outputs=4), available * MICRO)

    assert found == [(each.resolution, each.outputs or 1, each.credits // MICRO) for each in bought]


def test_a_dearer_tier_is_not_offered_to_who_cannot_pay() -> None:
    """One large picture is no answer to who asked for many small ones."""
    assert {"1K"} == {each.resolution for each in affordable(a_model(), a_request(size="1K", outputs=4), 150 * MICRO)}


def test_a_smaller_scale_is_what_an_upscale_can_afford() -> None:
    """Scales are to an upscale what tiers are to a generation."""
    assert ["2x", "4x"] == [each.scale for each in affordable(MAGNIFIC, an_upscale(16), 300 * MICRO)]


@PROPERTY
@given(models, st.data())
def test_every_alternative_is_valid_at_its_price(model: ModelSpec, data: st.DataObject) -> None:
    """Sent as it is told, it is accepted and costs what it said; at most five, cheapest first, none twice."""
    request = data.draw(any_requests(model))

    found = alternatives(model, request)

    assert len(set(found)) == len(found) <= ALTERNATIVES_MAX
    assert all(low.credits <= high.credits for low, high in pairwise(found))
    for each in found:
        valid = validate(model, applied(request, each))
        assert isinstance(valid, ValidRequest)
        assert each.credits == worth(model, valid).credits


@PROPERTY
@given(models, st.data())
def test_what_was_valid_stays(model: ModelSpec, data: st.DataObject) -> None:
    """A tier, ratio or scale that is sold, asked beside something wrong, is in every alternative."""
    request = replace(data.draw(valid_looking_requests(model)), outputs=10**9)
    asked = [meaning for _, meaning in request.sizes_asked()]
    assume(isinstance(validate(model, replace(request, outputs=1)), ValidRequest) and Auto() not in asked)

    for each in alternatives(model, request):
        assert {m.name for m in asked if isinstance(m, Tier)} <= {each.resolution}
        assert {m.label for m in asked if isinstance(m, Ratio)} <= {each.aspect_ratio}
        assert {str(m) for m in asked if isinstance(m, Pixels)} <= {each.size}
        assert request.scale is None or each.scale is not None


@PROPERTY
@given(models, st.data(), st.integers(-5, 10**8) | amounts)
def test_affordable_never_exceeds_the_credits(model: ModelSpec, data: st.DataObject, available: int) -> None:
    """What is offered to a team that is short of credits is valid and within what it has."""
    request = data.draw(valid_looking_requests(model))

    found = affordable(model, request, available)

    assert len(found) <= ALTERNATIVES_MAX
    assert all(each.credits <= available for each in found)
    for each in found:
        assert isinstance(validate(model, applied(request, each)), ValidRequest)


def test_a_request_at_lower_tiers_keeps_its_shape() -> None:
    """Cheapest first, each with its price; a tier that the model has not is left out."""
    found = at_tiers(a_model(), a_request(size="4K", aspect_ratio="9:16", outputs=2), ("2K", "1K", "8K"))

    assert [("1K", "9:16", 98 * MICRO), ("2K", "9:16", 147 * MICRO)] == [
        (each.resolution, each.aspect_ratio, each.credits) for each in found
    ]
