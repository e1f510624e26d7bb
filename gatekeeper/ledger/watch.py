"""Finds out again what a store is whenever another server answers than before: after a restart, a fail-over, a new
node. What was refused at the start is then a problem of the running gateway; it is told, and nothing is stopped.

It does not log: what was found goes to callbacks.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from gatekeeper.ledger.checks import StoreReport, check_store
from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.errors import LedgerError

RETRY_S: Final = 1.0
"""Pause before a store that could not be asked is asked again."""


class StoreWatch:
    """The last report on a store. `on_change` hears at once that another server answers, `on_report` what it is."""

    def __init__(
        self,
        client: StoreClient,
        report: StoreReport,
        *,
        on_change: Callable[[], None],
        on_report: Callable[[StoreReport], None],
    ) -> None:
        self.report = report
        self._client = client
        self._on_change = on_change
        self._on_report = on_report
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to watch; needs a running event loop."""
        self._client.on_new_server = self._heard
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Watch no more."""
        self._client.on_new_server = lambda _run_id: None
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def _heard(self, _run_id: str) -> None:
        self._on_change()
        self._changed.set()

    async def _run(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                self.report = await check_store(self._client)
            except LedgerError:
                await asyncio.sleep(RETRY_S)
                self._changed.set()
                continue
            self._on_report(self.report)
