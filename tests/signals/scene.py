"""Rows of usage, windows and a catalog with boring defaults."""

from typing import Any

from gatekeeper.catalog import Catalog
from gatekeeper.core.credits import MICRO
from gatekeeper.core.request import Operation
from gatekeeper.ledger.reports import UsageRow
from gatekeeper.ledger.teamrecord import Project
from gatekeeper.signals.pricing import Prices
from gatekeeper.signals.span import Span
from tests.factories import a_capability, a_model, a_video_capability

DAY_MS = 86_400_000
START_MS = 1_793_491_200_000  # 2026-11-01 UTC
SPRING = Project("spring", 1000 * MICRO)
CATALOG = Catalog.of(
    [
        a_model(a_capability(operations=(Operation.IMAGE_GENERATE, Operation.IMAGE_EDIT)), id="painter"),
        a_model(a_video_capability(), id="mover"),
    ],
    "made up",
)
"""`painter` at 49, 73.5 and 98 credits for 1K, 2K and 4K; `mover` at 720P with sound half as much again."""


def prices() -> Prices:
    """The catalog's."""
    return Prices(CATALOG)


def a_row(credits: float = 100, resolution: str = "1K", **changes: Any) -> UsageRow:  # noqa: A002
    """One picture of the painter in the project `spring`, on the window's first day."""
    boring: dict[str, Any] = {
        "day_ms": START_MS, "model": "painter", "operation": "image.generate", "phase": "", "provider": "studio",
        "traits": (), "project": "spring", "member": "", "generations": 1, "released": 0, "outputs": 1,
    }  # fmt: skip
    return UsageRow(**(boring | {"credits": round(credits * MICRO), "resolution": resolution} | changes))


def a_span(day: float = 15, days: float | None = 30, timezone: str = "UTC") -> Span:
    """So far into a window of so many days."""
    end_ms = None if days is None else START_MS + round(days * DAY_MS)
    return Span(START_MS, end_ms, START_MS + round(day * DAY_MS), timezone, START_MS)
