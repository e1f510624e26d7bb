"""What an outcome is owed for: priced from the list of its request, and what becomes of more than was held.

Where that list is gone, what was held is divided by what was made. No I/O: whoever ends a generation books what is
found here.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from operator import attrgetter
from typing import Any, Final

import orjson

from gatekeeper.core.credits import AMOUNT_MICROCREDITS_MAX
from gatekeeper.core.memo import Memo
from gatekeeper.core.outcome import Cost, Failed, Made
from gatekeeper.core.price import charge
from gatekeeper.core.request import ValidRequest
from gatekeeper.core.rules import TokenPrice
from gatekeeper.core.spec import ModelSpec, OverRun
from gatekeeper.events import SettledAs
from gatekeeper.ledger.bounds import OUTPUTS_MAX

SIZES_BOOKED_MAX: Final = 10
"""Distinct sizes that a settlement's journal entry names; no request asks for more outputs than that."""

OUTCOMES_REMEMBERED: Final = 8192
"""Some hundred bytes each. Nearly every outcome of a request is one of a few."""

_told: Final = attrgetter("outputs", "pixels", "quality", "resolution", "audio", "duration_s")
"""All that the worth of an outcome follows from, but for tokens."""

_outcomes: Final = Memo[tuple[int, int, tuple[Any, ...]], tuple[ModelSpec, ValidRequest, tuple[int, OverRun]]](
    OUTCOMES_REMEMBERED
)

LIST_GONE: Final = "price list gone: the hold, divided by what was made"


@dataclass(frozen=True, slots=True)
class Owed:
    """What to book, in micro-credits. `worth` is what the outcome is worth, of which more than was held is charged only
    if the model says so; `within_available`: and then only as far as the team's credits go."""

    amount: int
    worth: int
    within_available: bool = False
    note: str = ""


NOTHING: Final = Owed(0, 0)


def owed(model: ModelSpec | None, valid: ValidRequest, made: Made, held: int, *, is_remembered: bool = False) -> Owed:
    """What is owed for what was made. `model` None: its price list is not known here any more. Never raises.

    `is_remembered`: the request is one that its admission remembers for all that ask the same, so what an outcome of it
    is worth is remembered too.
    """
    found = None if model is None else (_remembered_worth if is_remembered else _worth)(model, valid, made)
    if found is None:
        amount = _divided(valid, made, held)
        return Owed(amount, amount, note=f"{made.note}; {LIST_GONE}" if made.note else LIST_GONE)
    worth, over = found
    amount = min(worth, held) if over is OverRun.ABSORB else worth
    return Owed(amount, worth, over is OverRun.CHARGE and worth > held, made.note)


def _worth(model: ModelSpec, valid: ValidRequest, made: Made) -> tuple[int, OverRun] | None:
    """What the outcome is worth by the model's list, and who bears what is beyond the hold."""
    capability = model.capability(valid.operation)
    if capability is None:
        return None
    return min(charge(model, valid, made, 0).quote.credits, AMOUNT_MICROCREDITS_MAX), capability.over


def _remembered_worth(model: ModelSpec, valid: ValidRequest, made: Made) -> tuple[int, OverRun] | None:
    """The same. Model and request are known by their identities, which are theirs for as long as this remembers them;
    where tokens are the price hardly two outcomes are the same, and none is remembered."""
    key = (id(model), id(valid), _told(made))
    known = _outcomes.get(key)
    if known is not None:
        return known[2]
    found, capability = _worth(model, valid, made), model.capability(valid.operation)
    is_usual = made.outputs <= SIZES_BOOKED_MAX and len(made.pixels) <= SIZES_BOOKED_MAX and not made.duration_s
    if found and capability and is_usual and not isinstance(capability.price.rule, TokenPrice):
        _outcomes.put(key, (model, valid, found))
    return found


def made_as(valid: ValidRequest, made: Made) -> SettledAs:
    """Whether all came that was asked for."""
    return "made" if made.outputs >= valid.outputs else "partial"


def outputs_made(outcome: Made | Failed) -> int:
    """How many outputs the usage counts: as many as it says, in the bounds of what is believed."""
    return min(max(outcome.outputs, 0), OUTPUTS_MAX) if isinstance(outcome, Made) else 0


def outcome_meta(outcome: Made | Failed, cost: Cost | None, via: str = "") -> str:
    """What came out, for the journal: number, sizes, quality and length as the answer told, what the provider says it
    cost, and how that was learnt."""
    told: dict[str, Any] = {"via": via} if via else {}
    if isinstance(outcome, Made):
        _tell_made(told, outcome)
    if cost is not None:
        told["cost"], told["cost_unit"] = _number(cost.amount), cost.unit
    return orjson.dumps(told).decode()


def _tell_made(told: dict[str, Any], made: Made) -> None:
    """What is nothing, or not told, is left out."""
    sizes = [str(pixels) for pixels in dict.fromkeys(made.pixels) if pixels is not None][:SIZES_BOOKED_MAX]
    duration_s = None if made.duration_s is None else str(made.duration_s)
    found = (made.outputs, sizes, made.quality, made.audio, made.resolution, made.tokens, duration_s)
    told.update((name, value) for name, value in zip(_MADE, found, strict=True) if value)


_MADE: Final = ("outputs", "sizes", "quality", "audio", "resolution", "tokens", "duration_s")


def cost_facts(cost: Cost | None) -> dict[str, Any]:
    """The reported cost, as a settlement's event tells it."""
    return {} if cost is None else {"cost_reported": float(cost.amount), "cost_unit": cost.unit}


def _number(amount: Fraction | None) -> str | None:
    """Exact, as a whole number or a fraction."""
    return None if amount is None else str(amount)


def _divided(valid: ValidRequest, made: Made, held: int) -> int:
    """The part of the hold that was made, by outputs and by seconds; at most all of it, rounded up."""
    outputs = Fraction(min(max(made.outputs, 0), valid.outputs), max(valid.outputs, 1))
    asked_s = valid.duration_s or max(valid.durations_possible, default=None)
    seconds = Fraction(1)
    if asked_s and made.duration_s is not None and made.duration_s > 0:
        seconds = min(made.duration_s / asked_s, Fraction(1))
    return max(0, ceil(held * outputs * seconds))
