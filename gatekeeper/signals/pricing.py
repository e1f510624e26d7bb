"""What spend would have come to at a lower resolution or without sound, by the catalog's prices of today.

Pure. A row of usage says what was charged, not how each picture was asked for: so it is scaled by the ratio of two
prices, one output of the model with nothing else said at the one tier and at the other. What the catalog has no two
prices for saves nothing here: a saving is never guessed, and never below zero.
"""

from gatekeeper.catalog import Catalog
from gatekeeper.core.price import worth
from gatekeeper.core.request import GenerationRequest, Operation, ValidRequest
from gatekeeper.core.sizes import Pixels, tier_rank
from gatekeeper.core.spec import Audio, Capability, ModelSpec
from gatekeeper.core.validate import validate
from gatekeeper.ledger.reports import UsageRow
from gatekeeper.ledger.teamrecord import Project
from gatekeeper.signals.shape import is_high

INPUT = Pixels(1024, 1024)
"""The picture that goes in where a price depends on it; in a ratio of two prices it hardly matters which."""

_Sold = tuple[str, str, str]
"""A model, an operation and a tier."""

Ratio = tuple[int, int] | None
"""A dear and a cheap price; None where the catalog has no two."""


class Prices:
    """The catalog's prices, each looked up once for as long as this lives: one diagnosis of one team."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._lower: dict[tuple[tuple[str, ...], _Sold], Ratio] = {}
        self._silent: dict[_Sold, Ratio] = {}

    def saved_lower(self, project: Project, row: UsageRow) -> int:
        """What the row would have cost less at its model's best tier that is not high for the project."""
        known = (project.high_resolutions, (row.model, row.operation, row.resolution))
        if known not in self._lower:
            self._lower[known] = self._find_lower(project, row)
        return _saved(row.credits, self._lower[known])

    def saved_silent(self, row: UsageRow) -> int:
        """What the row would have cost less without sound."""
        known = (row.model, row.operation, row.resolution)
        if known not in self._silent:
            self._silent[known] = self._find_silent(row)
        return _saved(row.credits, self._silent[known])

    def _find_lower(self, project: Project, row: UsageRow) -> Ratio:
        model, capability = self._sold(row)
        lower = None if capability is None else lower_tier(project, capability, row.resolution)
        if model is None or lower is None:
            return None
        return _ratio(_price(model, row, row.resolution), _price(model, row, lower))

    def _find_silent(self, row: UsageRow) -> Ratio:
        model, capability = self._sold(row)
        if model is None or capability is None or capability.audio is not Audio.OPTIONAL:
            return None
        return _ratio(*(_price(model, row, row.resolution, audio=sound) for sound in (True, False)))

    def _sold(self, row: UsageRow) -> tuple[ModelSpec | None, Capability | None]:
        model, operation = self._catalog.find(row.model) if row.model else None, _operation(row.operation)
        return model, None if model is None or operation is None else model.capability(operation)


def lower_tier(project: Project, capability: Capability, resolution: str) -> str | None:
    """The best tier that is not high for the project and lower than this one; None if the model makes none."""
    try:
        ranks = {tier: tier_rank(tier) for tier in (*capability.resolutions, resolution)}
    except ValueError:
        return None
    lower = [tier for tier in capability.resolutions if not is_high(project, tier) and ranks[tier] < ranks[resolution]]
    return max(lower, key=ranks.__getitem__, default=None)


def _price(model: ModelSpec, row: UsageRow, resolution: str, *, audio: bool | None = None) -> int | None:
    """One output with nothing else said, None where that cannot be asked."""
    operation = _operation(row.operation)
    capability = None if operation is None else model.capability(operation)
    if capability is None:
        return None
    asked = GenerationRequest(
        operation=operation,
        resolution=resolution or None,
        audio=audio,
        prompt_length=1,
        input_pixels=INPUT,
        duration_s=capability.duration_default or next(iter(capability.durations), None),
        scale=next(iter(capability.scales), None),
    )
    valid = validate(model, asked)
    return worth(model, valid).credits if isinstance(valid, ValidRequest) else None


def _operation(name: str) -> Operation | None:
    return Operation(name) if name in set(Operation) else None


def _ratio(dear: int | None, cheap: int | None) -> Ratio:
    return None if dear is None or cheap is None or not 0 <= cheap < dear else (dear, cheap)


def _saved(credits: int, ratio: Ratio) -> int:  # noqa: A002
    """The part of an amount that the cheaper of two prices would have spared, rounded down; 0 if it is no cheaper."""
    if ratio is None or credits <= 0:
        return 0
    dear, cheap = ratio
    return credits * (dear - cheap) // dear
