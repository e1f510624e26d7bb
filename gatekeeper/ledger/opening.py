"""Opens a store by its address and says what it is: the steps a start-up and every command have in common."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gatekeeper.ledger.address import read_address
from gatekeeper.ledger.batch import Patience
from gatekeeper.ledger.checks import StoreReport, check_store
from gatekeeper.ledger.client import StoreClient, open_client
from gatekeeper.ledger.confirm import Confirm
from gatekeeper.ledger.embedded import EmbeddedStore, open_embedded
from gatekeeper.ledger.errors import StoreRefused
from gatekeeper.ledger.keys import SCHEMA
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.lua import NAMES, script

EMBEDDED: Final = "embedded"
"""The address that means a server of our own."""


@dataclass(frozen=True, slots=True)
class OpenStore:
    """A store that was found usable. `embedded` is None for a server that runs elsewhere."""

    url: str = field(repr=False)  # it may have a password in it
    ledger: Ledger
    client: StoreClient
    report: StoreReport
    embedded: EmbeddedStore | None

    async def close(self) -> None:
        """End repairs, finish calls in flight, then end the embedded server if it is ours."""
        await self.ledger.close()
        if self.embedded is not None:
            await self.embedded.close()


SCHEMA_VERSION: Final = 3
"""Grows with every change of a stored format that older code would misread."""


async def _check_schema(client: StoreClient) -> None:
    """Raises StoreRefused for records in formats that this version does not know: guessing would cost credits."""
    await client.command("SET", SCHEMA, SCHEMA_VERSION, "NX")
    found = str(await client.command("GET", SCHEMA))
    if found != str(SCHEMA_VERSION):
        raise StoreRefused(
            f"the store's records are in format {found}, this version reads {SCHEMA_VERSION}: run the version that "
            "wrote them, or point store.url at another database"
        )


async def open_store(
    url: str,
    data_dir: Path,
    patience: Patience | None = None,
    confirm: Confirm | None = None,
    ledger_of: Callable[[StoreClient], Ledger] = Ledger,
) -> OpenStore:
    """Connect to the store, or start the embedded one; check it and hand it the scripts. `ledger_of` makes the ledger.

    Raises StoreRefused if it cannot keep credits, LedgerUnavailable if it does not answer.
    """
    embedded = await open_embedded(data_dir) if url == EMBEDDED else None
    address = embedded.url if embedded else url
    client = None
    try:
        client = await open_client(read_address(address), patience, confirm)
        report = await check_store(client)
        report.require_usable()
        await _check_schema(client)
        for name in NAMES:
            await client.each("SCRIPT", "LOAD", script(name).text)
    except BaseException:
        if client is not None:
            await client.close()
        if embedded is not None:
            await embedded.close()
        raise
    return OpenStore(address, ledger_of(client), client, report, embedded)
