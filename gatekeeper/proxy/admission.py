"""May this be asked, of whom, and at what price? Everything that is decided without the ledger.

Pure given its catalog: no I/O, so a quote and a generation go through the same few functions and cannot disagree.
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final

from gatekeeper.catalog import Catalog
from gatekeeper.catalog.naming import SUGGESTIONS_MAX
from gatekeeper.core.alternatives import alternatives, nearest_valid
from gatekeeper.core.decide import Priced, decide, may_be_remembered, settings_of
from gatekeeper.core.memo import Memo
from gatekeeper.core.price import Quote, bookable, worth
from gatekeeper.core.rejection import Code, Rejected, Rejection, Violation, refuse
from gatekeeper.core.request import GenerationRequest, Settings, ValidRequest
from gatekeeper.core.spec import ModelSpec, Offer
from gatekeeper.ledger.teamrecord import TeamRecord
from gatekeeper.proxy.gate import Call, Provider
from gatekeeper.proxy.past import ENFORCED, Past
from gatekeeper.proxy.phases import check_phase
from gatekeeper.proxy.telling import Told, admitted_facts, admitted_words

NAME_SHOWN_MAX = 80
"""How much of a name that somebody sent is repeated back."""

_LISTED = "the gateway's own GET /v1/models"
"""Beside a provider's, which has the same path below its prefix and lists what that provider has."""

EVERY_MODEL: Final = ("*",)
"""The patterns that take every model: the allow list of a team that has none of its own."""

PERMISSIONS_REMEMBERED: Final = 16_384
"""Lists of teams that have their own, each with a model: some hundred bytes."""

REFUSALS_REMEMBERED: Final = 2048
"""Whoever asks for what a model does not do asks again: a loop, or a workflow that is not mended yet. Five kilobytes
each, with the alternatives."""

_refusals: Final = Memo[int, tuple[tuple[Violation, ...], Rejection]](REFUSALS_REMEMBERED)
"""By the identity of what is wrong, which is remembered with them: `decide` gives the same for the same settings."""


ADMITTED_REMEMBERED: Final = 4096
"""What is asked of a provider's models, some hundred bytes each: a few hundred cover a day."""

_Key = tuple[int, int, str | None, Settings]

_admitted: Final = Memo[_Key, tuple[Catalog, Provider, ModelSpec, Offer, ValidRequest, Quote, Told, int]](
    ADMITTED_REMEMBERED
)
"""By the identities of catalog and provider, which are remembered with it, the model's name and the settings. Of a
prompt only whether there is one."""

_refused: Final = Memo[_Key, tuple[Catalog, Provider, Rejection]](REFUSALS_REMEMBERED)
"""The same for what the model does not do."""


@dataclass(slots=True)
class Admission:
    """A request that may be sent if the credits allow it. `model` has the defaults of the offer, `told` is all this for
    log lines, and `ttl_s` how long its hold has to last at least, as the model says (0: it says nothing). It does not
    change; to make a frozen one would cost more."""

    provider: Provider
    model: ModelSpec
    offer: Offer
    asked: GenerationRequest
    valid: ValidRequest
    quote: Quote
    told: Told
    ttl_s: int


def admit(
    catalog: Catalog,
    candidates: tuple[Provider, ...],
    team: TeamRecord,
    asked: GenerationRequest,
    *,
    project: str | None,
    phase: str | None,
    past: Past = ENFORCED,
) -> Admission:
    """Finds who offers the model, then checks lifecycle, permission, capability, the project's rule and the price.
    Raises `Rejected`; in shadow only where no price can be found, not even that of the nearest valid request. What is
    let in, of a team that may ask for every model, is remembered, and so is what the model does not do."""
    may_ask_all = team.models_allow == EVERY_MODEL and not team.models_deny and not team.projects
    if past is not ENFORCED or len(candidates) != 1 or not may_ask_all:
        return _admit(catalog, candidates, team, asked, project, phase, past)
    key = id(catalog), id(candidates[0]), asked.model, asked.settings or settings_of(asked)
    known = _admitted.get(key)
    if known is not None:
        _, provider, model, offer, valid, quote, told, ttl_s = known
        return Admission(provider, model, offer, asked, valid, quote, told, ttl_s)
    refused = _refused.get(key)
    if refused is not None:
        raise Rejected(refused[2])
    return _admit_new(key, catalog, candidates, team, asked)


def _admit_new(
    key: _Key, catalog: Catalog, candidates: tuple[Provider, ...], team: TeamRecord, asked: GenerationRequest
) -> Admission:
    """Decides, and remembers it."""
    provider = candidates[0]
    try:
        found = _admit(catalog, candidates, team, asked, None, None, ENFORCED)
    except Rejected as no:
        if _is_told_again(no.rejection):
            _refused.put(key, (catalog, provider, no.rejection))
        raise
    if may_be_remembered(asked):
        _admitted.put(
            key, (catalog, provider, found.model, found.offer, found.valid, found.quote, found.told, found.ttl_s)
        )
    return found


