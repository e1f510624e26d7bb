"""What the ledger knows of a team that is not credits: what it may do, what it is given, its keys. Frozen values.

Money is int micro-credits, instants are int milliseconds since 1970 UTC. The store keeps what the hold script needs
of it (zone, freeze, limits, caps) where that script reads, all else as one text.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Per(StrEnum):
    """Over which stretch of time a limit counts; calendar windows are the team's own time zone's."""

    LIFETIME = "lifetime"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Limit:
    """A cap on spend. `scope` is `team`, `project`, `member`, `key` (each one separately), or a named one
    such as `member:amy`, which then replaces the general limit of the same `per` for that name. Until `raised_until_ms`
    it is `raised_to` in place of `credits`: both are there, or neither."""

    scope: str
    per: Per
    credits: int
    raised_to: int | None = None
    raised_until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Caps:
    """Bounds on single requests, on what may run at once, and on the holds admitted in one clock minute of the store;
    None means no bound."""

    per_request: int | None = None
    open_holds: int | None = None
    held_credits: int | None = None
    requests_per_minute: int | None = None


@dataclass(frozen=True, slots=True)
class Allowance:
    """Credits that a team is given anew at the beginning of each day, week or month of its own time zone, from
    `since_ms` on. What is left of them lapses at the end of the last of `lasts_periods` such periods, counted from the
    one they were given in (1: no roll-over); 0 means never."""

    id: str
    credits: int
    per: Per
    since_ms: int
    lasts_periods: int = 1


@dataclass(frozen=True, slots=True)
class BudgetPart:
    """A part of a project's budget, in percent, and what falls into it: requests of these phases, and of those that
    name no phase the ones of these resolutions."""

    name: str
    share_percent: int
    phases: tuple[str, ...] = ()
    resolutions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Project:
    """What a project may come to and how it is meant to be spent. It signals, it does not limit: a limit of the scope
    `project:<id>` does. But with `high_in_final_only` a resolution of `high_resolutions` is refused outside the phase
    `final`. `per` is a calendar window, or `lifetime`; then it is from `since_ms` to `until_ms`."""

    id: str
    credits: int
    per: Per = Per.MONTH
    parts: tuple[BudgetPart, ...] = ()
    high_resolutions: tuple[str, ...] = ()
    high_in_final_only: bool = False
    since_ms: int | None = None
    until_ms: int | None = None


THRESHOLDS_PERCENT: Final = (50, 80, 95, 100)
"""At how much of a limit or a budget people want to hear of it."""


@dataclass(frozen=True, slots=True)
class TeamRecord:
    """A team as the ledger knows it. `retry_guard`: an SDK's own retry of a request is not a second request. `shadow`:
    all is checked and held, and nothing but a freeze is refused. Teams of one `organisation` may hand credits on.
    `thresholds` are percents of limits and budgets that are told once per window, in the log and to `alert_url`.
    `revision` is set by the store: 0 on a record not yet stored."""

    id: str
    timezone: str = "UTC"
    frozen: bool = False
    limits: tuple[Limit, ...] = ()
    caps: Caps = Caps()
    models_allow: tuple[str, ...] = ("*",)
    models_deny: tuple[str, ...] = ()
    retry_guard: bool = True
    shadow: bool = False
    organisation: str = ""
    allowances: tuple[Allowance, ...] = ()
    projects: tuple[Project, ...] = ()
    thresholds: tuple[int, ...] = THRESHOLDS_PERCENT
    alert_url: str = ""
    revision: int = 0


@dataclass(frozen=True, slots=True)
class OlderSecret:
    """A secret that is being replaced: it works until then."""

    sha256: str
    expires_at_ms: int


class KeyScope(StrEnum):
    """What a key may be used for: to generate, to ask for prices and models, to read the team's books."""

    GENERATE = "generate"
    QUOTE = "quote"
    READ = "read"


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """An API key: only the SHA-256 (64 hex digits) of its secret is ever stored. `expires_at_ms` None means never.
    No `scopes` means all of them. `older` are secrets that it had before, and that still work."""

    sha256: str
    team: str
    key_id: str
    project: str = ""
    member: str = ""
    scopes: tuple[str, ...] = ()
    expires_at_ms: int | None = None
    revoked: bool = False
    older: tuple[OlderSecret, ...] = ()
