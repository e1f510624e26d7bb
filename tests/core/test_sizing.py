"""What a caller's words about size come to: consistent ones are joined, contradictions refused, open ones kept open."""

from fractions import Fraction
from typing import Any

import pytest

from gatekeeper.core.rejection import Code
from gatekeeper.core.sizes import Pixels
from gatekeeper.core.sizing import SizeChoice
from gatekeeper.core.spec import Capability, SizeRange
from tests.cases import each_case
from tests.factories import TIERS, a_capability, a_plain_capability, a_request, sized

FREE = SizeRange(256, 5000, area_max=4096 * 4096)


def chosen(capability: Capability, **words: Any) -> SizeChoice:
    """The choice of a request that must be valid."""
    choice, wrong = sized(capability, a_request(**words))
    assert not wrong
    return choice


def wrong_with(capability: Capability, **words: Any) -> list[tuple[Code, str, str | None]]:
    """Code, field and nearest of each violation."""
    _, wrong = sized(capability, a_request(**words))
    return [(v.code, v.field, v.nearest) for v in wrong]


@each_case(
    "words",
    [
        {"resolution": "2K", "aspect_ratio": "16:9"},
        {"resolution": "2k", "aspect_ratio": "16x9"},
        {"resolution": "2K", "aspect_ratio": "landscape_16_9"},
        {"size": "2752x1536"},
        {"size": "2752*1536"},
        {"size": "2752:1536"},
        {"size": "2K", "aspect_ratio": "16:9"},
        {"size": "16:9", "resolution": "2K"},
        {"size": "landscape_16_9", "resolution": "2k"},
        {"size": "2752x1536", "resolution": "2K", "aspect_ratio": "16:9"},
    ],
)
def test_every_way_to_say_the_same_is_the_same(words: dict[str, str]) -> None:
    """Tier and ratio come out alike whichever field and spelling named them."""
    choice = chosen(a_capability(), **words)

    assert ("2K", "16:9", ()) == (choice.resolution, choice.aspect_ratio, choice.resolutions_possible)


OPEN_WORDS: tuple[dict[str, str], ...] = (
    {},
    {"size": "auto"},
    {"resolution": "AUTO"},
    {"aspect_ratio": "auto"},
    {"size": "auto", "resolution": "1K"},
    {"size": "1024x1024", "resolution": "auto"},
    {"size": "1024x1024", "aspect_ratio": "auto"},
)


@each_case("words", OPEN_WORDS)
def test_auto_leaves_every_tier_possible(words: dict[str, str]) -> None:
    """Whatever stands beside "auto", a provider that follows it may make the largest."""
    choice = chosen(a_capability(), **words)

    assert (None, None, TIERS) == (choice.resolution, choice.size, choice.resolutions_possible)


@pytest.mark.parametrize("size", ["1024x1024", "1:1"])
def test_auto_ratio_outweighs_a_shape_beside_it(size: str) -> None:
    """The shape is open when one of two words says so."""
    assert chosen(a_capability(), size=size, aspect_ratio="auto").aspect_ratio is None


def test_auto_ratio_beside_a_tier_leaves_the_tier() -> None:
    """An open shape says nothing against a tier."""
    assert SizeChoice("1K", None, None) == chosen(a_capability(), resolution="1K", aspect_ratio="auto")


@each_case(
    ("words", "resolution"),
    [
        ({}, "1K"),
        ({"aspect_ratio": "16:9"}, "1K"),
        ({"aspect_ratio": "auto"}, "1K"),
        ({"size": "auto"}, None),
        ({"resolution": "auto"}, None),
        ({"resolution": "2K"}, "2K"),
        ({"size": "16:9"}, "1K"),
    ],
)
def test_the_known_default_fills_only_what_nobody_named(words: dict[str, str], resolution: str | None) -> None:
    """A vendor's default stands for silence, not for "auto"."""
    assert resolution == chosen(a_capability(resolution_default="1K"), **words).resolution


@each_case(
    ("words", "field"),
    [
        ({"size": "1024x1024", "resolution": "4K"}, "resolution"),
        ({"size": "1K", "resolution": "4K"}, "resolution"),
        ({"size": "1024x1024", "aspect_ratio": "16:9"}, "aspect_ratio"),
        ({"size": "1:1", "aspect_ratio": "16:9"}, "aspect_ratio"),
    ],
)
def test_a_contradiction_is_refused(words: dict[str, str], field: str) -> None:
    """Two words that cannot both hold are never settled by a silent pick."""
    assert [(Code.UNSUPPORTED_COMBINATION, field, None)] == wrong_with(a_capability(), **words)


def test_a_contradiction_names_what_would_agree() -> None:
    """The refusal says what was asked beside what, and what goes with it."""
    _, (violation,) = sized(a_capability(), a_request(size="1024x1024", resolution="4K"))

    assert ("4K beside 1024x1024", ("1K",)) == (violation.requested, violation.supported)


