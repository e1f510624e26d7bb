"""The openai dialect on the wire: JSON, events, forms, errors."""

import base64
import json
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest


def _events(body: bytes) -> list[tuple[str, dict[str, Any]]]:
    """The events of a stream, each with its name; fails where the framing is not that of server-sent events."""
    assert body.endswith(b"\n\n")
    events = []
    for block in body.decode().removesuffix("\n\n").split("\n\n"):
        name, data = block.split("\n")
        events.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return events


def _form(image: bytes | None, field: str = "image", **texts: str) -> aiohttp.FormData:
    form = aiohttp.FormData()
    for name, text in {"prompt": "add a hat", "size": "64x64", **texts}.items():
        form.add_field(name, text)
    if image is not None:
        form.add_field(field, image, filename="in.png", content_type="image/png")
    return form


@pytest.mark.parametrize("path", ["/v1/images/generations", "/images/generations"])
async def test_images_come_with_all_that_settles_them(client: Any, path: str, pixels: Callable[[bytes], Any]) -> None:
    """Count, size, quality and usage are stated, and the images are what is stated."""
    body = {"model": "gpt-image-2", "prompt": "a cat", "n": 2, "size": "160x96", "quality": "low"}

    answer = (await client.send("POST", path, json=body)).json

    assert ("160x96", "low", "png", "opaque") == tuple(
        answer[name] for name in ("size", "quality", "output_format", "background")
    )
    assert [("PNG", (160, 96))] * 2 == [pixels(base64.b64decode(item["b64_json"])) for item in answer["data"]]
    assert answer["usage"]["total_tokens"] == answer["usage"]["input_tokens"] + answer["usage"]["output_tokens"]


async def test_the_images_of_one_request_differ(client: Any) -> None:
    """Each is its own picture."""
    data = (await client.generate(n=3)).json["data"]

    assert 3 == len({item["b64_json"] for item in data})


async def test_the_same_request_gives_the_same_images(client: Any, start: Any, client_of: Any) -> None:
    """In another run of the sandbox as well."""
    other = client_of(await start(seed=99, cache_bytes=0))

    assert (await client.generate()).json["data"] == (await other.generate()).json["data"]


@pytest.mark.parametrize(("name", "expected"), [("png", "PNG"), ("jpeg", "JPEG"), ("webp", "WEBP")])
async def test_output_format(client: Any, name: str, expected: str, pixels: Callable[[bytes], Any]) -> None:
    """The encoding asked for."""
    answer = (await client.generate(output_format=name)).json

    assert (name, expected) == (answer["output_format"], pixels(base64.b64decode(answer["data"][0]["b64_json"]))[0])


@pytest.mark.parametrize(
    ("size", "quality", "expected"),
    [
        ("auto", "auto", ("1024x1024", "medium")),
        ("1536x1024", "auto", ("1536x1024", "high")),
        ("64x64", "standard", ("64x64", "medium")),
        ("64x64", "hd", ("64x64", "high")),
        ("64x64", "max", ("64x64", "max")),
    ],
)
async def test_auto_becomes_a_fact(client: Any, size: str, quality: str, expected: tuple[str, str]) -> None:
    """The answer never says `auto`."""
    answer = (await client.generate(size=size, quality=quality)).json

    assert expected == (answer["size"], answer["quality"])


async def test_by_url(client: Any, pixels: Callable[[bytes], Any]) -> None:
    """`response_format: url`, as compatible hosts still offer it."""
    url = (await client.generate(response_format="url")).json["data"][0]["url"]

    picture = await client.send("GET", url.removeprefix(client.url))

    assert ("PNG", (64, 64)) == pixels(picture.body)


async def test_a_stream_is_previews_then_the_image_for_each(client: Any, pixels: Callable[[bytes], Any]) -> None:
    """Every event names itself twice alike, every picture decodes, usage comes with the finished ones only."""
    reply = await client.generate(n=2, stream=True, partial_images=2)

    events = _events(reply.body)
    partial, completed = "image_generation.partial_image", "image_generation.completed"
    assert [partial, partial, completed] * 2 == [name for name, _ in events]
    assert [name for name, _ in events] == [event["type"] for _, event in events]
    assert [0, 1, None] * 2 == [event.get("partial_image_index") for _, event in events]
    assert [False, False, True] * 2 == ["usage" in event for _, event in events]
    assert {("PNG", (64, 64))} == {pixels(base64.b64decode(event["b64_json"])) for _, event in events}
    assert reply.headers["Content-Type"].startswith("text/event-stream")


