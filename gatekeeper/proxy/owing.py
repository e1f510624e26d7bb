"""What an outcome is owed for: priced from the list of its request, and what becomes of more than was held.

Where that list is gone, what was held is divided by what was made. No I/O: whoever ends a generation books what is
found here.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil
from operator import attrgetter
from typing import Any, Final

import orjson

from gatekeeper.core.credits import AMOUNT_MICROCREDITS_MAX
from gatekeeper.core.decide import Priced, decide, may_be_remembered
from gatekeeper.core.memo import Memo
from gatekeeper.core.outcome import Cost, Failed, Made
from gatekeeper.core.price import charge
from gatekeeper.core.request import GenerationRequest, ValidRequest
from gatekeeper.core.rules import TokenPrice
from gatekeeper.core.spec import ModelSpec, OverRun
from gatekeeper.events import SettledAs
from gatekeeper.ledger.bounds import OUTPUTS_MAX
from gatekeeper.proxy.telling import count_told, made_words

SIZES_BOOKED_MAX: Final = 10
"""Distinct sizes that a settlement's journal entry names; no request asks for more outputs than that."""

OUTCOMES_REMEMBERED: Final = 8192
"""Some hundred bytes each. Nearly every outcome of a request is one of a few."""

_told: Final = attrgetter("outputs", "pixels", "quality", "resolution", "audio", "duration_s", "note")
"""All that the end of a generation follows from, beside its request and its hold, but for tokens and cost."""

Worth = tuple[int, OverRun]
"""What an outcome is worth by the model's list, and who bears what is beyond the hold."""

NOTHING_TOLD: Final = "{}"
"""What the journal is told of an answer that tells nothing."""

LIST_GONE: Final = "price list gone: the hold, divided by what was made"


@dataclass(slots=True, unsafe_hash=True)
class Owed:
    """What to book, in micro-credits. `worth` is what the outcome is worth, of which more than was held is charged only
    if the model says so; `within_available`: and then only as far as the team's credits go. Nobody changes it; to make
    a frozen one would cost more."""

    amount: int
    worth: int
    within_available: bool = False
    note: str = ""


NOTHING: Final = Owed(0, 0)


@dataclass(slots=True)
class Ended:
    """The end of a generation: what to book of it, how it is told to the journal (`meta`) and in the log (`words`), and
    what the provider says it cost. `outputs` are as many as the usage counts, `outputs_made` as many as the answer
    says. Nobody changes it: many generations end alike, and an end that `is_usual` is remembered for them."""

    due: Owed
    settled_as: SettledAs
    cost: Cost | None
    meta: str
    outputs: int = 0
    outputs_made: int = 0
    quality_made: str | None = None
    words: dict[str, Any] | None = None
    is_usual: bool = False


_OutcomeKey = tuple[int, int, int, int | None, Cost | None, tuple[Any, ...]]

_outcomes: Final = Memo[_OutcomeKey, tuple[ModelSpec, ValidRequest, Ended]](OUTCOMES_REMEMBERED)


def owed(model: ModelSpec | None, valid: ValidRequest, made: Made, held: int) -> Owed:
    """What is owed for what was made. `model` None: its price list is not known here any more. Never raises."""
    return _owed(None if model is None else _worth(model, valid, made), valid, made, held)


def ended_with(model: ModelSpec, valid: ValidRequest, made: Made, held: int, asked: GenerationRequest) -> Ended:
    """How a generation ends with what was made. Its worth and its words are remembered, for nearly every outcome of a
    request is one of a few, its tokens too.

    Model and request are known by their identities, which are theirs for as long as this remembers them, and met again
    only where what was `asked` is decided once for all that ask the same. Where tokens are the price hardly two
    outcomes are the same, and none is remembered. Tokens are told all the same.
    """
    tokens, cost, told = made.tokens, made.cost, _told(made)
    known = _outcomes.get((id(model), id(valid), held, tokens, cost, told))
    if known is not None:
        return known[2]
    plain = _outcomes.get((id(model), id(valid), held, None, None, told))
    end = _found(model, valid, made, held, asked) if plain is None else plain[2]
    if tokens is not None or cost is not None:
        words = end.words if tokens is None else (end.words or {}) | {"tokens": count_told(tokens)}
        end = replace(end, cost=cost, meta=_with_figures(end.meta, tokens, cost), words=words)
    if end.is_usual:
        _outcomes.put((id(model), id(valid), held, tokens, cost, told), (model, valid, end))
    return end


def _found(model: ModelSpec, valid: ValidRequest, made: Made, held: int, asked: GenerationRequest) -> Ended:
    """The end as it is but for tokens and cost, and remembered if others will have the same."""
    worth = _worth(model, valid, made)
    end = _plain_end(worth, valid, made, held)
    if worth is not None and _is_usual(model, valid, made) and _comes_again(model, valid, asked):
        end.is_usual = True
        _outcomes.put((id(model), id(valid), held, None, None, _told(made)), (model, valid, end))
    return end


