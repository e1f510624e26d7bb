"""Who names a model that cannot be had is told of one that can."""

import re

import pytest

from tests.system.conftest import StartWorld
from tests.system.world import World

OWN_IDS_ONLY = {"openai": {"models": []}}
"""OpenAI's provider as it is shipped: it takes none of the catalog's own names."""


async def refusal(world: World, model: str) -> str:
    """What OpenAI's route says of a model."""
    answer = await world.openai(await world.key(), model=model)
    assert 404 == answer.status, answer.body
    return str(answer.json["error"]["message"])


@pytest.mark.parametrize("slip", ["gpt-image-1.6", "gpt-image-15", "gpt-imagee-1.5"])
async def test_a_slip_is_answered_with_a_name_that_works_there(world: World, slip: str) -> None:
    """The provider's own id; what it names can be asked for at once."""
    message = await refusal(world, slip)

    named = re.search(r"Near: ([^,]+?)(?:,|\. )", message)
    assert named is not None, message
    assert 200 == (await world.openai(await world.key(), model=named[1])).status
    assert "the gateway's own GET /v1/models" in message


async def test_a_model_of_others_is_told_with_where_it_is_sold(start_world: StartWorld) -> None:
    """A name of the catalog that means nothing at this provider."""
    world = await start_world(providers=OWN_IDS_ONLY)
    message = await refusal(world, "veo-3.1")

    assert "not offered as 'veo-3.1' at openai. It is sold at gemini, fal, replicate" in message


async def test_a_name_that_is_near_only_elsewhere_says_where(start_world: StartWorld) -> None:
    """No id of this provider's is like it."""
    world = await start_world(providers=OWN_IDS_ONLY)
    message = await refusal(world, "nano-bananna-2")

    assert re.search(r"Near, elsewhere: nano-banana-2 at gemini", message), message


async def test_a_replacement_is_told_with_where_it_is_sold(world: World) -> None:
    """It may be at another provider."""
    message = await refusal(world, "sora-2")

    assert re.search(r"Use veo-3\.1 instead, sold at gemini, fal, replicate", message), message
