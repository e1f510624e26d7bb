"""What a model's description answers about itself."""

from fractions import Fraction
from typing import Any

import pytest

from gatekeeper.core.rejection import number_text
from gatekeeper.core.request import GenerationRequest, Operation
from gatekeeper.core.sizes import Pixels
from gatekeeper.core.spec import Audio, Combination, Offer, SizeRange, scale_text
from tests.cases import each_case
from tests.factories import RATIOS, a_capability, a_model, a_video_capability

BOUNDS = SizeRange(
    side_min=256,
    side_max=2048,
    multiple_of=16,
    area_min=512 * 512,
    area_max=1536 * 1536,
    ratio_min=Fraction(1, 3),
    ratio_max=Fraction(3),
)


@each_case(
    ("size", "inside"),
    [
        (Pixels(1024, 1024), True),
        (Pixels(512, 512), True),
        (Pixels(1536, 1536), True),
        (Pixels(496, 512), False),
        (Pixels(1552, 1536), False),
        (Pixels(1024, 1000), False),
        (Pixels(240, 1024), False),
        (Pixels(2064, 1024), False),
        (Pixels(1536, 512), True),
        (Pixels(1600, 512), False),
        (Pixels(512, 1600), False),
    ],
)
def test_a_range_holds_every_bound(size: Pixels, inside: bool) -> None:
    """Sides, multiples, area and ratio each keep a size out, and the bounds themselves are inside."""
    assert inside == BOUNDS.contains(size)


def test_a_range_says_its_bounds() -> None:
    """A refusal can name all bounds, an open one as open."""
    assert (
        "256 to 2048 px a side",
        "sides in multiples of 16",
        "262144 to 2359296 px in all",
        "width:height 1:3 to 3:1",
    ) == BOUNDS.describe()
    assert ("1 to 9 px a side", "width:height 2:1 to any") == SizeRange(1, 9, ratio_min=Fraction(2)).describe()
    assert ("1 to 9 px a side", "width:height any to 2:1") == SizeRange(1, 9, ratio_max=Fraction(2)).describe()
    assert ("1 to 9 px a side", "4 to any px in all") == SizeRange(1, 9, area_min=4).describe()


@each_case(
    ("resolution", "aspect_ratio", "sold"),
    [("4K", "16:9", False), ("4K", "1:1", True), ("1K", "16:9", True), ("4K", None, True), (None, "16:9", True)],
)
def test_a_combination_needs_both_its_settings(resolution: str | None, aspect_ratio: str | None, sold: bool) -> None:
    """A setting that is left open is not the one that is not sold."""
    capability = a_capability(not_sold=(Combination("4K", "16:9"),))

    assert sold == capability.sells(resolution, aspect_ratio)


def test_a_half_empty_combination_matches_anything_there() -> None:
    """A combination that names no ratio takes a whole tier out of sale."""
    capability = a_capability(not_sold=(Combination(resolution="4K"),))

    assert [False] * 3 == [capability.sells("4K", ratio) for ratio in RATIOS]


def test_a_table_may_say_more_than_is_sold() -> None:
    """A size of the vendor's whose tier or ratio is not in the lists is no size of this model."""
    wide, small, sold = Pixels(1584, 672), Pixels(512, 512), Pixels(1024, 1024)
    table = {("1K", "21:9"): wide, ("512", "1:1"): small, ("1K", "1:1"): sold}
    capability = a_capability(pixels=table)

    assert (None, None, ("1K", "1:1")) == tuple(capability.listed(size) for size in (wide, small, sold))
    assert (sold,) == capability.sizes_sold()


def test_a_size_of_an_unsold_pair_is_not_for_sale() -> None:
    """The sizes named as allowed leave out what is not sold together."""
    capability = a_capability(not_sold=(Combination("4K", "16:9"),))

    assert Pixels(5504, 3072) not in capability.sizes_sold()