def _admit(
    catalog: Catalog,
    candidates: tuple[Provider, ...],
    team: TeamRecord,
    asked: GenerationRequest,
    project: str | None,
    phase: str | None,
    past: Past,
) -> Admission:
    provider, model, offer = _find(catalog, candidates, asked)
    if offer.is_retired:
        with past:
            raise _retired(catalog, model, offer)
    if not _is_allowed(model.id, team.models_allow, team.models_deny):
        with past:
            raise _not_allowed(model, team)
    if offer.operations is not None:
        with past:
            _check_offer_operations(model, offer, provider, asked)
    sold = catalog.sold_as(model, offer)
    decision = decide(sold, asked)
    priced = decision if isinstance(decision, Priced) else _past_refusal(sold, asked, decision, past)
    if team.projects:
        with past:
            check_phase(sold, asked, priced.valid, team, project, phase)
    valid, price = priced.valid, bookable(priced.worth)
    told = admitted_facts(provider.name, sold.id, valid, price, admitted_words(asked, offer.upstream_id))
    capability = sold.capability(valid.operation)
    ttl_s = capability.hold_ttl_s if capability else None
    return Admission(provider, sold, offer, asked, valid, price, told, ttl_s or 0)


def admit_call(call: Call, asked: GenerationRequest) -> Admission:
    """What a call asks for, on the account and at the providers that it has."""
    facts, past = call.trace.facts, call.past
    team = call.caller.team
    return admit(call.catalog, call.candidates, team, asked, project=facts.project, phase=facts.phase, past=past)


def names_at(model: ModelSpec, provider: Provider) -> tuple[str, ...]:
    """Every name under which a provider may know the model: its own ids for it, then the catalog's."""
    own = tuple(offer.upstream_id for offer in model.offers if offer.provider == provider.offers_of)
    return (*own, model.id)


def check_capability(model: ModelSpec, asked: GenerationRequest) -> ValidRequest:
    """The request with defaults filled. Raises `Rejected` with every violation and what would do instead."""
    decision = decide(model, asked)
    if isinstance(decision, Priced):
        return decision.valid
    raise Rejected(_refusal(model, asked, decision))


def _refusal(model: ModelSpec, asked: GenerationRequest, violations: tuple[Violation, ...]) -> Rejection:
    """Why the model does not do this, in words, with what it would do instead."""
    known = _refusals.get(id(violations))
    if known is not None:
        return known[1]
    near = alternatives(model, asked)
    found = Rejection(violations[0].code, describe(model, violations), violations=violations, alternatives=near)
    if may_be_remembered(asked):
        _refusals.put(id(violations), (violations, found))
    return found


def _is_told_again(rejection: Rejection) -> bool:
    """Whether it is one of those that are remembered: of a model that is there, of settings that may be kept."""
    known = _refusals.get(id(rejection.violations))
    return known is not None and known[1] is rejection


def _past_refusal(model: ModelSpec, asked: GenerationRequest, violations: tuple[Violation, ...], past: Past) -> Priced:
    """In shadow the nearest valid request, with its price, in place of one that is refused."""
    if past is ENFORCED:
        raise Rejected(_refusal(model, asked, violations))
    with past:
        raise Rejected(_refusal(model, asked, violations))
    valid = nearest_valid(model, asked)
    if valid is None:
        raise refuse(Code.PRICE_UNDETERMINED, f"{model.name} does nothing near this; it has no price.")
    return Priced(valid, worth(model, valid))


def check_allowed(model: ModelSpec, team: TeamRecord) -> None:
    """A team's deny list wins over its allow list. Raises `Rejected` (model_not_allowed)."""
    if not _is_allowed(model.id, team.models_allow, team.models_deny):
        raise _not_allowed(model, team)


def _is_allowed(model_id: str, allow: tuple[str, ...], deny: tuple[str, ...]) -> bool:
    return (not deny and allow == EVERY_MODEL) or _matches(model_id, allow, deny)


@lru_cache(PERMISSIONS_REMEMBERED)
def _matches(model_id: str, allow: tuple[str, ...], deny: tuple[str, ...]) -> bool:
    denied = any(fnmatchcase(model_id, pattern) for pattern in deny)
    return not denied and any(fnmatchcase(model_id, pattern) for pattern in allow)


def _not_allowed(model: ModelSpec, team: TeamRecord) -> Rejected:
    return refuse(Code.MODEL_NOT_ALLOWED, f"Team {team.id} may not use {model.name}; its lead can change that.")


