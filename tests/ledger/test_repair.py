"""A store that has lost entries it had acknowledged is found out, the team is closed, and what is known is told again.

The loss is real: the team's keys are put back to an earlier state, as a replica that was behind would have them.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from redis.asyncio import Redis

from gatekeeper.ledger.batch import Patience
from gatekeeper.ledger.client import StoreClient, connect
from gatekeeper.ledger.errors import LedgerHistoryLost, LedgerUnavailable
from gatekeeper.ledger.history import History
from gatekeeper.ledger.keys import TeamKeys
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.opening import OpenStore
from gatekeeper.ledger.records import Held, HoldContext, HoldOrder, Repeated, SettleStatus
from gatekeeper.ledger.repair import LostHistory, Repair
from gatekeeper.ledger.teamrecord import Limit, Per, TeamRecord
from gatekeeper.ledger.wire import Reply

CREDIT = 1_000_000
Order = Callable[..., HoldOrder]


@dataclass
class Past:
    """A team's keys as they were."""

    redis: Redis
    team_id: str
    dumps: dict[str, bytes]

    @classmethod
    async def take(cls, redis: Redis, team_id: str) -> "Past":
        """Remember the team's keys as they are now."""
        keys = [key async for key in redis.scan_iter(f"{TeamKeys(team_id).tag}:*")]
        async with redis.pipeline(transaction=True) as all_at_once:
            for key in keys:
                all_at_once.dump(key)
            dumps = await all_at_once.execute()
        return cls(redis, team_id, {key.decode(): dump for key, dump in zip(keys, dumps, strict=True) if dump})

    async def come_back(self) -> None:
        """Put the keys back: everything since is lost."""
        keys = [key async for key in self.redis.scan_iter(f"{TeamKeys(self.team_id).tag}:*")]
        async with self.redis.pipeline(transaction=True) as all_at_once:
            all_at_once.delete(*keys)
            for key, dump in self.dumps.items():
                all_at_once.restore(key, 0, dump, replace=True)
            await all_at_once.execute()


@pytest.fixture
async def bytes_redis(server_socket) -> AsyncIterator[Redis]:
    """The real server, with replies as bytes: a dump is no text."""
    redis = Redis(unix_socket_path=str(server_socket))
    yield redis
    await redis.aclose()


@pytest.fixture
async def ledger(real_redis: Redis) -> AsyncIterator[Ledger]:
    """A ledger on the real server whose repairs keep a team closed only while they tell."""
    ledger = Ledger(StoreClient(real_redis, Patience(budget_s=5, attempts=3, wait_s=0.01)))
    ledger.repair = Repair(ledger._client, History(), ledger._again, others_wait_s=0)
    yield ledger
    await ledger.close()


@pytest.fixture
def lost(ledger: Ledger) -> asyncio.Queue[LostHistory]:
    """What the ledger reports as lost."""
    queue: asyncio.Queue[LostHistory] = asyncio.Queue()
    ledger.repair.on_lost = queue.put_nowait
    return queue


def context(order: HoldOrder, held: Held) -> HoldContext:
    """What a settle brings along."""
    return HoldContext(order.amount, fingerprint=order.fingerprint, price_list=order.price_list, windows=held.windows)


class Asked:
    """The client through which a repair asks about entries; `before_answer` comes between a reply and its reader."""

    def __init__(self, client: StoreClient, before_answer: Callable[[], Awaitable[None]]) -> None:
        self._client = client
        self._before_answer = before_answer

    async def command(self, *args: str | int, bulk: bool = False) -> Reply:
        reply = await self._client.command(*args, bulk=bulk)
        await self._before_answer()
        return reply


async def until_open(ledger: Ledger, team_id: str) -> None:
    """Wait for the end of the team's repair."""
    repair = ledger.repair._closed.get(team_id)
    if repair is not None:
        await repair


async def test_the_next_hold_after_a_loss_is_not_admitted(
    ledger: Ledger, order: Order, team: TeamRecord, bytes_redis: Redis, lost: asyncio.Queue[LostHistory]
) -> None:
    """A hold whose entry takes the place of one that was seen before is refused, as one that may have been made."""
    past = await Past.take(bytes_redis, team.id)
    await ledger.hold(order())
    await past.come_back()

    with pytest.raises(LedgerHistoryLost) as caught:
        await ledger.hold(order())

    assert caught.value.maybe_executed
    await lost.get()


async def test_holds_that_still_run_are_held_again(
    ledger: Ledger, order: Order, team: TeamRecord, bytes_redis: Redis, lost: asyncio.Queue[LostHistory]
) -> None:
    """After a loss a hold that nobody has ended is there again, and what is told is complete."""
    past = await Past.take(bytes_redis, team.id)
    running = order()
    await ledger.hold(running)
    await past.come_back()

    ledger.repair.check_soon()

    report = await lost.get()
    assert (1, 0, 0) == (report.told_again, report.refused, report.missing)
    assert [running.hold_id] == [hold.hold_id for hold in await ledger.holds(team.id)]


