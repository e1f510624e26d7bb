"""Probes of hold.lua: each a short scene with its expected end, so that a guard that is missing shows."""

import time

from gatekeeper.ledger.holdid import DAY_MS
from gatekeeper.ledger.records import Held, HoldState, Mismatch, OnUnknown, RefusalCode, Refused, Repeated, TooManyNames
from gatekeeper.ledger.scripts import RetryWindows
from gatekeeper.ledger.teamrecord import Caps, Limit, Per, TeamRecord
from tests.torture.bench import GRANT, Bench

NAMES_MAX = 50_000
"""Of hold.lua."""

LIFE = Per.LIFETIME
TOO_MUCH = "9000000000000001"


def terms(*, amount: str = "10", ttl: str = "60000", grace: str = "0", policy: str = "r") -> str:
    """The terms of a hold as hold.lua reads them."""
    return ":".join((amount, ttl, grace, policy))


def codes(result: object) -> list[RefusalCode]:
    """Why it was refused; nothing if it was not."""
    return [refusal.code for refusal in result.refusals] if isinstance(result, Refused) else []


async def odd_hold_arguments(bench: Bench) -> None:
    """What Python would never send is refused by name, and nothing is written."""
    before, today = await bench.all(), time.time_ns() // 1_000_000 // DAY_MS
    order = bench.order()
    odd = {
        (0, "1;UTC;1:2;3;4;5"): "day", (0, "1;UTC;1:2;3"): "windows", (0, f"{today};UTC;1:2;3;4;5"): "windows",
        (1, order.hold_id + "0"): "hold id", (1, "g" * 32): "hold id",
        (2, terms(ttl="-1")): "terms", (2, terms(grace="1.5")): "terms", (2, terms(policy="x")): "terms",
        (2, terms(ttl=TOO_MUCH)): "ttl", (2, terms(grace=TOO_MUCH)): "ttl",
        (3, "a\tb"): "account",
    }  # fmt: skip
    for (place, value), what in odd.items():
        assert f"LedgerInvalid: hold.lua refuses its {what}" in await bench.bent(
            "hold", place, value, bench.ledger.hold(order)
        )
    assert before == await bench.all()


async def odd_hold_amounts(bench: Bench) -> None:
    """An amount is digits, at most 9e15, and nothing that Lua alone would take for a number."""
    for amount in ("-0", "nan", "1e1", "0x1", " 5", "5.0", ""):
        bent = terms(amount=amount)
        assert "refuses its terms" in await bench.bent("hold", 2, bent, bench.ledger.hold(bench.order(0)))
    for amount in (TOO_MUCH, str(2**53 - 1)):
        bent = terms(amount=amount)
        assert "refuses its amount" in await bench.bent("hold", 2, bent, bench.ledger.hold(bench.order(0)))
    assert (GRANT, 0, 0) == await bench.figures()


async def no_team(bench: Bench) -> None:
    """A team that was never stored holds, gets and shows nothing."""
    stranger = Bench(bench.client)
    assert "LedgerNoTeam" in await stranger.refused_as(stranger.ledger.hold(stranger.order()))
    assert "LedgerNoTeam" in await stranger.refused_as(stranger.ledger.grant(stranger.team, "g", 1))
    assert "LedgerNoTeam" in await stranger.refused_as(stranger.ledger.balance(stranger.team))


async def same_hold_again(bench: Bench) -> None:
    """The same id and fingerprint is the same hold; it holds once."""
    order = bench.order()
    first, again = await bench.ledger.hold(order), await bench.ledger.hold(order)
    assert isinstance(first, Held)
    assert isinstance(again, Held)
    assert (False, True, first.seq) == (first.repeated, again.repeated, again.seq)
    assert (GRANT - 10, 10, 0) == await bench.figures()


async def other_body_of_an_open_hold(bench: Bench) -> None:
    """The same id with another fingerprint is a mismatch."""
    order = bench.order()
    await bench.ledger.hold(order)
    assert isinstance(await bench.hold(hold_id=order.hold_id, fingerprint="other"), Mismatch)


