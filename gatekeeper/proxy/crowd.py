"""How many requests are worked on at once, here and at each provider, and how long one waits for its turn.

What is over the bound is told so at once, with 503 and when to come again, before its key is looked at and before
anything is held: a refusal is cheap, so whoever was let in keeps its pace. It does not choose between teams; the
ledger's caps do that.
"""

import asyncio
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from math import ceil, inf
from typing import Final, Never, Self

from gatekeeper.clock import Clock
from gatekeeper.core.rejection import Code, Rejected, Rejection
from gatekeeper.sections import ServerSettings

CALM_S: Final = 0.1
"""After so long without a refusal a rush is over."""

TRY_EVERY_S: Final = 3.0
"""And after so long in any case, until the line is full again: callers that come again at once, whatever they are told,
would make it last for ever, though all of them could be served."""

RUSH_DIVISOR: Final = 2
"""In a rush so many times fewer are worked on at once: no fewer get done, and each in that part of the time."""

TOLD_NO_WITH: Final = 8
"""So many of those that wait still are told no with each newcomer in a rush: all at once would be tens of milliseconds
for those that are worked on."""

OVERLOADED_RETRY_AFTER_S: Final = 1
"""A burst is over by then; what is not will be told again."""


class Turns:
    """How long turns of the event loop take in which requests come: `on_turn` is told, in seconds."""

    def __init__(self, clock: Clock) -> None:
        self.on_turn: Callable[[float], None] = lambda _took_s: None
        self._now_s = clock.monotonic_s
        self._in_turn = False
        self._began_s = 0.0

    def begin(self) -> None:
        """With the first request of a turn, which ends when what is called soon is called."""
        if not self._in_turn:
            self._in_turn, self._began_s = True, self._now_s()
            asyncio.get_running_loop().call_soon(self.end)

    def end(self) -> None:
        """The next turn begins."""
        if self._in_turn:
            self._in_turn = False
            self.on_turn(self._now_s() - self._began_s)


class Elsewhere:
    """Within its blocks requests wait for a provider, or a client, and are no work for this process. While somebody
    waits for their places, `left` is told of each that goes there."""

    __slots__ = ("count", "left")

    def __init__(self) -> None:
        self.count = 0
        self.left: Callable[[], None] | None = None

    def __enter__(self) -> None:
        self.count += 1
        if self.left is not None:
            self.left()

    def __exit__(self, *_: object) -> None:
        self.count -= 1


class Places:
    """Places for so many at once, at one provider or at the ledger. Who finds none waits for one, so long at most.

    Who came last gets the next one, and where too many wait whoever came first is told no: in a short rush nearly all
    get theirs, and where more come than ever can be served those that are served were not kept waiting.
    """

    def __init__(
        self, why: str, *, places: int, waiting_max: int, wait_max_s: float, elsewhere: Elsewhere | None = None
    ) -> None:
        """`elsewhere` counts those that wait, where what they wait for is not this process's own work."""
        self._places = self._free = places
        self._elsewhere = elsewhere or Elsewhere()
        self._waiting: dict[asyncio.Future[None], asyncio.TimerHandle] = {}
        self._waiting_max = waiting_max
        self._wait_max_s = wait_max_s
        self._full = overloaded(why)

    @property
    def free(self) -> int:
        """Places that nobody has."""
        return self._free

    @property
    def waiting(self) -> int:
        """Who waits for one."""
        return len(self._waiting)

    @property
    def wanted(self) -> int:
        """Who has one, or waits for one."""
        return self._places - self._free + len(self._waiting)

    async def take(self, *, of_crowd: bool = True) -> Self:
        """A place, given back at the end of its `with` block. Raises `Rejected` (overloaded) for want of one.

        `of_crowd`: it is for a request that has come in; while that waits somebody else may be worked on.
        """
        if self._free > 0:
            self._free -= 1
        else:
            await self._wait(self._elsewhere if of_crowd else nullcontext())
        return self

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        if self._waiting:
            self.give_back()
        else:
            self._free += 1

    async def _wait(self, elsewhere: AbstractContextManager[None]) -> None:
        if self._waiting_max == 0:
            raise Rejected(self._full)
        if len(self._waiting) >= self._waiting_max:
            self._tell_no(next(iter(self._waiting)))
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        self._waiting[turn] = loop.call_later(self._wait_max_s, self._tell_no, turn)
        try:
            with elsewhere:
                await turn
        except asyncio.CancelledError:
            self._give_up(turn)
            raise

    def _tell_no(self, turn: asyncio.Future[None]) -> None:
        self._waiting.pop(turn).cancel()
        if not turn.done():
            turn.set_exception(Rejected(self._full))

    def _give_up(self, turn: asyncio.Future[None]) -> None:
        """Its turn may have come just now: then the place is the next one's."""
        timer = self._waiting.pop(turn, None)
        if timer is not None:
            timer.cancel()
        elif not turn.cancelled() and turn.exception() is None:
            self.give_back()

    def give_back(self) -> None:
        """To whoever came last."""
        while self._waiting:
            turn, timer = self._waiting.popitem()
            timer.cancel()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1


