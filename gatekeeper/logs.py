"""Logging: set up once, and `emit`, the one way an event becomes a line.

One JSON object a line on stdout; pretty where stdout is a terminal. Nothing here decides what is logged: the events
are types in `events`, and nothing but their fields reaches a line.
"""

import asyncio
import atexit
import logging
import re
import sys
import traceback
from collections import deque
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import fields
from datetime import UTC, datetime
from threading import Lock
from time import time_ns
from typing import Any, BinaryIO, Final, Literal, Never, get_args

import orjson
import structlog

from gatekeeper.core.credits import MICRO, credits_text
from gatekeeper.core.memo import Memo
from gatekeeper.events import LEVELS, Event, GenerationFacts
from gatekeeper.eventschema import CREDIT_FIELDS, figure_fields, has_facts

SILENCED = ("aiohttp.server", "python_multipart")
"""Libraries that quote what was sent when it is malformed: a key or a prompt may be in it."""

_is_word = re.compile(r"[A-Za-z0-9_.:*/+-]{1,64}").fullmatch
"""Every model id, size, ratio, quality and scale there is, and no sentence."""

LINES_WAITING_MAX = 64
"""Some fifty kilobytes: few turns of the event loop have more, and larger pieces of memory cost far more to get."""

ALIKE_REMEMBERED: Final = 4096
"""Lines that are told again, about a kilobyte each: two for whatever is asked of a model again and again, and the
refusals of loops that nobody has stopped."""

PLAIN_MICROCREDITS_MIN: Final = 1000
"""Smaller ones a float is written with an exponent."""

PLAIN_MICROCREDITS_MAX: Final = 10**15
"""A billion credits."""

_LINE_ENDS: Final = ord("\n")

_LEVEL_NUMBERS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class _Lines:
    """Writes the lines of one turn of the event loop together, before the next turn: a write for each would be the most
    costly part of it. What is a warning or worse is written at once, and so is all without a loop, that of other
    threads too. What waits when the process ends is written then. Lines that nobody takes, because a disk is full or a
    reader is gone, are lost and counted: what they tell of has happened, and whoever did it goes on."""

    def __init__(self, stream: BinaryIO) -> None:
        # Past its buffer, which would keep what could not be written and try it again behind our back.
        self._put: Callable[[bytes], int | None] = getattr(stream, "raw", stream).write
        self._is_cut = False
        self._writing = Lock()
        self._waiting: deque[bytes] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None

    def info(self, line: bytes) -> None:
        """Soon."""
        waiting = self._waiting
        waiting.append(line)
        if len(waiting) == 1 or self._loop is None or self._loop.is_closed():
            # Asked for the first line of a turn alone: it is a system call.
            try:
                self._loop = asyncio.get_running_loop()
            except RuntimeError:
                self.write()
            else:
                self._loop.call_soon(self.write)
        elif len(waiting) >= LINES_WAITING_MAX:
            self.write()

    def warning(self, line: bytes) -> None:
        """Now, behind all before it."""
        self._waiting.append(line)
        self.write()

    debug, error = info, warning

    def write(self) -> None:
        """All that waits. Each line is taken once, whoever else takes some meanwhile."""
        lines, waiting = list[bytes](), self._waiting
        with suppress(IndexError):
            while True:
                lines.append(waiting.popleft())
        if lines:
            lines.append(b"")
            with self._writing:
                self._write(b"\n".join(lines))

    def _write(self, lines: bytes) -> None:
        done, data = 0, b"\n" + lines if self._is_cut else lines
        with suppress(OSError):
            while done < len(data):
                done += self._put(data[done:]) or _nobody_takes_it()
        if done < len(data):
            _OUTPUT.lost += lines.count(b"\n", max(0, done - len(data) + len(lines)))
        if done:
            self._is_cut = data[done - 1] != _LINE_ENDS


