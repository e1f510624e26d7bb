"""Which part of a budget a generation belongs to, and what is high: as stated, or as is usual."""

from typing import Any

import pytest

from gatekeeper.core.sizes import Pixels
from gatekeeper.ledger.teamrecord import BudgetPart, Project
from gatekeeper.signals.shape import high_share_percent, holds_high, is_high, may_be_high, part_of
from tests.factories import a_valid_request

USUAL = Project("spring", 1000)
STATED = Project(
    "autumn",
    1000,
    parts=(
        BudgetPart("drafts", 60, ("iteration",), ("1K", "2K")),
        BudgetPart("posters", 30, ("final",), ("4K",)),
    ),
    high_resolutions=("4k",),
)


@pytest.mark.parametrize(
    ("resolution", "high"),
    [("1K", False), ("512", False), ("720P", False), ("1080P", True), ("2K", True), ("4K", True), ("", False)],
)
def test_above_1k_is_high_where_nothing_is_stated(resolution: str, high: bool) -> None:
    """A film's 1080P is, its 720P is not, and what has no tier is not."""
    assert high is is_high(USUAL, resolution)


def test_a_project_states_its_own_high_resolutions() -> None:
    """However they are spelt; then 2K is none."""
    assert (True, False) == (is_high(STATED, "4K"), is_high(STATED, "2K"))


@pytest.mark.parametrize(
    ("phase", "resolution", "operation", "part"),
    [
        ("iteration", "4K", "image.generate", "iteration"),
        ("final", "1K", "image.generate", "final"),
        ("fix", "4K", "image.edit", "fix"),
        ("", "1K", "image.generate", "iteration"),
        ("", "2K", "image.generate", "final"),
        ("", "4K", "image.edit", "fix"),
        ("", "", "image.upscale", "iteration"),
    ],
)
def test_the_usual_shape(phase: str, resolution: str, operation: str, part: str) -> None:
    """By phase; without one by what was asked."""
    assert part == part_of(USUAL, phase, resolution, operation)


@pytest.mark.parametrize(
    ("phase", "resolution", "part"),
    [("iteration", "4K", "drafts"), ("", "2k", "drafts"), ("", "4K", "posters"), ("fix", "1K", ""), ("", "3K", "")],
)
def test_a_stated_shape(phase: str, resolution: str, part: str) -> None:
    """Only what it names belongs anywhere."""
    assert part == part_of(STATED, phase, resolution, "image.generate")


def test_the_share_of_high_resolutions() -> None:
    """Of the parts that list one; where none does, of the final phase."""
    assert ((25, {"final"}), (30, {"posters"})) == (
        (high_share_percent(USUAL), holds_high(USUAL)),
        (high_share_percent(STATED), holds_high(STATED)),
    )


@pytest.mark.parametrize(
    ("fields", "high"),
    [
        ({"resolution": "1K"}, False),
        ({"resolution": "2K"}, True),
        ({"resolution": None, "resolutions_possible": ("1K", "2K")}, True),
        ({"resolution": None, "resolutions_possible": ("720P",)}, False),
        ({"resolution": None, "size": Pixels(1536, 1024)}, False),
        ({"resolution": None, "size": Pixels(2048, 2048)}, True),
        ({"resolution": None}, False),
    ],
)
def test_what_may_come_out_high(fields: dict[str, Any], high: bool) -> None:
    """By tier, by what is left open, by size where there are no tiers."""
    assert high is may_be_high(USUAL, a_valid_request(**fields))
