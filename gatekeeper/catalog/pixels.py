"""The pixel table of a capability: what the vendor makes for a tier and an aspect ratio.

With tiers it is a mapping of mappings, without them one mapping by ratio. A cell is one size, or a list: the first is
what comes out when only the ratio is asked for, the others are accepted by their pixels. Every size may stand for one
tier and ratio only, or what came out could not be told from the picture.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from gatekeeper.catalog.fields import pixels_of, ratio_of, tier_of
from gatekeeper.core.sizes import Pixels, Ratio, read_size
from gatekeeper.yamlfile import DataPath, Mistake

NO_TIER = ""
"""Stands for the tier in the table of a model without tiers."""


@dataclass(slots=True)
class PixelTable:
    """`made` has one size for each (tier, ratio); `readings` every accepted size with the pair it stands for."""

    made: dict[tuple[str, str], Pixels] = field(default_factory=dict)
    readings: dict[Pixels, tuple[str, str]] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)


def read_pixels(raw: dict[str, Any], tiers: Collection[str] | None, ratios: Collection[str] | None) -> PixelTable:
    """The table with its mistakes. None for tiers or ratios: they are themselves wrong, so nothing is held to them."""
    table = PixelTable()
    if not tiers and tiers is not None:
        _read_row(table, raw, NO_TIER, (), ratios)
        return table
    for name, row in raw.items():
        if isinstance(read_size(name), Ratio):
            mend = "Put it below its resolution, like 1K: {16:9: 1344x768}."
            table.mistakes.append(Mistake((name,), f"`{name}` has sizes, but the model has resolutions", mend))
            continue
        tier = _known(table, (name,), name, tier_of, tiers, "resolution")
        if tier is not None and isinstance(row, dict):
            _read_row(table, row, tier, (name,), ratios)
        elif tier is not None:
            mend = "Write the sizes by aspect ratio below it, like 16:9: 1344x768."
            table.mistakes.append(Mistake((name,), f"the sizes of `{name}` are not a mapping", mend))
    return table


def _read_row(
    table: PixelTable,
    row: dict[str, Any],
    tier: str,
    path: DataPath,
    ratios: Collection[str] | None,
) -> None:
    for label, cell in row.items():
        place = (*path, label)
        ratio = _known(table, place, label, ratio_of, ratios, "aspect ratio")
        if ratio is None:
            continue
        if (tier, ratio) in table.made:
            table.mistakes.append(Mistake(place, f"`{ratio}` is there in two spellings", "Keep one of them."))
            continue
        for size in _read_cell(table, place, cell):
            _add(table, place, (tier, ratio), size)


def _known(
    table: PixelTable,
    path: DataPath,
    name: str,
    read: Callable[[Any], str],
    known: Collection[str] | None,
    noun: str,
) -> str | None:
    """The key in its one spelling, or None with the mistake noted."""
    try:
        key = read(name)
    except ValueError as error:
        table.mistakes.append(_as_mistake(path, error))
        return None
    if known is not None and key not in known:
        listed = ", ".join(known) or "none"
        mend = f"Add it to the list ({listed}), or remove its sizes."
        table.mistakes.append(Mistake(path, f"{noun} `{key}` has sizes but is not sold", mend))
        return None
    return key


def _read_cell(table: PixelTable, path: DataPath, cell: Any) -> list[Pixels]:
    sizes = []
    for index, text in enumerate(cell if isinstance(cell, list) else [cell]):
        place = (*path, index) if isinstance(cell, list) else path
        try:
            sizes.append(pixels_of(text))
        except ValueError as error:
            table.mistakes.append(_as_mistake(place, error))
    return sizes


def _add(table: PixelTable, path: DataPath, pair: tuple[str, str], size: Pixels) -> None:
    other = table.readings.get(size)
    if other is not None:
        mend = "One size can stand for one resolution and ratio only: correct one of the two."
        table.mistakes.append(Mistake(path, f"{size} already stands for {' '.join(other).strip()}", mend))
        return
    table.made.setdefault(pair, size)
    table.readings[size] = pair


def _as_mistake(path: DataPath, error: ValueError) -> Mistake:
    context = getattr(error, "context", None) or {}
    return Mistake(path, context.get("what", str(error)), context.get("mend", "Correct it."))
