"""Logging: structlog set up once, and `emit`, the one way an event becomes a line.

One JSON object a line on stdout; pretty where stdout is a terminal. Nothing here decides what is logged: the events
are types in `events`, and nothing but their fields reaches a line.
"""

import logging
import re
import sys
import traceback
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, BinaryIO, Literal

import orjson
import structlog

from gatekeeper.core.credits import credits_text
from gatekeeper.events import LEVELS, Event, GenerationFacts
from gatekeeper.eventschema import CREDIT_FIELDS

SILENCED = ("aiohttp.server", "python_multipart")
"""Libraries that quote what was sent when it is malformed: a key or a prompt may be in it."""

_WORD = re.compile(r"[A-Za-z0-9_.:*/+-]{1,64}")
"""Every model id, size, ratio, quality and scale there is, and no sentence."""

_LEVEL_NUMBERS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def configure_logs(level: str, style: Literal["auto", "json", "pretty"], stream: BinaryIO | None = None) -> None:
    """Sets structlog up for this process. Called once, by whoever starts it; `stream` is stdout unless given."""
    pretty = style == "pretty" or (style == "auto" and stream is None and sys.stdout.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if pretty:
        renderer: list[structlog.typing.Processor] = [_for_people, structlog.dev.ConsoleRenderer(sort_keys=False)]
        factory: Any = structlog.PrintLoggerFactory(sys.stdout)
    else:
        renderer = [structlog.processors.JSONRenderer(serializer=_to_json)]
        factory = structlog.BytesLoggerFactory(stream or sys.stdout.buffer)
    for name in SILENCED:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    structlog.configure(
        processors=[*shared, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVEL_NUMBERS[level]),
        logger_factory=factory,
        cache_logger_on_first_use=False,
    )


def emit(event: Event) -> None:
    """Writes an event as a line, at the level that belongs to it."""
    log = structlog.get_logger()
    level = LEVELS.get(event.event, "info")
    if log.is_enabled_for(_LEVEL_NUMBERS[level]):
        getattr(log, level)(**_line(event))


def _line(event: Event) -> dict[str, Any]:
    """The event's fields, those of a generation's `facts` spread out, credits as exact decimals."""
    line: dict[str, Any] = {}
    generation = getattr(event, "facts", None)
    for part in (generation, event) if isinstance(generation, GenerationFacts) else (event,):
        amounts = CREDIT_FIELDS[type(part)]
        for each in fields(part):
            value = getattr(part, each.name)
            if isinstance(value, GenerationFacts):
                continue
            is_amount = each.name in amounts and value is not None
            line[each.name] = CreditsNumber(value) if is_amount else _numbers(value)
    return line


def _numbers(value: Any) -> Any:
    """Within the numbers of a signal, what is called credits is an amount too."""
    if not isinstance(value, dict):
        return value
    return {k: CreditsNumber(v) if k.startswith("credits_") and isinstance(v, int) else v for k, v in value.items()}


def event_json(event: Event, at_ms: int) -> bytes:
    """An event's fields as in its log line, for whoever is called about it: `{"type", "timestamp", "data"}`."""
    data = _line(event)
    timestamp = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat().replace("+00:00", "Z")
    return _to_json({"type": data.pop("event"), "timestamp": timestamp, "data": data})


def one_word(text: str | None) -> str | None:
    """What a caller wrote in a setting, if it may be logged: one short word, as every real value is, and no key.

    Somebody will put a prompt or a key where a size belongs; the line then says that there was something, not what.
    """
    if text is None:
        return None
    return text if _WORD.fullmatch(text) and "gk_" not in text else "(not logged)"


def place_of(error: Exception) -> str:
    """The file and line where an exception was raised: what of it may be logged without its data."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{last.filename.rpartition('gatekeeper/')[2]}:{last.lineno}"


class CreditsNumber:
    """An amount on its way into a line: exact in JSON, short on a terminal."""

    __slots__ = ("text",)

    def __init__(self, amount_microcredits: int) -> None:
        self.text = credits_text(amount_microcredits)

    def __repr__(self) -> str:
        return self.text


def _to_json(line: dict[str, Any], **_: Any) -> bytes:
    return orjson.dumps(line, default=_default)


def _default(value: object) -> object:
    if isinstance(value, CreditsNumber):
        return orjson.Fragment(value.text)
    return str(value)


def _for_people(_: object, __: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """On a terminal what is not known is left out."""
    return {key: value for key, value in line.items() if value not in (None, ())}
