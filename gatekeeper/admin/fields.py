"""The kinds of value in the admin API's bodies and answers: how each is read, written and described.

Amounts are micro-credits inside and exact decimal numbers of credits in JSON; instants are milliseconds inside and ISO
times in JSON. What is read is never a float. No module above this one says how a value looks.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from gatekeeper.admin import teams_words
from gatekeeper.core.credits import AMOUNT_MICROCREDITS_MAX, MICRO
from gatekeeper.dialects.facts import credits_number
from gatekeeper.ledger import bounds
from gatekeeper.ledger.errors import LedgerInvalid
from gatekeeper.web.answers import iso_time
from gatekeeper.web.auth import NAME
from gatekeeper.yamlfile import mistake

CREDITS_MAX = AMOUNT_MICROCREDITS_MAX // MICRO
"""The largest amount, in credits."""

_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME = {"type": "string", "format": "date-time"}
_AMOUNT = {"type": "number", "minimum": 0, "maximum": CREDITS_MAX, "description": "credits, at most six decimals"}
_SIGNED = {"type": "number", "description": "credits, at most six decimals"}


def read_instant(value: Any) -> int:
    """An ISO time with its offset, or an aware datetime, in milliseconds since 1970."""
    mend = "Write it like 2026-12-31T23:59:59Z, with Z or an offset."
    if not isinstance(value, datetime) and not (isinstance(value, str) and _ISO.fullmatch(value)):
        raise mistake("this is no time with an offset", mend)
    try:
        at = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        at_ms = (at - _EPOCH) // timedelta(milliseconds=1)
        bounds.check_instant("time", at_ms)
    except (LedgerInvalid, OverflowError, TypeError, ValueError) as error:
        raise mistake("this is no time", mend) from error
    return at_ms


def _described(schema: dict[str, Any], **more: Any) -> WithJsonSchema:
    return WithJsonSchema({**schema, **more})


TeamId = Annotated[
    teams_words.TeamId, _described({"type": "string"}, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", maxLength=64)
]
Name = Annotated[teams_words.Name, _described({"type": "string"}, pattern=f"^{NAME.pattern}$")]
Timezone = Annotated[teams_words.Timezone, _described({"type": "string"}, description="an IANA name: Europe/Berlin")]
Scope = Annotated[
    teams_words.Scope,
    _described({"type": "string"}, description="team, project, member, key, or one by name: member:amy"),
]
Note = Annotated[teams_words.Note, _described({"type": "string"}, maxLength=teams_words.NOTE_CHARS_MAX)]

Amount = Annotated[teams_words.Amount, _described(_AMOUNT)]
"""What a caller writes: 0 credits or more, micro-credits once it is read."""
Gift = Annotated[teams_words.Gift, _described({"type": "number", "exclusiveMinimum": 0, "maximum": CREDITS_MAX})]
"""The same, and more than nothing."""
Credits = Annotated[int, PlainSerializer(credits_number, return_type=Any), _described(_SIGNED)]
"""What an answer says: micro-credits inside, an exact number of credits in JSON."""

Instant = Annotated[int, PlainValidator(read_instant), _described(_TIME)]
"""What a caller writes: a time with its offset, milliseconds once it is read."""
At = Annotated[int, PlainSerializer(iso_time), _described(_TIME)]
"""What an answer says: milliseconds inside, an ISO time in JSON."""
