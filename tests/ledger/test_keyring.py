"""API keys: rotation with an overlap, what the journal says, and what is left when something comes in between."""

import json
from dataclasses import replace

import pytest

from gatekeeper.ledger.codec import key_text
from gatekeeper.ledger.errors import LedgerConflict, LedgerInvalid, LedgerNoTeam
from gatekeeper.ledger.keyring import OVERLAP_MAX_MS
from gatekeeper.ledger.keys import TeamKeys, api_key
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.records import EntryKind
from gatekeeper.ledger.teamrecord import KeyRecord, TeamRecord

OLD, NEW, NEWER, NEWEST = ("a" * 64, "b" * 64, "c" * 64, "d" * 64)
HOUR_MS = 3_600_000


def revoked(key: KeyRecord) -> KeyRecord:
    """The key, ended."""
    return replace(key, revoked=True)


async def told(ledger: Ledger, team_id: str) -> list[tuple[str, str, str, dict[str, object]]]:
    """What the journal says of keys: which, who, why, what changed."""
    entries = [entry for entry in await ledger.journal(team_id) if entry.kind is EntryKind.KEY]
    return [
        (entry.hold_id, entry.fields["actor"], entry.fields["why"], json.loads(entry.fields["meta"]))
        for entry in entries
    ]


async def test_a_replaced_secret_works_until_its_overlap_ends(ledger: Ledger, team: TeamRecord):
    """Both secrets open the key; the old one's record says when it ends."""
    await ledger.keyring.put(KeyRecord(OLD, team.id, "ci", "spring"))

    key = await ledger.keyring.rotate(team.id, "ci", NEW, HOUR_MS)

    old, new = await ledger.keyring.find(OLD), await ledger.keyring.find(NEW)
    assert old is not None
    assert KeyRecord(NEW, team.id, "ci", "spring") == new
    assert KeyRecord(OLD, team.id, "ci", "spring", expires_at_ms=key.older[0].expires_at_ms) == old
    assert (OLD, True) == (key.older[0].sha256, old.expires_at_ms > await ledger.now_ms(team.id))


async def test_the_earlier_end_counts(ledger: Ledger, team: TeamRecord):
    """A key that expires within the overlap ends with both of its secrets."""
    ends_ms = await ledger.now_ms(team.id) + HOUR_MS // 2
    await ledger.keyring.put(KeyRecord(OLD, team.id, "ci", expires_at_ms=ends_ms))
    await ledger.keyring.rotate(team.id, "ci", NEW, HOUR_MS)

    found = [await ledger.keyring.find(each) for each in (OLD, NEW)]
    assert [ends_ms, ends_ms] == [key.expires_at_ms for key in found if key]


async def test_without_an_overlap_the_old_secret_ends_at_once(ledger: Ledger, team: TeamRecord):
    """Nothing is left of it in the store."""
    await ledger.keyring.put(KeyRecord(OLD, team.id, "ci"))
    await ledger.keyring.rotate(team.id, "ci", NEW, HOUR_MS)

    await ledger.keyring.rotate(team.id, "ci", NEWER, 0)

    assert [None, None] == [await ledger.keyring.find(each) for each in (OLD, NEW)]
    assert () == (await ledger.keyring.of_team(team.id))[0].older


async def test_a_key_has_three_secrets_at_most(ledger: Ledger, team: TeamRecord):
    """The fourth is refused, unless the earlier ones end with it."""
    await ledger.keyring.put(KeyRecord(OLD, team.id, "ci"))
    for sha256 in (NEW, NEWER):
        await ledger.keyring.rotate(team.id, "ci", sha256, HOUR_MS)

    with pytest.raises(LedgerInvalid, match="overlap of 0"):
        await ledger.keyring.rotate(team.id, "ci", NEWEST, HOUR_MS)
    assert None is await ledger.keyring.find(NEWEST)
    assert 3 == len([key for key in [await ledger.keyring.find(each) for each in (OLD, NEW, NEWER)] if key])


async def test_a_rotation_again_changes_nothing(ledger: Ledger, team: TeamRecord):
    """The same new secret is known: an answer that was lost may be asked for again."""
    await ledger.keyring.put(KeyRecord(OLD, team.id, "ci"))
    first = await ledger.keyring.rotate(team.id, "ci", NEW, HOUR_MS)

    assert first == await ledger.keyring.rotate(team.id, "ci", NEW, 0)
    assert 2 == len(await told(ledger, team.id))


@pytest.mark.parametrize(("overlap_ms", "reason"), [(-1, "milliseconds"), (OVERLAP_MAX_MS + 1, "30 days")])
async def test_odd_overlaps(ledger: Ledger, team: TeamRecord, overlap_ms: int, reason: str):
    """Not before now, not for ever."""
    await ledger.keyring.put(KeyRecord(OLD, team.id, "ci"))

    with pytest.raises(LedgerInvalid, match=reason):
        await ledger.keyring.rotate(team.id, "ci", NEW, overlap_ms)


