"""Google's own SDK, unchanged but for base URL and key, in both of its modes, is the judge of the gemini dialect."""

import asyncio
from typing import Any

import aiohttp
import pytest

from tests.later import Later
from tests.system.conftest import StartWorld
from tests.system.test_jobs_reconciled import SOON
from tests.system.world import World

genai, errors, types = Later("google.genai"), Later("google.genai.errors"), Later("google.genai.types")
credentials = Later("google.oauth2.credentials")

pytestmark = [
    pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The generate_images method is deprecated:Warning"),
]
"""What the SDK does to aiohttp, which it prefers where it is installed; and what it says of Imagen."""

MODEL = "gemini-3.1-flash-image"
VEO = "veo-3.1-generate-001"
OMNI = "gemini-omni-1.1-flash"


def gemini(world: World, key: str) -> Any:
    """The SDK as a team would set it up for the Gemini API."""
    return genai.Client(api_key=key, http_options=types.HttpOptions(base_url=f"{world.url}/gemini")).aio


def vertex(world: World, key: str) -> Any:
    """And for Vertex AI: the key is the token of credentials that need no Google."""
    return genai.Client(
        vertexai=True,
        project="p-1",
        location="us-central1",
        credentials=credentials.Credentials(token=key),
        http_options=types.HttpOptions(base_url=f"{world.url}/gemini"),
    ).aio


def config(**image: Any) -> Any:
    image = {"aspect_ratio": "1:1", "image_size": "1K"} | image
    return types.GenerateContentConfig(response_modalities=["IMAGE"], image_config=types.ImageConfig(**image))


def pictures(answer: Any) -> int:
    return sum(part.inline_data is not None for part in answer.candidates[0].content.parts)


async def film(sdk: Any, words: str = "job=0.05", **settings: Any) -> Any:
    """Submits four silent seconds of Veo: 168.8 credits."""
    asked = {"duration_seconds": 4, "resolution": "720p", "aspect_ratio": "16:9", "generate_audio": False} | settings
    source = types.GenerateVideosSource(prompt=f"a kite [sandbox: {words}]")
    return await sdk.models.generate_videos(model=VEO, source=source, config=types.GenerateVideosConfig(**asked))


async def finished(sdk: Any, operation: Any) -> Any:
    """Polls (bounded) until the operation is done."""
    for _ in range(300):
        if operation.done:
            return operation
        await asyncio.sleep(0.02)
        operation = await sdk.operations.get(operation)
    raise TimeoutError


@pytest.mark.parametrize("mode", [gemini, vertex])
async def test_a_picture_is_made_and_charged(world: World, mode: Any) -> None:
    """One picture of 1K is 49 credits, on the Gemini API and on Vertex AI."""
    async with mode(world, await world.key()) as sdk:
        answer = await sdk.models.generate_content(model=MODEL, contents="a kite", config=config(aspect_ratio="16:9"))

    assert (1, 49_000_000) == (pictures(answer), (await world.balance()).charged)
    assert 0 == (await world.provider())["team_key_seen"]
    await world.assert_books_clean()


async def test_a_stream_is_charged_for_its_picture(world: World) -> None:
    """The picture comes in a piece of the stream."""
    async with gemini(world, await world.key()) as sdk:
        stream = await sdk.models.generate_content_stream(model=MODEL, contents="a kite", config=config())
        pieces = [piece async for piece in stream]

    assert len(pieces) > 1
    assert 49_000_000 == (await world.balance()).charged
    await world.assert_books_clean()


@pytest.mark.parametrize("mode", [gemini, vertex])
async def test_out_of_credits_raises_402_after_one_attempt(world: World, mode: Any) -> None:
    """The SDK's own exception, with Google's word and the facts among its details."""
    async with mode(world, await world.key("48.999999")) as sdk:
        with pytest.raises(errors.ClientError) as caught:
            await sdk.models.generate_content(model=MODEL, contents="a kite", config=config())

    (facts,) = caught.value.details["error"]["details"]
    assert (402, "FAILED_PRECONDITION") == (caught.value.code, caught.value.status)
    assert ("insufficient_credits", 49) == (facts["code"], facts["credits"]["required"])
    assert (1, 0) == (len(world.events("generation.rejected")), (await world.provider())["requests"])


async def test_a_bad_ratio_raises_with_the_allowed_set_in_the_message(world: World) -> None:
    """What would be allowed is in the message."""
    async with gemini(world, await world.key()) as sdk:
        with pytest.raises(errors.ClientError, match=r"1:1.*16:9") as caught:
            await sdk.models.generate_content(model=MODEL, contents="a kite", config=config(aspect_ratio="7:3"))

    assert (422, "INVALID_ARGUMENT") == (caught.value.code, caught.value.status)
    assert 0 == (await world.provider())["requests"]


