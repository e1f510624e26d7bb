"""The replay of the outbox: each resolution once, in order, whatever the store met meanwhile."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from gatekeeper.ledger.batch import Patience
from gatekeeper.ledger.client import StoreClient, connect
from gatekeeper.ledger.errors import LedgerBroken, LedgerError, LedgerUnavailable
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.outbox import Outbox, open_outbox
from gatekeeper.ledger.records import HoldOrder, HoldState, OnUnknown, Repeated, Settlement
from gatekeeper.ledger.replay import Replayed, Replayer
from gatekeeper.ledger.resolution import Act, Resolution
from gatekeeper.ledger.teamrecord import TeamRecord

CREDIT = 1_000_000

Order = Callable[..., HoldOrder]


@pytest.fixture(name="outbox")
async def _outbox(tmp_path: Path) -> AsyncIterator[Outbox]:
    outbox = await open_outbox(tmp_path / "outbox", max_bytes=1024**2)
    yield outbox
    await outbox.close()


class MovingLedger(Ledger):
    """A ledger whose store goes away, or that has a word to say about some holds."""

    def __init__(self, client: StoreClient) -> None:
        super().__init__(client)
        self.away = False
        self.errors: dict[str, LedgerError] = {}
        self.settled: list[str] = []
        self.asked = asyncio.Event()

    async def settle(self, hold_id: str, team_id: str, amount: int, **rest: Any) -> Settlement:
        self.asked.set()
        if self.away:
            raise LedgerUnavailable("away", maybe_executed=False)
        if hold_id in self.errors:
            raise self.errors[hold_id]
        self.settled.append(hold_id)
        return await super().settle(hold_id, team_id, amount, **rest)


@pytest.fixture(name="ledger")
def _ledger(client: StoreClient) -> MovingLedger:
    return MovingLedger(client)


class Ears:
    """Hears what a replayer tells."""

    def __init__(self) -> None:
        self.replayed: list[Replayed] = []
        self.errors: list[Exception] = []
        self.heard = asyncio.Event()

    def on_replayed(self, replayed: Replayed) -> None:
        self.replayed.append(replayed)
        self.heard.set()

    def on_error(self, error: Exception) -> None:
        self.errors.append(error)
        self.heard.set()

    @property
    def statuses(self) -> list[str]:
        return [each.status for each in self.replayed]

    async def until(self, count: int) -> None:
        """Waits (bounded) until so much was replayed."""
        async with asyncio.timeout(10):
            while len(self.replayed) < count:
                self.heard.clear()
                await self.heard.wait()


@pytest.fixture(name="ears")
def _ears() -> Ears:
    return Ears()


@pytest.fixture(name="replayer")
def _replayer(ledger: MovingLedger, outbox: Outbox, ears: Ears) -> Replayer:
    """One that hardly waits."""
    return Replayer(ledger, outbox, on_replayed=ears.on_replayed, on_error=ears.on_error, wait_max_s=0.01)


def settling(order: HoldOrder, amount: int = 49 * CREDIT, **changes: Any) -> Resolution:
    """The end of a hold."""
    settle: dict[str, Any] = {"act": Act.SETTLE, "team": order.team, "hold_id": order.hold_id, "amount": amount}
    return Resolution(**{**settle, "why": "made", "held": order.amount, **changes})


async def test_a_settle_is_booked_once(
    ledger: MovingLedger, outbox: Outbox, replayer: Replayer, ears: Ears, order: Order
) -> None:
    """The charge of a resolution that waited, and its outcome in the journal; the second round has nothing to do."""
    hold = order()
    await ledger.hold(hold)
    await outbox.write(settling(hold))
    assert await replayer.replay()
    assert await replayer.replay()

    balance, journal = await ledger.balance(hold.team), await ledger.journal(hold.team)
    assert (49 * CREDIT, 0) == (balance.charged, balance.held)
    assert ["made"] == [entry.fields["why"] for entry in journal if entry.kind == "settle"]
    assert (["settled"], 0) == (ears.statuses, outbox.depth)


async def test_what_was_booked_already_is_a_duplicate_and_done(
    ledger: MovingLedger, outbox: Outbox, replayer: Replayer, ears: Ears, order: Order
) -> None:
    """The settle whose answer was lost had been executed: nothing changes, and nothing is said to be booked."""
    hold = order()
    await ledger.hold(hold)
    await ledger.settle(hold.hold_id, hold.team, 49 * CREDIT)
    await outbox.write(settling(hold))
    await replayer.replay()

    assert [("duplicate", False, False)] == [(each.status, each.booked, each.rejected) for each in ears.replayed]
    assert (49 * CREDIT, 0) == ((await ledger.balance(hold.team)).charged, outbox.depth)


async def test_another_amount_and_no_such_hold_are_set_aside(
    ledger: MovingLedger, outbox: Outbox, replayer: Replayer, ears: Ears, order: Order
) -> None:
    """Never dropped in silence: a line for each, with all that was to be booked and what the ledger said."""
    settled, never_held, unknown = order(), order(), order()
    await ledger.hold(settled)
    await ledger.settle(settled.hold_id, settled.team, 7 * CREDIT)
    await outbox.write(settling(settled))
    await outbox.write(settling(never_held))
    await outbox.write(settling(unknown, 0, act=Act.UNKNOWN))
    await replayer.replay()

    lines = [json.loads(line) for line in outbox.rejected.read_text().splitlines()]
    assert [
        ("mismatch", settled.hold_id, "settle", 49 * CREDIT, 7 * CREDIT),
        ("gone", never_held.hold_id, "settle", 49 * CREDIT, 0),
        ("gone", unknown.hold_id, "unknown", 0, 0),
    ] == [(line["status"], line["hold_id"], line["act"], line["amount"], line["charged"]) for line in lines]
    assert (True, 0) == (all(each.rejected for each in ears.replayed), outbox.depth)


async def test_a_ledger_that_cannot_book_it_ever_is_not_asked_again(
    ledger: MovingLedger, outbox: Outbox, replayer: Replayer, ears: Ears, order: Order
) -> None:
    """An error that would come again does not stand in the way of what is behind it."""
    broken, good = order(), order()
    await ledger.hold(good)
    ledger.errors[broken.hold_id] = LedgerBroken("nonsense")
    await outbox.write(settling(broken))
    await outbox.write(settling(good))
    await replayer.replay()

    assert ["LedgerBroken", "settled"] == ears.statuses
    assert "LedgerBroken" in outbox.rejected.read_text()


async def test_each_team_is_told_in_order(
    ledger: MovingLedger, outbox: Outbox, replayer: Replayer, ears: Ears, order: Order, team: TeamRecord
) -> None:
    """Two teams, more than one portion each: every team's holds are settled as they were written."""
    other = await ledger.put_team(TeamRecord(f"{team.id}-b"))
    await ledger.grant(other.id, "opening", 490 * CREDIT)
    orders = [order(team=name, amount=0) for _ in range(150) for name in (team.id, other.id)]
    for hold in orders:
        await ledger.hold(hold)
    await asyncio.gather(*(outbox.write(settling(hold, 0)) for hold in orders))
    replayer.start()
    await ears.until(300)
    await replayer.stop()

    for name in (team.id, other.id):
        wanted = [hold.hold_id for hold in orders if hold.team == name]
        assert wanted == [hold_id for hold_id in ledger.settled if hold_id in set(wanted)]


