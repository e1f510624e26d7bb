"""The log events about teams and their budgets. Part of `events`, which lists them.

Amounts are `Credits`: micro-credits inside, written as exact numbers of credits.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import WithJsonSchema

Credits = Annotated[int, WithJsonSchema({"type": "number", "description": "credits, at most six decimals"})]
"""Micro-credits inside, written as an exact decimal number of credits."""

Figures = Annotated[dict[str, Any], "figures"]
"""Numbers by name; what is called `credits_...` is an amount."""

Diagnosis = Literal[
    "too_many_high_resolution_renders_too_early",
    "burning_faster_than_plan",
    "audio_by_default",
    "retry_storm",
    "repeated_prompts_at_high_resolution",
]
"""Why spend runs ahead of plan: a closed list, for it is a metric's label too."""


@dataclass(frozen=True, kw_only=True)
class LimitThreshold:
    """A limit, or a project's budget, is used to `percent`; told once per window. `scope` is the limit's, such as
    `member:amy`, or `budget:<project>`; `window_start` is an ISO time, null where it is for life."""

    event: Literal["limit.threshold"] = "limit.threshold"
    team: str
    scope: str
    per: str
    percent: int
    credits_limit: Credits
    credits_used: Credits
    credits_held: Credits
    window_start: str | None = None
    resets_at: str | None = None


@dataclass(frozen=True, kw_only=True)
class BudgetSignal:
    """A project's spend runs ahead of its plan, and this is the cause; told once per window and diagnosis. `facts` are
    its numbers, `credits_saved` what the lower resolution (no audio, no repetition) would have saved so far."""

    event: Literal["budget.signal"] = "budget.signal"
    team: str
    project: str
    diagnosis: Diagnosis
    credits_budget: Credits
    credits_charged: Credits
    credits_saved: Credits
    detail: str
    facts: Figures


@dataclass(frozen=True, kw_only=True)
class AllowanceGiven:
    """A recurring grant was given for a period of the team's own time zone."""

    event: Literal["allowance.given"] = "allowance.given"
    team: str
    grant: str
    credits: Credits
    expires_at: str | None = None


@dataclass(frozen=True, kw_only=True)
class AlertDelivered:
    """The team's alert address took an event. `alert` is its id, the same at every attempt."""

    event: Literal["alert.delivered"] = "alert.delivered"
    team: str
    alert: str
    host: str
    status: int
    age_s: int


@dataclass(frozen=True, kw_only=True)
class AlertFailed:
    """The team's alert address did not take an event. `final` False: it is tried again."""

    event: Literal["alert.failed"] = "alert.failed"
    team: str
    alert: str
    host: str
    status: int
    reason: str
    final: bool
