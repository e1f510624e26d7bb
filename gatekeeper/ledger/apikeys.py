"""API keys: records under the SHA-256 of their secret, and an index of each team's. Plain commands, in an order that
never leaves a secret working that was to be replaced.
"""

import asyncio

from gatekeeper.ledger import bounds
from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.codec import key_text, pairs, parse_key
from gatekeeper.ledger.errors import LedgerConflict
from gatekeeper.ledger.keys import TeamKeys, api_key
from gatekeeper.ledger.records import KeyRecord


async def put(client: StoreClient, key: KeyRecord) -> None:
    """Store or replace a key's record; a replaced secret stops working first. Raises LedgerConflict."""
    bounds.check_key(key)
    index, field = TeamKeys(key.team).keys, key.key_id
    before = await find(client, key.sha256)
    if before is not None and (before.team, before.key_id) != (key.team, key.key_id):
        raise LedgerConflict(f"the secret of key {key.key_id} of team {key.team} belongs to another key")
    old = await client.command("HGET", index, field)
    if old and old != key.sha256:
        await client.command("DEL", api_key(old))
    await client.command("HSET", index, field, key.sha256)
    await client.command("SET", api_key(key.sha256), key_text(key))


async def remove(client: StoreClient, sha256: str) -> bool:
    """Forget a key; False if there was none."""
    key = await find(client, sha256)
    if key is None:
        return False
    await client.command("DEL", api_key(sha256))
    await client.command("HDEL", TeamKeys(key.team).keys, key.key_id)
    return True


async def find(client: StoreClient, sha256: str) -> KeyRecord | None:
    """The key with this SHA-256, or None."""
    bounds.check_sha256(sha256)
    text = await client.command("GET", api_key(sha256))
    return None if text is None else parse_key(sha256, text)


async def of_team(client: StoreClient, team_id: str) -> tuple[KeyRecord, ...]:
    """The team's keys, by key id."""
    bounds.check_team_id(team_id)
    index = pairs(await client.command("HGETALL", TeamKeys(team_id).keys))
    found = await asyncio.gather(*(find(client, index[key_id]) for key_id in sorted(index)))
    return tuple(key for key in found if key is not None)
