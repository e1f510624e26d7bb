"""The way to the store: batches, cancelled callers, lost answers, and refusals that are told apart."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from gatekeeper.ledger.address import SOCKET_TIMEOUT_S
from gatekeeper.ledger.batch import BATCH_MAX, WAITING_MAX, Lane, Patience
from gatekeeper.ledger.client import StoreClient, connect
from gatekeeper.ledger.errors import LedgerBroken, LedgerUnavailable
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.lua import script
from gatekeeper.ledger.node import PoolSource
from gatekeeper.ledger.records import Held, HoldOrder, SettleStatus
from gatekeeper.ledger.teamrecord import TeamRecord

QUICK = Patience(budget_s=5, attempts=3, wait_s=0.01)


class Cutter:
    """A proxy in front of the store that can lose answers: the command runs, the connection then breaks."""

    def __init__(self, store: Path, socket: Path) -> None:
        self.socket = socket
        self._store = store
        self._server: asyncio.Server | None = None
        self._lines: set[asyncio.Task[Any]] = set()
        self.answers_to_lose = 0
        self.lost = 0
        self.hold_back = asyncio.Event()
        self.hold_back.set()

    async def start(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, str(self.socket))

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for line in self._lines:
            line.cancel()
        await asyncio.gather(*self._lines, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._lines.add(task)
        store_reader, store_writer = await asyncio.open_unix_connection(str(self._store))
        there = asyncio.get_running_loop().create_task(self._forward(reader, store_writer))
        self._lines.add(there)
        try:
            while data := await store_reader.read(65536):
                await self.hold_back.wait()
                if self.answers_to_lose > 0:
                    self.answers_to_lose -= 1
                    self.lost += 1
                    break
                writer.write(data)
                await writer.drain()
        finally:
            there.cancel()
            writer.close()
            store_writer.close()

    @staticmethod
    async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


@pytest.fixture
async def cutter(server_socket: Path, real_redis: Redis) -> AsyncIterator[Cutter]:
    """A proxy in front of the real, empty store."""
    cutter = Cutter(server_socket, server_socket.parent / "cut")
    await cutter.start()
    yield cutter
    await cutter.stop()


@pytest.fixture
async def client(cutter: Cutter) -> AsyncIterator[StoreClient]:
    """A client that goes through the proxy, with the scripts loaded."""
    client = StoreClient(connect(f"unix://{cutter.socket}"), QUICK)
    for name in ("hold", "settle", "grant", "team"):
        await client.command("SCRIPT", "LOAD", script(name).text)
    yield client
    await client.close()


async def test_calls_of_one_tick_share_a_pipeline(client: StoreClient):
    """Fifty calls made at once leave in one pipeline."""
    before = client.money.pipelines
    replies = await asyncio.gather(*(client.command("PING") for _ in range(50)))

    assert (["PONG"] * 50, 1) == (replies, client.money.pipelines - before)


async def test_burst_of_holds_shares_pipelines(ledger: Ledger, client: StoreClient, team: TeamRecord, order: Any):
    """Fifty concurrent holds need few round trips, though the first ones still learn the store's time."""
    before = client.money.pipelines
    await asyncio.gather(*(ledger.hold(order()) for _ in range(50)))

    assert client.money.pipelines - before <= 3


async def test_long_reads_take_their_own_lane(client: StoreClient):
    """What is read in bulk does not stand in front of money."""
    before = client.money.pipelines
    await client.command("PING", bulk=True)

    assert (before, 1) == (client.money.pipelines, client.bulk.pipelines)


async def test_cancelled_caller_does_not_cancel_the_call(client: StoreClient, cutter: Cutter, real_redis: Redis):
    """A caller that goes away leaves its command to run and the connection whole for everybody else."""
    cutter.hold_back.clear()
    gone = asyncio.ensure_future(client.command("SET", "a", "1"))
    stays = asyncio.ensure_future(client.command("SET", "b", "2"))
    await asyncio.sleep(0)
    gone.cancel()
    cutter.hold_back.set()

    assert "OK" == await stays
    assert gone.cancelled()
    assert "1" == await real_redis.get("a")
    await real_redis.flushall()


async def test_lost_answer_is_asked_for_again_by_id(
    ledger: Ledger, cutter: Cutter, team: TeamRecord, order: Callable[..., HoldOrder]
):
    """A hold, a settle and a grant whose answer is lost are sent again and take effect once."""
    asked = order()
    cutter.answers_to_lose = 1
    held = await ledger.hold(asked)
    cutter.answers_to_lose = 1
    settled = await ledger.settle(asked.hold_id, team.id, 7)
    cutter.answers_to_lose = 1
    await ledger.grant(team.id, "extra", 5)

    assert 3 == cutter.lost
    assert isinstance(held, Held)
    assert (SettleStatus.DUPLICATE, 7) == (settled.status, settled.charged)
    kinds = [entry.kind for entry in await ledger.journal(team.id)]
    assert ["team", "grant", "hold", "settle", "grant"] == kinds
    assert (await ledger.verify(team.id)).clean


