"""Kling's signed token: minted by the gateway, never the caller's."""

from pathlib import Path

from tests.system.conftest import StartWorld
from tests.system.tasks import KLING


async def test_the_provider_gets_a_token_of_its_own_form(start_world: StartWorld, tmp_path: Path) -> None:
    """The sandbox refuses any other; the caller's key goes no further, and a poll carries a token too."""
    secret = tmp_path / "kling"
    secret.write_text("an-access-key:" + "s" * 32)
    world = await start_world(providers={"kling": {"credential": {"file": str(secret)}}})
    key = await world.key()

    ended = await KLING.over(world, key, await KLING.start(world, key))

    seen = await world.provider()
    assert "succeed" == KLING.state_of(ended.json)
    assert (0, True) == (seen["team_key_seen"], all(each["credential"] for each in seen["recent"]))
