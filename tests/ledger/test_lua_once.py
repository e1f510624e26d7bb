"""hold.lua knows a request again by its name, and counts requests by the minute."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from gatekeeper.ledger.holdid import DAY_MS, hold_id_day

HOUR = 3_600_000
NewId = Callable[..., str]
Raw = Any


async def test_the_same_request_under_another_id(funded: Raw, new_id: NewId):
    """Within its time a name is answered with the first hold, and nothing is written."""
    first = new_id()
    await funded.hold(first, amount=40, once="n")
    before = await funded.dump()

    assert ["REPEAT", "H", "40", "0", first] == await funded.hold(once="n", within=HOUR)
    assert before == await funded.dump()


async def test_a_name_with_another_fingerprint(funded: Raw, new_id: NewId):
    """The same name for something else is told, running or settled, and nothing is written."""
    first = new_id()
    await funded.hold(first, once="n")
    running = await funded.hold(once="n", within=HOUR, fingerprint="other")
    await funded.settle(first, 7)
    before = await funded.dump()
    settled = await funded.hold(once="n", within=HOUR, fingerprint="other")

    assert [["MISMATCH", "H", first], ["MISMATCH", "S", first]] == [running, settled]
    assert before == await funded.dump()


async def test_a_settled_request_tells_its_charge(funded: Raw, new_id: NewId):
    """What was held and what was charged, with the id that its answer is kept under."""
    first = new_id()
    await funded.hold(first, once="n")
    await funded.settle(first, 7)

    assert ["REPEAT", "S", "10", "7", first] == await funded.hold(once="n", within=HOUR)


@pytest.mark.parametrize("undo", [0, 1])
async def test_a_request_that_cost_nothing_may_be_made_again(funded: Raw, new_id: NewId, undo: int):
    """Released or undone, it is as if it had not been; the new hold has the name then."""
    first, second = new_id(), new_id()
    await funded.hold(first, once="n")
    await funded.settle(first, 0, undo=undo)

    assert "HELD" == (await funded.hold(second, once="n", within=HOUR))[0]
    assert ["REPEAT", "H", "10", "0", second] == await funded.hold(once="n", within=HOUR)


@pytest.mark.parametrize(("within", "known"), [(0, False), (HOUR, False), (3 * HOUR, True)])
async def test_how_long_a_name_counts(funded: Raw, new_id: NewId, within: int, known: bool):
    """A hold of two hours ago is known within three, not within one; within no time at all none is."""
    await funded.hold(new_id(2 * HOUR), once="n")

    assert ("REPEAT" if known else "HELD") == (await funded.hold(once="n", within=within))[0]


async def test_nobody_looks_for_a_name_that_was_not_asked_for(funded: Raw, new_id: NewId):
    """Within no time at all there is no earlier hold, not even of a gateway whose clock is ahead."""
    await funded.hold(new_id(-60_000), once="n")

    assert "HELD" == (await funded.hold(once="n", within=0))[0]


async def test_a_refused_request_leaves_no_name(funded: Raw, new_id: NewId):
    """What was not admitted may come again as new."""
    refused = await funded.hold(amount=101, once="n")

    assert ["REFUSED", "HELD"] == [refused[0], (await funded.hold(once="n", within=HOUR))[0]]


@pytest.mark.parametrize("days", [-1, 0, 1])
@pytest.mark.parametrize("settled", [False, True])
async def test_a_name_is_found_across_midnight(funded: Raw, new_id: NewId, days: int, settled: bool):
    """Yesterday's names are known, and those of a gateway for whose clock it is tomorrow already."""
    first = new_id(-days * DAY_MS + (60_000 if days > 0 else 0))
    await funded.hold(first, once="n")
    if settled:
        await funded.settle(first, 7)

    assert ["REPEAT", "S" if settled else "H"] == (await funded.hold(once="n", within=DAY_MS + HOUR))[:2]


async def test_a_name_whose_hold_is_forgotten(funded: Raw, new_id: NewId):
    """A name that points to nothing the store knows counts for nothing."""
    first = new_id()
    await funded.hold(first, once="n")
    await funded.settle(first, 7)
    await funded.client.command("DEL", funded.keys.done_of(first))

    assert "HELD" == (await funded.hold(once="n", within=HOUR))[0]


async def test_a_repeated_request_is_told_before_anything_is_checked(funded: Raw, new_id: NewId):
    """A freeze or an empty balance is no reason to refuse what was paid already."""
    first = new_id()
    await funded.hold(first, amount=100, once="n")
    await funded.settle(first, 100)
    await funded.team(frozen="1")

    assert ["REPEAT", "S"] == (await funded.hold(amount=100, once="n", within=HOUR))[:2]


async def test_our_own_retry_of_a_named_hold(funded: Raw, new_id: NewId):
    """A hold whose answer was lost meets itself by its id, not by its name."""
    first = new_id()
    reply = await funded.hold(first, once="n", within=HOUR)

    assert [*reply[:5], "1"] == await funded.hold(first, once="n", within=HOUR)


async def test_a_name_of_the_wrong_type_stops_before_anything_is_written(funded: Raw, new_id: NewId):
    """The key of the names is read before the first write, also when no name is looked for."""
    hold_id = new_id()
    key = funded.keys.once(hold_id_day(hold_id))
    await funded.client.command("SET", key, "text")
    before = await funded.dump()

    with pytest.raises(Exception, match="WRONGTYPE"):
        await funded.hold(hold_id, once="n")
    assert before == await funded.dump()
    await funded.client.command("DEL", key)


@pytest.fixture(name="minute")
async def _minute(funded: Raw) -> int:
    """The clock minute in which the store's time stands still: its last entry is half a minute inside it, and ahead."""
    minute = time.time_ns() // 60_000_000_000 * 60_000 + 60_000
    await funded.client.command("HSET", funded.keys.bal, "figures", f"2:{minute + 30_000}:100:0:0:0:0")
    return minute


async def test_requests_per_minute(funded: Raw, minute: int):
    """Two of a cap of two are admitted in a clock minute; the third is told when the next one begins."""
    await funded.team(per_minute="2")
    replies = [await funded.hold(amount=0) for _ in range(3)]

    assert ["HELD", "HELD", "REFUSED"] == [reply[0] for reply in replies]
    assert ["rate_limited", "team", "minute", "2", "2", "0", str(minute + 60_000), "0"] == replies[2][3]


async def test_only_admitted_requests_count(funded: Raw, minute: int):
    """A refusal, whatever for, takes no place in the minute."""
    await funded.team(per_minute="5")
    await funded.hold(amount=0)
    await funded.hold(amount=101)

    assert f"{minute}:1" == await funded.client.command("HGET", funded.keys.bal, "minute")


async def test_the_next_minute_counts_from_zero(funded: Raw, minute: int):
    """A full minute that is over is in nobody's way."""
    await funded.team(per_minute="1")
    await funded.client.command("HSET", funded.keys.bal, "minute", f"{minute - 60_000}:1")

    assert "HELD" == (await funded.hold(amount=0))[0]
    assert f"{minute}:1" == await funded.client.command("HGET", funded.keys.bal, "minute")


async def test_a_team_without_the_cap_keeps_no_count(funded: Raw):
    """Nothing is written that nobody asks for."""
    await funded.hold(amount=0)

    assert None is await funded.client.command("HGET", funded.keys.bal, "minute")
