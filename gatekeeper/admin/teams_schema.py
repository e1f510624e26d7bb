"""What a teams file looks like, and all that can be wrong with it before a store is asked.

What the file leaves out stays as it is in the store, so a file may name only what it wants to rule. Limits, caps and
model patterns are each one setting: what is written replaces what was there. Secrets are never in the file; it says
where they are. Reading them, and comparing with the store, is `teams_file`'s work.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import available_timezones

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, PlainValidator, ValidationError

from gatekeeper.core.credits import parse_credits
from gatekeeper.ledger import bounds
from gatekeeper.ledger.errors import LedgerInvalid
from gatekeeper.ledger.teamrecord import Per
from gatekeeper.sections import EnvSecret, FileSecret, SecretSource
from gatekeeper.web.auth import NAME
from gatekeeper.yamlfile import ConfigError, DataPath, Problem, YamlFile, load_yaml, mistake, problems_of

SCOPE_KINDS = ("team", "project", "member", "key")
"""What a limit can be for; all but the team also by name, like member:amy."""

OPEN_HOLDS_MAX = 1_000_000
"""More generations at once than any team will run; a typing error of many digits is caught."""

NOTE_CHARS_MAX = bounds.REASON_CHARS_MAX
"""A grant's note goes into the journal."""


_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class _Strict(BaseModel):
    """No unknown keys, no guessing of types, no change after reading."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _team_id(value: str) -> str:
    if _refused(lambda: bounds.check_team_id(value)):
        mend = "Use letters, digits and . _ - only, 64 at most, the first a letter or digit."
        raise mistake(f"`{value}` is no team id", mend)
    return value


def _name(value: str) -> str:
    if not NAME.fullmatch(value):
        raise mistake(f"`{value}` is no name", "Use letters, digits and . _ @ + - only, 128 at most.")
    return value


def _timezone(value: str) -> str:
    if _refused(lambda: bounds.check_timezone(value)):
        near = get_close_matches(value, available_timezones(), n=1)
        mend = f"Did you mean `{near[0]}`?" if near else "Use a name like Europe/Berlin or UTC."
        raise mistake(f"`{value}` is no time zone known here", mend)
    return value


def _pattern(value: str) -> str:
    if not value or _refused(lambda: bounds.check_name("pattern", value)):
        raise mistake(f"`{value}` is no pattern of model ids", "Write a model id, or a part with a star: recraft-*.")
    return value


def _scope(value: str) -> str:
    kind, colon, name = value.partition(":")
    if kind not in SCOPE_KINDS or (colon and (kind == "team" or not NAME.fullmatch(name))):
        raise mistake(f"`{value}` is no scope", f"Use {', '.join(SCOPE_KINDS)}, or one by name like member:amy.")
    return value


def _note(value: str) -> str:
    if _refused(lambda: bounds.check_text("note", value, NOTE_CHARS_MAX)):
        raise mistake("the note is no line of text", f"Write one line of at most {NOTE_CHARS_MAX} characters.")
    return value


def _refused(check: Callable[[], None]) -> bool:
    try:
        check()
    except LedgerInvalid:
        return True
    return False


def _amount(value: Any) -> int:
    """Credits in micro-credits, 0 or more."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        shown = f"the text `{value}`" if isinstance(value, str) else "this"
        raise mistake(f"{shown} is no number of credits", "Write it like 1000 or 73.5, without quotes.")
    if value < 0:
        raise mistake(f"`{value}` credits is less than nothing", "It must be 0 or more.")
    try:
        return parse_credits(value)
    except ValueError:
        mend = "Credits have at most six decimals and stay at or below 9000000000."
        raise mistake(f"`{value}` credits cannot be booked exactly", mend) from None


def _gift(value: Any) -> int:
    amount = _amount(value)
    if amount == 0:
        raise mistake("a grant of 0 credits gives nothing", "Write an amount above 0, or remove the grant.")
    return amount


def _secret(value: Any) -> SecretSource:
    """Where a secret is. Whatever else stands there is not repeated: it may be the secret itself."""
    match value:
        case {"env": str(name), **rest} if not rest and _VARIABLE.fullmatch(name):
            return EnvSecret(env=name)
        case {"file": str(path), **rest} if not rest and path:
            return FileSecret(file=Path(path))
    raise mistake("does not say where the secret is", "Write {env: NAME} or {file: PATH}; never the secret itself.")


