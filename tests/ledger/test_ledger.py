"""The ledger as the gateway calls it, on fakeredis and on a real server."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from gatekeeper.ledger.errors import LedgerConflict, LedgerInvalid, LedgerNoTeam
from gatekeeper.ledger.keys import TeamKeys
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.records import (
    EntryKind,
    Expiry,
    GrantStatus,
    Held,
    HoldOrder,
    HoldState,
    Marked,
    MarkStatus,
    Mismatch,
    OnUnknown,
    RefusalCode,
    Refused,
    Repeated,
    SettleStatus,
)
from gatekeeper.ledger.reports import Grant
from gatekeeper.ledger.teamrecord import Caps, KeyRecord, Limit, Per, TeamRecord
from tests.cases import each_case

CREDIT = 1_000_000
Order = Callable[..., HoldOrder]
NewId = Callable[..., str]


async def test_team_comes_back_as_it_was_put(ledger: Ledger, team_id: str):
    """Every field of a team is stored, and the revision counts changes only."""
    record = TeamRecord(
        team_id, timezone="Europe/Berlin", frozen=True,
        limits=(Limit("team", Per.MONTH, 5000 * CREDIT), Limit("member:amy", Per.DAY, 0)),
        caps=Caps(per_request=300 * CREDIT, open_holds=50, requests_per_minute=60), models_allow=("flux-*",),
        models_deny=("recraft-v4-pro",), retry_guard=False,
    )  # fmt: skip
    stored = [await ledger.put_team(record), await ledger.put_team(record)]

    assert [replace(record, revision=1)] * 2 == stored
    assert replace(record, revision=1) == await ledger.team(team_id)


async def test_team_changed_by_somebody_else(ledger: Ledger, team: TeamRecord):
    """A change that expects an older revision is a conflict."""
    await ledger.put_team(replace(team, frozen=True), expected_revision=1)

    with pytest.raises(LedgerConflict, match="revision 2"):
        await ledger.put_team(replace(team, timezone="Asia/Tokyo"), expected_revision=1)


async def test_unknown_team(ledger: Ledger, team_id: str, new_id: NewId):
    """A team nobody put has no record, no holds and no journal; credits cannot be given, held or counted."""
    assert (None, (), ()) == (await ledger.team(team_id), await ledger.holds(team_id), await ledger.journal(team_id))
    for call in (
        ledger.grant(team_id, "g", 1),
        ledger.hold(HoldOrder(new_id(), team_id, 1, 1)),
        ledger.balance(team_id),
    ):
        with pytest.raises(LedgerNoTeam, match=team_id):
            await call


async def test_teams_lists_all(ledger: Ledger):
    """Every team that was put is listed once, more than one page of them too."""
    names = {f"t{n}" for n in range(600)}
    await asyncio.gather(*(ledger.put_team(TeamRecord(name)) for name in names))

    assert sorted(names) == sorted([team_id async for team_id in ledger.teams()])


async def test_key_is_found_by_its_hash(ledger: Ledger, team: TeamRecord):
    """A key comes back as it was put, is listed, and is gone when removed."""
    key = KeyRecord("a" * 64, team.id, "ci", "spring", "amy", ("generate",), expires_at_ms=5, revoked=True)
    await ledger.keyring.put(key)

    assert (key, (key,)) == (await ledger.keyring.find("a" * 64), await ledger.keyring.of_team(team.id))
    assert [True, False] == [await ledger.keyring.remove(team.id, "ci") for _ in range(2)]
    assert (None, ()) == (await ledger.keyring.find("a" * 64), await ledger.keyring.of_team(team.id))


async def test_new_secret_of_a_key_ends_the_old_one(ledger: Ledger, team: TeamRecord):
    """A key id has one secret: putting it with another one makes the first useless."""
    await ledger.keyring.put(KeyRecord("a" * 64, team.id, "ci"))
    await ledger.keyring.put(KeyRecord("b" * 64, team.id, "ci"))

    assert None is await ledger.keyring.find("a" * 64)
    assert ["b" * 64] == [key.sha256 for key in await ledger.keyring.of_team(team.id)]


async def test_secret_of_another_key_is_a_conflict(ledger: Ledger, team: TeamRecord):
    """Two keys cannot share a secret: it would be unclear who asks."""
    await ledger.keyring.put(KeyRecord("a" * 64, team.id, "ci"))

    with pytest.raises(LedgerConflict, match="another key"):
        await ledger.keyring.put(KeyRecord("a" * 64, team.id, "other"))


async def test_grant_statuses(ledger: Ledger, team: TeamRecord):
    """A grant counts once per id."""
    statuses = [await ledger.grant(team.id, "extra", amount) for amount in (5, 5, 6)]

    assert [GrantStatus.GRANTED, GrantStatus.DUPLICATE, GrantStatus.MISMATCH] == statuses
    assert 490 * CREDIT + 5 == (await ledger.balance(team.id)).granted


async def test_grants_are_told_by_id(ledger: Ledger, team: TeamRecord):
    """Each grant's own amount, the refused mismatch not among them."""
    await ledger.grant(team.id, "extra", 5)
    await ledger.grant(team.id, "extra", 6)

    assert (Grant("extra", 5), Grant("opening", 490 * CREDIT)) == await ledger.grants(team.id)


