"""Why a project's spend runs ahead of its plan: five named causes, each with its numbers and what could be saved.

Pure: a project, the usage rows of its window, the window, prices; no store, no clock. What each looks at, where it
begins to speak, and why there, stands beside its figures below; docs/budgets.md works each of them out. Credits are
those that were charged, less what was refunded; what is still held counts nowhere. A saving is what the same spend
would have come to less by the catalog's prices of today (`pricing`), rounded down, and never below zero.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from gatekeeper.core.credits import credits_text
from gatekeeper.ledger.reports import UsageRow
from gatekeeper.ledger.teamrecord import Project
from gatekeeper.signals.pricing import Prices
from gatekeeper.signals.shape import high_share_percent, is_high
from gatekeeper.signals.span import Span, day_of, instant
from gatekeeper.teamevents import Diagnosis

EVIDENCE_PERCENT: Final = 10
"""So much of the budget must be used before a share or a pace says anything: below a tenth one picture decides it."""

HIGH_MARGIN_POINTS: Final = 10
"""The high share must lie so far above the planned one: the work of a single day moves it by as much."""

BURN_PERCENT: Final = 150
"""Spend must be half above the linear plan: five working days of seven alone are 1.4 times it, and are no news."""

BURN_ELAPSED_PERCENT: Final = 10
"""And a tenth of the window must have passed, three days of a month: on the first day every pace is wrong."""

HABIT_PERCENT: Final = 5
"""A habit is told when it has cost as much of the budget as the usual plan has for all fixes."""

STORM_ATTEMPTS_MIN: Final = 50
"""Retries in one window that are many whatever they cost: three tries each of nearly twenty requests."""

STORM_SHARE_PERCENT: Final = 30
"""And so much of all attempts: with three tries a request, every second request must have failed at least once."""

AUDIO: Final = "audio_default"
RETRY: Final = "retry"
REPEATED: Final = "repeated_prompt"
"""The traits of a row that habits are told by; `proxy/habits.py` gives them."""


@dataclass(frozen=True, slots=True)
class Signal:
    """A cause, with its numbers. In `facts` what begins with `credits_` is micro-credits, what ends in `_percent` a
    percentage with one decimal."""

    diagnosis: Diagnosis
    detail: str
    credits_saved: int
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """What is looked at: a project's rows in its window, `high` those at resolutions that are high for the project, and
    the sum of each."""

    project: Project
    rows: Sequence[UsageRow]
    span: Span
    prices: Prices
    spent: int
    high: Sequence[UsageRow]
    spent_high: int

    @classmethod
    def of(cls, project: Project, rows: Sequence[UsageRow], span: Span, prices: Prices) -> Self:
        """The same from the rows alone."""
        high = [row for row in rows if is_high(project, row.resolution)]
        return cls(project, rows, span, prices, _sum(rows), high, _sum(high))

    @property
    def has_evidence(self) -> bool:
        """Whether enough was spent to judge it by."""
        return self.project.credits > 0 and self.spent * 100 >= self.project.credits * EVIDENCE_PERCENT

    def having(self, trait: str) -> list[UsageRow]:
        """The rows with this trait."""
        return [row for row in self.rows if trait in row.traits]

    def is_a_habit(self, amount: int) -> bool:
        """Whether an amount is a part of the budget that is worth a word."""
        return amount > 0 and self.project.credits > 0 and amount * 100 >= self.project.credits * HABIT_PERCENT


def diagnose(project: Project, rows: Iterable[UsageRow], span: Span, prices: Prices) -> tuple[Signal, ...]:
    """Every cause that is there, in a fixed order. Rows of other projects are left out."""
    case = Case.of(project, [row for row in rows if row.project == project.id and not row.other], span, prices)
    found = (_too_high_too_early(case), _burning(case), _audio(case), _retries(case), _repeats(case))
    return tuple(signal for signal in found if signal is not None)


def _too_high_too_early(case: Case) -> Signal | None:
    """Fires while the budget is used to less than all that the plan has for other than high resolutions, if the high
    share of what was spent is `HIGH_MARGIN_POINTS` above the planned one."""
    budget, spent, planned = case.project.credits, case.spent, high_share_percent(case.project)
    high = case.spent_high
    early = spent * 100 < budget * (100 - planned)
    if not case.has_evidence or not early or high * 100 < spent * (planned + HIGH_MARGIN_POINTS):
        return None
    beyond = beyond_plan(case)
    saved = _saved_beyond(case, beyond)
    resolutions = sorted({row.resolution for row in case.high})
    facts = {
        "credits_high": high,
        "high_percent": percent(high, spent),
        "planned_percent": float(planned),
        "used_percent": percent(spent, budget),
        "early_until_percent": float(100 - planned),
        "credits_beyond_plan": beyond,
        "generations_high": sum(row.generations for row in case.high),
        "resolutions_high": resolutions,
    }
    detail = (
        f"{_shown(facts['high_percent'])} of the credits spent so far went to high resolutions "
        f"({', '.join(resolutions)}); the plan has {planned} % for them, after the rest. The budget is "
        f"used to {_shown(facts['used_percent'])}. At the lower resolution what is beyond the plan would have cost "
        f"{credits_text(saved)} credits less."
    )
    return Signal("too_many_high_resolution_renders_too_early", detail, saved, facts)


def _burning(case: Case) -> Signal | None:
    """Fires if what was spent is `BURN_PERCENT` of the linear plan: the budget times the part of the window that has
    passed. A window without an end has no such plan."""
    budget, spent, span = case.project.credits, case.spent, case.span
    if span.length_ms is None or not case.has_evidence:
        return None
    passed, length = span.passed_ms, span.length_ms
    if not 0 < passed < length or passed * 100 < length * BURN_ELAPSED_PERCENT:
        return None
    if spent * length * 100 < budget * passed * BURN_PERCENT:
        return None
    planned = budget * passed // length
    runs_out_ms = span.start_ms + passed * budget // spent
    saved = _saved_beyond(case, beyond_plan(case))
    facts = {
        "credits_planned_by_now": planned,
        "credits_ahead": spent - planned,
        "pace_percent": percent(spent * length, budget * passed),
        "elapsed_percent": percent(passed, length),
        "used_percent": percent(spent, budget),
        "runs_out_at": instant(max(runs_out_ms, span.start_ms)),
        "runs_out_on": day_of(runs_out_ms, span.timezone),
        "window_ends_at": instant(span.start_ms + length),
    }
    word = "ran out" if runs_out_ms <= span.now_ms else "will run out"
    detail = (
        f"{credits_text(spent)} credits are spent where the linear plan has {credits_text(planned)} by now. At this "
        f"pace the budget {word} on {facts['runs_out_on']}, and its window ends on "
        f"{day_of(span.start_ms + length, span.timezone)}. At the lower resolution what is beyond the planned share of "
        f"high ones would have cost {credits_text(saved)} credits less."
    )
    return Signal("burning_faster_than_plan", detail, saved, facts)


def _audio(case: Case) -> Signal | None:
    """Fires if sound that nobody asked for has cost `HABIT_PERCENT` of the budget: what it would be less without."""
    rows = case.having(AUDIO)
    saved = sum(case.prices.saved_silent(row) for row in rows)
    if not case.is_a_habit(saved):
        return None
    facts = {
        "credits_with_audio": _sum(rows),
        "generations": sum(row.generations for row in rows),
        "budget_percent": percent(saved, case.project.credits),
    }
    detail = (
        f"{_counted(facts['generations'], 'video was', 'videos were')} charged with sound because nothing was said "
        f"about it. That sound cost {credits_text(saved)} credits: ask for no audio until the final."
    )
    return Signal("audio_by_default", detail, saved, facts)


def _retries(case: Case) -> Signal | None:
    """Fires if retries that made something again have cost `HABIT_PERCENT` of the budget, or if `STORM_ATTEMPTS_MIN`
    attempts, `STORM_SHARE_PERCENT` of all, were retries. A retry after a release made what the first did not: so many
    of them are no waste as there were releases."""
    rows = case.having(RETRY)
    retries = sum(row.generations + row.released for row in rows)
    attempts = sum(row.generations + row.released for row in case.rows)
    charged, made = _sum(rows), sum(row.generations for row in rows)
    wasted = max(made - sum(row.released for row in case.rows), 0)
    saved = max(charged, 0) * wasted // made if made else 0
    storm = retries >= STORM_ATTEMPTS_MIN and retries * 100 >= attempts * STORM_SHARE_PERCENT
    if not storm and not case.is_a_habit(saved):
        return None
    facts = {
        "retries": retries,
        "attempts": attempts,
        "retries_percent": percent(retries, attempts),
        "retries_charged": made,
        "credits_retries": charged,
        "retries_wasted": wasted,
    }
    detail = (
        f"{retries} of {attempts} attempts were the same request again within minutes, and {wasted} of them were "
        f"charged although the first one was too: {credits_text(saved)} credits. Wait for the answer, or send an "
        "Idempotency-Key."
    )
    return Signal("retry_storm", detail, saved, facts)


def _repeats(case: Case) -> Signal | None:
    """Fires if the same prompts again at a high resolution within a day have cost `HABIT_PERCENT` of the budget."""
    rows = [row for row in case.having(REPEATED) if is_high(case.project, row.resolution)]
    charged = _sum(rows)
    if not case.is_a_habit(charged):
        return None
    saved = sum(case.prices.saved_lower(case.project, row) for row in rows)
    facts = {
        "credits_repeated": charged,
        "generations": sum(row.generations for row in rows),
        "budget_percent": percent(charged, case.project.credits),
        "resolutions_high": sorted({row.resolution for row in rows}),
    }
    detail = (
        f"{_counted(facts['generations'], 'picture was', 'pictures were')} made from a prompt that had been rendered "
        f"at a high resolution within the same day, for {credits_text(charged)} credits. The lower resolution first "
        f"would have cost {credits_text(saved)} credits less."
    )
    return Signal("repeated_prompts_at_high_resolution", detail, saved, facts)


def beyond_plan(case: Case) -> int:
    """What was spent at high resolutions beyond their planned share of all that was spent."""
    return max(case.spent_high - case.spent * high_share_percent(case.project) // 100, 0)


def _saved_beyond(case: Case, beyond: int) -> int:
    """The saving of all high rows, for the part of them that is beyond the plan: finals are to be made anyway."""
    high = case.spent_high
    whole = sum(case.prices.saved_lower(case.project, row) for row in case.high)
    return whole * min(beyond, high) // high if high > 0 else 0


def percent(part: int, whole: int) -> float:
    """With one decimal, for people; no decision is made by it."""
    return round(100 * part / whole, 1) if whole else 0.0


def _shown(value: Any) -> str:
    return f"{value:g} %"


def _counted(count: object, one: str, more: str) -> str:
    return f"{count} {one if count == 1 else more}"


def _sum(rows: Iterable[UsageRow]) -> int:
    return sum(row.credits for row in rows)