async def test_a_streamed_image_is_the_same_as_an_unstreamed_one(client: Any) -> None:
    """Streaming changes the wire, not the picture."""
    (_, event), plain = _events((await client.generate(stream=True)).body)[0], (await client.generate()).json

    assert plain["data"][0]["b64_json"] == event["b64_json"]


@pytest.mark.parametrize("field", ["image", "image[]"])
async def test_an_edit_decodes_its_image_and_makes_new_ones(
    client: Any, field: str, png: Callable[..., bytes], pixels: Callable[[bytes], Any]
) -> None:
    """Text parts are read as the types they stand for."""
    answer = (await client.send("POST", "/v1/images/edits", data=_form(png(), field, n="2", quality="high"))).json

    assert ("64x64", "high", 2) == (answer["size"], answer["quality"], len(answer["data"]))
    assert ("PNG", (64, 64)) == pixels(base64.b64decode(answer["data"][1]["b64_json"]))
    assert answer["usage"]["input_tokens_details"]["image_tokens"] > 0


async def test_an_edit_shows_what_was_sent(client: Any, png: Callable[..., bytes]) -> None:
    """Another input, another output: the file really arrived."""
    red, blue = (_form(png(colour=colour)) for colour in ("red", "blue"))

    replies = [await client.send("POST", "/images/edits", data=form) for form in (red, blue)]

    assert replies[0].json["data"] != replies[1].json["data"]


async def test_an_edit_can_be_streamed(client: Any, png: Callable[..., bytes]) -> None:
    """With its own event names."""
    form = _form(png(), stream="true", partial_images="1")

    reply = await client.send("POST", "/v1/images/edits", data=form)

    assert ["image_edit.partial_image", "image_edit.completed"] == [name for name, _ in _events(reply.body)]


@pytest.mark.parametrize(
    ("image", "mask", "param"),
    [(None, None, "image"), (b"no image", None, "image"), (b"", None, "image"), ("good", b"no mask", "mask")],
)
async def test_an_edit_without_a_real_image_is_400(
    client: Any, image: Any, mask: bytes | None, param: str, png: Callable[..., bytes]
) -> None:
    """Missing, empty or not an image: the field is named and nothing is made."""
    form = _form(png() if image == "good" else image)
    if mask is not None:
        form.add_field("mask", mask, filename="mask.png", content_type="image/png")
    elif image is None:
        form.add_field("note", b"makes it multipart", filename="note.txt", content_type="text/plain")

    reply = await client.send("POST", "/v1/images/edits", data=form)

    assert (400, param) == (reply.status, reply.json["error"]["param"])
    assert 0 == (await client.ledger())["generations"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": None}, "prompt"),
        ({"prompt": 7}, "prompt"),
        ({"n": 0}, "n"),
        ({"n": 11}, "n"),
        ({"n": 10**30}, "n"),
        ({"n": "two"}, "n"),
        ({"size": "2K"}, "size"),
        ({"size": "99999x99999"}, "size"),
        ({"quality": "best"}, "quality"),
        ({"output_format": "gif"}, "output_format"),
        ({"stream": "yes"}, "stream"),
        ({"partial_images": 4}, "partial_images"),
        ({"response_format": "pdf"}, "response_format"),
    ],
)
async def test_a_bad_field_is_named(client: Any, fields: dict[str, Any], param: str) -> None:
    """400 in the shape from which the SDK reads code, type and param."""
    reply = await client.generate(**fields)

    error = reply.json["error"]
    assert (400, "invalid_request_error", param) == (reply.status, error["type"], error["param"])


@pytest.mark.parametrize("path", ["/v1/models", "/models"])
async def test_models_are_listed(client: Any, path: str) -> None:
    """In the API's shape."""
    listed = (await client.send("GET", path)).json

    assert ("list", "model") == (listed["object"], listed["data"][0]["object"])
