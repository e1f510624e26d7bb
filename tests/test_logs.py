"""An event's way into its line: every field, in its order, credits exact; nothing of an event that is filtered."""

import asyncio
import io
import json
import re
import sys
from dataclasses import fields
from typing import Any, Literal, get_args

import orjson
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.core.credits import credits_text
from gatekeeper.events import (
    BudgetSignal,
    Event,
    GenerationAdmitted,
    GenerationFacts,
    GenerationSettled,
    HoldUnknown,
    InternalError,
    ServerStopped,
)
from gatekeeper.eventschema import CREDIT_FIELDS
from gatekeeper.logs import LINES_WAITING_MAX, configure_logs, emit, event_json, lines_lost
from gatekeeper.metrics import Metrics
from tests.cases import each_case

FACTS = GenerationFacts(request_id="req", team="studio", outputs=2, credits=73_500_000, hold_id="h")


class Stdout(io.RawIOBase):
    """In the place of stdout: each write by itself. With `room` for so many bytes, nothing is taken after them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.written: list[bytes] = []
        self.is_full = False
        self.room: int | None = None
        monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BufferedWriter(self)))

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int | None:
        if self.is_full:
            raise OSError("no space left")
        if self.room == 0:
            return None
        taken = bytes(data)[: self.room]
        self.room = None if self.room is None else self.room - len(taken)
        self.written.append(taken)
        return len(taken)


def lines_of(*events: Event, level: str = "info") -> list[dict[str, Any]]:
    """The lines that these events become, their keys in order, numbers as texts."""
    log = io.BytesIO()
    configure_logs(level, "json", log)
    for each in events:
        emit(each)
    return [json.loads(line, parse_int=str, parse_float=str) for line in log.getvalue().splitlines()]


def test_a_line_has_the_facts_then_the_events_own_fields_then_when() -> None:
    """In the order in which they are declared."""
    admitted = GenerationAdmitted(facts=FACTS, credits_available=5_000_000, asked={"size": "1K"})

    (line,) = lines_of(admitted)

    own = ["credits_available", "asked", "event", "level", "timestamp"]
    assert [*(each.name for each in fields(GenerationFacts)), *own] == list(line)
    assert ("req", None, "73.5", "5", {"size": "1K"}, "generation.admitted", "info") == tuple(
        line[name] for name in ("request_id", "project", "credits", "credits_available", "asked", "event", "level")
    )


def test_credits_among_the_numbers_of_a_signal_are_credits_too() -> None:
    """And other numbers are what they are."""
    signal = BudgetSignal(
        team="t", project="p", diagnosis="retry_storm", credits_budget=1_500_000, credits_charged=0, credits_saved=1,
        detail="", facts={"credits_wasted": 2_500_000, "retries": 3_000_000},
    )  # fmt: skip

    (line,) = lines_of(signal)

    assert ("1.5", "0", "0.000001") == (line["credits_budget"], line["credits_charged"], line["credits_saved"])
    assert {"credits_wasted": "2.5", "retries": "3000000"} == line["facts"]


@given(amount=st.integers(-(10**16), 10**16))
def test_an_amount_stands_in_a_line_as_its_text(amount: int) -> None:
    """Exact, whatever it is."""
    stopped = GenerationSettled(
        facts=FACTS, credits_held=amount, credits_charged=0, outcome="made", outputs_made=1
    )  # fmt: skip

    told = event_json(stopped, 0)

    assert f'"credits_held":{credits_text(amount)},'.encode() in told


@each_case("event_type", get_args(Event))
def test_every_event_has_a_line_with_all_of_its_fields(event_type: type) -> None:
    """Whatever is declared of an event is told."""
    numbers = dict.fromkeys(CREDIT_FIELDS[event_type], 1000000)
    event: Any = object.__new__(event_type)
    for each in fields(event_type):
        value = FACTS if each.type is GenerationFacts else numbers.get(each.name, {})
        object.__setattr__(event, each.name, each.default if each.name == "event" else value)

    data = orjson.loads(event_json(event, 0))["data"]

    names = {each.name for each in fields(event_type)} - {"event"}
    if {"facts"} & names and event.facts is FACTS:
        names = names - {"facts"} | {each.name for each in fields(GenerationFacts)}
    assert names == set(data)
    assert all(data[name] == 1 for name in numbers)


def test_nothing_is_written_below_the_level() -> None:
    """What is, is in its order."""
    unknown = HoldUnknown(facts=FACTS, credits_held=1, reason="x", policy="release")

    told = lines_of(ServerStopped(pid=1, abandoned=0), unknown, level="warning")

    assert ["hold.unknown"] == [line["event"] for line in told]


async def test_lines_of_one_turn_are_written_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """To stdout, before the loop goes on; a warning takes with it what waits."""
    stdout = Stdout(monkeypatch)
    configure_logs("info", "json")
    stopped = ServerStopped(pid=1, abandoned=0)
    emit(stopped)
    emit(stopped)
    at_first = list(stdout.written)
    await asyncio.sleep(0)
    emit(stopped)
    emit(HoldUnknown(facts=FACTS, credits_held=1, reason="x", policy="release"))

    assert ([], [2, 2]) == (at_first, [each.count(b"\n") for each in stdout.written])


@pytest.mark.parametrize("lines", [1, LINES_WAITING_MAX])
async def test_a_disk_that_is_full_stops_nobody(monkeypatch: pytest.MonkeyPatch, lines: int) -> None:
    """A line is lost; what it tells of is not undone by it, and the next one is written when there is room."""
    stdout, unhandled = Stdout(monkeypatch), list[dict[str, Any]]()
    asyncio.get_running_loop().set_exception_handler(lambda _, told: unhandled.append(told))
    configure_logs("info", "json")
    stdout.is_full = True
    for _ in range(lines):
        emit(ServerStopped(pid=1, abandoned=0))
    await asyncio.sleep(0)
    emit(HoldUnknown(facts=FACTS, credits_held=1, reason="x", policy="release"))
    stdout.is_full = False
    emit(HoldUnknown(facts=FACTS, credits_held=2_000_000, reason="x", policy="release"))

    assert [] == unhandled
    assert 2 == json.loads(b"".join(stdout.written).splitlines()[-1])["credits_held"]


def test_lines_that_nobody_takes_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each once, and none of them is written later; what is cut off is ended before the next line."""
    stdout, before = Stdout(monkeypatch), lines_lost()
    configure_logs("info", "json")
    stopped = ServerStopped(pid=1, abandoned=0)
    stdout.is_full = True
    emit(stopped)
    emit(stopped)
    all_of_it = lines_lost() - before
    stdout.is_full, stdout.room = False, 10
    emit(stopped)
    cut = lines_lost() - before
    emit(stopped)
    stdout.room = None
    emit(stopped)

    assert (2, 3, 4) == (all_of_it, cut, lines_lost() - before)
    written = b"".join(stdout.written)
    assert [10, True] == [len(written.partition(b"\n")[0]), written.endswith(b"\n")]
    assert 1 == json.loads(written.splitlines()[-1])["pid"]