async def hold_again_when_unknown(bench: Bench) -> None:
    """An open hold that is not simply held says so."""
    order = bench.order()
    await bench.ledger.hold(order)
    await bench.ledger.mark_unknown(order.hold_id, bench.team)
    again = await bench.ledger.hold(order)
    assert isinstance(again, Repeated)
    assert HoldState.UNKNOWN is again.state


async def hold_again_when_done(bench: Bench) -> None:
    """A resolved hold is not made a second time."""
    order = bench.order()
    await bench.ledger.hold(order)
    await bench.settle(order.hold_id, 7)
    again = await bench.ledger.hold(order)
    assert isinstance(again, Repeated)
    assert (HoldState.SETTLED, 7) == (again.state, again.charged)
    assert (GRANT - 7, 0, 7) == await bench.figures()


async def other_body_of_a_done_hold(bench: Bench) -> None:
    """Nor is one with another fingerprint."""
    order = bench.order()
    await bench.ledger.hold(order)
    await bench.settle(order.hold_id, 7)
    assert isinstance(await bench.hold(hold_id=order.hold_id, fingerprint="other"), Mismatch)


async def old_and_future_ids(bench: Bench) -> None:
    """An id older than what is remembered, or from beyond tomorrow, is refused; at the edges it is taken."""
    for age_ms in (3 * DAY_MS, -2 * DAY_MS):
        assert "too far from the store's time" in await bench.refused_as(bench.hold(hold_id=bench.id(age_ms)))
    for age_ms in (2 * DAY_MS - 60_000, 60_000 - DAY_MS):
        await bench.held(hold_id=bench.id(age_ms))


async def windows_of_another_zone(bench: Bench) -> None:
    """Windows of a zone that is not the team's are sent back."""
    result = await bench.in_windows([-DAY_MS] * 4, timezone="Europe/Berlin")
    assert isinstance(result, RetryWindows)
    assert "UTC" == result.timezone


async def windows_that_are_over(bench: Bench) -> None:
    """Windows that ended, and those after them too, are sent back; so are windows that have not begun."""
    assert isinstance(await bench.in_windows([-9 * DAY_MS] * 4, ends=-2 * DAY_MS), RetryWindows)
    assert isinstance(await bench.in_windows([DAY_MS] * 4), RetryWindows)


async def the_next_window(bench: Bench) -> None:
    """A window that just ended is replaced by the one after it, which begins where it ended and ends a day later."""
    await bench.found(limits=(Limit("team", Per.HOUR, 15),))
    assert isinstance(await bench.in_windows([-2 * DAY_MS] * 4, ends=-3_600_000), Held)
    assert (await bench.counters()).endswith(":".join([str(bench.now_ms - 3_600_000)] * 4))
    result = await bench.in_windows([-2 * DAY_MS] * 4, ends=-3_600_000)
    assert isinstance(result, Refused)
    assert [bench.now_ms - 3_600_000 + DAY_MS] == [refusal.resets_at_ms for refusal in result.refusals]


async def windows_never_move_back(bench: Bench) -> None:
    """A gateway with an earlier start does not set the counters of the later window to zero."""
    await bench.found(limits=(Limit("team", Per.HOUR, 15),))
    await bench.in_windows([-5000] * 4)
    result = await bench.in_windows([-9000] * 4)
    assert [RefusalCode.LIMIT_EXCEEDED] == codes(result)


async def a_start_in_the_future_is_not_believed(bench: Bench) -> None:
    """A stored start that lies after now does not win."""
    await bench.held(member="amy")
    raw = str(await bench.client.command("HGET", bench.keys.bal, "team"))
    later = ":".join([str(bench.now_ms + 5 * DAY_MS)] * 4)
    await bench.client.command("HSET", bench.keys.bal, "team", f'{raw.partition(chr(34))[0]}"{later}"]')
    await bench.in_windows([-5000] * 4)
    assert later not in await bench.counters()


