"""A hold is given more time, and how it ended can be asked."""

from collections.abc import Callable

import pytest

from gatekeeper.ledger.errors import LedgerInvalid
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.records import EntryKind, ExtendStatus, HoldOrder, HoldState, OnUnknown
from gatekeeper.ledger.reports import EndedHold
from gatekeeper.ledger.teamrecord import TeamRecord

Order = Callable[..., HoldOrder]
MINUTE_MS = 60_000


async def test_a_deadline_is_put_off_and_journalled(ledger: Ledger, team: TeamRecord, order: Order):
    """The hold stands as before with a later deadline, the journal has an entry, and the books verify."""
    wanted = order(ttl_ms=MINUTE_MS)
    await ledger.hold(wanted)

    extended = await ledger.terms.extend(wanted.hold_id, team.id, 60 * MINUTE_MS)

    found = await ledger.open_hold(wanted.hold_id, team.id)
    assert found is not None
    assert (ExtendStatus.EXTENDED, found.deadline_ms) == (extended.status, extended.deadline_ms)
    assert EntryKind.EXTEND == (await ledger.journal(team.id))[-1].kind
    assert (await ledger.verify(team.id)).clean


async def test_whoever_sweeps_is_told_of_the_new_deadline(ledger: Ledger, team: TeamRecord, order: Order):
    """The team is looked at when the new time has come."""
    told: list[tuple[str, int]] = []
    wanted = order()
    await ledger.hold(wanted)
    ledger.on_deadline = lambda team_id, in_ms: told.append((team_id, in_ms))

    await ledger.terms.extend(wanted.hold_id, team.id, 5 * MINUTE_MS)

    assert [(team.id, 5 * MINUTE_MS)] == told


async def test_one_that_time_has_ended_is_not_extended(ledger: Ledger, team: TeamRecord, order: Order):
    """The policy has acted: what comes after it is a late settle, and no more time."""
    wanted = order(ttl_ms=0)
    await ledger.hold(wanted)
    await ledger.expire_due(team.id)

    extended = await ledger.terms.extend(wanted.hold_id, team.id, MINUTE_MS)

    assert (ExtendStatus.RESOLVED, None) == (extended.status, extended.deadline_ms)
    assert EndedHold(HoldState.EXPIRED, wanted.amount, 0) == await ledger.terms.ended(wanted.hold_id, team.id)


@pytest.mark.parametrize(("amount", "state"), [(7, HoldState.SETTLED), (0, HoldState.RELEASED)])
async def test_how_a_hold_ended(ledger: Ledger, team: TeamRecord, order: Order, amount: int, state: HoldState):
    """What was charged of how much; None as long as it is open."""
    wanted = order(on_unknown=OnUnknown.KEEP)
    await ledger.hold(wanted)
    before = await ledger.terms.ended(wanted.hold_id, team.id)

    await ledger.settle(wanted.hold_id, team.id, amount)

    ended = EndedHold(state, wanted.amount, amount)
    assert [None, ended] == [before, await ledger.terms.ended(wanted.hold_id, team.id)]


async def test_times_that_no_hold_has(ledger: Ledger, team: TeamRecord, order: Order):
    """Less than nothing and more than a month are refused before the store is asked."""
    for ttl_ms in (-1, 31 * 24 * 60 * MINUTE_MS):
        with pytest.raises(LedgerInvalid):
            await ledger.terms.extend(order().hold_id, team.id, ttl_ms)
