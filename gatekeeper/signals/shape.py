"""How a project's budget is meant to be spent: which part of it a generation belongs to, and what resolution is high.

Pure. A project that states no parts has the shape that most have: 70 % of the credits for iterations at up to 1K, 25 %
for finals above that, 5 % for fixes of pictures there are. A project that states no high resolutions has those above
1K, which 1080P is: what a film is delivered in. Nothing here refuses or counts anything.
"""

from functools import lru_cache
from typing import Final

from gatekeeper.core.request import Operation, ValidRequest
from gatekeeper.core.sizes import SPELLINGS_REMEMBERED, tier_rank
from gatekeeper.ledger.teamrecord import BudgetPart, Project

ITERATION: Final = BudgetPart("iteration", 70, ("iteration",))
FINAL: Final = BudgetPart("final", 25, ("final",))
FIX: Final = BudgetPart("fix", 5, ("fix",))

DEFAULT_PARTS: Final = (ITERATION, FINAL, FIX)
"""What a typical project's credits go to, as those who sell the models have counted."""

FINAL_PHASE: Final = "final"
"""The phase in which high resolutions are meant to be made."""

LOW_LINES_MAX: Final = 1024
"""1K; whatever has more lines is high unless a project says otherwise: 1080P, 2K, 4K."""

HIGH_AREA_PX_MIN: Final = 2048 * 2048 // 2
"""A size without a tier belongs to the nearer one: above half of a 2K square it is nearer to 2K than to 1K."""

HEIGHT_TO_AREA: Final = (16, 9)
"""A tier like 1080P names lines of a picture of this ratio; one like 2K the side of a square."""


def parts_of(project: Project) -> tuple[BudgetPart, ...]:
    """The project's own parts, or those of a typical one."""
    return project.parts or DEFAULT_PARTS


def is_high(project: Project | None, resolution: str) -> bool:
    """Whether a tier is one of the project's high ones. One without a name, or that is no tier, is not."""
    if project is not None and project.high_resolutions:
        return resolution.upper() in {each.upper() for each in project.high_resolutions}
    return _lines(resolution) > LOW_LINES_MAX


def may_be_high(project: Project, valid: ValidRequest) -> bool:
    """Whether a request may come out at a high resolution: at its tier, at one that it leaves open, or by its size
    where its model has no tiers."""
    possible = (valid.resolution,) if valid.resolution else valid.resolutions_possible
    if possible:
        return any(is_high(project, each) for each in possible)
    return valid.size is not None and valid.size.area >= _high_area_px(project)


def holds_high(project: Project) -> frozenset[str]:
    """The names of the parts in which high resolutions are planned: those that list one, or where none does, those of
    the phase `final`."""
    parts = parts_of(project)
    listed = {part.name for part in parts if any(is_high(project, each) for each in part.resolutions)}
    return frozenset(listed or {part.name for part in parts if FINAL_PHASE in part.phases})


def high_share_percent(project: Project) -> int:
    """How much of the budget is planned for parts that hold high resolutions."""
    holding = holds_high(project)
    return min(sum(part.share_percent for part in parts_of(project) if part.name in holding), 100)


def part_of(project: Project, phase: str, resolution: str, operation: str) -> str:
    """The name of the part that a generation belongs to; "" where the plan has none for it.

    By its phase; where it names none, by its resolution. In the default shape by the operation too: an edit is a fix.
    """
    parts = parts_of(project)
    if phase:
        return next((part.name for part in parts if phase in part.phases), "")
    if not project.parts:
        return _usual_part(project, resolution, operation).name
    tier = resolution.upper()
    return next((part.name for part in parts if tier in {each.upper() for each in part.resolutions}), "")


def _usual_part(project: Project, resolution: str, operation: str) -> BudgetPart:
    if operation == Operation.IMAGE_EDIT:
        return FIX
    return FINAL if is_high(project, resolution) else ITERATION


@lru_cache(SPELLINGS_REMEMBERED)
def _lines(resolution: str) -> int:
    """How many lines a tier has, 0 for what is none."""
    try:
        return int(tier_rank(resolution))
    except ValueError:
        return 0


def _high_area_px(project: Project) -> int:
    """From how many pixels a picture is nearer to the project's lowest high tier than to the one below it."""
    areas = [area for area in map(_area_px, project.high_resolutions) if area]
    return min(areas) // 2 if areas else HIGH_AREA_PX_MIN


def _area_px(resolution: str) -> int:
    lines = _lines(resolution)
    wide, high = (1, 1) if resolution.upper().endswith("K") else HEIGHT_TO_AREA
    return lines * lines * wide // high