def _with_figures(meta: str, tokens: int | None, cost: Cost | None) -> str:
    """A JSON object with figures that differ from one answer to the next: digits, and words of our own."""
    figures = f',"tokens":{tokens}' if tokens else ""
    if cost is not None:
        figures += f',"cost":"{cost.amount}","cost_unit":"{cost.unit}"'
    return f"{meta[:-1]}{figures}}}" if meta != NOTHING_TOLD else f"{{{figures[1:]}}}"


def _plain_end(worth: Worth | None, valid: ValidRequest, made: Made, held: int) -> Ended:
    """The end as it is but for tokens and cost."""
    meta, words = meta_text(_without_tokens(_journal(made)), None), _without_tokens(made_words(made))
    due = _owed(worth, valid, made, held)
    return Ended(due, made_as(valid, made), None, meta, outputs_made(made), made.outputs, made.quality, words)


def _comes_again(model: ModelSpec, valid: ValidRequest, asked: GenerationRequest) -> bool:
    """Whether whoever asks the same gets this very request: its decision is remembered, and nothing else was let by in
    its place."""
    if not may_be_remembered(asked):
        return False
    decision = decide(model, asked)
    return isinstance(decision, Priced) and decision.valid is valid


def _without_tokens(told: dict[str, Any]) -> dict[str, Any]:
    told.pop("tokens", None)
    return told


def _owed(worth: Worth | None, valid: ValidRequest, made: Made, held: int) -> Owed:
    if worth is None:
        amount = _divided(valid, made, held)
        return Owed(amount, amount, False, f"{made.note}; {LIST_GONE}" if made.note else LIST_GONE)
    amount, over = worth
    if amount <= held:
        return Owed(amount, amount, False, made.note)
    return Owed(held if over is OverRun.ABSORB else amount, amount, over is OverRun.CHARGE, made.note)


def _worth(model: ModelSpec, valid: ValidRequest, made: Made) -> Worth | None:
    capability = model.capability(valid.operation)
    if capability is None:
        return None
    return min(charge(model, valid, made, 0).quote.credits, AMOUNT_MICROCREDITS_MAX), capability.over


def _is_usual(model: ModelSpec, valid: ValidRequest, made: Made) -> bool:
    """Whether others will have the same outcome."""
    capability = model.capability(valid.operation)
    if capability is None or isinstance(capability.price.rule, TokenPrice):
        return False
    return made.outputs <= SIZES_BOOKED_MAX and len(made.pixels) <= SIZES_BOOKED_MAX and not made.duration_s


def made_as(valid: ValidRequest, made: Made) -> SettledAs:
    """Whether all came that was asked for."""
    return "made" if made.outputs >= valid.outputs else "partial"


def outputs_made(outcome: Made | Failed) -> int:
    """How many outputs the usage counts: as many as it says, in the bounds of what is believed."""
    return min(max(outcome.outputs, 0), OUTPUTS_MAX) if isinstance(outcome, Made) else 0


def outcome_meta(outcome: Made | Failed, cost: Cost | None, via: str = "") -> str:
    """What came out, for the journal: number, sizes, quality and length as the answer told, what the provider says it
    cost, and how that was learnt."""
    told = _journal(outcome) if isinstance(outcome, Made) else {}
    return meta_text({"via": via} | told if via else told, cost)


def meta_text(told: dict[str, Any], cost: Cost | None) -> str:
    """The same of what is in words already."""
    if cost is not None:
        told["cost"], told["cost_unit"] = str(cost.amount), cost.unit
    return orjson.dumps(told).decode()


def _journal(made: Made) -> dict[str, Any]:
    """What is nothing, or not told, is left out."""
    sizes = [str(pixels) for pixels in dict.fromkeys(made.pixels) if pixels is not None][:SIZES_BOOKED_MAX]
    duration_s = None if made.duration_s is None else str(made.duration_s)
    found = (made.outputs, sizes, made.quality, made.audio, made.resolution, made.tokens, duration_s)
    return {name: value for name, value in zip(_MADE, found, strict=True) if value}


_MADE: Final = ("outputs", "sizes", "quality", "audio", "resolution", "tokens", "duration_s")


def cost_facts(cost: Cost | None) -> dict[str, Any]:
    """The reported cost, as a settlement's event tells it."""
    return {} if cost is None else {"cost_reported": float(cost.amount), "cost_unit": cost.unit}


def _divided(valid: ValidRequest, made: Made, held: int) -> int:
    """The part of the hold that was made, by outputs and by seconds; at most all of it, rounded up."""
    outputs = Fraction(min(max(made.outputs, 0), valid.outputs), max(valid.outputs, 1))
    asked_s = valid.duration_s or max(valid.durations_possible, default=None)
    seconds = Fraction(1)
    if asked_s and made.duration_s is not None and made.duration_s > 0:
        seconds = min(made.duration_s / asked_s, Fraction(1))
    return max(0, ceil(held * outputs * seconds))
