"""The words of a teams file: what is a name, an amount, a time zone, a scope, a secret's place; each with its mistake.

Annotated types for the schemas of `teams_schema` and `teams_budget`. Pure: a word is looked at by itself; what stands
in the store, or elsewhere in the file, is not known here.
"""

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator

from gatekeeper.core.credits import parse_credits
from gatekeeper.core.sizes import Tier, read_size
from gatekeeper.ledger import bounds
from gatekeeper.ledger.errors import LedgerInvalid
from gatekeeper.sections import EnvSecret, FileSecret, SecretSource
from gatekeeper.web.auth import NAME, PHASES
from gatekeeper.yamlfile import mistake

SCOPE_KINDS = ("team", "project", "member", "key")
"""What a limit can be for; all but the team also by name, like member:amy."""

NOTE_CHARS_MAX = bounds.REASON_CHARS_MAX
"""A grant's note goes into the journal."""


ALERT_URL_CHARS_MAX = 2048
"""The longest address that servers commonly take."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DURATION = re.compile(r"(\d{1,6})(s|min|h|d)")
_UNIT_MS = {
    unit: int(timedelta(**{name: 1}).total_seconds() * 1000)
    for unit, name in (("s", "seconds"), ("min", "minutes"), ("h", "hours"), ("d", "days"))
}
_ALERT_URL = re.compile(r"https?://[^/?#\s@]+([/?][^#\s]*)?")


class Strict(BaseModel):
    """No unknown keys, no guessing of types, no change after reading."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


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
    """The same, above 0."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool) and value <= 0:
        raise mistake(f"`{value}` credits give nothing", "Write an amount above 0.")
    return _amount(value)


def _secret(value: Any) -> SecretSource:
    """Where a secret is. Whatever else stands there is not repeated: it may be the secret itself."""
    match value:
        case {"env": str(name), **rest} if not rest and _VARIABLE.fullmatch(name):
            return EnvSecret(env=name)
        case {"file": str(path), **rest} if not rest and path:
            return FileSecret(file=Path(path))
    raise mistake("does not say where the secret is", "Write {env: NAME} or {file: PATH}; never the secret itself.")


def _day_or_instant(value: Any) -> date | datetime:
    if not isinstance(value, date) or (isinstance(value, datetime) and value.tzinfo is None):
        raise mistake("this is no day and no instant", "Write it like 2026-11-01 or 2026-11-01T09:00:00Z, unquoted.")
    return value


def _duration_ms(value: Any) -> int:
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise mistake("this is no stretch of time", "Write it like 24h, 90min or 7d.")
    return int(found[1]) * _UNIT_MS[found[2]]


def _tier(value: str) -> str:
    meaning = read_size(value)
    if not isinstance(meaning, Tier):
        raise mistake(f"`{value}` is no resolution", "Write it like 2K or 768P.")
    return meaning.name


def _phase(value: str) -> str:
    if value not in PHASES:
        raise mistake(f"`{value}` is no phase", f"Use {', '.join(PHASES)}.")
    return value


def _alert_url(value: str) -> str:
    if value == "none":
        return ""
    if len(value) > ALERT_URL_CHARS_MAX or not _ALERT_URL.fullmatch(value):
        raise mistake(
            "this is no address that alerts can be sent to", "Write http:// or https:// with a host, or none."
        )
    return value


def _organisation(value: str) -> str:
    if value != value.strip() or not value.isprintable() or len(value) > bounds.NAME_CHARS_MAX:
        raise mistake("this is no organisation", f"Write one line of at most {bounds.NAME_CHARS_MAX} characters.")
    return "" if value == "none" else value


Name = Annotated[str, AfterValidator(_name)]
TeamId = Annotated[str, AfterValidator(_team_id)]
Timezone = Annotated[str, AfterValidator(_timezone)]
Organisation = Annotated[str, AfterValidator(_organisation)]
Scope = Annotated[str, AfterValidator(_scope)]
Note = Annotated[str, AfterValidator(_note)]
Amount = Annotated[int, PlainValidator(_amount)]
Gift = Annotated[int, PlainValidator(_gift)]
Secret = Annotated[SecretSource, PlainValidator(_secret)]
Pattern = Annotated[str, AfterValidator(_pattern)]
Patterns = Annotated[list[Pattern], Field(max_length=bounds.PATTERNS_MAX // 2)]
DayOrInstant = Annotated[date | datetime, PlainValidator(_day_or_instant)]
DurationMs = Annotated[int, PlainValidator(_duration_ms)]
Resolution = Annotated[str, AfterValidator(_tier)]
Phase = Annotated[str, AfterValidator(_phase)]
AlertUrl = Annotated[str, AfterValidator(_alert_url)]
