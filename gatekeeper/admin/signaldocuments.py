"""What `GET .../signals` answers, described: `signals.report` writes it, and a test holds the two together."""

from typing import Any

from gatekeeper.admin.documents import Document
from gatekeeper.admin.fields import Credits


class SignalDocument(Document):
    """A cause of spend ahead of plan, with its numbers; `told_at` null: not told yet in this window."""

    diagnosis: str
    detail: str
    credits_saved: Credits
    facts: dict[str, Any]
    told_at: str | None


class PartUseDocument(Document):
    """A part of a budget: what was planned beside what was charged. What belongs to no part has no name and share."""

    part: str | None
    share_percent: int | None
    credits_planned: Credits | None
    credits_charged: Credits
    charged_percent: float
    generations: int
    holds_high_resolutions: bool


class ProjectUseDocument(Document):
    """A project in its window."""

    project: str
    per: str
    window_start: str
    window_end: str | None
    credits_budget: Credits
    credits_charged: Credits
    credits_held: Credits
    used_percent: float
    elapsed_percent: float | None
    thresholds_reached: list[int]
    high_in_final_only: bool
    parts: list[PartUseDocument]
    signals: list[SignalDocument]


class LimitUseDocument(Document):
    """A limit and which of the team's thresholds it has reached."""

    scope: str
    per: str
    credits_limit: Credits
    credits_used: Credits
    credits_held: Credits
    used_percent: float
    thresholds_reached: list[int]
    resets_at: str | None


class SignalsDocument(Document):
    """How a team's budgets and limits stand now, and what there is to say of them."""

    team: str
    at: str
    thresholds: list[int]
    projects: list[ProjectUseDocument]
    limits: list[LimitUseDocument]
