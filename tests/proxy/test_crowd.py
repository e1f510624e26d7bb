"""What is over a bound is told so at once; who waits for a place gets it in turn."""

import asyncio

import pytest

from gatekeeper.core.rejection import Code, Rejected
from gatekeeper.proxy.crowd import ATTENTIVE_S, CALM_S, LATE_BEATS_MIN, PULSE_S, Crowd, Places, Pulse, open_places
from tests.torture.polling import until


class HandClock:
    """A clock that is turned by hand."""

    def __init__(self) -> None:
        self.at_s = 100.0

    def monotonic_s(self) -> float:
        return self.at_s


def crowd(clock: HandClock, *, in_flight_max: int = 10, lag_max_s: float = 0.05) -> Crowd:
    """A crowd in a process with nothing to do."""
    return Crowd(Pulse(clock, lag_max_s), in_flight_max=in_flight_max, holds=open_places())


def places(count: int = 1, *, waiting_max: int = 10, wait_max_s: float = 30) -> Places:
    """Places at one provider."""
    return Places("openai is full.", places=count, waiting_max=waiting_max, wait_max_s=wait_max_s)


async def test_one_more_than_the_bound_is_refused() -> None:
    """A request over `in_flight_max` is refused as overloaded, and told when to come again."""
    full = crowd(HandClock(), in_flight_max=1)
    full.enter()

    with pytest.raises(Rejected) as refused:
        full.enter()

    assert (Code.OVERLOADED, 503, 1) == (
        refused.value.rejection.code,
        refused.value.rejection.status,
        refused.value.rejection.retry_after_s,
    )
    assert 1 == full.count


async def test_who_leaves_makes_room() -> None:
    """The bound counts who is there, not who has been."""
    full = crowd(HandClock(), in_flight_max=1)
    full.enter()
    full.leave()

    full.enter()

    assert 1 == full.count


async def test_an_end_is_let_in_whoever_is_there() -> None:
    """What ends work that was asked for before is never refused."""
    full = crowd(HandClock(), in_flight_max=1)
    full.enter()

    full.come_in()

    assert 2 == full.count


def late_again_and_again(clock: HandClock, crowded: Crowd) -> None:
    """Beats, each later than may be, and a while in which none comes."""
    assert not crowded.pulse.is_behind()
    for _ in range(LATE_BEATS_MIN):
        clock.at_s += PULSE_S + 0.051
        crowded.pulse.beat()
    clock.at_s += PULSE_S + 0.051


async def test_a_process_that_is_late_again_and_again_takes_no_more() -> None:
    """Where no timer was in time for many beats, whoever comes now would only wait."""
    clock = HandClock()
    late = crowd(clock, lag_max_s=0.05)
    late_again_and_again(clock, late)

    with pytest.raises(Rejected) as refused:
        late.enter()

    assert Code.OVERLOADED is refused.value.rejection.code


async def test_a_process_that_stood_still_once_takes_more() -> None:
    """One long turn, while a catalog is read for example, is no overload."""
    clock = HandClock()
    late = crowd(clock, lag_max_s=0.05)
    assert not late.pulse.is_behind()
    clock.at_s += 10
    late.pulse.beat()

    late.enter()

    assert 1 == late.count


async def test_while_it_is_behind_turns_are_kept_short() -> None:
    """From its first refusal on a small part of the lag is too much, until nothing was refused for `CALM_S`."""
    clock = HandClock()
    behind = crowd(clock, lag_max_s=0.05)
    late_again_and_again(clock, behind)
    assert behind.pulse.is_behind()

    clock.at_s += PULSE_S
    behind.pulse.beat()
    clock.at_s += PULSE_S + 0.011
    at_a_part = behind.pulse.is_behind()
    clock.at_s += CALM_S + 0.001
    behind.pulse.beat()
    clock.at_s += PULSE_S
    behind.pulse.beat()
    calm = behind.pulse.is_behind()
    clock.at_s += PULSE_S + 0.011

    assert (True, False, False) == (at_a_part, calm, behind.pulse.is_behind())


async def test_what_was_late_long_ago_is_forgotten() -> None:
    """After a time in which nobody asked, one hiccup is a hiccup again."""
    clock = HandClock()
    rested = crowd(clock, lag_max_s=0.05)
    late_again_and_again(clock, rested)
    rested.pulse.stop()
    clock.at_s += 3600
    assert not rested.pulse.is_behind()
    clock.at_s += PULSE_S + 0.051

    assert not rested.pulse.is_behind()


async def test_timers_keep_the_beat_while_somebody_asks() -> None:
    """From the first request on, until none has come for `ATTENTIVE_S`."""
    clock, beats = HandClock(), 0
    asked = crowd(clock)
    real = asked.pulse.beat

    def count() -> None:
        nonlocal beats
        beats += 1
        real()

    asked.pulse.beat = count  # type: ignore[method-assign]
    asked.enter()
    assert await until(lambda: beats >= 3)

    clock.at_s += ATTENTIVE_S

    assert await until(lambda: asked.pulse._next is None)


async def test_who_came_last_gets_the_next_place() -> None:
    """A place that is given back goes to whoever has waited least: the others have waited in vain already."""
    one = places()
    first = await one.take()
    order: list[str] = []

    async def wait(name: str) -> None:
        with await one.take():
            order.append(name)

    waiting = [asyncio.create_task(wait(name)) for name in ("second", "third")]
    await until(lambda: one.waiting == 2)
    with first:
        pass
    await asyncio.gather(*waiting)

    assert ["third", "second"] == order
    assert 1 == one.free


async def test_too_many_that_wait_are_refused() -> None:
    """Beyond `waiting_max` nobody waits: the answer is 503 at once."""
    full = places(waiting_max=0)
    with await full.take(), pytest.raises(Rejected) as refused:
        await full.take()

    assert Code.OVERLOADED is refused.value.rejection.code
    assert "openai" in refused.value.rejection.detail


async def test_who_waits_too_long_is_refused() -> None:
    """After `wait_max_s` without a place the answer is 503, and the place it waited for is not lost."""
    slow = places(wait_max_s=0.01)
    with await slow.take(), pytest.raises(Rejected):
        await slow.take()

    assert (1, 0) == (slow.free, slow.waiting)


async def test_who_leaves_while_waiting_takes_no_place() -> None:
    """A client that goes away gives up its turn, also when the turn has just come."""
    one = places()
    first = await one.take()
    came, left = [asyncio.create_task(one.take()) for _ in range(2)]
    await until(lambda: one.waiting == 2)

    left.cancel()
    with first:
        pass
    came.cancel()
    await asyncio.gather(left, came, return_exceptions=True)

    assert (1, 0) == (one.free, one.waiting)


async def test_how_late_each_timer_was_is_told() -> None:
    """Whoever measures hears of each, also of those in time."""
    clock, told = HandClock(), list[float]()
    crowded = crowd(clock)
    crowded.pulse.on_lag = told.append
    for late_s in (0.0, 0.02):
        clock.at_s += PULSE_S + late_s
        crowded.pulse.beat()

    assert pytest.approx([0.0, 0.02]) == told
