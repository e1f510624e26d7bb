"""What a provider made of a request, read from its answer by a dialect.

The status line alone is never an outcome: failure inside a 200 is common, and so are three images where four were
asked for.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from gatekeeper.core.sizes import Pixels

CostUnit = Literal[
    "usd",
    "bfl_credits",
    "fal_units",
    "kling_units",
    "recraft_units",
    "runway_credits",
    "topaz_credits",
    "output_tokens",
    "total_tokens",
]
"""In what providers report what something cost them; a closed list, for it stands in log lines."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What the provider says it cost, in its own unit. It is recorded beside the charge and never becomes it."""

    amount: Fraction | int
    unit: CostUnit


@dataclass(slots=True, unsafe_hash=True)
class Made:
    """It made something. None is what the answer does not tell. It does not change; one is made for each answer, and a
    frozen one costs three times as much.

    `pixels` has one entry an output. `duration_s` is that of one output. `resolution` is a tier as `sizes` spells it.
    `tokens` are those the provider bills. `job_id` is the provider's name for the work where it has one although it
    answered at once; `files` are further names under which the outputs may be asked for.
    """

    outputs: int
    pixels: tuple[Pixels | None, ...] = ()
    quality: str | None = None
    note: str = ""
    duration_s: Fraction | None = None
    resolution: str | None = None
    audio: bool | None = None
    tokens: int | None = None
    cost: Cost | None = None
    job_id: str | None = None
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """It made nothing. `billable`: the provider charges for it all the same; `cost` says how much, if it does."""

    reason: str
    billable: bool = False
    cost: Cost | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """It took the work and will tell later, under this id.

    `poll_url` is where it says that it will. `ended`: the work is over, and its result, not this answer, tells how.
    """

    job_id: str
    poll_url: str | None = None
    ended: bool = False
    cost: Cost | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """It answered, or began to, and what it made cannot be told from that. `gone`: it knows no such job (any more)."""

    reason: str
    gone: bool = False


Outcome = Made | Failed | Pending | Unknown
