"""A model's prices side by side: resolutions and sound across, aspect ratios and lengths down, each with its lines.

Every cell is a quote of what is chosen with the cell's settings in place. Rows and columns that differ in nothing but
their name stand together. What is not sold is an empty cell, and a table as long as a book is cut, which it says.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Final

from gatekeeper.console.calculator import complete, label_of
from gatekeeper.console.choices import BY_NAME, written
from gatekeeper.core.credits import credits_text
from gatekeeper.core.decide import Priced, decide
from gatekeeper.core.price import Quote
from gatekeeper.core.request import GenerationRequest, ValidRequest
from gatekeeper.core.rules import QualityPrice
from gatekeeper.core.sizes import AUTO
from gatekeeper.core.spec import Capability, ModelSpec

CELLS_MAX: Final = 800
"""A table with more cells than this is nothing to look at; the calculator has each of them."""

ROWS_SHOWN: Final = 16
"""About as many fit on a screen."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One price. `form` chooses it in the calculator. `pixels` may be "", where they are not published."""

    quote: Quote
    form: dict[str, str]
    pixels: str
    chosen: bool

    @property
    def credits_text(self) -> str:
        return credits_text(self.quote.credits)


@dataclass(frozen=True, slots=True)
class Row:
    """`heads` are its names. `repeats`: the first is that of the row above, and need not be seen again."""

    heads: tuple[str, ...]
    cells: tuple[Cell | None, ...]
    repeats: bool = False


@dataclass(frozen=True, slots=True)
class PriceTable:
    """`corner` names what the heads of rows are, `columns` the heads across. `is_cut`: there are more rows."""

    caption: str
    corner: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    is_cut: bool = False

    @property
    def is_long(self) -> bool:
        """Whether it is more than a screen shows: then it scrolls by itself."""
        return len(self.rows) > ROWS_SHOWN


@dataclass(frozen=True, slots=True)
class _Head:
    """A row or column: what it is called and what it chooses."""

    names: tuple[str, ...]
    settings: dict[str, Any]