async def test_retry_goes_on_for_a_caller_that_left(
    ledger: Ledger, cutter: Cutter, team: TeamRecord, order: Callable[..., HoldOrder]
):
    """A settle is sent again until it is answered, even if the request it belongs to was cancelled meanwhile."""
    asked = order()
    await ledger.hold(asked)
    cutter.answers_to_lose = 1
    settle = asyncio.ensure_future(ledger.settle(asked.hold_id, team.id, 7))
    await asyncio.sleep(0)
    settle.cancel()

    assert 7 == (await ledger.balance(team.id)).charged


async def test_release_after_a_cancelled_hold_meets_it(
    ledger: Ledger, cutter: Cutter, team: TeamRecord, order: Callable[..., HoldOrder]
):
    """Calls keep their order, so a release that follows a cancelled hold leaves nothing open."""
    await ledger.hold(order(amount=0))
    cutter.hold_back.clear()
    asked = order()
    hold = asyncio.ensure_future(ledger.hold(asked))
    await asyncio.sleep(0)
    hold.cancel()
    release = asyncio.ensure_future(ledger.release(asked.hold_id, team.id))
    await asyncio.sleep(0)
    cutter.hold_back.set()

    assert SettleStatus.RELEASED == (await release).status


async def test_answers_that_stay_away_end_in_unavailable(client: StoreClient, cutter: Cutter):
    """After a bounded number of tries the caller learns that something may have been written."""
    cutter.answers_to_lose = 99
    with pytest.raises(LedgerUnavailable, match="tried 3 times") as caught:
        await client.command("PING")

    assert (True, 3, True) == (caught.value.maybe_executed, cutter.lost, caught.value.retryable)


async def test_time_is_bounded_too(cutter: Cutter):
    """A call whose time is over is not sent again."""
    client = StoreClient(connect(f"unix://{cutter.socket}"), Patience(budget_s=0.0, attempts=100, wait_s=0.01))
    cutter.answers_to_lose = 99
    with pytest.raises(LedgerUnavailable, match="tried 1 times"):
        await client.command("PING")
    await client.close()


async def test_whoever_waits_behind_a_silence_is_told_with_it(cutter: Cutter):
    """A store that hangs keeps nobody longer than its own call and the one in flight, however many wait."""
    client = StoreClient(connect(f"unix://{cutter.socket}"), Patience(budget_s=0.5))
    await client.command("PING")
    cutter.hold_back.clear()
    began = asyncio.get_running_loop().time()
    calls = (client.command("SET", f"gk:key:{number}", "x") for number in range(3 * BATCH_MAX))
    results = await asyncio.gather(*calls, return_exceptions=True)
    took_s = asyncio.get_running_loop().time() - began
    cutter.hold_back.set()
    await client.close()

    assert [BATCH_MAX, 2 * BATCH_MAX] == [
        sum(isinstance(result, LedgerUnavailable) and result.maybe_executed is maybe for result in results)
        for maybe in (True, False)
    ]
    assert took_s < 2 * SOCKET_TIMEOUT_S


async def test_nobody_there_is_known_not_to_have_run(tmp_path: Path):
    """If no connection was made, nothing can have been written."""
    client = StoreClient(connect(f"unix://{tmp_path}/none"), QUICK)
    with pytest.raises(LedgerUnavailable) as caught:
        await client.command("PING")
    await client.close()

    assert not caught.value.maybe_executed


async def test_forgotten_scripts_are_sent_again(
    ledger: Ledger, client: StoreClient, team: TeamRecord, order: Callable[..., HoldOrder]
):
    """A store that lost its scripts gets them along with the call."""
    await client.command("SCRIPT", "FLUSH")

    assert all(isinstance(held, Held) for held in await asyncio.gather(*(ledger.hold(order()) for _ in range(3))))


