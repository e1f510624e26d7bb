"""How holds end: settle.lua, unknown.lua and expire.lua called directly."""

from collections.abc import Callable
from typing import Any

import pytest

NewId = Callable[..., str]
Raw = Any
RETENTION_MS = 72 * 3600 * 1000


async def use_of(raw: Raw, scope: str) -> list[str]:
    """Lifetime used and held of a scope."""
    value: str = await raw.client.command("HGET", raw.keys.bal, scope)
    return value[1:].split(",")[:2]


async def held(raw: Raw, new_id: NewId, **changes: Any) -> str:
    """A hold of 40 for a member."""
    hold_id = new_id()
    reply = await raw.hold(hold_id, **{"amount": 40, "member": "amy", **changes})
    assert "HELD" == reply[0]
    return hold_id


@pytest.mark.parametrize(
    ("amount", "reply"),
    [
        (40, ["SETTLED", "40", "0", "60", "0", "H", "0", "4"]),
        (25, ["SETTLED", "25", "15", "75", "0", "H", "0", "4"]),
        (1, ["SETTLED", "1", "39", "99", "0", "H", "0", "4"]),
        (0, ["RELEASED", "0", "40", "100", "0", "H", "0", "4"]),
        (41, ["SETTLED", "41", "0", "59", "0", "H", "1", "4"]),
        (140, ["SETTLED", "140", "0", "-40", "0", "H", "1", "4"]),
    ],
)
async def test_settle(funded: Raw, new_id: NewId, amount: int, reply: list[str]):
    """A settle charges the fact and frees the rest; more than was held is charged too, flagged."""
    hold_id = await held(funded, new_id)

    assert reply == await funded.settle(hold_id, amount)
    assert [str(amount), "0"] == await use_of(funded, "member:amy") == await use_of(funded, "team")


@pytest.mark.parametrize("amount", [0, 25])
async def test_settle_again(funded: Raw, new_id: NewId, amount: int):
    """The same settle again is a duplicate, another amount a mismatch; neither changes anything."""
    hold_id = await held(funded, new_id)
    await funded.settle(hold_id, amount)
    before, left, state = await funded.dump(), str(100 - amount), "S" if amount else "R"

    assert ["DUPLICATE", str(amount), "0", left, "0", state, "0", "0"] == await funded.settle(hold_id, amount)
    assert ["MISMATCH", str(amount), "0", left, "0", state, "0", "0"] == await funded.settle(hold_id, 7)
    assert before == await funded.dump()


async def test_settle_of_an_unknown_id(funded: Raw, new_id: NewId):
    """What was never held is gone; nothing is charged."""
    before = await funded.dump()

    assert ["GONE", "0", "0", "100", "0", "", "0", "0"] == await funded.settle(new_id(), 5)
    assert before == await funded.dump()


@pytest.mark.parametrize("amount", ["", "-1", "-0", "nan", "1e3", "0x10", "9007199254740991", "9007199254740993"])
async def test_settle_of_no_amount(funded: Raw, new_id: NewId, amount: str):
    """An amount that is no plain number up to 9e15 is INVALID and changes nothing."""
    hold_id = await held(funded, new_id)
    before = await funded.dump()

    assert "INVALID" == (await funded.settle(hold_id, amount))[0]
    assert before == await funded.dump()


async def test_charged_total_stays_exact(funded: Raw, new_id: NewId):
    """A charge that would take the team's total past 9e15 is INVALID; what was charged before is still a duplicate."""
    first = await held(funded, new_id, amount=0)
    await funded.settle(first, 8_999_999_999_999_999)
    assert "DUPLICATE" == (await funded.settle(first, 8_999_999_999_999_999))[0]

    last = [await funded.settle(await held(funded, new_id, amount=0), amount) for amount in (2, 1)]
    assert ["INVALID", "SETTLED"] == [reply[0] for reply in last]


async def test_charged_total_stays_exact_for_late_results_too(funded: Raw, new_id: NewId):
    """A late result may not take the total past 9e15 either."""
    late = await held(funded, new_id, ttl=0)
    await funded.expire(late)
    await funded.settle(await held(funded, new_id, amount=0), 8_999_999_999_999_999)

    assert ["INVALID", "LATE"] == [(await funded.settle(late, amount))[0] for amount in (2, 1)]


