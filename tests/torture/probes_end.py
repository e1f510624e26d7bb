"""Probes of how holds end, and of teams and grants: each a short scene with its expected end."""

from hashlib import sha256
from typing import Any

from gatekeeper.ledger.holdid import DAY_MS
from gatekeeper.ledger.lua import script
from gatekeeper.ledger.records import CREDITS_MAX, GrantStatus, MarkStatus, OnUnknown
from gatekeeper.ledger.teamrecord import KeyRecord, Limit, Per, TeamRecord
from gatekeeper.ledger.walletscripts import TransferOrder, transfer
from tests.torture.bench import GRANT, Bench

RETENTION_MS = 72 * 3600 * 1000


async def odd_settle_amounts(bench: Bench) -> None:
    """A settle takes digits, at most 9e15, and nothing that Lua alone would take for a number."""
    hold = await bench.held()
    for amount in ("-0", "nan", "1e1", "0x1", " 5", "5.0", ""):
        bent = f"{amount}:0:0:0"
        assert "refuses its terms" in await bench.bent("settle", 1, bent, bench.settle(hold.hold_id, 0))
    for amount in ("9000000000000001", str(2**53 - 1)):
        bent = await bench.bent("settle", 1, f"{amount}:0:0:0", bench.settle(hold.hold_id, 0))
        assert bent.endswith("refuses its amount"), bent
    assert ["hold"] == await bench.kinds()
    assert ("settled", 5) == await bench.settle(hold.hold_id, 5)


async def settle_of_nothing(bench: Bench) -> None:
    """A settle of a hold that never was is gone, and so is its mark."""
    stranger = bench.id()
    assert ("gone", 0) == await bench.settle(stranger, 5)
    assert MarkStatus.GONE is (await bench.ledger.mark_unknown(stranger, bench.team)).status
    assert (GRANT, 0, 0) == await bench.figures()


async def settle_again(bench: Bench) -> None:
    """The same amount again is a duplicate, another one a mismatch, and neither changes anything."""
    hold = await bench.held()
    assert ("settled", 7) == await bench.settle(hold.hold_id, 7)
    assert ("duplicate", 7) == await bench.settle(hold.hold_id, 7)
    assert ("mismatch", 7) == await bench.settle(hold.hold_id, 8)
    assert ("mismatch", 7) == await bench.settle(hold.hold_id, 0)
    assert (GRANT - 7, 0, 7) == await bench.figures()
    assert ["hold", "settle"] == await bench.kinds()


async def release_after_expiry(bench: Bench) -> None:
    """What time released and nobody made is a duplicate: nothing late about it."""
    hold = await bench.held(ttl_ms=0)
    await bench.ledger.expire_due(bench.team)
    assert ("duplicate", 0) == await bench.settle(hold.hold_id, 0)


async def late_once(bench: Bench) -> None:
    """A late result is booked once, with its scopes; a second one is a duplicate or a mismatch."""
    hold = await bench.held(ttl_ms=0, member="amy")
    await bench.ledger.expire_due(bench.team)
    assert ("late", 7) == await bench.settle(hold.hold_id, 7)
    assert ("duplicate", 7) == await bench.settle(hold.hold_id, 7)
    assert ("mismatch", 7) == await bench.settle(hold.hold_id, 9)
    assert (GRANT - 7, 0, 7) == await bench.figures()
    await bench.assert_clean()


async def late_refund(bench: Bench) -> None:
    """A charge by policy is put right once, scopes too."""
    hold = await bench.held(ttl_ms=0, on_unknown=OnUnknown.CHARGE, member="amy", project="p")
    await bench.ledger.expire_due(bench.team)
    assert ("late", 4) == await bench.settle(hold.hold_id, 4)
    assert (GRANT - 4, 0, 4) == await bench.figures()
    assert "4:0" == (await bench.counters("member:amy")).partition("|")[0]
    await bench.assert_clean()


async def release_of_two_scopes(bench: Bench) -> None:
    """A settle of zero with two scopes leaves plain zeros, no negative ones."""
    hold = await bench.held(10, member="amy", project="p")
    assert ("released", 0) == await bench.settle(hold.hold_id, 0)
    assert "0:0|0:0|0:0|0:0|0:0" == (await bench.counters("member:amy")).rpartition("|")[0]
    await bench.assert_clean()


async def largest_sums(bench: Bench) -> None:
    """Neither what is granted nor what is charged can pass 9e15 in all; that itself is exact."""
    rest = CREDITS_MAX - GRANT
    assert "LedgerInvalid" in await bench.refused_as(bench.ledger.grant(bench.team, "more", rest + 1))
    await bench.ledger.grant(bench.team, "all", rest)
    large, small = await bench.held(CREDITS_MAX - 10), await bench.held(10)
    assert ("settled", CREDITS_MAX - 10) == await bench.settle(large.hold_id, CREDITS_MAX - 10)
    assert "charged total" in await bench.refused_as(bench.settle(small.hold_id, 11))
    assert ("settled", 10) == await bench.settle(small.hold_id, 10)
    assert (0, 0, CREDITS_MAX) == await bench.figures()