async def test_a_bad_size_names_the_sizes(world: World) -> None:
    """Tiers too."""
    async with gemini(world, await world.key()) as sdk:
        with pytest.raises(errors.ClientError, match=r"1K.*2K.*4K"):
            await sdk.models.generate_content(model=MODEL, contents="a kite", config=config(image_size="8K"))


@pytest.mark.parametrize("word", ["job_moderated", "job_fail", "empty"])
async def test_a_success_without_a_picture_costs_nothing(world: World, word: str) -> None:
    """What a filter took, in a 200, is released."""
    async with gemini(world, await world.key()) as sdk:
        await sdk.models.generate_content(model=MODEL, contents=f"a kite [sandbox: {word}]", config=config())

    assert 0 == (await world.balance()).charged
    await world.assert_books_clean()


async def test_words_in_place_of_a_picture_are_charged(world: World) -> None:
    """A model of pictures is no free model of words."""
    async with gemini(world, await world.key()) as sdk:
        await sdk.models.generate_content(model=MODEL, contents="an essay [sandbox: partial=0]")

    assert 49_000_000 <= (await world.balance()).charged
    await world.assert_books_clean()


async def test_a_model_of_words_is_not_sold(world: World) -> None:
    """What the catalog does not have is not forwarded, whatever the verb."""
    async with gemini(world, await world.key()) as sdk:
        with pytest.raises(errors.ClientError) as caught:
            await sdk.models.generate_content(model="gemini-4-argon", contents="an essay")

    assert (404, "NOT_FOUND") == (caught.value.code, caught.value.status)
    assert 0 == (await world.provider())["requests"]


async def test_tools_are_refused_by_name(world: World) -> None:
    """What a search costs is not known here."""
    searching = types.GenerateContentConfig(tools=[types.Tool(google_search=types.GoogleSearch())])
    async with gemini(world, await world.key()) as sdk:
        with pytest.raises(errors.ClientError, match="tools"):
            await sdk.models.generate_content(model=MODEL, contents="a kite", config=searching)

    assert 0 == (await world.provider())["requests"]


@pytest.mark.parametrize(("number", "made"), [(2, 2), (None, 4)])
async def test_imagen_is_charged_for_what_came(start_world: StartWorld, number: int | None, made: int) -> None:
    """Two are two; where no number is given Imagen makes four, and four are charged."""
    world = await start_world(providers={"gemini": {"offers_of": "elsewhere"}})
    async with vertex(world, await world.key()) as sdk:
        asked = types.GenerateImagesConfig(number_of_images=number, aspect_ratio="1:1", image_size="1K")
        answer = await sdk.models.generate_images(model="imagen-4", prompt="a kite", config=asked)

    settled = await world.event("generation.settled")
    assert (made, made) == (len(answer.generated_images), settled["outputs_made"])
    await world.assert_books_clean()


async def test_veo_is_submitted_polled_and_settled_once(world: World) -> None:
    """Held at the submission, settled by the poll that finds the end, and not again by the polls after it."""
    async with vertex(world, await world.key()) as sdk:
        operation = await film(sdk)
        held = (await world.balance()).held
        done = await finished(sdk, operation)
        await sdk.operations.get(operation)

    assert (168_800_000, 168_800_000, 0) == (held, (await world.balance()).charged, (await world.balance()).held)
    assert b"ftyp" == done.response.generated_videos[0].video.video_bytes[4:8]
    assert 1 == len(world.events("generation.settled"))
    await world.assert_books_clean()


@pytest.mark.parametrize("word", ["job_fail", "job_moderated"])
async def test_veo_that_comes_to_nothing_is_refunded_once(world: World, word: str) -> None:
    """Done with an error, or with everything filtered: the whole hold is free again."""
    async with vertex(world, await world.key()) as sdk:
        await finished(sdk, await film(sdk, f"job=0, {word}"))

    assert (0, 0) == ((await world.balance()).charged, (await world.balance()).held)
    assert 1 == len(world.events("generation.released"))
    await world.assert_books_clean()


async def test_two_videos_of_which_one_is_filtered_are_charged_as_one(world: World) -> None:
    """What a filter took is not charged."""
    async with vertex(world, await world.key()) as sdk:
        await finished(sdk, await film(sdk, "job=0, partial=1", number_of_videos=2))

    assert 168_800_000 == (await world.balance()).charged
    await world.assert_books_clean()


async def test_a_duration_that_is_not_sold_is_refused_with_those_that_are(world: World) -> None:
    """The allowed lengths are in the message."""
    async with vertex(world, await world.key()) as sdk:
        with pytest.raises(errors.ClientError, match=r"4.*6.*8") as caught:
            await film(sdk, duration_seconds=5)

    assert 422 == caught.value.code


