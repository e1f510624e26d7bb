"""Google's own SDK against the sandbox, in both of its modes: the judge of whether the dialect is right."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.later import Later

genai, errors, types = Later("google.genai"), Later("google.genai.errors"), Later("google.genai.types")
credentials = Later("google.oauth2.credentials")

pytestmark = [
    pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The generate_images method is deprecated:Warning"),
]
"""What the SDK does to aiohttp, which it prefers where it is installed; and what it says of Imagen."""

IMAGE_MODEL = "gemini-3.1-flash-image"
VEO = "veo-3.1-generate-001"


@pytest.fixture
async def gemini(client: Any) -> AsyncIterator[Any]:
    options = types.HttpOptions(base_url=f"{client.url}/gemini")
    async with genai.Client(api_key="any", http_options=options).aio as sdk:
        yield sdk


@pytest.fixture
async def vertex(client: Any) -> AsyncIterator[Any]:
    sdk = genai.Client(
        vertexai=True,
        project="p-1",
        location="us-central1",
        credentials=credentials.Credentials(token="any"),
        http_options=types.HttpOptions(base_url=f"{client.url}/gemini"),
    )
    async with sdk.aio as asynchronous:
        yield asynchronous


def image_config(**image: Any) -> Any:
    return types.GenerateContentConfig(response_modalities=["IMAGE"], image_config=types.ImageConfig(**image))


def prompt(words: str) -> Any:
    return types.GenerateVideosSource(prompt=f"a kite [sandbox: {words}]")


def pictures(answer: Any) -> list[bytes]:
    return [part.inline_data.data for part in answer.candidates[0].content.parts if part.inline_data]


async def operation_done(sdk: Any, operation: Any) -> Any:
    """Polls (bounded) until it is done."""
    for _ in range(200):
        if operation.done:
            return operation
        await asyncio.sleep(0.02)
        operation = await sdk.operations.get(operation)
    raise TimeoutError


@pytest.mark.parametrize("mode", ["gemini", "vertex"])
async def test_a_picture(mode: str, gemini: Any, vertex: Any, pixels: Callable[[bytes], Any]) -> None:
    """One picture of the ratio and size asked for, and the tokens it cost."""
    sdk = {"gemini": gemini, "vertex": vertex}[mode]

    answer = await sdk.models.generate_content(
        model=IMAGE_MODEL, contents="a kite", config=image_config(aspect_ratio="16:9", image_size="1K")
    )

    assert [("PNG", (1368, 768))] == [pixels(data) for data in pictures(answer)]
    assert answer.usage_metadata.candidates_token_count > 0


async def test_a_stream(gemini: Any) -> None:
    """The picture comes in one of the pieces."""
    stream = await gemini.models.generate_content_stream(model=IMAGE_MODEL, contents="a kite", config=image_config())

    pieces = [piece async for piece in stream]

    assert 1 == sum(len(pictures(piece)) for piece in pieces if piece.candidates and piece.candidates[0].content)


@pytest.mark.parametrize(
    ("word", "reason"), [("job_moderated", "IMAGE_SAFETY"), ("empty", "NO_IMAGE"), ("partial=0", "STOP")]
)
async def test_a_success_without_a_picture(gemini: Any, word: str, reason: str) -> None:
    """A filter, nothing at all, or words in place of a picture: each with its reason, in a 200."""
    answer = await gemini.models.generate_content(model=IMAGE_MODEL, contents=f"a kite [sandbox: {word}]")

    assert reason == answer.candidates[0].finish_reason.value
    assert answer.candidates[0].content is None or not pictures(answer)


async def test_a_blocked_prompt(gemini: Any) -> None:
    """The prompt's own reason, and no candidate."""
    answer = await gemini.models.generate_content(model=IMAGE_MODEL, contents="a kite [sandbox: job_fail]")

    assert "PROHIBITED_CONTENT" == answer.prompt_feedback.block_reason.value


async def test_an_error(gemini: Any) -> None:
    """Google's error body becomes the SDK's exception with its status word."""
    with pytest.raises(errors.ServerError) as caught:
        await gemini.models.generate_content(model=IMAGE_MODEL, contents="a kite [sandbox: fail=503]")

    assert (503, "UNAVAILABLE") == (caught.value.code, caught.value.status)


async def test_imagen(vertex: Any, pixels: Callable[[bytes], Any]) -> None:
    """As many pictures as were asked for, less those that a filter takes."""
    config = types.GenerateImagesConfig(number_of_images=3, aspect_ratio="1:1", include_rai_reason=True)
    answer = await vertex.models.generate_images(
        model="imagen-4.0-generate-001", prompt="a kite [sandbox: partial=2]", config=config
    )

    made = [each.image.image_bytes for each in answer.generated_images if each.image and each.image.image_bytes]
    assert [("PNG", (1024, 1024))] * 2 == [pixels(data) for data in made]


