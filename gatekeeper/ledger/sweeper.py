"""Lets time act on holds nobody resolved, team by team, at an interval. Correctness does not hang on it: a hold
reaps its own team's due holds too; the sweeper does it where nobody asks for holds any more.

It does not log: what happened goes to a callback.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.records import Transition

INTERVAL_S: Final = 5.0
"""Pause between sweeps: a due hold of a quiet team waits at most this long, and the time of one sweep."""
TEAMS_AT_ONCE: Final = 100
"""Teams looked at in one pipeline."""
ROUNDS_MAX: Final = 10
"""expire_due calls per team and sweep; what is left waits for the next one."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """What one sweep did."""

    teams: int
    transitions: int


class Sweeper:
    """Sweeps a ledger in the background until it is stopped.

    `on_transition` becomes the ledger's, so it also hears what a hold finds due; `on_error` hears of failed sweeps.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        on_transition: Callable[[str, Transition], None],
        on_error: Callable[[Exception], None],
        interval_s: float = INTERVAL_S,
    ) -> None:
        self._ledger = ledger
        ledger.on_transition = on_transition
        self._on_error = on_error
        self._interval_s = interval_s
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin sweeping; needs a running event loop."""
        self._stopping.clear()
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Stop between two steps; what is being expired is finished."""
        self._stopping.set()
        if self._task is not None:
            await self._task
            self._task = None

    async def sweep(self) -> Sweep:
        """Go over all teams once. Raises the ledger's errors."""
        teams = transitions = 0
        chunk: list[str] = []
        async for team_id in self._ledger.teams():
            chunk.append(team_id)
            teams += 1
            if len(chunk) == TEAMS_AT_ONCE:
                transitions += await self._expire(chunk)
                chunk = []
            if self._stopping.is_set():
                break
        return Sweep(teams, transitions + await self._expire(chunk))

    async def _expire(self, team_ids: list[str]) -> int:
        return sum(await asyncio.gather(*(self._expire_team(team_id) for team_id in team_ids)))

    async def _expire_team(self, team_id: str) -> int:
        count = 0
        for _ in range(ROUNDS_MAX):
            expiry = await self._ledger.expire_due(team_id)
            count += len(expiry.transitions)
            if not expiry.more:
                break
        return count

    async def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                await self.sweep()
            except Exception as error:  # noqa: BLE001 - the supervisor: one failed sweep must not end all later ones
                self._on_error(error)
            try:
                await asyncio.wait_for(self._stopping.wait(), self._interval_s)
            except TimeoutError:
                continue
