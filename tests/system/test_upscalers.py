"""Freepik's and Topaz' upscalers through the gateway, by plain HTTP: neither has an official SDK."""

import asyncio
import base64
import io
from typing import Any

import aiohttp
import pytest
from PIL import Image

from tests.system.world import Answer, World

PRECISE = "/freepik/v1/ai/image-upscaler-precision-v2"


def picture(width: int = 64, height: int = 48) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(out, "PNG")
    return out.getvalue()


async def enlarge(world: World, key: str, behaviour: str = "none", **fields: Any) -> Answer:
    """Freepik's precise upscaler, twice as large by default; the word for the sandbox is in a field it ignores."""
    image = base64.b64encode(picture()).decode()
    body = {"image": image, "scale_factor": 2, "note": f"[sandbox: {behaviour}]", **fields}
    return await world.send("POST", PRECISE, json=body, headers={"x-freepik-api-key": key})


async def ended(world: World, key: str, path: str, running: set[str]) -> Any:
    """The task once it has ended (bounded)."""
    for _ in range(500):
        answer = (await world.send("GET", path, key)).json
        task = answer.get("data", answer)
        if task["status"] not in running:
            return task
        await asyncio.sleep(0.01)
    raise AssertionError(f"still {task['status']}")


async def freepik_ended(world: World, key: str, submitted: Answer) -> Any:
    path = f"{PRECISE}/{submitted.json['data']['task_id']}"
    return await ended(world, key, path, {"CREATED", "IN_PROGRESS"})


async def size_at(world: World, url: str) -> tuple[int, int]:
    async with world.session.get(url) as response:
        return Image.open(io.BytesIO(await response.read())).size


@pytest.mark.parametrize(("scale", "charged"), [(2, 65), (4, 260)])
async def test_freepik_is_charged_by_the_factor(world: World, scale: int, charged: int) -> None:
    """Held while it is made, charged at its end, and really that much larger."""
    key = await world.key()

    submitted = await enlarge(world, key, scale_factor=scale)
    held = (await world.balance()).held
    task = await freepik_ended(world, key, submitted)

    balance = await world.balance()
    assert (charged * 10**6, charged * 10**6, 0) == (held, balance.charged, balance.held)
    assert (64 * scale, 48 * scale) == await size_at(world, task["generated"][0])
    assert 0 == (await world.provider())["team_key_seen"]
    await world.assert_books_clean()


async def test_freepik_takes_an_address(world: World) -> None:
    """Nobody knows the size of what is there, and the price does not ask."""
    submitted = await enlarge(world, await world.key(), image="https://pictures.example/a.png")

    assert (200, 65_000_000) == (submitted.status, (await world.balance()).held)


async def test_a_failed_task_is_refunded_once(world: World) -> None:
    """Nothing is charged; asking again changes nothing."""
    key = await world.key()

    submitted = await enlarge(world, key, "job_fail")
    states = [(await freepik_ended(world, key, submitted))["status"] for _ in range(2)]

    balance = await world.balance()
    assert (["FAILED", "FAILED"], 0, 0) == (states, balance.charged, balance.held)
    assert 1 == len(world.events("job.finished"))
    await world.assert_books_clean()


async def test_freepik_out_of_credits_is_402(world: World) -> None:
    """In its own shape."""
    answer = await enlarge(world, await world.key("64"))

    assert (402, "insufficient_credits") == (answer.status, answer.json["code"])
    assert "65" in answer.json["message"]
    assert 0 == (await world.provider())["requests"]


async def test_freepik_bad_factor(world: World) -> None:
    """The factors that are sold stand in the message, by Freepik's own name."""
    answer = await enlarge(world, await world.key(), scale_factor=3)

    assert 422 == answer.status
    assert "2x, 4x, 8x, 16x" in answer.json["message"]
    assert 0 == (await world.provider())["requests"]


async def test_another_teams_task_is_not_found(world: World) -> None:
    """And the provider hears nothing of it."""
    submitted = await enlarge(world, await world.key(), "job_wait")
    requests = (await world.provider())["requests"]

    answer = await world.send("GET", f"{PRECISE}/{submitted.json['data']['task_id']}", await world.key())

    assert (404, "job_not_found") == (answer.status, answer.json["code"])
    assert requests == (await world.provider())["requests"]


