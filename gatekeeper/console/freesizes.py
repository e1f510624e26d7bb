"""Sizes in pixels of a wanted shape, for models that take any size inside bounds.

A few good ones, not all: near the area that is wanted, in even steps. What is returned is what the bounds take; whether
the model sells it with the rest is validation's question.
"""

from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from math import isqrt
from typing import Final

from gatekeeper.core.sizes import Pixels, ratio_value
from gatekeeper.core.sizing import RATIO_TOLERANCE
from gatekeeper.core.spec import Capability, SizeRange

AREAS_TRIED: Final = tuple(side * side for side in (1024, 1536, 2048, 768, 512, 3072, 4096, 1280))
"""Areas from the usual one outwards."""

SHAPES_OF_FREE: Final = ("1:1", "3:2", "2:3", "16:9", "9:16")
"""What is suggested where a model names no ratios."""

SHAPE_SEEN: Final = Fraction(1, 200)
"""Nobody sees that a picture is half a percent wider than its ratio."""

SHAPES_REMEMBERED: Final = 1024
"""A catalog's bounds, each with its ratios."""

STEPS_TRIED: Final = 40
"""So many widths around the wanted one, which is enough to be within the tolerance of every ratio that is sold."""


@lru_cache(SHAPES_REMEMBERED)
def size_of_shape(bounds: SizeRange, label: str, area: int | None = None) -> Pixels | None:
    """A size of this ratio inside the bounds, near the area if one is named; None if there is none."""
    wanted = ratio_value(label)
    for target in (() if area is None else (area,)) + AREAS_TRIED:
        near = _near(bounds, wanted, target)
        found = min(near, key=lambda size: _worse(size, wanted, target), default=None)
        if found is not None and _off(found, wanted) <= RATIO_TOLERANCE:
            return found
    return None


def suggested_sizes(capability: Capability) -> tuple[Pixels, ...]:
    """A few sizes to begin with, for a model with free ones: what it makes by itself, then one for each shape."""
    if capability.size_range is None:
        return ()
    labels = capability.aspect_ratios or SHAPES_OF_FREE
    shapes = (size_of_shape(capability.size_range, label) for label in labels)
    found = [capability.size_default, *shapes]
    return tuple(dict.fromkeys(size for size in found if size is not None))


def _near(bounds: SizeRange, wanted: Fraction, area: int) -> Iterator[Pixels]:
    """Sizes on the grid of the bounds around this area."""
    step = max(bounds.multiple_of, 8)
    step += -step % bounds.multiple_of
    middle = isqrt(int(area * wanted)) // step
    for offset in range(-STEPS_TRIED // 2, STEPS_TRIED // 2):
        width = (middle + offset) * step
        height = round(width / wanted / step) * step
        size = Pixels(width, height)
        if width > 0 and height > 0 and bounds.contains(size) and abs(size.area - area) * 4 <= area:
            yield size


def _worse(size: Pixels, wanted: Fraction, area: int) -> tuple[Fraction, int]:
    """The shape first, as far as anybody sees it; then the area."""
    off = _off(size, wanted)
    return off if off > SHAPE_SEEN else Fraction(0), abs(size.area - area)


def _off(size: Pixels, wanted: Fraction) -> Fraction:
    return abs(Fraction(size.width, size.height) / wanted - 1)
