"""What a key may be used for: its scopes, on a running gateway."""

from gatekeeper.proxy.webhooks.secret import SECRET_PATH
from tests.system.world import Answer, World

BODY = {"model": "nano-banana-2", "prompt": "a cat", "resolution": "1K", "aspect_ratio": "1:1"}

ASKED = {
    "generate": ("POST", "/v1/generations", {"json": BODY}),
    "dry run": ("POST", "/v1/generations", {"json": BODY, "headers": {"Gatekeeper-Dry-Run": "true"}}),
    "poll": ("GET", "/v1/generations/job-1", {}),
    "quote": ("POST", "/v1/quotes", {"json": BODY}),
    "models": ("GET", "/v1/models", {}),
    "model": ("GET", "/v1/models/nano-banana-2", {}),
    "balance": ("GET", "/v1/balance", {}),
    "holds": ("GET", "/v1/holds", {}),
    "usage": ("GET", "/v1/usage", {}),
    "decision": ("POST", "/v1/decisions", {"json": BODY}),
    "forward-auth": ("GET", "/v1/forward-auth?model=nano-banana-2", {}),
    "secret": ("GET", SECRET_PATH, {}),
}

OPEN = {
    "generate": {"generate", "poll", "secret", "decision", "forward-auth"},
    "quote": {"quote", "dry run", "models", "model"},
    "read": {"balance", "holds", "usage", "models", "model"},
    None: set(ASKED),
}


async def ask(world: World, what: str, key: str) -> Answer:
    """One of the requests above."""
    method, path, options = ASKED[what]
    return await world.send(method, path, key, **{name: dict(value) for name, value in options.items()})


async def test_a_key_is_for_what_its_scopes_say(world: World) -> None:
    """Each scope opens its own routes and no other; a key without scopes opens all of them."""
    await world.key()
    opened = {}

    for scope in OPEN:
        key = await world.another_key("team-0", scopes=(scope,) if scope else ())
        codes = {what: (await ask(world, what, key)).headers.get("Gatekeeper-Rejection") for what in ASKED}
        opened[scope] = {what for what, code in codes.items() if code != "scope_missing"}

    assert OPEN == opened


async def test_a_missing_scope_is_named_and_nothing_is_held(world: World) -> None:
    """403 with the scope that it takes; no credits move and nothing reaches the provider."""
    await world.key()
    key = await world.another_key("team-0", scopes=("quote", "read"))

    refused = await world.native(key)

    assert (403, "scope_missing") == (refused.status, refused.json["code"])
    assert "generate" in refused.json["detail"]
    assert (0, 0) == ((await world.balance()).charged, (await world.provider())["images"])


async def test_several_scopes_open_what_any_of_them_does(world: World) -> None:
    """A key with two scopes may do what either allows."""
    await world.key()
    key = await world.another_key("team-0", scopes=("generate", "quote"))

    assert [200, 200, 403] == [(await ask(world, what, key)).status for what in ("generate", "quote", "balance")]
