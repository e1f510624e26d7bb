"""What the admin API answers, as pydantic models: the only description of its answers, for HTTP and `--json` alike.

They are built from the ledger's own values by the operations. None has a field for a hash, and only a key that was just
made or renewed has one for its secret.
"""

from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field

from gatekeeper.admin.fields import At, Credits


class Document(BaseModel):
    """An answer. `plain` is what goes out, ready for orjson: exact amounts, ISO times."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    def plain(self) -> dict[str, Any]:
        return self.model_dump(by_alias=True, exclude_unset=True)

    def json_text(self) -> bytes:
        """As bytes, with exact amounts."""
        return orjson.dumps(self.plain(), option=orjson.OPT_APPEND_NEWLINE)


class CapsDocument(Document):
    """Bounds on one request, on what runs at once and on requests in a minute; null means none."""

    per_request: Credits | None
    open_holds: int | None
    held_credits: Credits | None
    requests_per_minute: int | None


class ModelsDocument(Document):
    """Patterns of the model ids that a team may use. Deny wins."""

    allow: list[str]
    deny: list[str]


class BalanceDocument(Document):
    """A team's credits: granted = available + held + charged + expired - debt."""

    granted: Credits
    available: Credits
    held: Credits
    charged: Credits
    expired: Credits
    debt: Credits
    open_holds: int


class TeamDocument(Document):
    """A team: what it may do, and what it has."""

    id: str
    timezone: str
    organisation: str
    frozen: bool
    shadow: bool
    retry_guard: bool
    caps: CapsDocument
    models: ModelsDocument
    balance: BalanceDocument
    revision: int


class TeamList(Document):
    """Teams by id."""

    teams: list[TeamDocument]
    next_cursor: str | None


class TeamRemoved(Document):
    """What became of a team: its keys are gone, it is frozen, its books stay."""

    id: str
    frozen: bool
    keys_removed: int


class GrantDocument(Document):
    """Credits that were given. `remaining` is what of an expiring grant is neither held nor charged nor lapsed; null
    for one that never expires, because those are spent from one pot."""

    id: str
    credits: Credits
    expires_at: At | None
    remaining: Credits | None


class GrantList(Document):
    """Grants by id."""

    grants: list[GrantDocument]
    next_cursor: str | None


class RefundDocument(Document):
    """Credits that were given back for the charge of a hold, by the journal entry that charged it."""

    id: str
    hold_id: str
    charge_seq: int
    credits: Credits
    at: At
    seq: int


class RefundMade(RefundDocument):
    """The same, just given. `refunded` is all that was given back of this charge, `charged` what is left of it."""

    refunded: Credits
    charged: Credits
    credits_available: Credits


class RefundList(Document):
    """Refunds by id."""

    refunds: list[RefundDocument]
    next_cursor: str | None


class TransferDocument(Document):
    """Credits that were handed on to another team. `pending`: it has not got them yet, and will."""

    id: str
    to: str
    credits: Credits
    at: At
    seq: int
    pending: bool


class TransferList(Document):
    """Transfers by id."""

    transfers: list[TransferDocument]
    next_cursor: str | None


class LimitDocument(Document):
    """A limit, and how far it is used now. `in_force` is what counts at the moment: `credits`, or `raised_to` as long
    as it is raised. `used` and `held` are null for a limit that each project, member or key has of its own."""

    scope: str
    per: str
    credits: Credits
    raised_to: Credits | None
    raised_until: At | None
    in_force: Credits
    used: Credits | None
    held: Credits | None
    resets_at: At | None
    exhausted: bool


class LimitsDocument(Document):
    """A team's limits."""

    limits: list[LimitDocument]


class KeyDocument(Document):
    """An API key; its secret is not kept. No scopes means all of them. Until `older_until` a secret works that it had
    before."""

    id: str
    project: str | None
    member: str | None
    scopes: list[str]
    expires_at: At | None
    revoked: bool
    older_until: At | None


class KeyCreated(KeyDocument):
    """A key that was made or renewed. `secret` is shown this once; null if the key was there already."""

    secret: str | None = Field(repr=False)


class KeyList(Document):
    """Keys by id."""

    keys: list[KeyDocument]
    next_cursor: str | None


class KeyRemoved(Document):
    """Whether there was a key to remove."""

    id: str
    removed: bool


class AllowanceDocument(Document):
    """Credits given anew at the beginning of each period; what is left of them lapses after so many, after 0 never."""

    id: str
    credits: Credits
    per: str
    since: At
    lasts_periods: int


class AllowancesDocument(Document):
    """A team's allowances."""

    allowances: list[AllowanceDocument]


class BudgetPartDocument(Document):
    """A part of a project's budget."""

    name: str
    share_percent: int
    phases: list[str]
    resolutions: list[str]


class ProjectDocument(Document):
    """What a project may come to, and how it is meant to be spent."""

    id: str
    credits: Credits
    per: str
    parts: list[BudgetPartDocument]
    high_resolutions: list[str]
    high_in_final_only: bool
    since: At | None
    until: At | None


class ProjectsDocument(Document):
    """A team's projects with a budget."""

    projects: list[ProjectDocument]


class AlertsDocument(Document):
    """At which percents of limits and budgets it is told, and whom."""

    thresholds: list[int]
    alert_url: str