async def test_grants_with_an_expiry_come_first_with_what_is_left(ledger: Ledger, team: TeamRecord, order: Order):
    """What is neither held nor charged of each, soonest first."""
    now_ms = await ledger.now_ms(team.id)
    soon, later = now_ms + 60_000, now_ms + 120_000
    await ledger.grant(team.id, "b", 50 * CREDIT, expires_at_ms=later)
    await ledger.grant(team.id, "z", 9 * CREDIT, expires_at_ms=soon)
    await ledger.hold(order())

    assert (
        Grant("z", 9 * CREDIT, soon, 0), Grant("b", 50 * CREDIT, later, 10 * CREDIT), Grant("opening", 490 * CREDIT),
    ) == await ledger.grants(team.id)  # fmt: skip
    assert (await ledger.verify(team.id)).clean


@each_case("expires_at_ms", [-1, 253_402_300_800_000, 5.0, True, 0, 1_000_000_000_000])
async def test_grant_with_an_expiry_that_cannot_be(ledger: Ledger, team: TeamRecord, expires_at_ms: Any):
    """No instant, or one that is past by the store's clock: refused, saying so, and nothing is given."""
    with pytest.raises(LedgerInvalid, match=r"milliseconds since 1970|is past, the store's time is"):
        await ledger.grant(team.id, "extra", 5, expires_at_ms=expires_at_ms)
    assert ["opening"] == [grant.id for grant in await ledger.grants(team.id)]


async def test_quiet_team_loses_its_grant_by_the_sweep(ledger: Ledger, team: TeamRecord):
    """Nobody asks for anything: the sweep lets the grant lapse, once, and there is nothing more to do."""
    await ledger.grant(team.id, "extra", 5, expires_at_ms=await ledger.now_ms(team.id) + 1000)
    for _ in range(1000):
        if (await ledger.balance(team.id)).expired:
            break
        await asyncio.sleep(0.005)
    before = (await ledger.journal(team.id))[-1].kind
    expiries = [await ledger.expire_due(team.id) for _ in range(2)]
    kinds = [entry.kind for entry in await ledger.journal(team.id, after=2)]

    assert (EntryKind.GRANT, [EntryKind.GRANT, EntryKind.LAPSE]) == (before, kinds)
    assert [Expiry((), more=False, next_due_in_ms=0), Expiry((), more=False)] == expiries
    assert 0 == await ledger._client.command("EXISTS", TeamKeys(team.id).due)
    assert (await ledger.verify(team.id)).clean


