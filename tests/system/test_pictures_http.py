"""Pictures at Ark, DashScope, MiniMax and Kling, by plain HTTP as their documents show it."""

import io
import json
from typing import Any

import pytest
from PIL import Image

from tests.system.tasks import DASHSCOPE, KLING, MINIMAX
from tests.system.world import Answer, World

ARK = "/ark/api/v3/images/generations"
SERVICES = "/dashscope/api/v1/services/aigc"
IMAGES = "/minimax/v1/image_generation"

SERIES = {"sequential_image_generation": "auto", "sequential_image_generation_options": {"max_images": 3}}


async def ark(world: World, key: str, words: str = "none", **fields: Any) -> Answer:
    body = {"model": "seedream-4-5-251128", "prompt": f"a kite [sandbox: {words}]", "size": "2048x2048", **fields}
    return await world.send("POST", ARK, key, json=body)


async def qwen(world: World, key: str, words: str = "none", **parameters: Any) -> Answer:
    content = [{"text": f"a kite [sandbox: {words}]"}]
    body = {"model": "qwen-image", "input": {"messages": [{"role": "user", "content": content}]}}
    settings = {"size": "1664*928", "n": 1, **parameters}
    path = f"{SERVICES}/multimodal-generation/generation"
    return await world.send("POST", path, key, json=body | {"parameters": settings})


async def minimax(world: World, key: str, words: str = "none", **fields: Any) -> Answer:
    body = {"model": "image-01", "prompt": f"a kite [sandbox: {words}]", "aspect_ratio": "16:9", **fields}
    return await world.send("POST", IMAGES, key, json=body)


async def size_of(world: World, url: str) -> tuple[int, int]:
    """Of a picture, fetched and decoded whole."""
    async with world.session.get(url) as answer:
        image = Image.open(io.BytesIO(await answer.read()))
    image.load()
    return image.size


async def test_ark_a_picture_is_charged_and_real(world: World) -> None:
    """One of 2048x2048 is 24 credits."""
    answer = await ark(world, await world.key())

    assert (2048, 2048) == await size_of(world, answer.json["data"][0]["url"])
    assert (24_000_000, 0) == ((await world.balance()).charged, (await world.balance()).held)
    await world.assert_books_clean()


@pytest.mark.parametrize(("words", "charged"), [("none", 72), ("partial=1", 24), ("empty", 0)])
async def test_ark_a_series_is_charged_by_what_came(world: World, words: str, charged: int) -> None:
    """Three may come and are held; one that failed is an entry without a picture, and all of them an error in a 200."""
    answer = await ark(world, await world.key(), words, **SERIES)

    assert (200, "72") == (answer.status, answer.headers["Gatekeeper-Credits-Held"])
    assert charged * 1_000_000 == (await world.balance()).charged
    await world.assert_books_clean()


async def test_ark_a_stream_is_charged_by_its_events(world: World) -> None:
    """They pass as they come; a failed one is not charged."""
    answer = await ark(world, await world.key(), "partial=2", stream=True, **SERIES)

    data = [line.removeprefix("data: ") for line in answer.body.decode().splitlines() if line.startswith("data: ")]
    kinds = [json.loads(each)["type"].rpartition(".")[2] for each in data[:-1]]
    assert ["partial_succeeded"] * 2 + ["partial_failed", "completed"] == kinds
    assert 48_000_000 == (await world.balance()).charged
    await world.assert_books_clean()


async def test_ark_a_shape_that_is_not_sold_is_told_what_is(world: World) -> None:
    """In the message of Ark's error object."""
    answer = await ark(world, await world.key(), size="4096x1024")

    assert 422 == answer.status
    assert "1:1, 4:3, 3:4, 2:3, 3:2, 9:16, 16:9" in answer.json["error"]["message"]
    assert 0 == (await world.provider())["requests"]


async def test_dashscope_a_picture_is_charged_and_real(world: World) -> None:
    """One of 1664*928 is 24 credits."""
    answer = await qwen(world, await world.key())

    content = answer.json["output"]["choices"][0]["message"]["content"]
    assert (1664, 928) == await size_of(world, content[0]["image"])
    assert 24_000_000 == (await world.balance()).charged
    await world.assert_books_clean()


