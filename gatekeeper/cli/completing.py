"""What the shell offers when somebody presses Tab: the teams of the store, if it is quick to ask."""

import asyncio

from gatekeeper.cli.locate import find_settings
from gatekeeper.ledger.embedded import owner_lives
from gatekeeper.ledger.errors import LedgerError
from gatekeeper.ledger.opening import EMBEDDED
from gatekeeper.store import open_ledger
from gatekeeper.yamlfile import ConfigError

PATIENCE_S = 1.0
"""Nobody waits longer for a word that can be typed."""

OFFERED_MAX = 200
"""More names on a screen help nobody."""


def team_ids(incomplete: str) -> list[str]:
    """The teams that begin so. None when the store is not at hand: Tab says nothing then, and starts no store."""
    try:
        return asyncio.run(asyncio.wait_for(_team_ids(incomplete), PATIENCE_S))
    except (ConfigError, LedgerError, OSError, TimeoutError):
        return []


async def _team_ids(incomplete: str) -> list[str]:
    settings = find_settings(None)
    if settings.store.url == EMBEDDED and not owner_lives(settings.base_dir / settings.store.data_dir):
        return []
    async with open_ledger(settings) as store:
        found = {team async for team in store.ledger.teams() if team.startswith(incomplete)}
    return sorted(found)[:OFFERED_MAX]
