"""Kling in the sandbox: tokens of its form, kinds that know only their own tasks, modes and units."""

import asyncio
import time
from typing import Any

import jwt
import pytest

VIDEOS = "/kling/v1/videos/text2video"
NOW_S, DAY_S = int(time.time()), 86_400
"""When the tests were collected; they may run much later."""

GOOD = {"iss": "access-key", "exp": NOW_S + DAY_S, "nbf": NOW_S - 5}


def token(claims: dict[str, Any], algorithm: str = "HS256") -> dict[str, str]:
    return {"Authorization": f"Bearer {jwt.encode(claims, 'k' * 64, algorithm)}"}


async def submit(client: Any, path: str = VIDEOS, headers: Any = None, **fields: Any) -> Any:
    body = {"model_name": "kling-v2-6", "prompt": "a cat", **fields}
    return await client.send("POST", path, json=body, headers=headers or {})


async def over(client: Any, path: str, task_id: str) -> Any:
    """The task when it has ended (bounded)."""
    for _ in range(2000):
        task = (await client.send("GET", f"{path}/{task_id}")).json["data"]
        if task["task_status"] not in {"submitted", "processing"}:
            return task
        await asyncio.sleep(0.01)
    raise TimeoutError(task_id)


async def test_a_video_is_one_frame_longer_than_it_was_sold(client: Any) -> None:
    """And is told with the units that it took."""
    task_id = (await submit(client, duration="5", sound="on")).json["data"]["task_id"]

    task = await over(client, VIDEOS, task_id)
    video = task["task_result"]["videos"][0]
    film = await client.send("GET", video["url"].removeprefix(client.url))
    assert ("succeed", "5.041", "4.5") == (task["task_status"], video["duration"], task["final_unit_deduction"])
    assert b"ftyp" == film.body[4:8]


async def test_pictures_are_tasks_too(client: Any) -> None:
    """As many as asked for, less what is taken away."""
    path = "/kling/v1/images/generations"
    task_id = (await submit(client, path, prompt="a cat [sandbox: partial=2]", n=3)).json["data"]["task_id"]

    assert 2 == len((await over(client, path, task_id))["task_result"]["images"])


async def test_a_kind_knows_only_its_own_tasks(client: Any) -> None:
    """A task of one address is not found at another."""
    task_id = (await submit(client)).json["data"]["task_id"]

    assert 404 == (await client.send("GET", f"/kling/v1/videos/image2video/{task_id}")).status


@pytest.mark.parametrize("word", ["job_fail", "job_moderated", "job_expire"])
async def test_a_task_fails_as_it_is_asked_to(client: Any, word: str) -> None:
    """Without units."""
    task_id = (await submit(client, prompt=f"a cat [sandbox: {word}]")).json["data"]["task_id"]

    task = await over(client, VIDEOS, task_id)
    assert ("failed", "0") == (task["task_status"], task["final_unit_deduction"])


async def test_the_old_field_of_a_model_is_ignored(client: Any) -> None:
    """The first model is made in its place."""
    await submit(client, model_name=None, model="kling-v3", prompt="a cat [sandbox: job=0]")
    await client.until_requests(1)
    for _ in range(2000):
        if models := (await client.ledger())["models"]:
            break
        await asyncio.sleep(0.01)

    assert ["kling-v1"] == list(models)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (token(GOOD), 200),
        ({}, 200),
        (token(GOOD, "HS512"), 401),
        (token({**GOOD, "exp": NOW_S - 60}), 401),
        (token({**GOOD, "nbf": NOW_S + DAY_S}), 401),
        (token({"exp": NOW_S + DAY_S, "nbf": NOW_S}), 401),
        ({"Authorization": "Bearer gk_key"}, 401),
        ({"Authorization": "Key x.y.z"}, 401),
    ],
)
async def test_a_token_must_have_klings_form(client: Any, headers: dict[str, str], status: int) -> None:
    """Signed with HS256, from an access key, in force; without one the sandbox answers as well."""
    assert status == (await submit(client, headers=headers)).status