async def test_an_operation_of_another_team_is_not_found(world: World) -> None:
    """Google's 404, and nothing is asked of Google."""
    async with vertex(world, await world.key()) as sdk:
        operation = await film(sdk, "job_wait")
    seen = (await world.provider())["requests"]

    async with vertex(world, await world.key()) as other:
        with pytest.raises(errors.ClientError) as caught:
            await other.operations.get(operation)

    assert (404, "NOT_FOUND") == (caught.value.code, caught.value.status)
    assert seen == (await world.provider())["requests"]


async def test_an_abandoned_video_is_settled_all_the_same(start_world: StartWorld) -> None:
    """Nobody polls; the gateway asks, with a body as Vertex AI wants it."""
    world = await start_world(jobs=SOON)
    async with vertex(world, await world.key()) as sdk:
        await film(sdk, "job=0")

    finished = await world.event("job.finished")

    assert ("made", "reconciler", 168.8) == (finished["outcome"], finished["via"], finished["credits_charged"])
    await world.assert_books_clean()


async def test_an_abandoned_interaction_is_settled_all_the_same(start_world: StartWorld) -> None:
    """The gateway asks for it by its id."""
    world = await start_world(jobs=SOON)
    async with gemini(world, await world.key()) as sdk:
        wanted = {"type": "video", "resolution": "720p", "duration": "4s"}
        await sdk.interactions.create(
            model=OMNI, input="a kite [sandbox: job=0]", background=True, response_format=wanted
        )

    finished = await world.event("job.finished")

    assert ("made", "reconciler", 122.28) == (finished["outcome"], finished["via"], finished["credits_charged"])
    await world.assert_books_clean()


async def test_an_interaction_in_the_background_is_polled_and_its_file_downloaded(world: World) -> None:
    """The file's address is Google's; the SDK asks for it here, and only its own team gets it."""
    wanted = {"type": "video", "resolution": "720p", "duration": "4s", "delivery": "uri"}
    async with gemini(world, await world.key()) as sdk:
        told = await sdk.interactions.create(
            model=OMNI, input="a kite [sandbox: job=0.05]", background=True, response_format=wanted
        )
        for _ in range(300):
            if told.status not in {"queued", "in_progress"}:
                break
            await asyncio.sleep(0.02)
            told = await sdk.interactions.get(told.id)
        data = await sdk.files.download(file=told.output_video.uri)
    async with gemini(world, await world.key()) as other:
        with pytest.raises(errors.ClientError) as caught:
            await other.files.download(file=told.output_video.uri)

    settled = await world.event("generation.settled")
    assert ("completed", b"ftyp", 404) == (told.status, data[4:8], caught.value.code)
    assert 122.28 == settled["credits_charged"]
    await world.assert_books_clean()


async def test_an_interaction_at_once_is_charged(world: World) -> None:
    """A picture in the answer itself."""
    async with gemini(world, await world.key()) as sdk:
        told = await sdk.interactions.create(
            model=MODEL, input="a kite [sandbox: job=0]", response_format={"type": "image", "image_size": "1K"}
        )

    assert told.output_image.data
    assert 49_000_000 == (await world.balance()).charged
    await world.assert_books_clean()


async def test_an_interaction_that_is_cancelled_is_released(world: World) -> None:
    """The answer to the cancel says that it has ended."""
    async with gemini(world, await world.key()) as sdk:
        told = await sdk.interactions.create(model=OMNI, input="a kite [sandbox: job_wait]", background=True)
        ended = await sdk.interactions.cancel(told.id)

    assert ("cancelled", 0) == (ended.status, (await world.balance()).charged)
    await world.assert_books_clean()


async def test_an_interaction_out_of_credits_raises_402_after_one_attempt(world: World) -> None:
    """The interactions client has exceptions of its own; it does not send a 402 again."""
    async with gemini(world, await world.key("1")) as sdk:
        with pytest.raises(Exception, match="insufficient_credits") as caught:
            await sdk.interactions.create(model=OMNI, input="a kite", background=True)

    assert ("APIStatusError", 402) == (type(caught.value).__name__, caught.value.status_code)
    assert 1 == len(world.events("generation.rejected"))


async def test_the_list_of_models_passes_free(world: World) -> None:
    """A free route costs nothing."""
    async with gemini(world, await world.key()) as sdk:
        models = [model async for model in await sdk.models.list()]

    assert models
    assert 0 == (await world.balance()).charged


@pytest.mark.parametrize("query", ["alt=proto", "alt=json&alt=proto", "$alt=proto", "fields=usageMetadata", "alt=sse"])
async def test_an_answer_that_could_not_be_read_is_not_asked_for(world: World, query: str) -> None:
    """What cannot be read would be free: no other format, and no part of the answer."""
    body = {"contents": [{"parts": [{"text": "a kite"}]}]}

    path = f"/gemini/v1beta/models/{MODEL}:generateContent?{query}"
    answer = await world.send("POST", path, await world.key(), json=body)

    assert (400, 0) == (answer.status, (await world.provider())["requests"])


