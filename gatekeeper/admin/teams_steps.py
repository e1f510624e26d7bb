"""What has to be done so that the store says what a teams file says: as data, each change with a line for people.

Pure: what is wanted and what is stored go in, steps come out. Nothing is deleted unless it is asked for: a team, key,
limit, allowance or project that the file does not name stays as it is, and `Plan.kept` says what it is. A grant that
was given stays in any case, and so does all that was spent.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from gatekeeper.admin.teams_difference import amount_text, binding_text, instant, key_lines, team_lines
from gatekeeper.admin.teams_schema import GrantEntry, KeyEntry, TeamEntry
from gatekeeper.admin.teams_wanted import wanted_key, wanted_team
from gatekeeper.ledger.reports import Grant
from gatekeeper.ledger.teamrecord import KeyRecord, TeamRecord


class ChangeKind(StrEnum):
    """What a change is about, for scripts."""

    NEW_TEAM = "new_team"
    CHANGED_TEAM = "changed_team"
    NEW_GRANT = "new_grant"
    NEW_KEY = "new_key"
    CHANGED_KEY = "changed_key"
    REMOVED_KEY = "removed_key"


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
    """Store a key's record; with another secret than before that one stops working."""

    key: KeyRecord
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class RotateKey:
    """Give a key another secret; those it had work for the overlap."""

    team: str
    key_id: str
    sha256: str
    overlap_ms: int
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class RemoveKey:
    """Forget a key."""

    team: str
    key_id: str
    changes: tuple[Change, ...]


Step = PutTeam | GiveGrant | PutKey | RotateKey | RemoveKey


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps in their order; none when the store says already what the file says. `kept` is what the file does not
    name and pruning would take away."""

    steps: tuple[Step, ...]
    kept: tuple[Change, ...] = ()

    @property
    def changes(self) -> tuple[Change, ...]:
        return tuple(change for step in self.steps for change in step.changes)


def team_steps(entry: TeamEntry, before: TeamRecord | None, now_ms: int = 0, *, prune: bool = False) -> list[PutTeam]:
    """The team's record as the file wants it."""
    after = wanted_team(entry, before or TeamRecord(entry.id), now_ms=now_ms, prune=prune)
    kind = ChangeKind.CHANGED_TEAM if before else ChangeKind.NEW_TEAM
    lines = [] if before else [f"new team, time zone {after.timezone}"]
    lines += team_lines(before or TeamRecord(entry.id, timezone=after.timezone), after)
    return [PutTeam(after, tuple(Change(entry.id, kind, line) for line in lines))] if lines else []


def kept_of_team(entry: TeamEntry, before: TeamRecord) -> Iterator[Change]:
    """What pruning would take away from the team's record."""
    without, pruned = (wanted_team(entry, before, now_ms=0, prune=prune) for prune in (False, True))
    return (Change(entry.id, ChangeKind.CHANGED_TEAM, line) for line in team_lines(without, pruned))


def grant_steps(entry: TeamEntry, given: Mapping[str, Grant]) -> Iterator[GiveGrant]:
    """The grants whose ids were never given."""
    for grant in entry.grants:
        if grant.id not in given:
            expiry = "" if grant.expires_at is None else f", expires {instant(grant.expires_at)}"
            line = f"new grant {grant.id}, {amount_text(grant.credits)}{expiry}"
            change = Change(entry.id, ChangeKind.NEW_GRANT, line)
            yield GiveGrant(entry.id, grant.id, grant.credits, grant.note, grant.expires_at, (change,))


def changed_grants(entry: TeamEntry, given: Mapping[str, Grant]) -> Iterator[tuple[int, Grant, str]]:
    """The grants that were given otherwise, as they were given: each with its place in the file's list, and which
    word of it differs."""
    for index, grant in enumerate(entry.grants):
        before = given.get(grant.id)
        if before is not None and before.amount != grant.credits:
            yield index, before, "credits"
        if before is not None and before.expires_at_ms != grant.expires_at:
            yield index, before, "expires_at"


def late_grants(entry: TeamEntry, given: Mapping[str, Grant], now_ms: int) -> Iterator[tuple[int, GrantEntry]]:
    """The grants that were never given and would have lapsed already, each with its place in the file's list."""
    for index, grant in enumerate(entry.grants):
        if grant.id not in given and grant.expires_at is not None and grant.expires_at <= now_ms:
            yield index, grant


def key_steps(team: str, entry: KeyEntry, sha256: str, before: KeyRecord | None) -> Iterator[PutKey | RotateKey]:
    """The key's record as the file wants it, and its new secret by itself if the one before goes on for a while."""
    after = wanted_key(team, entry, sha256, before)
    if before is None:
        change = Change(team, ChangeKind.NEW_KEY, f"new key {entry.id}{binding_text(after)}")
        yield PutKey(after, (change,))
        return
    overlap_ms = 0 if before.revoked or after.revoked else entry.overlap  # who was let out is not let in again
    put = replace(after, sha256=before.sha256, older=before.older) if overlap_ms else after
    if lines := key_lines(before, put):
        yield PutKey(put, tuple(Change(team, ChangeKind.CHANGED_KEY, line) for line in lines))
    if lines := key_lines(put, after, overlap_ms):
        changes = tuple(Change(team, ChangeKind.CHANGED_KEY, line) for line in lines)
        yield RotateKey(team, entry.id, sha256, overlap_ms, changes)


def remove_keys(team: str, keys: Iterable[KeyRecord]) -> Iterator[RemoveKey]:
    """These keys, forgotten."""
    for key in keys:
        yield RemoveKey(team, key.key_id, (Change(team, ChangeKind.REMOVED_KEY, f"key {key.key_id} removed"),))


def close_team(record: TeamRecord, keys: Iterable[KeyRecord]) -> Iterator[Step]:
    """A team that the file does not name: frozen, and its keys forgotten. Its books stay."""
    if not record.frozen:
        line = "frozen: the file does not name this team"
        yield PutTeam(replace(record, frozen=True), (Change(record.id, ChangeKind.CHANGED_TEAM, line),))
    yield from remove_keys(record.id, keys)
