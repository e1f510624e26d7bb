"""The words of teams files and of the admin API's bodies: what is a name, an amount, an instant, a scope, an address;
each with its mistake and its description, so that neither takes what the other refuses.

Amounts are micro-credits and instants milliseconds once they are read; nothing is ever a float. Pure: a word is looked
at by itself; what stands in the store, or beside it, is not known here.
"""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema

from gatekeeper.core.credits import AMOUNT_MICROCREDITS_MAX, MICRO, parse_credits
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

ALERT_URL_CHARS_MAX = 1024
"""As long as any address that the gateway calls."""

THRESHOLDS_MAX = 16
"""More warnings on the way are not read any more."""

CREDITS_MAX = AMOUNT_MICROCREDITS_MAX // MICRO
"""The largest amount, in credits."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DURATION = re.compile(r"(\d{1,6})(s|min|h|d)")
_UNIT_MS = {
    unit: int(timedelta(**{name: 1}).total_seconds() * 1000)
    for unit, name in (("s", "seconds"), ("min", "minutes"), ("h", "hours"), ("d", "days"))
}
_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)")
_URL = re.compile(r"[!-~]+")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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
        mend = _near(value, available_timezones()) or "Use a name like Europe/Berlin or UTC."
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


def _near(value: str, known: Iterable[str]) -> str:
    """A question for the word that may have been meant; "" where none is near."""
    near = get_close_matches(value, known, n=1)
    return f"Did you mean `{near[0]}`?" if near else ""


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
        what = f"`{value}` credits is less than nothing" if value else "0 credits are nothing"
        raise mistake(what, "Write an amount above 0.")
    return _amount(value)


def _secret(value: Any) -> SecretSource:
    """Where a secret is. Whatever else stands there is not repeated: it may be the secret itself."""
    match value:
        case {"env": str(name), **rest} if not rest and _VARIABLE.fullmatch(name):
            return EnvSecret(env=name)
        case {"file": str(path), **rest} if not rest and path:
            return FileSecret(file=Path(path))
    raise mistake("does not say where the secret is", "Write {env: NAME} or {file: PATH}; never the secret itself.")


def instant_ms(value: datetime) -> int:
    """An aware instant, in milliseconds since 1970; what is less is cut off."""
    return (value - _EPOCH) // timedelta(milliseconds=1)


def _instant(value: Any) -> int:
    """An ISO time with its zone, or such an instant of a file."""
    mend = "Write it like 2026-12-31T23:59:59Z, with Z or an offset."
    if not isinstance(value, datetime) and not (isinstance(value, str) and _ISO.fullmatch(value)):
        raise mistake("this is not a time with its zone", mend)
    try:
        at_ms = instant_ms(value if isinstance(value, datetime) else datetime.fromisoformat(value))
        bounds.check_instant("time", at_ms)
    except (LedgerInvalid, OverflowError, TypeError, ValueError) as error:
        raise mistake("this is not a time with its zone", mend) from error
    return at_ms


def _day_or_instant(value: Any) -> date | datetime:
    if not isinstance(value, date) or (isinstance(value, datetime) and value.tzinfo is None):
        raise mistake("this is no day and no instant", "Write it like 2026-11-01 or 2026-11-01T09:00:00Z, unquoted.")
    return value


def duration_ms(text: str) -> int | None:
    """A stretch of time as people write it, like 24h, 90min or 7d; None for what is none."""
    found = _DURATION.fullmatch(text)
    return None if found is None else int(found[1]) * _UNIT_MS[found[2]]


def _duration_ms(value: Any) -> int:
    found = duration_ms(value) if isinstance(value, str) else None
    if found is None:
        raise mistake("this is no stretch of time", "Write it like 24h, 90min or 7d.")
    return found


def _tier(value: str) -> str:
    meaning = read_size(value)
    if not isinstance(meaning, Tier):
        raise mistake(f"`{value}` is no resolution", "Write it like 2K or 768P.")
    return meaning.name


def _phase(value: str) -> str:
    if value not in PHASES:
        raise mistake(f"`{value}` is no phase", _near(value.lower(), PHASES) or f"Use {', '.join(PHASES)}.")
    return value


def _alert_url(value: str) -> str:
    if value in {"", "none"}:
        return ""
    try:
        parts = urlsplit(value)
        is_right = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_right = False
    if not is_right or "@" in parts.netloc or "#" in value or not _URL.fullmatch(value):
        mend = "Write it like https://hooks.example.com/budget, or none."
        raise mistake("this is no address to send to", mend)
    return value


def _organisation(value: str) -> str:
    if value != value.strip() or not value.isprintable() or len(value) > bounds.NAME_CHARS_MAX:
        raise mistake("this is no organisation", f"Write one line of at most {bounds.NAME_CHARS_MAX} characters.")
    return "" if value == "none" else value


def _in_order(value: list[int]) -> list[int]:
    return sorted(set(value))


def _text(**schema: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", **schema})


Name = Annotated[str, AfterValidator(_name), _text(pattern=f"^{NAME.pattern}$")]
TeamId = Annotated[str, AfterValidator(_team_id), _text(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", maxLength=64)]
Timezone = Annotated[str, AfterValidator(_timezone), _text(description="an IANA name: Europe/Berlin")]
Organisation = Annotated[str, AfterValidator(_organisation), _text(maxLength=bounds.NAME_CHARS_MAX)]
Scope = Annotated[
    str, AfterValidator(_scope), _text(description="team, project, member, key, or one by name: member:amy")
]
Note = Annotated[str, AfterValidator(_note), _text(maxLength=NOTE_CHARS_MAX)]
Amount = Annotated[
    int,
    PlainValidator(_amount),
    WithJsonSchema(
        {"type": "number", "minimum": 0, "maximum": CREDITS_MAX, "description": "credits, at most six decimals"}
    ),
]
"""0 credits or more."""
Gift = Annotated[
    int,
    PlainValidator(_gift),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": CREDITS_MAX}),
]
"""The same, and more than nothing."""
Instant = Annotated[int, PlainValidator(_instant), _text(format="date-time")]
Secret = Annotated[SecretSource, PlainValidator(_secret)]
Pattern = Annotated[str, AfterValidator(_pattern)]
Patterns = Annotated[list[Pattern], Field(max_length=bounds.PATTERNS_MAX // 2)]
DayOrInstant = Annotated[date | datetime, PlainValidator(_day_or_instant)]
DurationMs = Annotated[int, PlainValidator(_duration_ms)]
Resolution = Annotated[str, AfterValidator(_tier)]
Phase = Annotated[str, AfterValidator(_phase), WithJsonSchema({"enum": list(PHASES)})]
AlertUrl = Annotated[str, Field(max_length=ALERT_URL_CHARS_MAX), AfterValidator(_alert_url)]
Percent = Annotated[int, Field(ge=1, le=100)]
Thresholds = Annotated[list[Percent], Field(max_length=THRESHOLDS_MAX), AfterValidator(_in_order)]
"""Each once, the lowest first."""
