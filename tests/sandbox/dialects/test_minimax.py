"""MiniMax in the sandbox: errors in HTTP 200, and a third call for the address of a video."""

import asyncio
import base64
from collections.abc import Callable
from typing import Any

import pytest


async def images(client: Any, **fields: Any) -> Any:
    body = {"model": "image-01", "prompt": "a cat", "width": 512, "height": 520, **fields}
    return await client.send("POST", "/minimax/v1/image_generation", json=body)


async def submit(client: Any, prompt: str = "a cat") -> str:
    body = {"model": "MiniMax-Hailuo-2.3", "prompt": prompt, "resolution": "512P"}
    return str((await client.send("POST", "/minimax/v1/video_generation", json=body)).json["task_id"])


async def over(client: Any, task_id: str) -> Any:
    """The task when it has ended (bounded)."""
    for _ in range(2000):
        task = (await client.send("GET", f"/minimax/v1/query/video_generation?task_id={task_id}")).json
        if task["status"] not in {"Queueing", "Processing"}:
            return task
        await asyncio.sleep(0.01)
    raise TimeoutError(task_id)


async def test_pictures_inline(client: Any, pixels: Callable[[bytes], Any]) -> None:
    """Of the sides asked for."""
    answer = (await images(client, n=2, response_format="base64")).json

    assert ("PNG", (512, 520)) == pixels(base64.b64decode(answer["data"]["image_base64"][1]))
    assert ("2", 0) == (answer["metadata"]["success_count"], answer["base_resp"]["status_code"])


async def test_the_ratio_outweighs_the_sides(client: Any, pixels: Callable[[bytes], Any]) -> None:
    """As MiniMax documents it."""
    url = (await images(client, aspect_ratio="16:9")).json["data"]["image_urls"][0].removeprefix(client.url)

    _, (width, height) = pixels((await client.send("GET", url)).body)
    assert 1.7 < width / height < 1.8


@pytest.mark.parametrize(
    ("prompt", "code"), [("a cat [sandbox: empty]", 1026), ("a cat [sandbox: fail=402]", 1008), ("", 2013)]
)
async def test_errors_come_in_http_200(client: Any, prompt: str, code: int) -> None:
    """Only `base_resp` tells."""
    reply = await images(client, prompt=prompt)

    assert (200, code) == (reply.status, reply.json["base_resp"]["status_code"])


async def test_a_video_takes_three_calls(client: Any) -> None:
    """Task, file, film."""
    task = await over(client, await submit(client))
    file = (await client.send("GET", f"/minimax/v1/files/retrieve?file_id={task['file_id']}")).json["file"]

    film = await client.send("GET", file["download_url"].removeprefix(client.url))
    assert (910, 512, b"ftyp") == (task["video_width"], task["video_height"], film.body[4:8])


@pytest.mark.parametrize(("word", "code"), [("job_fail", 1000), ("job_moderated", 1027)])
async def test_a_task_fails_as_it_is_asked_to(client: Any, word: str, code: int) -> None:
    """With a code, and without a file."""
    task = await over(client, await submit(client, f"a cat [sandbox: {word}]"))

    assert ("Fail", "", code) == (task["status"], task["file_id"], task["base_resp"]["status_code"])


@pytest.mark.parametrize("path", ["query/video_generation?task_id=1", "files/retrieve?file_id=2", "files/retrieve"])
async def test_what_is_not_known_is_an_error_in_http_200(client: Any, path: str) -> None:
    """Tasks and files alike."""
    reply = await client.send("GET", f"/minimax/v1/{path}")

    assert (200, 2013) == (reply.status, reply.json["base_resp"]["status_code"])
