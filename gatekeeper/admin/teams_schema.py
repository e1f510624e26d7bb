"""What a teams file looks like, and all that can be wrong with it before a store is asked.

What the file leaves out stays as it is in the store, so a file may name only what it wants to rule. Secrets are never
in the file; it says where they are. Reading them, and comparing with the store, is `teams_file`'s work.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, ValidationError, model_validator

from gatekeeper.admin.pieces import PROJECTS_MAX, CapsBody, KeyScopes, LimitBody
from gatekeeper.admin.teams_budget import AllowanceEntry, ProjectEntry
from gatekeeper.admin.teams_twice import said_twice
from gatekeeper.admin.teams_words import (
    AlertUrl,
    DurationMs,
    Gift,
    Instant,
    Name,
    Note,
    Organisation,
    Patterns,
    Secret,
    Strict,
    TeamId,
    Thresholds,
    Timezone,
)
from gatekeeper.ledger import bounds
from gatekeeper.ledger.keyring import OVERLAP_MAX_MS
from gatekeeper.yamlfile import (
    ConfigError,
    DataPath,
    Mistake,
    Problem,
    YamlFile,
    load_yaml,
    problems_of,
    raise_mistakes,
)


class GrantEntry(Strict):
    """Credits given once: a grant's id is what makes it one. What is left of them at `expires_at` lapses."""

    id: Name
    credits: Gift
    expires_at: Instant | None = None
    note: Note = ""


class ModelsEntry(Strict):
    """Patterns of the model ids that a team may use. Deny wins. Each list replaces the one before."""

    allow: Patterns | None = None
    deny: Patterns | None = None


class KeyEntry(Strict):
    """An API key; bound to a project or a member if it names one. When it gets another secret, those it had go on
    working for the overlap."""

    id: Name
    secret: Secret
    overlap: Annotated[DurationMs, Field(le=OVERLAP_MAX_MS)] = 0
    project: Name | None = None
    member: Name | None = None
    scopes: KeyScopes | None = None
    revoked: bool | None = None
    expires_at: Instant | None = None


class TeamEntry(Strict):
    """One team. None: the file does not say."""

    id: TeamId
    timezone: Timezone | None = None
    organisation: Organisation | None = None
    frozen: bool | None = None
    shadow: bool | None = None
    grants: list[GrantEntry] = Field(default_factory=list)
    allowances: Annotated[list[AllowanceEntry], Field(max_length=bounds.ALLOWANCES_MAX)] | None = None
    limits: Annotated[list[LimitBody], Field(max_length=bounds.LIMITS_MAX)] | None = None
    caps: CapsBody | None = None
    models: ModelsEntry | None = None
    retry_guard: bool | None = None
    projects: Annotated[list[ProjectEntry], Field(max_length=PROJECTS_MAX)] | None = None
    thresholds: Thresholds | None = None
    alert_url: AlertUrl | None = None
    keys: list[KeyEntry] = Field(default_factory=list)

    @model_validator(mode="after")
    def _leaves_room(self) -> Self:
        lasting = sum(each.lasts_periods for each in self.allowances or ())
        if lasting > bounds.ALLOWANCE_LOTS_MAX:
            mend = f"Let them come to {bounds.ALLOWANCE_LOTS_MAX} or less."
            raise_mistakes([Mistake(("allowances",), f"they roll over for {lasting} periods in all", mend)])
        return self


class _Schema(Strict):
    teams: list[TeamEntry]


@dataclass(frozen=True, slots=True)
class TeamsFile:
    """A file that is right in itself. `file` knows the lines, for what only shows later."""

    file: YamlFile
    teams: tuple[TeamEntry, ...]

    def all_keys(self) -> Iterator[tuple[DataPath, TeamEntry, KeyEntry]]:
        """Every key with its team, and where it stands."""
        for index, team in enumerate(self.teams):
            for number, key in enumerate(team.keys):
                yield ("teams", index, "keys", number), team, key


def load_teams(path: Path) -> TeamsFile:
    """The teams in a file. Raises `ConfigError` with all that is wrong, line by line."""
    file = load_yaml(path)
    problems = list(said_twice(file))
    try:
        found = tuple(_Schema.model_validate(file.data).teams)
    except ValidationError as error:
        found = ()
        problems += problems_of(error, file, model=_Schema)
    if problems:
        raise ConfigError(sorted(dict.fromkeys(problems), key=lambda problem: problem.line))
    return TeamsFile(file, found)


def idle_patterns(teams: TeamsFile, model_ids: Iterable[str]) -> list[Problem]:
    """Patterns that match no model: most likely typing errors, and a denial with one denies nothing."""
    known = tuple(model_ids)
    found = []
    for index, team in enumerate(teams.teams):
        for kind, patterns in (("allow", team.models.allow), ("deny", team.models.deny)) if team.models else ():
            for number, pattern in enumerate(patterns or ()):
                if not any(fnmatchcase(model_id, pattern) for model_id in known):
                    near = get_close_matches(pattern, known, n=1)
                    mend = f"Did you mean `{near[0]}`?" if near else "`gatekeeper models` lists the ids."
                    place = ("teams", index, "models", kind, number)
                    found.append(teams.file.problem(place, f"`{pattern}` matches no model of the catalog", mend))
    return found
