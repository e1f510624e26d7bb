"""What the admin API is sent, as pydantic models: the only description of its bodies and queries.

Nothing unknown, nothing guessed: a field that is not here is refused, a text is no number, null is no value. `why` is
for the journal, in every body that changes something.
"""

from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from gatekeeper.admin.paging import PAGE, PAGE_MAX
from gatekeeper.admin.pieces import (
    PROJECTS_MAX,
    AllowanceId,
    AllowancePer,
    BudgetParts,
    CapsBody,
    KeyScopes,
    LastsPeriods,
    LimitBody,
    Period,
    Resolutions,
    check_project,
)
from gatekeeper.admin.teams_words import (
    AlertUrl,
    Amount,
    Gift,
    Instant,
    Name,
    Note,
    Organisation,
    Patterns,
    Scope,
    Strict,
    TeamId,
    Thresholds,
    Timezone,
)
from gatekeeper.ledger import bounds
from gatekeeper.ledger.keyring import OVERLAP_MAX_MS
from gatekeeper.ledger.teamrecord import THRESHOLDS_PERCENT, Per
from gatekeeper.web.usagereport import DEFAULT_BY, DIMENSIONS
from gatekeeper.yamlfile import mistake

OVERLAP_S_MAX = OVERLAP_MAX_MS // 1000
"""Thirty days."""


class Body(Strict):
    """What every body that changes something may say."""

    why: Note = ""


class ModelsBody(Strict):
    """Patterns of the model ids that a team may use. Deny wins."""

    allow: Patterns = Field(default_factory=lambda: ["*"])
    deny: Patterns = Field(default_factory=list)


class TeamPatch(Body):
    """What is to be otherwise; caps and models are replaced as a whole, and all else stays as it is."""

    timezone: Timezone = "UTC"
    organisation: Organisation = ""
    frozen: bool = False
    shadow: bool = False
    retry_guard: bool = True
    caps: CapsBody = Field(default_factory=CapsBody)
    models: ModelsBody = Field(default_factory=ModelsBody)


class TeamBody(TeamPatch):
    """A new team."""

    id: TeamId


class GrantBody(Body):
    """Credits given once: the grant's id is what makes it one. What is left of them at `expires_at` lapses."""

    id: Name
    credits: Gift
    expires_at: Instant | None = None
    note: Note = ""


class RefundBody(Body):
    """Credits given back for a charge, named by its hold or by its journal entry; all that is left of it by default."""

    id: Name
    hold_id: str | None = None
    seq: Annotated[int, Field(ge=1)] | None = None
    credits: Gift | None = None


class TransferBody(Body):
    """Credits handed on to another team of the same organisation."""

    id: Name
    to: TeamId
    credits: Gift


class LimitName(Strict):
    """Which limit is meant."""

    scope: Scope
    per: Period


class LimitsBody(Body):
    """All of a team's limits, in place of those it has."""

    limits: Annotated[list[LimitBody], Field(max_length=bounds.LIMITS_MAX)]


class LimitsPatch(Body):
    """Limits to set, each in place of one of the same scope and period, and limits to remove."""

    set: Annotated[list[LimitBody], Field(max_length=bounds.LIMITS_MAX)] = Field(default_factory=list)
    remove: Annotated[list[LimitName], Field(max_length=bounds.LIMITS_MAX)] = Field(default_factory=list)


class KeyPatch(Body):
    """What is to be otherwise with a key; all else stays as it is. `scopes` [] means all of them."""

    project: Name | None = None
    member: Name | None = None
    scopes: KeyScopes = Field(default_factory=list)
    expires_at: Instant | None = None
    revoked: bool = False


class KeyBody(Body):
    """A new key. Bound to a project or a member if it names one; without scopes it may do everything."""

    id: Name
    project: Name | None = None
    member: Name | None = None
    scopes: KeyScopes = Field(default_factory=list)
    expires_at: Instant | None = None


class RotateBody(Body):
    """A new secret; those the key has work so much longer."""

    overlap_s: Annotated[int, Field(ge=0, le=OVERLAP_S_MAX)] = 0


class AllowanceBody(Strict):
    """Credits given anew at the beginning of each period of the team's time zone, from `since` on (by default now).
    What is left of them lapses after so many periods; after 0 never."""

    id: AllowanceId
    credits: Gift
    per: AllowancePer
    since: Instant | None = None
    lasts_periods: LastsPeriods = 1


class AllowancesBody(Body):
    """All of a team's allowances, in place of those it has."""

    allowances: Annotated[list[AllowanceBody], Field(max_length=bounds.ALLOWANCES_MAX)]


class ProjectBody(Strict):
    """What a project may come to, and how it is meant to be spent."""

    id: Name
    credits: Gift
    per: Period = Per.MONTH
    parts: BudgetParts = Field(default_factory=list)
    high_resolutions: Resolutions = Field(default_factory=list)
    high_in_final_only: bool = False
    since: Instant | None = None
    until: Instant | None = None

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        check_project(self.parts, self.per, self.since, self.until)
        return self


class ProjectsBody(Body):
    """All of a team's projects with a budget, in place of those it has."""

    projects: Annotated[list[ProjectBody], Field(max_length=PROJECTS_MAX)]


class AlertsBody(Body):
    """At which percents of limits and budgets it is told, and whom; an empty address tells only the log."""

    thresholds: Thresholds = Field(default_factory=lambda: [*THRESHOLDS_PERCENT])
    alert_url: AlertUrl = ""


class SettleBody(Body):
    """What a hold really came to. `running`: also if its generation runs, whose result is then not booked."""

    credits: Amount
    running: bool = False


class ReleaseBody(Body):
    """Free a hold without a charge. `running` as for a settle."""

    running: bool = False


class NoBody(Body):
    """Nothing but why."""


def _digits(value: object) -> object:
    if isinstance(value, str):
        if not (value.isascii() and value.isdigit()) or len(value) > 15:  # beyond any count here
            raise mistake("this is no whole number", "Write digits only.")
        return int(value)
    return value


class Query(BaseModel):
    """What stands behind the question mark: texts, each at most once."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class PageQuery(Query):
    """Which part of a list."""

    limit: Annotated[int, BeforeValidator(_digits), Field(ge=1, le=PAGE_MAX)] = PAGE
    cursor: Annotated[str, Field(max_length=bounds.NAME_CHARS_MAX)] = ""


class JournalQuery(Query):
    """Which entries of a journal: so many behind that one."""

    after: Annotated[int, BeforeValidator(_digits), Field(ge=0)] = 0
    count: Annotated[int, BeforeValidator(_digits), Field(ge=1, le=PAGE_MAX)] = PAGE


class UsageQuery(Query):
    """Of which days, both included, and by what: days or instants of the team's time zone, words between commas."""

    from_: str = Field("", alias="from", max_length=64, description="a day like 2026-11-01; the first by default")
    to: str = Field("", max_length=64, description="a day like 2026-11-30; today by default")
    by: str = Field("", max_length=200, description=f"of {', '.join(DIMENSIONS)}; {','.join(DEFAULT_BY)} by default")
    format: str = Field("", max_length=16, description="json or csv; json by default")


class VerifyQuery(Query):
    """One team, or all of them."""

    team: str = ""


class NoQuery(Query):
    """Nothing."""