async def reaping_is_bounded(bench: Bench) -> None:
    """One hold takes at most eight due ones along."""
    for _ in range(10):
        await bench.held(1, ttl_ms=DAY_MS)
    for hold in await bench.ledger.holds(bench.team):
        await bench.client.command("ZADD", bench.keys.due, 1, hold.hold_id)
    after = await bench.held(1)
    assert 8 == len({transition.hold_id for transition in after.reaped})


async def reaping_of_older_days(bench: Bench) -> None:
    """A due hold whose day is not declared is left to the sweeper."""
    await bench.held(hold_id=bench.id(2 * DAY_MS - 60_000), ttl_ms=0)
    assert () == (await bench.held()).reaped
    assert 1 < len((await bench.ledger.expire_due(bench.team)).transitions)
    await bench.assert_clean()


async def due_holds_free_credits(bench: Bench) -> None:
    """Credits of due holds are free for the next one."""
    await bench.held(GRANT, ttl_ms=0)
    assert 2 == len((await bench.held(GRANT)).reaped)


async def frozen(bench: Bench) -> None:
    """A frozen team holds nothing."""
    await bench.ledger.put_team(TeamRecord(bench.team, frozen=True))
    assert [RefusalCode.TEAM_FROZEN] == codes(await bench.hold(0))


async def caps(bench: Bench) -> None:
    """Every cap is exact: hit is allowed, one more is not."""
    await bench.found(caps=Caps(per_request=10))
    assert [RefusalCode.REQUEST_CAP_EXCEEDED] == codes(await bench.hold(11))
    await bench.held(10)
    await bench.found(caps=Caps(open_holds=2))
    await bench.held(0)
    assert [RefusalCode.CONCURRENCY_EXCEEDED] == codes(await bench.hold(0))
    await bench.found(caps=Caps(held_credits=30))
    assert [RefusalCode.CONCURRENCY_EXCEEDED] == codes(await bench.hold(21))
    await bench.held(20)


async def balance_is_exact(bench: Bench) -> None:
    """All that is there may be held, and no micro-credit more."""
    assert [RefusalCode.INSUFFICIENT_CREDITS] == codes(await bench.hold(GRANT + 1))
    await bench.held(GRANT)
    assert [RefusalCode.INSUFFICIENT_CREDITS] == codes(await bench.hold(1))


async def free_of_charge_in_debt(bench: Bench) -> None:
    """A hold of nothing is possible even for a team that owes."""
    hold = await bench.held(GRANT)
    await bench.settle(hold.hold_id, GRANT + 5)
    await bench.held(0)


async def limits_count_used_and_held(bench: Bench) -> None:
    """Both what is held and what was used count; the limit itself may be hit."""
    await bench.found(limits=(Limit("member", LIFE, 20),))
    first = await bench.held(10, member="amy")
    assert [RefusalCode.LIMIT_EXCEEDED] == codes(await bench.hold(11, member="amy"))
    await bench.settle(first.hold_id, 10)
    assert [RefusalCode.LIMIT_EXCEEDED] == codes(await bench.hold(11, member="amy"))
    await bench.held(10, member="amy")
    await bench.held(20, member="bob")


async def limits_by_name(bench: Bench) -> None:
    """A limit by name replaces the general one of its period, and only that."""
    await bench.found(limits=(Limit("member", LIFE, 5), Limit("member:amy", LIFE, 50), Limit("member", Per.DAY, 30)))
    await bench.held(30, member="amy")
    assert [RefusalCode.LIMIT_EXCEEDED] == codes(await bench.hold(6, member="bob"))
    assert [RefusalCode.LIMIT_EXCEEDED] == codes(await bench.hold(1, member="amy"))


