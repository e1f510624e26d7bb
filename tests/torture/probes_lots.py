"""Probes of grants that expire, and of what becomes of the journal."""

from gatekeeper.ledger.holdid import DAY_MS
from gatekeeper.ledger.records import GrantStatus
from tests.torture.bench import GRANT, Bench

LOTS_MAX = 64


async def odd_lots(bench: Bench) -> None:
    """An expiry is digits and to come, an id is one word, and there are at most 64 that are still to expire."""
    soon = bench.now_ms + DAY_MS
    for place, value, what in ((4, "x", "expires_at_ms"), (4, "1", "expires_at_ms"), (0, "a\tb", "grant id")):
        call = bench.ledger.grant(bench.team, "lot", 5, expires_at_ms=soon)
        assert f"refuses its {what}" in await bench.bent("grant", place, value, call)
    for number in range(LOTS_MAX):
        await bench.ledger.grant(bench.team, f"lot-{number}", 1, expires_at_ms=soon)
    call = bench.ledger.grant(bench.team, "one-more", 1, expires_at_ms=soon)
    assert "refuses its expires_at_ms" in await bench.refused_as(call)
    assert GrantStatus.MISMATCH is await bench.ledger.grant(bench.team, "lot-0", 1, expires_at_ms=soon + 1)
    await bench.assert_clean()


async def _past(bench: Bench, what: str = "lots") -> None:
    """Time itself, without the waiting: every lot's time has come."""
    lots = str(await bench.client.command("HGET", bench.keys.bal, what)).splitlines()
    rows = (line.split("\t") for line in lots)
    text = "".join("\t".join([row[0], "1", *row[2:]]) + "\n" for row in rows)
    await bench.client.command("HSET", bench.keys.bal, what, text)


async def soonest_first(bench: Bench) -> None:
    """Credits that expire sooner are spent first, whichever came first; what comes back goes where it was from."""
    await bench.ledger.grant(bench.team, "later", 50, expires_at_ms=bench.now_ms + 2 * DAY_MS)
    await bench.ledger.grant(bench.team, "soon", 50, expires_at_ms=bench.now_ms + DAY_MS)
    hold = await bench.held(60)
    left = {grant.id: grant.remaining for grant in await bench.ledger.grants(bench.team)}
    assert {"opening": None, "later": 40, "soon": 0} == left
    await bench.settle(hold.hold_id, 20)
    left = {grant.id: grant.remaining for grant in await bench.ledger.grants(bench.team)}
    assert {"opening": None, "later": 50, "soon": 30} == left
    await bench.assert_clean()


async def lots_lapse(bench: Bench) -> None:
    """When their time has come they are gone, and not before; what is held stays until it comes back."""
    await bench.ledger.grant(bench.team, "lot", 50, expires_at_ms=bench.now_ms + DAY_MS)
    hold = await bench.held(30)
    assert (GRANT + 20, 30, 0) == await bench.figures()
    await _past(bench)
    await bench.held(0)
    assert (GRANT, 30, 0) == await bench.figures()
    assert 1 == await bench.client.command("HEXISTS", bench.keys.bal, "lots")
    await bench.settle(hold.hold_id, 10)
    assert (GRANT, 0, 10) == await bench.figures()
    assert ["hold", "lapse", "hold", "settle", "lapse"] == await bench.kinds()


async def a_debt_is_covered_first(bench: Bench) -> None:
    """Credits that cover a debt of the rest do not lapse."""
    await bench.ledger.grant(bench.team, "lot", 50, expires_at_ms=bench.now_ms + DAY_MS)
    hold = await bench.held(10)
    await bench.settle(hold.hold_id, GRANT + 30)
    await _past(bench)
    await bench.held(0)
    assert (0, 0, GRANT + 30) == await bench.figures()


async def exported_and_cut(bench: Bench) -> None:
    """The note of what is on disk never goes back or ahead of the journal; nothing else is ever cut off."""
    await bench.held()
    ledger, team = bench.ledger, bench.team
    assert 2 == await ledger.confirm_exported(team, 2)
    assert 2 == await ledger.confirm_exported(team, 1)
    assert "LedgerInvalid" in await bench.refused_as(ledger.confirm_exported(team, 9))
    assert "refuses its sequence" in await bench.bent("exported", 0, "x", ledger.confirm_exported(team, 1))
    assert "LedgerInvalid" in await bench.refused_as(ledger.cut_journal(team, 0, 3, "{}"))
    assert "LedgerConflict" in await bench.refused_as(ledger.cut_journal(team, 1, 2, "{}"))
    assert "refuses its sequence" in await bench.bent("trim", 1, "x", ledger.cut_journal(team, 0, 2, "{}"))
    assert "refuses its state" in await bench.bent("trim", 2, "", ledger.cut_journal(team, 0, 2, "{}"))
    assert 1 == await ledger.cut_journal(team, 0, 1, "{}")
    assert "LedgerInvalid" in await bench.refused_as(ledger.cut_journal(team, 1, 1, "{}"))
    await bench.client.command("HSET", bench.keys.base, "exported", "99")
    assert "LedgerInvalid" in await bench.refused_as(ledger.cut_journal(team, 1, 50, "{}"))
    assert 2 == await bench.client.command("XLEN", bench.keys.journal)


LOT_PROBES = (odd_lots, soonest_first, lots_lapse, a_debt_is_covered_first, exported_and_cut)
