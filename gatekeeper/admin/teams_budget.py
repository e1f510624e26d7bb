"""What a teams file may say of money that comes again and of how it is meant to be spent: allowances and projects.

A file says from which day on; an instant does as well.
"""

from datetime import date, datetime, time, timedelta
from typing import Self
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from gatekeeper.admin.pieces import (
    AllowanceId,
    AllowancePer,
    BudgetParts,
    LastsPeriods,
    Period,
    Resolutions,
    budget_parts,
    check_project,
)
from gatekeeper.admin.teams_words import DayOrInstant, Gift, Name, Strict, instant_ms
from gatekeeper.ledger.teamrecord import Allowance, Per, Project


class AllowanceEntry(Strict):
    """Credits that come anew in each period. Without `since` from the day on that the file was first applied."""

    id: AllowanceId
    credits: Gift
    per: AllowancePer
    since: DayOrInstant | None = None
    lasts_periods: LastsPeriods = 1

    def allowance(self, timezone: str, since_ms: int) -> Allowance:
        """As the ledger keeps it; `since_ms` is for one that does not say."""
        since = since_ms if self.since is None else start_ms(self.since, timezone)
        return Allowance(self.id, self.credits, Per(self.per), since, self.lasts_periods)


class ProjectEntry(Strict):
    """A project's budget. One for its whole life may say from when to when that is, both days included."""

    id: Name
    credits: Gift
    per: Period = Per.MONTH
    parts: BudgetParts = Field(default_factory=list)
    high_resolutions: Resolutions = Field(default_factory=list)
    high_in_final_only: bool = False
    since: DayOrInstant | None = None
    until: DayOrInstant | None = None

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        check_project(self.parts, self.per, *self._from_to("UTC"))
        return self

    def project(self, timezone: str) -> Project:
        """As the ledger keeps it."""
        return Project(
            self.id, self.credits, self.per, budget_parts(self.parts), tuple(self.high_resolutions),
            self.high_in_final_only, *self._from_to(timezone),
        )  # fmt: skip

    def _from_to(self, timezone: str) -> tuple[int | None, int | None]:
        since_ms = None if self.since is None else start_ms(self.since, timezone)
        return since_ms, None if self.until is None else end_ms(self.until, timezone)


def start_ms(value: date | datetime, timezone: str) -> int:
    """The instant, or where the day begins."""
    return instant_ms(value if isinstance(value, datetime) else datetime.combine(value, time(), ZoneInfo(timezone)))


def end_ms(value: date | datetime, timezone: str) -> int:
    """The instant, or where the day is over."""
    return start_ms(value if isinstance(value, datetime) else value + timedelta(days=1), timezone)
