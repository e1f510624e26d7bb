"""Ways in which a wire format once had a provider make more than was held and charged."""

from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.dialects.samples import png_base64
from tests.system.conftest import StartProvider, StartWorld
from tests.system.world import Answer, World

FOUR_PICTURES = {
    "candidates": [
        {"content": {"parts": [{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}] * 4}, "finishReason": "STOP"}
    ]
}

SEEDANCE = "doubao-seedance-2-0-260128"


async def sent(world: World, path: str, body: Any) -> Answer:
    """The answer to a request of a team that can afford it."""
    return await world.send("POST", path, await world.key("100000"), json=body)


async def refused(world: World, path: str, body: Any) -> str:
    """The code of a refusal, before which nothing was sent."""
    answer = await sent(world, path, body)
    assert 0 == (await world.provider())["requests"]
    return answer.headers["Gatekeeper-Rejection"]


async def test_pictures_that_a_prompt_asks_for_are_charged(
    start_world: StartWorld, start_provider: StartProvider
) -> None:
    """Gemini has no number of pictures, so one is held; four that came are four, of a team that had one's worth."""
    world = await start_world(provider_url=await start_provider(FOUR_PICTURES))
    body = {"contents": [{"parts": [{"text": "four kites, each a picture of its own"}]}]}

    await world.send(
        "POST", "/gemini/v1/models/gemini-3.1-flash-image:generateContent", await world.key("49"), json=body
    )

    (settled,) = world.events("generation.settled")
    figures = await world.balance()
    assert (49, 196, 4) == (settled["credits_held"], settled["credits_charged"], settled["outputs_made"])
    assert (0, 147_000_000) == (figures.available, figures.debt)
    await world.assert_books_clean()


@pytest.mark.parametrize("picture", ["HTTPS://a.test/1.png", " https://a.test/1.png", {"url": "https://a.test/1.png"}])
async def test_a_picture_goes_into_no_model_that_has_no_price_for_it(world: World, picture: Any) -> None:
    """Flux 2 Flex is sold from a text alone: what BFL bills for pictures depends on their size."""
    body = {"input": {"prompt": "p", "input_images": [picture]}}

    assert "operation_not_supported" == await refused(
        world, "/replicate/v1/models/black-forest-labs/flux-2-flex/predictions", body
    )


async def test_a_small_picture_beside_a_large_one_makes_no_upscale_cheap(world: World) -> None:
    """Which of the two fal takes is not known here."""
    body = {
        "image_url": "https://a.test/huge.png",
        "image": f"data:image/png;base64,{png_base64(8, 8)}",
        "upscale_factor": 4,
    }

    assert "missing_parameter" == await refused(world, "/fal/run/fal-ai/topaz/upscale/image", body)


async def test_a_tier_that_a_model_passes_over_is_held_at_the_dearest(world: World) -> None:
    """Wan 2.5 from a text takes pixels, and makes 1080P where a tier is all that is said: 5 x 31.65."""
    path = "/dashscope/api/v1/services/aigc/video-generation/video-synthesis"
    body = {
        "model": "wan2.5-t2v-preview",
        "input": {"prompt": "p"},
        "parameters": {"resolution": "480P", "duration": 5},
    }

    answer = await sent(world, path, body)

    assert "158.25" == answer.headers["Gatekeeper-Credits-Held"]


async def test_an_edit_of_a_film_is_not_sold_as_a_new_one(world: World) -> None:
    """Kling's edits cost more, and last as long as their source."""
    body = {"model_name": "kling-v3-omni", "prompt": "p", "duration": "3", "aspect_ratio": "16:9",
            "video_list": [{"video_url": "https://a.test/1.mp4", "refer_type": "base"}]}  # fmt: skip

    assert "operation_not_supported" == await refused(world, "/kling/v1/videos/omni-video", body)


async def test_a_film_that_goes_in_for_show_does_not_lower_the_rate(world: World) -> None:
    """Tokens of a film that is made from a film cost less; in a part of text there is none, whatever stands there."""
    part = {"type": "text", "text": "a kite", "video_url": {"url": "https://a.test/1.mp4"}}
    body = {"model": SEEDANCE, "content": [part], "resolution": "720p", "ratio": "16:9", "duration": 5}

    assert "malformed_request" == await refused(world, "/ark/api/v3/contents/generations/tasks", body)


