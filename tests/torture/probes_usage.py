"""Probes of what is counted when a hold ends, and of holds that are let by: each a short scene with its end."""

from gatekeeper.ledger.codec import pairs
from gatekeeper.ledger.holdid import DAY_MS
from gatekeeper.ledger.records import CREDITS_MAX, Held, HoldContext, OnUnknown, Refused
from gatekeeper.ledger.teamrecord import Caps, TeamRecord
from gatekeeper.ledger.usagebook import LIFE_DAYS, ROWS_MAX
from tests.torture.bench import GRANT, Bench

FOR = "m|image.generate|1K|||"


async def _counted(bench: Bench) -> list[str]:
    found = pairs(await bench.client.command("HGETALL", bench.keys.usage_of(bench.id())))
    return [counted for row, counted in found.items() if FOR in row]


async def usage_of_every_end(bench: Bench) -> None:
    """What was charged or made is a generation, the rest was released; of one step too, all in one row."""
    for amount, outputs in ((5, 1), (0, 2), (0, 0), (7, 0)):
        hold = await bench.held(usage=FOR)
        await bench.settle(hold.hold_id, amount, outputs=outputs)
    assert ["12:3:1:3"] == await _counted(bench)
    holds = [
        await bench.held(3, usage=FOR, on_unknown=policy) for policy in (OnUnknown.CHARGE, *[OnUnknown.RELEASE] * 2)
    ]
    for hold in holds:
        await bench.client.command("ZADD", bench.keys.due, 0, hold.hold_id)
    await bench.ledger.expire_due(bench.team)
    assert ["15:4:3:3"] == await _counted(bench)
    await bench.assert_clean()


async def usage_of_late_facts(bench: Bench) -> None:
    """A late fact takes the place of what was counted first, and one of a lost hold is counted where it belongs."""
    for policy in (OnUnknown.CHARGE, OnUnknown.RELEASE):
        hold = await bench.held(9, ttl_ms=0, usage=FOR, on_unknown=policy)
        await bench.ledger.expire_due(bench.team)
        assert ("late", 4) == await bench.settle(hold.hold_id, 4, outputs=1)
    assert ["8:2:0:2"] == await _counted(bench)
    lost = bench.id()
    assert ("orphan", 5) == await bench.settle(lost, 5, outputs=1, context=HoldContext(5, usage=FOR, member="bob"))
    day = bench.now_ms - bench.now_ms % DAY_MS
    assert "5:1:0:1" == await bench.client.command("HGET", bench.keys.usage_of(lost), f"{day}\t{FOR}\t\tbob")
    await bench.assert_clean()


async def usage_that_is_forgotten(bench: Bench) -> None:
    """A month ends 400 days after itself; what ends later than that is not counted any more."""
    hold = await bench.held(usage=FOR)
    record = await bench.client.command("HGET", bench.keys.open, hold.hold_id)
    old = bench.id((LIFE_DAYS + 31) * DAY_MS)
    await bench.client.command("HSET", bench.keys.open, old, record)
    assert ("settled", 1) == await bench.settle(old, 1)
    assert 0 == await bench.client.command("EXISTS", bench.keys.usage_of(old))
    assert ("settled", 1) == await bench.settle(hold.hold_id, 1)
    left_ms = int(await bench.client.command("PTTL", bench.keys.usage_of(hold.hold_id)))
    assert 399 * DAY_MS < left_ms <= LIFE_DAYS * DAY_MS


async def usage_has_its_bounds(bench: Bench) -> None:
    """A month has so many rows, then one more a day for all else; no figure in a row is below nothing."""
    key = bench.keys.usage_of(bench.id())
    fill = [part for number in range(ROWS_MAX - 1) for part in (f"1\t{number}", "0:0:0:0")]
    await bench.client.command("HSET", key, *fill)
    holds = [await bench.held(1, usage=f"{name}|||||", on_unknown=OnUnknown.CHARGE) for name in "abc"]
    for hold in holds:
        await bench.client.command("ZADD", bench.keys.due, 0, hold.hold_id)
    await bench.ledger.expire_due(bench.team)
    day = holds[0].windows.split(":")[1]
    found = pairs(await bench.client.command("HGETALL", key))
    assert ("2:2:0:0", ROWS_MAX + 1) == (found.get(f"{day}\t*"), len(found))
    await bench.client.command("DEL", key)
    assert ("late", 2) == await bench.settle(holds[0].hold_id, 2, outputs=1)
    assert "2:1:0:1" == await bench.client.command("HGET", key, f"{day}\ta|||||\t\t")


async def odd_outputs(bench: Bench) -> None:
    """A settle takes digits, at most a million."""
    hold = await bench.held()
    for outputs, what in {"-1": "terms", "1e1": "terms", "": "terms", "x": "terms", "1000001": "outputs"}.items():
        bent = bench.bent("settle", 1, f"1:{outputs}:0:0", bench.settle(hold.hold_id, 1))
        assert f"refuses its {what}" in await bent
    assert ("settled", 1) == await bench.settle(hold.hold_id, 1, outputs=1_000_000)


async def let_by(bench: Bench) -> None:
    """A shadow lets a hold by and the journal says why, if there is anything to say; not the hold of a frozen team."""
    await bench.ledger.put_team(TeamRecord(bench.team, caps=Caps(open_holds=0, held_credits=0)))
    shadowed = [await bench.hold(amount, shadow="shadow") for amount in (0, 2 * GRANT)]
    assert [1, 3] == [len(hold.shadowed) for hold in shadowed if isinstance(hold, Held)]
    await bench.ledger.put_team(TeamRecord(bench.team))
    await bench.ledger.grant(bench.team, "more", 9 * GRANT)
    assert () == (await bench.held(1, shadow="shadow")).shadowed
    entries = await bench.ledger.journal(bench.team, count=1000)
    one, other = "concurrency_exceeded", "insufficient_credits"
    assert [f"shadow: {one}", f"shadow: {one},{other}", ""] == [
        entry.fields["why"] for entry in entries if entry.kind == "hold"
    ]
    await bench.ledger.put_team(TeamRecord(bench.team, frozen=True))
    assert isinstance(await bench.hold(1, shadow="shadow"), Refused)
    await bench.assert_clean()


async def let_by_to_the_end(bench: Bench) -> None:
    """What is charged and held stays exact, whoever is let by."""
    await bench.held(CREDITS_MAX - 1, shadow="shadow")
    assert isinstance(await bench.hold(2, shadow="shadow"), Refused)
    await bench.held(1, shadow="shadow")
    await bench.assert_clean()


USAGE_PROBES = (
    usage_of_every_end, usage_of_late_facts, usage_that_is_forgotten, usage_has_its_bounds, odd_outputs, let_by,
    let_by_to_the_end,
)  # fmt: skip