async def test_life_of_a_hold(ledger: Ledger, team: TeamRecord, order: Order):
    """Hold, settle in part, and the balance adds up; every step is in the journal with what it carries."""
    asked = order(project="spring", member="amy", key_id="ci", meta='{"model":"flux"}')
    held = await ledger.hold(asked)
    settled = await ledger.settle(asked.hold_id, team.id, 24 * CREDIT, outcome="made", meta='{"outputs":1}')
    balance = await ledger.balance(team.id)
    _, _, hold_entry, settle_entry = await ledger.journal(team.id)

    assert isinstance(held, Held)
    assert Held(asked.hold_id, 49 * CREDIT, 441 * CREDIT, 49 * CREDIT, 3) == replace(held, windows="")
    assert (SettleStatus.SETTLED, 24 * CREDIT, 25 * CREDIT) == (settled.status, settled.charged, settled.freed)
    assert (490 * CREDIT, 466 * CREDIT, 0, 24 * CREDIT, 0, 0) == (
        balance.granted, balance.available, balance.held, balance.charged, balance.expired, balance.debt,
    )  # fmt: skip
    assert ("list", '{"model":"flux"}') == (hold_entry.fields["price_list"], hold_entry.fields["meta"])
    assert (EntryKind.SETTLE, 24 * CREDIT, "made", "3", "spring", "amy", "ci", '{"outputs":1}') == (
        settle_entry.kind, settle_entry.charged, *(settle_entry.fields[name] for name in (
            "why", "hold_seq", "project", "member", "key", "meta")),
    )  # fmt: skip


async def test_hold_in_every_state(ledger: Ledger, team: TeamRecord, order: Order):
    """The same order answers held, unknown, settled; another fingerprint is a mismatch."""
    asked = order(grace_ms=60_000)
    first, again = await ledger.hold(asked), await ledger.hold(asked)
    await ledger.mark_unknown(asked.hold_id, team.id, reason="timeout")
    unknown = await ledger.hold(asked)
    await ledger.settle(asked.hold_id, team.id, 5)
    settled, other = await ledger.hold(asked), await ledger.hold(replace(asked, fingerprint="other"))

    assert isinstance(first, Held)
    assert replace(first, repeated=True) == again
    assert Repeated(asked.hold_id, HoldState.UNKNOWN, 49 * CREDIT, 0) == unknown
    assert Repeated(asked.hold_id, HoldState.SETTLED, 49 * CREDIT, 5) == settled
    assert Mismatch(asked.hold_id, HoldState.SETTLED) == other


async def test_release_frees_all_and_is_a_settle_of_zero(ledger: Ledger, team: TeamRecord, order: Order):
    """A release gives everything back; a settle of zero afterwards is the same thing again."""
    asked = order()
    await ledger.hold(asked)
    statuses = [
        (await ledger.release(asked.hold_id, team.id, reason="provider refused")).status,
        (await ledger.settle(asked.hold_id, team.id, 0)).status,
        (await ledger.settle(asked.hold_id, team.id, 1)).status,
    ]

    assert [SettleStatus.RELEASED, SettleStatus.DUPLICATE, SettleStatus.MISMATCH] == statuses
    assert 490 * CREDIT == (await ledger.balance(team.id)).available


async def test_over_run_goes_below_zero_as_debt(ledger: Ledger, team: TeamRecord, order: Order):
    """More than was held is charged, flagged, and shows as debt."""
    asked = order()
    await ledger.hold(asked)
    settled = await ledger.settle(asked.hold_id, team.id, 500 * CREDIT)
    balance = await ledger.balance(team.id)

    assert (True, 10 * CREDIT) == (settled.over, settled.debt)
    assert (0, 10 * CREDIT) == (balance.available, balance.debt)
    assert (await ledger.verify(team.id)).clean


