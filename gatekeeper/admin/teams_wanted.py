"""The records that a teams file asks for: what the store has, with what the file says in its place. Pure.

What has a name of its own (a limit, a cap, an allowance, a project) goes only with `prune`; lists of plain words
(models, thresholds) are settings, and what is written replaces them. A time zone, a freeze, a shadow and a retry guard
stay as they are when the file does not say, with `prune` too: none of them is a thing that could be left over.
"""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import replace
from typing import TypeVar

from gatekeeper.admin.pieces import CapsBody, LimitBody, raise_going_on
from gatekeeper.admin.teams_budget import AllowanceEntry
from gatekeeper.admin.teams_schema import KeyEntry, ModelsEntry, TeamEntry
from gatekeeper.ledger.allowances import begins_ms, moved
from gatekeeper.ledger.teamrecord import Allowance, Caps, KeyRecord, Limit, Per, Project, TeamRecord

Thing = TypeVar("Thing")


def wanted_team(entry: TeamEntry, base: TeamRecord, *, now_ms: int, prune: bool = False) -> TeamRecord:
    """The team's record as the file wants it. `now_ms` is since when an allowance is given that does not say."""
    timezone = base.timezone if entry.timezone is None else entry.timezone
    record = replace(
        base,
        timezone=timezone,
        allowances=moved(base.allowances, base.timezone, timezone),
        frozen=base.frozen if entry.frozen is None else entry.frozen,
        shadow=base.shadow if entry.shadow is None else entry.shadow,
        retry_guard=base.retry_guard if entry.retry_guard is None else entry.retry_guard,
    )
    blank = TeamRecord(entry.id) if prune else record
    record = replace(
        record,
        organisation=blank.organisation if entry.organisation is None else entry.organisation,
        alert_url=blank.alert_url if entry.alert_url is None else entry.alert_url,
        thresholds=blank.thresholds if entry.thresholds is None else tuple(entry.thresholds),
        caps=_caps(entry.caps or CapsBody(), blank.caps),
    )
    record = _with_models(entry.models or ModelsEntry(), record, blank)
    return replace(
        record,
        limits=_merged(record.limits, _limits(entry, record, prune=prune), _of_limit, prune=prune),
        allowances=_merged(record.allowances, _allowances(entry, record, now_ms), _of_named, prune=prune),
        projects=_merged(record.projects, _projects(entry, record), _of_named, prune=prune),
    )


def wanted_key(team: str, entry: KeyEntry, sha256: str, before: KeyRecord | None) -> KeyRecord:
    """The key's record as the file wants it. A revoked key stays revoked until the file says otherwise or its secret
    is a new one."""
    kept_revoked = before is not None and before.revoked and before.sha256 == sha256
    return KeyRecord(
        sha256=sha256,
        team=team,
        key_id=entry.id,
        project=entry.project or "",
        member=entry.member or "",
        scopes=_scopes(entry, before),
        expires_at_ms=entry.expires_at,
        revoked=kept_revoked if entry.revoked is None else entry.revoked,
        older=before.older if before is not None and before.sha256 == sha256 else (),
    )


def _scopes(entry: KeyEntry, before: KeyRecord | None) -> tuple[str, ...]:
    if entry.scopes is None:
        return before.scopes if before else ()
    wanted = tuple(dict.fromkeys(scope.value for scope in entry.scopes))
    return before.scopes if before and set(before.scopes) == set(wanted) else wanted


def _caps(entry: CapsBody, blank: Caps) -> Caps:
    return replace(blank, **{name: value for name, value in entry.model_dump().items() if value is not None})


def _with_models(entry: ModelsEntry, record: TeamRecord, blank: TeamRecord) -> TeamRecord:
    allow = blank.models_allow if entry.allow is None else tuple(entry.allow)
    deny = blank.models_deny if entry.deny is None else tuple(entry.deny)
    return replace(record, models_allow=allow, models_deny=deny)


def _limits(entry: TeamEntry, base: TeamRecord, *, prune: bool) -> list[Limit]:
    known = {} if prune else {_of_limit(limit): limit for limit in base.limits}
    return [_limit(limit, known.get((limit.scope, limit.per))) for limit in entry.limits or ()]


def _limit(entry: LimitBody, before: Limit | None) -> Limit:
    """A raise that somebody made by hand is not taken back by a file that says nothing of one."""
    said = entry.raised_to, entry.raised_until
    return Limit(entry.scope, entry.per, entry.credits, *(said if any(said) else raise_going_on(before, entry.credits)))


def _allowances(entry: TeamEntry, base: TeamRecord, now_ms: int) -> list[Allowance]:
    def begin(each: AllowanceEntry) -> int:
        return begins_ms(base, each.id, Per(each.per), now_ms)

    return [each.allowance(base.timezone, begin(each)) for each in entry.allowances or ()]


def _projects(entry: TeamEntry, base: TeamRecord) -> list[Project]:
    return [each.project(base.timezone) for each in entry.projects or ()]


def _of_limit(limit: Limit) -> Hashable:
    return limit.scope, limit.per


def _of_named(thing: Allowance | Project) -> Hashable:
    return thing.id


def _merged(
    before: tuple[Thing, ...], wanted: Iterable[Thing], name_of: Callable[[Thing], Hashable], *, prune: bool
) -> tuple[Thing, ...]:
    """What is wanted in the place of what was there by that name, then what is new: order means nothing, so another
    order in the file is no change. What is not wanted stays, or goes with `prune`."""
    news = {name_of(each): each for each in wanted}
    kept = [news.pop(name_of(each), None if prune else each) for each in before]
    return (*(each for each in kept if each is not None), *news.values())