async def test_tombstone_is_small_and_expires(funded: Raw, new_id: NewId):
    """A settled hold leaves one short field in a bucket that expires 72 hours after its last write."""
    hold_id = await held(funded, new_id)
    await funded.settle(hold_id, 25)
    key = funded.keys.done_of(hold_id)

    assert "S\t25\t40\tf" == await funded.client.command("HGET", key, hold_id)
    assert RETENTION_MS - 5000 < await funded.client.command("PTTL", key) <= RETENTION_MS


async def test_resolved_hold_leaves_nothing_open(funded: Raw, new_id: NewId):
    """After a settle neither the record nor the deadline is left."""
    await funded.settle(await held(funded, new_id), 25)

    assert 0 == await funded.client.command("EXISTS", funded.keys.open, funded.keys.due)


async def test_mark_unknown(funded: Raw, new_id: NewId):
    """Marking keeps the credits and gives the deadline; a second mark changes nothing."""
    hold_id = await held(funded, new_id, grace=60_000)
    status, deadline, seq = await funded.unknown(hold_id)
    before = await funded.dump()

    assert ["UNKNOWN", "4"] == [status, seq]
    assert ["DUPLICATE", deadline, "0"] == await funded.unknown(hold_id)
    assert before == await funded.dump()


async def test_mark_unknown_of_what_is_not_open(funded: Raw, new_id: NewId):
    """A resolved hold says so, and an id never seen is gone."""
    hold_id = await held(funded, new_id)
    await funded.settle(hold_id, 25)

    assert ["RESOLVED", "0", "0"] == await funded.unknown(hold_id)
    assert ["GONE", "0", "0"] == await funded.unknown(new_id())


async def test_unknown_hold_settles_as_usual(funded: Raw, new_id: NewId):
    """An outcome that comes within the grace is an ordinary settle."""
    hold_id = await held(funded, new_id, grace=60_000)
    await funded.unknown(hold_id)

    assert ["SETTLED", "25", "15", "75", "0", "U", "0", "5"] == await funded.settle(hold_id, 25)


@pytest.mark.parametrize(
    ("policy", "kind", "available", "still_held", "still_open"),
    [("r", "expire", "100", "0", 0), ("c", "charge", "60", "0", 0), ("k", "keep", "60", "40", 1)],
)
async def test_expire_by_policy(
    funded: Raw, new_id: NewId, policy: str, kind: str, available: str, still_held: str, still_open: int
):
    """Past its deadline a hold without grace becomes unknown and meets its policy in one go, each in the journal."""
    hold_id = await held(funded, new_id, ttl=0, policy=policy)

    assert [[hold_id, "unknown", "40", "4"], [hold_id, kind, "40", "5"]] == await funded.expire(hold_id)
    assert [available, still_held] == [str(100 - 40 * (policy != "r")), (await funded.balance("team"))[5]]
    assert still_open == await funded.client.command("HLEN", funded.keys.open)
    assert [] == await funded.expire(hold_id)


async def test_expire_with_grace_waits(funded: Raw, new_id: NewId):
    """With a grace the hold becomes unknown first, keeps its credits, and is left alone until the grace is over."""
    hold_id = await held(funded, new_id, ttl=0, grace=60_000)

    assert [[hold_id, "unknown", "40", "4"]] == await funded.expire(hold_id)
    assert [] == await funded.expire(hold_id)
    await funded.client.command("ZADD", funded.keys.due, 1, hold_id)
    assert [[hold_id, "expire", "40", "5"]] == await funded.expire(hold_id)


async def test_expire_leaves_what_is_not_due(funded: Raw, new_id: NewId):
    """A hold before its deadline, and an id never seen, are left alone."""
    before_deadline = await held(funded, new_id)

    assert [[], []] == [await funded.expire(before_deadline), await funded.expire(new_id())]


@pytest.mark.parametrize("index", ["", "4", "6", "x"])
async def test_expire_with_a_wrong_key_index(funded: Raw, new_id: NewId, index: str):
    """An index that names no done bucket is INVALID and changes nothing."""
    hold_id = await held(funded, new_id, ttl=0)
    before = await funded.dump()

    assert ["INVALID", "key index"] == await funded.expire(hold_id, index)
    assert before == await funded.dump()


