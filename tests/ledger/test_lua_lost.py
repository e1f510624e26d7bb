"""Holds that are not there (undone before they were made, lost by the store), that follow a job, or have an answer."""

import json
from collections.abc import Callable
from typing import Any

import pytest

HOUR = 3_600_000
MOST = 9_000_000_000_000_000
NewId = Callable[..., str]
Raw = Any


def context(amount: int = 40, windows: str = "0:0:0:0", member: str = "amy") -> str:
    """What a settle brings along."""
    return f"{amount}\t{windows}\t\t{member}\t\tf\tlist\t"


async def counters(raw: Raw, scope: str = "member:amy") -> str:
    """A scope's counters as 'used:held' for life, hour, day, week and month, and when the windows began."""
    stored = await raw.client.command("HGET", raw.keys.bal, scope)
    if stored is None:
        return "None"
    *moved, starts = json.loads(stored)
    return "|".join([f"{used}:{held}" for used, held in zip(moved[::2], moved[1::2], strict=True)] + [starts])


async def test_an_undo_before_the_hold_keeps_it_from_being_made(funded: Raw, new_id: NewId):
    """The hold that comes after it is told that it was undone, whatever its fingerprint, and nothing is held."""
    hold_id = new_id()
    undone = await funded.settle(hold_id, 0, undo=1)
    before = await funded.dump()

    assert ["VOIDED", "0", "0", "100", "0", "", "0", "3"] == undone
    assert [["REPEAT", "V", "0", "0", hold_id]] * 2 == [
        await funded.hold(hold_id, fingerprint=fingerprint) for fingerprint in ("f", "other")
    ]
    assert before == await funded.dump()


async def test_an_undo_is_remembered_like_any_end(funded: Raw, new_id: NewId):
    """It leaves a few bytes, and an entry in the journal that moves no credits."""
    hold_id = new_id()
    await funded.settle(hold_id, 0, undo=1)

    assert "V\t0\t\t" == await funded.client.command("HGET", funded.keys.done_of(hold_id), hold_id)
    (entry,) = await funded.client.command("XRANGE", funded.keys.journal, "3-0", "+")
    assert ["void", hold_id, "0", "0", "why"] == [entry[1][1].split("\t")[at] for at in (0, 2, 3, 4, 11)]


async def test_an_undo_with_an_amount_is_no_undo(funded: Raw, new_id: NewId):
    """It is INVALID and writes nothing."""
    before = await funded.dump()

    assert ["INVALID", "undo"] == await funded.settle(new_id(), 1, undo=1)
    assert before == await funded.dump()


@pytest.mark.parametrize("age_ms", [49 * HOUR, -25 * HOUR])
@pytest.mark.parametrize("how", [{"undo": 1}, {"context": context()}])
async def test_an_id_that_may_be_forgotten_is_gone(funded: Raw, new_id: NewId, age_ms: int, how: dict[str, Any]):
    """Too old to tell a lost hold from a forgotten one, or of the far future: nothing is booked."""
    before = await funded.dump()

    assert ["GONE", "0", "0", "100", "0", "", "0", "0"] == await funded.settle(new_id(age_ms), 0, **how)
    assert before == await funded.dump()


async def test_nothing_is_booked_for_nobody(raw: Raw, new_id: NewId):
    """A team that is not there gets neither an undo nor an orphan."""
    replies = [await raw.settle(new_id(), 0, undo=1), await raw.settle(new_id(), 5, context=context())]

    assert (["GONE", "GONE"], {}) == ([reply[0] for reply in replies], await raw.dump())


@pytest.mark.parametrize(("amount", "available", "over"), [(25, "75", "0"), (41, "59", "1"), (140, "-40", "1")])
async def test_a_lost_hold_is_charged_from_its_context(
    funded: Raw, new_id: NewId, amount: int, available: str, over: str
):
    """The fact is booked in the team and in the scopes of the hold, even below zero, with all of it in the journal."""
    hold_id = new_id()

    assert ["ORPHAN", str(amount), "0", available, "0", "", over, "3"] == (
        await funded.settle(hold_id, amount, context=context())
    )
    assert [f"{amount}:0"] * 2 == [(await counters(funded, scope)).split("|")[0] for scope in ("team", "member:amy")]
    (entry,) = await funded.client.command("XRANGE", funded.keys.journal, "3-0", "+")
    assert ["orphan", hold_id, "40", str(amount), "amy", "0:0:0:0", "list"] == [
        entry[1][1].split("\t")[at] for at in (0, 2, 3, 4, 7, 9, 10)
    ]


