"""What has to be done so that the store says what a teams file says: as data, each change with a line for people.

Pure: what is wanted and what is stored go in, steps come out. No line ever holds a secret or its hash. Nothing is
deleted: a team, grant or key that the file does not name stays as it is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from gatekeeper.admin.teams_schema import GrantEntry, KeyEntry, TeamEntry
from gatekeeper.core.credits import credits_text
from gatekeeper.ledger.reports import Grant
from gatekeeper.ledger.teamrecord import Caps, KeyRecord, Limit, TeamRecord

NONE = "none"
"""How a line says that there was or will be nothing."""


class ChangeKind(StrEnum):
    """What a change is about, for scripts."""

    NEW_TEAM = "new_team"
    CHANGED_TEAM = "changed_team"
    NEW_GRANT = "new_grant"
    NEW_KEY = "new_key"
    CHANGED_KEY = "changed_key"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between file and store, in words."""

    team: str
    kind: ChangeKind
    what: str

    def __str__(self) -> str:
        return f"{self.team}: {self.what}"


@dataclass(frozen=True, slots=True)
class PutTeam:
    """Store a team's record. Its revision is the one that was compared with: 0 for a team that was not there."""

    record: TeamRecord
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class GiveGrant:
    """Give credits, in micro-credits; what is left of them at the expiry lapses."""

    team: str
    grant_id: str
    amount: int
    note: str
    expires_at_ms: int | None
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class PutKey:
    """Store a key's record."""

    key: KeyRecord
    changes: tuple[Change, ...]


Step = PutTeam | GiveGrant | PutKey


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps in their order; none when the store says already what the file says."""

    steps: tuple[Step, ...]

    @property
    def changes(self) -> tuple[Change, ...]:
        return tuple(change for step in self.steps for change in step.changes)


def team_steps(entry: TeamEntry, before: TeamRecord | None) -> Iterator[PutTeam]:
    """The team's record as the file wants it; what the file does not say is kept."""
    after = _wanted_team(entry, before or TeamRecord(entry.id))
    kind = ChangeKind.CHANGED_TEAM if before else ChangeKind.NEW_TEAM
    lines = [] if before else [f"new team, time zone {after.timezone}"]
    lines += _team_lines(before or TeamRecord(entry.id, timezone=after.timezone), after)
    if lines:
        yield PutTeam(after, tuple(Change(entry.id, kind, line) for line in lines))


def grant_steps(entry: TeamEntry, given: Mapping[str, Grant]) -> Iterator[GiveGrant]:
    """The grants whose ids were never given."""
    for grant in entry.grants:
        if grant.id not in given:
            expiry = "" if grant.expires_at_ms is None else f", expires {instant(grant.expires_at_ms)}"
            line = f"new grant {grant.id}, {_credits(grant.credits)}{expiry}"
            change = Change(entry.id, ChangeKind.NEW_GRANT, line)
            yield GiveGrant(entry.id, grant.id, grant.credits, grant.note, grant.expires_at_ms, (change,))


def changed_grants(entry: TeamEntry, given: Mapping[str, Grant]) -> Iterator[tuple[int, Grant, str]]:
    """The grants that were given otherwise, as they were given: each with its place in the file's list, and which
    word of it differs."""
    for index, grant in enumerate(entry.grants):
        before = given.get(grant.id)
        if before is not None and before.amount != grant.credits:
            yield index, before, "credits"
        if before is not None and before.expires_at_ms != grant.expires_at_ms:
            yield index, before, "expires_at"


def late_grants(entry: TeamEntry, given: Mapping[str, Grant], now_ms: int) -> Iterator[tuple[int, GrantEntry]]:
    """The grants that were never given and would have lapsed already, each with its place in the file's list."""
    for index, grant in enumerate(entry.grants):
        if grant.id not in given and grant.expires_at_ms is not None and grant.expires_at_ms <= now_ms:
            yield index, grant


def key_steps(team: str, entry: KeyEntry, sha256: str, before: KeyRecord | None) -> Iterator[PutKey]:
    """The key's record as the file wants it. A revoked key stays revoked until the file says otherwise or its secret
    is a new one."""
    after = KeyRecord(
        sha256=sha256,
        team=team,
        key_id=entry.id,
        project=entry.project or "",
        member=entry.member or "",
        scopes=before.scopes if before else (),
        expires_at_ms=None if entry.expires_at is None else int(entry.expires_at.timestamp() * 1000),
        revoked=_kept_revoked(before, sha256) if entry.revoked is None else entry.revoked,
    )
    kind = ChangeKind.CHANGED_KEY if before else ChangeKind.NEW_KEY
    lines = _key_lines(before, after) if before else [f"new key {entry.id}{_binding(after)}"]
    if lines:
        yield PutKey(after, tuple(Change(team, kind, line) for line in lines))


