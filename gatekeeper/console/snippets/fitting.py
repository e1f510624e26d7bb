"""Does a written request say what was chosen, at the price that was shown? It is read as the data plane would read it.

The catalog, the dialect's reader and the core's decision are those of a request that comes in; only keys, teams and
credits are left out. A provider whose format cannot say it has no snippet, and the reason is told.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

import orjson

from gatekeeper.catalog import Catalog
from gatekeeper.console.snippets.forms import write_freepik, write_ideogram, write_native, write_topaz
from gatekeeper.console.snippets.google import write_gemini
from gatekeeper.console.snippets.hosts import write_fal, write_replicate
from gatekeeper.console.snippets.houses import write_ark, write_dashscope, write_kling, write_minimax
from gatekeeper.console.snippets.multipart import BOUNDARY, form_body
from gatekeeper.console.snippets.vendors import (
    write_bfl,
    write_luma,
    write_openai,
    write_recraft,
    write_runway,
    write_xai,
)
from gatekeeper.console.snippets.wire import Wanted, Wire, Writer
from gatekeeper.core.decide import Priced, decide
from gatekeeper.core.making import closings
from gatekeeper.core.price import Quote, worth
from gatekeeper.core.rejection import Rejected, number_text
from gatekeeper.core.request import ValidRequest
from gatekeeper.core.spec import Capability, ModelSpec, Offer
from gatekeeper.dialects.base import Dialect, RouteKind

WRITERS: Final[Mapping[str, Writer]] = {
    "ark": write_ark,
    "bfl": write_bfl,
    "dashscope": write_dashscope,
    "fal": write_fal,
    "freepik": write_freepik,
    "gemini": write_gemini,
    "ideogram": write_ideogram,
    "kling": write_kling,
    "luma": write_luma,
    "minimax": write_minimax,
    "native": write_native,
    "openai": write_openai,
    "recraft": write_recraft,
    "replicate": write_replicate,
    "runway": write_runway,
    "topaz": write_topaz,
    "xai": write_xai,
}
"""By dialect. A format that the settings describe (`custom`) has none: its own documentation has its requests."""

RATIOS_TRIED_MAX: Final = 3
"""Where a format takes nothing but pixels, one of the first few shapes will do."""


@dataclass(frozen=True, slots=True)
class Door:
    """A provider of this gateway, as far as a snippet needs to know it. `models` are the patterns of catalog ids that
    it takes under the catalog's own names, `host` the host name that is its alone. A format that the settings describe
    has no dialect here."""

    name: str
    dialect_name: str
    dialect: Dialect | None
    offers_of: str
    models: tuple[str, ...] = ()
    host: str | None = None


@dataclass(frozen=True, slots=True)
class Fit:
    """A request that says what was chosen. `names` what it had to name, for the format cannot leave it open."""

    door: Door
    upstream_id: str
    wire: Wire
    offer: Offer
    names: str = ""


@dataclass(frozen=True, slots=True)
class Misfit:
    """A provider that offers the model, and why it has no snippet for this."""

    door: Door
    reason: str


def fits(catalog: Catalog, model: ModelSpec, valid: ValidRequest, shown: Quote, door: Door) -> Fit | Misfit | None:
    """The request by which this provider makes what was chosen, at what was shown; None if it has no such model."""
    offers = [*_offers(catalog, model, door)]
    if not offers:
        return None
    writer = WRITERS.get(door.dialect_name)
    if writer is None or door.dialect is None:
        return Misfit(door, "Its format is described in the settings, and so are its requests.")
    able = [offer for offer in offers if offer.operations is None or valid.operation in offer.operations]
    if not able:
        return Misfit(door, "It does not sell this operation.")
    capability = model.capability(valid.operation)
    assert capability is not None, "a valid request names an operation of its model"
    for each, names in _ways(model, capability, valid, shown):
        for offer in able:
            for wire in writer(Wanted(offer.upstream_id, each, capability)):
                if _says(catalog, door, wire, model, capability, each, shown):
                    return Fit(door, offer.upstream_id, wire, offer, names)
    return Misfit(door, "Its format does not say this, or its model makes something else of what is left open.")


def _offers(catalog: Catalog, model: ModelSpec, door: Door) -> Iterator[Offer]:
    """What it sells of the model, its own ids before the catalog's."""
    yield from (offer for offer in model.offers if offer.provider == door.offers_of and not offer.is_retired)
    found = catalog.find_offer(door.offers_of, model.id, door.models) if door.dialect_name == "native" else None
    if found is not None:
        yield found[1]