async def time_and_its_policies(bench: Bench) -> None:
    """Held, unknown, and then what the hold's own policy says; before the grace is over nothing more."""
    await bench.held(1, ttl_ms=0)
    await bench.held(2, ttl_ms=0, on_unknown=OnUnknown.CHARGE)
    await bench.held(4, ttl_ms=0, on_unknown=OnUnknown.KEEP)
    await bench.held(8, ttl_ms=0, grace_ms=DAY_MS)
    await bench.ledger.expire_due(bench.team)
    await bench.ledger.expire_due(bench.team)
    # A hold lets time act on those before it, so entries come in an order of their own.
    ends = ["hold"] * 4 + ["unknown"] * 4 + ["charge", "expire", "keep"]
    assert sorted(ends) == sorted(await bench.kinds())
    assert (GRANT - 14, 12, 2) == await bench.figures()
    await bench.assert_clean()


async def not_due_is_not_expired(bench: Bench) -> None:
    """Naming a hold before its time does nothing to it."""
    hold = await bench.held()
    keys = bench.keys
    done, usage = keys.done_of(hold.hold_id), keys.usage_of(hold.hold_id)
    names = [keys.bal, keys.open, keys.due, keys.journal, done, usage]
    assert [] == await _again(bench, "expire", names, [hold.hold_id, 5])
    assert (GRANT - 10, 10, 0) == await bench.figures()


async def odd_key_index(bench: Bench) -> None:
    """A done bucket that was not declared is refused."""
    await bench.held(ttl_ms=0)
    for index in ("1", "6", "x"):
        assert "LedgerInvalid" in await bench.bent("expire", 1, index, bench.ledger.expire_due(bench.team))
    await bench.assert_clean()


async def unknown_once(bench: Bench) -> None:
    """Marked once: the grace runs from the first mark, and a resolved hold is not marked at all."""
    hold = await bench.held(grace_ms=DAY_MS)
    first = await bench.ledger.mark_unknown(hold.hold_id, bench.team)
    again = await bench.ledger.mark_unknown(hold.hold_id, bench.team)
    assert (MarkStatus.UNKNOWN, MarkStatus.DUPLICATE) == (first.status, again.status)
    assert first.deadline_ms == again.deadline_ms
    await bench.settle(hold.hold_id, 3)
    assert MarkStatus.RESOLVED is (await bench.ledger.mark_unknown(hold.hold_id, bench.team)).status
    assert ["hold", "unknown", "settle"] == await bench.kinds()


async def marked_then_due(bench: Bench) -> None:
    """What was marked before its time came is not marked again."""
    hold = await bench.held()
    await bench.ledger.mark_unknown(hold.hold_id, bench.team)
    await bench.ledger.expire_due(bench.team)
    assert ["hold", "unknown", "expire"] == await bench.kinds()


async def resolved_is_remembered(bench: Bench) -> None:
    """For 72 hours from the last write, then not for ever; and it is open and due no longer."""
    hold = await bench.held()
    await bench.settle(hold.hold_id, 3)
    left_ms = await bench.client.command("PTTL", bench.keys.done_of(hold.hold_id))
    assert RETENTION_MS - 60_000 < left_ms <= RETENTION_MS
    assert 0 == await bench.client.command("HLEN", bench.keys.open)
    assert 0 == await bench.client.command("ZCARD", bench.keys.due)


async def journal_is_dense(bench: Bench) -> None:
    """Entries are numbered one after the other, and a sequence that fell behind stops a script before any harm."""
    await bench.held(1)
    ids = [row[0] for row in await bench.client.command("XRANGE", bench.keys.journal, "-", "+")]
    assert [f"{number}-0" for number in range(1, len(ids) + 1)] == ids
    raw = str(await bench.client.command("HGET", bench.keys.bal, "figures"))
    await bench.client.command("HSET", bench.keys.bal, "figures", "1" + raw[raw.index(":") :])
    before = await bench.all()
    assert "LedgerBroken" in await bench.refused_as(bench.held(1))
    assert before == await bench.all()


async def a_wrong_type_stops_an_end_first(bench: Bench) -> None:
    """If a key that will be written is of another type, nothing at all is written."""
    hold, due = await bench.held(), await bench.held(ttl_ms=0)
    await bench.client.command("RENAME", bench.keys.due, bench.keys.due + "-aside")
    await bench.client.command("SET", bench.keys.due, "x")
    before = await bench.client.command("XLEN", bench.keys.journal)
    assert "WRONGTYPE" in await bench.refused_as(bench.settle(hold.hold_id, 3))
    await bench.client.command("RENAME", bench.keys.due + "-aside", bench.keys.due)
    done = bench.keys.done_of(due.hold_id)
    await bench.client.command("SET", done, "x")
    assert "WRONGTYPE" in await bench.refused_as(bench.ledger.expire_due(bench.team))
    assert before == await bench.client.command("XLEN", bench.keys.journal)
    await bench.client.command("DEL", done)