async def test_imagen_makes_four_when_no_number_is_given(vertex: Any) -> None:
    """The SDK leaves the number out; Imagen's default is four."""
    answer = await vertex.models.generate_images(model="imagen-4.0-generate-001", prompt="a kite")

    assert 4 == len(answer.generated_images)


async def test_an_upscale(vertex: Any, png: Callable[..., bytes], pixels: Callable[[bytes], Any]) -> None:
    """A picture twice as large as the one that goes in."""
    image = types.Image(image_bytes=png(64, 48), mime_type="image/png")

    answer = await vertex.models.upscale_image(model="imagen-4.0-upscale-preview", image=image, upscale_factor="x2")

    assert ("PNG", (128, 96)) == pixels(answer.generated_images[0].image.image_bytes)


async def test_veo_on_vertex(vertex: Any) -> None:
    """A job that is polled with a body, and brings its video in base64."""
    config = types.GenerateVideosConfig(duration_seconds=4, aspect_ratio="9:16", resolution="720p", number_of_videos=1)
    operation = await vertex.models.generate_videos(model=VEO, source=prompt("job=0.05"), config=config)

    done = await operation_done(vertex, operation)

    assert not operation.done
    assert b"ftyp" == done.response.generated_videos[0].video.video_bytes[4:8]


async def test_veo_that_fails(vertex: Any) -> None:
    """It is done, with an error."""
    operation = await vertex.models.generate_videos(model=VEO, source=prompt("job=0, job_fail"))

    assert (await operation_done(vertex, operation)).error


async def test_veo_that_is_filtered(vertex: Any) -> None:
    """It is done, with a count of what a filter took."""
    operation = await vertex.models.generate_videos(model=VEO, source=prompt("job=0, job_moderated"))

    assert 1 == (await operation_done(vertex, operation)).response.rai_media_filtered_count


async def test_veo_on_the_gemini_api(client: Any, gemini: Any) -> None:
    """Polled by its address; the file is downloaded here though its address is Google's."""
    body = {"instances": [{"prompt": "a kite [sandbox: job=0]"}], "parameters": {"durationSeconds": 4}}
    name = (await client.send("POST", f"/gemini/v1beta/models/{VEO}:predictLongRunning", json=body)).json["name"]
    for _ in range(200):
        told = (await client.send("GET", f"/gemini/v1beta/{name}")).json
        if told.get("done"):
            break
        await asyncio.sleep(0.02)

    uri = told["response"]["generateVideoResponse"]["generatedSamples"][0]["video"]["uri"]
    data = await gemini.files.download(file=uri)

    assert uri.startswith("https://generativelanguage.googleapis.com/")
    assert b"ftyp" == data[4:8]


async def test_an_interaction_of_a_picture(gemini: Any) -> None:
    """Answered at once, with its tokens."""
    told = await gemini.interactions.create(
        model=IMAGE_MODEL,
        input="a kite [sandbox: job=0]",
        response_format={"type": "image", "aspect_ratio": "1:1", "image_size": "1K"},
    )

    assert "completed" == told.status
    assert told.output_image.data
    assert told.usage.output_tokens_by_modality[0].tokens > 0


async def test_an_interaction_in_the_background(gemini: Any) -> None:
    """It is queued, then polled until its video is there."""
    told = await gemini.interactions.create(
        model="gemini-omni-1.2-flash",
        input="a kite [sandbox: job=0.05]",
        background=True,
        response_format={"type": "video", "resolution": "720p", "duration": "4s", "delivery": "uri"},
    )
    began = told.status
    for _ in range(200):
        if told.status not in {"queued", "in_progress"}:
            break
        await asyncio.sleep(0.02)
        told = await gemini.interactions.get(told.id)

    assert began in {"queued", "in_progress"}
    assert "completed" == told.status
    assert "/files/" in told.output_video.uri


async def test_an_interaction_is_cancelled(gemini: Any) -> None:
    """The answer to the cancel tells that it has ended."""
    told = await gemini.interactions.create(model=IMAGE_MODEL, input="a kite [sandbox: job_wait]", background=True)

    assert "cancelled" == (await gemini.interactions.cancel(told.id)).status


async def test_an_interaction_as_events(gemini: Any) -> None:
    """From created to completed, with the picture in a delta."""
    stream = await gemini.interactions.create(model=IMAGE_MODEL, input="a kite [sandbox: job=0]", stream=True)

    events = [event async for event in stream]

    assert ("interaction.created", "interaction.completed") == (events[0].event_type, events[-1].event_type)
    assert 1 == sum(event.event_type == "step.delta" and bool(event.delta.data) for event in events)