async def test_an_orphan_is_booked_once(funded: Raw, new_id: NewId):
    """The same again is a duplicate, another amount a mismatch; a hold of that id is told about it."""
    hold_id = new_id()
    await funded.settle(hold_id, 25, context=context())
    before = await funded.dump()

    replies = [(await funded.settle(hold_id, amount, context=context()))[0] for amount in (25, 24, 0)]
    assert ["DUPLICATE", "MISMATCH", "MISMATCH"] == replies
    assert ["REPEAT", "O", "40", "25", hold_id] == await funded.hold(hold_id)
    assert ["MISMATCH", "O", hold_id] == await funded.hold(hold_id, fingerprint="other")
    assert before == await funded.dump()


async def test_an_orphan_counts_in_the_windows_of_its_hold(funded: Raw, new_id: NewId):
    """In those that are still the current ones, and in those that the store lost with it; never in a later one."""
    await funded.settle(new_id(), 1, context=context(windows="10:20:30:40"))
    await funded.settle(new_id(), 2, context=context(windows="10:19:31:40"))

    assert "3:0|3:0|1:0|2:0|3:0|10:20:31:40" == await counters(funded)


async def test_a_hold_after_an_orphan_opens_its_own_windows(funded: Raw, new_id: NewId):
    """Without windows an orphan counts for life alone."""
    await funded.settle(new_id(), 1, context=context())
    await funded.hold(amount=5, member="amy")

    assert ["1:5", *["0:5"] * 4] == (await counters(funded)).split("|")[:5]


@pytest.mark.parametrize(
    "text", ["x", "-1" + context()[2:], context() + "\t", context(windows="1:2:3"), f"{2**53}{context()[2:]}"]
)
async def test_a_context_that_cannot_be_read(funded: Raw, new_id: NewId, text: str):
    """It is INVALID and writes nothing."""
    before = await funded.dump()

    assert ["INVALID", "context"] == await funded.settle(new_id(), 5, context=text)
    assert before == await funded.dump()


async def test_orphans_stay_exact(funded: Raw, new_id: NewId):
    """An orphan may take the charged total to 9e15 and not one unit further."""
    replies = [await funded.settle(new_id(), amount, context=context()) for amount in (MOST - 1, 2, 1)]

    assert ["ORPHAN", "INVALID", "ORPHAN"] == [reply[0] for reply in replies]


async def test_a_context_changes_nothing_for_a_hold_that_is_there(funded: Raw, new_id: NewId):
    """The store's own record counts."""
    hold_id = new_id()
    await funded.hold(hold_id, amount=30, member="bob")

    assert "SETTLED" == (await funded.settle(hold_id, 25, context=context()))[0]
    assert ["25:0", "None"] == [(await counters(funded, f"member:{name}")).split("|")[0] for name in ("bob", "amy")]


async def test_a_job_is_remembered_until_its_hold_ends(funded: Raw, new_id: NewId):
    """Its text is kept beside the hold and goes with it; it is not for the journal, which is kept and handed on."""
    hold_id = new_id()
    await funded.hold(hold_id)
    status, _, seq = await funded.job(hold_id, "job\t7")
    kept = await funded.client.command("HGETALL", funded.keys.jobs)
    (entry,) = await funded.client.command("XRANGE", funded.keys.journal, "4-0", "+")
    await funded.settle(hold_id, 7)

    assert ("ATTACHED", "4", [hold_id, "job\t7"]) == (status, seq, kept)
    assert "job" == entry[1][1].split("\t")[0]
    assert "job\t7" not in entry[1][1]
    assert [] == await funded.client.command("HGETALL", funded.keys.jobs)


@pytest.mark.parametrize("policy", ["r", "c", "k"])
async def test_time_never_resolves_a_hold_with_a_job(funded: Raw, new_id: NewId, policy: str):
    """Whatever the policy was: overdue it is unknown, and then kept, by a sweep or by another hold."""
    hold_id = new_id()
    await funded.hold(hold_id, amount=40, policy=policy)
    await funded.job(hold_id, ttl=0)
    await funded.hold(amount=0)

    assert [[hold_id, "unknown", "40", "5"], [hold_id, "keep", "40", "6"]] == funded.reaped
    assert "40" == (await funded.balance("team"))[5]
    assert 1 == await funded.client.command("HLEN", funded.keys.jobs)


