"""How a project's budget stands: its window, its parts as planned and as spent, its causes in words. Pure.

Made of the document of `GET .../signals`, so the page says what the API says.
"""

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import orjson

from gatekeeper.console.sparks import Bar
from gatekeeper.core.credits import parse_credits

TITLES = {
    "too_many_high_resolution_renders_too_early": "High resolutions too early",
    "burning_faster_than_plan": "Burning faster than planned",
    "audio_by_default": "Sound that nobody asked for",
    "retry_storm": "The same request again and again",
    "repeated_prompts_at_high_resolution": "The same prompt at a high resolution again",
}
"""The causes, in words."""


@dataclass(frozen=True, slots=True)
class PlanPart:
    """A part of a budget: its planned and its true share of what was spent, in percent; micro-credits."""

    name: str
    share_percent: int | None
    charged_percent: float
    charged: int
    planned: int | None
    generations: int
    bar: Bar


@dataclass(frozen=True, slots=True)
class Cause:
    """Why spend runs ahead of plan."""

    title: str
    detail: str
    saved: int
    told_at: str | None


@dataclass(frozen=True, slots=True)
class ProjectPlan:
    """A project's budget, in micro-credits; `window_end` None: it has no end."""

    project: str
    per: str
    window_start: str
    window_end: str | None
    budget: int
    charged: int
    held: int
    used_percent: float
    elapsed_percent: float | None
    parts: tuple[PlanPart, ...]
    causes: tuple[Cause, ...]

    @property
    def is_ahead(self) -> bool:
        """Whether more of the budget is used than of its time has passed."""
        return self.elapsed_percent is not None and self.used_percent > self.elapsed_percent


def plans_of(signals: dict[str, Any]) -> list[ProjectPlan]:
    """The projects of a report."""
    # As it is written, an amount is exact; as it is kept on its way there, it is a text that is not read again.
    found = json.loads(orjson.dumps(signals), parse_float=Decimal)
    return [_plan(each) for each in found.get("projects", [])]


def _plan(found: dict[str, Any]) -> ProjectPlan:
    return ProjectPlan(
        project=found["project"],
        per=found["per"],
        window_start=found["window_start"],
        window_end=found["window_end"],
        budget=_micro(found["credits_budget"]),
        charged=_micro(found["credits_charged"]),
        held=_micro(found["credits_held"]),
        used_percent=float(found["used_percent"]),
        elapsed_percent=None if found["elapsed_percent"] is None else float(found["elapsed_percent"]),
        parts=tuple(map(_part, found["parts"])),
        causes=tuple(map(_cause, found["signals"])),
    )


def _part(found: dict[str, Any]) -> PlanPart:
    return PlanPart(
        name=found["part"] or "outside the plan",
        share_percent=found["share_percent"],
        charged_percent=float(found["charged_percent"]),
        charged=_micro(found["credits_charged"]),
        planned=None if found["credits_planned"] is None else _micro(found["credits_planned"]),
        generations=found["generations"],
        bar=Bar(min(max(float(found["charged_percent"]), 0.0), 100.0), 0.0, ""),
    )


def _cause(found: dict[str, Any]) -> Cause:
    title = TITLES.get(found["diagnosis"], found["diagnosis"])
    return Cause(title, found["detail"], _micro(found["credits_saved"]), found["told_at"])


def _micro(number: int | Decimal) -> int:
    return parse_credits(number)
