"""The nearest valid choice to one that is not, for refusals that help.

Near means: for ratios and sizes the smallest relative distance, for numbers the smallest difference. A tie goes to
the smaller, which is the cheaper. No choice is applied here, only named.
"""

from collections.abc import Sequence
from fractions import Fraction
from math import ceil, floor, inf, sqrt

from gatekeeper.core.sizes import Pixels, ratio_value, tier_rank
from gatekeeper.core.spec import Capability, SizeRange


def times_larger(a: Fraction | int, b: Fraction | int) -> Fraction:
    """How many times larger the larger one is: a distance that treats 2:1 and 1:2 alike. Both are above 0."""
    one, other = a.numerator * b.denominator, b.numerator * a.denominator
    return Fraction(one, other) if one > other else Fraction(other, one)


def nearest_ratio(label: str, supported: Sequence[str]) -> str | None:
    """None if there is nothing to choose from. Raises `ValueError` for a label that is no ratio."""
    wanted = ratio_value(label)
    return min(supported, key=lambda r: times_larger(wanted, ratio_value(r)), default=None)


def nearest_tier(name: str, supported: Sequence[str]) -> str | None:
    """None if there is nothing to choose from. Raises `ValueError` for a name that is no tier."""
    wanted = tier_rank(name)
    return min(supported, key=lambda t: (abs(tier_rank(t) - wanted), tier_rank(t)), default=None)


def nearest_number(wanted: Fraction, supported: Sequence[Fraction]) -> Fraction | None:
    """None if there is nothing to choose from."""
    return min(supported, key=lambda n: (abs(n - wanted), n), default=None)


def nearest_size(wanted: Pixels, capability: Capability) -> str | None:
    """The table's nearest in shape first, then in area; for a free range, the size moved inside its bounds."""
    shape = Fraction(wanted.width, wanted.height)

    def distance(size: Pixels) -> tuple[Fraction, Fraction, int]:
        area = times_larger(wanted.area, size.area)
        return times_larger(shape, Fraction(size.width, size.height)), area, size.area

    nearest = min(capability.sizes_sold(), key=distance, default=None)
    if nearest is None and capability.size_range is not None:
        nearest = _moved_inside(wanted, capability.size_range)
    return None if nearest is None else str(nearest)


def _moved_inside(wanted: Pixels, bounds: SizeRange) -> Pixels | None:
    """Scaled into the bounds with its shape, then each side to a multiple and a bound; None if that does not fit."""
    step, sides = bounds.multiple_of, (wanted.width, wanted.height)
    lowest, highest = -(-bounds.side_min // step) * step, bounds.side_max // step * step
    if lowest > highest:
        return None
    larger = max(1.0, sqrt(bounds.area_min / wanted.area), lowest / min(sides))
    scale = min(larger, sqrt((bounds.area_max or inf) / wanted.area), highest / max(sides))
    for rounded in (round, floor, ceil):
        size = Pixels(*(min(max(rounded(side * scale / step) * step, lowest), highest) for side in sides))
        if bounds.contains(size):
            return size
    return None
