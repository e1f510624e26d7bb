"""A gateway in numbers: one core, an event loop, generations of four steps, and more of them than get done.

The admission is the real one; time is counted, not measured. Costs are those of a gateway that does 2,900 a second, and
chance, where it has a part, is seeded.
"""

import asyncio
import heapq
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Final

from gatekeeper.clock import SystemClock
from gatekeeper.core.rejection import Rejected
from gatekeeper.proxy.crowd import CALM_S, TRY_EVERY_S, Elsewhere, gather
from gatekeeper.sections import ServerSettings

US: Final = 1e-6
READ_S: Final = 22 * US
"""To read a request, whatever becomes of it."""
LINE_S: Final = 15 * US
"""To let one wait in line."""
REFUSE_S: Final = 40 * US
STEPS_S: Final = (120 * US, 75 * US, 85 * US, 48 * US)
"""Until it asks for a hold, until it is sent, until it asks to settle, until it is answered."""
AFTER_S: Final = (120 * US, 150 * US, 120 * US)
"""What the store, the provider and the store again take for it."""
COMES: Final = -1
TO_PROVIDER: Final = 1
TURN_S: Final = 25 * US
"""What a turn of the loop costs in itself."""
CARRIED: Final = 1 / (READ_S + sum(STEPS_S))
"""Generations a second, where nothing is refused."""
PAUSES_S: Final = (0.002, 0.004, 0.015)
"""Now and then everything stands still: the system, a collection of garbage."""


class HandClock(SystemClock):
    def __init__(self) -> None:
        self.at_s = 100.0

    def monotonic_s(self) -> float:
        return self.at_s


@dataclass
class Run:
    """What came of it: how long each took that was taken, from when it was due, and how many were refused."""

    took_s: list[float] = field(default_factory=list)
    refused_at_s: list[float] = field(default_factory=list)

    @property
    def refused(self) -> int:
        return len(self.refused_at_s)

    @property
    def p99_s(self) -> float:
        return self.p99_after_s(0)

    def p99_after_s(self, begun: int) -> float:
        """Of those that were answered when so many had been."""
        looked_at = sorted(self.took_s[begun:])
        return looked_at[ceil(0.99 * len(looked_at)) - 1]


@dataclass
class Model:
    """Requests that are due at fixed times, and those that `closed` connections ask for `seconds`, one after the other:
    at once again, also after a refusal."""

    due_s: Sequence[float] = ()
    closed: int = 0
    seconds: float = 0
    provider_s: float = AFTER_S[TO_PROVIDER]
    store_stands_still_s: tuple[float, float] = (0, 0)
    seed: int = 1

    def __post_init__(self) -> None:
        self.clock = HandClock()
        self.crowd = gather(ServerSettings(in_flight_max=100_000), self.clock, Elsewhere())
        self._in_line: dict[asyncio.Future[None], tuple[float, bool]] = {}
        self.run = Run()
        self.present_most = 0
        self._chance = random.Random(self.seed)
        self._began_s = self.clock.at_s
        once = [(self._began_s + at_s, False) for at_s in self.due_s]
        self._coming = once + [(self._began_s, True)] * self.closed
        heapq.heapify(self._coming)
        self._away: list[tuple[float, int, float, int, bool]] = []

    def to_its_end(self) -> Run:
        """All of it."""
        while self._coming or self._away or self._in_line:
            self._turn([*self._let_in(), *self._ready()])
        return self.run

    def _let_in(self) -> Iterator[tuple[float, int, bool]]:
        """Those in line that were told something in the turn before."""
        for turn in [turn for turn in self._in_line if turn.done()]:
            due_s, again = self._in_line.pop(turn)
            if turn.exception() is None:
                yield due_s, 0, again
            else:
                self._refuse(again)

    def _ready(self) -> Iterator[tuple[float, int, bool]]:
        """What has come since the turn before: when it was due, its next step, and whether it is asked again."""
        now_s = self.clock.at_s
        while self._away and self._away[0][0] <= now_s:
            yield heapq.heappop(self._away)[2:]
        while self._coming and self._coming[0][0] <= now_s:
            self.clock.at_s += READ_S
            due_s, again = heapq.heappop(self._coming)
            yield due_s, COMES, again

    def _turn(self, ready: list[tuple[float, int, bool]]) -> None:
        if not ready:
            ahead = [each[0][0] for each in (self._coming, self._away) if each]
            self.clock.at_s = max(self.clock.at_s, min(ahead, default=0))
            return
        self.clock.at_s += TURN_S
        if self._chance.random() < 0.002:
            self.clock.at_s += self._chance.choice(PAUSES_S)
        for due_s, step, again in ready:
            if step == COMES:
                self._come(due_s, again)
            else:
                self._step(due_s, step, again)

    def _come(self, due_s: float, again: bool) -> None:
        try:
            turn = self.crowd.enter()
        except Rejected:
            self._refuse(again)
            return
        self.present_most = max(self.present_most, self.crowd.present)
        if turn is None:
            self._step(due_s, 0, again)
        else:
            self.clock.at_s += LINE_S
            self._in_line[turn] = due_s, again

    def _refuse(self, again: bool) -> None:
        self.clock.at_s += REFUSE_S
        self.run.refused_at_s.append(self.clock.at_s - self._began_s)
        self._ask_again(again)

    def _step(self, due_s: float, step: int, again: bool) -> None:
        if step == TO_PROVIDER + 1:
            self.crowd.elsewhere.__exit__()
        self.clock.at_s += STEPS_S[step] * self._chance.uniform(0.7, 1.3)
        if step == len(AFTER_S):
            self.crowd.leave()
            self.run.took_s.append(self.clock.at_s - due_s)
            self._ask_again(again)
            return
        if step == TO_PROVIDER:
            self.crowd.elsewhere.__enter__()
        after_s = self.provider_s if step == TO_PROVIDER else AFTER_S[step] + self._stands_still_s()
        back_s = self.clock.at_s + after_s * self._chance.uniform(0.7, 1.6)
        heapq.heappush(self._away, (back_s, self._chance.getrandbits(32), due_s, step + 1, again))

    def _stands_still_s(self) -> float:
        """How much longer the store does nothing."""
        begins_s, ends_s = self.store_stands_still_s
        at_s = self.clock.at_s - self._began_s
        return ends_s - at_s if begins_s <= at_s < ends_s else 0

    def _ask_again(self, again: bool) -> None:
        if again and self.clock.at_s - self._began_s < self.seconds:
            heapq.heappush(self._coming, (self.clock.at_s + AFTER_S[0], True))