def _kept_revoked(before: KeyRecord | None, sha256: str) -> bool:
    return before is not None and before.revoked and before.sha256 == sha256


def _wanted_team(entry: TeamEntry, base: TeamRecord) -> TeamRecord:
    frozen = base.frozen if entry.frozen is None else entry.frozen
    record = replace(base, timezone=entry.timezone or base.timezone, frozen=frozen)
    if entry.limits is not None:
        limits = tuple(Limit(limit.scope, limit.per, limit.credits) for limit in entry.limits)
        record = replace(record, limits=_in_order_of(base.limits, limits))
    if entry.caps is not None:
        caps = entry.caps
        record = replace(record, caps=Caps(**caps.model_dump()))
    if entry.models is not None:
        models = entry.models
        record = replace(record, models_allow=tuple(models.allow), models_deny=tuple(models.deny))
    if entry.retry_guard is not None:
        record = replace(record, retry_guard=entry.retry_guard)
    return record


def _in_order_of(before: tuple[Limit, ...], after: tuple[Limit, ...]) -> tuple[Limit, ...]:
    """The order of limits means nothing, so another order in the file is no change."""
    return before if set(before) == set(after) else after


def _team_lines(before: TeamRecord, after: TeamRecord) -> list[str]:
    lines = []
    if before.timezone != after.timezone:
        lines.append(f"time zone {before.timezone} -> {after.timezone}")
    if before.frozen != after.frozen:
        lines.append("frozen: nothing is forwarded any more" if after.frozen else "no longer frozen")
    lines += _limit_lines(before, after)
    for name in ("per_request", "open_holds", "held_credits", "requests_per_minute"):
        old, new = _cap(name, before.caps), _cap(name, after.caps)
        lines += [f"cap {name} {old} -> {new}"] if old != new else []
    for name in ("allow", "deny"):
        olds, news = getattr(before, f"models_{name}"), getattr(after, f"models_{name}")
        lines += [f"models {name} {_listed(olds)} -> {_listed(news)}"] if olds != news else []
    if before.retry_guard != after.retry_guard:
        lines.append(f"retry guard {'on' if after.retry_guard else 'off'}")
    return lines


def _limit_lines(before: TeamRecord, after: TeamRecord) -> list[str]:
    olds = {(limit.scope, limit.per): limit.credits for limit in before.limits}
    news = {(limit.scope, limit.per): limit.credits for limit in after.limits}
    lines = []
    for scope, per in dict.fromkeys([*olds, *news]):
        old, new = olds.get((scope, per)), news.get((scope, per))
        name = f"limit {scope} per {per}"
        if old is None and new is not None:
            lines.append(f"new {name}, {_credits(new)}")
        elif new is None and old is not None:
            lines.append(f"{name} removed, was {_credits(old)}")
        elif old is not None and new is not None and old != new:
            lines.append(f"{name} {credits_text(old)} -> {_credits(new)}")
    return lines


def _credits(amount: int) -> str:
    text = credits_text(amount)
    return f"{text} credit" if text == "1" else f"{text} credits"


def _cap(name: str, caps: Caps) -> str:
    value: int | None = getattr(caps, name)
    if value is None:
        return NONE
    return str(value) if name in {"open_holds", "requests_per_minute"} else _credits(value)


def _listed(patterns: tuple[str, ...]) -> str:
    return ", ".join(patterns) or NONE


def _binding(key: KeyRecord) -> str:
    """What a new key is bound to, in words."""
    bound = [f"{name} {value}" for name, value in (("project", key.project), ("member", key.member)) if value]
    bound += [f"expires {instant(key.expires_at_ms)}"] if key.expires_at_ms is not None else []
    return f" ({', '.join(bound)})" if bound else ""


def _key_lines(before: KeyRecord, after: KeyRecord) -> list[str]:
    lines = [f"key {after.key_id} gets a new secret"] if before.sha256 != after.sha256 else []
    shown = (
        ("project", before.project or NONE, after.project or NONE),
        ("member", before.member or NONE, after.member or NONE),
        ("expires", instant(before.expires_at_ms), instant(after.expires_at_ms)),
        ("revoked", "yes" if before.revoked else "no", "yes" if after.revoked else "no"),
    )
    return lines + [f"key {after.key_id} {name} {old} -> {new}" for name, old, new in shown if old != new]


def instant(at_ms: int | None) -> str:
    """An instant as people read it."""
    return "never" if at_ms is None else datetime.fromtimestamp(at_ms / 1000, UTC).isoformat().replace("+00:00", "Z")