async def test_it_goes_on_when_the_store_is_back(
    ledger: MovingLedger, outbox: Outbox, replayer: Replayer, ears: Ears, order: Order
) -> None:
    """While the store is away it keeps asking; what comes then is booked too, and it rests until more arrives."""
    first, second = order(), order()
    await ledger.hold(first)
    await ledger.hold(second)
    ledger.away = True
    await outbox.write(settling(first))
    replayer.start()
    async with asyncio.timeout(10):
        for _ in range(3):
            ledger.asked.clear()
            await ledger.asked.wait()
    waiting = outbox.depth
    ledger.away = False
    await ears.until(1)
    await outbox.write(settling(second))
    await ears.until(2)
    await replayer.stop()

    assert (1, ["settled", "settled"], 0) == (waiting, ears.statuses, outbox.depth)


async def test_a_hold_that_time_resolved_is_booked_late(
    ledger: MovingLedger, outbox: Outbox, replayer: Replayer, ears: Ears, order: Order
) -> None:
    """The fact counts: released by its policy before the store heard of it, charged now, once."""
    hold = order(ttl_ms=0)
    await ledger.hold(hold)
    await ledger.expire_due(hold.team)
    released = (await ledger.balance(hold.team)).charged
    await outbox.write(settling(hold))
    await replayer.replay()

    assert (0, 49 * CREDIT) == (released, (await ledger.balance(hold.team)).charged)
    assert [("late", True)] == [(each.status, each.booked) for each in ears.replayed]
    assert (await ledger.verify(hold.team)).clean


