"""How long a hold has for its outcome, and how it ended: for those who do the work elsewhere and tell the ledger later.

A deadline is put off in one step of the books. An outcome is never told here: that is a settle.
"""

from collections.abc import Callable

from gatekeeper.ledger import bounds, looking, scripts
from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.history import Act, Extension
from gatekeeper.ledger.records import Extended
from gatekeeper.ledger.reports import EndedHold


class Terms:
    """The terms of a ledger's holds. `on_deadline` hears, with the team's id, in how many ms one is due anew, and
    `acked`, with the journal's sequence, what the store has taken."""

    def __init__(
        self, client: StoreClient, acked: Callable[[str, int, Act], object], on_deadline: Callable[[str, int], None]
    ) -> None:
        self._client = client
        self._acked = acked
        self._on_deadline = on_deadline

    async def extend(self, hold_id: str, team_id: str, ttl_ms: int) -> Extended:
        """Put the hold's deadline off to `ttl_ms` from now; one that is later stays. The same again changes nothing."""
        bounds.check_team_id(team_id)
        bounds.check_hold_id(hold_id)
        bounds.check_interval("ttl_ms", ttl_ms)
        self._on_deadline(team_id, ttl_ms)
        extended = await scripts.extend(self._client, team_id, hold_id, ttl_ms)
        if extended.seq:
            self._acked(team_id, extended.seq, Extension(hold_id, ttl_ms))
        return extended

    async def ended(self, hold_id: str, team_id: str) -> EndedHold | None:
        """How the hold ended, or None: it is open, was never made, or ended so long ago that it is forgotten."""
        bounds.check_team_id(team_id)
        bounds.check_hold_id(hold_id)
        return await looking.ended(self._client, team_id, hold_id)