def _now() -> str:
    """The time of day as lines tell it: ISO 8601, UTC, to the microsecond."""
    digits = str(time_ns() // 1000)
    return f"{_SECONDS[digits[:-6]]}{digits[-6:]}Z"


class _Seconds(dict[str, str]):
    """The text of this second, made once for all its lines."""

    def __missing__(self, digits: str) -> str:
        self.clear()
        text = self[digits] = f"{datetime.fromtimestamp(int(digits), UTC).replace(tzinfo=None).isoformat()}."
        return text


_SECONDS: Final = _Seconds()


Tell = Callable[[dict[str, Any]], None]
Write = Callable[[bytes], None]


class _Output:
    """Where lines go. `tells` writes a line, for each level; None for one that is filtered. Without any nobody has set
    logging up, and lines are for people. `writes` has those that are written as JSON, and takes them as they are.
    `lost`: how many could not be written."""

    def __init__(self) -> None:
        self.lost = 0
        self.tells: dict[str, Tell | None] = {}
        self.writes: dict[str, Write] = {}


_OUTPUT: Final = _Output()
"""Kept from `configure_logs` on: a logger that is looked up for every line costs more than the line."""


def configure_logs(level: str, style: Literal["auto", "json", "pretty"], stream: BinaryIO | None = None) -> None:
    """Sets logging up for this process. Called once, by whoever starts it; `stream` is stdout unless given."""
    for name in SILENCED:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    told = [name for name, number in _LEVEL_NUMBERS.items() if number >= _LEVEL_NUMBERS[level]]
    _OUTPUT.tells, _OUTPUT.writes = dict.fromkeys(_LEVEL_NUMBERS), {}
    if style == "pretty" or (style == "auto" and stream is None and sys.stdout.isatty()):
        write = structlog.PrintLogger(sys.stdout).msg
        _OUTPUT.tells |= {name: _tell_people(write, name) for name in told}
    else:
        out = _stdout_lines() if stream is None else structlog.BytesLogger(stream)
        _OUTPUT.writes = {name: getattr(out, name) for name in told}
        _OUTPUT.tells |= {name: _tell_programs(write, name) for name, write in _OUTPUT.writes.items()}


def reset_logs() -> None:
    """Undoes `configure_logs`."""
    _OUTPUT.tells, _OUTPUT.writes = {}, {}


def lines_lost() -> int:
    """How many lines could not be written to stdout, or not to their ends, since the process began."""
    return _OUTPUT.lost


def _nobody_takes_it() -> Never:
    """A pipe that is full, where whoever made it wants nobody to wait for it."""
    raise BlockingIOError


def _stdout_lines() -> _Lines:
    lines = _Lines(sys.stdout.buffer)
    atexit.register(lines.write)
    return lines


def _tell_programs(write: Write, level: str) -> Tell:
    """Writes lines of this level as JSON."""
    to_json = orjson.dumps

    def tell(line: dict[str, Any]) -> None:
        line["level"] = level
        line["timestamp"] = _now()
        write(to_json(line, _default))

    return tell


def _tell_people(write: Callable[[str], None], level: str) -> Tell:
    """Writes lines of this level for a terminal, where what is not known is left out."""
    render = structlog.dev.ConsoleRenderer(sort_keys=False)

    def tell(line: dict[str, Any]) -> None:
        told = line | {"level": level, "timestamp": _now()}
        write(render(None, level, {key: _plain(value) for key, value in told.items() if value not in (None, ())}))

    return tell


def _plain(value: Any) -> Any:
    """Text without what a terminal would obey; in JSON it is escaped already."""
    if not isinstance(value, str) or value.isprintable():
        return value
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in value)


def emit(event: Event) -> None:
    """Writes an event as a line, at the level that belongs to it."""
    kind, tells = _KINDS[type(event)], _OUTPUT.tells
    if not tells:
        getattr(structlog.get_logger(), kind.level)(**kind.line_of(event))
        return
    tell = tells[kind.level]
    if tell is not None:
        tell(kind.line_of(event))


Runs = tuple[tuple[str, ...], ...]
"""Fields of a line, by those that stand side by side."""


def emit_alike(make: Callable[[], Event], key: Hashable, keeps: object, differ: Runs, texts: tuple[str, ...]) -> None:
    """As `emit` of what `make` makes, where it is what any other with this key is but for the fields that `differ`: in
    `texts` is the JSON of each run of them, names and values. What such lines have in common is written once. `keeps`
    is what the key has identities of."""
    known = _alike.get(key)
    if known is None:
        known = _alike.put(key, (*_in_common(make(), differ), keeps))
    level, common, _ = known
    write = _OUTPUT.writes.get(level)
    if write is None:
        emit(make())
    else:
        parts = common.copy()
        parts[1::2] = (*texts, _now())
        write("".join(parts).encode())


_alike: Final = Memo[Hashable, tuple[str, list[str], object]](ALIKE_REMEMBERED)

_PLACE: Final = "\0"
"""No JSON has it as it is."""


def _in_common(event: Event, differ: Runs) -> tuple[str, list[str]]:
    """The level of a line, and the line with a part for each run of fields that differ, and for its time, between those
    that are the same."""
    kind = _KINDS[type(event)]
    line = kind.line_of(event) | {"level": kind.level}
    places = {run[0] for run in differ}
    differing = {name for run in differ for name in run}
    parts = [
        _PLACE if name in places else orjson.dumps({name: value}, _default)[1:-1].decode()
        for name, value in line.items()
        if name in places or name not in differing
    ]
    text = f'{{{",".join(parts)},"timestamp":"{_PLACE}"}}'
    return kind.level, text.replace(_PLACE, f"{_PLACE}{_PLACE}").split(_PLACE)


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
                whole, rest = divmod(amount, MICRO)
                # Up to fifteen digits a decimal is the shortest text of the float next to it, which is how a float is
                # written.
                is_plain = PLAIN_MICROCREDITS_MIN <= amount < PLAIN_MICROCREDITS_MAX
                line[name] = (amount / MICRO if is_plain else CreditsNumber(amount)) if rest else whole
        for name in self._figures:
            line[name] = _numbers(line[name])
        return line


_KINDS: Final = {each: _Kind(each) for each in get_args(Event)}


def _numbers(value: dict[str, Any]) -> dict[str, Any]:
    """Within the numbers of a signal, what is called credits is an amount too."""
    return {k: CreditsNumber(v) if k.startswith("credits_") and isinstance(v, int) else v for k, v in value.items()}


def event_json(event: Event, at_ms: int) -> bytes:
    """An event's fields as in its log line, for whoever is called about it: `{"type", "timestamp", "data"}`."""
    data = _KINDS[type(event)].line_of(event)
    timestamp = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat().replace("+00:00", "Z")
    return orjson.dumps({"type": data.pop("event"), "timestamp": timestamp, "data": data}, _default)


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


def _default(value: object) -> object:
    if isinstance(value, CreditsNumber):
        return orjson.Fragment(value.text)
    return str(value)
