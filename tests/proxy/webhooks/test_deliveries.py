"""Events are carried on until they are taken: across failures, across processes, and not for ever."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from gatekeeper.clock import SystemClock
from gatekeeper.metrics import Metrics
from gatekeeper.proxy.webhooks import deliveries as module
from gatekeeper.proxy.webhooks.addresses import Allowed
from gatekeeper.proxy.webhooks.calling import Caller
from gatekeeper.proxy.webhooks.deliveries import Deliveries, Patience
from gatekeeper.proxy.webhooks.keys import team_secret
from gatekeeper.proxy.webhooks.letters import BoxFull, Letter, LetterBox
from gatekeeper.webhookevents import WebhookDelivered, WebhookFailed
from tests.receiver import listening

SOON = Patience(retry_min_s=0.01, retry_max_s=0.02, give_up_after_s=3600, at_once=4)
BODY = b'{"id":"job-1","state":"done"}'
Start = Callable[..., Awaitable[Deliveries]]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The events that would be logged."""
    events: list[Any] = []
    monkeypatch.setattr(module, "emit", events.append)
    return events


@pytest.fixture
async def start(tmp_path: Path, told: list[Any]) -> AsyncIterator[Start]:
    """Starts deliveries over the same directory; all of them end with the test."""
    async with AsyncExitStack() as stack:

        async def start_one(patience: Patience = SOON, letters_max: int = 40, **parts: Any) -> Deliveries:
            caller = await stack.enter_async_context(Caller(Allowed(frozenset({"127.0.0.1"})), 5.0))
            box = LetterBox(tmp_path / "webhooks", letters_max=letters_max, bytes_max=10**6)
            clock = parts.get("clock", SystemClock())
            started = Deliveries(box, caller, patience, "store-secret", clock, Metrics(), told.append)
            await started.start()
            stack.push_async_callback(started.stop)
            return started

        yield start_one


def letter(url: str, name: str = "msg_1", written_at_ms: int | None = None) -> Letter:
    now_ms = int(SystemClock().now().timestamp() * 1000)
    return Letter(
        id=name, url=url, body=BODY, headers={"Content-Type": "application/json"}, team="team-0",
        provider="replicate", hold_id="hold-1", written_at_ms=now_ms if written_at_ms is None else written_at_ms,
    )  # fmt: skip


async def until(condition: Callable[[], bool]) -> None:
    """Waits (bounded) until it is so."""
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came to be so")


def ends(told: list[Any]) -> list[Any]:
    return [each for each in told if isinstance(each, WebhookDelivered) or getattr(each, "final", False)]


async def test_an_event_reaches_its_receiver_signed(start: Start, receiver: Any, told: list[Any]) -> None:
    """With the team's own secret, as the standard's own library verifies."""
    deliveries = await start()

    assert await deliveries.put(letter(receiver.url))
    await until(lambda: bool(ends(told)))

    ((headers, body),) = receiver.received
    assert {"id": "job-1", "state": "done"} == Webhook(team_secret("store-secret", "team-0")).verify(body, headers)
    assert ("msg_1", BODY) == (headers["webhook-id"], body)
    assert ("127.0.0.1", 200) == (ends(told)[0].host, ends(told)[0].status)


async def test_a_receiver_that_fails_is_tried_again(start: Start, receiver: Any, told: list[Any]) -> None:
    """Under the same id, until it takes the event; then no more."""
    receiver.statuses[:] = [500, 404, 301]
    deliveries = await start()

    await deliveries.put(letter(receiver.url))
    await until(lambda: bool(ends(told)))

    assert [500, 404, 301, 200] == [each.status for each in told]
    assert {"msg_1"} == {headers["webhook-id"] for headers, _ in receiver.received}


async def test_an_event_is_sent_once(start: Start, receiver: Any, told: list[Any]) -> None:
    """However often the provider repeats it, before its delivery and after."""
    receiver.gate.clear()
    deliveries = await start()

    fresh = [await deliveries.put(letter(receiver.url)) for _ in range(3)]
    receiver.gate.set()
    await until(lambda: bool(ends(told)))
    fresh.append(await deliveries.put(letter(receiver.url)))

    assert ([True, False, False, False], 1) == (fresh, len(receiver.received))


async def test_the_next_process_goes_on(start: Start, receiver: Any, told: list[Any]) -> None:
    """What one has on disk when it ends, the next delivers."""
    receiver.statuses[:] = [503]
    first = await start(Patience(3600, 3600, 86_400, 4))
    await first.put(letter(receiver.url))
    await until(lambda: bool(told))
    await first.stop()

    await start()
    await until(lambda: bool(ends(told)))

    assert 2 == len(receiver.received)


async def test_a_receiver_that_says_gone_is_left_alone(start: Start, receiver: Any, told: list[Any]) -> None:
    """410 is the standard's word for never again."""
    receiver.statuses[:] = [410]
    deliveries = await start()

    await deliveries.put(letter(receiver.url))
    await until(lambda: bool(ends(told)))

    assert (1, "status 410", True) == (len(receiver.received), told[0].reason, told[0].final)