async def test_a_settle_that_was_lost_with_its_hold_is_booked_again(
    ledger: Ledger, order: Order, team: TeamRecord, bytes_redis: Redis, lost: asyncio.Queue[LostHistory]
) -> None:
    """After a loss a charge is there again though neither its hold nor itself was left; the books are sound."""
    past = await Past.take(bytes_redis, team.id)
    ended = order()
    held = await ledger.hold(ended)
    await ledger.settle(ended.hold_id, team.id, 40 * CREDIT, context=context(ended, held))
    await past.come_back()

    ledger.repair.check_soon()

    report = await lost.get()
    assert (2, 0) == (report.told_again, report.missing)
    assert 40 * CREDIT == (await ledger.balance(team.id)).charged
    assert (await ledger.verify(team.id)).clean


async def test_a_settle_that_was_lost_alone_is_booked_again(
    ledger: Ledger, order: Order, team: TeamRecord, bytes_redis: Redis, lost: asyncio.Queue[LostHistory]
) -> None:
    """After a loss of the settle alone the hold is there, open, and is settled again as it was."""
    ended = order()
    held = await ledger.hold(ended)
    past = await Past.take(bytes_redis, team.id)
    await ledger.settle(ended.hold_id, team.id, 40 * CREDIT, context=context(ended, held))
    await past.come_back()

    ledger.repair.check_soon()

    report = await lost.get()
    balance = await ledger.balance(team.id)
    assert (1, 0) == (report.told_again, report.missing)
    assert (40 * CREDIT, 0) == (balance.charged, balance.held)


async def test_what_is_told_again_finds_its_repeats(
    ledger: Ledger, order: Order, team: TeamRecord, bytes_redis: Redis, lost: asyncio.Queue[LostHistory]
) -> None:
    """A settle that its caller repeats after the repair is a duplicate: nothing is charged twice."""
    past = await Past.take(bytes_redis, team.id)
    ended = order()
    held = await ledger.hold(ended)
    await ledger.settle(ended.hold_id, team.id, 40 * CREDIT, context=context(ended, held))
    await past.come_back()
    ledger.repair.check_soon()
    await lost.get()

    again = await ledger.settle(ended.hold_id, team.id, 40 * CREDIT, context=context(ended, held))

    assert SettleStatus.DUPLICATE is again.status


async def test_entries_of_others_are_reported_as_missing(
    ledger: Ledger, order: Order, team: TeamRecord, bytes_redis: Redis, lost: asyncio.Queue[LostHistory]
) -> None:
    """Entries that were lost and that this process cannot tell again are counted."""
    past = await Past.take(bytes_redis, team.id)
    other = Ledger(StoreClient(connect(f"unix://{bytes_redis.connection_pool.connection_kwargs['path']}")))
    for _ in range(3):
        await other.hold(order())
    await ledger.hold(order())
    await past.come_back()

    ledger.repair.check_soon()

    report = await lost.get()
    await other.close()
    assert (1, 3) == (report.told_again, report.missing)


async def test_a_hold_for_which_there_is_no_room_any_more_is_reported(
    ledger: Ledger, order: Order, team: TeamRecord, bytes_redis: Redis, lost: asyncio.Queue[LostHistory]
) -> None:
    """A lost hold that a limit refuses by now is counted as refused; its settle is booked all the same."""
    past = await Past.take(bytes_redis, team.id)
    running = order()
    held = await ledger.hold(running)
    await past.come_back()
    other = Ledger(StoreClient(connect(f"unix://{bytes_redis.connection_pool.connection_kwargs['path']}")))
    await other.put_team(TeamRecord(team.id, limits=(Limit("team", Per.LIFETIME, 10 * CREDIT),)))
    await other.close()

    ledger.repair.check_soon()

    report = await lost.get()
    await until_open(ledger, team.id)
    settled = await ledger.settle(running.hold_id, team.id, 30 * CREDIT, context=context(running, held))
    assert (0, 1) == (report.told_again, report.refused)
    assert SettleStatus.ORPHAN is settled.status


async def test_the_team_is_open_again_after_the_repair(
    ledger: Ledger, order: Order, team: TeamRecord, bytes_redis: Redis, lost: asyncio.Queue[LostHistory]
) -> None:
    """When all is told, the team's next hold is admitted, and the same loss is not found twice."""
    past = await Past.take(bytes_redis, team.id)
    await ledger.hold(order())
    await past.come_back()
    ledger.repair.check_soon()
    await lost.get()
    await until_open(ledger, team.id)

    assert isinstance(await ledger.hold(order()), Held)
    assert lost.empty()


