"""Verify: clean books are clean, and every kind of tampering is named."""

import asyncio
import re
import time
from collections.abc import Callable

import pytest

from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.codec import parse_figures
from gatekeeper.ledger.keys import TeamKeys
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.records import Entry, EntryKind, HoldContext, HoldOrder, OnUnknown, SettleStatus
from gatekeeper.ledger.teamrecord import TeamRecord
from gatekeeper.ledger.verify import Replay
from gatekeeper.ledger.windows import Window, Windows
from tests.cases import each_case
from tests.ledger.conftest import CREDIT, Raw, fresh_id

Order = Callable[..., HoldOrder]


@pytest.fixture
async def busy(ledger: Ledger, team: TeamRecord, order: Order) -> TeamRecord:
    """A team on which every kind of transition has happened, and one hold is open."""
    settled, released, charged, expired, kept, running = (
        order(member="amy"), order(project="p"), order(ttl_ms=0, on_unknown=OnUnknown.CHARGE), order(ttl_ms=0),
        order(ttl_ms=0, on_unknown=OnUnknown.KEEP), order(key_id="ci"),
    )  # fmt: skip
    for asked in (settled, released, charged, expired, kept, running):
        await ledger.hold(asked)
    await ledger.settle(settled.hold_id, team.id, 7)
    await ledger.release(released.hold_id, team.id)
    await ledger.expire_due(team.id)
    await ledger.settle(expired.hold_id, team.id, 3)
    await ledger.terms.extend(running.hold_id, team.id, 120_000)
    await ledger.attach_job(running.hold_id, team.id, "job", ttl_ms=60_000)
    await ledger.undo(order().hold_id, team.id)
    await ledger.settle(order().hold_id, team.id, 5, context=HoldContext(5, member="bob", windows="0:1:2:3"))
    return team


async def test_clean_books(ledger: Ledger, busy: TeamRecord):
    """Every kind of entry replays to exactly what is stored."""
    report = await ledger.verify(busy.id)
    kinds = {entry.kind for entry in await ledger.journal(busy.id)}

    assert ((), report.seq) == (report.differences, report.entries)
    assert {
        "team", "grant", "hold", "settle", "release", "unknown", "expire", "charge", "keep", "late", "job", "void",
        "orphan", "extend",
    } == kinds  # fmt: skip


async def test_team_without_anything_is_clean(ledger: Ledger, team_id: str):
    """A team that is not there has nothing that differs."""
    assert (await ledger.verify(team_id)).clean


@pytest.mark.parametrize(
    ("tamper", "what"),
    [
        (("FIGURE", "bal", "granted", 1), "granted"),
        (("FIGURE", "bal", "charged", 1), "charged"),
        (("FIGURE", "bal", "held", -1), "held"),
        (("FIGURE", "bal", "open", 1), "open"),
        (("FIGURE", "bal", "expired", 1), "expired"),
        (("FIGURE", "bal", "seq", 1), "seq"),
        (("HSET", "bal", "team", '[0,0,0,0,0,0,0,0,0,0,"0:0:0:0"]'), "counters of team"),
        (("HDEL", "bal", "member:amy"), "counters of member:amy"),
        (("HDEL", "bal", "member:bob"), "counters of member:bob"),
        (("HSET", "bal", "member:eve", '[5,0,0,0,0,0,0,0,0,0,"0:0:0:0"]'), "counters of member:eve"),
        (("HSET", "grants", "opening", "1"), "grant opening"),
        (("HSET", "grants", "gift", "1"), "grant gift"),
        (("HSET", "open", "ghost", "x"), "hold ghost"),
        (("DEL", "open"), "hold "),
        (("DEL", "due"), "deadline of "),
        (("ZADD", "due", 5, "ghost"), "deadline of ghost"),
        (("XDEL", "journal", "4-0"), "journal sequence"),
        (("XTRIM", "journal", "MINID", "3-0"), "journal sequence"),
    ],
)
async def test_tampering_is_named(
    ledger: Ledger, client: StoreClient, busy: TeamRecord, tamper: tuple[str | int, ...], what: str
):
    """Each figure that the journal does not confirm is listed by name."""
    command, key, *rest = tamper
    name = getattr(TeamKeys(busy.id), str(key))
    if command == "FIGURE":
        figures = parse_figures(await client.command("HGET", name, "figures"))
        figures[str(rest[0])] = str(int(figures[str(rest[0])]) + int(rest[1]))
        command, rest = "HSET", ["figures", ":".join(figures.values())]
    await client.command(command, name, *rest)
    report = await ledger.verify(busy.id)

    assert not report.clean
    assert [] != [difference for difference in report.differences if difference.what.startswith(what)]


