"""Ideogram's format: forms in, pictures out, and what its own check withholds."""

from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

GENERATE = "/ideogram/v1/ideogram-v3/generate"


async def ask(
    client: Any, path: str = GENERATE, behaviour: str = "none", image: bytes | None = None, **fields: str
) -> Any:
    form = aiohttp.FormData({"prompt": "a cat", **fields}, default_to_multipart=True)
    if image is not None:
        form.add_field("image", image, filename="a.png", content_type="image/png")
    return await client.send("POST", path, data=form, headers={"Sandbox-Behaviour": behaviour})


async def test_pictures_have_the_size_they_tell(client: Any, pixels: Callable[..., Any]) -> None:
    """By size, and as many as asked for."""
    data = (await ask(client, resolution="128x64", num_images="2")).json["data"]

    files = [await client.send("GET", entry["url"].removeprefix(client.url)) for entry in data]
    assert [("PNG", (128, 64))] * 2 == [pixels(file.body) for file in files]
    assert ["128x64"] * 2 == [entry["resolution"] for entry in data]


@pytest.mark.parametrize(("behaviour", "safe"), [("partial=1", [True, False]), ("empty", [False, False])])
async def test_what_is_withheld_has_no_address(client: Any, behaviour: str, safe: list[bool]) -> None:
    """An entry without an address says that its picture is not safe, and does not count as made."""
    data = (await ask(client, behaviour=behaviour, aspect_ratio="1x1", num_images="2")).json["data"]

    assert safe == [entry["is_image_safe"] for entry in data] == [bool(entry["url"]) for entry in data]
    assert sum(safe) == (await client.ledger())["images"]


@pytest.mark.parametrize("what", ["edit", "remix", "replace-background"])
async def test_an_edit_needs_its_picture(client: Any, what: str, png: Callable[..., bytes]) -> None:
    """With one it answers, without it refuses."""
    path = f"/ideogram/v1/ideogram-v3/{what}"

    statuses = [(await ask(client, path, image=image)).status for image in (png(), None)]

    assert [200, 400] == statuses


@pytest.mark.parametrize(
    "fields",
    [{"num_images": "9"}, {"num_images": "two"}, {"aspect_ratio": "1x1", "resolution": "64x64"}, {"prompt": ""}],
)
async def test_a_bad_field_is_told(client: Any, fields: dict[str, str]) -> None:
    """In one sentence."""
    reply = await ask(client, **fields)

    assert (400, ["error"]) == (reply.status, list(reply.json))
