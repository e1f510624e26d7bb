"""Tasks of Ark, DashScope, MiniMax and Kling that their callers do not ask about: by an event or by the gateway's own
question they are settled all the same."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.receiver import Receiver, listening
from tests.system.conftest import StartWorld
from tests.system.tasks import ALL, DASHSCOPE, KLING, MINIMAX, Tasks
from tests.system.webhooking import hooked, signed

SOON = {"first_poll_s": 0.05, "poll_min_s": 0.05, "poll_max_s": 0.1, "walk_s": 1}
"""How soon and how often the gateway asks."""

CALLED_BACK = pytest.mark.parametrize("tasks", [each for each in ALL if each.webhook], ids=str)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with listening() as receiver:
        yield receiver


@CALLED_BACK
@pytest.mark.parametrize(("words", "end"), [("", "settle"), ("job_fail", "release")])
async def test_an_event_settles_and_reaches_the_caller(
    start_world: StartWorld, receiver: Receiver, tmp_path: Path, tasks: Tasks, words: str, end: str
) -> None:
    """Kling's is signed and believed; of the others the gateway asks what is true."""
    scene = await hooked(start_world, receiver, providers={"kling": signed(tmp_path)})
    task_id = await tasks.start(scene.world, scene.key, words, callback_url=receiver.url)

    await receiver.until_received(1)
    event = await scene.verified()

    assert task_id in {event.get("id"), event.get("task_id")}
    assert ["hold", "job", end] == await scene.kinds()
    assert "webhook" == (await scene.world.event("job.finished"))["via"]
    await scene.world.assert_books_clean()


@pytest.mark.parametrize("tasks", ALL, ids=str)
@pytest.mark.parametrize(("words", "outcome"), [("none", "made"), ("job_fail", "failed")])
async def test_a_task_that_nobody_asks_about_is_booked(
    start_world: StartWorld, tasks: Tasks, words: str, outcome: str
) -> None:
    """The gateway asks, in each provider's own way: once it has ended, it is booked once."""
    world = await start_world(jobs=SOON)
    await tasks.start(world, await world.key(), words)

    finished = await world.event("job.finished")

    charged = float(tasks.credits) if outcome == "made" else 0
    assert (outcome, "reconciler", charged) == (finished["outcome"], finished["via"], finished["credits_charged"])
    await world.assert_books_clean()


@CALLED_BACK
async def test_the_provider_never_learns_the_callers_address(
    start_world: StartWorld, receiver: Receiver, tasks: Tasks
) -> None:
    """What it calls is ours."""
    scene = await hooked(start_world, receiver)
    await tasks.start(scene.world, scene.key, callback_url=receiver.url)

    (sending,) = await scene.sendings()

    assert sending["url"].startswith(f"{scene.world.url}/v1/callbacks/{tasks.provider}/team-0/")


async def test_kling_an_event_that_nobody_signed_is_not_believed(
    start_world: StartWorld, receiver: Receiver, tmp_path: Path
) -> None:
    """With a secret in the settings there must be a signature."""
    scene = await hooked(start_world, receiver, providers={"kling": signed(tmp_path)})
    submitted = await KLING.send(scene.world, scene.key, "job_wait", callback_url=receiver.url)
    url = scene.callback(submitted.headers["Gatekeeper-Hold-Id"], "kling")
    event = {"task_id": submitted.json["data"]["task_id"], "task_status": "failed"}

    status, _ = await scene.forge(url, event)

    assert 404 == status
    assert ["hold", "job"] == await scene.kinds()


async def test_minimax_an_address_that_is_not_ours_echoes_nothing(start_world: StartWorld, receiver: Receiver) -> None:
    """A challenge is answered where the address is one that we gave out."""
    scene = await hooked(start_world, receiver)
    submitted = await MINIMAX.send(scene.world, scene.key, "job_wait", callback_url=receiver.url)
    ours = scene.callback(submitted.headers["Gatekeeper-Hold-Id"], "minimax")

    told = await scene.forge(ours, {"challenge": "abc"})
    untold = await scene.forge(ours[:-4] + "0000", {"challenge": "abc"})

    assert (200, b'{"challenge":"abc"}') == told
    assert (404, False) == (untold[0], b"abc" in untold[1])


async def test_dashscope_calls_nobody_back(start_world: StartWorld, receiver: Receiver) -> None:
    """Its requests have no field for that: one that looks like it goes by unread."""
    scene = await hooked(start_world, receiver)
    task_id = await DASHSCOPE.start(scene.world, scene.key, callback_url=receiver.url)

    await DASHSCOPE.over(scene.world, scene.key, task_id)

    assert [] == receiver.received