@pytest.mark.parametrize("policy", list(OnUnknown))
async def test_late_settle(ledger: Ledger, team: TeamRecord, order: Order, policy: OnUnknown):
    """Whatever the policy did, the late fact is what counts in the end."""
    asked = order(ttl_ms=0, on_unknown=policy)
    await ledger.hold(asked)
    await ledger.expire_due(team.id)
    settled = await ledger.settle(asked.hold_id, team.id, 7)

    expected = SettleStatus.SETTLED if policy is OnUnknown.KEEP else SettleStatus.LATE
    assert (expected, 7) == (settled.status, (await ledger.balance(team.id)).charged)
    assert (await ledger.verify(team.id)).clean


async def test_mark_unknown_then_time_acts(ledger: Ledger, team: TeamRecord, order: Order):
    """A hold marked unknown with no grace meets its policy at the next sweep."""
    asked = order()
    await ledger.hold(asked)
    marked = await ledger.mark_unknown(asked.hold_id, team.id)
    expiry = await ledger.expire_due(team.id)

    assert MarkStatus.UNKNOWN == marked.status
    assert [EntryKind.EXPIRE] == [transition.kind for transition in expiry.transitions]
    assert Marked(MarkStatus.RESOLVED, None, 0) == await ledger.mark_unknown(asked.hold_id, team.id)


async def test_expire_due_takes_so_many_and_says_if_there_are_more(ledger: Ledger, team: TeamRecord, order: Order):
    """One call is bounded; what is left is told and taken by the next."""
    orders = [order(amount=1) for _ in range(5)]
    for asked in orders:
        await ledger.hold(asked)
    for asked in orders:
        await ledger.mark_unknown(asked.hold_id, team.id)
    calls = [await ledger.expire_due(team.id, max_holds=3) for _ in range(3)]

    assert [(3, True), (2, False), (0, False)] == [(len(call.transitions), call.more) for call in calls]


async def test_everything_time_does_is_told(ledger: Ledger, team: TeamRecord, order: Order):
    """What an admitted hold, a refused one and a sweep find due is told alike, each transition once."""
    told: list[tuple[str, EntryKind]] = []
    ledger.on_transition = lambda team_id, transition: told.append((team_id, transition.kind))
    await ledger.hold(order(ttl_ms=0))
    await ledger.hold(order(ttl_ms=0))
    by_hold = len(told)
    await ledger.hold(order(amount=491 * CREDIT))
    by_refusal = len(told) - by_hold
    await ledger.hold(order(ttl_ms=0))
    await ledger.expire_due(team.id)

    assert (2, 2, [(team.id, EntryKind.UNKNOWN), (team.id, EntryKind.EXPIRE)] * 3) == (by_hold, by_refusal, told)


async def test_every_deadline_is_told(ledger: Ledger, team: TeamRecord, order: Order):
    """A hold's before it is made, for its answer may be lost; a mark's as soon as it may be there."""
    told: list[tuple[str, int]] = []
    ledger.on_deadline = lambda team_id, in_ms: told.append((team_id, in_ms))
    asked = order(ttl_ms=5000)
    await ledger.hold(asked)
    await ledger.mark_unknown(asked.hold_id, team.id)
    with pytest.raises(LedgerNoTeam):
        await ledger.hold(order(team="nobody", ttl_ms=7000))

    assert [(team.id, 5000), (team.id, 0), ("nobody", 7000)] == told


async def test_next_deadline(ledger: Ledger, team: TeamRecord, order: Order):
    """How far off it is: of a team with nothing due, of many teams at once, and of none."""
    await ledger.hold(order(ttl_ms=60_000))
    expiry = await ledger.expire_due(team.id)
    mine, none = await ledger.due_in_ms([team.id, "nobody"])

    assert expiry.next_due_in_ms is not None
    assert mine is not None
    assert 50_000 < mine <= expiry.next_due_in_ms <= 60_000
    assert none is None


async def test_one_open_hold(ledger: Ledger, team: TeamRecord, order: Order):
    """A hold is found by its id for as long as it is open."""
    asked = order(member="amy")
    await ledger.hold(asked)
    found = await ledger.open_hold(asked.hold_id, team.id)
    listed = await ledger.holds(team.id)
    await ledger.release(asked.hold_id, team.id)

    assert (listed, None) == ((found,), await ledger.open_hold(asked.hold_id, team.id))