def test_a_model_finds_its_capability() -> None:
    """Each operation leads to the capability that lists it; any other to none."""
    edit = a_capability(operations=(Operation.IMAGE_EDIT,))
    model = a_model(a_capability(), edit)

    assert (Operation.IMAGE_GENERATE, Operation.IMAGE_EDIT) == model.operations
    assert (edit, None) == (model.capability(Operation.IMAGE_EDIT), model.capability(Operation.VIDEO_EDIT))


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (Fraction(2), "2"),
        (Fraction(3, 2), "1.5"),
        (Fraction(1, 3), "0.3333333333"),
        (-4, "-4"),
        (10**12, "1000000000000"),
        pytest.param(10**5000, "over 1000000000000", id="too long to print"),
        pytest.param(-(10**5000), "under -1000000000000", id="too long to print, negative"),
        (Fraction(10) ** 400, "over 1000000000000"),
        (Fraction(1, 10**400), "0"),
    ],
)
def test_every_number_has_a_text(number: Fraction | int, text: str) -> None:
    """A number of any size can be named in a refusal."""
    assert text == number_text(number)


def test_scales_are_written_as_people_do() -> None:
    """A scale ends with an x."""
    assert ["2x", "1.5x"] == [scale_text(Fraction(2)), scale_text(Fraction(3, 2))]


def test_a_jobs_deadline_is_that_of_its_tier() -> None:
    """With an open tier it is the longest, and where nothing is stated it is nothing."""
    by_tier = a_capability(job_deadlines_s={"1K": 60, "2K": 90, "4K": 300})
    for_all = a_capability(job_deadlines_s={"": 120})

    found = [by_tier.deadline_s("2K"), by_tier.deadline_s(None), for_all.deadline_s("2K"), for_all.deadline_s(None)]

    assert [90, 300, 120, 120] == found
    assert a_capability().deadline_s("1K") is None


@each_case(
    ("operations", "asked", "meant"),
    [
        ((Operation.IMAGE_GENERATE, Operation.IMAGE_EDIT), {}, Operation.IMAGE_GENERATE),
        ((Operation.IMAGE_GENERATE,), {"reference_images": 1}, Operation.IMAGE_EDIT),
        ((Operation.IMAGE_GENERATE,), {"reference_images": 1, "operation": Operation.IMAGE_GENERATE},
         Operation.IMAGE_GENERATE),
        ((Operation.VIDEO_GENERATE,), {"reference_images": 1}, Operation.VIDEO_GENERATE),
        ((Operation.IMAGE_UPSCALE,), {"reference_images": 1}, Operation.IMAGE_UPSCALE),
    ],
)  # fmt: skip
def test_pictures_that_go_into_a_picture_model_are_edited(
    operations: tuple[Operation, ...], asked: dict[str, Any], meant: Operation
) -> None:
    """Where nothing is said it is the model's first operation, but for pictures that are given one to edit."""
    model = a_model(a_capability(operations=operations))

    assert meant is model.operation_meant(GenerationRequest(**asked))


DEFAULTS = Offer("acme", "mover-1", resolution_default="1080P", duration_default=Fraction(10), audio_default=False)


def test_an_offers_own_defaults_take_the_place_of_the_rows() -> None:
    """Those that it names; the others stay."""
    row = a_model(a_video_capability(resolution_default="720P", duration_default=Fraction(5), audio_default=True))

    found = [row.sold_as(offer).capabilities[0] for offer in (DEFAULTS, Offer("acme", "m", resolution_default="1080P"))]

    assert [("1080P", 10, False), ("1080P", 5, True)] == [
        (each.resolution_default, each.duration_default, each.audio_default) for each in found
    ]


def test_a_default_counts_only_where_it_is_sold() -> None:
    """Of several capabilities another may have other tiers and lengths, or leave no choice of sound."""
    other = a_video_capability(resolutions=("4K",), durations=(Fraction(3),), audio=Audio.ALWAYS)

    assert other == a_model(other).sold_as(DEFAULTS).capabilities[0]


def test_an_offer_without_defaults_is_the_row_itself() -> None:
    """Nothing is copied for a request through it."""
    row = a_model()

    assert row is row.sold_as(Offer("acme", "painter-1"))
