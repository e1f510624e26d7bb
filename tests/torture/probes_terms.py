"""Probes of extend.lua: what must not pass when a hold is given more time."""

from gatekeeper.ledger.holdid import DAY_MS
from gatekeeper.ledger.records import OnUnknown
from tests.torture.bench import GRANT, Bench

HOUR_MS = 3_600_000


async def more_time(bench: Bench) -> None:
    """A deadline is put off, never brought nearer; what is unknown is known again; what time cannot end stays so."""
    terms = bench.ledger.terms
    hold = await bench.held(ttl_ms=HOUR_MS, grace_ms=DAY_MS)
    assert "extended" == (await terms.extend(hold.hold_id, bench.team, DAY_MS)).status
    assert "duplicate" == (await terms.extend(hold.hold_id, bench.team, HOUR_MS)).status
    unknown = await bench.ledger.mark_unknown(hold.hold_id, bench.team)
    again = await terms.extend(hold.hold_id, bench.team, HOUR_MS)
    assert "extended" == again.status
    open_hold = await bench.ledger.open_hold(hold.hold_id, bench.team)
    assert open_hold is not None
    assert ("held", again.deadline_ms) == (open_hold.state, open_hold.deadline_ms)
    assert unknown.deadline_ms != again.deadline_ms
    assert ("settled", 7) == await bench.settle(hold.hold_id, 7)
    assert "resolved" == (await terms.extend(hold.hold_id, bench.team, DAY_MS)).status
    assert "gone" == (await terms.extend(bench.id(), bench.team, DAY_MS)).status
    kept = await bench.held(ttl_ms=0, on_unknown=OnUnknown.KEEP)
    await bench.ledger.expire_due(bench.team)
    assert "kept" == (await terms.extend(kept.hold_id, bench.team, DAY_MS)).status
    job = await bench.held()
    await bench.ledger.attach_job(job.hold_id, bench.team, "job", ttl_ms=DAY_MS)
    assert "kept" == (await terms.extend(job.hold_id, bench.team, DAY_MS)).status
    assert (GRANT - 27, 20, 7) == await bench.figures()
    await bench.assert_clean()


async def odd_terms(bench: Bench) -> None:
    """A time that is no number is refused."""
    hold = await bench.held()
    call = bench.ledger.terms.extend(hold.hold_id, bench.team, DAY_MS)
    assert "refuses its ttl" in await bench.bent("extend", 1, "x", call)


TERM_PROBES = (more_time, odd_terms)
