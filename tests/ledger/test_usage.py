"""Usage in the scripts: every way in which a hold ends moves its row exactly, and nothing else does."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from gatekeeper.ledger.codec import pairs
from gatekeeper.ledger.holdid import DAY_MS, hold_id_day, hold_id_month, new_hold_id
from gatekeeper.ledger.lua import script
from gatekeeper.ledger.usagebook import LIFE_DAYS, ROWS_MAX, bucket_ends_ms
from tests.ledger.conftest import Raw

NewId = Callable[..., str]
FOR = "seedream|image.generate|2K|draft|ark|retry"


async def rows(raw: Raw, hold_id: str) -> dict[str, str]:
    """The rows of this hold's month."""
    return pairs(await raw.client.command("HGETALL", raw.keys.usage_of(hold_id)))


async def counted(raw: Raw, hold_id: str) -> list[str]:
    """What is counted in the rows of this hold's month, without their names."""
    return list((await rows(raw, hold_id)).values())


def context(amount: int = 40, windows: str = "0:0:0:0") -> str:
    """What books a settle of a hold that is lost."""
    return f"{amount}\t{windows}\tspring\tamy\t\tf\tlist\t{FOR}"


async def held(raw: Raw, hold_id: str, **changes: Any) -> str:
    """An admitted hold of 40 that names what it is for."""
    named = {"amount": 40, "usage": FOR, "project": "spring", "member": "amy", **changes}
    assert "HELD" == (await raw.hold(hold_id, **named))[0]
    return hold_id


@pytest.mark.parametrize(
    ("amount", "outputs", "expected"),
    [(25, 3, "25:1:0:3"), (60, 1, "60:1:0:1"), (25, 0, "25:1:0:0"), (0, 0, "0:0:1:0"), (0, 2, "0:1:0:2")],
)
async def test_a_settle_counts_once(funded: Raw, new_id: NewId, amount: int, outputs: int, expected: str):
    """What was charged or made is a generation with its credits and outputs, anything else was released; asking again
    counts nothing."""
    hold_id = await held(funded, new_id())
    for _ in range(2):
        await funded.settle(hold_id, amount, outputs=outputs)
    assert "MISMATCH" == (await funded.settle(hold_id, 7, outputs=9))[0]

    assert [expected] == await counted(funded, hold_id)


async def test_a_row_is_named_by_day_and_by_what_it_is_for(funded: Raw, new_id: NewId):
    """The day is the one in which the hold's window began, whatever the UTC day is."""
    hold_id = await held(funded, new_id())
    await funded.settle(hold_id, 1)
    day = funded.windows.split(":")[1]

    assert [f"{day}\t{FOR}\tspring\tamy"] == list(await rows(funded, hold_id))


async def test_what_is_open_is_not_counted(funded: Raw, new_id: NewId):
    """Neither a hold nor a doubt nor a job is usage, nor one that is kept."""
    hold_id = await held(funded, new_id(), policy="k", ttl=0)
    await funded.job(hold_id, ttl=0)
    await funded.unknown(hold_id)
    await funded.expire(hold_id)

    assert [] == await counted(funded, hold_id)


@pytest.mark.parametrize(("policy", "expected"), [("r", "0:0:1:0"), ("c", "40:1:0:0")])
async def test_time_counts_too(funded: Raw, new_id: NewId, policy: str, expected: str):
    """A hold that time released or charged is counted as that."""
    hold_id = await held(funded, new_id(), policy=policy, ttl=0)
    await funded.expire(hold_id)

    assert [expected] == await counted(funded, hold_id)


async def test_a_hold_that_reaps_counts(funded: Raw, new_id: NewId):
    """What time did in the step of another hold is counted in that step."""
    hold_id = await held(funded, new_id(), policy="c", ttl=0)
    await funded.hold(new_id())

    assert ["40:1:0:0"] == await counted(funded, hold_id)


@pytest.mark.parametrize("policy", ["r", "c"])
@pytest.mark.parametrize(("amount", "expected"), [(25, "25:1:0:3"), (60, "60:1:0:3")])
async def test_a_late_result_takes_the_place_of_its_first_end(
    funded: Raw, new_id: NewId, policy: str, amount: int, expected: str
):
    """Of what time had resolved only the late fact is counted."""
    hold_id = await held(funded, new_id(), policy=policy, ttl=0)
    await funded.expire(hold_id)
    assert "LATE" == (await funded.settle(hold_id, amount, outputs=3))[0]

    assert [expected] == await counted(funded, hold_id)