async def test_the_slowest_of_ideograms_speeds_has_its_price_or_is_refused(world: World) -> None:
    """At fal, as at Ideogram itself: the price list has no qualities for it."""
    body = {"prompt": "p", "rendering_speed": "QUALITY", "image_size": "square_hd"}

    assert "unsupported_quality" == await refused(world, "/fal/run/fal-ai/ideogram/v3", body)


async def test_frames_and_drawings_are_no_pictures(world: World) -> None:
    """A GIF of sixteen frames at the price of one picture."""
    body = {"model": "gpt-image-2", "prompt": "p", "quality": "low", "output_format": "gif", "frame_count": 16}

    assert "malformed_request" == await refused(world, "/openai/v1/images/generations", body)


@pytest.mark.parametrize(
    ("path", "body", "held"),
    [
        (
            "/fal/run/fal-ai/veo3.1",
            {"prompt": "p", "seconds": 4, "generate_audio": True, "resolution": "720p"},
            "675.2",
        ),
        ("/fal/run/fal-ai/veo3.1", {"prompt": "p", "num_frames": 64, "sound": False, "resolution": "720p"}, "675.2"),
        (
            "/replicate/v1/models/bytedance/seedance-1-pro/predictions",
            {"input": {"prompt": "p", "duration": 5, "aspect_ratio": "16:9", "video_resolution": "480p"}},
            "129.132",
        ),
    ],
)
async def test_a_setting_that_a_hosted_model_may_pass_over_does_not_lower_the_hold(
    world: World, path: str, body: Any, held: str
) -> None:
    """Veo's own default is eight seconds with sound, Seedance's is 1080P."""
    answer = await sent(world, path, body)

    assert held == answer.headers["Gatekeeper-Credits-Held"]


async def test_veos_length_is_not_told_in_a_spelling_that_vertex_passes_over(world: World) -> None:
    """It would make eight seconds with sound for the price of four without."""
    body = {"instances": [{"prompt": "p"}], "parameters": {"duration_seconds": 4, "generate_audio": False}}
    path = "/gemini/v1beta1/publishers/google/models/veo-3.1-generate-001:predictLongRunning"

    assert "malformed_request" == await refused(world, path, body)


async def test_a_model_whose_name_is_a_tier_is_not_held_at_another(world: World) -> None:
    """Runway knows no `resolution` of Kling, and would make 4K for the price of 720P."""
    body = {"model": "kling3.0_4k", "promptImage": "https://a.test/1.png", "resolution": "720p", "duration": 5}

    assert "malformed_request" == await refused(world, "/runway/v1/image_to_video", body)


@pytest.mark.parametrize(
    ("path", "status", "released"),
    [("/fal/queue/fal-ai/veo3.1/requests/r-1", 422, 1), ("/fal/queue/acme/kites/requests/r-1", 422, 0),
     ("/fal/queue/fal-ai/veo3.1/requests/r-1", 400, 0)],
)  # fmt: skip
async def test_an_error_ends_a_job_only_at_its_own_address(
    start_world: StartWorld, path: str, status: int, released: int
) -> None:
    """Who asks for the result too early, or as that of another app, is not given the credits back."""

    async def answer(request: web.Request) -> web.Response:
        if request.method == "POST":
            return web.json_response({"request_id": "r-1", "status": "IN_QUEUE"})
        return web.json_response({"detail": [{"type": "value_error"}], "error_type": "bad_request"}, status=status)

    app = web.Application()
    app.router.add_route("*", "/{anything:.*}", answer)
    async with TestServer(app) as server:
        world = await start_world(provider_url=str(server.make_url("")).rstrip("/"))
        key = await world.key()
        body = {"prompt": "p", "duration": "4s", "generate_audio": False, "resolution": "720p", "aspect_ratio": "16:9"}
        await world.send("POST", "/fal/queue/fal-ai/veo3.1", key, json=body)

        polled = await world.send("GET", path, key)

    assert (status, released) == (polled.status, len(world.events("generation.released")))
    assert (168_800_000 if not released else 0) == (await world.balance()).held