def price_table(model: ModelSpec, chosen: GenerationRequest) -> PriceTable:
    """The table of the chosen operation, for as many outputs and with what else is chosen."""
    capability = model.capability(model.operation_meant(chosen))
    assert capability is not None, "only operations of the model are chosen"
    bare = replace(chosen, size=None, resolution=None, aspect_ratio=None, duration_s=None, audio=None, quality=None)
    columns = _columns(capability)
    down = _rows(model, capability, bare, columns, chosen.aspect_ratio)
    kept = down[: max(CELLS_MAX // len(columns), 1)]
    found = complete(model, chosen)
    made = None if found is None else found[1].valid
    rows = tuple(_row(model, bare, made, head, columns) for head in kept)
    rows = tuple(row for row in rows if any(row.cells))
    return PriceTable(
        caption=_caption(model, chosen),
        corner=_corner(capability),
        columns=tuple(head.names[0] for head in columns),
        rows=_headed(rows),
        is_cut=len(kept) < len(down),
    )


def _caption(model: ModelSpec, chosen: GenerationRequest) -> str:
    outputs = chosen.outputs or 1
    return f"{model.name}: credits for {'one output' if outputs == 1 else f'{outputs} outputs'}"


def _corner(capability: Capability) -> tuple[str, ...]:
    ratios = ("Aspect ratio",) if capability.aspect_ratios else ()
    lengths = ("Duration",) if capability.durations else ()
    scales = ("Scale",) if capability.scales else ()
    return (*ratios, *lengths, *scales) or ("",)


def _columns(capability: Capability) -> list[_Head]:
    """Resolutions, each with and without sound or in each quality where that changes the price."""
    tiers: Sequence[str | None] = capability.resolutions or (None,)
    sounds: Sequence[bool | None] = capability.sounds if capability.price.sounds_differ else (None,)
    qualities: Sequence[str | None] = (None,)
    if isinstance(capability.price.rule, QualityPrice):
        qualities = [quality for quality in capability.qualities if quality != AUTO]
    found = []
    for tier in tiers:
        for sound in sounds:
            for quality in qualities:
                settings = {"resolution": tier, "audio": sound, "quality": quality}
                found.append(_Head((_named(settings) or "Credits",), settings))
    return found


def _named(settings: dict[str, Any]) -> str:
    return ", ".join(label_of(BY_NAME[name], value) for name, value in settings.items() if value is not None)


def _rows(
    model: ModelSpec,
    capability: Capability,
    bare: GenerationRequest,
    columns: Sequence[_Head],
    ratio_chosen: str | None,
) -> list[_Head]:
    """Ratios, those of one price and no pixels together, each with every length or scale. Of several the row chooses
    the one that is chosen already, else the first."""
    lengths: Sequence[tuple[str, dict[str, Any]]] = [
        *((label_of(BY_NAME["duration_s"], each), {"duration_s": each}) for each in capability.durations),
        *((label_of(BY_NAME["scale"], each), {"scale": each}) for each in capability.scales),
    ]
    found = []
    for ratios in _ratios(model, capability, bare, columns):
        for name, settings in lengths or [("", {})]:
            shown = (*([", ".join(ratios)] if ratios else []), *([name] if name else []))
            ratio = ratio_chosen if ratio_chosen in ratios else next(iter(ratios), None)
            found.append(_Head(shown or ("one output",), {"aspect_ratio": ratio, **settings}))
    return found


def _ratios(
    model: ModelSpec, capability: Capability, bare: GenerationRequest, columns: Sequence[_Head]
) -> list[tuple[str, ...]]:
    """The ratios in groups that no figure of the table tells apart."""
    if not capability.aspect_ratios:
        return [()]
    groups: dict[object, list[str]] = {}
    for ratio in dict.fromkeys(capability.aspect_ratios):
        groups.setdefault(tuple(_figures(model, capability, bare, columns, ratio)), []).append(ratio)
    return [tuple(group) for group in groups.values()]


def _figures(
    model: ModelSpec, capability: Capability, bare: GenerationRequest, columns: Sequence[_Head], ratio: str
) -> Iterator[object]:
    """All that the rows of one ratio show. Of a film the pixels of each length are the same and go unsaid."""
    lengths: Sequence[Fraction | None] = capability.durations or (None,)
    for head in columns:
        for duration_s in lengths:
            asked = replace(bare, **head.settings, aspect_ratio=ratio, duration_s=duration_s)
            decision = decide(model, asked)
            if not isinstance(decision, Priced):
                yield None
            else:
                yield decision.worth.credits, None if capability.durations else decision.valid.size


def _row(
    model: ModelSpec, bare: GenerationRequest, made: ValidRequest | None, head: _Head, columns: Sequence[_Head]
) -> Row:
    return Row(head.names, tuple(_cell(model, bare, made, {**column.settings, **head.settings}) for column in columns))


def _cell(
    model: ModelSpec, bare: GenerationRequest, made: ValidRequest | None, settings: dict[str, Any]
) -> Cell | None:
    """`made` is what comes of the choice as it stands: its cell is marked."""
    asked = replace(bare, **settings)
    decision = decide(model, asked)
    if not isinstance(decision, Priced):
        return None
    size = decision.valid.size
    is_film = decision.valid.duration_s is not None or decision.valid.durations_possible
    named = [name for name, value in settings.items() if value is not None]
    chosen_here = made is not None and all(getattr(made, name) == getattr(decision.valid, name) for name in named)
    return Cell(
        quote=decision.worth,
        form=written(asked, model),
        pixels="" if size is None or is_film else f"{size.width} × {size.height}",
        chosen=chosen_here,
    )


def _headed(rows: Sequence[Row]) -> tuple[Row, ...]:
    """A head that is that of the row above is seen once."""
    above = [None, *(row.heads[0] for row in rows)]
    return tuple(
        replace(row, repeats=len(row.heads) > 1 and row.heads[0] == before)
        for row, before in zip(rows, above, strict=False)
    )
