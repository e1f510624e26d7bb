"""Brings the store to what a teams file says: read it, compare, do what is missing. Doing it twice changes nothing.

Credits that were spent are never touched, and a grant that was given is never changed: the same id with another
amount or expiry is a problem to be told, not a correction to be made. What a file may say is `teams_schema`'s, what
follows from a difference `teams_steps`'s.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gatekeeper.admin.operations.asking import noted
from gatekeeper.admin.teams_difference import instant
from gatekeeper.admin.teams_schema import TeamEntry, TeamsFile, load_teams
from gatekeeper.admin.teams_secrets import Secrets, read_secrets
from gatekeeper.admin.teams_steps import (
    Change,
    GiveGrant,
    Plan,
    PutKey,
    PutTeam,
    RemoveKey,
    RotateKey,
    Step,
    changed_grants,
    close_team,
    grant_steps,
    kept_of_team,
    key_steps,
    late_grants,
    remove_keys,
    team_steps,
)
from gatekeeper.core.credits import credits_text
from gatekeeper.ledger.errors import LedgerConflict
from gatekeeper.ledger.keyring import SECRETS_MAX
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.records import GrantStatus
from gatekeeper.ledger.reports import Grant
from gatekeeper.ledger.teamrecord import KeyRecord, TeamRecord
from gatekeeper.yamlfile import ConfigError, DataPath, Problem

TRIES_MAX = 3
"""Two gateways that start together may meet at a team once; a third time somebody is editing it right now."""


@dataclass(frozen=True, slots=True)
class _Stored:
    """What the store has of a team."""

    record: TeamRecord | None
    given: dict[str, Grant]
    keys: dict[str, KeyRecord]
    now_ms: int


@dataclass(slots=True)
class _Findings:
    """What was found to be done, kept and wrong."""

    steps: list[Step] = field(default_factory=list)
    kept: list[Change] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


async def plan(ledger: Ledger, teams: TeamsFile, *, prune: bool = False) -> Plan:
    """What has to be done, read from the store and written nowhere. With `prune` also what takes away all that the
    file does not name: what its teams have more, and every other team's keys, frozen as it is then.

    Raises `ConfigError` with every secret that cannot be used and every clash with what was done before.
    """
    secrets = read_secrets(teams)
    found = _Findings(problems=[*secrets.missing, *secrets.wrong])
    if prune and not teams.teams:
        what = "names no team, and pruning would close all there are"
        found.problems.append(teams.file.problem(("teams",), what, "Name those that are to stay."))
    for index, entry in enumerate(teams.teams):
        stored = await _stored(ledger, entry.id)
        _compare(entry, stored, found, prune=prune)
        found.problems += _grant_problems(teams, index, entry, stored)
        _compare_keys(teams, index, stored, secrets, found, prune=prune)
    found.problems += await _owner_problems(ledger, teams, secrets)
    if found.problems:
        raise ConfigError(sorted(found.problems, key=lambda problem: problem.line))
    found.steps += await _closed_teams(ledger, teams) if prune else ()
    return Plan(tuple(found.steps), tuple(found.kept))


def teams_problems(path: Path) -> tuple[Problem, ...]:
    """What is wrong with a teams file and the secrets it names, without a store."""
    try:
        secrets = read_secrets(load_teams(path))
    except ConfigError as error:
        return error.problems
    return (*secrets.wrong, *secrets.missing)


async def apply_plan(ledger: Ledger, todo: Plan, actor: str, why: str = "") -> None:
    """Do it, step by step; each is safe to repeat. `actor` is who and `why` the reason, for the journal.

    Raises `LedgerConflict` when the store was changed since the plan was made: plan again.
    """
    for step in todo.steps:
        await _do(ledger, step, actor, why)


async def apply_teams_file(ledger: Ledger, path: Path, actor: str, *, why: str = "", prune: bool = False) -> Plan:
    """Read the file, plan and do it; what was done. Plans again if somebody else was at it.

    Raises `ConfigError` with every problem, before anything is written, and the ledger's errors.
    """
    teams = load_teams(path)
    done: list[Step] = []
    for tries_left in reversed(range(TRIES_MAX)):
        todo = await plan(ledger, teams, prune=prune)
        try:
            for step in todo.steps:
                await _do(ledger, step, actor, why)
                done.append(step)
            break
        except LedgerConflict:
            if not tries_left:
                raise
    return Plan(tuple(done), todo.kept)


async def _do(ledger: Ledger, step: Step, actor: str, why: str) -> None:
    match step:
        case PutTeam(record):
            await ledger.put_team(record, actor=actor, why=why, expected_revision=record.revision)
        case GiveGrant(team, grant_id, amount, note, expires_at_ms):
            told = noted(note, why)
            status = await ledger.grant(team, grant_id, amount, note=told, actor=actor, expires_at_ms=expires_at_ms)
            if status is GrantStatus.MISMATCH:
                raise LedgerConflict(f"grant {grant_id} of team {team} was given otherwise meanwhile")
        case PutKey(key):
            await ledger.keyring.put(key, actor=actor, why=why)
        case RotateKey(team, key_id, sha256, overlap_ms):
            await ledger.keyring.rotate(team, key_id, sha256, overlap_ms, actor=actor, why=why)
        case RemoveKey(team, key_id):
            await ledger.keyring.remove(team, key_id, actor=actor, why=why)


async def _stored(ledger: Ledger, team_id: str) -> _Stored:
    record = await ledger.team(team_id)
    given = {grant.id: grant for grant in await ledger.grants(team_id)} if record else {}
    keys = {key.key_id: key for key in await ledger.keyring.of_team(team_id)}
    return _Stored(record, given, keys, await ledger.now_ms(team_id))


def _compare(entry: TeamEntry, stored: _Stored, found: _Findings, *, prune: bool) -> None:
    found.steps += team_steps(entry, stored.record, stored.now_ms, prune=prune)
    found.steps += grant_steps(entry, stored.given)
    if stored.record is not None and not prune:
        found.kept += kept_of_team(entry, stored.record)


def _compare_keys(
    teams: TeamsFile, index: int, stored: _Stored, secrets: Secrets, found: _Findings, *, prune: bool
) -> None:
    entry = teams.teams[index]
    for number, key in enumerate(entry.keys):
        path = ("teams", index, "keys", number)
        before = stored.keys.get(key.id)
        if path in secrets.sha256:
            steps = tuple(key_steps(entry.id, key, secrets.sha256[path], before))
            found.steps += steps
            if before is not None and any(isinstance(step, RotateKey) for step in steps):
                found.problems += _overlap_problems(teams, (*path, "overlap"), before, stored.now_ms)
    named = {key.id for key in entry.keys}
    removals = tuple(remove_keys(entry.id, (key for key in stored.keys.values() if key.key_id not in named)))
    if prune:
        found.steps += removals
    else:
        found.kept += (change for step in removals for change in step.changes)


async def _closed_teams(ledger: Ledger, teams: TeamsFile) -> list[Step]:
    named = {entry.id for entry in teams.teams}
    steps: list[Step] = []
    for team_id in sorted({each async for each in ledger.teams()} - named):
        record = await ledger.team(team_id)
        if record is not None:
            steps += close_team(record, await ledger.keyring.of_team(team_id))
    return steps


def _overlap_problems(teams: TeamsFile, path: DataPath, before: KeyRecord, now_ms: int) -> Iterator[Problem]:
    """A third replacement while two earlier secrets still work."""
    working = [each for each in before.older if each.expires_at_ms > now_ms]
    if len(working) + 1 >= SECRETS_MAX:
        until = instant(min(each.expires_at_ms for each in working))
        what = f"key {before.key_id} has {SECRETS_MAX} secrets that work already"
        yield teams.file.problem(path, what, f"Wait until {until}, or take `overlap` out: all before end at once then.")


def _grant_problems(teams: TeamsFile, index: int, entry: TeamEntry, stored: _Stored) -> list[Problem]:
    found = []
    for number, before, word in changed_grants(entry, stored.given):
        if word == "credits":
            what = f"grant {before.id} was given before, with {credits_text(before.amount)} credits"
            mend = "Correct the amount, or give the difference under an id of its own."
        else:
            ends = "no expiry" if before.expires_at_ms is None else f"the expiry {instant(before.expires_at_ms)}"
            what = f"grant {before.id} was given before, with {ends}"
            mend = "Correct the expiry, or give more credits under an id of their own."
        found.append(teams.file.problem(("teams", index, "grants", number, word), what, mend))
    for number, grant in late_grants(entry, stored.given, stored.now_ms):
        place = ("teams", index, "grants", number, "expires_at")
        what = f"grant {grant.id} was never given, and expired at {instant(grant.expires_at)}"
        found.append(teams.file.problem(place, what, "Write a later time, or remove the grant."))
    return found


async def _owner_problems(ledger: Ledger, teams: TeamsFile, secrets: Secrets) -> list[Problem]:
    """Secrets that are another key's in the store."""
    found = []
    for path, team, key in teams.all_keys():
        owner = await ledger.keyring.find(secrets.sha256[path]) if path in secrets.sha256 else None
        if owner is not None and (owner.team, owner.key_id) != (team.id, key.id):
            what = f"the secret is that of key {owner.key_id} of team {owner.team} in the store"
            found.append(teams.file.problem((*path, "secret"), what, "Give each key a secret of its own."))
    return found
