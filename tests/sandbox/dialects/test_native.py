"""The native dialect: outputs by URL or inline, sizes in every spelling, problems as problem details."""

import base64
from collections.abc import Callable
from typing import Any

import pytest


async def test_outputs_state_their_pixels(client: Any) -> None:
    """As many as asked for, each with URL, sides and type."""
    outputs = (await client.native(outputs=3)).json["outputs"]

    assert [(64, 64, "image/png")] * 3 == [(o["width"], o["height"], o["content_type"]) for o in outputs]
    assert 3 == len({o["url"] for o in outputs})


async def test_inline_outputs_decode(client: Any, pixels: Callable[[bytes], Any]) -> None:
    """`response_format: b64_json` brings the picture itself, in the format asked for."""
    options = {"response_format": "b64_json", "output_format": "webp"}

    output = (await client.native(provider_options=options)).json["outputs"][0]

    assert ("WEBP", (64, 64)) == pixels(base64.b64decode(output["b64_json"]))
    assert "image/webp" == output["content_type"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"size": {"width": 80, "height": 120}}, (80, 120)),
        ({"size": "auto", "resolution": "2K", "aspect_ratio": "16:9"}, (2728, 1536)),
        ({"size": None, "resolution": "512"}, (512, 512)),
        ({"size": None}, (1024, 1024)),
        ({"operation": "image.upscale", "input": {"width": 100, "height": 50}, "scale": 4}, (400, 200)),
        (
            {"operation": "image.upscale", "input": {"width": 100, "height": 50}, "scale": "2x", "prompt": None},
            (200, 100),
        ),
        ({"operation": "image.edit"}, (64, 64)),
        ({"operation": "image.personalise"}, (64, 64)),
        ({"operation": "image.style_reference"}, (64, 64)),
    ],
)
async def test_each_operation_and_size(client: Any, fields: dict[str, Any], expected: tuple[int, int]) -> None:
    """What was asked for is what is stated."""
    output = (await client.native(**fields)).json["outputs"][0]

    assert expected == (output["width"], output["height"])


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": None}, "model"),
        ({"model": 7}, "model"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": ["a"]}, "prompt"),
        ({"outputs": 0}, "outputs"),
        ({"outputs": 11}, "outputs"),
        ({"outputs": "2"}, "outputs"),
        ({"outputs": True}, "outputs"),
        ({"size": "big"}, "size"),
        ({"size": {"width": 80}}, "size"),
        ({"size": {"width": 10**9, "height": 1}}, "width"),
        ({"operation": "video.generate"}, "operation"),
        ({"operation": "image.upscale", "scale": 2}, "input"),
        ({"operation": "image.upscale", "input": {"width": 9, "height": 9}}, "scale"),
        ({"operation": "image.upscale", "input": {"width": 9, "height": 9}, "scale": "nan"}, "scale"),
        ({"provider_options": "x"}, "provider_options"),
        ({"provider_options": {"output_format": "gif"}}, "provider_options.output_format"),
    ],
)
async def test_a_bad_field_is_named(client: Any, fields: dict[str, Any], param: str) -> None:
    """400 as problem details; nothing is generated."""
    reply = await client.native(**fields)

    assert (400, "application/problem+json") == (reply.status, reply.headers["Content-Type"])
    assert param == reply.json["param"]
    assert 0 == (await client.ledger())["generations"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff\xfe"])
async def test_a_body_that_is_no_object_is_400(client: Any, body: bytes) -> None:
    """Whatever it is instead."""
    reply = await client.send("POST", "/v1/generations", data=body)

    assert (400, "invalid_json") == (reply.status, reply.json["code"])
