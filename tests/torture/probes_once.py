"""Probes of requests that come twice, of holds that were lost or never made, of jobs and of kept answers."""

from gatekeeper.ledger.holdid import DAY_MS
from gatekeeper.ledger.records import Answer, Held, HoldContext, HoldState, Mismatch, RefusalCode, Refused, Repeated
from gatekeeper.ledger.teamrecord import Caps
from tests.torture.bench import GRANT, Bench

ONCE_MS = 2 * DAY_MS
HOUR_MS = 3_600_000


async def asked_again_under_its_name(bench: Bench) -> None:
    """The same request under another id is the earlier one, held or done; with another body it is a mismatch."""
    first = await bench.held(once="n", once_within_ms=HOUR_MS)
    again = await bench.hold(once="n", once_within_ms=HOUR_MS)
    assert isinstance(again, Repeated)
    assert first.hold_id == again.hold_id
    assert isinstance(await bench.hold(once="n", once_within_ms=HOUR_MS, fingerprint="other"), Mismatch)
    await bench.settle(first.hold_id, 7)
    done = await bench.hold(once="n", once_within_ms=HOUR_MS)
    assert isinstance(done, Repeated)
    assert (HoldState.SETTLED, 7) == (done.state, done.charged)
    assert (GRANT - 7, 0, 7) == await bench.figures()


async def released_is_as_if_never_asked(bench: Bench) -> None:
    """What was released may be asked again; so may what was asked too long ago."""
    first = await bench.held(once="n", once_within_ms=HOUR_MS)
    await bench.ledger.release(first.hold_id, bench.team)
    await bench.held(once="n", once_within_ms=HOUR_MS)
    await bench.held(hold_id=bench.id(2 * HOUR_MS), once="old")
    await bench.held(once="old", once_within_ms=HOUR_MS)


async def names_are_remembered(bench: Bench) -> None:
    """For 48 hours; a key of another type stops the hold before anything is written."""
    await bench.held(once="n")
    bucket = bench.client.sent["hold"][0][8]
    left_ms = await bench.client.command("PTTL", bucket)
    assert ONCE_MS - 60_000 < left_ms <= ONCE_MS
    await bench.client.command("SET", bucket, "x")
    before = await bench.all()
    assert "WRONGTYPE" in await bench.refused_as(bench.hold(once="m"))
    assert before == await bench.all()
    await bench.client.command("DEL", bucket)
    for within in ("x", "nan", "1e1", "0x1", " 5", "5.0", "9000000000000001", str(2**53 - 1)):
        assert "refuses its within" in await bench.bent("hold", 6, within, bench.hold(once="n"))


async def a_late_hold_leaves_the_name(bench: Bench) -> None:
    """To one that began after it and runs, or has ended with a charge; not to one that was released."""
    later = await bench.held(hold_id=bench.id(0), once="n")
    late = await bench.held(hold_id=bench.id(3000), once="n")
    await bench.ledger.release(late.hold_id, bench.team)
    assert isinstance(await bench.hold(once="n", once_within_ms=HOUR_MS), Repeated)
    await bench.settle(later.hold_id, 7)
    late = await bench.held(hold_id=bench.id(2000), once="n")
    await bench.ledger.release(late.hold_id, bench.team)
    assert isinstance(await bench.hold(once="n", once_within_ms=HOUR_MS), Repeated)
    freed = await bench.held(hold_id=bench.id(0), once="m")
    await bench.ledger.release(freed.hold_id, bench.team)
    await bench.held(hold_id=bench.id(1000), once="m")
    assert isinstance(await bench.hold(once="m", once_within_ms=HOUR_MS), Repeated)


async def requests_per_minute(bench: Bench) -> None:
    """As many as allowed in one minute of the store's, and no more; another minute counts from zero."""
    await bench.found(caps=Caps(requests_per_minute=2))
    await bench.client.command("HSET", bench.keys.bal, "minute", "60000:9")
    await bench.held(0)
    raw = str(await bench.client.command("HGET", bench.keys.bal, "minute"))
    await bench.client.command("HSET", bench.keys.bal, "minute", f"{raw.partition(':')[0]}:2")
    refused = await bench.hold(0)
    if isinstance(refused, Held):  # the minute was over just then
        raw = str(await bench.client.command("HGET", bench.keys.bal, "minute"))
        await bench.client.command("HSET", bench.keys.bal, "minute", f"{raw.partition(':')[0]}:2")
        refused = await bench.hold(0)
    assert isinstance(refused, Refused)
    assert [RefusalCode.RATE_LIMITED] == [refusal.code for refusal in refused.refusals]