@pytest.mark.parametrize(
    ("break_it", "mend_it"),
    [
        ([("CONFIG", "SET", "maxmemory", "1")], [("CONFIG", "SET", "maxmemory", "0")]),
        ([("REPLICAOF", "127.0.0.1", "1")], [("REPLICAOF", "NO", "ONE")]),
        ([("CONFIG", "SET", "min-replicas-to-write", "1")], [("CONFIG", "SET", "min-replicas-to-write", "0")]),
    ],
    ids=["full", "replica", "too few replicas"],
)
async def test_store_that_takes_no_writes(
    ledger: Ledger,
    client: StoreClient,
    real_redis: Redis,
    team: TeamRecord,
    order: Callable[..., HoldOrder],
    break_it: list[tuple[str, ...]],
    mend_it: list[tuple[str, ...]],
):
    """A store that is full, a replica, or alone refuses before it writes: unavailable, and certainly not executed."""
    for command in break_it:
        await real_redis.execute_command(*command)
    try:
        with pytest.raises(LedgerUnavailable) as caught:
            await ledger.hold(order())
    finally:
        for command in mend_it:
            await real_redis.execute_command(*command)

    assert not caught.value.maybe_executed
    assert (await ledger.verify(team.id)).clean
    assert isinstance(await ledger.hold(order()), Held)


async def test_other_errors_are_not_tried_again(client: StoreClient, real_redis: Redis):
    """An error that trying again cannot mend is told at once."""
    before = client.money.pipelines
    with pytest.raises(LedgerBroken, match="unknown command"):
        await client.command("NOSUCH")

    assert 1 == client.money.pipelines - before


async def test_a_refusal_after_a_lost_answer_does_not_deny_it(client: StoreClient, cutter: Cutter):
    """What ran before its answer was lost is not made undone by a refusal of the next try: the caller is told that it
    may have run."""
    cutter.answers_to_lose = 1
    with pytest.raises(LedgerUnavailable, match="unknown command") as caught:
        await client.command("NOSUCH")

    assert caught.value.maybe_executed


async def test_one_bad_call_does_not_spoil_its_batch(client: StoreClient):
    """Calls in the same pipeline are answered each by itself."""
    good, bad = await asyncio.gather(client.command("PING"), client.command("NOSUCH"), return_exceptions=True)

    assert ("PONG", LedgerBroken) == (good, type(bad))


class Failing(PoolSource):
    """Connections of which the first is not to be had: the library, or the loop, fails with this error."""

    def __init__(self, redis: Redis, error: Exception) -> None:
        super().__init__(redis)
        self._real, self._errors = self.get_connection, [error]
        self.get_connection = self._get

    async def _get(self, *names: Any, **options: Any) -> Any:
        if self._errors:
            raise self._errors.pop()
        return await self._real(*names, **options)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("unable to perform operation on <UnixTransport closed=True>; the handler is closed"),
        AttributeError("'NoneType' object has no attribute 'readline'"),
    ],
    ids=["uvloop", "library"],
)
async def test_whatever_fails_on_the_way_is_a_lost_answer(real_redis: Redis, error: Exception):
    """The lane goes on with another connection, and every call is answered."""
    lane = Lane(Failing(real_redis, error), QUICK)
    answers = await asyncio.gather(lane.call(("PING",)), lane.call(("ECHO", "x")))
    await lane.close(1)

    assert ["PONG", "x"] == answers


async def test_too_many_waiting_calls_are_shed(real_redis: Redis):
    """When too many wait, the next one is refused at once."""
    lane = Lane(PoolSource(real_redis), QUICK)
    calls = [asyncio.ensure_future(lane.call(("PING",))) for _ in range(WAITING_MAX + 1)]
    *answered, shed = await asyncio.gather(*calls, return_exceptions=True)
    await lane.close(1)

    assert ["PONG"] * WAITING_MAX == answered
    assert isinstance(shed, LedgerUnavailable)
    assert not shed.maybe_executed


async def test_close_answers_what_waits(client: StoreClient, real_redis: Redis):
    """Closing waits for calls on their way."""
    call = asyncio.ensure_future(client.command("SET", "a", "1"))
    await asyncio.sleep(0)
    await client.close()

    assert "OK" == await call
    await real_redis.flushall()


async def test_close_does_not_wait_for_ever(cutter: Cutter):
    """A store that does not answer cannot keep us from ending; its callers learn that their call may have run."""
    client = StoreClient(connect(f"unix://{cutter.socket}"), QUICK)
    await client.command("PING")
    cutter.hold_back.clear()
    calls = [asyncio.ensure_future(client.command("PING"))]
    await asyncio.sleep(0.05)
    calls.append(asyncio.ensure_future(client.command("PING")))
    await asyncio.sleep(0)
    await client.money.close(0.05)
    results = await asyncio.gather(*calls, return_exceptions=True)
    await client.close()

    assert [True, False] == [result.maybe_executed for result in results if isinstance(result, LedgerUnavailable)]
