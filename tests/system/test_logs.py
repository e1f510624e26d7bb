"""Real log lines of real requests, held against the published schema."""

import json
from pathlib import Path

import jsonschema

from tests.system.world import World

SCHEMA = Path(__file__).parents[2] / "docs" / "log-events.schema.json"
PROMPT = "a very secret prompt about a walrus"


async def _live_a_little(world: World) -> tuple[str, str]:
    """Admits, settles, rejects for every kind of reason, fails, with secrets in every place they could leak from."""
    key, poor = await world.key(), await world.key("1")
    await world.native(key, prompt=PROMPT)
    await world.openai(key, prompt=PROMPT + " [sandbox: partial=1]", n=2)
    await world.openai(key, prompt=PROMPT + " [sandbox: fail=500]")
    await world.native(poor, prompt=PROMPT)
    await world.native(key, prompt=PROMPT, aspect_ratio=PROMPT, model="nano-banana")
    await world.native(key, prompt=PROMPT, size=key)
    await world.native(key, prompt=PROMPT, model=PROMPT)
    await world.native(key, prompt=PROMPT, model=key)
    await world.send("POST", f"/openai/v1/nowhere?prompt={key}", key)
    await world.send("POST", "/v1/generations", "gk_unknown", data=PROMPT.encode())
    await world.gateway.reload()
    return key, poor


async def test_every_line_matches_the_schema(world: World) -> None:
    """`docs/log-events.schema.json` describes what is really written."""
    await _live_a_little(world)

    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
    lines = world.events()
    assert len(lines) >= 12
    assert [] == [error.message for line in lines for error in validator.iter_errors(line)]


async def test_no_line_holds_a_key_or_a_prompt(world: World) -> None:
    """Not even when somebody puts them where a size or a model belongs."""
    key, poor = await _live_a_little(world)

    text = world.log.getvalue().decode()
    assert all(secret not in text for secret in (key, poor, "walrus", "gk_", world.gateway.admin_token))


async def test_a_settlement_tells_what_was_held_and_charged(world: World) -> None:
    """Two asked, one made: both amounts, the outcome and the times stand in one line."""
    key = await world.key()
    await world.openai(key, prompt="x [sandbox: partial=1]", n=2)

    line = await world.event("generation.settled")

    assert (70, 35, "partial", 200) == (
        line["credits_held"],
        line["credits_charged"],
        line["outcome"],
        line["upstream_status"],
    )
    assert line["upstream_ms"] >= 0
    assert line["overhead_ms"] >= 0