async def test_other_teams_stay_open(
    ledger: Ledger, order: Order, team: TeamRecord, bytes_redis: Redis, lost: asyncio.Queue[LostHistory]
) -> None:
    """While one team is being repaired the others are admitted as usual."""
    await ledger.put_team(TeamRecord("other"))
    await ledger.grant("other", "g", 100 * CREDIT)
    past = await Past.take(bytes_redis, team.id)
    await ledger.hold(order())
    await past.come_back()
    with pytest.raises(LedgerHistoryLost):
        await ledger.hold(order())

    assert isinstance(await ledger.hold(order(team="other")), Held)
    await lost.get()


async def test_a_journal_that_went_on_elsewhere_is_found_out_by_its_entries(
    ledger: Ledger, order: Order, team: TeamRecord, bytes_redis: Redis, lost: asyncio.Queue[LostHistory]
) -> None:
    """A lost entry shows also if the journal has grown past it since: another hold stands in its place."""
    past = await Past.take(bytes_redis, team.id)
    await ledger.hold(order())
    await past.come_back()
    other = Ledger(StoreClient(connect(f"unix://{bytes_redis.connection_pool.connection_kwargs['path']}")))
    for _ in range(4):
        await other.hold(order())
    await other.close()

    ledger.repair.check_soon()

    assert 1 == (await lost.get()).told_again


async def test_nothing_is_reported_when_nothing_was_lost(
    ledger: Ledger, order: Order, team: TeamRecord, lost: asyncio.Queue[LostHistory]
) -> None:
    """A new server that has everything is no loss: repeats are repeats, and no team is closed."""
    running = order()
    await ledger.hold(running)

    ledger.repair.check_soon()
    await ledger.repair._checking

    assert lost.empty()
    assert isinstance(await ledger.hold(running), Held | Repeated)


