"""Usage as it is read: rows of the team's own days, and verify that knows them all."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import hypothesis.strategies as st
import pytest
from hypothesis import given
from redis.asyncio import Redis

from gatekeeper.ledger import bounds, usagebook
from gatekeeper.ledger.checkpoint import to_text
from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.errors import LedgerBroken, LedgerInvalid
from gatekeeper.ledger.holdid import DAY_MS, hold_id_month, month_of_day, new_hold_id
from gatekeeper.ledger.keys import TeamKeys
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.records import Ending, HoldContext, HoldOrder, OnUnknown
from gatekeeper.ledger.reports import UsageRow
from gatekeeper.ledger.tally import BookedUsage
from gatekeeper.ledger.teamrecord import TeamRecord
from gatekeeper.ledger.usagebook import (
    LIFE_DAYS,
    ROWS_MAX,
    bucket_ends_ms,
    living_months,
    months,
    parse_row,
    usage_text,
)
from gatekeeper.ledger.verify import Replay
from gatekeeper.ledger.windows import windows_at
from tests.ledger.conftest import CREDIT, fresh_id
from tests.torture.bench import Bench, MutantClient, Mutation

Order = Callable[..., HoldOrder]
FOR = "seedream|image.generate|2K|draft|ark|audio_default+retry"
EVER_MS = 1 << 47
DAYS = st.integers(0, 2_900_000)


async def test_rows_tell_what_was_used(ledger: Ledger, team: TeamRecord, order: Order):
    """Each combination is a row, with its parts apart."""
    for number in (1, 2):
        asked = order(usage=FOR, project="spring", member="amy")
        await ledger.hold(asked)
        await ledger.settle(asked.hold_id, team.id, number * CREDIT, outputs=number)
    unnamed = order()
    await ledger.hold(unnamed)
    await ledger.release(unnamed.hold_id, team.id)
    rows = await ledger.usage.rows(team.id, 0, EVER_MS)

    day_ms = windows_at(time.time_ns() // 1_000_000, "UTC").day.start_ms
    traits = ("audio_default", "retry")
    assert [
        UsageRow(day_ms, "", "", "", "", "", (), "", "", 0, 0, 1, 0),
        UsageRow(day_ms, "seedream", "image.generate", "2K", "draft", "ark", traits, "spring", "amy",
                 3 * CREDIT, 2, 0, 3),
    ] == rows  # fmt: skip


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Auckland", "America/Los_Angeles", "Asia/Kathmandu"])
async def test_a_day_is_the_teams_own(ledger: Ledger, team_id: str, order: Order, zone: str):
    """A row's day begins at midnight in the team's time zone, and is found by that alone."""
    await ledger.put_team(TeamRecord(team_id, timezone=zone))
    await ledger.grant(team_id, "opening", CREDIT)
    asked = order(team=team_id, amount=1)
    await ledger.hold(asked)
    await ledger.settle(asked.hold_id, team_id, 1)
    midnight = datetime.now(ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    day_ms = int(midnight.timestamp() * 1000)

    assert [day_ms] == [row.day_ms for row in await ledger.usage.rows(team_id, day_ms, day_ms + 1)]
    assert [] == await ledger.usage.rows(team_id, 0, day_ms)
    assert [] == await ledger.usage.rows(team_id, day_ms + 1, EVER_MS)


async def test_rows_of_all_else(ledger: Ledger, client: StoreClient, team: TeamRecord):
    """What no row was kept for is a row that says so, the last of its day."""
    month = hold_id_month(fresh_id())
    key, day_ms = TeamKeys(team.id).usage(month), time.time_ns() // 1_000_000
    await client.command("HSET", key, f"{day_ms}\t*", "7:3:2:1", f"{day_ms}\t{FOR}\t\t", "1:1:1:1")
    await client.command("PEXPIREAT", key, bucket_ends_ms(month))
    rows = await ledger.usage.rows(team.id, 0, EVER_MS)

    assert [("seedream", False), ("", True)] == [(row.model, row.other) for row in rows]
    assert (7, 3, 2, 1) == (rows[1].credits, rows[1].generations, rows[1].released, rows[1].outputs)


async def test_many_rows_come_in_pages(ledger: Ledger, client: StoreClient, team: TeamRecord):
    """A large month is read whole, each row once."""
    month = hold_id_month(fresh_id())
    key, day_ms = TeamKeys(team.id).usage(month), time.time_ns() // 1_000_000
    flat = [part for number in range(3000) for part in (f"{day_ms}\tm{number}|||||\t\t", "1:1:0:1")]
    await client.command("HSET", key, *flat)
    await client.command("PEXPIREAT", key, bucket_ends_ms(month))
    rows = await ledger.usage.rows(team.id, day_ms, day_ms + 1)

    assert (3000, 3000) == (len(rows), len({row.model for row in rows}))


async def test_many_rows_hold_nobody_up(
    ledger: Ledger, client: StoreClient, team: TeamRecord, monkeypatch: pytest.MonkeyPatch
):
    """Whoever names ever new projects makes as many as a month may have: they are read beside the event loop."""
    month = hold_id_month(fresh_id())
    key, day_ms = TeamKeys(team.id).usage(month), time.time_ns() // 1_000_000
    flat = [part for number in range(1000) for part in (f"{day_ms}\t|||||\tp{number}\t", "0:0:1:0")]
    await client.command("HSET", key, *flat)
    await client.command("PEXPIREAT", key, bucket_ends_ms(month))
    threads = set[int]()

    def seen(name: str, counted: str) -> UsageRow:
        threads.add(threading.get_ident())
        return parse_row(name, counted)

    monkeypatch.setattr(usagebook, "parse_row", seen)

    rows = await ledger.usage.rows(team.id, day_ms, day_ms + 1)

    assert (1000, 1) == (len(rows), len(threads))
    assert threading.get_ident() not in threads


@pytest.mark.parametrize(
    ("name", "counted"), [("x\t*", "1:1:1:1"), ("1\ta|b\tp\tm", "1:1:1:1"), ("1\t*", "1:1"), ("1\t", "1:1:1:1")]
)
def test_what_is_no_row_is_told(name: str, counted: str):
    """A row that the scripts did not write is not guessed at."""
    with pytest.raises(LedgerBroken, match="row of usage"):
        parse_row(name, counted)


@given(first=DAYS, length=st.integers(0, 500))
def test_every_month_of_the_days_is_named(first: int, length: int):
    """No day is in a month that is not read, and each month is read once."""
    named = months(first, first + length)

    assert sorted({month_of_day(day) for day in range(first, first + length + 1)}) == named


@given(day=st.integers(1000, 2_900_000))
def test_what_lives_is_what_is_not_about_to_be_forgotten(day: int):
    """Every month from which a row may still be read is among those that verify looks at, but for its last day."""
    now_ms = day * DAY_MS + 5
    living = {month_of_day(each) for each in range(max(0, day - LIFE_DAYS), day + 2)}

    assert {month for month in living if bucket_ends_ms(month) > now_ms + DAY_MS} <= set(living_months(now_ms))
    assert all(bucket_ends_ms(month) > now_ms + DAY_MS for month in living_months(now_ms))


def test_a_bucket_ends_400_days_after_its_month():
    """31 days and 400, from the 1st."""
    ends = datetime.fromtimestamp(bucket_ends_ms("2026-01") / 1000, UTC)

    assert datetime(2027, 3, 8, tzinfo=UTC) == ends


@given(parts=st.lists(st.text(max_size=200), min_size=5, max_size=5))
def test_anything_can_be_counted_under(parts: list[str]):
    """Whatever a request names, the text that is made of it is accepted."""
    bounds.check_usage(usage_text(*parts, traits=("retry",)))


@pytest.mark.parametrize(
    "changes", [{"usage": "a|b"}, {"usage": "a|b|c|d|e|f\n"}, {"usage": "|||||" + "x" * 400}, {"shadow": "x" * 161}]
)
async def test_odd_orders(ledger: Ledger, order: Order, changes: dict[str, Any]):
    """What would not fit into a row or a reason is refused before anything is sent."""
    with pytest.raises(LedgerInvalid):
        await ledger.hold(order(**changes))


def test_odd_endings():
    """So is a context that names another form, and a number of outputs that none makes."""
    with pytest.raises(LedgerInvalid, match="usage"):
        bounds.check_context(HoldContext(1, usage="a|b"))
    for outputs in (-1, bounds.OUTPUTS_MAX + 1):
        with pytest.raises(LedgerInvalid, match="outputs"):
            bounds.check_ending(Ending(fresh_id(), outputs=outputs))


@pytest.fixture
async def used(ledger: Ledger, team: TeamRecord, order: Order) -> TeamRecord:
    """A team with rows, one of them of a late result, one of an orphan."""
    late = order(usage=FOR, member="amy", ttl_ms=0, on_unknown=OnUnknown.CHARGE)
    plain = replace(order(usage=FOR), member="amy")
    for asked in (late, plain):
        await ledger.hold(asked)
    await ledger.settle(plain.hold_id, team.id, 5, outputs=1)
    await ledger.expire_due(team.id)
    await ledger.settle(late.hold_id, team.id, 9, outputs=2)
    await ledger.settle(fresh_id(), team.id, 5, context=HoldContext(5, usage=FOR, windows="0:1:2:3"), outputs=3)
    return team


async def test_verify_confirms_usage(ledger: Ledger, used: TeamRecord):
    """Every row is derived from the journal again."""
    assert () == (await ledger.verify(used.id)).differences


@pytest.mark.parametrize("how", ["more", "less", "gone", "foreign", "all gone"])
async def test_a_tampered_row_is_named(ledger: Ledger, client: StoreClient, used: TeamRecord, how: str):
    """Verify says which row, what is stored, and what it should be."""
    key = TeamKeys(used.id).usage_of(fresh_id())
    day = windows_at(time.time_ns() // 1_000_000, "UTC").day.start_ms
    row = f"{day}\t{FOR}\t\tamy"
    await {
        "more": lambda: client.command("HSET", key, row, "99:2:0:3"),
        "less": lambda: client.command("HSET", key, row, "14:1:0:3"),
        "gone": lambda: client.command("HDEL", key, row),
        "foreign": lambda: client.command("HSET", key, f"{day}\t\t\teve", "1:1:0:1"),
        "all gone": lambda: client.command("DEL", key),
    }[how]()
    found = {each.what: (each.stored, each.derived) for each in (await ledger.verify(used.id)).differences}

    month = hold_id_month(fresh_id())
    named = f"usage in {month} of {day} {FOR}  amy"
    expected = {
        "more": {named: ("99:2:0:3", "14:2:0:3")},
        "less": {named: ("14:1:0:3", "14:2:0:3")},
        "gone": {named: ("none", "14:2:0:3")},
        "foreign": {f"usage in {month} of {day}   eve": ("1:1:0:1", "none")},
        "all gone": {named: ("none", "14:2:0:3"), f"usage in {month} of 1 {FOR}  ": ("none", "5:1:0:3")},
    }
    assert expected[how] == found


async def test_a_hold_that_counts_elsewhere_is_named(ledger: Ledger, client: StoreClient, order: Order):
    """An open hold that is for something else than its journal entry says is a difference."""
    asked = order(usage=FOR)
    await ledger.hold(asked)
    key = TeamKeys(asked.team).open
    text = await client.command("HGET", key, asked.hold_id)
    await client.command("HSET", key, asked.hold_id, text.replace("2K", "4K"))

    assert [f"hold {asked.hold_id}"] == [each.what for each in (await ledger.verify(asked.team)).differences]


def test_the_books_bound_a_month_like_the_scripts():
    """Beyond the most rows a day's further ones are one; those that are there go on."""
    usage, hold_id = BookedUsage(), new_hold_id(1_800_000_000_000, 1)
    for number in range(ROWS_MAX + 2):
        usage.end(hold_id, f"7\tm{number}|||||\t\t", 1, 1, 0)
    usage.end(hold_id, "8\tlast|||||\t\t", 0, 0, 0)
    usage.end(hold_id, "7\tm0|||||\t\t", 1, 1, 0)
    rows = usage.texts(hold_id_month(hold_id))

    assert ("2:2:0:2", "2:2:0:2", "0:0:1:0", ROWS_MAX + 2) == (
        rows["7\tm0|||||\t\t"], rows["7\t*"], rows["8\t*"], len(rows),
    )  # fmt: skip


