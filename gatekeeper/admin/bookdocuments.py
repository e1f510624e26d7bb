"""What the admin API answers of a team's books: deliveries, usage, holds, journal, verdicts. As `documents`, which has
the rest; but usage is written by `web.usagereport`, for both planes, and only described here.
"""

from pydantic import Field

from gatekeeper.admin.documents import Document
from gatekeeper.admin.fields import At, Credits


class DeliveryDocument(Document):
    """An attempt to call the team's alert address. `outcome` is delivered, retried, or failed for good; a status of 0
    means that there was no answer."""

    at: At
    alert: str
    event: str
    host: str
    status: int
    outcome: str
    reason: str


class DeliveryList(Document):
    """Attempts, the latest first."""

    deliveries: list[DeliveryDocument]
    next_cursor: str | None


class UsageSumDocument(Document):
    """Credits that were charged, less what was given back; generations that were charged, and those that ended without
    a charge; outputs that were made."""

    credits: Credits
    generations: int
    released: int
    outputs: int


class UsageRowDocument(UsageSumDocument):
    """What fell into one combination of what was asked by; `other` is what the ledger no longer keeps apart."""

    other: bool
    model: str | None = None
    resolution: str | None = None
    operation: str | None = None
    project: str | None = None
    member: str | None = None
    phase: str | None = None
    provider: str | None = None
    traits: str | None = None
    day: str | None = None


class UsageDocument(Document):
    """What a team's credits went into, from a day to a day, both included."""

    team: str
    timezone: str
    from_: str = Field(alias="from")
    to: str
    by: list[str]
    rows: list[UsageRowDocument]
    total: UsageSumDocument


class HoldDocument(Document):
    """Credits that are kept aside. Without a deadline time does not end it."""

    id: str
    state: str
    credits: Credits
    held_at: At
    deadline: At | None
    grace_s: float
    on_unknown: str
    follows_job: bool
    project: str | None
    member: str | None
    key_id: str | None
    price_list: str | None
    seq: int


class HoldList(Document):
    """Open holds, the oldest first."""

    holds: list[HoldDocument]
    next_cursor: str | None


class HoldEnded(Document):
    """How a hold ended. `status` is what this call met: settled, released, late or duplicate."""

    id: str
    status: str
    was: str | None
    credits_charged: Credits
    credits_freed: Credits
    credits_available: Credits


class EntryDocument(Document):
    """A journal entry. `id` is what it is about: a hold, a grant, a key, a revision of the team."""

    seq: int
    at: At
    kind: str
    id: str
    credits: Credits
    charged: Credits
    hold_seq: int | None
    project: str | None
    member: str | None
    key_id: str | None
    price_list: str | None
    usage: str | None
    why: str | None
    actor: str | None
    meta: str | None


class JournalDocument(Document):
    """Entries in their order. `next_after` is for the next page, null at the end; entries up to `cut_seq` were exported
    and cut off."""

    entries: list[EntryDocument]
    next_after: int | None
    cut_seq: int


class DifferenceDocument(Document):
    """A figure that the journal does not confirm."""

    what: str
    stored: str
    derived: str


class VerdictDocument(Document):
    """One team's verdict; `trusted_seq` is the checkpoint that was added to, 0 if there was none."""

    team: str
    clean: bool
    seq: int
    entries: int
    trusted_seq: int
    differences: list[DifferenceDocument]


class VerifyDocument(Document):
    """The verdict on the books."""

    clean: bool
    teams: list[VerdictDocument]


class ReloadDocument(Document):
    """What came of reading the catalog again; with problems the old one stays."""

    ok: bool
    models: int
    digest: str
    problems: list[str]