def open_places() -> Places:
    """Where nothing is sent to, nobody waits for a place."""
    return Places("", places=sys.maxsize, waiting_max=0, wait_max_s=0)


class Line:
    """The requests that wait until this process works on them, so long at most. Who has waited that long is told no.

    First come, first served, as long as no more wait than were let in since the first of them came, and a few more.
    Beyond that most of them wait in vain, and whoever came last is let in first: who is served was not kept waiting.
    """

    def __init__(self, late: Rejection, few: int, wait_max_s: float) -> None:
        """`late` is what they are told."""
        self._late = late
        self._few = few
        self._wait_max_s = wait_max_s
        self._waiting: dict[asyncio.Future[None], tuple[asyncio.TimerHandle, int]] = {}
        self._let_in = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def join(self) -> asyncio.Future[None]:
        """One more, whose turn it is when this is done; it ends with `Rejected` (overloaded) where it never is."""
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        self._waiting[turn] = loop.call_later(self._wait_max_s, self._tell_no, turn), self._let_in
        return turn

    @property
    def is_hopeless(self) -> bool:
        """Whether more wait than were let in since the first of them came, and a few."""
        if not self._waiting:
            return False
        _, let_in = next(iter(self._waiting.values()))
        return len(self._waiting) > self._let_in - let_in + self._few

    def let_in(self) -> bool:
        """Whoever is next. False: nobody is there."""
        while self._waiting:
            turn = next(reversed(self._waiting) if self.is_hopeless else iter(self._waiting))
            self._waiting.pop(turn)[0].cancel()
            if not turn.done():
                self._let_in += 1
                turn.set_result(None)
                return True
        return False

    def tell_no(self, count: int) -> None:
        """To so many that came first."""
        for _ in range(min(count, len(self._waiting))):
            self._tell_no(next(iter(self._waiting)))

    def _tell_no(self, turn: asyncio.Future[None]) -> None:
        self._waiting.pop(turn)[0].cancel()
        if not turn.done():
            turn.set_exception(Rejected(self._late))

    def give_up(self, turn: asyncio.Future[None]) -> bool:
        """One that goes away. True: its turn had come just now."""
        waited = self._waiting.pop(turn, None)
        if waited is not None:
            waited[0].cancel()
        return waited is None and not turn.cancelled() and turn.exception() is None


