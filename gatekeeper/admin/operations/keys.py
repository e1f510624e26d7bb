"""API keys: a secret is drawn here, shown once in the answer, and kept nowhere but as its SHA-256."""

import secrets
from dataclasses import replace
from typing import Any

from gatekeeper.admin.bodies import KeyBody, KeyPatch, PageQuery, RotateBody
from gatekeeper.admin.documents import KeyCreated, KeyDocument, KeyList, KeyRemoved
from gatekeeper.admin.operations.asking import Created, Who, chosen, page_of, team_of
from gatekeeper.admin.problems import AdminProblem, differs, invalid
from gatekeeper.core.rejection import quoted
from gatekeeper.ledger.errors import LedgerInvalid
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.teamrecord import KeyRecord
from gatekeeper.web.answers import iso_time
from gatekeeper.web.auth import NAME, key_sha256

SECRET_BYTES = 32
"""256 random bits."""


async def list_keys(ledger: Ledger, team_id: str, page: PageQuery) -> KeyList:
    """The team's keys by id."""
    await team_of(ledger, team_id)
    keys, cursor = page_of(await ledger.keyring.of_team(team_id), page, lambda key: key.key_id)
    return KeyList(keys=[key_document(key) for key in keys], next_cursor=cursor)


async def get_key(ledger: Ledger, team_id: str, key_id: str) -> KeyDocument:
    """One key."""
    return key_document(await _key_of(ledger, team_id, key_id))


async def create_key(ledger: Ledger, team_id: str, body: KeyBody, who: Who) -> Created[KeyCreated]:
    """A new key with a secret; the same again changes nothing and has none, because it is not kept."""
    await team_of(ledger, team_id)
    why = who.because(body.why)
    secret = f"gk_{secrets.token_urlsafe(SECRET_BYTES)}"
    wanted = KeyRecord(
        sha256=key_sha256(secret),
        team=team_id,
        key_id=body.id,
        project=body.project or "",
        member=body.member or "",
        scopes=_scopes(body.scopes),
        expires_at_ms=body.expires_at,
    )
    before = await ledger.keyring.get(team_id, body.id)
    if before is None:
        await _check_expiry(ledger, team_id, body.expires_at)
        if await ledger.keyring.put_new(wanted, actor=why.actor, why=why.why):
            return Created(_created(wanted, secret), new=True)
        before = await _key_of(ledger, team_id, body.id)
    other = _differing(before, wanted, body)
    if other:
        raise differs(f"a key {body.id} of team {team_id}", other)
    return Created(_created(before, None), new=False)


async def change_key(ledger: Ledger, team_id: str, key_id: str, body: KeyPatch, who: Who) -> KeyDocument:
    """Change what the body says; its secret stays."""
    await _key_of(ledger, team_id, key_id)
    if "expires_at" in body.model_fields_set:
        await _check_expiry(ledger, team_id, body.expires_at)
    why = who.because(body.why)
    after = await ledger.keyring.change(
        team_id, key_id, lambda key: _patched(key, body), actor=why.actor, why=why.why
    )  # fmt: skip
    if after is None:  # removed meanwhile
        raise _no_key(team_id, key_id)
    return key_document(after)


async def rotate_key(ledger: Ledger, team_id: str, key_id: str, body: RotateBody, who: Who) -> KeyCreated:
    """A new secret; those the key has work for the overlap more."""
    await _key_of(ledger, team_id, key_id)
    why = who.because(body.why)
    secret = f"gk_{secrets.token_urlsafe(SECRET_BYTES)}"
    try:
        key = await ledger.keyring.rotate(
            team_id, key_id, key_sha256(secret), body.overlap_s * 1000, actor=why.actor, why=why.why
        )  # fmt: skip
    except LedgerInvalid:
        await _key_of(ledger, team_id, key_id)  # removed meanwhile
        raise
    return _created(key, secret)


async def revoke_key(ledger: Ledger, team_id: str, key_id: str, who: Who) -> KeyDocument:
    """End a key; its record stays."""
    return await change_key(ledger, team_id, key_id, KeyPatch(revoked=True), who)


async def remove_key(ledger: Ledger, team_id: str, key_id: str, who: Who) -> KeyRemoved:
    """Forget a key, which stops working; without one nothing happens."""
    await team_of(ledger, team_id)
    _check_key_id(team_id, key_id)
    removed = await ledger.keyring.remove(team_id, key_id, actor=who.actor, why=who.why)
    return KeyRemoved(id=key_id, removed=removed)


async def _key_of(ledger: Ledger, team_id: str, key_id: str) -> KeyRecord:
    await team_of(ledger, team_id)
    _check_key_id(team_id, key_id)
    key = await ledger.keyring.get(team_id, key_id)
    if key is None:
        raise _no_key(team_id, key_id)
    return key


def _check_key_id(team_id: str, key_id: str) -> None:
    if not NAME.fullmatch(key_id):
        raise _no_key(team_id, key_id)


def _no_key(team_id: str, key_id: str) -> AdminProblem:
    return AdminProblem("key_not_found", f"Team {team_id} has no key {quoted(key_id)}.")


async def _check_expiry(ledger: Ledger, team_id: str, expires_at_ms: int | None) -> None:
    if expires_at_ms is not None and expires_at_ms <= await ledger.now_ms(team_id):
        raise invalid("expires_at", f"{iso_time(expires_at_ms)} is past", "Write a later time.")


def _patched(key: KeyRecord, body: KeyPatch) -> KeyRecord:
    said = body.model_fields_set
    wanted: dict[str, Any] = {
        "project": body.project or "",
        "member": body.member or "",
        "scopes": _scopes(body.scopes),
        "revoked": body.revoked,
        "expires_at_ms": body.expires_at,
    }
    asked = {name for name in wanted if name.removesuffix("_ms") in said}
    return replace(key, **{name: wanted[name] for name in asked})


def _scopes(scopes: list[Any]) -> tuple[str, ...]:
    """Each once, in the order in which they are told; all of them is none."""
    return tuple(sorted({str(scope) for scope in scopes}))


def _differing(before: KeyRecord, wanted: KeyRecord, body: KeyBody) -> dict[str, tuple[Any, Any]]:
    """What a key has otherwise than a create says; and one that is revoked is not the one that is asked for."""
    is_, asked = key_document(before).plain(), key_document(wanted).plain()
    said = body.model_fields_set | {"revoked"}
    return {name: (is_[name], asked[name]) for name in asked if name in said and is_[name] != asked[name]}


def key_document(key: KeyRecord) -> KeyDocument:
    """A key as an answer has it, without its hash."""
    return KeyDocument(**_facts(key))


def _created(key: KeyRecord, secret: str | None) -> KeyCreated:
    return KeyCreated(**_facts(key), secret=secret)


def _facts(key: KeyRecord) -> dict[str, Any]:
    return {
        "id": key.key_id,
        "project": chosen(key.project),
        "member": chosen(key.member),
        "scopes": list(key.scopes),
        "expires_at": key.expires_at_ms,
        "revoked": key.revoked,
        "older_until": max((each.expires_at_ms for each in key.older), default=None),
    }
