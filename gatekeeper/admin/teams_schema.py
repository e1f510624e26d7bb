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

from pydantic import AwareDatetime, Field, ValidationError, model_validator

from gatekeeper.admin.teams_budget import ALLOWANCES_MAX, PROJECTS_MAX, AllowanceEntry, ProjectEntry
from gatekeeper.admin.teams_twice import said_twice
from gatekeeper.admin.teams_words import (
    AlertUrl,
    Amount,
    DurationMs,
    Gift,
    Name,
    Note,
    Organisation,
    Patterns,
    Scope,
    Secret,
    Strict,
    TeamId,
    Timezone,
)
from gatekeeper.ledger import bounds
from gatekeeper.ledger.keyring import OVERLAP_MAX_MS
from gatekeeper.ledger.teamrecord import Per
from gatekeeper.ledger.teamrecord import Scope as KeyScope
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

OPEN_HOLDS_MAX = 1_000_000
"""More generations at once than any team will run; a typing error of many digits is caught."""

THRESHOLDS_MAX = 16
"""More warnings on the way are not read any more."""

Percent = Annotated[int, Field(ge=1, le=100)]


class GrantEntry(Strict):
    """Credits given once: a grant's id is what makes it one. What is left of them at `expires_at` lapses."""

    id: Name
    credits: Gift
    expires_at: AwareDatetime | None = None
    note: Note = ""

    @property
    def expires_at_ms(self) -> int | None:
        """The expiry as the store keeps it."""
        return None if self.expires_at is None else int(self.expires_at.timestamp() * 1000)


class LimitEntry(Strict):
    """A cap on spend in a stretch of time, and another one in its place until then."""

    scope: Scope
    per: Annotated[Per, Field(strict=False)]
    credits: Amount
    raised_to: Amount | None = None
    raised_until: AwareDatetime | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        for one, other in (("raised_to", "raised_until"), ("raised_until", "raised_to")):
            if getattr(self, one) is not None and getattr(self, other) is None:
                raise_mistakes([Mistake((one,), f"stands without `{other}`", f"A raise has an end: add `{other}`.")])
        return self

    @property
    def raised_until_ms(self) -> int | None:
        """The end of the raise as the store keeps it."""
        return None if self.raised_until is None else int(self.raised_until.timestamp() * 1000)


class CapsEntry(Strict):
    """Bounds on one request, on what runs at once and on requests in a minute. What is left out stays as it is."""

    per_request: Amount | None = None
    open_holds: Annotated[int, Field(ge=0, le=OPEN_HOLDS_MAX)] | None = None
    held_credits: Amount | None = None
    requests_per_minute: Annotated[int, Field(ge=1, le=bounds.REQUESTS_PER_MINUTE_MAX)] | None = None


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
    scopes: Annotated[list[Annotated[KeyScope, Field(strict=False)]], Field(max_length=len(KeyScope))] | None = None
    revoked: bool | None = None
    expires_at: AwareDatetime | None = None


class TeamEntry(Strict):
    """One team. None: the file does not say."""

    id: TeamId
    timezone: Timezone | None = None
    organisation: Organisation | None = None
    frozen: bool | None = None
    shadow: bool | None = None
    grants: list[GrantEntry] = Field(default_factory=list)
    allowances: Annotated[list[AllowanceEntry], Field(max_length=ALLOWANCES_MAX)] | None = None
    limits: Annotated[list[LimitEntry], Field(max_length=bounds.LIMITS_MAX)] | None = None
    caps: CapsEntry | None = None
    models: ModelsEntry | None = None
    retry_guard: bool | None = None
    projects: Annotated[list[ProjectEntry], Field(max_length=PROJECTS_MAX)] | None = None
    thresholds: Annotated[list[Percent], Field(max_length=THRESHOLDS_MAX)] | None = None
    alert_url: AlertUrl | None = None
    keys: list[KeyEntry] = Field(default_factory=list)


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
