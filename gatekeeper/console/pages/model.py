"""`/catalog/{model}`: what one model does and takes, what every choice costs, and how it is asked for."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from aiohttp import web

from gatekeeper.catalog import Catalog
from gatekeeper.console.calculator import Calculation, calculate, operation_text
from gatekeeper.console.choices import written
from gatekeeper.console.dataport import DataPort
from gatekeeper.console.explaining import explain_price
from gatekeeper.console.pages.catalog import state_of
from gatekeeper.console.pricetable import PriceTable, price_table
from gatekeeper.console.snippets.samples import Samples, samples
from gatekeeper.console.standing import State
from gatekeeper.console.visiting import Route, Visit, path_of
from gatekeeper.core.lasting import durations_text
from gatekeeper.core.rejection import number_text
from gatekeeper.core.spec import Capability, Lifecycle, ModelSpec, Offer, OverRun, Status, scale_text

CHANGED: Final = "changed"
"""The field by which a script says what was changed last."""

_OVER: Final = {
    OverRun.ABSORB: "borne by the house",
    OverRun.CHARGE: "charged, as far as the team's credits go",
    OverRun.DEBT: "charged in full, into debt if need be",
}

_STATES: Final = {
    Status.ACTIVE: State("sold", "good"),
    Status.DEPRECATED: State("ending", "warn"),
    Status.RETIRED: State("retired", "bad"),
}


@dataclass(frozen=True, slots=True)
class OfferRow:
    """One offer. `replacement` is a model to move to, with its address; `remarks` are its own defaults and limits."""

    provider: str
    upstream_id: str
    state: State
    ends: str
    replacement: str
    replacement_address: str
    remarks: str


@dataclass(frozen=True, slots=True)
class ModelPage:
    """All that the page shows. `address` is this choice's own; `limits` are pairs of a name and what there is of it."""

    model: ModelSpec
    state: State
    address: str
    here: str
    calculation: Calculation
    explanations: tuple[str, ...]
    table: PriceTable
    samples: Samples
    offers: tuple[OfferRow, ...]
    limits: tuple[tuple[str, str], ...]


def model_page(
    catalog: Catalog, model: ModelSpec, query: Mapping[str, str], data_port: DataPort, host: str
) -> ModelPage:
    """The page of a model for what a form or an address says. `host` is how the console was reached."""
    calculation = calculate(model, query, query.get(CHANGED))
    return ModelPage(
        model=model,
        state=state_of(model),
        address=address_of(model.id, written(calculation.chosen, model)),
        here=path_of("catalog", model.id),
        calculation=calculation,
        explanations=explain_price(calculation.capability, calculation.valid, calculation.quote),
        table=price_table(model, calculation.chosen),
        samples=samples(catalog, calculation, data_port.doors, data_port.url(host)),
        offers=tuple(_offer(offer) for offer in model.offers),
        limits=tuple(_limits(calculation.capability)),
    )


def address_of(model_id: str, form: Mapping[str, str]) -> str:
    """The page of a model with this chosen."""
    path = path_of("catalog", model_id)
    return f"{path}?{urlencode(form)}" if form else path


def _offer(offer: Offer) -> OfferRow:
    lifecycle = offer.lifecycle
    replacement = lifecycle.replacement or ""
    return OfferRow(
        provider=offer.provider,
        upstream_id=offer.upstream_id,
        state=_STATES[lifecycle.status],
        ends=_ends(lifecycle),
        replacement=replacement,
        replacement_address=path_of("catalog", replacement) if replacement else "",
        remarks="; ".join(_remarks(offer)),
    )


def _ends(lifecycle: Lifecycle) -> str:
    if lifecycle.sunset is None:
        return ""
    return f"since {lifecycle.sunset}" if lifecycle.status is Status.RETIRED else f"until {lifecycle.sunset}"


def _remarks(offer: Offer) -> Iterator[str]:
    """What is this seller's own."""
    if offer.operations is not None:
        yield ", ".join(operation_text(operation) for operation in sorted(offer.operations))
    if offer.resolution_default is not None:
        yield f"{offer.resolution_default} when nothing is said"
    if offer.duration_default is not None:
        yield f"{number_text(offer.duration_default)} s when nothing is said"
    if offer.audio_default is not None:
        yield f"{'with' if offer.audio_default else 'without'} sound when nothing is said"


def _limits(capability: Capability) -> Iterator[tuple[str, str]]:
    """What the model takes in this operation, in words."""
    yield "Resolutions", ", ".join(capability.resolutions)
    yield "Aspect ratios", ", ".join(capability.aspect_ratios)
    yield "Durations", ", ".join(f"{each} s" for each in durations_text(capability.durations))
    yield "Sound", {"none": "", "always": "always", "optional": "with or without"}[capability.audio.value]
    yield "Qualities", ", ".join(capability.qualities)
    yield "Scales", ", ".join(scale_text(scale) for scale in capability.scales)
    yield "Sizes of your own", ", ".join(capability.size_range.describe()) if capability.size_range else ""
    yield "Outputs in one request", f"up to {capability.outputs_max}"
    yield "Not sold together", "; ".join(_not_sold(capability))
    yield "Made beyond what was held", _OVER[capability.over]
    yield "A job may take", _deadlines(capability)


def _not_sold(capability: Capability) -> Iterator[str]:
    for each in capability.not_sold:
        said = [
            each.resolution,
            each.aspect_ratio,
            None if each.duration_s is None else f"{number_text(each.duration_s)} s",
            None if each.audio is None else "with sound" if each.audio else "without sound",
        ]
        yield " with ".join(word for word in said if word)


def _deadlines(capability: Capability) -> str:
    found = capability.job_deadlines_s
    return ", ".join(f"{seconds // 60} min" + (f" at {tier}" if tier else "") for tier, seconds in found.items())


async def show(visit: Visit) -> web.Response:
    """The page, or for htmx the part that follows a choice. An alias or a provider's name leads to the model itself."""
    catalog, name = visit.parts.catalog(), visit.ids["model"]
    model = catalog.find(name) or catalog.find_upstream(name)
    if model is None:
        raise web.HTTPNotFound
    if model.id != name:
        return visit.see(path_of("catalog", model.id))
    # A thread of its own: a table of some hundred quotes takes longer than those who generate should wait.
    page = await asyncio.to_thread(
        model_page, catalog, model, dict(visit.query), visit.parts.data_port, visit.request.host
    )
    if not visit.is_partial:
        return visit.page("model.html", page=page, address_of=address_of)
    return visit.page("calculator.html", page=page, address_of=address_of)


ROUTES = (Route("GET", "/catalog/{model:.+}", show),)
