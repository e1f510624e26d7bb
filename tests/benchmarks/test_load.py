"""The generator: what it says it asked is what a server was asked, and its clock starts when a request was due."""

import asyncio
import time

import pytest

from benchmarks.client import LOST, ask
from benchmarks.load import Burst, ClosedLoop, OpenLoop, Window, due_times
from benchmarks.traffic import Generations
from tests.benchmarks.conftest import StandIn

MOMENT_S = 0.05


def generations(stand_in: StandIn, manner: str = "plain") -> Generations:
    """Requests for pictures."""
    return Generations(f"{stand_in.url}/test/{manner}/v1")


async def until_waiting(stand_in: StandIn, count: int) -> None:
    """Wait until so many requests are held."""
    while stand_in.tally.waiting < count:
        await ask("GET", f"{stand_in.url}/_/counts")


async def test_the_closed_loop_counts_what_was_asked(stand_in: StandIn) -> None:
    """Every request is answered and counted on both sides, those at the end of the window too."""
    async with ClosedLoop(stand_in.url, generations(stand_in).maker(), 8) as loop:
        first, second = await loop.run(MOMENT_S), await loop.run(MOMENT_S)

    assert first.requests + second.requests == stand_in.tally.generations >= 16
    assert {} == first.wrong(200) | second.wrong(200)


async def test_the_open_loop_sends_what_was_due(stand_in: StandIn) -> None:
    """As many as the rate says, each with its latency and how late it was sent."""
    async with OpenLoop(stand_in.url, generations(stand_in).maker(), 1000) as loop:
        window = await loop.run(MOMENT_S)

    assert (50, 50, 50, 50) == (
        window.statuses[200], stand_in.tally.requests, len(window.latencies_s), len(window.late_s),
    )  # fmt: skip


def test_requests_are_due_evenly() -> None:
    """Whatever becomes of those before."""
    assert [100.0, 100.25, 100.5, 100.75] == due_times(100.0, 4, 1)


async def test_the_clock_starts_when_a_request_was_due(stand_in: StandIn) -> None:
    """One that is sent an hour late waited for an hour."""
    async with OpenLoop(stand_in.url, generations(stand_in).maker(), 1000) as loop:
        loop._open = 1
        loop._send(time.perf_counter() - 3600)
        await loop._quiet.wait()

    assert loop._window.latencies_s[0] > 3600


async def test_the_open_loop_opens_more_connections_where_all_wait(stand_in: StandIn) -> None:
    """A server that stalls does not slow the requests down that come after."""
    async with OpenLoop(stand_in.url, generations(stand_in, "hold").maker(), 1000, connections=1) as loop:
        running = asyncio.create_task(loop.run(MOMENT_S))
        await until_waiting(stand_in, 50)
        await ask("GET", f"{stand_in.url}/_/release")
        window = await running

    assert 50 == window.statuses[200]


async def test_a_connection_that_breaks_is_counted() -> None:
    """A lost answer has a status of its own and is wrong."""
    window = Window()
    window.statuses[LOST] += 1

    assert {LOST: 1} == window.wrong(200)


async def test_a_burst_stays_in_flight(stand_in: StandIn) -> None:
    """All wait at the server until it is told to answer."""
    async with Burst(stand_in.url) as burst:
        await burst.ask(30, generations(stand_in, "hold").maker())
        await until_waiting(stand_in, 30)
        answered_before = burst.window.requests
        await ask("GET", f"{stand_in.url}/_/release")
        window = await burst.answered(10)

    assert (0, 30, 30) == (answered_before, window.statuses[200], stand_in.tally.generations)


async def test_what_is_no_answer_ends_the_connection(stand_in: StandIn) -> None:
    """A server that cannot read a request closes, and the question says so."""
    with pytest.raises(ConnectionResetError):
        await ask("GE T", f"{stand_in.url}/test/plain/v1/models")