TeamId = Annotated[str, AfterValidator(_team_id)]
Name = Annotated[str, AfterValidator(_name)]
Timezone = Annotated[str, AfterValidator(_timezone)]
Scope = Annotated[str, AfterValidator(_scope)]
Note = Annotated[str, AfterValidator(_note)]
Amount = Annotated[int, PlainValidator(_amount)]
Gift = Annotated[int, PlainValidator(_gift)]
Pattern = Annotated[str, AfterValidator(_pattern)]
Patterns = Annotated[list[Pattern], Field(max_length=bounds.PATTERNS_MAX // 2)]


class GrantEntry(_Strict):
    """Credits given once: a grant's id is what makes it one. What is left of them at `expires_at` lapses."""

    id: Name
    credits: Annotated[int, PlainValidator(_gift)]
    expires_at: AwareDatetime | None = None
    note: Annotated[str, AfterValidator(_note)] = ""

    @property
    def expires_at_ms(self) -> int | None:
        """The expiry as the store keeps it."""
        return None if self.expires_at is None else int(self.expires_at.timestamp() * 1000)


class LimitEntry(_Strict):
    """A cap on spend in a stretch of time."""

    scope: Annotated[str, AfterValidator(_scope)]
    per: Annotated[Per, Field(strict=False)]
    credits: Amount


class CapsEntry(_Strict):
    """Bounds on one request, on what runs at once and on requests in a minute. What is left out has no bound."""

    per_request: Amount | None = None
    open_holds: Annotated[int, Field(ge=0, le=OPEN_HOLDS_MAX)] | None = None
    held_credits: Amount | None = None
    requests_per_minute: Annotated[int, Field(ge=1, le=bounds.REQUESTS_PER_MINUTE_MAX)] | None = None


class ModelsEntry(_Strict):
    """Patterns of the model ids that a team may use. Deny wins."""

    allow: Patterns = Field(default_factory=lambda: ["*"])
    deny: Patterns = Field(default_factory=list)


class KeyEntry(_Strict):
    """An API key; bound to a project or a member if it names one."""

    id: Name
    secret: Annotated[SecretSource, PlainValidator(_secret)]
    project: Name | None = None
    member: Name | None = None
    revoked: bool | None = None
    expires_at: AwareDatetime | None = None


class TeamEntry(_Strict):
    """One team. None: the file does not say."""

    id: Annotated[str, AfterValidator(_team_id)]
    timezone: Annotated[str, AfterValidator(_timezone)] | None = None
    frozen: bool | None = None
    grants: list[GrantEntry] = Field(default_factory=list)
    limits: Annotated[list[LimitEntry], Field(max_length=bounds.LIMITS_MAX)] | None = None
    caps: CapsEntry | None = None
    models: ModelsEntry | None = None
    retry_guard: bool | None = None
    keys: list[KeyEntry] = Field(default_factory=list)


class _Schema(_Strict):
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
    problems = list(_said_twice(file))
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
            for number, pattern in enumerate(patterns):
                if not any(fnmatchcase(model_id, pattern) for model_id in known):
                    near = get_close_matches(pattern, known, n=1)
                    mend = f"Did you mean `{near[0]}`?" if near else "`gatekeeper models` lists the ids."
                    place = ("teams", index, "models", kind, number)
                    found.append(teams.file.problem(place, f"`{pattern}` matches no model of the catalog", mend))
    return found


def _said_twice(file: YamlFile) -> Iterator[Problem]:
    """What stands in the file twice. Looks at the plain data, so that a mistake elsewhere does not hide it."""
    teams = list(_mappings(file.data, ()))
    yield from _twice(file, ((path, "id", _word(team, "id")) for path, team in teams), "team")
    secrets = []
    for path, team in teams:
        for kind in ("grants", "keys"):
            entries = list(_mappings(team, path, kind))
            yield from _twice(file, ((p, "id", _word(entry, "id")) for p, entry in entries), kind.removesuffix("s"))
            secrets += [(p, "secret", _source(entry)) for p, entry in entries if kind == "keys"]
        limits = ((p, "scope", _scope_and_per(entry)) for p, entry in _mappings(team, path, "limits"))
        yield from _twice(file, limits, "limit")
    yield from _twice(file, secrets, "secret")


def _twice(file: YamlFile, words: Iterable[tuple[DataPath, str, str | None]], noun: str) -> Iterator[Problem]:
    first: dict[str, DataPath] = {}
    for path, key, word in words:
        place = (*path, key)
        if word is not None and first.setdefault(word, place) != place:
            what = f"the {noun} `{word}` is already on line {file.line_of(first[word])}"
            mend = "Give each key a secret of its own." if noun == "secret" else "Keep one of the two."
            yield file.problem(place, what, mend)


def _mappings(holder: Any, path: DataPath, key: str = "teams") -> Iterator[tuple[DataPath, dict[str, Any]]]:
    entries = holder.get(key) if isinstance(holder, dict) else None
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(entry, dict):
            yield (*path, key, index), entry


def _word(entry: dict[str, Any], key: str) -> str | None:
    value = entry.get(key)
    return value if isinstance(value, str) else None


def _source(key: dict[str, Any]) -> str | None:
    """`env NAME` or `file PATH`; nothing for what may be a secret."""
    secret = key.get("secret")
    if not isinstance(secret, dict) or len(secret) != 1 or not secret.keys() <= {"env", "file"}:
        return None
    return " ".join(f"{kind} {place}" for kind, place in secret.items())


def _scope_and_per(limit: dict[str, Any]) -> str | None:
    scope, per = _word(limit, "scope"), _word(limit, "per")
    return None if scope is None or per is None else f"{scope} per {per}"