async def test_a_charge_by_time_that_was_for_nothing(funded: Raw, new_id: NewId):
    """A late release of what time had charged was no generation."""
    hold_id = await held(funded, new_id(), policy="c", ttl=0)
    await funded.expire(hold_id)
    assert "LATE" == (await funded.settle(hold_id, 0))[0]

    assert ["0:0:1:0"] == await counted(funded, hold_id)


async def test_a_release_after_time_released_counts_nothing_more(funded: Raw, new_id: NewId):
    """It changed nothing, and is not counted."""
    hold_id = await held(funded, new_id(), ttl=0)
    await funded.expire(hold_id)
    assert "DUPLICATE" == (await funded.settle(hold_id, 0))[0]

    assert ["0:0:1:0"] == await counted(funded, hold_id)


@pytest.mark.parametrize("windows", ["0:0:0:0", "9:8000:7:6"])
async def test_an_orphan_is_counted(funded: Raw, new_id: NewId, windows: str):
    """A lost hold is counted by its context: in the day of its windows, or, if those are not known, the UTC day in its
    id."""
    hold_id = new_id()
    assert "ORPHAN" == (await funded.settle(hold_id, 25, context=context(windows=windows), outputs=2))[0]
    day = hold_id_day(hold_id) * DAY_MS if windows == "0:0:0:0" else 8000

    assert {f"{day}\t{FOR}\tspring\tamy": "25:1:0:2"} == await rows(funded, hold_id)


async def test_an_undone_hold_is_not_counted(funded: Raw, new_id: NewId):
    """What never was is not usage."""
    hold_id = new_id()
    await funded.settle(hold_id, 0, undo=1)
    await funded.settle(new_id(), 0, context=context())

    assert [] == await counted(funded, hold_id)


async def test_many_ends_in_one_step_are_one_row(funded: Raw, new_id: NewId):
    """A sweep over several holds counts each of them in the row they share."""
    ids = [await held(funded, new_id(), amount=10, policy=policy, ttl=60_000) for policy in "ccr"]
    keys = funded.keys
    for hold_id in ids:
        await funded.client.command("ZADD", keys.due, 0, hold_id)
    names = [keys.bal, keys.open, keys.due, keys.journal, keys.done_of(ids[0]), keys.usage_of(ids[0])]
    args = [part for hold_id in ids for part in (hold_id, 5)]
    await funded.client.run(script("expire"), names, args)

    assert ["20:2:1:0"] == await counted(funded, ids[0])


@pytest.mark.parametrize("outputs", ["", "x", "-1", "1000001", "1e3"])
async def test_odd_outputs(funded: Raw, new_id: NewId, outputs: str):
    """What is no number of outputs changes nothing."""
    hold_id = await held(funded, new_id())
    before = await funded.dump()

    assert "INVALID" == (await funded.settle(hold_id, 1, outputs=outputs))[0]
    assert before == await funded.dump()


async def test_a_full_month_counts_the_rest_in_one_row_a_day(funded: Raw, new_id: NewId):
    """Beyond the most rows there is one more for each day; rows that are there go on, and a late result finds the row
    in which its first end was counted."""
    known, late = await held(funded, new_id(), amount=1), await held(funded, new_id(), amount=2, usage="b|||||", ttl=0)
    key, day = funded.keys.usage_of(known), funded.windows.split(":")[1]
    fill = [part for number in range(ROWS_MAX - 1) for part in (f"1\t{number}", "0:0:0:0")]
    await funded.client.command("HSET", key, f"{day}\t{FOR}\tspring\tamy", "5:5:5:5", *fill)
    await funded.client.command("PEXPIREAT", key, bucket_ends_ms(hold_id_month(known)))

    await funded.settle(known, 1, outputs=1)
    await funded.expire(late)
    expired = await funded.client.command("HGET", key, f"{day}\t*")
    await funded.settle(late, 2, outputs=1)

    found = await rows(funded, known)
    assert ("6:6:5:6", "0:0:1:0", "2:1:0:1", ROWS_MAX + 1) == (
        found[f"{day}\t{FOR}\tspring\tamy"], expired, found[f"{day}\t*"], len(found),
    )  # fmt: skip


