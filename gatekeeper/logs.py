"""Logging: structlog set up once, and `emit`, the one way an event becomes a line.

One JSON object a line on stdout; pretty where stdout is a terminal. Nothing here decides what is logged: the events
are types in `events`, and nothing but their fields reaches a line.
"""

import asyncio
import logging
import re
import sys
import traceback
from collections.abc import Callable, MutableMapping
from dataclasses import fields
from datetime import UTC, datetime
from functools import lru_cache
from time import time_ns
from typing import Any, BinaryIO, Final, Literal, Self, get_args

import orjson
import structlog

from gatekeeper.core.credits import MICRO, credits_text
from gatekeeper.events import LEVELS, Event, GenerationFacts
from gatekeeper.eventschema import CREDIT_FIELDS, figure_fields, has_facts

SILENCED = ("aiohttp.server", "python_multipart")
"""Libraries that quote what was sent when it is malformed: a key or a prompt may be in it."""

_is_word = re.compile(r"[A-Za-z0-9_.:*/+-]{1,64}").fullmatch
"""Every model id, size, ratio, quality and scale there is, and no sentence."""

LINES_WAITING_MAX = 64
"""Some fifty kilobytes: few turns of the event loop have more, and larger pieces of memory cost far more to get."""

PLAIN_MICROCREDITS_MIN: Final = 1000
"""Smaller ones a float is written with an exponent."""

PLAIN_MICROCREDITS_MAX: Final = 10**15
"""A billion credits."""

_LEVEL_NUMBERS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class _Lines:
    """A logger that writes the lines of one turn of the event loop together, before the next turn: a write for each
    would be the most costly part of it. What is a warning or worse is written at once, and so is all without a loop."""

    def __init__(self, stream: BinaryIO) -> None:
        self._out = structlog.BytesLogger(stream)
        self._waiting: list[bytes] = []

    def logger(self, *_: object) -> Self:
        """For structlog, which asks for a logger."""
        return self

    def info(self, line: bytes) -> None:
        """Soon."""
        if not self._waiting:
            # Asked for the first line of a turn alone: it is a system call.
            try:
                asyncio.get_running_loop().call_soon(self._write)
            except RuntimeError:
                self.warning(line)
                return
        self._waiting.append(line)
        if len(self._waiting) >= LINES_WAITING_MAX:
            self._write()

    def warning(self, line: bytes) -> None:
        """Now, behind all before it."""
        self._waiting.append(line)
        self._write()

    debug, error = info, warning

    def _write(self) -> None:
        lines, self._waiting = self._waiting, []
        if lines:
            self._out.msg(b"\n".join(lines))


Tell = Callable[[dict[str, Any]], None]


class _LineLogger(structlog.BoundLoggerBase):
    """For lines that are whole already, which structlog's own loggers would put together once more."""

    def telling(self, level: str) -> Tell:
        """What takes a line of this level through the processors, and out."""
        processors, logger, write = tuple(self._processors), self._logger, getattr(self._logger, level)

        def tell(line: dict[str, Any]) -> None:
            told: Any = line
            for process in processors:
                told = process(logger, level, told)
            write(told)

        return tell


class _Output:
    """Where lines go. `tell` writes a line, for each level; None for one that is filtered."""

    def __init__(self) -> None:
        self.tell: dict[str, Tell | None] = {}


_OUTPUT: Final = _Output()
"""Kept from `configure_logs` on: a logger that is looked up for every line costs more than the line."""


def configure_logs(level: str, style: Literal["auto", "json", "pretty"], stream: BinaryIO | None = None) -> None:
    """Sets structlog up for this process. Called once, by whoever starts it; `stream` is stdout unless given."""
    pretty = style == "pretty" or (style == "auto" and stream is None and sys.stdout.isatty())
    if pretty:
        renderer: list[Any] = [_for_people, structlog.dev.ConsoleRenderer(sort_keys=False)]
        factory: Any = structlog.PrintLoggerFactory(sys.stdout)
    else:
        renderer = [_for_programs]
        factory = _Lines(sys.stdout.buffer).logger if stream is None else structlog.BytesLoggerFactory(stream)
    for name in SILENCED:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    structlog.configure(
        processors=[_stamped, *renderer],
        wrapper_class=_LineLogger,
        logger_factory=factory,
        cache_logger_on_first_use=False,
    )
    log, least = structlog.get_logger().bind(), _LEVEL_NUMBERS[level]
    _OUTPUT.tell = {name: log.telling(name) if number >= least else None for name, number in _LEVEL_NUMBERS.items()}