async def test_open_holds_are_listed(ledger: Ledger, team: TeamRecord, order: Order):
    """Open holds come oldest first with their state and deadline; a kept one has no deadline."""
    kept, running = order(ttl_ms=0, on_unknown=OnUnknown.KEEP, member="amy"), order(grace_ms=9)
    await ledger.hold(kept)
    await ledger.expire_due(team.id)
    await ledger.hold(running)
    first, second = await ledger.holds(team.id)

    assert (kept.hold_id, HoldState.UNKNOWN, None, "amy") == (
        first.hold_id, first.state, first.deadline_ms, first.member,
    )  # fmt: skip
    assert (running.hold_id, HoldState.HELD, 60_000, 9) == (
        second.hold_id, second.state, (second.deadline_ms or 0) - second.held_at_ms, second.grace_ms,
    )  # fmt: skip


async def test_refusal_has_its_numbers(ledger: Ledger, team: TeamRecord, order: Order):
    """A refusal tells what was required, what there is, and each limit with its use and its reset."""
    await ledger.put_team(replace(team, limits=(Limit("member", Per.DAY, 60 * CREDIT),)))
    await ledger.hold(order(member="amy"))
    refused = await ledger.hold(order(member="amy"))

    assert isinstance(refused, Refused)
    (refusal,) = refused.refusals
    assert (49 * CREDIT, 441 * CREDIT, 49 * CREDIT) == (refused.required, refused.available, refused.held)
    assert (RefusalCode.LIMIT_EXCEEDED, "member:amy", "day", 60 * CREDIT, 0, 49 * CREDIT, True) == (
        refusal.code, refusal.scope, refusal.per, refusal.limit, refusal.used, refusal.held, refusal.fits_after_release,
    )  # fmt: skip
    assert refusal.resets_at_ms is not None


async def test_freeze_counts_from_the_next_request_on_every_worker(ledger: Ledger, team: TeamRecord, order: Order):
    """Another worker's ledger, which never saw the change, refuses as well; and admits again when it is undone."""
    other = Ledger(ledger._client)
    await other.hold(order())
    await ledger.put_team(replace(team, frozen=True))
    frozen = await other.hold(order())
    await ledger.put_team(team)

    assert isinstance(frozen, Refused)
    assert [RefusalCode.TEAM_FROZEN] == [refusal.code for refusal in frozen.refusals]
    assert isinstance(await other.hold(order()), Held)


async def test_limit_set_later_knows_what_was_spent_before(ledger: Ledger, team: TeamRecord, order: Order):
    """Counters are kept whether or not a limit looks at them, so a new limit counts the whole day."""
    asked = order(member="amy")
    await ledger.hold(asked)
    await ledger.settle(asked.hold_id, team.id, 49 * CREDIT)
    await ledger.put_team(replace(team, limits=(Limit("member", Per.DAY, 60 * CREDIT),)))

    assert isinstance(await ledger.hold(order(member="amy")), Refused)


async def test_team_that_moves_to_another_time_zone(ledger: Ledger, team: TeamRecord, order: Order):
    """A worker that does not know of the move sends the new zone's windows at its second try."""
    other = Ledger(ledger._client)
    await other.hold(order())
    await ledger.put_team(replace(team, timezone="Asia/Kathmandu"))

    assert isinstance(await other.hold(order()), Held)
    assert (await ledger.verify(team.id)).clean