async def test_changed_record_of_an_open_hold_is_named(ledger: Ledger, client: StoreClient, busy: TeamRecord):
    """An open hold with another amount than its journal entry is listed."""
    running = (await ledger.holds(busy.id))[-1].hold_id
    key = TeamKeys(busy.id).open
    text = await client.command("HGET", key, running)
    await client.command("HSET", key, running, text.replace("49000000", "1", 1))

    assert [f"hold {running}"] == [difference.what for difference in (await ledger.verify(busy.id)).differences]


async def test_a_job_that_the_record_forgot_is_named(ledger: Ledger, client: StoreClient, busy: TeamRecord):
    """A hold whose record says otherwise than the journal whether time may resolve it is listed."""
    running = (await ledger.holds(busy.id))[-1].hold_id
    key = TeamKeys(busy.id).open
    text = await client.command("HGET", key, running)
    await client.command("HSET", key, running, text.replace("\tj\t", "\tr\t", 1))

    assert [f"hold {running}: follows a job"] == [each.what for each in (await ledger.verify(busy.id)).differences]


@pytest.fixture
async def with_lots(ledger: Ledger, team: TeamRecord, order: Order) -> TeamRecord:
    """A team with two grants that expire, of which one is held in part; its journal entries are 3, 4 and 5."""
    now_ms = await ledger.now_ms(team.id)
    await ledger.grant(team.id, "summer", 30, expires_at_ms=now_ms + 600_000)
    await ledger.grant(team.id, "spring", 20, expires_at_ms=now_ms + 300_000)
    await ledger.hold(order(amount=25))
    return team


def spoiled(line: str, column: int, value: str) -> str:
    """A lot's line with another value in this column."""
    values = line.split("\t")
    values[column] = value
    return "\t".join(values)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda spring, summer: [spoiled(spring, 0, "9"), summer], ["lot of grant spring"] * 2 + ["order of lots"]),
        (lambda spring, summer: [spoiled(spring, 1, "9"), summer], ["lot of grant spring"]),
        (lambda spring, summer: [spring, spoiled(summer, 2, "31")], ["lot of grant summer"]),
        (lambda spring, summer: [spoiled(spring, 3, "1"), summer], ["lot of grant spring"]),
        (lambda spring, summer: [spring, spoiled(summer, 4, "4")], ["lot of grant summer"]),
        (lambda spring, summer: [spring, spoiled(summer, 5, "winter")], ["lot of grant summer"]),
        (lambda spring, summer: [summer, spring], ["order of lots"]),
        (lambda spring, summer: [spring], ["lot of grant summer", "order of lots"]),
        (lambda spring, summer: [spring, summer, spoiled(summer, 0, "9")], ["lot of grant summer", "order of lots"]),
        (lambda spring, summer: [], ["lot of grant summer", "lot of grant spring", "order of lots"]),
    ],
)
async def test_tampering_with_a_lot_is_named(
    ledger: Ledger, client: StoreClient, with_lots: TeamRecord, change: Callable[..., list[str]], what: list[str]
):
    """Every figure of a lot, and the order in which they are spent, is derived from the journal."""
    key = TeamKeys(with_lots.id).bal
    assert (await ledger.verify(with_lots.id)).clean
    spring, summer, end = (await client.command("HGET", key, "lots")).split("\n")
    await client.command("HSET", key, "lots", "\n".join([*change(spring, summer), end]))

    assert what == [difference.what for difference in (await ledger.verify(with_lots.id)).differences]


@pytest.mark.parametrize(
    ("tamper", "what"),
    [
        (("HSET", "grants", "summer", "30"), "grant summer"),
        (("HSET", "grants", "summer", "30\t9"), "grant summer"),
        (("ZREM", "due", "lapse:3"), "reminder of grant summer"),
        (("ZADD", "due", 9, "lapse:4"), "reminder of grant spring"),
    ],
)
async def test_tampering_with_an_expiry_is_named(
    ledger: Ledger, client: StoreClient, with_lots: TeamRecord, tamper: tuple[str | int, ...], what: str
):
    """The expiry of a grant, and the reminder that wakes a quiet team, are what the journal says."""
    command, key, *rest = tamper
    await client.command(str(command), getattr(TeamKeys(with_lots.id), str(key)), *rest)

    assert [what] == [difference.what for difference in (await ledger.verify(with_lots.id)).differences]


