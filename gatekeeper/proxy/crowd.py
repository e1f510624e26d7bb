"""How many requests are taken at once, here and at each provider, and how long one waits for its turn.

What is over the bound is told so at once, with 503 and when to come again, before its key is looked at and before
anything is held: a refusal is cheap, so whoever was let in keeps its pace. It does not choose between teams; the
ledger's caps do that.
"""

import asyncio
import sys
from collections.abc import Callable
from math import inf
from typing import Final, Self

from gatekeeper.clock import Clock
from gatekeeper.core.rejection import Code, Rejected, Rejection

TAKEN_IN_A_TURN_MAX: Final = 512
"""Of what came together, as a batch sends it, or while the process stood still: some tenths of a second of work."""

AT_WORK_MAX: Final = 256
"""Requests that may have this process at work while its turns are long: a tenth of a second of work, more or less. So
many that come at once are let in; it is also the longest line that a lasting overload finds before it is noticed."""

AT_WORK_BEHIND: Final = 24
"""And from the first refusal on, until it is behind no more. More would be no more done, and each take longer."""

CALM_S: Final = 0.1
"""After so long without a refusal it is behind no more."""

TRY_EVERY_S: Final = 5.0
"""So often more are let in while it is behind, for callers that come again at once, whatever they are told, would keep
it so, though it could carry them."""

AT_WORK_TRIED: Final = 72
"""And so many: about what a gateway has that gets all done. Where it is too much, one request in a hundred waits twice
as long for the finding out."""

OVERLOADED_RETRY_AFTER_S: Final = 1
"""A burst is over by then; what is not will be told again."""


class Turns:
    """Whether new requests are taken in this turn of the event loop, or refused.

    A turn works on all that has come while the one before lasted. Where more comes than gets done, each is longer than
    the one before, and a generation waits for several of them: how long they are is how long it takes. So after a turn
    of more than `turn_max_s` no more are taken than until `AT_WORK_MAX` are being worked on, and from the first refusal
    on until `AT_WORK_BEHIND` are, until nothing had to be refused for `CALM_S`. One is taken as one gets done, so how
    many that is in a second need not be known, and hardly anything waits that was taken. Every `TRY_EVERY_S` it is
    `AT_WORK_TRIED`, until one has to be refused again. The first that comes in a turn always is taken: whatever those
    at work wait for, something gets done. `on_turn` is told how long each turn took, in seconds.
    """

    def __init__(self, clock: Clock, turn_max_s: float) -> None:
        self.on_turn: Callable[[float], None] = lambda _took_s: None
        self._now_s = clock.monotonic_s
        self._turn_max_s = turn_max_s
        self._in_turn = False
        self._left = self._at_work_max = 0
        self._began_s = self._took_s = 0.0
        self._ended_s = self._refused_s = self._try_s = -inf

    def take(self, at_work: int) -> bool:
        """Whether one more is taken, where so many are being worked on. Called in the running loop."""
        if not self._in_turn:
            self._begin()
        elif at_work >= self._at_work_max or not self._left:
            self._refused_s = self._now_s()
            if self._at_work_max != AT_WORK_BEHIND:
                self._try_s = self._refused_s + TRY_EVERY_S
            self._at_work_max = AT_WORK_BEHIND
            return False
        self._left -= 1
        return True

    def _begin(self) -> None:
        """With the first of a turn, which ends when what is called soon is called."""
        self._in_turn, self._began_s, self._left = True, self._now_s(), TAKEN_IN_A_TURN_MAX
        asyncio.get_running_loop().call_soon(self.end)
        if self._began_s - self._refused_s <= CALM_S:
            self._at_work_max = AT_WORK_BEHIND if self._began_s < self._try_s else AT_WORK_TRIED
        elif self._took_s > self._turn_max_s and self._began_s - self._ended_s <= CALM_S:
            self._at_work_max = AT_WORK_MAX
        else:
            self._at_work_max = sys.maxsize

    def end(self) -> None:
        """The next turn begins."""
        if self._in_turn:
            self._in_turn, self._ended_s = False, self._now_s()
            self._took_s = self._ended_s - self._began_s
            self.on_turn(self._took_s)


class Elsewhere:
    """Within its blocks requests wait for a provider, or a client, and are no work for this process."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> None:
        self.count += 1

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
        self._free = places
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

    async def take(self) -> Self:
        """A place, given back at the end of its `with` block. Raises `Rejected` (overloaded) for want of one."""
        if self._free > 0:
            self._free -= 1
        else:
            await self._wait()
        return self

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        if self._waiting:
            self.give_back()
        else:
            self._free += 1

    async def _wait(self) -> None:
        if self._waiting_max == 0:
            raise Rejected(self._full)
        if len(self._waiting) >= self._waiting_max:
            self._tell_no(next(iter(self._waiting)))
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        self._waiting[turn] = loop.call_later(self._wait_max_s, self._tell_no, turn)
        try:
            with self._elsewhere:
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


class Crowd:
    """The requests that this process has, and of those the ones that wait `elsewhere`, at a provider for example.

    `holds` are the places of those that ask the ledger for a hold. `unconnected` is told to who gets no connection.
    """

    def __init__(self, turns: Turns, elsewhere: Elsewhere, *, in_flight_max: int, holds: Places) -> None:
        self.turns = turns
        self.holds = holds
        self.elsewhere = elsewhere
        self.count = 0
        self._in_flight_max = in_flight_max
        self._full = overloaded("This gateway works on as many requests as it takes at once.")
        self.unconnected = overloaded("This gateway has as many connections as it takes.")
        self._late = overloaded("This gateway has more to do than it gets done.")

    def enter(self) -> None:
        """One more, which has to `leave`. Raises `Rejected` (overloaded); then it does not count."""
        if self.count >= self._in_flight_max:
            raise Rejected(self._full)
        if not self.turns.take(self.count - self.elsewhere.count):
            raise Rejected(self._late)
        self.count += 1

    def come_in(self) -> None:
        """One more that nothing may refuse: it ends work that was asked for before."""
        self.count += 1

    def leave(self) -> None:
        """One less."""
        self.count -= 1


def overloaded(why: str) -> Rejection:
    """The refusal of what there is no room for now."""
    detail = f"{why} Nothing was forwarded or held; send it again in {OVERLOADED_RETRY_AFTER_S} s."
    return Rejection(Code.OVERLOADED, detail, retry_after_s=OVERLOADED_RETRY_AFTER_S)