@pytest.mark.parametrize(
    ("policy", "amount", "reply", "used"),
    [
        ("r", 25, ["LATE", "25", "0", "75", "0", "X", "0", "6"], "25"),
        ("r", 140, ["LATE", "140", "0", "-40", "0", "X", "1", "6"], "140"),
        ("r", 0, ["DUPLICATE", "0", "0", "100", "0", "X", "0", "0"], "0"),
        ("c", 25, ["LATE", "25", "15", "75", "0", "C", "0", "6"], "25"),
        ("c", 40, ["LATE", "40", "0", "60", "0", "C", "0", "6"], "40"),
        ("c", 0, ["LATE", "0", "40", "100", "0", "C", "0", "6"], "0"),
        ("c", 50, ["LATE", "50", "0", "50", "0", "C", "1", "6"], "50"),
    ],
)
async def test_late_result(funded: Raw, new_id: NewId, policy: str, amount: int, reply: list[str], used: str):
    """A result after time resolved the hold is booked as the fact it is, in every scope, and may go below zero."""
    hold_id = await held(funded, new_id, ttl=0, policy=policy)
    await funded.expire(hold_id)

    assert reply == await funded.settle(hold_id, amount)
    assert [used, "0"] == await use_of(funded, "team") == await use_of(funded, "member:amy")


async def test_late_result_is_booked_once(funded: Raw, new_id: NewId):
    """After a late settle the same one is a duplicate and another a mismatch."""
    hold_id = await held(funded, new_id, ttl=0)
    await funded.expire(hold_id)
    await funded.settle(hold_id, 25)
    before = await funded.dump()

    assert ["DUPLICATE", "MISMATCH"] == [(await funded.settle(hold_id, amount))[0] for amount in (25, 0)]
    assert ["REPEAT", "L", "40", "25", hold_id] == await funded.hold(hold_id)
    assert before == await funded.dump()


@pytest.mark.parametrize(("policy", "state"), [("r", "X"), ("c", "C")])
async def test_hold_after_time_resolved_it(funded: Raw, new_id: NewId, policy: str, state: str):
    """An expired hold is told by its state."""
    hold_id = await held(funded, new_id, ttl=0, policy=policy)
    await funded.expire(hold_id)

    assert ["REPEAT", state, "40", "40" if policy == "c" else "0", hold_id] == await funded.hold(hold_id)


async def test_kept_hold_is_settled_as_usual(funded: Raw, new_id: NewId):
    """A hold kept by its policy waits for somebody to settle it, without a deadline."""
    hold_id = await held(funded, new_id, ttl=0, policy="k")
    await funded.expire(hold_id)

    assert None is await funded.client.command("ZSCORE", funded.keys.due, hold_id)
    assert ["DUPLICATE", "0", "0"] == await funded.unknown(hold_id)
    assert ["SETTLED", "25", "15", "75", "0", "U", "0", "6"] == await funded.settle(hold_id, 25)


async def test_journal_refuses_a_sequence_it_has_and_nothing_else_is_written(funded: Raw, new_id: NewId):
    """If the figures were set back, the first write fails, and it is the only one that was tried."""
    hold_id = await held(funded, new_id)
    await funded.client.command("HSET", funded.keys.bal, "figures", "1:0:100:0:0:40:1")
    before = await funded.dump()

    with pytest.raises(Exception, match="XADD"):
        await funded.settle(hold_id, 25)
    assert before == await funded.dump()


@pytest.mark.parametrize("key", ["bal", "open", "due", "done", "journal"])
async def test_key_of_another_type_stops_settle_before_it_writes(funded: Raw, new_id: NewId, key: str):
    """A key of the wrong type is met before or at the first write, never half way."""
    hold_id = await held(funded, new_id)
    name = funded.keys.done_of(hold_id) if key == "done" else getattr(funded.keys, key)
    await funded.client.command("DEL", name)
    await funded.client.command("SET", name, "text")
    before = await funded.dump()

    with pytest.raises(Exception, match="WRONGTYPE"):
        await funded.settle(hold_id, 25)
    assert before == await funded.dump()
    await funded.client.command("DEL", name)