async def test_a_store_that_does_not_answer_is_asked_again(
    ledger: Ledger,
    order: Order,
    team: TeamRecord,
    bytes_redis: Redis,
    lost: asyncio.Queue[LostHistory],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A loss is found although no answer came when the new server was asked first."""
    monkeypatch.setattr("gatekeeper.ledger.repair.AGAIN_S", 0)
    failures = [LedgerUnavailable("away", maybe_executed=False)]

    async def away() -> None:
        if failures:
            raise failures.pop()

    past = await Past.take(bytes_redis, team.id)
    await ledger.hold(order())
    await past.come_back()
    asked: Any = Asked(ledger._client, away)
    ledger.repair._client = asked

    ledger.repair.check_soon()

    assert team.id == (await lost.get()).team
    assert [] == failures


async def test_another_server_while_one_is_being_asked(
    ledger: Ledger, order: Order, team: TeamRecord, bytes_redis: Redis, lost: asyncio.Queue[LostHistory]
) -> None:
    """A loss that comes after a team was asked about is found, because all are asked about once more."""
    is_asked, go_on = asyncio.Event(), asyncio.Event()

    async def hold_up() -> None:
        is_asked.set()
        await go_on.wait()

    past = await Past.take(bytes_redis, team.id)
    await ledger.hold(order())
    asked: Any = Asked(ledger._client, hold_up)
    ledger.repair._client = asked
    ledger.repair.check_soon()
    await is_asked.wait()
    await past.come_back()

    ledger.repair.check_soon()
    go_on.set()

    assert team.id == (await lost.get()).team


async def test_a_store_that_is_closed_ends_its_repairs(ledger: Ledger, order: Order) -> None:
    """Nothing goes on to ask a client that is closed."""
    is_asked, report = asyncio.Event(), Any

    async def wait_for_ever() -> None:
        is_asked.set()
        await asyncio.Event().wait()

    await ledger.hold(order())
    asked: Any = Asked(ledger._client, wait_for_ever)
    ledger.repair._client = asked
    ledger.repair.check_soon()
    await is_asked.wait()

    await OpenStore("", ledger, ledger._client, report, None).close()

    assert ledger.repair._checking is not None
    assert ledger.repair._checking.done()


async def test_a_loss_that_others_have_grown_over(
    ledger: Ledger, order: Order, team: TeamRecord, bytes_redis: Redis, lost: asyncio.Queue[LostHistory]
) -> None:
    """Another gateway's holds have taken the lost places and more: the next hold is not admitted all the same."""
    past = await Past.take(bytes_redis, team.id)
    await ledger.hold(order())
    await past.come_back()
    other = Ledger(StoreClient(connect(f"unix://{bytes_redis.connection_pool.connection_kwargs['path']}")))
    for _ in range(3):
        await other.hold(order())
    await other.close()
    ledger.repair.check_soon()

    with pytest.raises(LedgerHistoryLost) as caught:
        await ledger.hold(order())

    report = await lost.get()
    assert caught.value.maybe_executed
    assert (1, 1) == (report.seen - report.kept, report.told_again)


async def test_a_doubt_that_the_store_does_not_answer(
    ledger: Ledger, order: Order, team: TeamRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hold is not admitted while nobody can say whether entries are lacking, and is as soon as that is known."""
    monkeypatch.setattr("gatekeeper.ledger.repair.AGAIN_S", 0)
    is_away = asyncio.Event()
    is_away.set()

    async def away() -> None:
        if is_away.is_set():
            raise LedgerUnavailable("away", maybe_executed=False)

    await ledger.hold(order())
    asked: Any = Asked(ledger._client, away)
    ledger.repair._client = asked
    ledger.repair.check_soon()
    with pytest.raises(LedgerHistoryLost, match="does not tell"):
        await ledger.hold(order())
    is_away.clear()

    assert isinstance(await ledger.hold(order()), Held)


async def test_a_request_that_has_ended_keeps_its_name(
    ledger: Ledger, order: Order, team: TeamRecord, bytes_redis: Redis, lost: asyncio.Queue[LostHistory]
) -> None:
    """After a loss a request that comes again under its name is known, and neither held nor charged a second time."""
    past = await Past.take(bytes_redis, team.id)
    ended = order(once="name")
    held = await ledger.hold(ended)
    await ledger.settle(ended.hold_id, team.id, 40 * CREDIT, context=context(ended, held))
    await past.come_back()
    ledger.repair.check_soon()
    report = await lost.get()
    await until_open(ledger, team.id)

    again = await ledger.hold(order(once="name", once_within_ms=60_000))

    assert isinstance(again, Repeated)
    assert (ended.hold_id, 40 * CREDIT) == (again.hold_id, again.charged)
    assert (2, 0, 0) == (report.told_again, report.refused, report.missing)


async def test_a_named_request_that_has_ended_needs_no_room(
    ledger: Ledger, order: Order, team: TeamRecord, bytes_redis: Redis, lost: asyncio.Queue[LostHistory]
) -> None:
    """Where a limit refuses its hold by now the charge is booked all the same, and nothing is told as refused."""
    await ledger.put_team(TeamRecord(team.id, limits=(Limit("team", Per.LIFETIME, 100 * CREDIT),)))
    past = await Past.take(bytes_redis, team.id)
    ended = order(once="name")
    held = await ledger.hold(ended)
    await ledger.settle(ended.hold_id, team.id, 40 * CREDIT, context=context(ended, held))
    await past.come_back()
    other = Ledger(StoreClient(connect(f"unix://{bytes_redis.connection_pool.connection_kwargs['path']}")))
    await other.hold(order(amount=90 * CREDIT))
    await other.close()

    ledger.repair.check_soon()

    report = await lost.get()
    assert (2, 0, 0) == (report.told_again, report.refused, report.missing)
    assert 40 * CREDIT == (await ledger.balance(team.id)).charged


async def test_what_was_told_again_is_told_once_more_after_another_loss(
    ledger: Ledger, order: Order, team: TeamRecord, bytes_redis: Redis, lost: asyncio.Queue[LostHistory]
) -> None:
    """The server that was told again may lose it as the first one did: charge and hold are there all the same."""
    past = await Past.take(bytes_redis, team.id)
    ended, running = order(), order()
    held = await ledger.hold(ended)
    await ledger.settle(ended.hold_id, team.id, 40 * CREDIT, context=context(ended, held))
    await ledger.hold(running)
    for _ in range(2):
        await past.come_back()
        ledger.repair.check_soon()
        report = await asyncio.wait_for(lost.get(), 5)
        await until_open(ledger, team.id)

    balance = await ledger.balance(team.id)
    assert (40 * CREDIT, 49 * CREDIT, 0) == (balance.charged, balance.held, report.missing)
    assert (await ledger.verify(team.id)).clean


async def test_a_loss_in_the_middle_of_a_repair_is_repaired_after_it(
    ledger: Ledger, order: Order, team: TeamRecord, bytes_redis: Redis, lost: asyncio.Queue[LostHistory]
) -> None:
    """A team that is closed for one loss is closed for the next one too, and opened when both are told."""
    ledger.repair = Repair(ledger._client, History(), ledger._again, others_wait_s=0.3)
    ledger.repair.on_lost = lost.put_nowait
    past = await Past.take(bytes_redis, team.id)
    ended = order()
    held = await ledger.hold(ended)
    await ledger.settle(ended.hold_id, team.id, 40 * CREDIT, context=context(ended, held))
    await past.come_back()
    ledger.repair.check_soon()
    await asyncio.wait_for(lost.get(), 5)

    await past.come_back()
    ledger.repair.check_soon()

    await asyncio.wait_for(lost.get(), 5)
    assert 40 * CREDIT == (await ledger.balance(team.id)).charged
