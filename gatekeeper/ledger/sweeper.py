"""Lets time act on holds nobody resolved. Correctness does not hang on it: a hold reaps its own team's due holds too;
the sweeper does it where nobody asks for holds any more.

Two loops. The watch looks at a team when a deadline has come that this gateway knows of: it is told of every hold made
here, and after each look it knows the team's next one. The walk goes over all teams, at a pace, for what this gateway
cannot know of: the holds of one that died, and what was granted for a time. A hold is over within its deadline, its
grace and 60 s, at up to 100,000 teams: the walk comes by every 45 s, and what it acts on is watched from then on.

It does not log: what happened goes to callbacks.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from gatekeeper.clock import Clock, SystemClock
from gatekeeper.ledger.deadlines import Deadlines
from gatekeeper.ledger.errors import LedgerBroken, LedgerError
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.looking import in_chunks
from gatekeeper.ledger.records import Expiry, Transition

TICK_S: Final = 1.0
"""Pause between two looks at what is due: a deadline waits at most this long."""
WALK_S: Final = 45.0
"""How long a walk over all teams takes: under 60 s, with room for a slow store and for the looks that follow."""
WALK_PAUSE_S: Final = 5.0
"""From the start of a walk to the next one at the earliest, and the pause after one that failed."""
PACE_TEAMS_MIN: Final = 250
"""Teams a second in a walk, if all are reached in time so: less would spare nothing that can be measured."""
PACE_TEAMS_MAX: Final = 2500
"""Teams a second at most, which is 112,500 in 45 s; with more teams a walk takes longer."""
TEAMS_AT_ONCE: Final = 100
"""Teams looked at in one pipeline."""
ROUNDS_MAX: Final = 10
"""expire_due calls per team and look; what is left is looked at with the next tick."""

Rest = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Sweep:
    """What one walk did."""

    teams: int
    transitions: int


class Sweeper:
    """Sweeps a ledger in the background until it is stopped.

    `on_transition` becomes the ledger's, so it also hears what a hold finds due; `on_error` hears of failed looks.
    `clock` and `rest` are for tests that make time pass by themselves.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        on_transition: Callable[[str, Transition], None],
        on_error: Callable[[Exception], None],
        clock: Clock | None = None,
        rest: Rest | None = None,
    ) -> None:
        self._ledger = ledger
        ledger.on_transition = on_transition
        ledger.on_deadline = self._heard
        self._on_error = on_error
        self._clock = clock or SystemClock()
        self._rest = rest or self._rest_or_stop
        self._deadlines = Deadlines()
        self._teams_last: int | None = None
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, *, walks: bool = True) -> None:
        """Begin to watch, and to walk unless another process on the same store does; needs a running event loop."""
        self._stopping.clear()
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._forever(self.watch, TICK_S))]
        if walks:
            self._tasks.append(loop.create_task(self._forever(self.walk, WALK_PAUSE_S)))

    async def stop(self) -> None:
        """Stop between two steps; what is being expired is finished."""
        self._stopping.set()
        tasks, self._tasks = self._tasks, []
        await asyncio.gather(*tasks)

    async def watch(self) -> int:
        """Look at every team whose time has come; how many transitions there were. Raises the ledger's errors."""
        transitions, now_s = 0, self._clock.monotonic_s()
        while due := self._deadlines.take_due(now_s, TEAMS_AT_ONCE):
            try:
                transitions += await self._look_at_all(due)
            except LedgerError:
                for team_id in due:
                    self._deadlines.remember(team_id, now_s + WALK_PAUSE_S)
                raise
        return transitions

    async def walk(self) -> Sweep:
        """Go over all teams once, paced: fast the first time, then as slow as `WALK_S` allows. Raises the ledger's
        errors; a team that cannot be read is told and passed by."""
        started_s, pace = self._clock.monotonic_s(), self._pace()
        teams = transitions = 0
        async for some in in_chunks(self._ledger.teams(), TEAMS_AT_ONCE):
            teams += len(some)
            due = await self._due_of(some)
            transitions += await self._look_at_all(due)
            await self._rest_until(started_s + teams / pace)
            if self._stopping.is_set():
                return Sweep(teams, transitions)
        self._teams_last = teams
        return Sweep(teams, transitions)

    async def _due_of(self, some: list[str]) -> list[str]:
        """Those whose time has come; all, to be looked at one by one, if one of them cannot be read."""
        try:
            waits = await self._ledger.due_in_ms(some)
        except LedgerBroken:
            return some
        return [team_id for team_id, wait in zip(some, waits, strict=True) if wait is not None and wait <= 0]

    def _pace(self) -> float:
        if self._teams_last is None:
            return PACE_TEAMS_MAX
        return min(max(self._teams_last / WALK_S, PACE_TEAMS_MIN), PACE_TEAMS_MAX)

    def _heard(self, team_id: str, in_ms: int) -> None:
        at_s, known_s = self._clock.monotonic_s() + in_ms / 1000, self._deadlines.at_s.get(team_id)
        if known_s is None or at_s < known_s:  # hardly ever: holds come in the order in which they are due
            self._deadlines.remember(team_id, at_s)

    async def _look_at_all(self, team_ids: list[str]) -> int:
        return sum(await asyncio.gather(*(self._look_at(team_id) for team_id in team_ids)))

    async def _look_at(self, team_id: str) -> int:
        count, idle, expiry = 0, 0, Expiry((), more=False)
        try:
            for _ in range(ROUNDS_MAX):
                expiry = await self._ledger.expire_due(team_id)
                count += len(expiry.transitions)
                idle += not expiry.transitions  # what was due was no hold, or cannot be helped: look once more
                if expiry.next_due_in_ms != 0 or idle > 1:
                    break
        except LedgerBroken as error:  # one team's books must not keep time from all the others
            self._on_error(error)
            return count
        if expiry.next_due_in_ms or expiry.transitions:
            self._heard(team_id, expiry.next_due_in_ms or 0)
        return count

    async def _forever(self, step: Callable[[], Awaitable[object]], every_s: float) -> None:
        while not self._stopping.is_set():
            started_s = self._clock.monotonic_s()
            try:
                await step()
            except Exception as error:  # noqa: BLE001 - the supervisor: one failure must not end all later looks
                started_s = self._clock.monotonic_s()
                self._on_error(error)
            await self._rest_until(started_s + every_s)

    async def _rest_until(self, at_s: float) -> None:
        wait_s = at_s - self._clock.monotonic_s()
        if wait_s > 0 and not self._stopping.is_set():
            await self._rest(wait_s)

    async def _rest_or_stop(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return
