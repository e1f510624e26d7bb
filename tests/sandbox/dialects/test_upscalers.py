"""Freepik's and Topaz' formats: upscales that are really larger, as tasks that are asked for."""

import asyncio
import base64
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

PRECISE = "/freepik/v1/ai/image-upscaler-precision-v2"
CREATIVE = "/freepik/v1/ai/image-upscaler"


async def ended(client: Any, path: str, running: set[str], field: str) -> Any:
    """The task once it has ended."""
    for _ in range(500):
        answer = (await client.send("GET", path)).json
        task = answer.get("data", answer)
        if task[field] not in running:
            return answer
        await asyncio.sleep(0.01)
    raise AssertionError("it does not end")


@pytest.mark.parametrize(
    ("path", "scale", "within", "field"),
    [(PRECISE, 2, True, "status"), (PRECISE, 4, True, "status"), (CREATIVE, "2x", False, "task_status")],
)
async def test_freepik_upscales(
    client: Any, path: str, scale: Any, within: bool, field: str, png: Callable[..., bytes], pixels: Callable[..., Any]
) -> None:
    """A picture in base64 comes back that many times as large, in the shape that this path answers in."""
    image = base64.b64encode(png(64, 48)).decode()

    begun = (await client.send("POST", path, json={"image": image, "scale_factor": scale})).json
    task = begun["data"] if within else begun
    answer = await ended(client, f"{path}/{task['task_id']}", {"CREATED", "IN_PROGRESS"}, field)
    done = answer["data"] if within else answer

    url = done["generated"][0]
    factor = int(str(scale).removesuffix("x"))
    assert "COMPLETED" == done[field]
    assert ("PNG", (64 * factor, 48 * factor)) == pixels((await client.send("GET", url.removeprefix(client.url))).body)


async def test_freepik_takes_its_own_files(client: Any, pixels: Callable[..., Any]) -> None:
    """The address of a file of the sandbox has the size of that file."""
    source = (await client.generate(response_format="url", size="80x64")).json["data"][0]["url"]

    begun = (await client.send("POST", PRECISE, json={"image": source, "scale_factor": 2})).json["data"]
    done = await ended(client, f"{PRECISE}/{begun['task_id']}", {"CREATED", "IN_PROGRESS"}, "status")

    url = done["data"]["generated"][0]
    assert (160, 128) == pixels((await client.send("GET", url.removeprefix(client.url))).body)[1]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (PRECISE, {"scale_factor": 2}, 400),
        (PRECISE, {"image": "https://x.example/a.png", "scale_factor": 17}, 400),
        (PRECISE, {"image": "no base64!", "scale_factor": 2}, 400),
        (CREATIVE, {"image": "https://x.example/a.png", "scale_factor": "3x"}, 400),
    ],
)
async def test_freepik_refuses(client: Any, path: str, body: Any, status: int) -> None:
    """In its own shape."""
    reply = await client.send("POST", path, json=body)

    assert (status, ["message"]) == (reply.status, list(reply.json))


async def test_a_task_belongs_to_its_path(client: Any) -> None:
    """At the other path nobody knows it."""
    body = {"image": "https://x.example/a.png", "scale_factor": 2}
    task = (await client.send("POST", PRECISE, json=body)).json["data"]["task_id"]

    assert 404 == (await client.send("GET", f"{CREATIVE}/{task}")).status


@pytest.mark.parametrize(("behaviour", "status"), [("job_fail", "FAILED"), ("job=0", "COMPLETED")])
async def test_freepik_ends_as_asked(client: Any, behaviour: str, status: str) -> None:
    """A task fails when it is told to."""
    body = {"image": "https://x.example/a.png", "scale_factor": 2}
    headers = {"Sandbox-Behaviour": behaviour}

    begun = (await client.send("POST", PRECISE, json=body, headers=headers)).json["data"]
    done = await ended(client, f"{PRECISE}/{begun['task_id']}", {"CREATED", "IN_PROGRESS"}, "status")

    assert status == done["data"]["status"]


def topaz_form(image: bytes | None, **fields: str) -> aiohttp.FormData:
    form = aiohttp.FormData({"model": "Standard V2", **fields}, default_to_multipart=True)
    if image is not None:
        form.add_field("image", image, filename="a.png", content_type="image/png")
    return form


async def topaz(client: Any, image: bytes | None, behaviour: str = "none", **fields: str) -> Any:
    headers = {"Sandbox-Behaviour": behaviour}
    data = topaz_form(image, **fields)
    return await client.send("POST", "/topaz/enhance/async", data=data, headers=headers)


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ({"output_width": "128"}, (128, 96)),
        ({"output_height": "192"}, (256, 192)),
        ({"output_width": "100", "output_height": "100"}, (100, 100)),
        ({}, (128, 96)),
    ],
)
async def test_topaz_makes_the_size_asked_for(
    client: Any, fields: dict[str, str], size: tuple[int, int], png: Callable[..., bytes], pixels: Callable[..., Any]
) -> None:
    """The status tells the size, and the download has it."""
    begun = await topaz(client, png(64, 48), **fields)
    process = begun.json["process_id"]
    done = await ended(client, f"/topaz/status/{process}", {"Pending", "Processing"}, "status")
    file = (await client.send("GET", f"/topaz/download/{process}")).json["download_url"]

    assert process == begun.headers["X-Process-ID"]
    assert ("Completed", size) == (done["status"], (done["output_width"], done["output_height"]))
    assert size == pixels((await client.send("GET", file.removeprefix(client.url))).body)[1]


async def test_topaz_can_be_cancelled(client: Any, png: Callable[..., bytes]) -> None:
    """A process that has not ended ends, and has nothing to download; it cannot be cancelled twice."""
    process = (await topaz(client, png(), "job_wait", output_width="128")).json["process_id"]

    first = await client.send("DELETE", f"/topaz/cancel/{process}")
    second = await client.send("DELETE", f"/topaz/cancel/{process}")

    status = (await client.send("GET", f"/topaz/status/{process}")).json["status"]
    assert (200, 409, "Cancelled") == (first.status, second.status, status)
    assert 409 == (await client.send("GET", f"/topaz/download/{process}")).status


@pytest.mark.parametrize("image", [None, b"no image"])
async def test_topaz_refuses_what_is_no_image(client: Any, image: bytes | None) -> None:
    """In its own shape."""
    reply = await topaz(client, image, output_width="128")

    assert (400, {"code", "message"}) == (reply.status, set(reply.json["error"]))


async def test_topaz_takes_an_address_for_a_square(client: Any) -> None:
    """It fetches nothing."""
    process = (await topaz(client, None, source_url="https://x.example/a.png")).json["process_id"]

    assert 404 == (await client.send("GET", "/topaz/status/another")).status
    assert 2048 == (await client.send("GET", f"/topaz/status/{process}")).json["output_width"]