async def test_two_new_rows_of_one_step_at_the_bound(funded: Raw, new_id: NewId):
    """Rows that a step has only just made count among those that a month may have."""
    ids = [await held(funded, new_id(), amount=1, usage=f"{name}|||||", policy="c") for name in "abc"]
    keys, day = funded.keys, funded.windows.split(":")[1]
    fill = [part for number in range(ROWS_MAX - 1) for part in (f"1\t{number}", "0:0:0:0")]
    await funded.client.command("HSET", keys.usage_of(ids[0]), *fill)
    for hold_id in ids:
        await funded.client.command("ZADD", keys.due, 0, hold_id)
    names = [keys.bal, keys.open, keys.due, keys.journal, keys.done_of(ids[0]), keys.usage_of(ids[0])]
    await funded.client.run(script("expire"), names, [part for hold_id in ids for part in (hold_id, 5)])

    found = await rows(funded, ids[0])
    assert ("1:1:0:0", "2:2:0:0", ROWS_MAX + 1) == (
        found[f"{day}\ta|||||\tspring\tamy"],
        found[f"{day}\t*"],
        len(found),
    )


async def test_a_month_is_forgotten_400_days_after_it(funded: Raw, new_id: NewId):
    """A bucket's life is told when a row is new, and always ends at the same time."""
    hold_id = await held(funded, new_id())
    await funded.settle(hold_id, 1)
    key = funded.keys.usage_of(hold_id)
    left_ms = int(await funded.client.command("PTTL", key))

    assert abs(time.time_ns() // 1_000_000 + left_ms - bucket_ends_ms(hold_id_month(hold_id))) < 10_000
    assert 400 * DAY_MS < left_ms <= LIFE_DAYS * DAY_MS


async def test_the_end_of_any_month_is_known(funded: Raw, new_id: NewId):
    """Leap years and turns of the year make no difference to when a bucket ends."""
    now_ms = time.time_ns() // 1_000_000
    record = await funded.client.command("HGET", funded.keys.open, await held(funded, new_id(), amount=0))
    figures = str(await funded.client.command("HGET", funded.keys.bal, "figures"))
    await funded.client.command("HSET", funded.keys.bal, "figures", figures[: figures.rindex(":")] + ":99")
    ids = [new_hold_id(now_ms + days * DAY_MS, 1) for days in range(-360, 1500, 25)]
    for hold_id in ids:
        await funded.client.command("HSET", funded.keys.open, hold_id, record)
        assert "RELEASED" == (await funded.settle(hold_id, 0))[0]

    for month in {hold_id_month(hold_id) for hold_id in ids}:
        left_ms = int(await funded.client.command("PTTL", funded.keys.usage(month)))
        assert abs(now_ms + left_ms - bucket_ends_ms(month)) < 10_000


async def test_what_is_forgotten_is_not_counted_again(funded: Raw, new_id: NewId):
    """A hold that was kept for longer than its month is remembered ends without a row."""
    hold_id = await held(funded, new_id())
    old = new_hold_id(time.time_ns() // 1_000_000 - (LIFE_DAYS + 31) * DAY_MS, 1)
    record = await funded.client.command("HGET", funded.keys.open, hold_id)
    await funded.client.command("HSET", funded.keys.open, old, record)

    assert "SETTLED" == (await funded.settle(old, 1))[0]
    assert 0 == await funded.client.command("EXISTS", funded.keys.usage_of(old))


async def test_a_row_that_cannot_be_read_stops_the_step(funded: Raw, new_id: NewId):
    """Nothing is written where the row is not one, or the bucket is something else."""
    hold_id = await held(funded, new_id())
    key = funded.keys.usage_of(hold_id)
    for spoil in (("HSET", key, f"{funded.windows.split(':')[1]}\t{FOR}\tspring\tamy", "x"), ("SET", key, "x")):
        await funded.client.command("DEL", key)
        await funded.client.command(*spoil)
        before = await funded.dump()
        with pytest.raises(Exception, match=r"(?i)usage cannot be read|WRONGTYPE"):
            await funded.settle(hold_id, 1)
        assert before == await funded.dump()
    await funded.client.command("DEL", key)