async def test_dashscope_a_task_of_pictures_is_charged_at_its_end(world: World) -> None:
    """By the older protocol: submitted, polled, fetched."""
    key = await world.key()
    body = {"model": "qwen-image", "input": {"prompt": "a kite"}, "parameters": {"size": "1328*1328"}}
    later = {"X-DashScope-Async": "enable"}
    task = await world.send("POST", f"{SERVICES}/text2image/image-synthesis", key, json=body, headers=later)

    ended = await DASHSCOPE.over(world, key, task.json["output"]["task_id"])

    assert (1328, 1328) == await size_of(world, ended.json["output"]["results"][0]["url"])
    assert "24" == ended.headers["Gatekeeper-Credits-Charged"]
    await world.assert_books_clean()


async def test_dashscope_an_error_in_http_200_costs_nothing(world: World) -> None:
    """Moderation answers so."""
    answer = await qwen(world, await world.key(), "empty")

    assert (200, "DataInspectionFailed") == (answer.status, answer.json["code"])
    assert 0 == (await world.balance()).charged
    await world.assert_books_clean()


async def test_dashscope_a_size_that_is_not_sold_is_told_what_is(world: World) -> None:
    """In the message of the flat error."""
    answer = await qwen(world, await world.key(), size="1024*1024")

    assert (422, "unsupported_size") == (answer.status, answer.json["code"])
    assert "1328x1328" in answer.json["message"]


async def test_minimax_pictures_are_charged_by_what_came(world: World) -> None:
    """Two of three at 6 credits."""
    answer = await minimax(world, await world.key(), "partial=2", n=3)

    assert (2, "18") == (len(answer.json["data"]["image_urls"]), answer.headers["Gatekeeper-Credits-Held"])
    assert 12_000_000 == (await world.balance()).charged
    await world.assert_books_clean()


@pytest.mark.parametrize(("words", "code"), [("empty", 1026), ("fail=402", 1008), ("fail=429", 1002)])
async def test_minimax_an_error_in_http_200_costs_nothing(world: World, words: str, code: int) -> None:
    """It passes as it came."""
    answer = await minimax(world, await world.key(), words)

    assert (200, code) == (answer.status, answer.json["base_resp"]["status_code"])
    assert 0 == (await world.balance()).charged
    await world.assert_books_clean()


async def test_minimax_another_teams_file_is_not_found(world: World) -> None:
    """A file is its job's, and its job's team's; before the end it has no name yet."""
    key, stranger = await world.key(), await world.key()
    ended = await MINIMAX.over(world, key, await MINIMAX.start(world, key))
    path = f"/minimax/v1/files/retrieve?file_id={ended.json['file_id']}"

    answers = [await world.send("GET", path, each) for each in (key, stranger)]

    assert [200, 404] == [answer.status for answer in answers]
    assert "59.08" == answers[0].headers["Gatekeeper-Credits-Charged"]


async def test_minimax_a_ratio_that_is_not_sold_is_told_what_is(world: World) -> None:
    """In `status_msg`, under an honest status."""
    answer = await minimax(world, await world.key(), aspect_ratio="21:9")

    assert (422, 2013) == (answer.status, answer.json["base_resp"]["status_code"])
    assert "1:1, 4:3, 3:4, 3:2, 2:3, 9:16, 16:9" in answer.json["base_resp"]["status_msg"]


async def test_kling_sound_doubles_and_the_units_are_told(world: World) -> None:
    """Kling 2.6: 14.77 a second, twice that with sound; what Kling deducted is noted beside the charge."""
    key = await world.key()
    ended = await KLING.over(world, key, await KLING.start(world, key, sound="on"))

    settled = await world.event("generation.settled")
    assert "147.7" == ended.headers["Gatekeeper-Credits-Charged"]
    assert ("6", "kling_units") == (f"{settled['cost_reported']:g}", settled["cost_unit"])


async def test_kling_a_model_in_the_old_field_is_refused(world: World) -> None:
    """Kling would make its first model, and bill that."""
    body = {"model": "kling-v3", "prompt": "a kite"}

    answer = await world.send("POST", "/kling/v1/videos/text2video", await world.key(), json=body)

    assert (400, 1200) == (answer.status, answer.json["code"])
    assert "model_name" in answer.json["message"]
    assert 0 == (await world.provider())["requests"]


@pytest.mark.parametrize("path", ["/kling/v1/videos/text2video", "/kling/v1/images/generations"])
async def test_kling_no_model_is_its_first_one(world: World, path: str) -> None:
    """Which is not sold here."""
    answer = await world.send("POST", path, await world.key(), json={"prompt": "a kite"})

    assert (404, "model_not_found") == (answer.status, answer.headers["Gatekeeper-Rejection"])