def test_the_books_forget_like_the_store():
    """A month past its life is dropped, and nothing is counted in it any more."""
    usage, hold_id = BookedUsage(), new_hold_id(1_800_000_000_000, 1)
    usage.end(hold_id, "7\t\t\t", 1, 1, 0)
    ends_ms = bucket_ends_ms(hold_id_month(hold_id))
    usage.forget(ends_ms - 1)
    before = dict(usage.months)
    usage.forget(ends_ms)
    usage.end(hold_id, "7\t\t\t", 1, 1, ends_ms)

    assert (1, {}) == (len(before), usage.texts(hold_id_month(hold_id)))


async def test_full_months_replay_too(real_redis: Redis, team_id: str, monkeypatch: pytest.MonkeyPatch):
    """With room for few rows, where most of a random history is counted in one, the journal confirms each of them, and
    so it does from a checkpoint in the midst of it."""
    few = Mutation("few rows", "prelude", "local USAGE_ROWS_MAX = 10000", "local USAGE_ROWS_MAX = 3", "")
    monkeypatch.setattr("gatekeeper.ledger.tally.ROWS_MAX", 3)
    client, dice = MutantClient(real_redis, few), random.Random(7)
    bench = Bench(client, team_id)
    await bench.found()
    for number in range(80):
        hold = await bench.hold(1, usage=dice.choice("abcdefgh") + "|||||", ttl_ms=dice.choice([0, DAY_MS]),
                                on_unknown=dice.choice(list(OnUnknown)), shadow="shadow")  # fmt: skip
        if dice.random() < 0.7:
            await bench.settle(hold.hold_id, dice.randrange(3), outputs=dice.randrange(2))
        await bench.ledger.expire_due(team_id)
        if number == 40:
            replay = Replay()
            replay.add(await bench.ledger.journal(team_id, 0, 1000))
            await bench.ledger.confirm_exported(team_id, replay.seq)
            await bench.ledger.cut_journal(team_id, 0, replay.seq, to_text(replay))
    rows = await bench.ledger.usage.rows(team_id, 0, EVER_MS)
    await bench.assert_clean()
    await client.close()

    assert [False, False, False, True] == [row.other for row in rows]
    assert rows[-1].generations + rows[-1].released > 20