def emit(event: Event) -> None:
    """Writes an event as a line, at the level that belongs to it."""
    kind = _KINDS[type(event)]
    if not structlog.is_configured():
        getattr(structlog.get_logger(), kind.level)(**kind.line_of(event))
        return
    tell = _OUTPUT.tell[kind.level]
    if tell is not None:
        tell(kind.line_of(event))


def is_told(event_type: type) -> bool:
    """Whether events of this type are written at all: what is costly to tell is made only then."""
    return not structlog.is_configured() or _OUTPUT.tell[_KINDS[event_type].level] is not None


class _Kind:
    """How the events of one type become lines: the fields of a generation's facts, then their own, the event's name
    last; credits as exact numbers. Which field is what is found out once."""

    def __init__(self, event_type: type) -> None:
        name = next(each for each in fields(event_type) if each.name == "event")
        self.level = LEVELS.get(str(name.default), "info")
        self._has_facts = has_facts(event_type)
        self._amounts = CREDIT_FIELDS[event_type]
        if self._has_facts:
            self._amounts |= CREDIT_FIELDS[GenerationFacts]
        self._figures = figure_fields(event_type)

    def line_of(self, event: Any) -> dict[str, Any]:
        """The line, without level and time."""
        line: dict[str, Any]
        if self._has_facts:
            line = vars(event.facts) | vars(event)
            del line["facts"]
        else:
            line = vars(event).copy()
        line["event"] = line.pop("event")
        for name in self._amounts:
            amount = line[name]
            if amount:
                line[name] = _amount(amount)
        for name in self._figures:
            line[name] = _numbers(line[name])
        return line


_KINDS: Final = {each: _Kind(each) for each in get_args(Event)}


def _amount(amount_microcredits: int) -> "int | float | CreditsNumber":
    """An amount as something that is written as the same number of credits."""
    if amount_microcredits % MICRO == 0:
        return amount_microcredits // MICRO
    # Up to fifteen digits a decimal is the shortest text of the float next to it, which is how a float is written.
    if PLAIN_MICROCREDITS_MIN <= amount_microcredits < PLAIN_MICROCREDITS_MAX:
        return amount_microcredits / MICRO
    return CreditsNumber(amount_microcredits)


def _numbers(value: dict[str, Any]) -> dict[str, Any]:
    """Within the numbers of a signal, what is called credits is an amount too."""
    return {k: CreditsNumber(v) if k.startswith("credits_") and isinstance(v, int) else v for k, v in value.items()}


def event_json(event: Event, at_ms: int) -> bytes:
    """An event's fields as in its log line, for whoever is called about it: `{"type", "timestamp", "data"}`."""
    data = _KINDS[type(event)].line_of(event)
    timestamp = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat().replace("+00:00", "Z")
    return _to_json({"type": data.pop("event"), "timestamp": timestamp, "data": data})


def one_word(text: str | None) -> str | None:
    """What a caller wrote in a setting, if it may be logged: one short word, as every real value is, and no key.

    Somebody will put a prompt or a key where a size belongs; the line then says that there was something, not what.
    """
    if text is None:
        return None
    return text if _is_word(text) and "gk_" not in text else "(not logged)"


def place_of(error: Exception) -> str:
    """The file and line where an exception was raised: what of it may be logged without its data."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{last.filename.rpartition('gatekeeper/')[2]}:{last.lineno}"


class CreditsNumber:
    """An amount on its way into a line: exact in JSON, short on a terminal. A whole number of credits needs none."""

    __slots__ = ("text",)

    def __init__(self, amount_microcredits: int) -> None:
        self.text = credits_text(amount_microcredits)

    def __repr__(self) -> str:
        return self.text


def _stamped(_: object, level: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """With its level and the time."""
    line["level"] = level
    seconds, microseconds = divmod(time_ns() // 1000, 1_000_000)
    line["timestamp"] = f"{_second_text(seconds)}.{microseconds:06d}Z"
    return line


@lru_cache(maxsize=2)
def _second_text(at_s: int) -> str:
    """The same for every line of a second; two, for a clock that is set back by a little."""
    return datetime.fromtimestamp(at_s, UTC).replace(tzinfo=None).isoformat()


def _to_json(line: MutableMapping[str, Any]) -> bytes:
    return orjson.dumps(line, default=_default)


def _default(value: object) -> object:
    if isinstance(value, CreditsNumber):
        return orjson.Fragment(value.text)
    return str(value)


def _for_programs(_: object, __: str, line: structlog.typing.EventDict) -> bytes:
    return _to_json(line)


def _for_people(_: object, __: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """On a terminal what is not known is left out."""
    return {key: value for key, value in line.items() if value not in (None, ())}
