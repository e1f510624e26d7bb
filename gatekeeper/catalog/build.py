"""Makes the core's values of files that have been checked, and the hashes that name what was read.

A price list's hash covers what prices depend on: its head and each model's capabilities. Comments, layout, display
names and offers do not change it, so a charge can be traced to its prices through a year of other edits.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar

from gatekeeper.catalog.pixels import read_pixels
from gatekeeper.catalog.prices import price_of
from gatekeeper.catalog.schema import CapabilityEntry, CatalogFile, ModelEntry, NotSold, OfferEntry
from gatekeeper.catalog.timed import missing_cells
from gatekeeper.core.spec import Capability, Combination, Lifecycle, ModelSpec, Offer, PriceList

_Item = TypeVar("_Item")

HASH_LENGTH = 12
"""48 bits: two lists of one product will not meet, and a person can still compare them by eye."""


def models_of(file: CatalogFile, data: Mapping[str, Any]) -> tuple[ModelSpec, ...]:
    """The models of a file. `data` is the file's plain data, for the price list's hash."""
    entry = file.price_list
    priced = [{"id": model["id"], "capabilities": model["capabilities"]} for model in data["models"]]
    content = content_hash({"price_list": data["price_list"], "models": priced})
    price_list = PriceList(f"{entry.name}@{content}", entry.effective_at, entry.source)
    return tuple(_model(model, price_list) for model in file.models)


def content_hash(data: object) -> str:
    """Twelve hex digits of the plain data's SHA-256, whatever the order of its keys."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_LENGTH]


def _plain(value: object) -> str:
    """Numbers and times in one spelling: 73.50 is 73.5."""
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    assert isinstance(value, date | datetime), "plain data has nothing else"
    return value.isoformat()


def _model(entry: ModelEntry, price_list: PriceList) -> ModelSpec:
    return ModelSpec(
        id=entry.id,
        name=entry.name,
        price_list=price_list,
        capabilities=tuple(_capability(capability) for capability in entry.capabilities),
        offers=tuple(_offer(offer) for offer in entry.offers),
        aliases=tuple(entry.aliases),
        notes=entry.notes,
    )


def _offer(entry: OfferEntry) -> Offer:
    return Offer(
        provider=entry.provider,
        upstream_id=entry.upstream_id,
        lifecycle=Lifecycle(entry.status, entry.sunset, entry.replacement),
        operations=None if entry.operations is None else frozenset(entry.operations),
        resolution_default=entry.resolution_default,
        duration_default=entry.duration_default,
        audio_default=entry.audio_default,
    )


def _capability(entry: CapabilityEntry) -> Capability:
    table = read_pixels(entry.pixels or {}, _all(entry.resolutions), _all(entry.aspect_ratios))
    tiers, durations = tuple(_all(entry.resolutions)), tuple(_all(entry.durations))
    missing = missing_cells(entry.price, tiers, durations, entry.audio)
    return Capability(
        operations=tuple(entry.operations),
        price=price_of(entry.price, tiers),
        resolutions=tiers,
        resolution_default=entry.resolution_default,
        aspect_ratios=tuple(_all(entry.aspect_ratios)),
        pixels=table.made,
        by_pixels=table.readings,
        size_range=None if entry.size_range is None else entry.size_range.range,
        outputs_max=entry.outputs_max,
        scales=tuple(_all(entry.scales)),
        qualities=tuple(_all(entry.qualities)),
        durations=durations,
        duration_default=entry.duration_default,
        audio=entry.audio,
        audio_default=entry.audio_default,
        size_default=entry.size_default,
        not_sold=(*_not_sold(_all(entry.not_sold)), *missing),
        hold_ttl_s=entry.hold_ttl_s,
        over=entry.over,
        job_deadlines_s=entry.job_deadline_s or {},
    )


def _not_sold(entries: Sequence[NotSold]) -> Iterator[Combination]:
    for entry in entries:
        for seconds in entry.durations or (None,):
            yield Combination(entry.resolution, entry.aspect_ratio, seconds, entry.audio)


def _all(values: Sequence[_Item] | None) -> Sequence[_Item]:
    """A list that may be left out."""
    return () if values is None else values
