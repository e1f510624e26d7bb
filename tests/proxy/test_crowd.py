"""What is over a bound is told so at once; who waits in line, or for a place, gets it in turn."""

import asyncio

import pytest

from gatekeeper.clock import SystemClock
from gatekeeper.core.rejection import Code, Rejected
from gatekeeper.proxy.crowd import CALM_S, TOLD_NO_WITH, TRY_EVERY_S, Crowd, Elsewhere, Places, gather
from gatekeeper.sections import ServerSettings
from tests.torture.polling import until

AT_WORK = 2
LINE = 5


class HandClock(SystemClock):
    """A clock that is turned by hand."""

    def __init__(self) -> None:
        self.at_s = 100.0

    def monotonic_s(self) -> float:
        return self.at_s


def crowd(clock: HandClock | None = None, **bounds: float) -> Crowd:
    """A crowd in a process with nothing to do, of which two are worked on at once, and five may wait."""
    server = {"at_work_max": AT_WORK, "line_max": LINE, "line_wait_max_s": 30} | bounds
    return gather(ServerSettings.model_validate(server), clock or HandClock(), Elsewhere())


Turn = asyncio.Future[None]


def come(crowded: Crowd, count: int) -> list[Turn | None]:
    """So many that come in one moment."""
    return [crowded.enter() for _ in range(count)]


def in_line(crowded: Crowd, count: int = LINE) -> list[Turn]:
    """So many that wait, behind those that are worked on."""
    return [turn for turn in come(crowded, AT_WORK - crowded.count + count) if turn is not None]


def rushed(clock: HandClock) -> Crowd:
    """A crowd whose line has just been found full, and is empty again."""
    found = crowd(clock)
    in_line(found)
    refuse(found)
    return found


def refuse(crowded: Crowd) -> Rejected:
    """One more that is told no."""
    with pytest.raises(Rejected) as refused:
        crowded.enter()
    return refused.value


def places(count: int = 1, *, waiting_max: int = 10, wait_max_s: float = 30) -> Places:
    """Places at one provider."""
    return Places("openai is full.", places=count, waiting_max=waiting_max, wait_max_s=wait_max_s)


async def test_one_more_than_the_bound_is_refused() -> None:
    """A request over `in_flight_max` is refused as overloaded, and told when to come again."""
    full = crowd(in_flight_max=1)
    full.enter()

    told = refuse(full).rejection

    assert (Code.OVERLOADED, 503, 1) == (told.code, told.status, told.retry_after_s)
    assert 1 == full.count


async def test_who_leaves_makes_room() -> None:
    """The bound counts who is there, not who has been."""
    full = crowd(in_flight_max=1)
    full.enter()
    full.leave()

    full.enter()

    assert 1 == full.count


async def test_an_end_is_let_in_whoever_is_there() -> None:
    """What ends work that was asked for before is never refused, and waits for nobody."""
    full = crowd(in_flight_max=1)
    full.enter()

    assert full.enter(ends=True) is None
    assert 2 == full.count


async def test_those_who_wait_for_their_holds_keep_out_nobody_who_wants_none() -> None:
    """The store hangs, and all that may be at work wait for it: a poll comes in past those in line."""
    stuck = crowd()
    (turn,) = in_line(stuck, 1)
    for _ in range(AT_WORK):
        await stuck.holds.take()

    assert stuck.enter(holds=False) is None
    assert (AT_WORK + 1, False) == (stuck.count, turn.done())


async def test_who_wants_no_hold_waits_for_others_like_him() -> None:
    """As many of them are worked on at once as of all, and then they stand in line too."""
    stuck = crowd()
    in_line(stuck, 1)
    for _ in range(AT_WORK):
        await stuck.holds.take()
    polls = [stuck.enter(holds=False) for _ in range(AT_WORK + 1)]

    assert [True] * AT_WORK + [False] == [turn is None for turn in polls]


async def test_so_many_are_worked_on_at_once() -> None:
    """Beyond `at_work_max` whoever comes waits in line."""
    busy = crowd()

    turns = come(busy, AT_WORK + 1)

    assert [True, True, False] == [turn is None for turn in turns]
    assert (AT_WORK, 1, AT_WORK + 1) == (busy.count, len(busy.line), busy.present)


async def test_who_waits_in_line_counts_as_in_flight() -> None:
    """`in_flight_max` bounds them too: each is a request that is kept."""
    full = crowd(in_flight_max=AT_WORK + 1)
    in_line(full, 1)

    assert Code.OVERLOADED is refuse(full).rejection.code


async def test_one_comes_in_as_one_leaves() -> None:
    """Whoever is answered makes room for the next in line."""
    busy = crowd()
    (turn,) = in_line(busy, 1)

    busy.leave()
    await busy.wait(turn)

    assert (AT_WORK, 0) == (busy.count, len(busy.line))


async def test_who_waits_elsewhere_is_not_at_work() -> None:
    """One that goes to its provider makes room as well: thousands of slow pictures keep nobody out."""
    busy = crowd()
    (turn,) = in_line(busy, 1)

    with busy.elsewhere:
        await busy.wait(turn)

    assert (AT_WORK + 1, 0) == (busy.count, len(busy.line))