async def undone_before_it_was_made(bench: Bench) -> None:
    """It can no longer be made, whatever its body; nothing can be charged for it; undone again is a duplicate."""
    stranger = bench.id()
    assert "voided" == (await bench.ledger.undo(stranger, bench.team)).status
    again = await bench.hold(hold_id=stranger, fingerprint="whatever")
    assert isinstance(again, Repeated)
    assert HoldState.VOID is again.state
    assert ("mismatch", 0) == await bench.settle(stranger, 5)
    assert "duplicate" == (await bench.ledger.undo(stranger, bench.team)).status
    assert (GRANT, 0, 0) == await bench.figures()
    await bench.assert_clean()


async def what_cannot_be_undone(bench: Bench) -> None:
    """An id whose end may be forgotten, a team that is not there, and an undo with an amount."""
    old, other = bench.id(3 * DAY_MS), Bench(bench.client)
    assert "gone" == (await bench.ledger.undo(old, bench.team)).status
    assert "gone" == (await bench.ledger.undo(bench.id(), other.team)).status
    assert "refuses its undo" in await bench.bent("settle", 1, "5:0:1:0", bench.ledger.undo(bench.id(), bench.team))


async def a_lost_hold(bench: Bench) -> None:
    """With its context it is charged once, in its windows and scopes; without, or too old, it is gone."""
    context = HoldContext(10, member="amy", windows=(await bench.held(0)).windows)
    lost = bench.id()
    for status in ("orphan", "duplicate"):
        assert status == (await bench.ledger.settle(lost, bench.team, 7, context=context)).status
    assert ("mismatch", 7) == await bench.settle(lost, 8)
    assert (GRANT - 7, 0, 7) == await bench.figures()
    assert "7:0" == (await bench.counters("member:amy")).partition("|")[0]
    assert "voided" == (await bench.ledger.release(bench.id(), bench.team, context=context)).status
    assert "gone" == (await bench.ledger.settle(bench.id(3 * DAY_MS), bench.team, 7, context=context)).status
    call = bench.ledger.settle(bench.id(), bench.team, 7, context=context)
    assert "refuses its context" in await bench.bent("settle", 4, "x", call)
    await bench.assert_clean()


async def kept_answers(bench: Bench) -> None:
    """Kept with the charge, for its time; one without a time is refused."""
    hold = await bench.held()
    settled = bench.ledger.settle(hold.hold_id, bench.team, 5, answer=Answer("text", HOUR_MS))
    assert "refuses its answer" in await bench.bent("settle", 6, "0", settled)
    await bench.ledger.settle(hold.hold_id, bench.team, 5, answer=Answer("text", HOUR_MS))
    await bench.ledger.settle(hold.hold_id, bench.team, 5, answer=Answer("another", HOUR_MS))
    assert "text" == await bench.ledger.answer(bench.team, hold.hold_id)
    assert 0 < await bench.client.command("PTTL", bench.keys.answer(hold.hold_id)) <= HOUR_MS


async def jobs(bench: Bench) -> None:
    """Attached once; time never resolves it; its result does, and forgets it."""
    hold = await bench.held()
    named = await bench.ledger.attach_job(
        hold.hold_id, bench.team, "job", ttl_ms=0, names=("fal/1", "fal/2"), keep_ms=DAY_MS
    )
    assert "attached" == named.status
    assert [(hold.hold_id, "job")] * 2 == [await bench.ledger.job(bench.team, name) for name in ("fal/1", "fal/2")]
    assert "duplicate" == (await bench.ledger.attach_job(hold.hold_id, bench.team, "job", ttl_ms=0)).status
    assert "mismatch" == (await bench.ledger.attach_job(hold.hold_id, bench.team, "other", ttl_ms=0)).status
    await bench.ledger.expire_due(bench.team)
    assert (GRANT - 10, 10, 0) == await bench.figures()
    assert "attached" == (await bench.ledger.attach_job(hold.hold_id, bench.team, "job", ttl_ms=DAY_MS)).status
    assert ("settled", 7) == await bench.settle(hold.hold_id, 7)
    assert 0 == await bench.client.command("HLEN", bench.keys.jobs)
    assert "resolved" == (await bench.ledger.attach_job(hold.hold_id, bench.team, "job", ttl_ms=0)).status
    assert "gone" == (await bench.ledger.attach_job(bench.id(), bench.team, "job", ttl_ms=0)).status
    await bench.assert_clean()


