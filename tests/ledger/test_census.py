"""What is counted when all teams are looked at, on every kind of store."""

from collections.abc import Callable

from gatekeeper.ledger.census import Census, count_all
from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.records import HoldOrder, OnUnknown
from gatekeeper.ledger.teamrecord import TeamRecord

CREDIT = 1_000_000
Order = Callable[..., HoldOrder]


async def no_rest(_: float) -> None:
    """As fast as it goes."""


async def counted(client: StoreClient) -> Census:
    """All of them, without a pause. The store may have teams of other tests."""
    return await count_all(client, no_rest)


def counts(census: Census) -> dict[str, int]:
    """Open holds by state."""
    return {state: tally.count for state, tally in census.holds.items()}


async def grown(client: StoreClient, before: Census) -> dict[str, int]:
    """What there is more of now."""
    after, was = counts(await counted(client)), counts(before)
    return {state: count - was.get(state, 0) for state, count in after.items() if count != was.get(state, 0)}


async def test_holds_are_counted_by_what_they_wait_for(
    client: StoreClient, ledger: Ledger, team: TeamRecord, order: Order
) -> None:
    """A request's, a job's, one that nobody knows the end of, one that is kept, a job whose time is over."""
    before = await counted(client)
    held, job, unknown = order(), order(), order(grace_ms=60_000)
    kept, overdue = order(on_unknown=OnUnknown.KEEP, ttl_ms=0, grace_ms=0), order()
    for each in (held, job, unknown, kept, overdue):
        await ledger.hold(each)
    await ledger.attach_job(job.hold_id, team.id, "{}", ttl_ms=60_000)
    await ledger.attach_job(overdue.hold_id, team.id, "{}", ttl_ms=60_000)
    await ledger.mark_unknown(overdue.hold_id, team.id)
    await ledger.mark_unknown(unknown.hold_id, team.id)
    for _ in range(2):  # unknown first, then kept
        await ledger.expire_due(team.id)

    assert {"held": 1, "job": 1, "unknown": 1, "kept": 1, "overdue": 1} == await grown(client, before)


async def test_credits_that_are_held_and_owed_are_added_up(
    client: StoreClient, ledger: Ledger, team: TeamRecord, order: Order
) -> None:
    """49 are held; a late fact of 600 takes a team of 490 below zero."""
    before = await counted(client)
    asked = order()
    await ledger.hold(asked)
    during = await counted(client)
    await ledger.settle(asked.hold_id, team.id, 600 * CREDIT)

    after = await counted(client)

    assert (49 * CREDIT, 0) == (during.held - before.held, after.held - before.held)
    assert (1, 110 * CREDIT) == (after.owing - before.owing, after.owed - before.owed)


async def test_a_team_that_was_never_given_anything_is_a_team(client: StoreClient, ledger: Ledger) -> None:
    """It has no books yet."""
    before = await counted(client)
    await ledger.put_team(TeamRecord("without-books"))

    assert 1 == (await counted(client)).teams - before.teams


async def test_the_oldest_of_a_state_is_known(
    client: StoreClient, ledger: Ledger, team: TeamRecord, order: Order
) -> None:
    """By the store's own time at which it was made."""
    first = order()
    await ledger.hold(first)
    await ledger.hold(order())
    made = {hold.hold_id: hold.held_at_ms for hold in await ledger.holds(team.id)}

    assert (await counted(client)).holds["held"].oldest_ms <= made[first.hold_id]


async def test_a_record_that_the_ledger_did_not_write_is_passed_by(client: StoreClient, ledger: Ledger) -> None:
    """Its team is told of, and all others are counted."""
    await ledger.put_team(TeamRecord("written-by-hand"))
    await client.command("HSET", "gk:{written-by-hand}:bal", "figures", "nothing:like:figures")
    found = await counted(client)
    await client.command("DEL", "gk:{written-by-hand}:bal")

    assert 1 == found.unreadable
    assert 0 == (await counted(client)).unreadable
