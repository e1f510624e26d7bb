"""Small pictures of figures, as the attributes of their SVG. Pure: places in a drawing, no colour and no text."""

from dataclasses import dataclass
from typing import Final

from gatekeeper.console.burning import Burn

WIDTH, HEIGHT = 104, 28
"""The drawing's own units."""

MARGIN: Final = 2
"""So that a line on the edge is whole."""

PAST: Final = 0.7
"""How much of the width is past; the rest is what comes."""


@dataclass(frozen=True, slots=True)
class Spark:
    """Paths: what was left, the area below it, and how it goes on."""

    line: str
    area: str
    ahead: str


def spark_of(burn: Burn) -> Spark | None:
    """The picture of a burn-down; None where nothing was spent."""
    highest = max(each.left for each in burn.days)
    if highest <= 0 or not any(each.charged for each in burn.days):
        return None
    step = WIDTH * PAST / (len(burn.days) - 1)
    points = [(number * step, _height(each.left, highest)) for number, each in enumerate(burn.days)]
    line = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return Spark(line, f"{line}L{points[-1][0]:.1f} {HEIGHT}L0 {HEIGHT}Z", _ahead(burn, highest, step, points[-1]))


def _ahead(burn: Burn, highest: int, step: float, now: tuple[float, float]) -> str:
    """On at the same pace, to its end or to the edge."""
    if burn.pace <= 0 or burn.available <= 0:
        return ""
    days = min(burn.available / burn.pace, WIDTH * (1 - PAST) / step)
    left = burn.available - int(burn.pace * days)
    return f"M{now[0]:.1f} {now[1]:.1f}L{now[0] + days * step:.1f} {_height(left, highest):.1f}"


def _height(left: int, highest: int) -> float:
    return MARGIN + (HEIGHT - 2 * MARGIN) * (1 - max(left, 0) / highest)


@dataclass(frozen=True, slots=True)
class Bar:
    """How far something is used, in percent of its width, at most all of it. `level`: "", "near" or "full"."""

    used: float
    held: float
    level: str


NEAR_PERCENT: Final = 80
"""From here on a bar says so."""


def bar_of(used: int, held: int, whole: int) -> Bar:
    """A bar of a limit; one of nothing is full."""
    if whole <= 0:
        return Bar(100.0, 0.0, "full")
    used_percent = min(100 * max(used, 0) / whole, 100.0)
    held_percent = min(100 * max(held, 0) / whole, 100 - used_percent)
    taken = used + held
    level = "full" if taken >= whole else "near" if taken * 100 >= whole * NEAR_PERCENT else ""
    return Bar(round(used_percent, 2), round(held_percent, 2), level)