async def a_new_window_counts_from_zero(bench: Bench) -> None:
    """What was held in the window before neither counts nor comes back into the new one."""
    await bench.found(limits=(Limit("team", Per.HOUR, 10),))
    first = await bench.in_windows([-9000] * 4)
    assert isinstance(first, Held)
    assert isinstance(await bench.in_windows([-5000, -9000, -9000, -9000]), Held)
    assert [RefusalCode.LIMIT_EXCEEDED] == codes(await bench.in_windows([-5000, -9000, -9000, -9000], 1))
    await bench.settle(first.hold_id, 10)
    assert [RefusalCode.LIMIT_EXCEEDED] == codes(await bench.in_windows([-5000, -9000, -9000, -9000], 1))
    await bench.assert_clean()


async def old_windows_are_left_alone(bench: Bench) -> None:
    """A settle of a hold from an earlier window moves nothing in the present one."""
    first = await bench.in_windows([-9000] * 4)
    assert isinstance(first, Held)
    await bench.in_windows([-5000] * 4, 3)
    await bench.settle(first.hold_id, 7)
    lifetime, hour, *_ = (await bench.counters()).split("|")
    assert ("7:3", "0:3") == (lifetime, hour)


async def a_refusal_writes_nothing(bench: Bench) -> None:
    """Nothing of a refused hold is stored, not even its scopes."""
    before = await bench.all()
    assert codes(await bench.hold(GRANT + 1, member="amy"))
    assert before == await bench.all()


async def a_refusal_that_reaps(bench: Bench) -> None:
    """What time did is written with a refusal; counters of scopes in which nothing was ever held are not."""
    await bench.held(ttl_ms=0, on_unknown=OnUnknown.RELEASE)
    assert codes(await bench.hold(GRANT + 1, member="amy"))
    assert ["hold", "unknown", "expire"] == await bench.kinds()
    await bench.assert_clean()


async def so_many_names(bench: Bench) -> None:
    """A team that has spent under so many names takes those, the ones that its limits name, any key, and no others."""
    await bench.found(limits=(Limit("member:eve", LIFE, 50),))
    await bench.held(member="amy", project="spring")
    fill = [part for number in range(NAMES_MAX) for part in (f"member:{number}", "-")]
    await bench.client.command("HSET", bench.keys.bal, *fill)
    before = await bench.all()
    assert TooManyNames("member:bob", NAMES_MAX) == await bench.hold(member="bob")
    assert TooManyNames("project:summer", NAMES_MAX) == await bench.hold(project="summer", member="amy")
    assert before == await bench.all()
    await bench.held(member="eve", project="spring", key_id="new")
    await bench.held(member="amy")
    await bench.held()


async def a_hold_has_a_deadline(bench: Bench) -> None:
    """Time knows every hold."""
    await bench.held(ttl_ms=0)
    assert 2 == len((await bench.ledger.expire_due(bench.team)).transitions)


async def a_wrong_type_stops_a_hold_first(bench: Bench) -> None:
    """If a key that will be written is of another type, nothing at all is written."""
    await bench.held(hold_id=bench.id(DAY_MS), ttl_ms=0)
    order = bench.order()
    done = bench.keys.done_of(bench.id(DAY_MS))
    await bench.client.command("SET", done, "x")
    before = await bench.all()
    assert "WRONGTYPE" in await bench.refused_as(bench.ledger.hold(order))
    assert before == await bench.all()
    await bench.client.command("DEL", done)


HOLD_PROBES = (
    odd_hold_arguments, odd_hold_amounts, no_team, same_hold_again, other_body_of_an_open_hold,
    hold_again_when_unknown, hold_again_when_done, other_body_of_a_done_hold, old_and_future_ids,
    windows_of_another_zone, windows_that_are_over, the_next_window, windows_never_move_back,
    a_start_in_the_future_is_not_believed, reaping_is_bounded, reaping_of_older_days, due_holds_free_credits, frozen,
    caps, balance_is_exact, free_of_charge_in_debt, limits_count_used_and_held, limits_by_name,
    a_new_window_counts_from_zero, old_windows_are_left_alone, a_refusal_writes_nothing, a_refusal_that_reaps,
    a_hold_has_a_deadline, a_wrong_type_stops_a_hold_first, so_many_names,
)  # fmt: skip
