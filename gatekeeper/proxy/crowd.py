"""How many requests are taken at once, here and at each provider, and how long one waits for its turn.

What is over the bound is told so at once, with 503 and when to come again, before its key is looked at and before
anything is held: a refusal is cheap, so whoever was let in keeps its pace. It does not choose between teams; the
ledger's caps do that.
"""

import asyncio
import sys
from collections.abc import Callable
from typing import Final

from gatekeeper.clock import Clock
from gatekeeper.core.rejection import Code, Rejected, Rejection

PULSE_S: Final = 0.005
"""Between two looks at how late the process is with its own work; each costs some microseconds."""

LATE_BEATS_MIN: Final = 3
"""A process that was late so often in a row is not in the middle of a burst, nor has it just read a catalog."""

ATTENTIVE_S: Final = 1.0
"""For so long after a request timers go on: a process in which nothing begins need not know how late it is."""

CALM_S: Final = 0.2
"""After so long without a refusal it is behind no more."""

OVERLOADED_RETRY_AFTER_S: Final = 1
"""A burst is over by then; what is not will be told again."""

SHORT_TURN_SHARE: Final = 0.08
"""Of `lag_max_s`, while it is behind: a generation takes about six turns of the loop, all of which shall be short."""


class Pulse:
    """Whether this process has had more to do than it gets done, for long enough to be no burst.

    Timers that should fire every `PULSE_S` show how late it is. Late once is nothing; where they were later than
    `lag_max_s` again and again, what begins now waits behind work that only grows. From then on so much is taken in
    each turn of the loop as keeps turns short, until nothing had to be refused for a while. `on_lag` is told how late
    each timer was, in seconds.
    """

    def __init__(self, clock: Clock, lag_max_s: float) -> None:
        self.on_lag: Callable[[float], None] = lambda _late_s: None
        self._clock = clock
        self._lag_max_s = lag_max_s
        self._beat_s = self._asked_s = clock.monotonic_s()
        self._late_beats = 0
        self._late_s = 0.0
        self._refused_s: float | None = None
        self._next: asyncio.TimerHandle | None = None

    def stop(self) -> None:
        """Ends it."""
        if self._next is not None:
            self._next.cancel()
        self._next = None

    def is_behind(self) -> bool:
        """Whether what begins now would only wait, and is to be refused: that it was is remembered. Whoever asks is
        the reason to measure, so timers run from the first one on, in the running loop, and end when nobody asks."""
        now_s = self._asked_s = self._clock.monotonic_s()
        if self._next is None:
            self._beat_s, self._late_s, self._late_beats = now_s, 0.0, 0
            self._next = self._in_a_while()
        lag_s = self._late_s + max(now_s - self._beat_s - PULSE_S, 0.0)
        if self._refused_s is None:
            behind = lag_s > self._lag_max_s and self._late_beats >= LATE_BEATS_MIN
        else:
            behind = lag_s > self._lag_max_s * SHORT_TURN_SHARE
        if behind:
            self._refused_s = now_s
        elif self._refused_s is not None and now_s - self._refused_s > CALM_S:
            self._refused_s = None
        return behind

    def beat(self) -> None:
        """A timer fired that should have done so `PULSE_S` after the one before."""
        now_s = self._clock.monotonic_s()
        self._late_s = max(now_s - self._beat_s - PULSE_S, 0.0)
        self._late_beats = self._late_beats + 1 if self._late_s > self._lag_max_s else 0
        self._beat_s = now_s
        self.on_lag(self._late_s)

    def _tick(self) -> None:
        self.beat()
        self._next = self._in_a_while() if self._beat_s - self._asked_s < ATTENTIVE_S else None

    def _in_a_while(self) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(PULSE_S, self._tick)


class Places:
    """Places for so many at once, at one provider or at the ledger. Who finds none waits for one, so long at most.

    Who came last gets the next one, and where too many wait whoever came first is told no: in a short rush nearly all
    get theirs, and where more come than ever can be served those that are served were not kept waiting.
    """

    def __init__(self, why: str, *, places: int, waiting_max: int, wait_max_s: float) -> None:
        self._free = places
        self._waiting: dict[asyncio.Future[None], asyncio.TimerHandle] = {}
        self._waiting_max = waiting_max
        self._wait_max_s = wait_max_s
        self._full = overloaded(why)
        self._place = Place(self)  # the same for all: nothing of it is anybody's own

    @property
    def free(self) -> int:
        """Places that nobody has."""
        return self._free

    @property
    def waiting(self) -> int:
        """Who waits for one."""
        return len(self._waiting)

    async def take(self) -> "Place":
        """A place, given back at the end of its `with` block. Raises `Rejected` (overloaded) for want of one."""
        if self._free > 0:
            self._free -= 1
        else:
            await self._wait()
        return self._place

    async def _wait(self) -> None:
        if self._waiting_max == 0:
            raise Rejected(self._full)
        if len(self._waiting) >= self._waiting_max:
            self._tell_no(next(iter(self._waiting)))
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        self._waiting[turn] = loop.call_later(self._wait_max_s, self._tell_no, turn)
        try:
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


class Place:
    """One place, for the length of a block."""

    __slots__ = ("_places",)

    def __init__(self, places: Places) -> None:
        self._places = places

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        self._places.give_back()


class Crowd:
    """The requests that this process works on; `holds` are the places of those that ask the ledger for a hold."""

    def __init__(self, pulse: Pulse, *, in_flight_max: int, holds: Places) -> None:
        self.pulse = pulse
        self.holds = holds
        self.count = 0
        self._in_flight_max = in_flight_max
        self._full = overloaded("This gateway works on as many requests as it takes at once.")
        self._late = overloaded("This gateway has more to do than it gets done.")

    def enter(self) -> None:
        """One more, which has to `leave`. Raises `Rejected` (overloaded); then it does not count."""
        if self.count >= self._in_flight_max:
            raise Rejected(self._full)
        if self.pulse.is_behind():
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
