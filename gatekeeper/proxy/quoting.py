"""The price before, with nothing held: the body of `POST /v1/quotes` and of every dry run.

Goes through the same admission as a generation. Whether the team can afford it is read from its balance and told as
`admissible`; only a real hold decides, for credits may be gone by then.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from aiohttp import web

from gatekeeper.catalog import Catalog
from gatekeeper.core.alternatives import affordable
from gatekeeper.core.price import Quote, quote
from gatekeeper.core.rejection import Code, Rejected, Rejection, refuse
from gatekeeper.core.request import GenerationRequest
from gatekeeper.core.spec import ModelSpec
from gatekeeper.dialects.facts import alternative_facts, credits_number, violation_facts
from gatekeeper.ledger.reports import Balance
from gatekeeper.ledger.teamrecord import TeamRecord
from gatekeeper.proxy.admission import admit_call, check_allowed, check_capability, names_at
from gatekeeper.proxy.gate import Call, Gate
from gatekeeper.proxy.phases import check_phase
from gatekeeper.web.answers import json_answer
from gatekeeper.web.auth import Caller

_ABOUT_SETTINGS = 422
"""Rejections with this status are about what was asked, so a quote tells them, as it tells a resolution that is kept
for another phase; others refuse the quote itself."""


async def quote_answer(gate: Gate, call: Call, asked: GenerationRequest) -> web.Response:
    """The quote in place of the generation, for a route of a provider."""
    try:
        admission = admit_call(call, asked)
    except Rejected as refused:
        return await _refused_answer(gate, call, asked.model or "", refused)
    return await _priced_answer(gate, call, admission.model, asked, admission.quote)


async def catalog_quote_answer(gate: Gate, call: Call, asked: GenerationRequest) -> web.Response:
    """The quote for a model of the catalog, at whichever provider here offers it.

    `admissible` is about all of it: a model that nobody here offers, or that is retired everywhere, is priced and
    still not admissible.
    """
    model = find_model(call.catalog, asked.model or "")
    check_allowed(model, call.caller.team)
    try:
        valid = check_capability(model, asked)
        check_phase(model, asked, valid, call.caller.team, call.facts.project, call.facts.phase)
        priced = quote(model, valid)
    except Rejected as refused:
        return await _refused_answer(gate, call, model.id, refused)
    return await _priced_answer(gate, call, model, asked, priced, _codes_anywhere(gate, call, model, asked))


def find_model(catalog: Catalog, name: str) -> ModelSpec:
    """A model by id, alias, or a provider's id for it. Raises `Rejected` (model_not_found) with the nearest names."""
    model = catalog.find(name) or catalog.find_upstream(name)
    if model is None:
        near = ", ".join(catalog.suggest(name))
        raise refuse(Code.MODEL_NOT_FOUND, f"No such model in the catalog.{f' Near: {near}.' if near else ''}")
    return model


def _codes_anywhere(gate: Gate, call: Call, model: ModelSpec, asked: GenerationRequest) -> list[str]:
    """Why no provider here would take it; empty if one would. The most telling code: retired before not found."""
    codes = set[Code]()
    for provider in gate.providers.values():
        for name in names_at(model, provider):
            try:
                admit_call(replace(call, candidates=(provider,), shadow=None), replace(asked, model=name))
            except Rejected as refused:
                codes.add(refused.rejection.code)
            else:
                return []
    leading = sorted(codes or {Code.MODEL_NOT_FOUND}, key=lambda code: code is Code.MODEL_NOT_FOUND)
    return [leading[0].value]


async def caller_balance(gate: Gate, caller: Caller, project: str | None, member: str | None) -> Balance:
    """The team's balance with the limits that apply to this caller."""
    return await gate.ledger.balance(
        caller.team.id, project=project or "", member=member or "", key_id=caller.record.key_id
    )


async def _refused_answer(gate: Gate, call: Call, model: str, refused: Rejected) -> web.Response:
    rejection = refused.rejection
    if rejection.status != _ABOUT_SETTINGS and rejection.code is not Code.RESOLUTION_NOT_IN_PHASE:
        raise refused
    balance = await caller_balance(gate, call.caller, call.facts.project, call.facts.member)
    document = refusal_document(model, rejection) | {"available": credits_number(balance.available)}
    return json_answer(document, call.request_id)


async def _priced_answer(
    gate: Gate, call: Call, model: ModelSpec, asked: GenerationRequest, priced: Quote, codes: Sequence[str] = ()
) -> web.Response:
    balance = await caller_balance(gate, call.caller, call.facts.project, call.facts.member)
    about_money = _money_codes(call.caller.team, balance, priced.credits)
    near = affordable(model, asked, _room(call.caller.team, balance)) if about_money else ()
    return json_answer(
        {
            "model": model.id,
            **quote_document(priced),
            "violations": [],
            "admissible": not codes and not about_money,
            "codes": [*codes, *about_money],
            "available": credits_number(balance.available),
            "alternatives": [alternative_facts(a) for a in near],
        },
        call.request_id,
    )


def refusal_document(model: str, rejection: Rejection) -> dict[str, Any]:
    """The quote of what cannot be made: no price, what is wrong with it, and what would do."""
    return {
        "model": model,
        "credits": None,
        "lines": [],
        "violations": [violation_facts(v) for v in rejection.violations],
        "admissible": False,
        "codes": list(rejection.codes),
        "price_list": None,
        "alternatives": [alternative_facts(a) for a in rejection.alternatives],
    }


def quote_document(priced: Quote) -> dict[str, Any]:
    """A quote's own part of the document: the sum, its lines, where the price comes from."""
    return {
        "credits": credits_number(priced.credits),
        "upper_bound": priced.upper_bound,
        "lines": [
            {
                "item": line.item,
                "unit_credits": credits_number(line.unit_credits),
                "times": line.times,
                "credits": credits_number(line.credits),
            }
            for line in priced.lines
        ],
        "price_list": priced.price_list.id,
        "effective_at": priced.price_list.effective_at.isoformat(),
    }


def _room(team: TeamRecord, balance: Balance) -> int:
    """The most that one request may cost right now and still pass every check that is about credits."""
    rooms = [balance.available, *(limit.limit - limit.used - limit.held for limit in balance.limits)]
    if team.caps.per_request is not None:
        rooms.append(team.caps.per_request)
    if team.caps.held_credits is not None:
        rooms.append(team.caps.held_credits - balance.held)
    return max(min(rooms), 0)


def _money_codes(team: TeamRecord, balance: Balance, amount: int) -> list[str]:
    """The codes with which a hold of this amount would be refused right now."""
    codes = [Code.TEAM_FROZEN] if team.frozen else []
    if team.caps.per_request is not None and amount > team.caps.per_request:
        codes.append(Code.REQUEST_CAP_EXCEEDED)
    if amount > balance.available:
        codes.append(Code.INSUFFICIENT_CREDITS)
    if any(limit.used + limit.held + amount > limit.limit for limit in balance.limits):
        codes.append(Code.LIMIT_EXCEEDED)
    if _too_many_running(team, balance, amount):
        codes.append(Code.CONCURRENCY_EXCEEDED)
    return [str(code) for code in codes]


def _too_many_running(team: TeamRecord, balance: Balance, amount: int) -> bool:
    caps = team.caps
    by_count = caps.open_holds is not None and balance.open_holds >= caps.open_holds
    return by_count or (caps.held_credits is not None and balance.held + amount > caps.held_credits)