async def test_changed_parts_of_an_open_hold_are_named(ledger: Ledger, client: StoreClient, with_lots: TeamRecord):
    """What a hold took from which grant is derived from the journal too."""
    (running,) = await ledger.holds(with_lots.id)
    key = TeamKeys(with_lots.id).open
    text = await client.command("HGET", key, running.hold_id)
    await client.command("HSET", key, running.hold_id, text.replace("4=20,3=5", "3=25"))

    assert [f"hold {running.hold_id}"] == [
        difference.what for difference in (await ledger.verify(with_lots.id)).differences
    ]


def an_entry(seq: int, kind: str, at_ms: int, amount: int, **fields: str) -> Entry:
    """A journal entry with nothing in the columns that are not named."""
    blank = {"id": "", "hold_seq": "", "project": "", "member": "", "key": "", "windows": ""}
    return Entry(seq, at_ms, EntryKind(kind), fields.get("id", ""), amount, 0, {**blank, **fields})


GRANT = an_entry(1, "grant", 5, 30, id="summer", windows="10")


@each_case(
    ("entries", "told"),
    [
        ([an_entry(2, "lapse", 10, 30, id="summer", hold_seq="1"), an_entry(3, "team", 11, 0)], []),
        ([an_entry(2, "team", 9, 0)], []),
        ([an_entry(2, "team", 10, 0)], [("lapse of grant summer", "none", "30")]),
        ([an_entry(2, "lapse", 10, 29, id="summer", hold_seq="1")], [("lapse of grant summer", "29 of entry 1", "30")]),
        ([an_entry(2, "lapse", 10, 30, id="summer", hold_seq="7")], [("lapse of grant summer", "30 of entry 7", "30")]),
        ([an_entry(2, "lapse", 9, 30, id="summer", hold_seq="1")], [("lapse of grant summer", "30", "none")]),
    ],
)
def test_lapse_at_its_time_and_in_full(entries: list[Entry], told: list[tuple[str, str, str]]):
    """A lapse that the journal lacks, that came too early, or of another amount or grant, is named."""
    replay = Replay()
    replay.add([GRANT, *entries])

    assert told == [(each.what.partition(": ")[2], each.stored, each.derived) for each in replay.differences]


async def test_a_late_result_after_the_clock_was_set_back(ledger: Ledger, funded: Raw):
    """Windows that began in what is the future now do not begin again with a late result, and the books are clean."""
    first, now, hour = fresh_id(), time.time_ns() // 1_000_000, 3_600_000
    spans = [
        Windows("UTC", *[Window(start, now + hour, now + 2 * hour)] * 4).argument
        for start in (now + 100_000, now - hour)
    ]
    bal, at_seq_2 = funded.keys.bal, f"2:{now + 200_000}:100:0:0:0:0"
    await funded.client.command("HSET", bal, "figures", at_seq_2)
    await funded.hold(first, windows=spans[0])
    figures = await funded.client.command("HGET", bal, "figures")
    await funded.client.command("HSET", bal, "figures", re.sub(r"^(\d+):\d+", r"\1:0", figures))
    await funded.client.command("ZADD", funded.keys.due, 1, first)
    await funded.hold(windows=spans[1])

    assert "LATE" == (await funded.settle(first, 7))[0]
    assert (await ledger.verify(funded.keys.team_id)).clean


async def test_verify_while_others_write(ledger: Ledger, team: TeamRecord, order: Order):
    """Whatever is written while the journal is read, the report is about the snapshot's instant, and clean."""

    async def write() -> None:
        for _ in range(30):
            asked = order(amount=1)
            await ledger.hold(asked)
            await ledger.settle(asked.hold_id, team.id, 1)

    async def verify() -> list[bool]:
        return [(await ledger.verify(team.id)).clean for _ in range(10)]

    _, reports = await asyncio.gather(write(), verify())
    assert [True] * 10 == reports


async def test_long_journal_is_read_in_pages(ledger: Ledger, team: TeamRecord, order: Order):
    """More than one page of entries is verified entry by entry."""
    await asyncio.gather(*(ledger.hold(order(amount=0)) for _ in range(1100)))
    report = await ledger.verify(team.id)

    assert (True, 1102) == (report.clean, report.entries)


async def test_a_scope_in_which_nothing_was_ever_held(ledger: Ledger, team: TeamRecord, order: Order):
    """Of a lost hold of nothing, whose windows nobody knows, a team in debt pays nothing: no counters tell of it."""
    lost = order()
    context = HoldContext(0, member="amy", windows="0:0:0:0")
    await ledger.hold(order(amount=500 * CREDIT, shadow="shadow"))
    settled = await ledger.settle(lost.hold_id, team.id, 5, context=context, within_available=True)

    assert (SettleStatus.ORPHAN, 0) == (settled.status, settled.charged)
    assert () == (await ledger.verify(team.id)).differences