@pytest.mark.parametrize("path", ["/freepik/v1/ai/mystic", "/freepik/v1/ai/image-to-video/kling", "/topaz/enhance"])
async def test_what_is_not_gated_is_refused(world: World, path: str) -> None:
    """Nothing goes upstream."""
    answer = await world.send("POST", path, await world.key(), json={})

    assert (403, "route_not_gated") == (answer.status, answer.headers["Gatekeeper-Rejection"])
    assert 0 == (await world.provider())["requests"]


async def sharpen(world: World, key: str, behaviour: str = "none", image: bytes | None = None, **fields: str) -> Answer:
    """Topaz' standard model, to 2000 pixels in width from 1000 by default."""
    wanted = {"model": "topaz", "output_width": "2000", "note": f"[sandbox: {behaviour}]", **fields}
    form = aiohttp.FormData(wanted, default_to_multipart=True)
    form.add_field("image", image or picture(1000, 500), filename="a.png", content_type="image/png")
    return await world.send("POST", "/topaz/image/v1/enhance/async", data=form, headers={"X-API-Key": key})


async def topaz_ended(world: World, key: str, process: str) -> Any:
    return await ended(world, key, f"/topaz/image/v1/status/{process}", {"Pending", "Processing"})


async def test_topaz_is_charged_by_the_input_and_the_factor(world: World) -> None:
    """Half a megapixel at four times is 20 x 0.5 x 3 = 30 credits; the download has the size asked for."""
    key = await world.key()

    process = (await sharpen(world, key, output_width="4000")).json["process_id"]
    held = (await world.balance()).held
    await topaz_ended(world, key, process)
    download = await world.send("GET", f"/topaz/image/v1/download/{process}", key)

    balance = await world.balance()
    assert (30_000_000, 30_000_000, 0) == (held, balance.charged, balance.held)
    assert (4000, 2000) == await size_at(world, download.json["download_url"])
    assert 1 == (await world.event("generation.settled"))["cost_reported"]
    await world.assert_books_clean()


async def test_topaz_cancelled_is_free(world: World) -> None:
    """A process that was stopped is not charged, once its status says so."""
    key = await world.key()
    process = (await sharpen(world, key, "job_wait")).json["process_id"]

    cancelled = await world.send("DELETE", f"/topaz/image/v1/cancel/{process}", key)
    held = (await world.balance()).held
    task = await topaz_ended(world, key, process)

    balance = await world.balance()
    assert (200, "Cancelled", 10_000_000) == (cancelled.status, task["status"], held)
    assert (0, 0) == (balance.charged, balance.held)
    await world.assert_books_clean()


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"output_width": "2500"}, "2x, 3x, 4x"),
        ({"output_width": "1000", "output_height": "2000"}, None),
        ({"image": b"II*" + bytes(100)}, "PNG, JPEG or WebP"),
    ],
)
async def test_topaz_bad_size(world: World, fields: dict[str, Any], told: str | None) -> None:
    """The factors that are sold stand in the message; the larger of two factors counts, and may be one of them."""
    answer = await sharpen(world, await world.key(), **fields)

    assert (200 if told is None else 422) == answer.status
    assert told is None or told in answer.json["error"]["message"]


async def test_topaz_out_of_credits_is_402(world: World) -> None:
    """In its own shape."""
    answer = await sharpen(world, await world.key("9.99"))

    assert (402, "insufficient_credits") == (answer.status, answer.json["error"]["code"])
    assert 0 == (await world.provider())["requests"]


async def test_topaz_download_of_another_team_is_not_found(world: World) -> None:
    """Neither its status nor its picture."""
    process = (await sharpen(world, await world.key())).json["process_id"]
    other = await world.key()

    answers = [await world.send("GET", f"/topaz/image/v1/{what}/{process}", other) for what in ("status", "download")]

    assert [(404, "job_not_found")] * 2 == [(a.status, a.json["error"]["code"]) for a in answers]
