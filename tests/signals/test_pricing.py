"""What lower tiers and silence would have saved: by two prices of the catalog, or nothing."""

from pathlib import Path
from typing import Any

import pytest

from gatekeeper.catalog import load_catalog
from gatekeeper.core.credits import MICRO
from gatekeeper.ledger.teamrecord import Project
from gatekeeper.signals.pricing import Prices
from tests.signals.scene import SPRING, a_row, prices

SHIPPED = Path(__file__).parents[2] / "config" / "catalog"
VIDEO = {"model": "mover", "operation": "video.generate"}


@pytest.mark.parametrize(
    ("resolution", "changes", "saved"),
    [
        ("4K", {}, 49),  # 98 credits for one, 49 at 1K
        ("2K", {}, 32.666666),  # 73.5 for one: a third of 98
        ("1K", {}, 0),
        ("8K", {}, 0),  # it is not sold, so it has no price
        ("1080P", VIDEO, 0),  # with sound, which may come out where nothing is said, 720P costs as much
        ("4K", {"model": "gone"}, 0),
        ("4K", {"operation": "image.upscale"}, 0),
        ("odd", {}, 0),
        ("", {"model": "", "operation": ""}, 0),
    ],
)
def test_at_the_best_tier_that_is_not_high(resolution: str, changes: dict[str, Any], saved: float) -> None:
    """Of what was charged, the part by which that tier is cheaper, rounded down."""
    assert round(saved * MICRO) == prices().saved_lower(SPRING, a_row(98, resolution, **changes))


def test_the_project_says_what_is_high() -> None:
    """Where only 4K is, 2K is what it is compared with: a quarter less."""
    project = Project("spring", MICRO, high_resolutions=("4K",))

    assert 24.5 * MICRO == prices().saved_lower(project, a_row(98, "4K"))


@pytest.mark.parametrize(
    ("resolution", "changes", "saved"),
    [("720P", VIDEO, 10), ("1080P", VIDEO, 0), ("2K", {}, 0), ("720P", {"model": "gone"}, 0)],
)
def test_without_sound(resolution: str, changes: dict[str, Any], saved: int) -> None:
    """A third where sound makes it half as much again, nothing where it is free or there is none."""
    assert saved * MICRO == prices().saved_silent(a_row(30, resolution, **changes))


def test_nothing_of_the_shipped_catalog_saves_below_zero_or_all() -> None:
    """Every model, operation and tier of it."""
    catalog = load_catalog(sorted(SHIPPED.glob("*.yaml")))
    known, compared = Prices(catalog), 0
    for model in catalog.models:
        for capability in model.capabilities:
            for operation, resolution in ((o, r) for o in capability.operations for r in capability.resolutions):
                row = a_row(100, resolution, model=model.id, operation=str(operation))
                saved = known.saved_lower(SPRING, row), known.saved_silent(row)
                assert all(0 <= each < 100 * MICRO for each in saved)
                compared += any(saved)

    assert compared > 50
