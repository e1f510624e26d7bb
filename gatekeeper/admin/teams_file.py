"""Brings the store to what a teams file says: read it, compare, do what is missing. Doing it twice changes nothing.

Credits that were spent are never touched, and a grant that was given is never changed: the same id with another
amount or expiry is a problem to be told, not a correction to be made. What a file may say is `teams_schema`'s, what
follows from a difference `teams_plan`'s.
"""

from dataclasses import dataclass, field
from pathlib import Path

from gatekeeper.admin.teams_plan import (
    GiveGrant,
    Plan,
    PutKey,
    PutTeam,
    Step,
    changed_grants,
    grant_steps,
    instant,
    key_steps,
    late_grants,
    team_steps,
)
from gatekeeper.admin.teams_schema import KeyEntry, TeamEntry, TeamsFile, load_teams
from gatekeeper.core.credits import credits_text
from gatekeeper.ledger.errors import LedgerConflict
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.records import GrantStatus
from gatekeeper.ledger.reports import Grant
from gatekeeper.sections import describe_secret, read_secret
from gatekeeper.web.auth import KEY_PATTERN, key_sha256
from gatekeeper.yamlfile import ConfigError, DataPath, Problem

TRIES_MAX = 3
"""Two gateways that start together may meet at a team once; a third time somebody is editing it right now."""

PUBLIC_KEYS = frozenset({"gk_demo"})
"""Keys that everybody knows: in a store they would be an open door."""


@dataclass(slots=True)
class Secrets:
    """The keys' hashes by their place in the file. `missing` are secrets that are not there, `wrong` unusable ones."""

    sha256: dict[DataPath, str] = field(default_factory=dict)
    missing: list[Problem] = field(default_factory=list)
    wrong: list[Problem] = field(default_factory=list)


def read_secrets(teams: TeamsFile) -> Secrets:
    """Every key's secret from where the file says it is, as its SHA-256; the secret itself is not kept."""
    secrets = Secrets()
    first: dict[str, str] = {}
    for path, team, key in teams.all_keys():
        place = (*path, "secret")
        try:
            secret = read_secret(key.secret, teams.file.path.parent)
        except LookupError as error:
            mend = "Set it where this runs, or remove the key from the file."
            secrets.missing.append(teams.file.problem(place, str(error), mend))
            continue
        if what := _unusable(secret, key):
            mend = "Write gk_ and then up to 128 letters, digits, - and _ that nobody can guess."
            secrets.wrong.append(teams.file.problem(place, what, mend))
            continue
        sha256 = key_sha256(secret)
        name = f"key {key.id} of team {team.id}"
        if first.setdefault(sha256, name) != name:
            what = f"the secret is also that of {first[sha256]}"
            secrets.wrong.append(teams.file.problem(place, what, "Give each key a secret of its own."))
        secrets.sha256[path] = sha256
    return secrets


def _unusable(secret: str, key: KeyEntry) -> str | None:
    """What is wrong with a secret, without repeating it."""
    if secret in PUBLIC_KEYS:
        return f"{describe_secret(key.secret)} holds the demo's key, which everybody knows"
    if not secret.isascii() or not KEY_PATTERN.fullmatch(secret.encode()):
        return f"{describe_secret(key.secret)} holds no gatekeeper key"
    return None


async def plan(ledger: Ledger, teams: TeamsFile) -> Plan:
    """What has to be done, read from the store and written nowhere.

    Raises `ConfigError` with every secret that cannot be used and every clash with what was done before.
    """
    secrets = read_secrets(teams)
    problems = [*secrets.missing, *secrets.wrong]
    steps: list[Step] = []
    for index, entry in enumerate(teams.teams):
        before = await ledger.team(entry.id)
        given = {grant.id: grant for grant in await ledger.grants(entry.id)} if before else {}
        steps += team_steps(entry, before)
        steps += grant_steps(entry, given)
        problems += _grant_problems(teams, index, entry, given)
        if any(grant.expires_at is not None and grant.id not in given for grant in entry.grants):
            problems += _late_problems(teams, index, entry, given, await ledger.now_ms(entry.id))
    steps += await _key_steps(ledger, teams, secrets, problems)
    if problems:
        raise ConfigError(sorted(problems, key=lambda problem: problem.line))
    return Plan(tuple(steps))


