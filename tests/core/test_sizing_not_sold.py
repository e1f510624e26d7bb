"""What is known but not sold: pairs of settings, default tiers, and sizes that only the vendor's table has."""

from typing import Any

import pytest

from gatekeeper.core.rejection import Code
from gatekeeper.core.sizes import Pixels
from gatekeeper.core.sizing import SizeChoice
from gatekeeper.core.spec import Capability, Combination, SizeRange
from tests.cases import each_case
from tests.factories import PIXELS, RATIOS, TIERS, a_capability, a_request, sized

NO_4K_WIDE = (Combination("4K", "16:9"),)


def chosen(capability: Capability, **words: Any) -> SizeChoice:
    """The choice of a request that must be valid."""
    choice, wrong = sized(capability, a_request(**words))
    assert not wrong
    return choice


def wrong_with(capability: Capability, **words: Any) -> list[tuple[Code, str, str | None]]:
    """Code, field and nearest of each violation."""
    _, wrong = sized(capability, a_request(**words))
    return [(v.code, v.field, v.nearest) for v in wrong]


def test_a_vendor_size_that_is_not_sold_is_refused() -> None:
    """A pixel table that knows more than the lists does not widen what is sold."""
    table = PIXELS | {("1K", "21:9"): Pixels(1584, 672), ("512", "1:1"): Pixels(512, 512)}
    capability = a_capability(pixels=table)

    assert [(Code.UNSUPPORTED_SIZE, "size", "1376x768")] == wrong_with(capability, size="1584x672")
    assert [(Code.UNSUPPORTED_SIZE, "size", "1024x1024")] == wrong_with(capability, size="512x512")


@each_case(
    ("words", "tiers"),
    [
        ({"aspect_ratio": "16:9"}, ("1K", "2K")),
        ({"aspect_ratio": "16:9", "size": "auto"}, ("1K", "2K")),
        ({"aspect_ratio": "1:1"}, TIERS),
        ({}, TIERS),
    ],
)
def test_an_open_tier_is_narrowed_to_what_is_sold(words: dict[str, str], tiers: tuple[str, ...]) -> None:
    """Only tiers that are sold with the ratio may come out."""
    assert tiers == chosen(a_capability(not_sold=NO_4K_WIDE), **words).resolutions_possible


def test_an_open_ratio_is_valid_while_one_is_sold() -> None:
    """A tier that is not sold in one shape is still sold when the shape is left open."""
    assert "4K" == chosen(a_capability(not_sold=NO_4K_WIDE), resolution="4K").resolution


@pytest.mark.parametrize(
    "words",
    [{"resolution": "4K", "aspect_ratio": "16:9"}, {"size": "5504x3072"}, {"size": "4K", "aspect_ratio": "16:9"}],
)
def test_a_pair_that_is_not_sold_is_refused(words: dict[str, str]) -> None:
    """However it is said, the refusal lists the pairs that are sold and names the same shape at the next tier."""
    _, (violation,) = sized(a_capability(not_sold=NO_4K_WIDE), a_request(**words))

    assert (Code.UNSUPPORTED_COMBINATION, "4K 16:9") == (violation.code, violation.requested)
    assert (8, "2K 16:9") == (len(violation.supported), violation.nearest)


def test_a_default_that_is_not_sold_with_the_ratio_is_refused() -> None:
    """The vendor would fill in its default, so the request is the unsold pair although nobody wrote it."""
    capability = a_capability(not_sold=NO_4K_WIDE, resolution_default="4K")

    assert [(Code.UNSUPPORTED_COMBINATION, "resolution", "2K 16:9")] == wrong_with(capability, aspect_ratio="16:9")


def test_a_tier_that_is_sold_in_no_shape_is_refused() -> None:
    """When every ratio of a tier is excluded, leaving the ratio open does not help; another tier would."""
    excluded = tuple(Combination("4K", ratio) for ratio in RATIOS)

    assert [(Code.UNSUPPORTED_COMBINATION, "resolution", "2K 1:1")] == wrong_with(
        a_capability(not_sold=excluded), resolution="4K"
    )


def test_one_tier_left_is_the_tier() -> None:
    """When all other tiers are excluded, the last one is no longer open."""
    excluded = (Combination("4K", "16:9"), Combination("2K", "16:9"))

    assert "1K" == chosen(a_capability(not_sold=excluded), aspect_ratio="16:9").resolution


def test_a_free_size_gets_no_tier_even_if_one_is_left() -> None:
    """It is priced at the last tier, but naming that tier beside the size would be refused."""
    excluded = (Combination("4K", "16:9"), Combination("2K", "16:9"))
    capability = a_capability(not_sold=excluded, size_range=SizeRange(256, 5000))

    assert SizeChoice(None, "16:9", Pixels(1920, 1088), ("1K",)) == chosen(capability, size="1920x1088")