async def test_the_line_is_told_only_while_somebody_waits() -> None:
    """Where nobody does, going elsewhere costs nothing more."""
    busy = crowd()
    in_line(busy, 1)
    busy.leave()

    assert busy.elsewhere.left is None


async def test_of_a_few_whoever_came_first_is_let_in() -> None:
    """As long as hardly more wait than were let in since the first of them came, it is first come, first served."""
    busy = crowd()
    turns = in_line(busy, 1)

    busy.leave()
    turns += in_line(busy, 1)
    busy.leave()

    assert [True, True] == [turn.done() for turn in turns]


async def test_of_many_whoever_came_last_is_let_in() -> None:
    """Where more wait, most of them do so in vain: whoever is served was not kept waiting. And half as many are worked
    on."""
    busy = crowd()
    turns = in_line(busy)

    for _ in range(AT_WORK):
        busy.leave()

    assert [False, False, False, False, True] == [turn.done() for turn in turns]


async def test_who_waits_in_line_too_long_is_told_no() -> None:
    """After `line_wait_max_s` the answer is 503, whatever those at work wait for."""
    stuck = crowd(line_wait_max_s=0.01)
    (turn,) = in_line(stuck, 1)

    with pytest.raises(Rejected) as refused:
        await stuck.wait(turn)

    assert Code.OVERLOADED is refused.value.rejection.code
    assert (AT_WORK, 0) == (stuck.count, len(stuck.line))


@pytest.mark.parametrize("its_turn_came", [False, True])
async def test_who_leaves_the_line_keeps_nobody_out(its_turn_came: bool) -> None:
    """A client that goes away gives up its turn, also when the turn has just come."""
    busy = crowd()
    (turn,) = in_line(busy, 1)
    waiting = asyncio.create_task(busy.wait(turn))
    await asyncio.sleep(0)

    if its_turn_came:
        busy.leave()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)

    assert (AT_WORK - its_turn_came, 0) == (busy.count, len(busy.line))


async def test_who_finds_the_line_full_is_told_no() -> None:
    """And so are those that came first, a few with each: what waits in a line that is full waits in vain."""
    full = crowd(line_max=3 * TOLD_NO_WITH)
    turns = in_line(full, 3 * TOLD_NO_WITH)

    refused = refuse(full)

    told = [turn.exception() for turn in turns if turn.done()]
    assert Code.OVERLOADED is refused.rejection.code
    assert [True] * TOLD_NO_WITH == [turn.done() for turn in turns[:TOLD_NO_WITH]]
    assert [Code.OVERLOADED] * TOLD_NO_WITH == [each.rejection.code for each in told if isinstance(each, Rejected)]


async def test_in_a_rush_nobody_waits() -> None:
    """Who would have to is told no at once, though the line is empty."""
    rush = rushed(HandClock())

    assert Code.OVERLOADED is refuse(rush).rejection.code
    assert 0 == len(rush.line)


async def test_in_a_rush_half_as_many_are_worked_on() -> None:
    """Each takes half as long, and no fewer get done: as one leaves another one comes in, however many that is."""
    rush = rushed(HandClock())
    for _ in range(AT_WORK // 2 + 1):
        rush.leave()

    assert rush.enter() is None
    refuse(rush)


async def test_a_while_without_a_refusal_ends_it() -> None:
    """After `CALM_S` in which nobody had to be told no the rush is over."""
    clock = HandClock()
    rested = rushed(clock)
    clock.at_s += CALM_S + 0.001

    assert LINE == len(in_line(rested))


async def test_now_and_then_it_is_tried() -> None:
    """While it lasts the line is open again every `TRY_EVERY_S`, until it is full: who comes again at once, and could
    be served, would make it last."""
    clock = HandClock()
    lasting, open_at = rushed(clock), list[float]()
    began_s = clock.at_s
    while clock.at_s < began_s + 2.5 * TRY_EVERY_S:
        clock.at_s += CALM_S / 2
        try:
            turn = lasting.enter()
        except Rejected:
            continue
        assert turn is not None
        open_at.append(clock.at_s - began_s)
        in_line(lasting, LINE - 1)
        refuse(lasting)

    assert pytest.approx([TRY_EVERY_S, 2 * TRY_EVERY_S], abs=CALM_S) == open_at


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
    """Whoever measures hears of each in which a request came; a turn ends by itself."""
    clock, told = HandClock(), list[float]()
    crowded = crowd(clock)
    crowded.turns.on_turn = told.append
    for took_s in (0.0, 0.02):
        crowded.enter()
        clock.at_s += took_s
        await asyncio.sleep(0)

    assert pytest.approx([0.0, 0.02]) == told


async def test_who_is_not_of_the_crowd_waits_without_making_room() -> None:
    """A question of our own about a job waits for a place too, and nobody may come in for it."""
    elsewhere = Elsewhere()
    full = Places("openai is full.", places=1, waiting_max=10, wait_max_s=30, elsewhere=elsewhere)
    await full.take()
    waiting = asyncio.ensure_future(full.take(of_crowd=False))
    assert await until(lambda: full.waiting == 1)

    assert 0 == elsewhere.count
    full.give_back()
    await waiting