async def test_an_unknown_outcome_is_marked(
    ledger: MovingLedger, outbox: Outbox, replayer: Replayer, ears: Ears, order: Order
) -> None:
    """The mark that waited is made; the hold stays for its policy."""
    hold = order()
    await ledger.hold(hold)
    await outbox.write(settling(hold, 0, act=Act.UNKNOWN, why="cut off"))
    await replayer.replay()

    (still,) = await ledger.holds(hold.team)
    assert ("unknown", ["unknown"]) == (still.state, ears.statuses)


async def test_a_hold_that_was_made_is_undone(
    ledger: MovingLedger, outbox: Outbox, replayer: Replayer, ears: Ears, order: Order
) -> None:
    """Its credits are free again."""
    hold = order(on_unknown=OnUnknown.CHARGE)
    await ledger.hold(hold)
    await outbox.write(settling(hold, 0, act=Act.UNDO))
    await replayer.replay()

    balance = await ledger.balance(hold.team)
    assert (490 * CREDIT, 0, ["released"]) == (balance.available, balance.charged, ears.statuses)


async def test_a_hold_that_is_made_after_it_was_to_be_undone_is_refused(
    ledger: MovingLedger, outbox: Outbox, replayer: Replayer, ears: Ears, order: Order
) -> None:
    """A lost command may still arrive when the store wakes up: what was undone before it was made is never made."""
    hold = order(on_unknown=OnUnknown.CHARGE)
    await outbox.write(settling(hold, 0, act=Act.UNDO))
    await replayer.replay()

    assert Repeated(hold.hold_id, HoldState.VOID, 0, 0) == await ledger.hold(hold)
    assert (["voided"], (), False) == (ears.statuses, await ledger.holds(hold.team), outbox.rejected.exists())
    assert (490 * CREDIT, True) == ((await ledger.balance(hold.team)).available, (await ledger.verify(hold.team)).clean)


async def test_a_settle_of_a_hold_that_the_store_lost_is_booked(
    ledger: MovingLedger, outbox: Outbox, replayer: Replayer, ears: Ears, order: Order
) -> None:
    """A resolution that says what the hold was is booked from that, once, and counts in the scopes of the hold."""
    hold, windows = order(project="p"), "3600000:0:0:0"
    for _ in range(2):
        told = {"project": "p", "fingerprint": "print", "windows": windows, "usage": "m|||||", "outputs": 3}
        await outbox.write(settling(hold, **told))
    await replayer.replay()
    rows = await ledger.usage.rows(hold.team, 0, 1 << 47)

    assert [("m", "p", 49 * CREDIT, 3)] == [(row.model, row.project, row.credits, row.outputs) for row in rows]
    assert [("orphan", True), ("duplicate", False)] == [(each.status, each.booked) for each in ears.replayed]
    assert (49 * CREDIT, True) == ((await ledger.balance(hold.team)).charged, (await ledger.verify(hold.team)).clean)


