"""What is over a bound is told so at once; who waits for a place gets it in turn."""

import asyncio
from contextlib import suppress

import pytest

from gatekeeper.core.rejection import Code, Rejected
from gatekeeper.proxy.crowd import (
    AT_WORK_BEHIND,
    AT_WORK_MAX,
    AT_WORK_TRIED,
    CALM_S,
    TAKEN_IN_A_TURN_MAX,
    TRY_EVERY_S,
    Crowd,
    Elsewhere,
    Places,
    Turns,
    open_places,
)
from tests.torture.polling import until


class HandClock:
    """A clock that is turned by hand."""

    def __init__(self) -> None:
        self.at_s = 100.0

    def monotonic_s(self) -> float:
        return self.at_s


TURN_MAX_S = 0.05


def crowd(clock: HandClock, *, in_flight_max: int = 10_000) -> Crowd:
    """A crowd in a process with nothing to do."""
    return Crowd(Turns(clock, TURN_MAX_S), Elsewhere(), in_flight_max=in_flight_max, holds=open_places())


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


def turn(clock: HandClock, crowded: Crowd, *, come: int, lasts_s: float) -> int:
    """A turn of the event loop in which so many come; how many of them were taken."""
    taken = 0
    for _ in range(come):
        with suppress(Rejected):
            crowded.enter()
            taken += 1
    clock.at_s += lasts_s
    crowded.turns.end()
    return taken


LONG_S = TURN_MAX_S + 0.001
SHORT_S = 0.001


async def test_many_that_come_together_are_taken() -> None:
    """A batch is no overload: as long as turns were short, all that come in one turn are taken."""
    clock = HandClock()
    calm = crowd(clock)
    turn(clock, calm, come=1, lasts_s=SHORT_S)

    assert 300 == turn(clock, calm, come=300, lasts_s=LONG_S)


async def test_a_flood_in_one_turn_is_bounded() -> None:
    """What came while the process stood still is taken up to `TAKEN_IN_A_TURN_MAX`, and the rest refused."""
    clock = HandClock()
    flooded = crowd(clock)

    assert TAKEN_IN_A_TURN_MAX == turn(clock, flooded, come=2000, lasts_s=LONG_S)


async def test_after_a_long_turn_so_many_may_be_at_work() -> None:
    """What comes after a turn of more than `turn_max_s` is taken until `AT_WORK_MAX` are being worked on."""
    clock = HandClock()
    late = crowd(clock)
    turn(clock, late, come=10, lasts_s=LONG_S)

    assert AT_WORK_MAX - 10 == turn(clock, late, come=AT_WORK_MAX - 10, lasts_s=LONG_S)
    assert 1 == turn(clock, late, come=100, lasts_s=SHORT_S)


async def test_what_is_refused_for_it_is_overloaded() -> None:
    """The refusal says that there is more to do than gets done."""
    clock = HandClock()
    late = crowd(clock)
    turn(clock, late, come=AT_WORK_MAX, lasts_s=LONG_S)
    late.enter()

    with pytest.raises(Rejected) as refused:
        late.enter()

    assert Code.OVERLOADED is refused.value.rejection.code
    assert AT_WORK_MAX + 1 == late.count


def refusing(clock: HandClock) -> Crowd:
    """A crowd that has just refused, with nobody at work any more."""
    found = crowd(clock)
    turn(clock, found, come=AT_WORK_MAX, lasts_s=LONG_S)
    turn(clock, found, come=2, lasts_s=SHORT_S)
    while found.count:
        found.leave()
    return found


async def test_while_it_refuses_fewer_are_at_work() -> None:
    """From a refusal on `AT_WORK_BEHIND` are enough, in short turns too: more would only make each wait longer."""
    clock = HandClock()
    behind = refusing(clock)

    assert AT_WORK_BEHIND == turn(clock, behind, come=AT_WORK_MAX, lasts_s=SHORT_S)


