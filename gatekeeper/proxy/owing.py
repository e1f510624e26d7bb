"""What an outcome is owed for: priced from the list of its request, and what becomes of more than was held.

Where that list is gone, what was held is divided by what was made. No I/O: whoever ends a generation books what is
found here.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any, Final

import orjson

from gatekeeper.core.credits import AMOUNT_MICROCREDITS_MAX
from gatekeeper.core.outcome import Cost, Failed, Made
from gatekeeper.core.price import charge
from gatekeeper.core.request import ValidRequest
from gatekeeper.core.spec import ModelSpec, OverRun
from gatekeeper.events import SettledAs
from gatekeeper.ledger.bounds import OUTPUTS_MAX

SIZES_BOOKED_MAX: Final = 10
"""Distinct sizes that a settlement's journal entry names; no request asks for more outputs than that."""

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


def owed(model: ModelSpec | None, valid: ValidRequest, made: Made, held: int) -> Owed:
    """What is owed for what was made. `model` None: its price list is not known here any more. Never raises."""
    capability = None if model is None else model.capability(valid.operation)
    if model is None or capability is None:
        amount = _divided(valid, made, held)
        return Owed(amount, amount, note=f"{made.note}; {LIST_GONE}" if made.note else LIST_GONE)
    worth = min(charge(model, valid, made, held).quote.credits, AMOUNT_MICROCREDITS_MAX)
    over = capability.over
    amount = min(worth, held) if over is OverRun.ABSORB else worth
    return Owed(amount, worth, over is OverRun.CHARGE and worth > held, made.note)


def made_as(valid: ValidRequest, made: Made) -> SettledAs:
    """Whether all came that was asked for."""
    return "made" if made.outputs >= valid.outputs else "partial"


def outputs_made(outcome: Made | Failed) -> int:
    """How many outputs the usage counts: as many as it says, in the bounds of what is believed."""
    return min(max(outcome.outputs, 0), OUTPUTS_MAX) if isinstance(outcome, Made) else 0


def outcome_meta(outcome: Made | Failed, cost: Cost | None, via: str = "") -> str:
    """What came out, for the journal: number, sizes, quality and length as the answer told, what the provider says it
    cost, and how that was learnt."""
    meta: dict[str, Any] = {"via": via}
    if isinstance(outcome, Made):
        sizes = [str(pixels) for pixels in dict.fromkeys(outcome.pixels) if pixels is not None][:SIZES_BOOKED_MAX]
        meta |= {"outputs": outcome.outputs, "sizes": sizes, "quality": outcome.quality, "audio": outcome.audio}
        meta |= {"resolution": outcome.resolution, "tokens": outcome.tokens, "duration_s": _number(outcome.duration_s)}
    if cost is not None:
        meta |= {"cost": _number(cost.amount), "cost_unit": cost.unit}
    return orjson.dumps({key: value for key, value in meta.items() if value not in (None, "", [], 0)}).decode()


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