async def test_an_undo_gives_back_what_a_policy_charged(
    ledger: MovingLedger, outbox: Outbox, replayer: Replayer, ears: Ears, order: Order
) -> None:
    """Time was faster and charged a hold that nothing was sent for: the charge goes back."""
    hold = order(ttl_ms=0, on_unknown=OnUnknown.CHARGE)
    await ledger.hold(hold)
    await ledger.expire_due(hold.team)
    charged = (await ledger.balance(hold.team)).charged
    await outbox.write(settling(hold, 0, act=Act.UNDO))
    await replayer.replay()

    assert (49 * CREDIT, 0) == (charged, (await ledger.balance(hold.team)).charged)
    assert (["late"], True) == (ears.statuses, (await ledger.verify(hold.team)).clean)


async def test_what_nobody_foresaw_is_told_and_not_the_end(
    ledger: MovingLedger, outbox: Outbox, replayer: Replayer, ears: Ears, order: Order
) -> None:
    """One failed round is not the last."""
    hold = order()
    await ledger.hold(hold)
    ledger.errors[hold.hold_id] = ZeroDivisionError()  # type: ignore[assignment]
    await outbox.write(settling(hold))
    replayer.start()
    async with asyncio.timeout(10):
        await ears.heard.wait()
    ledger.errors.clear()
    await ears.until(1)
    await replayer.stop()

    assert isinstance(ears.errors[0], ZeroDivisionError)
    assert ["settled"] == ears.statuses


async def test_after_a_restart_nothing_is_booked_twice(
    ledger: MovingLedger, outbox: Outbox, replayer: Replayer, ears: Ears, order: Order, tmp_path: Path
) -> None:
    """Killed between the ledger's answer and the note of it: the next process tells it again, and it is known."""
    hold = order()
    await ledger.hold(hold)
    await outbox.write(settling(hold))
    (path,) = (tmp_path / "outbox").glob("*.outbox")
    as_it_was = path.read_bytes()
    await replayer.replay()
    await outbox.close()
    path.write_bytes(as_it_was)
    later = await open_outbox(tmp_path / "outbox", max_bytes=1024**2)
    await Replayer(ledger, later, on_replayed=ears.on_replayed, on_error=ears.on_error).replay()
    await later.close()

    assert ["settled", "duplicate"] == ears.statuses
    assert (49 * CREDIT, True) == (
        (await ledger.balance(hold.team)).charged,
        (await ledger.verify(hold.team)).clean,
    )


async def test_a_store_that_cannot_be_reached_keeps_what_waits(tmp_path: Path, outbox: Outbox, ears: Ears) -> None:
    """With the real client and nobody at the address: all stays, and a stop does not wait for it."""
    client = StoreClient(connect(f"unix://{tmp_path}/nobody.sock"), Patience(budget_s=0.1, attempts=2, wait_s=0.01))
    replayer = Replayer(Ledger(client), outbox, on_replayed=ears.on_replayed, on_error=ears.on_error)
    hold_id = "01a201c134fa70a7b9f44622bd514020"
    await outbox.write(Resolution(act=Act.SETTLE, team="studio", hold_id=hold_id, amount=1))
    told = await replayer.replay()
    replayer.start()
    await replayer.stop()
    await client.close()

    assert (False, 1, [], []) == (told, outbox.depth, ears.replayed, ears.errors)


async def test_what_another_leaves_later_is_told(
    ledger: MovingLedger, outbox: Outbox, ears: Ears, order: Order, tmp_path: Path
) -> None:
    """A worker that lost its leader may end after the next gateway has begun: nobody opens the outbox after it, and
    what it left there is booked all the same."""
    replayer = Replayer(ledger, outbox, on_replayed=ears.on_replayed, on_error=ears.on_error, adopt_every_s=0.01)
    other = await open_outbox(tmp_path / "outbox", max_bytes=1024**2)
    hold = order()
    await ledger.hold(hold)
    replayer.start()

    await other.write(settling(hold))
    await other.close()
    await ears.until(1)
    await replayer.stop()

    assert (["settled"], [], 0) == (ears.statuses, ears.errors, outbox.depth)
    assert 49 * CREDIT == (await ledger.balance(hold.team)).charged