async def a_clock_that_steps_back(bench: Bench) -> None:
    """By little, time stands still; by much, the clock is believed."""
    for ahead_ms, is_kept in ((120_000, True), (3_600_000, False)):
        await bench.held(1)
        figures = str(await bench.client.command("HGET", bench.keys.bal, "figures")).split(":")
        figures[1] = str(bench.now_ms + ahead_ms)
        await bench.client.command("HSET", bench.keys.bal, "figures", ":".join(figures))
        stood_still = (await bench.ledger.balance(bench.team)).at_ms == bench.now_ms + ahead_ms
        assert is_kept == stood_still


async def grants(bench: Bench) -> None:
    """Once for each id; nothing is no grant."""
    assert GrantStatus.DUPLICATE is await bench.ledger.grant(bench.team, "opening", GRANT)
    assert GrantStatus.MISMATCH is await bench.ledger.grant(bench.team, "opening", GRANT + 1)
    for amount in ("0", "-0", "1e1", ""):
        assert "LedgerInvalid" in await bench.bent("grant", 1, amount, bench.ledger.grant(bench.team, "g", 1))
    assert (GRANT, 0, 0) == await bench.figures()
    await bench.assert_clean()


async def odd_team_arguments(bench: Bench) -> None:
    """A record that the scripts could not read back is refused."""
    odd = {1: "", 2: "2", 3: "team\tday\t1e3\n", 4: "-1", 6: "x", 9: "2"}
    for place, value in odd.items():
        call = bench.ledger.put_team(TeamRecord(bench.team, limits=(Limit("team", Per.DAY, 1),)))
        assert "LedgerInvalid" in await bench.bent("team", place, value, call)
    await bench.held()


async def team_revisions(bench: Bench) -> None:
    """The same record changes nothing; another one needs the revision it was read at."""
    record = TeamRecord(bench.team, frozen=True)
    assert 1 == (await bench.ledger.put_team(TeamRecord(bench.team))).revision
    assert 2 == (await bench.ledger.put_team(record, expected_revision=1)).revision
    assert "LedgerConflict" in await bench.refused_as(
        bench.ledger.put_team(TeamRecord(bench.team), expected_revision=1)
    )
    entries = await bench.ledger.journal(bench.team)
    assert ["team", "grant", "team"] == [entry.kind for entry in entries]


async def shapes(bench: Bench) -> None:
    """Each script says so when it is called with keys or an argument too many."""
    hold = await bench.held(ttl_ms=0)
    await bench.ledger.expire_due(bench.team)
    await bench.settle(hold.hold_id, 0)
    await bench.ledger.mark_unknown(hold.hold_id, bench.team)
    await bench.ledger.attach_job(hold.hold_id, bench.team, "job", ttl_ms=0)
    await bench.ledger.terms.extend(hold.hold_id, bench.team, 1)
    await bench.refused_as(bench.ledger.wallet.refund(bench.team, "r", seq=5))
    await bench.refused_as(transfer(bench.client, bench.team, TransferOrder("t", "b", 1)))
    await bench.ledger.confirm_exported(bench.team, 1)
    await bench.ledger.cut_journal(bench.team, 0, 1, "{}")
    await bench.ledger.balance(bench.team)
    await bench.ledger.keyring.put(KeyRecord(sha256(bench.team.encode()).hexdigest(), bench.team, "ci"))
    await bench.refused_as(bench.ledger.verify(bench.team))
    for name, (keys, args) in dict(bench.client.sent).items():
        if name not in {"expire", "snapshot"}:  # these take any number of keys behind some
            assert f"{name} takes" in await bench.refused_as(_again(bench, name, [*keys, *keys[:2]], args))
        else:
            assert f"{name} takes" in await bench.refused_as(_again(bench, name, keys[:3], args))
        wrong = [] if name == "balance" else [*args, ""]  # takes any number of scopes but none
        assert f"{name} takes" in await bench.refused_as(_again(bench, name, keys, wrong))


def _again(bench: Bench, name: str, keys: list[str], args: list[Any]) -> Any:
    return bench.client.run(script(name), keys, args)


END_PROBES = (
    odd_settle_amounts, settle_of_nothing, settle_again, release_after_expiry, late_once, late_refund,
    release_of_two_scopes, largest_sums, time_and_its_policies, not_due_is_not_expired, odd_key_index, unknown_once,
    marked_then_due, resolved_is_remembered, journal_is_dense, a_wrong_type_stops_an_end_first, a_clock_that_steps_back,
    grants, odd_team_arguments, team_revisions, shapes,
)  # fmt: skip
