"""Asks the store now and then how it is and what is open in it, so that metrics tell it when nobody calls.

One process of a gateway goes the rounds, beside whatever else it does; several gateways on one store each count for
themselves. It changes nothing and decides nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from gatekeeper.clock import Clock, SystemClock
from gatekeeper.ledger.census import count_all
from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.errors import LedgerError, LedgerUnavailable
from gatekeeper.vitals import HOLD_STATES, Vitals

ASK_EVERY_S: Final = 5.0
"""Between two questions whether the store answers: a third of the usual time between two scrapes."""

COUNT_EVERY_S: Final = 60.0
"""Between two counts of all teams and open holds, which cost the store some microseconds a team."""

STOP_TIMEOUT_S: Final = 1.0
"""How long a question on its way may take when the gateway stops: nothing hangs on its answer."""


class Rounds:
    """Goes them in the background until it is stopped. `on_error` hears what nobody foresaw."""

    def __init__(
        self, client: StoreClient, vitals: Vitals, *, on_error: Callable[[Exception], None], clock: Clock | None = None
    ) -> None:
        self._client = client
        self._vitals = vitals
        self._on_error = on_error
        self._clock = clock or SystemClock()
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin; needs a running event loop."""
        loop = asyncio.get_running_loop()
        rounds = ((self.ask, ASK_EVERY_S), (self.count, COUNT_EVERY_S))
        self._tasks = [loop.create_task(self._forever(step, every_s)) for step, every_s in rounds]

    async def stop(self) -> None:
        """What is on its way gets a moment."""
        self._stopping.set()
        tasks, self._tasks = self._tasks, []
        if tasks:
            _, slow = await asyncio.wait(tasks, timeout=STOP_TIMEOUT_S)
            for task in slow:
                task.cancel()
            await asyncio.gather(*slow, return_exceptions=True)

    async def ask(self) -> None:
        """Whether every node of the store answers, and how soon."""
        since_s = self._clock.monotonic_s()
        try:
            await self._client.each("PING")
        except LedgerError:
            self._vitals.store_answered(None)
        else:
            self._vitals.store_answered(self._clock.monotonic_s() - since_s)

    async def count(self) -> None:
        """All teams and open holds. A store that is away is told by `ask`; then the last counts stand, with their
        time."""
        with suppress(LedgerUnavailable):
            found = await count_all(self._client, self._rest)
            now_s = self._clock.now().timestamp()
            for state in HOLD_STATES:
                tally = found.holds.get(state)
                age_s = max(now_s - tally.oldest_ms / 1000, 0.0) if tally is not None else 0.0
                self._vitals.holds_counted(state, tally.count if tally is not None else 0, age_s)
            self._vitals.teams_counted(
                found.teams, found.owing, found.unreadable, held=found.held, owed=found.owed
            )  # fmt: skip

    async def _forever(self, step: Callable[[], Awaitable[None]], every_s: float) -> None:
        while not self._stopping.is_set():
            try:
                await step()
            except Exception as error:  # noqa: BLE001 - the supervisor: one failure must not end all later rounds
                self._on_error(error)
            await self._rest(every_s)

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