@each_case(
    ("words", "found"),
    [
        ({"resolution": "8K"}, (Code.UNSUPPORTED_RESOLUTION, "resolution", "4K")),
        ({"size": "8K"}, (Code.UNSUPPORTED_RESOLUTION, "size", "4K")),
        ({"aspect_ratio": "21:9"}, (Code.UNSUPPORTED_ASPECT_RATIO, "aspect_ratio", "16:9")),
        ({"aspect_ratio": "32:18"}, (Code.UNSUPPORTED_ASPECT_RATIO, "aspect_ratio", "16:9")),
        ({"size": "1000x1000"}, (Code.UNSUPPORTED_SIZE, "size", "1024x1024")),
        ({"size": "huge"}, (Code.UNSUPPORTED_SIZE, "size", None)),
        ({"resolution": "huge"}, (Code.UNSUPPORTED_RESOLUTION, "resolution", None)),
        ({"resolution": "1024x1024"}, (Code.UNSUPPORTED_RESOLUTION, "resolution", None)),
        ({"aspect_ratio": "wide"}, (Code.UNSUPPORTED_ASPECT_RATIO, "aspect_ratio", None)),
        ({"aspect_ratio": "landscape_0_9"}, (Code.UNSUPPORTED_ASPECT_RATIO, "aspect_ratio", None)),
        ({"aspect_ratio": "landscape_99_98"}, (Code.UNSUPPORTED_ASPECT_RATIO, "aspect_ratio", "1:1")),
    ],
)
def test_what_the_model_lacks_is_named(words: dict[str, str], found: tuple[Code, str, str | None]) -> None:
    """A refusal names the field that the caller used and the nearest choice."""
    assert [found] == wrong_with(a_capability(), **words)


def test_each_wrong_word_is_its_own_violation() -> None:
    """One answer tells all that is wrong about size."""
    found = wrong_with(a_capability(), size="999x999", resolution="8K", aspect_ratio="21:9")

    assert [Code.UNSUPPORTED_SIZE, Code.UNSUPPORTED_RESOLUTION, Code.UNSUPPORTED_ASPECT_RATIO] == [f[0] for f in found]


def test_a_model_without_tiers_takes_no_tier() -> None:
    """An empty allowed set says that the model has no such setting."""
    _, (violation,) = sized(a_plain_capability(), a_request(resolution="1K"))

    assert (Code.UNSUPPORTED_RESOLUTION, (), None) == (violation.code, violation.supported, violation.nearest)


def test_a_model_without_tiers_reads_its_table() -> None:
    """Pixels lead to the ratio alone."""
    capability = a_plain_capability(aspect_ratios=("3:4",), pixels={("", "3:4"): Pixels(896, 1280)})

    assert SizeChoice(None, "3:4", Pixels(896, 1280)) == chosen(capability, size="896x1280")


def test_a_size_of_a_model_without_ratios_has_no_label() -> None:
    """Enumerated sizes alone are what is sold; their shape is no setting of the model."""
    capability = a_plain_capability(pixels={("", "1:1"): Pixels(1024, 1024)})

    assert SizeChoice(None, None, Pixels(1024, 1024)) == chosen(capability, size="1024x1024")


def test_a_single_tier_is_never_open() -> None:
    """Where there is one tier, it is the tier of every request, free sizes and "auto" included."""
    capability = a_capability(resolutions=("1K",), pixels={}, size_range=FREE)

    found = [chosen(capability, size=size).resolution for size in (None, "auto", "1000x1000")]

    assert ["1K", "1K", "1K"] == found
    assert "1K" == chosen(capability, size="1000x1000", resolution="1K").resolution


def test_a_free_size_is_in_no_tier() -> None:
    """Which tier a provider bills for a size of the caller's own is not known, so all stay possible."""
    choice = chosen(a_capability(size_range=FREE), size="1000x1000")

    assert SizeChoice(None, "1:1", Pixels(1000, 1000), TIERS) == choice


def test_a_free_size_beside_a_tier_is_refused() -> None:
    """A small tier beside a large free size would hold too little."""
    found = wrong_with(a_capability(size_range=FREE), size="4000x4000", resolution="1K")

    assert [(Code.UNSUPPORTED_COMBINATION, "resolution", None)] == found


@each_case(
    ("size", "ratio"),
    [("1920x1088", "16:9"), ("1920x1080", "16:9"), ("1088x1920", "9:16"), ("1000x1010", "1:1")],
)
def test_a_free_size_carries_the_label_of_its_shape(size: str, ratio: str) -> None:
    """A size within two percent of a ratio has that ratio."""
    assert ratio == chosen(a_capability(size_range=FREE), size=size).aspect_ratio


def test_a_free_size_of_no_sold_shape_is_refused() -> None:
    """A range does not sell ratios that the list does not have."""
    found = wrong_with(a_capability(size_range=FREE), size="2100x900")

    assert [(Code.UNSUPPORTED_ASPECT_RATIO, "size", "16:9")] == found


def test_a_range_alone_takes_any_shape_inside_it() -> None:
    """Without a list of ratios the range alone decides."""
    capability = a_plain_capability(size_range=SizeRange(64, 2048, ratio_max=Fraction(3)))

    assert SizeChoice(None, None, Pixels(777, 333)) == chosen(capability, size="777x333")
    assert [(Code.UNSUPPORTED_SIZE, "size", "2048x1440")] == wrong_with(capability, size="4096x2880")
