"""The store that settings name. A module of its own, because most commands need this of a gateway and nothing else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gatekeeper.ledger.confirm import Confirm
from gatekeeper.ledger.opening import OpenStore, open_store
from gatekeeper.settings import Settings


def data_dir(settings: Settings) -> Path:
    """Where this gateway keeps its own files."""
    return settings.base_dir / settings.store.data_dir


@asynccontextmanager
async def open_ledger(settings: Settings) -> AsyncIterator[OpenStore]:
    """The settings' store, checked; beside a running gateway its embedded store too. Raises the ledger's errors."""
    wanted = settings.store
    confirm = Confirm(wanted.wait_replicas, wanted.wait_fsync, wanted.wait_timeout_ms)
    store = await open_store(wanted.url, data_dir(settings), confirm=confirm)
    try:
        yield store
    finally:
        await store.close()