def load(times: float, seconds: float = 3) -> list[float]:
    """When requests are due, evenly, at so many times what can be carried."""
    return [number / (times * CARRIED) for number in range(round(times * CARRIED * seconds))]


async def carried() -> Run:
    """Sixty-four connections that always ask."""
    return Model(closed=64, seconds=3).to_its_end()


async def test_all_that_can_be_carried_is_taken() -> None:
    """Nobody is refused where as much comes as gets done, with pauses in between: not at 0.9 of it, not in a loop."""
    runs = [await carried(), Model(closed=100, seconds=3).to_its_end(), Model(load(0.9)).to_its_end()]

    assert [0, 0, 0] == [each.refused for each in runs]


async def test_at_three_times_as_much_what_is_taken_keeps_its_pace() -> None:
    """From its first moment on, and to the last of those that wait when it ends: its p99 is at most 2.5 times that of
    64 connections, of which here each takes as long as the other; and most of what can be carried gets done still."""
    usual = await carried()

    over = Model(load(3, seconds=5)).to_its_end()

    assert over.p99_s <= 2.5 * usual.p99_s
    assert len(over.took_s) >= 0.5 * CARRIED * 5


LONGEST_S: Final = 0.2
"""What the last takes that comes in with the longest line there is."""


async def test_a_little_too_much_costs_little() -> None:
    """At 1.2 times as much nine tenths of what can be carried get done, and nobody waits longer than the line is."""
    over = Model(load(1.2)).to_its_end()

    assert max(over.took_s) <= LONGEST_S
    assert len(over.took_s) >= 0.9 * CARRIED * 3


async def test_callers_that_wait_for_their_answers_are_all_served() -> None:
    """As many in a closed loop as may be at work and wait: each takes as long as all of them, and nobody is refused."""
    assert 0 == Model(closed=300, seconds=3).to_its_end().refused


async def test_slow_providers_do_not_hide_it() -> None:
    """With pictures that take a second thousands are under way, and what they cost when they come back is reckoned
    with: what is worked on stays few, and their p99 is the provider's time and a little."""
    over = Model(load(3, seconds=4), provider_s=1.0)

    run = over.to_its_end()

    assert run.p99_s <= 1.6 + 0.2
    assert len(run.took_s) >= 0.5 * CARRIED * 4


async def test_while_the_store_stands_still_no_more_come_in() -> None:
    """Then there is nothing to do, but what came in would wait behind all that came before: those at work alone do."""
    usual = await carried()
    stalled = Model(load(3, seconds=5), store_stands_still_s=(2, 2.4))

    run = stalled.to_its_end()

    server = ServerSettings()
    assert stalled.present_most <= server.at_work_max + server.line_max
    assert sum(took_s > 4 * usual.p99_s for took_s in run.took_s) <= server.at_work_max


async def test_who_asks_again_at_once_does_not_make_it_last() -> None:
    """Connections that heed no `Retry-After`, and could all be served, are served soon after an overload is over."""
    over_s = 1.0

    run = Model(load(3, over_s), closed=64, seconds=over_s + 2 * TRY_EVERY_S).to_its_end()

    assert run.refused_at_s
    assert max(run.refused_at_s) <= over_s + TRY_EVERY_S + 2 * CALM_S


async def test_a_batch_is_taken() -> None:
    """Three hundred that come in the same moment, on a gateway with nothing to do, are all taken."""
    assert 0 == Model([0.0] * 300).to_its_end().refused


async def test_whatever_chance_has_in_store() -> None:
    """It holds for other seeds."""
    others = [Model(load(3), seed=seed).to_its_end() for seed in range(2, 7)]

    assert max(max(each.took_s) for each in others) <= LONGEST_S / 2