async def odd_jobs(bench: Bench) -> None:
    """No job, no time, no time for its answer: refused; a key of another type stops a settle first."""
    hold = await bench.held()
    for place, value, what in ((1, "", "job"), (2, "x", "ttl"), (4, "0", "time of its names"), (6, "0", "answer")):
        call = bench.ledger.attach_job(
            hold.hold_id, bench.team, "job", ttl_ms=1, names=["fal/1"], keep_ms=1, answer=Answer("text", 1)
        )
        assert f"refuses its {what}" in await bench.bent("job", place, value, call)
    await bench.ledger.attach_job(hold.hold_id, bench.team, "job", ttl_ms=DAY_MS)
    await bench.client.command("DEL", bench.keys.jobs)
    await bench.client.command("SET", bench.keys.jobs, "x")
    before = await bench.all()
    assert "WRONGTYPE" in await bench.refused_as(bench.settle(hold.hold_id, 3))
    assert before == await bench.all()
    await bench.client.command("DEL", bench.keys.jobs)


async def no_more_than_there_is(bench: Bench) -> None:
    """Beyond its hold a settle may be told to take only what the team has; the same again is the same."""
    first, second, other = await bench.held(), await bench.held(), await bench.held(GRANT - 50)
    assert ("settled", 15) == await bench.settle(first.hold_id, 15, within_available=True)
    assert ("settled", 10 + 25) == await bench.settle(second.hold_id, 60, within_available=True)
    assert (0, GRANT - 50, 50) == await bench.figures()
    for amount in (35, 36, 60, 90):
        assert ("duplicate", 35) == await bench.settle(second.hold_id, amount, within_available=True)
    for amount, within in ((34, True), (9, True), (0, True), (60, False)):
        assert ("mismatch", 35) == await bench.settle(second.hold_id, amount, within_available=within)
    await bench.settle(other.hold_id, 7)
    assert ("mismatch", 7) == await bench.settle(other.hold_id, GRANT, within_available=True)
    late, in_debt = await bench.held(ttl_ms=0), await bench.held(ttl_ms=0)
    await bench.ledger.expire_due(bench.team)
    assert ("late", GRANT - 57) == await bench.settle(late.hold_id, GRANT, within_available=True)
    await _in_debt(bench, in_debt)
    await bench.assert_clean()


async def _in_debt(bench: Bench, late: Held) -> None:
    """What was held, or had been, is charged whatever the team has; what costs nothing and was given up stays so."""
    lost, free, freed = bench.id(), await bench.held(0), await bench.held(0)
    await bench.settle(freed.hold_id, 0)
    await bench.ledger.undo(undone := bench.id(), bench.team)
    rest, _, charged = await bench.figures()
    last = await bench.held(rest)
    assert ("settled", rest + 5) == await bench.settle(last.hold_id, rest + 5)
    assert ("settled", 0) == await bench.settle(free.hold_id, 3, within_available=True)
    assert ("late", 10) == await bench.settle(late.hold_id, 12, within_available=True)
    settled = await bench.ledger.settle(lost, bench.team, 8, context=HoldContext(6), within_available=True)
    assert ("orphan", 6) == (settled.status, settled.charged)
    assert (-21, 0, charged + rest + 21) == await bench.figures()
    for hold_id, known, again in ((free.hold_id, 0, 3), (late.hold_id, 10, 12), (lost, 6, 8)):
        assert ("duplicate", known) == await bench.settle(hold_id, again, within_available=True)
    for hold_id in (freed.hold_id, undone):
        assert ("mismatch", 0) == await bench.settle(hold_id, 3, within_available=True)


ONCE_PROBES = (
    no_more_than_there_is,
    asked_again_under_its_name, released_is_as_if_never_asked, names_are_remembered,
    a_late_hold_leaves_the_name, requests_per_minute,
    undone_before_it_was_made, what_cannot_be_undone, a_lost_hold, kept_answers, jobs, odd_jobs,
)  # fmt: skip
