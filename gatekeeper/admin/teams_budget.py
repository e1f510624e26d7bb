"""What a teams file may say of money that comes again and of how it is meant to be spent: allowances and projects."""

from datetime import date, datetime, time, timedelta
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from gatekeeper.admin.teams_words import DayOrInstant, Gift, Name, Phase, Resolution, Strict
from gatekeeper.ledger.teamrecord import Allowance, BudgetPart, Per, Project
from gatekeeper.yamlfile import Mistake, raise_mistakes

ALLOWANCES_MAX = 16
"""Allowances of a team: each is looked at in every round of giving them."""

PERIODS_MAX = 120
"""Ten years of months; what is to last for longer should last for ever: 0."""

PROJECTS_MAX = 256
"""Projects of a team that have a plan; they are all in the team's record."""

PARTS_MAX = 16
"""Parts of a budget; more are no shape that anybody keeps in mind."""

WHOLE_PERCENT = 100

RESOLUTIONS_MAX = 32
"""More than any catalog has."""


class AllowanceEntry(Strict):
    """Credits that come anew in each period. Without `since` from the day on that the file was first applied."""

    id: Name
    credits: Gift
    per: Literal["day", "week", "month"]
    since: DayOrInstant | None = None
    lasts_periods: Annotated[int, Field(ge=0, le=PERIODS_MAX)] = 1

    def allowance(self, timezone: str, since_ms: int) -> Allowance:
        """As the ledger keeps it; `since_ms` is for one that does not say."""
        since = since_ms if self.since is None else start_ms(self.since, timezone)
        return Allowance(self.id, self.credits, Per(self.per), since, self.lasts_periods)


class PartEntry(Strict):
    """A part of a project's budget, and what falls into it."""

    name: Name
    share_percent: Annotated[int, Field(ge=0, le=100)]
    phases: Annotated[list[Phase], Field(max_length=RESOLUTIONS_MAX)] = Field(default_factory=list)
    resolutions: Annotated[list[Resolution], Field(max_length=RESOLUTIONS_MAX)] = Field(default_factory=list)


class ProjectEntry(Strict):
    """A project's budget. One for its whole life may say from when to when that is, both days included."""

    id: Name
    credits: Gift
    per: Annotated[Per, Field(strict=False)] = Per.MONTH
    parts: Annotated[list[PartEntry], Field(max_length=PARTS_MAX)] = Field(default_factory=list)
    high_resolutions: Annotated[list[Resolution], Field(max_length=RESOLUTIONS_MAX)] = Field(default_factory=list)
    high_in_final_only: bool = False
    since: DayOrInstant | None = None
    until: DayOrInstant | None = None

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        raise_mistakes([*self._mistakes()])
        return self

    def _mistakes(self) -> list[Mistake]:
        found = []
        shares = sum(part.share_percent for part in self.parts)
        if self.parts and shares != 100:  # per cent
            found.append(Mistake(("parts",), f"the shares come to {shares} %", "Make them 100 % together."))
        names = [part.name for part in self.parts]
        if len(set(names)) < len(names):
            found.append(Mistake(("parts",), "two parts have one name", "Give each part a name of its own."))
        if self.high_in_final_only and not self.high_resolutions:
            mend = "Say which resolutions are high: high_resolutions: [4K]."
            found.append(Mistake(("high_in_final_only",), "there is nothing that it could refuse", mend))
        for name in ("since", "until"):
            if getattr(self, name) is not None and self.per is not Per.LIFETIME:
                mend = f"Write `per: lifetime`, or take `{name}` out."
                found.append(Mistake((name,), f"a budget per {self.per} begins and ends with it", mend))
        if self.since and self.until and end_ms(self.until, "UTC") <= start_ms(self.since, "UTC"):
            found.append(Mistake(("until",), "the project ends before it begins", "Write a later day."))
        return found

    def project(self, timezone: str) -> Project:
        """As the ledger keeps it."""
        return Project(
            self.id,
            self.credits,
            self.per,
            tuple(BudgetPart(p.name, p.share_percent, tuple(p.phases), tuple(p.resolutions)) for p in self.parts),
            tuple(self.high_resolutions),
            self.high_in_final_only,
            since_ms=None if self.since is None else start_ms(self.since, timezone),
            until_ms=None if self.until is None else end_ms(self.until, timezone),
        )


def start_ms(value: date | datetime, timezone: str) -> int:
    """The instant, or where the day begins."""
    instant = value if isinstance(value, datetime) else datetime.combine(value, time(), ZoneInfo(timezone))
    return int(instant.timestamp() * 1000)


def end_ms(value: date | datetime, timezone: str) -> int:
    """The instant, or where the day is over."""
    return start_ms(value if isinstance(value, datetime) else value + timedelta(days=1), timezone)
