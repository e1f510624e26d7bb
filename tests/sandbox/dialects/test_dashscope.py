"""DashScope in the sandbox: two protocols, tasks, and errors in HTTP 200."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

SERVICES = "/dashscope/api/v1/services/aigc"
LATER = {"X-DashScope-Async": "enable"}


async def send(client: Any, path: str, inside: Any, headers: Any = None, model: str = "m", **parameters: Any) -> Any:
    body = {"model": model, "input": inside, "parameters": {"size": "64*48", **parameters}}
    return await client.send("POST", f"{SERVICES}/{path}", json=body, headers=headers or {})


def message(text: str) -> Any:
    return {"messages": [{"role": "user", "content": [{"text": text}]}]}


async def over(client: Any, task_id: str) -> Any:
    """The task when it has ended (bounded)."""
    for _ in range(2000):
        task = (await client.send("GET", f"/dashscope/api/v1/tasks/{task_id}")).json
        if task["output"]["task_status"] not in {"PENDING", "RUNNING"}:
            return task
        await asyncio.sleep(0.01)
    raise TimeoutError(task_id)


async def test_a_picture_at_once(client: Any, pixels: Callable[[bytes], Any]) -> None:
    """In the newer protocol's shape, with its size in `usage`."""
    answer = (await send(client, "multimodal-generation/generation", message("a cat"))).json

    url = answer["output"]["choices"][0]["message"]["content"][0]["image"].removeprefix(client.url)
    assert {"image_count": 1, "width": 64, "height": 48} == answer["usage"]
    assert ("PNG", (64, 48)) == pixels((await client.send("GET", url)).body)


async def test_moderation_is_an_error_in_http_200(client: Any) -> None:
    """Nothing made, and a code that says why."""
    reply = await send(client, "multimodal-generation/generation", message("a cat [sandbox: empty]"))

    assert (200, "DataInspectionFailed") == (reply.status, reply.json["code"])


@pytest.mark.parametrize(
    ("path", "inside", "shape"),
    [
        ("text2image/image-synthesis", {"prompt": "a cat [sandbox: partial=3]"}, "results"),
        ("image-generation/generation", message("a cat [sandbox: partial=3]"), "choices"),
    ],
)
async def test_each_protocol_has_its_shape(client: Any, path: str, inside: Any, shape: str) -> None:
    """Wan makes four where nobody says how many; here one is taken away."""
    submitted = (await send(client, path, inside, LATER, model="wan2.5-t2i-preview")).json

    task = await over(client, submitted["output"]["task_id"])
    assert (4 if shape == "results" else 3, 3) == (len(task["output"][shape]), task["usage"]["image_count"])


async def test_a_task_needs_its_header(client: Any) -> None:
    """Without it the older protocol is refused."""
    assert 403 == (await send(client, "text2image/image-synthesis", {"prompt": "a cat"})).status


async def test_a_video_is_one(client: Any) -> None:
    """Of the pixels asked for; its length and tier in `usage`."""
    submitted = (
        await send(client, "video-generation/video-synthesis", {"prompt": "a cat"}, LATER, size="832*480")
    ).json

    task = await over(client, submitted["output"]["task_id"])
    film = await client.send("GET", task["output"]["video_url"].removeprefix(client.url))
    assert {"duration": 5, "SR": 480, "size": "832*480", "video_count": 1} == task["usage"]
    assert b"ftyp" == film.body[4:8]


@pytest.mark.parametrize(
    ("word", "status", "code"),
    [("job_fail", "FAILED", "InternalError.Timeout"), ("job_moderated", "FAILED", "DataInspectionFailed")],
)
async def test_a_task_fails_as_it_is_asked_to(client: Any, word: str, status: str, code: str) -> None:
    """With a code in its output."""
    inside = {"prompt": f"a cat [sandbox: {word}]"}
    submitted = (await send(client, "video-generation/video-synthesis", inside, LATER)).json

    output = (await over(client, submitted["output"]["task_id"]))["output"]
    assert (status, code) == (output["task_status"], output["code"])


async def test_a_task_can_be_cancelled_once(client: Any) -> None:
    """The second time it is over."""
    inside = {"prompt": "a cat [sandbox: job_wait]"}
    task_id = (await send(client, "video-generation/video-synthesis", inside, LATER)).json["output"]["task_id"]

    statuses = [(await client.send("POST", f"/dashscope/tasks/{task_id}/cancel")).status for _ in range(2)]

    assert ([200, 400], "CANCELED") == (statuses, (await over(client, task_id))["output"]["task_status"])


async def test_an_unknown_task_is_unknown_in_http_200(client: Any) -> None:
    """As the real one says it."""
    reply = await client.send("GET", "/dashscope/tasks/t-1")

    assert (200, "UNKNOWN") == (reply.status, reply.json["output"]["task_status"])