async def test_lines_lost_are_a_metric(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the whole process."""
    stdout = Stdout(monkeypatch)
    configure_logs("info", "json")
    stdout.is_full = True
    emit(HoldUnknown(facts=FACTS, credits_held=1, reason="x", policy="release"))

    assert f"gatekeeper_log_lines_lost_total {lines_lost()}.0" in (await Metrics().shown()).decode()


def test_without_a_loop_a_line_is_written_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing would write it later."""
    stdout = Stdout(monkeypatch)
    configure_logs("info", "json")
    emit(ServerStopped(pid=1, abandoned=0))

    assert [1] == [each.count(b"\n") for each in stdout.written]


async def test_no_more_lines_wait_than_a_write_should_have(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many a turn has."""
    stdout = Stdout(monkeypatch)
    configure_logs("info", "json")
    for _ in range(LINES_WAITING_MAX + 1):
        emit(ServerStopped(pid=1, abandoned=0))
    await asyncio.sleep(0)

    assert [LINES_WAITING_MAX, 1] == [each.count(b"\n") for each in stdout.written]


def test_what_waits_when_a_loop_ends_is_written_with_the_next_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own turn never came."""
    stdout = Stdout(monkeypatch)
    configure_logs("info", "json")
    ended = asyncio.new_event_loop()
    ended.call_soon(ended.stop)
    ended.call_soon(emit, ServerStopped(pid=1, abandoned=0))
    ended.run_forever()
    ended.close()
    at_first = list(stdout.written)
    emit(ServerStopped(pid=2, abandoned=0))

    assert ([], [2]) == (at_first, [each.count(b"\n") for each in stdout.written])


async def test_lines_of_many_threads_are_each_written_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever writes takes what waits from nobody else."""
    stdout = Stdout(monkeypatch)
    configure_logs("info", "json")

    def tell(first: int) -> None:
        for pid in range(first, first + 500):
            emit(ServerStopped(pid=pid, abandoned=0))

    others = [asyncio.to_thread(tell, first) for first in (1000, 2000)]
    await asyncio.gather(*others)
    tell(0)
    await asyncio.sleep(0)

    told = [json.loads(line)["pid"] for line in b"".join(stdout.written).splitlines()]
    assert [*range(500), *range(1000, 1500), *range(2000, 2500)] == sorted(told)


def test_another_user_of_structlog_changes_nothing() -> None:
    """Only our own configuration says where our lines go: without it they are told as structlog tells all."""
    with structlog.testing.capture_logs() as told:
        emit(ServerStopped(pid=1, abandoned=0))

    assert [{"event": "server.stopped", "log_level": "info", "pid": 1, "abandoned": 0}] == told


def test_people_read_lines_without_what_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal, in one line."""
    stdout = Stdout(monkeypatch)
    configure_logs("info", "pretty")
    emit(GenerationAdmitted(facts=FACTS, credits_available=5_000_000))
    sys.stdout.flush()

    (line,) = b"".join(stdout.written).splitlines()
    assert (True, False) == (b"generation.admitted" in line, b"project" in line)


@pytest.mark.parametrize("style", ["json", "pretty"])
def test_no_text_of_others_commands_a_terminal_or_begins_a_line(
    monkeypatch: pytest.MonkeyPatch, style: Literal["json", "pretty"]
) -> None:
    """Escapes, line ends, and what looks like one to some readers are shown, not obeyed."""
    evil = '\x1b[2J\x1b]0;x\x07\r\n{"event":"forged"}\u2028\x85\x9b31m\u202e'
    stdout = Stdout(monkeypatch)
    configure_logs("info", style)
    emit(InternalError(where=evil, error=evil.replace(" ", "")))
    sys.stdout.flush()

    # The colours are our own.
    text = re.sub(r"\x1b\[[0-9;]*m", "", b"".join(stdout.written).decode())
    assert ["\n"] == [each for each in text if each < " " or (style == "pretty" and not each.isprintable())]


def test_a_time_has_microseconds_and_says_that_it_is_utc() -> None:
    """As ISO 8601 writes it."""
    (line,) = lines_of(ServerStopped(pid=1, abandoned=0))

    day, _, time = line["timestamp"].partition("T")
    assert (10, len("12:00:00.000000Z"), "Z") == (len(day), len(time), time[-1])
