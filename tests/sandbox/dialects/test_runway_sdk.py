"""The official runwayml SDK against the sandbox: the judge of whether the dialect is right."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.later import Later

runwayml, tasks = Later("runwayml"), Later("runwayml.types.task_retrieve_response")


@pytest.fixture
async def sdk(client: Any) -> AsyncIterator[Any]:
    async with runwayml.AsyncRunwayML(base_url=f"{client.url}/runway", api_key="any", max_retries=0) as sdk:
        yield sdk


async def ended(sdk: Any, task_id: str) -> Any:
    """The task once it has ended."""
    for _ in range(500):
        task = await sdk.tasks.retrieve(task_id)
        if task.status not in {"PENDING", "THROTTLED", "RUNNING"}:
            return task
        await asyncio.sleep(0.01)
    raise AssertionError("it does not end")


async def running(sdk: Any, task_id: str) -> None:
    """Waits until the task has begun."""
    for _ in range(500):
        if (await sdk.tasks.retrieve(task_id)).status == "RUNNING":
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it does not begin")


async def test_a_video(client: Any, sdk: Any) -> None:
    """A real film behind an address, and a cost that is what was estimated."""
    created = await sdk.text_to_video.create(model="gen4.5", prompt_text="a cat", ratio="1280:720", duration=2)
    task = await ended(sdk, created.id)

    assert isinstance(task, tasks.Succeeded)
    file = await client.send("GET", task.output[0].removeprefix(client.url))
    assert ("video/mp4", b"ftyp") == (file.headers["Content-Type"], file.body[4:8])
    assert created.estimated_cost.credits == task.cost.credits == 10


async def test_pictures(client: Any, sdk: Any, pixels: Callable[..., Any]) -> None:
    """As many as asked for, of the size asked for."""
    created = await sdk.text_to_image.create(
        model="seedream5_lite", prompt_text="a cat", ratio="2048:2048", output_count=2
    )
    task = await ended(sdk, created.id)

    assert isinstance(task, tasks.Succeeded)
    sizes = [pixels((await client.send("GET", url.removeprefix(client.url))).body)[1] for url in task.output]
    assert [(2048, 2048)] * 2 == sizes


async def test_an_upscale(client: Any, sdk: Any, png: Callable[..., bytes], pixels: Callable[..., Any]) -> None:
    """A picture in the body comes back four times as wide."""
    image = "data:image/png;base64," + base64.b64encode(png(64, 48)).decode()

    created = await sdk.image_upscale.create(model="magnific_precision_upscaler_v2", image_uri=image, scale_factor=4)
    task = await ended(sdk, created.id)

    assert isinstance(task, tasks.Succeeded)
    assert (256, 192) == pixels((await client.send("GET", task.output[0].removeprefix(client.url))).body)[1]


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("job_fail", "INTERNAL.BAD_OUTPUT.CODE01"),
        ("job_moderated", "SAFETY.OUTPUT"),
        ("job_expire", "INTERNAL.TIMEOUT"),
    ],
)
async def test_a_failure_is_refunded(sdk: Any, word: str, code: str) -> None:
    """And says why."""
    created = await sdk.text_to_video.create(
        model="gen4.5", prompt_text=f"a cat [sandbox: {word}]", ratio="1280:720", duration=5
    )
    task = await ended(sdk, created.id)

    assert isinstance(task, tasks.Failed)
    assert (code, 0) == (task.failure_code, task.cost.credits)


async def test_a_running_task_is_charged_when_it_is_cancelled(sdk: Any) -> None:
    """Runway refunds only what did not begin."""
    created = await sdk.text_to_video.create(
        model="gen4.5", prompt_text="a cat [sandbox: job_wait]", ratio="1280:720", duration=5
    )
    await running(sdk, created.id)

    await sdk.tasks.delete(created.id)

    task = await sdk.tasks.retrieve(created.id)
    assert isinstance(task, tasks.Cancelled)
    assert 25 == task.cost.credits


async def test_an_unknown_task_is_not_found(sdk: Any) -> None:
    """By the SDK's own error."""
    with pytest.raises(runwayml.NotFoundError):
        await sdk.tasks.retrieve("no-such-task")


async def test_a_bad_duration_is_told(sdk: Any) -> None:
    """With the field at fault."""
    with pytest.raises(runwayml.BadRequestError, match="duration"):
        await sdk.text_to_video.create(model="gen4.5", prompt_text="a cat", ratio="1280:720", duration=61)
