"""Google's own SDK in Vertex AI's express mode, which has a key and no project: what is taken there can be polled."""

from typing import Any

import pytest

from tests.later import Later
from tests.system.conftest import StartWorld
from tests.system.test_gemini_sdk import film, finished, gemini
from tests.system.test_jobs_reconciled import SOON
from tests.system.world import World

genai, types = Later("google.genai"), Later("google.genai.types")

pytestmark = [
    pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The generate_images method is deprecated:Warning"),
]
"""As in the tests of the other modes."""


def express(world: World, key: str) -> Any:
    """The SDK as a team would set it up for the express mode."""
    options = types.HttpOptions(base_url=f"{world.url}/gemini")
    return genai.Client(vertexai=True, api_key=key, http_options=options).aio


async def test_a_video_is_submitted_polled_and_settled(world: World) -> None:
    """At the address that the SDK makes of the operation's name."""
    async with express(world, await world.key()) as sdk:
        done = await finished(sdk, await film(sdk))

    balance = await world.balance()
    assert 1 == len(done.response.generated_videos)
    assert (168_800_000, 0) == (balance.charged, balance.held)
    assert 1 == len(world.events("generation.settled"))
    await world.assert_books_clean()


async def test_a_video_that_nobody_polls_is_settled_too(start_world: StartWorld) -> None:
    """The gateway asks below the address of its submission."""
    world = await start_world(jobs=SOON)
    async with express(world, await world.key()) as sdk:
        await film(sdk, "job=0")

    finished = await world.event("job.finished")

    assert ("made", "reconciler", 168.8) == (finished["outcome"], finished["via"], finished["credits_charged"])
    await world.assert_books_clean()


async def test_pictures_and_videos_want_vertex_ai(world: World) -> None:
    """Of the Gemini API the SDK itself refuses them: nothing comes here."""
    asked = types.GenerateImagesConfig(number_of_images=1)
    async with gemini(world, await world.key()) as sdk:
        for call in (film(sdk), sdk.models.generate_images(model="imagen-4", prompt="a kite", config=asked)):
            with pytest.raises(ValueError, match="only supported in"):
                await call

    assert 0 == (await world.provider())["requests"]
