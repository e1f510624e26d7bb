"""`/catalog`: every model, who sells it, what it does and from what it costs; filtered by words that a form sends."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from aiohttp import web

from gatekeeper.catalog import Catalog
from gatekeeper.console.calculator import operation_text
from gatekeeper.console.standing import State
from gatekeeper.console.visiting import Route, Visit, path_of
from gatekeeper.core.memo import Memo
from gatekeeper.core.request import Operation
from gatekeeper.core.spec import ModelSpec, Status
from gatekeeper.proxy.native_routes import prices

PATH: Final = "/catalog"

TEXT_MAX: Final = 80
"""No model's name is longer, and a page repeats what was looked for."""

OVERVIEWS_KEPT: Final = 4
"""A catalog's rows are made once; a few reloads are remembered."""


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model in the list. `from_credits` is the least that one output costs, in micro-credits, of what `unit` names;
    None where it has no price that stands by itself."""

    id: str
    name: str
    address: str
    operations: tuple[Operation, ...]
    operation_words: tuple[str, ...]
    providers: tuple[str, ...]
    from_credits: int | None
    unit: str
    state: State
    words: str
    """All that a search looks through, in lower case."""


@dataclass(frozen=True, slots=True)
class Filter:
    """What is looked for; "" stands for everything."""

    text: str = ""
    operation: str = ""
    provider: str = ""

    def takes(self, row: ModelRow) -> bool:
        """Every word must be somewhere in the row."""
        return (
            all(word in row.words for word in self.text.lower().split())
            and self.operation in {"", *row.operations}
            and self.provider in {"", *row.providers}
        )


@dataclass(frozen=True, slots=True)
class Overview:
    """The list as a page shows it, with what its filters offer. `total` counts what there is without them."""

    rows: tuple[ModelRow, ...]
    total: int
    wanted: Filter
    operations: tuple[tuple[str, str], ...]
    providers: tuple[str, ...]

    @property
    def address(self) -> str:
        """Where this list is found again."""
        fields = {"q": self.wanted.text, "operation": self.wanted.operation, "provider": self.wanted.provider}
        said = {name: value for name, value in fields.items() if value}
        return f"{PATH}?{urlencode(said)}" if said else PATH

    @property
    def found(self) -> int:
        return len(self.rows)

    @property
    def provider_count(self) -> int:
        return len(self.providers)


_rows_made: Final = Memo[str, tuple[ModelRow, ...]](OVERVIEWS_KEPT)


def overview(catalog: Catalog, query: Mapping[str, str]) -> Overview:
    """The models that a query leaves, in the order of their names."""
    rows = _rows_made.get(catalog.digest) or _rows_made.put(catalog.digest, _rows(catalog.models))
    wanted = Filter(query.get("q", "")[:TEXT_MAX].strip(), query.get("operation", ""), query.get("provider", ""))
    known = {operation for row in rows for operation in row.operations}
    return Overview(
        rows=tuple(row for row in rows if wanted.takes(row)),
        total=len(rows),
        wanted=wanted,
        operations=tuple((each.value, operation_text(each)) for each in Operation if each in known),
        providers=tuple(sorted({provider for row in rows for provider in row.providers})),
    )


def _rows(models: Iterable[ModelSpec]) -> tuple[ModelRow, ...]:
    return tuple(sorted(map(_row, models), key=lambda row: row.name.lower()))


def _row(model: ModelSpec) -> ModelRow:
    words = tuple(operation_text(operation) for operation in model.operations)
    upstream_ids = (offer.upstream_id for offer in model.offers)
    is_film = model.operations[0].startswith("video.")
    return ModelRow(
        id=model.id,
        name=model.name,
        address=path_of("catalog", model.id),
        operations=model.operations,
        operation_words=words,
        providers=model.sold_at,
        from_credits=from_credits(model),
        unit="a video" if is_film else "an image",
        state=state_of(model),
        words=" ".join((model.name, model.id, *model.aliases, *model.sold_at, *words, *upstream_ids)).lower(),
    )


def from_credits(model: ModelSpec) -> int | None:
    """The least that one output of the model costs."""
    amounts = (amount for capability in model.capabilities for _, amount in prices(model, capability))
    return min(amounts, default=None)


def state_of(model: ModelSpec) -> State:
    """Where its offers stand, all together."""
    states = {offer.lifecycle.status for offer in model.offers}
    if not states:
        return State("own backend", "off")
    if Status.ACTIVE in states:
        return State("sold", "good")
    if Status.DEPRECATED in states:
        ends = min(str(o.lifecycle.sunset) for o in model.offers if o.lifecycle.status is Status.DEPRECATED)
        return State(f"ends {ends}", "warn")
    return State("retired", "bad")


async def show(visit: Visit) -> web.Response:
    """The list, or for htmx its rows alone."""
    # A thread of its own: the first time every model is priced.
    found = await asyncio.to_thread(overview, visit.parts.catalog(), dict(visit.query))
    return visit.page("catalog_rows.html" if visit.is_partial else "catalog.html", catalog=found)


ROUTES = (Route("GET", PATH, show),)