async def test_headers_that_hide_the_answer_or_cost_more_do_not_pass(world: World) -> None:
    """Neither a mask of fields nor a dearer kind of service."""
    body = {"contents": [{"parts": [{"text": "a kite"}]}], "generationConfig": {"imageConfig": {"imageSize": "1K"}}}
    hiding = {"X-Goog-FieldMask": "usageMetadata", "X-Vertex-AI-LLM-Shared-Request-Type": "priority"}

    path = f"/gemini/v1beta/models/{MODEL}:generateContent"
    answer = await world.send("POST", path, await world.key(), json=body, headers=hiding)

    seen = {name.lower() for name in (await world.provider())["recent"][-1]["header_names"]}
    assert 200 == answer.status
    assert seen.isdisjoint(name.lower() for name in hiding)


async def test_an_interaction_goes_on_from_the_teams_own_alone(world: World) -> None:
    """What came of an earlier interaction is edited; one of another team is not found, and nothing is sent."""
    wanted = {"type": "image", "image_size": "1K"}
    async with gemini(world, await world.key()) as sdk:
        first = await sdk.interactions.create(model=MODEL, input="a kite [sandbox: job=0]", response_format=wanted)
        more = {"model": MODEL, "input": "a hat [sandbox: job=0]", "previous_interaction_id": first.id}
        second = await sdk.interactions.create(**more, response_format=wanted)
    seen = (await world.provider())["requests"]
    async with gemini(world, await world.key()) as other:
        with pytest.raises(Exception, match="job_not_found"):
            await other.interactions.create(**more, response_format=wanted)

    assert "completed" == second.status
    assert (98_000_000, seen) == ((await world.balance()).charged, (await world.provider())["requests"])
    await world.assert_books_clean()


async def test_a_stream_that_breaks_off_raises(start_world: StartWorld, start_cut_stream: Any) -> None:
    """The gateway's last word is an event that the SDK raises, if the break does not overtake it on its way there."""
    piece = b'data: {"candidates":[{"content":{"parts":[{"text":"So"}]}}]}\r\n\r\n'
    world = await start_world(provider_url=await start_cut_stream(piece))
    async with gemini(world, await world.key()) as sdk:
        stream = await sdk.models.generate_content_stream(model=MODEL, contents="a kite", config=config())
        with pytest.raises((errors.APIError, aiohttp.ClientPayloadError)):
            _ = [piece async for piece in stream]


async def test_an_interaction_that_breaks_off_raises(start_world: StartWorld, start_cut_stream: Any) -> None:
    """So does the stream of an interaction, or it ends in an event of an error."""
    piece = b'event: step.start\ndata: {"event_type":"step.start","index":0,"step":{"type":"model_output"}}\n\n'
    world = await start_world(provider_url=await start_cut_stream(piece))
    async with gemini(world, await world.key()) as sdk:
        stream = await sdk.interactions.create(model=MODEL, input="a kite", stream=True)
        events = [event.event_type async for event in stream]

    assert ["step.start", "error"] == events


@pytest.mark.parametrize("word", ["cut_before", "cut"])
async def test_an_interaction_whose_answer_is_lost_is_not_sent_again(world: World, word: str) -> None:
    """Its client sends any 5xx again, up to four times; work that may have been done must not be paid five times."""
    async with gemini(world, await world.key()) as sdk:
        with pytest.raises(Exception, match=r"424|incomplete|without sending complete") as caught:
            await sdk.interactions.create(model=MODEL, input=f"a kite [sandbox: job=0, {word}]")

    assert 1 == len(world.events("generation.admitted"))
    assert word == "cut" or caught.value.status_code == 424


@pytest.mark.parametrize(("place", "header"), [(None, "x-goog-api-key"), ({"bearer": "Bearer"}, "authorization")])
async def test_the_credential_stands_where_google_wants_it(
    start_world: StartWorld, monkeypatch: pytest.MonkeyPatch, place: Any, header: str
) -> None:
    """A key in Google's own header, or for Vertex AI, by config, a token; and never in both places."""
    monkeypatch.setenv("GOOGLE_SECRET", "s3cret")
    settings = {"credential": {"env": "GOOGLE_SECRET"}} | ({"credential_in": place} if place else {})
    world = await start_world(providers={"gemini": settings})
    async with vertex(world, await world.key()) as sdk:
        await sdk.models.generate_content(model=MODEL, contents="a kite", config=config())

    provider = await world.provider()
    seen = {name.lower() for name in provider["recent"][-1]["header_names"]}
    assert {header} == seen & {"authorization", "x-goog-api-key"}
    assert 0 == provider["team_key_seen"]
