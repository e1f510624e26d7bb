"""The bfl dialect of the sandbox: tasks with their address and cost, ends inside a 200."""

from typing import Any

import pytest


async def ended(client: Any, behaviour: str = "job=0", model: str = "flux-2-pro", **fields: Any) -> Any:
    """What a poll of a new task says in the end."""
    body = {"prompt": f"a cat [sandbox: {behaviour}]", "output_format": "png", "width": 64, "height": 48, **fields}
    task = (await client.send("POST", f"/bfl/v1/{model}", json=body)).json
    for _ in range(500):
        shown = (await client.send("GET", task["polling_url"].removeprefix(client.url))).json
        if shown["status"] != "Pending":
            return shown
    raise AssertionError("the task did not end")


async def test_a_picture_of_the_size_asked_for(client: Any, pixels: Any) -> None:
    """Ready, with a sample that decodes and what it cost."""
    task = await ended(client)

    sample = await client.send("GET", task["result"]["sample"].removeprefix(client.url))
    assert ("Ready", 3.0, ("PNG", (64, 48))) == (task["status"], task["cost"], pixels(sample.body))


async def test_a_batch_of_films(client: Any) -> None:
    """Drafts come in batches; a second of film costs ten credits."""
    task = await ended(client, model="flux-3-video", batch=2, draft=True, duration=5, resolution="hd")

    film = await client.send("GET", task["result"]["samples"][1].removeprefix(client.url))
    assert (2, 100.0, b"ftyp") == (len(task["result"]["samples"]), task["cost"], film.body[4:8])


@pytest.mark.parametrize(
    ("behaviour", "status"),
    [
        ("job=0, job_fail", "Error"),
        ("job=0, job_moderated", "Content Moderated"),
        ("job=0, empty", "Error"),
        ("job=0, job_vanish", "Task not found"),
    ],
)
async def test_each_end_is_a_status_inside_a_200(client: Any, behaviour: str, status: str) -> None:
    """And none of them costs."""
    task = await ended(client, behaviour)

    assert (status, None) == (task["status"], task["result"])
    assert not task.get("cost")


@pytest.mark.parametrize("fields", [{"output_format": "gif"}, {"width": "64"}, {"width": 9000, "height": 9000}])
async def test_a_bad_field_is_named(client: Any, fields: dict[str, Any]) -> None:
    """422 with where it stands."""
    body = {"prompt": "a cat", **fields}

    reply = await client.send("POST", "/bfl/v1/flux-2-pro", json=body)

    assert (422, "body") == (reply.status, reply.json["detail"][0]["loc"][0])
