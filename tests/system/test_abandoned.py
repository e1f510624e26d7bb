"""Jobs of Freepik, Luma, Runway and Topaz that nobody asks about: the gateway does, in each provider's own way."""

import io
from typing import Any

import aiohttp
import pytest
from PIL import Image

from tests.system.conftest import StartWorld
from tests.system.world import Answer, World

SOON = {"first_poll_s": 0.05, "poll_min_s": 0.05, "poll_max_s": 0.1, "walk_s": 1}
"""How soon and how often the gateway asks."""


def picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (1000, 500), "teal").save(out, "PNG")
    return out.getvalue()


def body_of(dialect: str, word: str) -> Any:
    """What is submitted; the sandbox's word stands wherever there is room for it."""
    said = f"a cat [sandbox: {word}]"
    match dialect:
        case "freepik":
            return {"image": "https://pictures.example/a.png", "scale_factor": 2, "note": said}
        case "luma":
            return {"model": "ray-flash-2", "prompt": said, "resolution": "540p", "duration": "5s"}
        case _:
            return {"model": "gen4.5", "promptText": said, "ratio": "1280:720", "duration": 2}


PATHS = {
    "freepik": "/freepik/v1/ai/image-upscaler-precision-v2",
    "luma": "/luma/generations/video",
    "runway": "/runway/v1/text_to_video",
    "topaz": "/topaz/enhance/async",
}

PRICES = {"freepik": 65, "luma": 42.2, "runway": 50.64, "topaz": 10}


async def submit(world: World, key: str, dialect: str, word: str, **fields: str) -> Answer:
    if dialect != "topaz":
        return await world.send("POST", PATHS[dialect], key, json=body_of(dialect, word) | fields)
    form = aiohttp.FormData({"model": "topaz", "output_width": "2000", "note": f"[sandbox: {word}]", **fields})
    form.add_field("image", picture(), filename="a.png", content_type="image/png")
    return await world.send("POST", PATHS[dialect], key, data=form)


async def submit_called_back(world: World, key: str, dialect: str, url: str, word: str = "none") -> Answer:
    """The same with an address to be called at its end."""
    field = "callback_url" if dialect == "luma" else "webhook_url"
    return await submit(world, key, dialect, word, **{field: url})


@pytest.mark.parametrize("dialect", PATHS)
@pytest.mark.parametrize(("word", "outcome"), [("none", "made"), ("job_fail", "failed")])
async def test_an_abandoned_job_is_booked(start_world: StartWorld, dialect: str, word: str, outcome: str) -> None:
    """Charged if it was made, refunded if it failed: once, and without a question from its caller."""
    world = await start_world(jobs=SOON)
    submitted = await submit(world, await world.key(), dialect, word)

    finished = await world.event("job.finished")

    charged = PRICES[dialect] if outcome == "made" else 0
    assert submitted.status in {200, 201}
    assert (outcome, "reconciler", charged) == tuple(finished[name] for name in ("outcome", "via", "credits_charged"))
    assert 1 == len(world.events("job.finished"))
    await world.assert_books_clean()
