"""Ark in the sandbox: pictures at once and as a stream, tasks whose videos are real."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

TASKS = "/ark/api/v3/contents/generations/tasks"


async def submit(client: Any, text: str = "a cat --rs 480p --dur 4", **fields: Any) -> str:
    body = {"model": "seedance-1-5-pro-251215", "content": [{"type": "text", "text": text}], **fields}
    task_id = (await client.send("POST", TASKS, json=body)).json["id"]
    assert isinstance(task_id, str)
    return task_id


async def over(client: Any, task_id: str) -> Any:
    """The task when it has ended (bounded)."""
    for _ in range(2000):
        task = (await client.send("GET", f"{TASKS}/{task_id}")).json
        if task["status"] not in {"queued", "running"}:
            return task
        await asyncio.sleep(0.01)
    raise TimeoutError(task_id)


async def images(client: Any, **fields: Any) -> Any:
    body = {"model": "m", "prompt": "a cat", "size": "80x64", **fields}
    return await client.send("POST", "/ark/images/generations", json=body)


async def test_a_series_has_as_many_as_may_come(client: Any, pixels: Callable[[bytes], Any]) -> None:
    """Each has its size, and can be fetched."""
    options = {"sequential_image_generation": "auto", "sequential_image_generation_options": {"max_images": 3}}
    answer = (await images(client, **options)).json

    url = answer["data"][2]["url"].removeprefix(client.url)
    assert (3, {"80x64"}) == (answer["usage"]["generated_images"], {each["size"] for each in answer["data"]})
    assert ("PNG", (80, 64)) == pixels((await client.send("GET", url)).body)


async def test_what_is_taken_away_is_an_error_in_its_place(client: Any) -> None:
    """Part of a series may fail, and all of it too."""
    options = {"sequential_image_generation": "auto", "sequential_image_generation_options": {"max_images": 2}}

    part = (await images(client, prompt="a cat [sandbox: partial=1]", **options)).json
    none = (await images(client, prompt="a cat [sandbox: empty]", **options)).json

    assert [False, True] == ["error" in each for each in part["data"]]
    assert ([], True) == (none["data"], "error" in none)


async def test_a_stream_has_an_event_for_each(client: Any) -> None:
    """Pictures, a failure, and the sum of it."""
    options = {"sequential_image_generation": "auto", "sequential_image_generation_options": {"max_images": 2}}

    reply = await images(client, prompt="a cat [sandbox: partial=1]", stream=True, **options)

    data = [line.removeprefix("data: ") for line in reply.body.decode().splitlines() if line.startswith("data: ")]
    kinds = [json.loads(each)["type"].rpartition(".")[2] for each in data[:-1]]
    assert (["partial_succeeded", "partial_failed", "completed"], "[DONE]") == (kinds, data[-1])


async def test_a_task_obeys_the_settings_in_its_text(client: Any) -> None:
    """Tier, shape and length come from the flags; the tokens from all of them."""
    task = await over(client, await submit(client, "a cat --rs 480p --rt 1:1 --dur 4"))

    film = await client.send("GET", task["content"]["video_url"].removeprefix(client.url))
    assert ("480p", "1:1", 4, 4 * 480 * 480 * 24 / 1024) == (
        task["resolution"], task["ratio"], task["duration"], task["usage"]["completion_tokens"],
    )  # fmt: skip
    assert (b"ftyp", "video/mp4") == (film.body[4:8], film.headers["Content-Type"])


@pytest.mark.parametrize(
    ("word", "status"),
    [("job_fail", "failed"), ("job_moderated", "failed"), ("job_expire", "expired"), ("empty", "succeeded")],
)
async def test_a_task_ends_as_it_is_asked_to(client: Any, word: str, status: str) -> None:
    """Without a video, and with an error where it failed."""
    task = await over(client, await submit(client, f"a cat --rs 480p [sandbox: {word}, job=0]"))

    assert (status, status == "failed") == (task["status"], "error" in task)
    assert "video_url" not in task.get("content", {})


async def test_a_task_can_be_cancelled(client: Any) -> None:
    """As long as it has not ended."""
    task_id = await submit(client, "a cat --rs 480p [sandbox: job_wait]")

    await client.send("DELETE", f"{TASKS}/{task_id}")

    assert "cancelled" == (await over(client, task_id))["status"]


async def test_an_unknown_task_is_not_found(client: Any) -> None:
    """In Ark's own shape."""
    reply = await client.send("GET", f"{TASKS}/cgt-1")

    assert (404, "ResourceNotFound") == (reply.status, reply.json["error"]["code"])
