"""API keys: records under the SHA-256 of their secret, and an index of each team's. Plain commands, in an order that
never leaves a secret working that was to be replaced.
"""

import asyncio

from gatekeeper.ledger import bounds
from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.codec import key_text, pairs, parse_key
from gatekeeper.ledger.errors import LedgerConflict
from gatekeeper.ledger.keys import TeamKeys, api_key
from gatekeeper.ledger.teamrecord import KeyRecord


class KeyRing:
    """The API keys of all teams of a store."""

    def __init__(self, client: StoreClient) -> None:
        self._client = client

    async def put(self, key: KeyRecord) -> None:
        """Store or replace an API key's record under its SHA-256; a replaced secret stops working first.

        Raises LedgerConflict if the secret belongs to another key.
        """
        bounds.check_key(key)
        index, field = TeamKeys(key.team).keys, key.key_id
        before = await self.find(key.sha256)
        if before is not None and (before.team, before.key_id) != (key.team, key.key_id):
            raise LedgerConflict(f"the secret of key {key.key_id} of team {key.team} belongs to another key")
        old = await self._client.command("HGET", index, field)
        if old and old != key.sha256:
            await self._client.command("DEL", api_key(old))
        await self._client.command("HSET", index, field, key.sha256)
        await self._client.command("SET", api_key(key.sha256), key_text(key))

    async def remove(self, sha256: str) -> bool:
        """Forget a key; False if there was none."""
        key = await self.find(sha256)
        if key is None:
            return False
        await self._client.command("DEL", api_key(sha256))
        await self._client.command("HDEL", TeamKeys(key.team).keys, key.key_id)
        return True

    async def find(self, sha256: str) -> KeyRecord | None:
        """The key with this SHA-256 (64 lower-case hex digits), or None. Expired and revoked ones are given too."""
        bounds.check_sha256(sha256)
        text = await self._client.command("GET", api_key(sha256))
        return None if text is None else parse_key(sha256, text)

    async def of_team(self, team_id: str) -> tuple[KeyRecord, ...]:
        """The team's keys, by key id."""
        bounds.check_team_id(team_id)
        index = pairs(await self._client.command("HGETALL", TeamKeys(team_id).keys))
        found = await asyncio.gather(*(self.find(index[key_id]) for key_id in sorted(index)))
        return tuple(key for key in found if key is not None)
