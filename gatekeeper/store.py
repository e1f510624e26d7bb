"""The store that settings name. A module of its own, because most commands need this of a gateway and nothing else."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.confirm import Confirm
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.opening import OpenStore, open_store
from gatekeeper.settings import Settings


def data_dir(settings: Settings) -> Path:
    """Where this gateway keeps its own files."""
    return settings.base_dir / settings.store.data_dir


@asynccontextmanager
async def open_ledger(
    settings: Settings, ledger_of: Callable[[StoreClient], Ledger] = Ledger
) -> AsyncIterator[OpenStore]:
    """The settings' store, checked; beside a running gateway its embedded store too. Raises the ledger's errors."""
    wanted = settings.store
    confirm = Confirm(wanted.wait_replicas, wanted.wait_fsync, wanted.wait_timeout_ms)
    store = await open_store(wanted.url, data_dir(settings), confirm=confirm, ledger_of=ledger_of)
    try:
        yield store
    finally:
        await store.close()
