"""API keys: each team's records, changed in one step with the journal, and a pointer from every secret's SHA-256.

The record in the team's own slot is what counts. A pointer is written before the record that needs it and removed
after the record that does not: one that leads nowhere finds nothing. No secret or hash goes into the journal.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Final

from gatekeeper.ledger import bounds, looking, scripts
from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.codec import key_text, pairs, parse_key
from gatekeeper.ledger.errors import LedgerConflict, LedgerInvalid, LedgerNoTeam
from gatekeeper.ledger.keys import TeamKeys, api_key
from gatekeeper.ledger.teamrecord import KeyRecord, OlderSecret

SECRETS_MAX: Final = 3
"""Secrets of one key that work at a time: the newest, and two that are being replaced."""
OVERLAP_MAX_MS: Final = int(timedelta(days=30).total_seconds() * 1000)
"""Longest time for which a replaced secret goes on working."""

_TRIES: Final = 5
"""Whoever changes the same key at the same moment is let go first so many times."""

_Change = Callable[[KeyRecord | None], KeyRecord | None]


class KeyRing:
    """The API keys of all teams of a store."""

    def __init__(self, client: StoreClient) -> None:
        self._client = client

    async def put(self, key: KeyRecord, *, actor: str = "", why: str = "") -> bool:
        """Store or replace an API key's record; whether that changed anything.

        With another secret than it had, those it had stop working at once; with the same, those that are being
        replaced go on. Raises LedgerNoTeam, and LedgerConflict if the secret belongs to another key.
        """
        bounds.check_key(key)
        await self._point(key.sha256, key.team, key.key_id)

        def put(before: KeyRecord | None) -> KeyRecord:
            kept = before.older if before is not None and before.sha256 == key.sha256 else ()
            return replace(key, older=kept)

        _, changed = await self._change(key.team, key.key_id, put, actor, why)
        return changed

    async def put_new(self, key: KeyRecord, *, actor: str = "", why: str = "") -> bool:
        """Store a key unless the team has one of this id already: False then, and nothing is changed."""
        bounds.check_key(key)
        await self._point(key.sha256, key.team, key.key_id)
        after, _ = await self._change(
            key.team, key.key_id, lambda before: key if before is None else before, actor, why
        )  # fmt: skip
        if after is not None and after.sha256 != key.sha256:
            await self._forget({key.sha256})
            return False
        return True

    async def change(
        self, team_id: str, key_id: str, change: Callable[[KeyRecord], KeyRecord], *, actor: str = "", why: str = ""
    ) -> KeyRecord | None:
        """Change a key's record but for its secrets, from what it is now; None if there is none."""

        def changed(before: KeyRecord | None) -> KeyRecord | None:
            if before is None:
                return None
            after = replace(change(before), sha256=before.sha256, older=before.older)
            bounds.check_key(after)
            return after

        after, _ = await self._change(team_id, key_id, changed, actor, why)
        return after

    async def rotate(
        self, team_id: str, key_id: str, sha256: str, overlap_ms: int, *, actor: str = "", why: str = ""
    ) -> KeyRecord:
        """Give the key a new secret; those it had work for `overlap_ms` more, or less if they end before.

        Raises LedgerInvalid if there is no such key, it is revoked, or it would have more than 3 secrets that work.
        """
        bounds.check_sha256(sha256)
        if not 0 <= overlap_ms <= OVERLAP_MAX_MS:
            raise LedgerInvalid(f"overlap {overlap_ms} ms: use 0 to {OVERLAP_MAX_MS} milliseconds (30 days)")
        if await self.get(team_id, key_id) is None:
            raise _no_key(team_id, key_id)
        now_ms = await looking.now_ms(self._client, team_id)
        await self._point(sha256, team_id, key_id)
        after, _ = await self._change(
            team_id, key_id, lambda before: _rotated(before, key_id, sha256, now_ms, overlap_ms), actor, why
        )
        if after is None:
            raise _no_key(team_id, key_id)
        return after

    async def remove(self, team_id: str, key_id: str, *, actor: str = "", why: str = "") -> bool:
        """Forget a key, which stops working; False if there was none."""
        _, changed = await self._change(team_id, key_id, lambda _: None, actor, why)
        return changed

    async def find(self, sha256: str) -> KeyRecord | None:
        """The key with this SHA-256 (64 lower-case hex digits), or None. Expired and revoked ones are given too;
        `expires_at_ms` is the key's or its secret's, whichever comes first."""
        bounds.check_sha256(sha256)
        pointer = await self._client.command("GET", api_key(sha256))
        if pointer is None:
            return None
        team_id, _, key_id = pointer.partition("\t")
        key = await self.get(team_id, key_id)
        return None if key is None else _as_found(key, sha256)

    async def get(self, team_id: str, key_id: str) -> KeyRecord | None:
        """The team's key of this id, or None; `sha256` is its newest secret's, `older` those being replaced."""
        bounds.check_team_id(team_id)
        text = await self._client.command("HGET", TeamKeys(team_id).keys, key_id)
        return None if text is None else parse_key(team_id, key_id, text)

    async def of_team(self, team_id: str) -> tuple[KeyRecord, ...]:
        """The team's keys, by key id."""
        bounds.check_team_id(team_id)
        stored = pairs(await self._client.command("HGETALL", TeamKeys(team_id).keys))
        return tuple(parse_key(team_id, key_id, stored[key_id]) for key_id in sorted(stored))

    async def _point(self, sha256: str, team_id: str, key_id: str) -> None:
        """Let the secret lead to this key. Raises LedgerConflict if it is another key's."""
        pointer = f"{team_id}\t{key_id}"
        if await self._client.command("SET", api_key(sha256), pointer, "NX") is not None:
            return
        owner = await self.find(sha256)
        if owner is None:  # it led nowhere: what was begun there was not finished
            await self._client.command("SET", api_key(sha256), pointer)
        elif (owner.team, owner.key_id) != (team_id, key_id):
            raise LedgerConflict(f"the secret of key {key_id} of team {team_id} belongs to another key")

    async def _change(
        self, team_id: str, key_id: str, change: _Change, actor: str, why: str
    ) -> tuple[KeyRecord | None, bool]:
        """Change the record from what it is now; the new one, and whether it differs."""
        bounds.check_name("key id", key_id, required=True)
        bounds.check_name("actor", actor)
        bounds.check_text("why", why, bounds.REASON_CHARS_MAX)
        for _ in range(_TRIES):
            before = await self.get(team_id, key_id)
            after = change(before)
            if before is None and after is None:
                return None, False
            told = json.dumps(changes(before, after), separators=(",", ":"), ensure_ascii=False)
            try:
                stored = await scripts.put_key(
                    self._client, team_id, key_id, _text(before), _text(after), told=told, actor=actor, why=why
                )
            except (LedgerNoTeam, LedgerInvalid):
                await self._forget(_hashes(after) - _hashes(before))
                raise
            if stored is not None:
                await self._forget(_hashes(before) - _hashes(after))
                return after, stored
        raise LedgerConflict(f"key {key_id} of team {team_id} is being changed by somebody else; read it again")

    async def _forget(self, hashes: set[str]) -> None:
        await asyncio.gather(*(self._client.command("DEL", api_key(sha256)) for sha256 in hashes))


