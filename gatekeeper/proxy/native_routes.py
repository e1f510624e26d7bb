"""The gateway's own questions and answers on the data plane: models, balance, usage, holds.

Reads only: what spends goes through the pipeline. A caller sees its own team and nothing of another.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from itertools import islice, product
from typing import Any, Final

import orjson
from aiohttp import web

from gatekeeper.catalog import Catalog
from gatekeeper.core.credits import parse_credits
from gatekeeper.core.memo import Memo
from gatekeeper.core.price import quote
from gatekeeper.core.rejection import Code, number_text, quoted, refuse
from gatekeeper.core.request import GenerationRequest, Operation, ValidRequest
from gatekeeper.core.rules import QualityPrice
from gatekeeper.core.sizes import AUTO, Pixels, Ratio, Tier, read_size
from gatekeeper.core.spec import Capability, Combination, ModelSpec, Offer, scale_text
from gatekeeper.core.validate import validate
from gatekeeper.dialects.facts import credits_number
from gatekeeper.ledger.reports import Balance, LimitUsage, OpenHold
from gatekeeper.proxy.body import body_read
from gatekeeper.proxy.gate import Call, Gate
from gatekeeper.proxy.quoting import caller_balance, catalog_quote_answer, find_model
from gatekeeper.web.answers import iso_time, json_answer
from gatekeeper.web.usagereport import usage_answer, usage_report

HOLDS_SHOWN_MAX = 1000
"""More open holds than this are not a list to look at."""

PRICED_INPUT = Pixels(1024, 1024)
"""The input that an upscale is priced for in a listing; a quote takes the real one."""

LENGTHS_SHOWN_MAX = 4
"""So many lengths are listed one by one; more are a range, of which the ends say what a second costs."""

PRICES_SHOWN_MAX = 100
"""A capability with more prices than this is no longer a table to look at."""

CAPABILITIES_PRICED_MAX: Final = 2048
"""Capabilities whose prices are remembered, some kilobytes each: all of a few catalogs, one read after the other."""

Priced = list[tuple[dict[str, Any], int]]
"""The labels of each choice, and its price in micro-credits."""

_priced: Final = Memo[tuple[int, int], tuple[ModelSpec, Capability, Priced]](CAPABILITIES_PRICED_MAX)


async def answer_quote(gate: Gate, call: Call) -> web.Response:
    """`POST /v1/quotes`: the price, or what is wrong; nothing is held. No price depends on a prompt: none is needed."""
    body = await body_read(gate, call)
    asked = call.dialect.read_request(call.route, call.request.headers.get("Content-Type", ""), body)
    return await catalog_quote_answer(gate, call, replace(asked, prompt_length=asked.prompt_length or 1))


async def answer_models(gate: Gate, call: Call) -> web.Response:  # noqa: ARG001  # every answering takes both
    """`GET /v1/models`."""
    return json_answer(models_document(call.catalog, call.request.query), call.request_id)


async def answer_model(gate: Gate, call: Call) -> web.Response:  # noqa: ARG001
    """`GET /v1/models/{id}`, by id or alias."""
    model = find_model(call.catalog, call.route.upstream_path.rpartition("/")[2])
    return json_answer(model_document(model), call.request_id)


async def answer_balance(gate: Gate, call: Call) -> web.Response:
    """`GET /v1/balance`."""
    balance = await caller_balance(gate, call.caller, call.facts.project, call.facts.member)
    return json_answer(balance_document(balance), call.request_id)


async def answer_holds(gate: Gate, call: Call) -> web.Response:
    """`GET /v1/holds`."""
    holds = await gate.ledger.holds(call.caller.team.id, HOLDS_SHOWN_MAX)
    return json_answer(holds_document(holds), call.request_id)


async def answer_usage(gate: Gate, call: Call) -> web.Response:
    """`GET /v1/usage`."""
    report = await usage_report(gate.ledger, call.caller.team, call.request.query)
    return await usage_answer(report, call.request_id)


def models_document(catalog: Catalog, query: Mapping[str, str]) -> dict[str, Any]:
    """The catalog, filtered by operation, resolution, aspect_ratio and max_credits (for one output)."""
    known = {"operation", "resolution", "aspect_ratio", "max_credits"}
    if unknown := sorted(set(query) - known):
        raise refuse(Code.MALFORMED_REQUEST, f"Unknown filter {unknown[0]!r}; there are {', '.join(sorted(known))}.")
    models = [document for model in catalog.models if (document := model_document(model, query))["capabilities"]]
    return {"models": models, "catalog": catalog.digest}


def model_document(model: ModelSpec, query: Mapping[str, str] | None = None) -> dict[str, Any]:
    """One model: who offers it, what it can do, what each choice costs. `query` narrows the capabilities."""
    capabilities = [c for c in model.capabilities if _matches(model, c, query or {})]
    return {
        "id": model.id,
        "name": model.name,
        "aliases": list(model.aliases),
        "offers": [_offer_document(offer) for offer in model.offers],
        "capabilities": [_capability_document(model, c) for c in capabilities],
        "price_list": model.price_list.id,
        "effective_at": model.price_list.effective_at.isoformat(),
    }


def _offer_document(offer: Offer) -> dict[str, Any]:
    lifecycle = offer.lifecycle
    return {
        "provider": offer.provider,
        "upstream_id": offer.upstream_id,
        "status": lifecycle.status,
        "sunset": lifecycle.sunset,
        "replacement": lifecycle.replacement,
        "operations": sorted(offer.operations) if offer.operations is not None else None,
        "resolution_default": offer.resolution_default,
        "duration_default": None if offer.duration_default is None else _number(offer.duration_default),
        "audio_default": offer.audio_default,
    }


def _capability_document(model: ModelSpec, capability: Capability) -> dict[str, Any]:
    return {
        "operations": list(capability.operations),
        "resolutions": list(capability.resolutions),
        "resolution_default": capability.resolution_default,
        "aspect_ratios": list(capability.aspect_ratios),
        "sizes": [str(size) for size in capability.by_pixels],
        "free_sizes": list(capability.size_range.describe()) if capability.size_range else [],
        "outputs_max": capability.outputs_max,
        "scales": [scale_text(scale) for scale in capability.scales],
        "qualities": list(capability.qualities),
        "durations": [_number(seconds) for seconds in capability.durations],
        "duration_default": None if capability.duration_default is None else _number(capability.duration_default),
        "audio": capability.audio,
        "audio_default": capability.audio_default,
        "not_sold": [_combination_document(each) for each in capability.not_sold],
        "prices": [{**labels, "credits": credits_number(amount)} for labels, amount in prices(model, capability)],
    }


def _combination_document(combination: Combination) -> dict[str, Any]:
    """What is not sold together; a setting that is not named stands for all its values."""
    seconds = combination.duration_s
    found = {
        "resolution": combination.resolution,
        "aspect_ratio": combination.aspect_ratio,
        "duration_s": None if seconds is None else _number(seconds),
        "audio": combination.audio,
    }
    return {name: value for name, value in found.items() if value is not None}


def _number(value: Fraction) -> orjson.Fragment:
    """A number of seconds as JSON: 8, 2.5."""
    return orjson.Fragment(number_text(value))


def prices(model: ModelSpec, capability: Capability) -> Priced:
    """What one output costs for every choice that has a price of its own, each with the labels that select it.

    Of many lengths only the shortest, the default and the longest are listed; a quote has any other. They are found
    once: for a whole catalog that takes long, and whoever lists models would hold up all others each time. What is
    remembered keeps its model and capability, so that their identities are theirs alone.
    """
    key = id(model), id(capability)
    known = _priced.get(key)
    if known is None:
        found = list(islice(_prices(model, capability), PRICES_SHOWN_MAX))
        known = _priced.put(key, (model, capability, found))
    return known[2]


def _prices(model: ModelSpec, capability: Capability) -> Iterator[tuple[dict[str, Any], int]]:
    price = capability.price
    sounds: tuple[bool | None, ...] = capability.sounds if price.sounds_differ else (None,)
    qualities: tuple[str | None, ...] = (None,)
    if isinstance(price.rule, QualityPrice):
        qualities = tuple(quality for quality in capability.qualities if quality != AUTO)
    settings = product(
        capability.resolutions or (None,), capability.scales or (None,), qualities, _lengths(capability), sounds
    )
    for tier, scale, quality, seconds, sound in settings:
        request = GenerationRequest(
            operation=capability.operations[0],
            prompt_length=1,
            input_pixels=PRICED_INPUT,
            resolution=tier,
            scale=scale,
            quality=quality,
            duration_s=seconds,
            audio=sound,
        )
        valid = validate(model, request)
        if isinstance(valid, ValidRequest):
            labels = {
                "resolution": tier,
                "scale": scale_text(scale) if scale else None,
                "quality": quality,
                "duration_s": None if seconds is None else _number(seconds),
                "audio": sound,
            }
            yield {name: label for name, label in labels.items() if label is not None}, quote(model, valid).credits


def _lengths(capability: Capability) -> tuple[Fraction | None, ...]:
    durations = capability.durations
    if len(durations) <= LENGTHS_SHOWN_MAX:
        return durations or (None,)
    shown = {durations[0], capability.duration_default or durations[0], durations[-1]}
    return tuple(sorted(shown))


def _matches(model: ModelSpec, capability: Capability, query: Mapping[str, str]) -> bool:
    if "operation" in query and query["operation"] not in capability.operations:
        if query["operation"] not in set(Operation):
            raise refuse(Code.MALFORMED_REQUEST, f"No operation {query['operation']!r}: {', '.join(Operation)}.")
        return False
    if "resolution" in query and _tier(query["resolution"]) not in capability.resolutions:
        return False
    if "aspect_ratio" in query and _ratio(query["aspect_ratio"]) not in capability.aspect_ratios:
        return False
    if "max_credits" not in query:
        return True
    tier = _tier(query["resolution"]) if "resolution" in query else ""
    amounts = [amount for labels, amount in prices(model, capability) if tier in {"", labels.get("resolution")}]
    return bool(amounts) and min(amounts) <= _max_credits(query["max_credits"])


def _tier(text: str) -> str:
    meaning = read_size(text)
    if not isinstance(meaning, Tier):
        raise refuse(Code.MALFORMED_REQUEST, f"resolution: {quoted(text)} is no resolution; write it like 2K or 768P.")
    return meaning.name


def _ratio(text: str) -> str:
    meaning = read_size(text)
    if not isinstance(meaning, Ratio):
        raise refuse(Code.MALFORMED_REQUEST, f"aspect_ratio: {quoted(text)} is no aspect ratio; write it like 16:9.")
    return meaning.label


def _max_credits(text: str) -> int:
    try:
        return parse_credits(text)
    except ValueError as error:
        raise refuse(Code.MALFORMED_REQUEST, f"max_credits: {error}.") from None


def balance_document(balance: Balance) -> dict[str, Any]:
    """A team's credits: granted = available + held + charged + expired - debt."""
    return {
        "team": balance.team,
        "granted": credits_number(balance.granted),
        "available": credits_number(balance.available),
        "held": credits_number(balance.held),
        "charged": credits_number(balance.charged),
        "expired": credits_number(balance.expired),
        "debt": credits_number(balance.debt),
        "limits": [_limit_document(limit) for limit in balance.limits],
    }


def _limit_document(limit: LimitUsage) -> dict[str, Any]:
    return {
        "scope": limit.scope,
        "per": limit.per,
        "limit": credits_number(limit.limit),
        "used": credits_number(limit.used),
        "held": credits_number(limit.held),
        "resets_at": None if limit.resets_at_ms is None else iso_time(limit.resets_at_ms),
        "raised_until": None if limit.raised_until_ms is None else iso_time(limit.raised_until_ms),
    }


def holds_document(holds: tuple[OpenHold, ...]) -> dict[str, Any]:
    """The team's open holds, oldest first."""
    return {"holds": [_hold_document(hold) for hold in holds]}


def _hold_document(hold: OpenHold) -> dict[str, Any]:
    return {
        "id": hold.hold_id,
        "state": hold.state,
        "credits": credits_number(hold.amount),
        "held_at": iso_time(hold.held_at_ms),
        "deadline": None if hold.deadline_ms is None else iso_time(hold.deadline_ms),
        "on_unknown": hold.on_unknown,
        "project": hold.project or None,
        "member": hold.member or None,
        "key_id": hold.key_id or None,
        "price_list": hold.price_list,
    }