class Crowd:
    """The requests that this process has, and of those the ones that wait `elsewhere`, at a provider for example.

    The others are at work, so many at once: with more no more would get done, and each would take longer, by as much
    as there are more of them. Who comes then waits in line, and so a batch is served as one gets done after the other.
    Where most of the line waits in vain half as many are worked on: each takes half as long, and no fewer get done.

    With the first that finds the line full a rush begins: who would have to wait is told no at once, and so are those
    that wait still, until nobody had to be told for `CALM_S`. Every `TRY_EVERY_S` the line is open until it is full.

    `holds` are the places of those that ask the ledger for a hold. `unconnected` is told to who gets no connection.
    """

    def __init__(
        self,
        clock: Clock,
        elsewhere: Elsewhere,
        *,
        in_flight_max: int,
        at_work_max: int,
        line_max: int,
        line_wait_max_s: float,
        holds: Places,
    ) -> None:
        self.turns = Turns(clock)
        self.holds = holds
        self.elsewhere = elsewhere
        self.count = 0
        self._now_s = clock.monotonic_s
        self._in_flight_max = in_flight_max
        self._at_work_max = at_work_max
        self._in_rush = ceil(at_work_max / RUSH_DIVISOR)
        self._line_max = line_max
        self._full = overloaded("This gateway works on as many requests as it takes at once.")
        self.unconnected = overloaded("This gateway has as many connections as it takes.")
        self._late = overloaded("This gateway has more to do than it gets done.")
        self.line = Line(self._late, self._in_rush, line_wait_max_s)
        self._is_rush, self._at_once, self._room = False, at_work_max, line_max
        self._refused_s = self._try_s = -inf

    @property
    def present(self) -> int:
        """All that there are, those in line too."""
        return self.count + len(self.line)

    def enter(self, *, ends: bool = False, holds: bool = True) -> asyncio.Future[None] | None:
        """One more, which has to `leave`; one that stands in line first has to `wait`, and has not come in until then.

        `ends`: it ends work that was asked for before, and nothing may refuse it. `holds`: it may ask for a hold; one
        that does not is kept out by nobody who waits for his, as all do while the store hangs. Raises `Rejected`
        (overloaded); then it does not count.
        """
        self.turns.begin()
        if not ends and self.count >= self._in_flight_max:
            raise Rejected(self._full)
        if self._is_rush:
            self._look_if_over()
        at_work = self.count - self.elsewhere.count
        if (
            ends
            or (at_work < self._at_once and self.elsewhere.left is None)
            or (not holds and at_work - self.holds.wanted < self._at_once)
        ):
            self.count += 1
            return None
        if len(self.line) >= self._room:
            self._refuse()
        if self.present >= self._in_flight_max:
            raise Rejected(self._full)
        self.elsewhere.left = self._let_in
        return self.line.join()

    def _refuse(self) -> Never:
        self._refused_s = self._now_s()
        if self._room:
            self._is_rush, self._at_once, self._room = True, self._in_rush, 0
            self._try_s = self._refused_s + TRY_EVERY_S
        self.line.tell_no(TOLD_NO_WITH)
        raise Rejected(self._late)

    def _look_if_over(self) -> None:
        now_s = self._now_s()
        if now_s - self._refused_s > CALM_S:
            self._is_rush, self._at_once, self._room = False, self._at_work_max, self._line_max
        elif now_s >= self._try_s:
            self._room = self._line_max

    async def wait(self, turn: asyncio.Future[None]) -> None:
        """In line, until it has come in. Raises `Rejected` (overloaded)."""
        try:
            await turn
        except asyncio.CancelledError:
            if self.line.give_up(turn):
                self.leave()
            raise

    def leave(self) -> None:
        """One less."""
        self.count -= 1
        if self.elsewhere.left is not None:
            self._let_in()

    def _let_in(self) -> None:
        while self.line:
            at_once = self._in_rush if self.line.is_hopeless else self._at_once
            if self.count - self.elsewhere.count >= at_once or not self.line.let_in():
                return
            self.count += 1
        self.elsewhere.left = None


def gather(server: ServerSettings, clock: Clock, elsewhere: Elsewhere) -> Crowd:
    """The crowd of a process with these bounds."""
    holds = Places(
        "More generations are asked for than the ledger can hold credits for.",
        places=server.holds_at_once,
        waiting_max=server.holds_waiting_max,
        wait_max_s=server.holds_wait_max_s,
    )
    return Crowd(
        clock,
        elsewhere,
        in_flight_max=server.in_flight_max,
        at_work_max=server.at_work_max,
        line_max=server.line_max,
        line_wait_max_s=server.line_wait_max_s,
        holds=holds,
    )


def overloaded(why: str) -> Rejection:
    """The refusal of what there is no room for now."""
    detail = f"{why} Nothing was forwarded or held; send it again in {OVERLOADED_RETRY_AFTER_S} s."
    return Rejection(Code.OVERLOADED, detail, retry_after_s=OVERLOADED_RETRY_AFTER_S)