async def test_after_its_time_an_event_is_given_up(start: Start, receiver: Any, told: list[Any]) -> None:
    """It is tried once more, and then marked as done."""
    receiver.statuses[:] = [500, 500]
    deliveries = await start()

    await deliveries.put(letter(receiver.url, written_at_ms=0))
    await until(lambda: bool(ends(told)))

    assert [WebhookFailed] == [type(each) for each in told]
    assert not await deliveries.put(letter(receiver.url))


@pytest.mark.parametrize(("age_s", "expected_s"), [(0, 5), (60, 30), (7200, 3600), (80_000, 3600)])
async def test_the_pauses_grow(start: Start, age_s: float, expected_s: float) -> None:
    """From seconds to an hour, each a tenth longer or shorter than planned."""
    deliveries = await start(Patience(5, 3600, 86_400, 1))

    pauses = [deliveries._pause_s(age_s) for _ in range(50)]

    assert 0.9 * expected_s <= min(pauses) <= max(pauses) <= 1.1 * expected_s


async def test_only_so_many_are_on_their_way(start: Start, receiver: Any) -> None:
    """The others wait for their turn."""
    receiver.gate.clear()
    deliveries = await start(Patience(1, 1, 3600, at_once=2))

    for number in range(5):
        await deliveries.put(letter(receiver.url, f"msg_{number}"))
    await receiver.until_received(2)
    on_their_way = len(receiver.received)
    receiver.gate.set()
    await receiver.until_received(5)

    assert 2 == on_their_way


async def test_a_slow_receiver_holds_up_nobody_else(start: Start, receiver: Any, told: list[Any]) -> None:
    """Of one receiver's events four are on their way; the others wait without taking another's place."""
    receiver.gate.clear()
    deliveries = await start(Patience(1, 1, 3600, at_once=6), letters_max=100)

    async with listening() as other:
        for number in range(20):
            await deliveries.put(letter(receiver.url, f"slow_{number}"))
        await receiver.until_received(4)
        await deliveries.put(letter(other.url, "quick"))
        await other.until_received(1)
        on_their_way = len(receiver.received)
        receiver.gate.set()
        await receiver.until_received(20)
        await until(lambda: len(ends(told)) == 21)

    assert 4 == on_their_way
    assert 20 == len({headers["webhook-id"] for headers, _ in receiver.received}) == len(receiver.received)


async def test_a_letter_that_another_delivered_holds_up_nobody(
    start: Start, receiver: Any, told: list[Any], tmp_path: Path
) -> None:
    """Those that waited behind it go on."""
    receiver.gate.clear()
    deliveries = await start(Patience(1, 1, 3600, at_once=20), letters_max=100)
    for number in range(12):
        await deliveries.put(letter(receiver.url, f"msg_{number}"))
    await receiver.until_received(4)
    await until(lambda: len(deliveries._hosts._waiting.get(receiver.url.split("/")[2], ())) == 8)
    other = LetterBox(tmp_path / "webhooks", letters_max=100, bytes_max=10**6)
    for waiting in [*deliveries._hosts._waiting[receiver.url.split("/")[2]]][:4]:
        other.finish(waiting)

    receiver.gate.set()

    await until(lambda: len(ends(told)) == 8)
    assert 8 == len(receiver.received)


async def test_a_full_box_says_so(start: Start, receiver: Any) -> None:
    """Then the provider is asked to call again."""
    receiver.gate.clear()
    deliveries = await start(letters_max=1)
    await deliveries.put(letter(receiver.url))

    with pytest.raises(BoxFull):
        await deliveries.put(letter(receiver.url, "msg_2"))
    receiver.gate.set()


async def test_a_broken_disk_is_told_and_the_event_stays(
    start: Start, receiver: Any, told: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that cannot be read now is read later."""

    def broken(*_: object) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(LetterBox, "opened", broken)
    monkeypatch.setattr(module, "LOOK_AGAIN_S", 0.01)
    deliveries = await start()
    await deliveries.put(letter(receiver.url))
    await until(lambda: any(isinstance(each, OSError) for each in told))

    monkeypatch.undo()
    monkeypatch.setattr(module, "emit", told.append)
    await until(lambda: bool(ends(told)))

    assert 1 == len(receiver.received)


async def test_a_letter_in_other_hands_is_looked_at_again(
    start: Start, receiver: Any, told: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has it may die before it is done."""
    monkeypatch.setattr(module, "LOOK_AGAIN_S", 0.01)
    other = LetterBox(tmp_path / "webhooks", letters_max=10, bytes_max=10**6)
    other.open()
    other.put(letter(receiver.url))

    with other.opened("team-0@msg_1"):
        await start()
        await asyncio.sleep(0.05)
        before = len(receiver.received)
    await until(lambda: bool(ends(told)))

    assert (0, 1) == (before, len(receiver.received))


async def test_what_another_leaves_later_is_taken_up(
    start: Start, receiver: Any, told: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that lost its leader may put an event there, and end, after the next gateway has begun."""
    monkeypatch.setattr(module, "TIDY_EVERY_S", 0.01)
    await start()
    other = LetterBox(tmp_path / "webhooks", letters_max=40, bytes_max=10**6)
    other.open()

    other.put(letter(receiver.url))
    await until(lambda: bool(ends(told)))

    assert (1, 200) == (len(receiver.received), ends(told)[0].status)