async def test_rows_are_sums_over_the_journal(ledger: Ledger, team: TeamRecord, order: Order):
    """After a random history each row says what the journal's entries add up to, and verify agrees."""
    dice, sums = random.Random(5), dict[tuple[str, str], list[int]]()
    for _ in range(60):
        asked = order(amount=dice.randrange(50), member=dice.choice(["", "amy"]), ttl_ms=dice.choice([0, 60_000]),
                      usage=dice.choice(["", FOR]), on_unknown=dice.choice(list(OnUnknown)))  # fmt: skip
        await ledger.hold(asked)
        if dice.random() < 0.7:
            context = HoldContext(asked.amount, member=asked.member, usage=asked.usage)
            lost = dice.random() < 0.2
            hold_id = fresh_id() if lost else asked.hold_id
            await ledger.settle(hold_id, team.id, dice.randrange(60), outputs=dice.randrange(3), context=context)
    await ledger.expire_due(team.id)

    holds, ends = dict[str, Any](), dict[str, Any]()
    for entry in await ledger.journal(team.id, 0, 1000):
        if entry.kind in {"hold", "orphan"}:
            holds[entry.hold_id] = entry
        if entry.kind in {"settle", "release", "expire", "charge", "late", "orphan"}:
            ends[entry.hold_id] = entry  # the last one counts
    for hold_id, end in ends.items():
        told, outputs = holds[hold_id].fields, int(end.fields["usage"].rpartition("|")[2] or 0)
        text = told["usage"].rpartition("|")[0] if end.kind == "orphan" else told["usage"]
        row = sums.setdefault((text.partition("|")[0], told["member"]), [0, 0, 0, 0])
        made = end.charged > 0 or outputs > 0
        row[:] = [a + b for a, b in zip(row, (end.charged, made, not made, outputs), strict=True)]

    found = {(row.model, row.member): [row.credits, row.generations, row.released, row.outputs]
             for row in await ledger.usage.rows(team.id, 0, EVER_MS)}  # fmt: skip
    assert sums == found
    assert (await ledger.verify(team.id)).clean