def describe(model: ModelSpec, violations: tuple[Violation, ...]) -> str:
    """The violations in a sentence each, naming what is allowed."""
    return " ".join(_sentence(model.name, violation) for violation in violations)


def _sentence(name: str, violation: Violation) -> str:
    if violation.code is Code.MISSING_PARAMETER:
        return f"{name} needs {violation.field}: {', '.join(violation.supported)}."
    field = violation.field.replace("duration_s", "duration").replace("_", " ")
    takes = f"takes {field} {', '.join(violation.supported)}" if violation.supported else f"takes no {field} like this"
    nearest = f" Nearest: {violation.nearest}." if violation.nearest else ""
    return f"{name} {takes}; {violation.requested} was asked.{nearest}"


def _find(
    catalog: Catalog, candidates: tuple[Provider, ...], asked: GenerationRequest
) -> tuple[Provider, ModelSpec, Offer]:
    """The first candidate that offers the model: an offer in force before a retired one."""
    retired: tuple[Provider, ModelSpec, Offer] | None = None
    for provider in candidates:
        name = asked.model or provider.default_model
        found = catalog.find_offer(provider.offers_of, name, provider.models) if name else None
        if found is not None and not found[1].is_retired:
            return (provider, *found)
        if found is not None:
            retired = retired or (provider, *found)
    if retired is not None:
        return retired
    raise _not_found(catalog, candidates, asked.model)


def _not_found(catalog: Catalog, candidates: tuple[Provider, ...], name: str | None) -> Rejected:
    if name is None:
        missing = Violation(Code.MISSING_PARAMETER, "model", "nothing")
        detail = f"Name a model; all are in {_LISTED}."
        return Rejected(Rejection(Code.MISSING_PARAMETER, detail, violations=(missing,)))
    shown, here = name[:NAME_SHOWN_MAX], " or ".join(provider.name for provider in candidates) or "any provider"
    model = catalog.find(name)
    if model is not None:
        known = [o.upstream_id for o in model.offers for p in candidates if o.provider == p.offers_of]
        called = f" It is called {known[0]!r} there." if known else _where(model)
        return refuse(Code.MODEL_NOT_FOUND, f"{model.name} is not offered as {shown!r} at {here}.{called}")
    detail = f"No model {shown!r} at {here}.{_near(catalog, candidates, name)} All are in {_LISTED}."
    return refuse(Code.MODEL_NOT_FOUND, detail)


def _near(catalog: Catalog, candidates: tuple[Provider, ...], name: str) -> str:
    """The nearest names that can be used where it was asked; where there is none, the nearest anywhere, and where."""
    here = dict.fromkeys(near for p in candidates for near in catalog.suggest_at(p.offers_of, name, p.models))
    if here:
        return f" Near: {', '.join(list(here)[:SUGGESTIONS_MAX])}."
    elsewhere = [(near, model) for near in catalog.suggest(name) if (model := catalog.find(near)) and model.sold_at]
    return f" Near, elsewhere: {'; '.join(near + _at(model) for near, model in elsewhere)}." if elsewhere else ""


def _where(model: ModelSpec) -> str:
    return f" It is sold{_at(model)}." if model.sold_at else ""


def _at(model: ModelSpec | None) -> str:
    """Where it is sold, as the end of a phrase."""
    return f" at {', '.join(model.sold_at)}" if model is not None and model.sold_at else ""


def _retired(catalog: Catalog, model: ModelSpec, offer: Offer) -> Rejected:
    lifecycle = offer.lifecycle
    since = f" on {lifecycle.sunset}" if lifecycle.sunset else ""
    detail = f"{model.name} ({offer.upstream_id}) was retired by {offer.provider}{since}."
    use = lifecycle.replacement
    instead = f" Use {use} instead{_sold(catalog, use)}." if use else ""
    return refuse(Code.MODEL_RETIRED, detail + instead)


def _sold(catalog: Catalog, name: str) -> str:
    model = catalog.find(name)
    return f", sold{_at(model)}" if model is not None and model.sold_at else ""


def _check_offer_operations(model: ModelSpec, offer: Offer, provider: Provider, asked: GenerationRequest) -> None:
    """A provider may do only some of the operations that the model has."""
    operation = model.operation_meant(asked)
    if offer.operations is None or operation in offer.operations or model.capability(operation) is None:
        return
    supported = tuple(sorted(offer.operations))
    violation = Violation(Code.OPERATION_NOT_SUPPORTED, "operation", operation, supported)
    detail = f"{provider.name} offers {model.name} for {', '.join(supported)} only; {operation} was asked."
    raise Rejected(Rejection(violation.code, detail, violations=(violation,)))