async def test_no_rotation_of_a_revoked_or_missing_key(ledger: Ledger, team: TeamRecord):
    """What is revoked stays so, and a new secret of nothing is left nowhere."""
    await ledger.keyring.put(KeyRecord(OLD, team.id, "ci"))
    await ledger.keyring.change(team.id, "ci", revoked)

    with pytest.raises(LedgerInvalid, match="revoked"):
        await ledger.keyring.rotate(team.id, "ci", NEW, 0)
    with pytest.raises(LedgerInvalid, match="has no key other"):
        await ledger.keyring.rotate(team.id, "other", NEWER, 0)
    assert await ledger.keyring.change(team.id, "other", revoked) is None
    assert [None, None] == [await ledger.keyring.find(each) for each in (NEW, NEWER)]


async def test_every_change_is_told_without_a_hash(ledger: Ledger, team: TeamRecord):
    """What, who and why; no entry holds a secret's hash, and the books are as before."""
    ring = ledger.keyring
    await ring.put(KeyRecord(OLD, team.id, "ci", "spring"), actor="amy", why="new tool")
    await ring.rotate(team.id, "ci", NEW, 0, actor="bob")
    await ring.put(KeyRecord(NEW, team.id, "ci", "spring", scopes=("read",)))
    await ring.change(team.id, "ci", revoked, why="leaked")
    await ring.remove(team.id, "ci", actor="amy")

    assert [
        ("ci", "amy", "new tool", {"new": True, "project": "spring"}),
        ("ci", "bob", "", {"renewed": True, "older_until_ms": None}),
        ("ci", "", "", {"scopes": ["read"]}),
        ("ci", "", "leaked", {"revoked": True}),
        ("ci", "amy", "", {"removed": True}),
    ] == await told(ledger, team.id)
    assert not [e for e in await ledger.journal(team.id) if OLD in str(e.fields) or NEW in str(e.fields)]
    assert (await ledger.verify(team.id)).clean


async def test_putting_the_same_again_tells_nothing(ledger: Ledger, team: TeamRecord):
    """No change, no entry; a rotation that is on its way stays."""
    key = KeyRecord(OLD, team.id, "ci")
    await ledger.keyring.put(key)
    rotated = await ledger.keyring.rotate(team.id, "ci", NEW, HOUR_MS)

    assert False is await ledger.keyring.put(replace(key, sha256=NEW))
    assert [rotated] == [*await ledger.keyring.of_team(team.id)]


async def test_a_new_key_takes_nobody_elses_place(ledger: Ledger, team: TeamRecord):
    """Where the id is taken nothing changes, and the new secret leads nowhere."""
    await ledger.keyring.put(KeyRecord(OLD, team.id, "ci"))

    assert False is await ledger.keyring.put_new(KeyRecord(NEW, team.id, "ci"))
    assert None is await ledger.keyring.find(NEW)
    assert OLD == (await ledger.keyring.of_team(team.id))[0].sha256


async def test_a_key_of_no_team_is_left_nowhere(ledger: Ledger):
    """There is no such team, and no pointer to it either."""
    with pytest.raises(LedgerNoTeam):
        await ledger.keyring.put(KeyRecord("e" * 64, "nobody", "ci"))

    assert None is await ledger._client.command("GET", api_key("e" * 64))


async def test_a_pointer_that_leads_nowhere_is_taken_over(ledger: Ledger, team: TeamRecord):
    """What somebody began and did not finish keeps nobody from the secret."""
    await ledger._client.command("SET", api_key(OLD), f"{team.id}\tnever-made")

    await ledger.keyring.put(KeyRecord(OLD, team.id, "ci"))

    assert KeyRecord(OLD, team.id, "ci") == await ledger.keyring.find(OLD)


async def test_a_pointer_alone_opens_nothing(ledger: Ledger, team: TeamRecord):
    """The record decides: a pointer to a key that has other secrets finds none."""
    await ledger.keyring.put(KeyRecord(OLD, team.id, "ci"))
    await ledger._client.command("SET", api_key(NEW), f"{team.id}\tci")

    assert None is await ledger.keyring.find(NEW)


async def test_whoever_comes_in_between_is_not_overwritten(ledger: Ledger, team: TeamRecord):
    """A change is made from what is there when it is written; after some tries it is a conflict."""
    await ledger.keyring.put(KeyRecord(OLD, team.id, "ci"))
    count = iter(range(100))

    def busy(key: KeyRecord) -> KeyRecord:
        return replace(key, project=f"p{next(count)}")

    got = ledger.keyring.get

    async def meanwhile(team_id: str, key_id: str) -> KeyRecord | None:
        found = await got(team_id, key_id)
        other = key_text(replace(found, member=f"m{next(count)}")) if found else ""
        await ledger._client.command("HSET", TeamKeys(team_id).keys, key_id, other)
        return found

    ledger.keyring.get = meanwhile  # type: ignore[method-assign]
    with pytest.raises(LedgerConflict, match="somebody else"):
        await ledger.keyring.change(team.id, "ci", busy)