async def test_one_is_taken_as_one_gets_done() -> None:
    """While it is behind, whoever leaves makes room for one more."""
    clock = HandClock()
    behind = refusing(clock)
    turn(clock, behind, come=AT_WORK_MAX, lasts_s=SHORT_S)
    for _ in range(5):
        behind.leave()

    assert 5 == turn(clock, behind, come=AT_WORK_MAX, lasts_s=SHORT_S)


async def test_the_first_of_a_turn_is_always_taken() -> None:
    """However many are at work, and whatever they wait for, each turn takes one: nobody is shut out for ever."""
    clock = HandClock()
    behind = refusing(clock)
    turn(clock, behind, come=AT_WORK_MAX, lasts_s=SHORT_S)

    assert [1, 1, 1] == [turn(clock, behind, come=50, lasts_s=SHORT_S) for _ in range(3)]


async def test_who_waits_elsewhere_is_not_at_work() -> None:
    """Requests that wait for a provider need no time here: thousands of them keep nobody out."""
    clock = HandClock()
    behind = refusing(clock)
    turn(clock, behind, come=AT_WORK_BEHIND, lasts_s=SHORT_S)
    for _ in range(AT_WORK_BEHIND):
        behind.elsewhere.__enter__()

    assert AT_WORK_BEHIND == turn(clock, behind, come=AT_WORK_MAX, lasts_s=SHORT_S)


async def test_now_and_then_more_are_tried() -> None:
    """While it lasts, every `TRY_EVERY_S` so many may be at work as can be carried, until one is refused again."""
    clock = HandClock()
    behind = refusing(clock)
    tried = []
    for _ in range(round(3 * TRY_EVERY_S / CALM_S)):
        tried.append(turn(clock, behind, come=AT_WORK_MAX, lasts_s=CALM_S / 2))
        while behind.count:
            behind.leave()
        clock.at_s += CALM_S / 2

    assert {AT_WORK_BEHIND, AT_WORK_TRIED} == set(tried)
    assert 2 <= tried.count(AT_WORK_TRIED) <= 3


async def test_a_while_without_a_refusal_ends_it() -> None:
    """After `CALM_S` in which nobody had to be refused it is behind no more."""
    clock = HandClock()
    rested = refusing(clock)
    clock.at_s += CALM_S + 0.001

    assert 300 == turn(clock, rested, come=300, lasts_s=SHORT_S)


async def test_a_long_turn_of_before_is_forgotten() -> None:
    """A long turn says something about what came while it lasted, and nothing about what comes after a pause."""
    clock = HandClock()
    rested = crowd(clock)
    turn(clock, rested, come=10, lasts_s=LONG_S)
    clock.at_s += CALM_S + 0.001

    assert 300 == turn(clock, rested, come=300, lasts_s=SHORT_S)


async def test_a_turn_ends_by_itself() -> None:
    """The first that comes asks the event loop to tell when the next turn begins."""
    clock = HandClock()
    asked = crowd(clock)
    turn(clock, asked, come=AT_WORK_MAX, lasts_s=LONG_S)
    asked.enter()

    await asyncio.sleep(0)

    assert not asked.turns._in_turn


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


async def test_who_waits_for_a_place_is_elsewhere() -> None:
    """As long as somebody waits for a place at a provider there is nothing to do for them here."""
    elsewhere = Elsewhere()
    one = Places("openai is full.", places=1, waiting_max=10, wait_max_s=30, elsewhere=elsewhere)
    first = await one.take()
    second = asyncio.create_task(one.take())
    await until(lambda: one.waiting == 1)
    while_waiting = elsewhere.count

    with first:
        pass
    await second

    assert (1, 0) == (while_waiting, elsewhere.count)


async def test_how_long_each_turn_was_is_told() -> None:
    """Whoever measures hears of each in which a request came."""
    clock, told = HandClock(), list[float]()
    crowded = crowd(clock)
    crowded.turns.on_turn = told.append
    for took_s in (0.0, 0.02):
        crowded.turns.take(0)
        clock.at_s += took_s
        crowded.turns.end()

    assert pytest.approx([0.0, 0.02]) == told