def _ways(
    model: ModelSpec, capability: Capability, valid: ValidRequest, shown: Quote
) -> Iterator[tuple[ValidRequest, str]]:
    """As it was chosen; then with what is left open named, at its dearest, which is what was shown; then in a shape."""
    yield valid, ""
    same = (each for each in closings(capability, valid) if worth(model, each).credits == shown.credits)
    closed = next(same, valid)
    if closed != valid:
        drawn = _shaped(capability, closed, closed.aspect_ratio)
        yield drawn, _named(valid, drawn)
    if valid.aspect_ratio is not None or valid.size is not None:
        return
    for ratio in capability.aspect_ratios[:RATIOS_TRIED_MAX]:
        for each in (valid, closed):
            shaped = _shaped(capability, each, ratio)
            sold = capability.sells(shaped.resolution, ratio, shaped.duration_s, shaped.audio)
            if sold and worth(model, shaped).credits == shown.credits:
                yield shaped, _named(valid, shaped)


def _shaped(capability: Capability, valid: ValidRequest, ratio: str | None) -> ValidRequest:
    """The same in a shape, with its pixels where they are known, for formats that take nothing else."""
    size = valid.size or capability.pixels.get((valid.resolution or "", ratio or ""))
    return replace(valid, aspect_ratio=ratio, size=size)


def _named(valid: ValidRequest, closed: ValidRequest) -> str:
    """What a request names that was left open."""
    found = [
        closed.aspect_ratio if valid.aspect_ratio is None else None,
        closed.resolution if valid.resolution is None else None,
        f"{number_text(closed.duration_s)} s" if valid.duration_s is None and closed.duration_s else None,
        ("with sound" if closed.audio else "without sound") if valid.audio_open and not closed.audio_open else None,
        closed.quality if valid.quality is None else None,
    ]
    return ", ".join(word for word in found if word)


def _says(
    catalog: Catalog,
    door: Door,
    wire: Wire,
    model: ModelSpec,
    capability: Capability,
    wanted: ValidRequest,
    shown: Quote,
) -> bool:
    read = read_again(catalog, door, wire, wanted)
    if read is None or read[0] is not model or read[1].worth.credits != shown.credits:
        return False
    return _same(wanted, read[1].valid, capability)


def read_again(catalog: Catalog, door: Door, wire: Wire, wanted: ValidRequest) -> tuple[ModelSpec, Priced] | None:
    """What the data plane would make of this request; None if it would refuse it."""
    route = None if door.dialect is None else door.dialect.find_route("POST", wire.path)
    if door.dialect is None or route is None or route.kind is not RouteKind.GENERATION:
        return None
    content_type, body = encoded(wire, wanted)
    try:
        asked = door.dialect.read_request(route, content_type, [body])
    except Rejected:
        return None
    found = catalog.find_offer(door.offers_of, asked.model or "", door.models)
    if found is None or found[1].is_retired:
        return None
    model, offer = found
    if offer.operations is not None and model.operation_meant(asked) not in offer.operations:
        return None
    decision = decide(catalog.sold_as(model, offer), replace(asked))
    return (model, decision) if isinstance(decision, Priced) else None


def encoded(wire: Wire, wanted: ValidRequest) -> tuple[str, bytes]:
    """The body as it is sent, with a picture of the right size in a form."""
    if not wire.is_form:
        return "application/json", orjson.dumps(wire.body)
    return f"multipart/form-data; boundary={BOUNDARY}", form_body(wire, wanted.input_pixels)


def _same(wanted: ValidRequest, read: ValidRequest, capability: Capability) -> bool:
    """Whether it says all that was chosen. A size in pixels of a free range has no tier of its own."""
    leaves_sound = wanted.audio_open or Wanted("", wanted, capability).leaves_sound
    free = read.size is not None and read.resolution is None and wanted.duration_s is None
    return (
        read.operation is wanted.operation
        and read.outputs == wanted.outputs
        and (wanted.resolution in {None, read.resolution} or free)
        and wanted.aspect_ratio in {None, read.aspect_ratio}
        and wanted.duration_s in {None, read.duration_s}
        and (leaves_sound or wanted.audio == read.audio)
        and wanted.quality in {None, read.quality}
        and wanted.scale == read.scale
        and wanted.enhance_prompt == read.enhance_prompt
        and wanted.input_video == read.input_video
    )
