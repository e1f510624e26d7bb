"""Opens a store by its address and says what it is: the steps a start-up and every command have in common."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gatekeeper.ledger.batch import Patience
from gatekeeper.ledger.checks import StoreReport, check_store
from gatekeeper.ledger.client import StoreClient, connect
from gatekeeper.ledger.embedded import EmbeddedStore, open_embedded
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.lua import NAMES, script

EMBEDDED: Final = "embedded"
"""The address that means a server of our own."""


@dataclass(frozen=True, slots=True)
class OpenStore:
    """A store that was found usable. `embedded` is None for a server that runs elsewhere."""

    url: str
    ledger: Ledger
    client: StoreClient
    report: StoreReport
    embedded: EmbeddedStore | None

    async def close(self) -> None:
        """Finish calls in flight, then end the embedded server if it is ours."""
        await self.client.close()
        if self.embedded is not None:
            await self.embedded.close()


async def open_store(url: str, data_dir: Path, patience: Patience | None = None) -> OpenStore:
    """Connect to the store, or start the embedded one; check it and hand it the scripts.

    Raises StoreRefused if it cannot keep credits, LedgerUnavailable if it does not answer.
    """
    embedded = await open_embedded(data_dir) if url == EMBEDDED else None
    address = embedded.url if embedded else url
    client = None
    try:
        client = StoreClient(connect(address), patience)
        report = await check_store(client)
        report.require_usable()
        for name in NAMES:
            await client.command("SCRIPT", "LOAD", script(name).text)
    except BaseException:
        if client is not None:
            await client.close()
        if embedded is not None:
            await embedded.close()
        raise
    return OpenStore(address, Ledger(client), client, report, embedded)