@pytest.mark.parametrize(("job", "ttl", "what"), [("", 1, "job"), ("j", "x", "ttl"), ("j", "-0", "ttl")])
async def test_no_job(funded: Raw, new_id: NewId, job: str, ttl: str | int, what: str):
    """An empty job or a ttl that is no plain number is INVALID and writes nothing."""
    hold_id = new_id()
    await funded.hold(hold_id)
    before = await funded.dump()

    assert ["INVALID", what] == await funded.job(hold_id, job, ttl)
    assert before == await funded.dump()


async def test_jobs_of_the_wrong_type_stop_a_settle_before_it_writes(funded: Raw, new_id: NewId):
    """The key of the jobs is met before the first write."""
    hold_id = new_id()
    await funded.hold(hold_id)
    await funded.job(hold_id)
    await funded.client.command("DEL", funded.keys.jobs)
    await funded.client.command("SET", funded.keys.jobs, "text")
    before = await funded.dump()

    for call in (funded.settle(hold_id, 7), funded.job(hold_id)):
        with pytest.raises(Exception, match="WRONGTYPE"):
            await call
    assert before == await funded.dump()
    await funded.client.command("DEL", funded.keys.jobs)


async def answer_of(raw: Raw, hold_id: str) -> str | None:
    """The answer that is kept with a hold."""
    text: str | None = await raw.client.command("GET", raw.keys.answer(hold_id))
    return text


@pytest.mark.parametrize("how", ["settled", "late", "orphan"])
async def test_an_answer_is_kept_with_the_charge(funded: Raw, new_id: NewId, how: str):
    """Whichever way the charge was booked; a second one does not replace it."""
    hold_id = new_id()
    if how != "orphan":
        await funded.hold(hold_id, ttl=0 if how == "late" else 60_000)
    if how == "late":
        await funded.expire(hold_id)
    for text in ("first", "second"):
        await funded.settle(hold_id, 7, context=context(), answer=(text, 24 * HOUR))

    assert "first" == await answer_of(funded, hold_id)


async def test_no_answer_is_kept_without_a_charge(funded: Raw, new_id: NewId):
    """Not with a release, nor with what the ledger did not book."""
    released, settled, lost = new_id(), new_id(), new_id()
    await funded.hold(released)
    await funded.hold(settled)
    await funded.settle(settled, 7)
    answer = ("text", 24 * HOUR)
    replies = [
        (await funded.settle(hold_id, amount, answer=answer))[0]
        for hold_id, amount in ((released, 0), (settled, 8), (settled, 7), (lost, 7))
    ]

    assert ["RELEASED", "MISMATCH", "DUPLICATE", "GONE"] == replies
    assert [None] * 3 == [await answer_of(funded, hold_id) for hold_id in (released, settled, lost)]


async def test_the_answer_to_a_job_is_replaced_by_its_result(funded: Raw, new_id: NewId):
    """While it runs the request is answered with the job, afterwards with what came of it."""
    hold_id = new_id()
    await funded.hold(hold_id)
    await funded.job(hold_id, answer=("running", 24 * HOUR))
    running = await answer_of(funded, hold_id)
    await funded.settle(hold_id, 7, answer=("made", 24 * HOUR))

    assert ["running", "made"] == [running, await answer_of(funded, hold_id)]


@pytest.mark.parametrize("ttl", ["", "0", "-0", "x", "1e3"])
async def test_an_answer_is_kept_for_a_time(funded: Raw, new_id: NewId, ttl: str):
    """A time that is no plain number above 0 is INVALID and writes nothing."""
    hold_id = new_id()
    await funded.hold(hold_id)
    before = await funded.dump()

    replies = [await funded.settle(hold_id, 7, answer=("a", ttl)), await funded.job(hold_id, answer=("a", ttl))]
    assert [["INVALID", "answer"]] * 2 == replies
    assert before == await funded.dump()


async def test_an_end_that_charged_all_is_remembered_in_fewer_bytes(funded: Raw, new_id: NewId):
    """What was held is not written when it is what was charged, and is told all the same."""
    hold_id = new_id()
    await funded.hold(hold_id)
    await funded.settle(hold_id, 10)

    assert "S\t10\t\tf" == await funded.client.command("HGET", funded.keys.done_of(hold_id), hold_id)
    assert ["REPEAT", "S", "10", "10", hold_id] == await funded.hold(hold_id)