def teams_problems(path: Path) -> tuple[Problem, ...]:
    """What is wrong with a teams file and the secrets it names, without a store."""
    try:
        secrets = read_secrets(load_teams(path))
    except ConfigError as error:
        return error.problems
    return (*secrets.wrong, *secrets.missing)


async def apply_plan(ledger: Ledger, todo: Plan, actor: str) -> None:
    """Do it, step by step; each is safe to repeat. `actor` is who, for the journal.

    Raises `LedgerConflict` when the store was changed since the plan was made: plan again.
    """
    for step in todo.steps:
        await _do(ledger, step, actor)


async def apply_teams_file(ledger: Ledger, path: Path, actor: str) -> Plan:
    """Read the file, plan and do it; what was done. Plans again if somebody else was at it.

    Raises `ConfigError` with every problem, before anything is written, and the ledger's errors.
    """
    teams = load_teams(path)
    done: list[Step] = []
    for tries_left in reversed(range(TRIES_MAX)):
        try:
            for step in (await plan(ledger, teams)).steps:
                await _do(ledger, step, actor)
                done.append(step)
            break
        except LedgerConflict:
            if not tries_left:
                raise
    return Plan(tuple(done))


async def _do(ledger: Ledger, step: Step, actor: str) -> None:
    match step:
        case PutTeam(record):
            await ledger.put_team(record, actor=actor, expected_revision=record.revision)
        case GiveGrant(team, grant_id, amount, note, expires_at_ms):
            status = await ledger.grant(team, grant_id, amount, note=note, actor=actor, expires_at_ms=expires_at_ms)
            if status is GrantStatus.MISMATCH:
                raise LedgerConflict(f"grant {grant_id} of team {team} was given otherwise meanwhile")
        case PutKey(key):
            await ledger.keyring.put(key, actor=actor)


def _grant_problems(teams: TeamsFile, index: int, entry: TeamEntry, given: dict[str, Grant]) -> list[Problem]:
    found = []
    for number, before, word in changed_grants(entry, given):
        if word == "credits":
            what = f"grant {before.id} was given before, with {credits_text(before.amount)} credits"
            mend = "Correct the amount, or give the difference under an id of its own."
        else:
            ends = "no expiry" if before.expires_at_ms is None else f"the expiry {instant(before.expires_at_ms)}"
            what = f"grant {before.id} was given before, with {ends}"
            mend = "Correct the expiry, or give more credits under an id of their own."
        found.append(teams.file.problem(("teams", index, "grants", number, word), what, mend))
    return found


def _late_problems(
    teams: TeamsFile, index: int, entry: TeamEntry, given: dict[str, Grant], now_ms: int
) -> list[Problem]:
    return [
        teams.file.problem(
            ("teams", index, "grants", number, "expires_at"),
            f"grant {grant.id} was never given, and expired at {instant(grant.expires_at_ms)}",
            "Write a later time, or remove the grant.",
        )
        for number, grant in late_grants(entry, given, now_ms)
    ]


async def _key_steps(ledger: Ledger, teams: TeamsFile, secrets: Secrets, problems: list[Problem]) -> list[Step]:
    """The steps for all keys; a secret that is another key's in the store goes to `problems`."""
    steps: list[Step] = []
    stored = {
        team.id: {key.key_id: key for key in await ledger.keyring.of_team(team.id)} for team in teams.teams if team.keys
    }
    for path, team, key in teams.all_keys():
        sha256 = secrets.sha256.get(path)
        if sha256 is None:
            continue
        owner = await ledger.keyring.find(sha256)
        if owner is not None and (owner.team, owner.key_id) != (team.id, key.id):
            what = f"the secret is that of key {owner.key_id} of team {owner.team} in the store"
            problems.append(teams.file.problem((*path, "secret"), what, "Give each key a secret of its own."))
        steps += key_steps(team.id, key, sha256, stored[team.id].get(key.id))
    return steps
