"""The nearest valid choice: near in the way people mean it, and always one that is valid."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.core.nearest import nearest_number, nearest_ratio, nearest_size, nearest_tier
from gatekeeper.core.sizes import Pixels, read_size
from gatekeeper.core.spec import SizeRange
from tests.cases import each_case
from tests.core.strategies import PROPERTY, size_ranges
from tests.factories import a_capability, a_plain_capability

SEEDREAM_RATIOS = ("1:1", "4:3", "3:4", "2:3", "3:2", "9:16", "16:9")


@each_case(
    ("asked", "nearest"),
    [("21:9", "16:9"), ("9:21", "9:16"), ("5:4", "4:3"), ("32:18", "16:9"), ("101:100", "1:1"), ("1:100", "9:16")],
)
def test_nearest_ratio_is_near_in_shape(asked: str, nearest: str) -> None:
    """Distance is a factor, so upright shapes stay upright and wide ones wide."""
    assert nearest == nearest_ratio(asked, SEEDREAM_RATIOS)


@each_case(
    ("asked", "nearest"),
    [("8K", "4K"), ("512", "1K"), ("1080P", "1K"), ("3K", "2K"), ("0K", "1K")],
)
def test_nearest_tier_is_near_in_lines(asked: str, nearest: str) -> None:
    """Tiers are compared by their lines whatever their spelling; a tie goes to the smaller."""
    assert nearest == nearest_tier(asked, ("4K", "2K", "1K"))


@each_case(("asked", "nearest"), [(3, 2), (5, 4), (0, 2), (100, 16), (Fraction(10) ** 500, 16)])
def test_nearest_number_prefers_the_smaller(asked: Fraction, nearest: int) -> None:
    """The smallest difference wins; a tie goes to the smaller, which is the cheaper."""
    assert nearest == nearest_number(Fraction(asked), [Fraction(n) for n in (16, 8, 4, 2)])


def test_nothing_is_nearest_to_nothing() -> None:
    """Without a choice there is no nearest one."""
    nothing = (nearest_ratio("1:1", ()), nearest_tier("1K", ()), nearest_number(Fraction(1), ()))

    assert (None, None, None) == nothing
    assert nearest_size(Pixels(64, 64), a_plain_capability()) is None


@each_case(
    ("asked", "nearest"),
    [
        (Pixels(1000, 1000), "1024x1024"),
        (Pixels(3000, 3000), "4096x4096"),
        (Pixels(1920, 1080), "1376x768"),
        (Pixels(2560, 1440), "2752x1536"),
        (Pixels(1080, 1920), "768x1376"),
    ],
)
def test_nearest_size_in_a_table_is_near_in_shape_first(asked: Pixels, nearest: str) -> None:
    """A picture of another shape is another picture, so shape comes before area."""
    assert nearest == nearest_size(asked, a_capability())


@each_case(
    ("bounds", "asked", "nearest"),
    [
        (SizeRange(256, 1440, multiple_of=32), Pixels(1920, 1080), "1440x800"),
        (SizeRange(256, 1440, multiple_of=32), Pixels(1000, 1000), "992x992"),
        (SizeRange(64, 14142, area_max=2048 * 2048), Pixels(4000, 4000), "2048x2048"),
        (SizeRange(64, 14142, area_max=2048 * 2048), Pixels(5504, 3072), "2741x1530"),
        (SizeRange(64, 14142, multiple_of=16, area_max=2048 * 2048), Pixels(1920, 1080), "1920x1088"),
        (SizeRange(64, 14142, area_min=512 * 512), Pixels(100, 100), "512x512"),
        (SizeRange(64, 14142, multiple_of=16, area_min=3_686_400), Pixels(1024, 1024), "1920x1920"),
        (SizeRange(512, 4096), Pixels(100, 200), "512x1024"),
        (SizeRange(512, 512, multiple_of=1000), Pixels(512, 512), None),
        (SizeRange(64, 4096, ratio_max=Fraction(2)), Pixels(3000, 1000), None),
    ],
)
def test_a_free_size_is_moved_inside(bounds: SizeRange, asked: Pixels, nearest: str | None) -> None:
    """A size outside a free range keeps its shape as far as the bounds allow; where they do not, none is named."""
    assert nearest == nearest_size(asked, a_plain_capability(size_range=bounds))


@PROPERTY
@given(size_ranges(), st.integers(1, 999_999), st.integers(1, 999_999))
def test_a_moved_size_is_always_inside(bounds: SizeRange, width: int, height: int) -> None:
    """What is named as the nearest size is one that the range takes."""
    nearest = nearest_size(Pixels(width, height), a_plain_capability(size_range=bounds))

    if nearest is not None:
        size = read_size(nearest)
        assert isinstance(size, Pixels)
        assert bounds.contains(size)