async def test_balance_lists_the_limits_that_apply(ledger: Ledger, team: TeamRecord, order: Order):
    """The caller's own limits are listed with their use, a named one in place of the general one."""
    limits = (
        Limit("team", Per.LIFETIME, 400), Limit("member", Per.DAY, 100), Limit("member:amy", Per.DAY, 200),
        Limit("member:bob", Per.DAY, 300), Limit("project", Per.HOUR, 50),
    )  # fmt: skip
    await ledger.put_team(replace(team, limits=limits))
    spent, running = order(amount=30, member="amy"), order(amount=10, member="amy")
    await ledger.hold(spent)
    await ledger.hold(running)
    await ledger.settle(spent.hold_id, team.id, 20)
    balance = await ledger.balance(team.id, member="amy")

    assert [("team", Per.LIFETIME, 400, 20, 10), ("member:amy", Per.DAY, 200, 20, 10)] == [
        (use.scope, use.per, use.limit, use.used, use.held) for use in balance.limits
    ]
    assert [True, False] == [use.resets_at_ms is None for use in balance.limits]


async def test_burst_never_overspends(ledger: Ledger, team: TeamRecord, order: Order):
    """60 holds of 49 credits at once on 490: exactly 10 are admitted, and the books are clean."""
    results = await asyncio.gather(*(ledger.hold(order()) for _ in range(60)))
    balance = await ledger.balance(team.id)

    assert (10, 50) == tuple(sum(isinstance(result, kind) for result in results) for kind in (Held, Refused))
    assert (0, 490 * CREDIT, 0) == (balance.available, balance.held, balance.debt)
    assert (await ledger.verify(team.id)).clean


async def test_journal_is_paged(ledger: Ledger, team: TeamRecord, order: Order):
    """The journal is dense, starts at 1, and goes on after any entry."""
    for _ in range(5):
        await ledger.hold(order(amount=1))
    pages = [await ledger.journal(team.id, after, 3) for after in (0, 3, 6, 9)]

    assert [[1, 2, 3], [4, 5, 6], [7], []] == [[entry.seq for entry in page] for page in pages]


async def test_everything_can_be_asked_twice_at_once(ledger: Ledger, team: TeamRecord, order: Order):
    """Two of each call at the same time have the effect of one."""
    asked = order()
    for call in (
        lambda: ledger.grant(team.id, "extra", 5),
        lambda: ledger.hold(asked),
        lambda: ledger.mark_unknown(asked.hold_id, team.id),
        lambda: ledger.settle(asked.hold_id, team.id, 9),
    ):
        await asyncio.gather(call(), call())
    kinds = [entry.kind for entry in await ledger.journal(team.id)]

    assert ["team", "grant", "grant", "hold", "unknown", "settle"] == kinds
    assert 9 == (await ledger.balance(team.id)).charged


@each_case(
    "changes",
    [
        {"team": "no team"}, {"hold_id": "x"}, {"amount": -1}, {"amount": 2**53 - 1}, {"amount": 1.5}, {"amount": True},
        {"ttl_ms": -1}, {"grace_ms": 10**10}, {"project": "tab\there"}, {"member": "x" * 129}, {"key_id": "line\n"},
        {"fingerprint": "x" * 65}, {"once": "x" * 65}, {"once": "a\tb"}, {"once_within_ms": -1},
        {"once_within_ms": 86_400_001}, {"price_list": "\x00"}, {"meta": "x" * 4097}, {"member": "\ud800"},
    ],
)  # fmt: skip
async def test_order_that_cannot_be_booked(ledger: Ledger, order: Order, changes: dict[str, Any]):
    """What no ledger can book is refused before anything is sent."""
    with pytest.raises(LedgerInvalid):
        await ledger.hold(order(**changes))


async def test_names_may_hold_almost_anything(ledger: Ledger, team: TeamRecord, order: Order):
    """Blanks, colons, bars and letters of any script are fine in names."""
    asked = order(project="Spring: 2026 | Köln", member="佐藤@example.com", key_id="{x}%d", meta='{"a":"ü\\n"}')
    await ledger.hold(asked)
    (hold,) = await ledger.holds(team.id)

    assert (asked.project, asked.member, asked.key_id) == (hold.project, hold.member, hold.key_id)
    assert asked.meta == (await ledger.journal(team.id, after=2))[0].fields["meta"]
    assert (await ledger.verify(team.id)).clean
