"""Probes of the API keys' script: each a short scene with its expected end."""

from gatekeeper.ledger import scripts
from tests.torture.bench import Bench

TEXT = '{"project":"","member":"","scopes":[],"expires_at_ms":null,"revoked":false,"secrets":[]}'


async def put(bench: Bench, before: str, after: str, key_id: str = "ci", team: str = "") -> bool | None:
    """Run key.lua past everything that Python checks."""
    return await scripts.put_key(bench.client, team or bench.team, key_id, before, after, told="{}", actor="", why="")


async def keys_are_changed_once(bench: Bench) -> None:
    """From what was read to what is wanted, with one entry each; the same again changes nothing."""
    assert [True, False] == [await put(bench, "", TEXT) for _ in range(2)]
    assert TEXT == await bench.client.command("HGET", bench.keys.keys, "ci")
    assert None is await put(bench, "something else", TEXT.replace("false", "true"))
    assert [True, False] == [await put(bench, TEXT, "") for _ in range(2)]
    assert ["key", "key"] == await bench.kinds()
    await bench.assert_clean()


async def odd_keys(bench: Bench) -> None:
    """A name of one word, a team that is there, and no more keys than can be read together."""
    assert "refuses its key id" in await bench.refused_as(put(bench, "", TEXT, ""))
    assert "refuses its key id" in await bench.refused_as(put(bench, "", TEXT, "a\tb"))
    assert "LedgerNoTeam" in await bench.refused_as(put(bench, "", TEXT, team="bench-none"))
    flat = [word for number in range(1000) for word in (f"k{number}", TEXT)]
    await bench.client.command("HSET", bench.keys.keys, *flat)
    assert "no more are kept" in await bench.refused_as(put(bench, "", TEXT))
    assert True is await put(bench, TEXT, "", "k1")
    assert [] == [kind for kind in await bench.kinds() if kind != "key"]


KEY_PROBES = (keys_are_changed_once, odd_keys)