def changes(before: KeyRecord | None, after: KeyRecord | None) -> dict[str, object]:
    """What a journal entry says of a key's change: no secret, no hash."""
    if after is None:
        return {"removed": True}
    told: dict[str, object] = {} if before is not None else {"new": True}
    base = before or KeyRecord(after.sha256, after.team, after.key_id)
    for name in ("project", "member", "scopes", "expires_at_ms", "revoked"):
        value = getattr(after, name)
        if value != getattr(base, name):
            told[name] = value
    if after.sha256 != base.sha256:
        told["renewed"] = True
        told["older_until_ms"] = max((secret.expires_at_ms for secret in after.older), default=None)
    return told


def _rotated(
    before: KeyRecord | None, key_id: str, sha256: str, now_ms: int, overlap_ms: int
) -> KeyRecord | None:  # fmt: skip
    if before is None or before.sha256 == sha256:
        return before
    if before.revoked:
        raise LedgerInvalid(f"key {key_id} is revoked; make a new one")
    until_ms = now_ms + overlap_ms
    had = (OlderSecret(before.sha256, until_ms), *before.older)
    older = tuple(replace(each, expires_at_ms=min(each.expires_at_ms, until_ms)) for each in had)
    working = tuple(each for each in older if each.expires_at_ms > now_ms and each.sha256 != sha256)
    if len(working) >= SECRETS_MAX:
        raise LedgerInvalid(
            f"key {key_id} has {SECRETS_MAX} secrets that work already; with an overlap of 0 the earlier ones end now"
        )
    return replace(before, sha256=sha256, older=working)


def _as_found(key: KeyRecord, sha256: str) -> KeyRecord | None:
    """The key as one of its secrets opens it; None if it is none of them."""
    if key.sha256 == sha256:
        return replace(key, older=())
    for each in key.older:
        if each.sha256 == sha256:
            ends = each.expires_at_ms if key.expires_at_ms is None else min(each.expires_at_ms, key.expires_at_ms)
            return replace(key, sha256=sha256, expires_at_ms=ends, older=())
    return None


def _text(key: KeyRecord | None) -> str:
    return "" if key is None else key_text(key)


def _hashes(key: KeyRecord | None) -> set[str]:
    return set() if key is None else {key.sha256, *(each.sha256 for each in key.older)}


def _no_key(team_id: str, key_id: str) -> LedgerInvalid:
    return LedgerInvalid(f"team {team_id} has no key {key_id}")
