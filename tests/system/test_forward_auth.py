"""A reverse proxy asks before it lets a request by: as nginx does, as Traefik does, and as Envoy does."""

import asyncio
from typing import Any

from tests.system.test_decisions import tell
from tests.system.world import Answer, World

MODEL = {"Gatekeeper-Model": "nano-banana-2"}


async def ask(world: World, key: str | None, query: str = "", path: str = "", **options: Any) -> Answer:
    """The proxy's question. nginx and Traefik ask by GET, Envoy by the method of the request."""
    method = options.pop("method", "GET")
    return await world.send(method, f"/v1/forward-auth{path}{query}", key, **options)


async def settle(world: World, key: str, asked: Answer, body: Any = None) -> Answer:
    """What the service behind the proxy says, with what it was handed."""
    token = asked.headers["Gatekeeper-Settle-Token"]
    return await tell(world, key, asked.headers["Gatekeeper-Hold-Id"], "settle", body, Gatekeeper_Settle_Token=token)


async def test_the_service_behind_settles_what_the_proxy_asked_for(world: World):
    """200 without a body; the hold and its token are in the headers, and with both it is settled."""
    key = await world.key()

    asked = await ask(world, key, "?model=seedream-v4.5&resolution=2K&outputs=2")
    settled = await settle(world, key, asked, {"outputs": 1})

    assert (200, b"") == (asked.status, asked.body)
    assert ("48", "952") == tuple(asked.headers[f"Gatekeeper-Credits-{each}"] for each in ("Held", "Available"))
    assert (200, 24) == (settled.status, settled.json["credits_charged"])
    assert "forward-auth" == world.events("generation.settled")[0]["provider"]
    await world.assert_books_clean()


async def test_its_sender_cannot_end_it(world: World):
    """The key pays, and can list the hold; without the token it is not settled, not released, not extended."""
    key = await world.key()
    await ask(world, key, "?model=nano-banana-2", headers={"Gatekeeper-Settle-Token": "drawn-by-the-sender"})
    hold = (await world.send("GET", "/v1/holds", key)).json["holds"][0]["id"]

    answers = [
        await tell(world, key, hold, act, body, **headers)
        for headers in ({}, {"Gatekeeper_Settle_Token": "drawn-by-the-sender"})
        for act, body in (("settle", {"credits": 0.000001}), ("release", None), ("extend", {"ttl_s": 5}))
    ]

    assert {404} == {each.status for each in answers}
    assert 49_000_000 == (await world.balance()).held


async def test_the_configuration_stands_above_the_sender(world: World):
    """Where its query names the model, headers count only as far as it says, and never against it."""
    key = await world.key()
    cheap = {"Gatekeeper-Model": "seedream-v4.5", "Gatekeeper-Resolution": "1K", "Gatekeeper-Outputs": "1"}

    held = [
        (await ask(world, key, query, headers=cheap)).headers["Gatekeeper-Credits-Held"]
        for query in (
            "?model=nano-banana-2&resolution=4K", "?model=nano-banana-2&resolution=4K&headers=resolution",
            "?model=seedream-v4.5&resolution=2K&outputs=4", "?model=nano-banana-2&headers=resolution",
        )
    ]  # fmt: skip

    assert ["98", "98", "96", "49"] == held


async def test_the_query_of_the_request_itself_is_not_read(world: World):
    """Envoy sends it behind its path: it is its sender's, and so says nothing here."""
    key = await world.key()

    asked = await ask(
        world, key, "?model=seedream-v4.5&settle=now&deny=403", path="/images", headers=MODEL, method="POST"
    )
    refused = await ask(world, None, "?deny=403", path="/images", headers=MODEL)

    assert ("49", None) == (asked.headers["Gatekeeper-Credits-Held"], asked.headers.get("Gatekeeper-Credits-Charged"))
    assert 401 == refused.status


async def test_a_body_says_what_is_asked(world: World):
    """Where a proxy sends it; the headers are not read then, and the configuration stands above it."""
    key = await world.key()
    body = {"model": "nano-banana-2", "resolution": "4K", "prompt": "a cat"}

    asked = [
        await ask(world, key, method="POST", json=body, headers={"Gatekeeper-Resolution": "1K"}),
        await ask(world, key, "?resolution=2K", method="POST", json=body),
    ]

    assert ["98", "73.5"] == [each.headers["Gatekeeper-Credits-Held"] for each in asked]


async def test_what_one_price_fits_is_charged_at_once(world: World):
    """No service has to tell anything; nothing of it stays held."""
    key = await world.key()

    asked = await ask(world, key, "?model=nano-banana-2&settle=now")

    assert (200, "49") == (asked.status, asked.headers["Gatekeeper-Credits-Charged"])
    assert "Gatekeeper-Settle-Token" not in asked.headers
    assert (0, 49_000_000) == ((await world.balance()).held, (await world.balance()).charged)
    await world.assert_books_clean()


async def test_a_proxy_that_lost_the_answer_asks_again(world: World):
    """By its own name for its request it is one hold, under the same token, also when all ask at once."""
    key = await world.key()

    asked = await asyncio.gather(*(ask(world, key, "?model=nano-banana-2&once=0123456789abcdef") for _ in range(5)))
    settled = await settle(world, key, asked[4])
    after = await ask(world, key, "?model=nano-banana-2&once=0123456789abcdef")

    assert 1 == len({each.headers["Gatekeeper-Hold-Id"] for each in asked})
    assert 1 == len({each.headers["Gatekeeper-Settle-Token"] for each in asked})
    assert [200, 409] == [settled.status, after.status]
    assert 49_000_000 == (await world.balance()).charged
    await world.assert_books_clean()


async def test_what_was_charged_at_once_is_let_by_again_for_the_same_request_of_the_proxy(world: World):
    """It was paid for, and the proxy has lost the answer: once more is no second charge."""
    key = await world.key()

    asked = [await ask(world, key, "?model=nano-banana-2&settle=now&once=0123456789abcdef") for _ in range(2)]

    assert [(200, "49")] * 2 == [(each.status, each.headers["Gatekeeper-Credits-Charged"]) for each in asked]
    assert 49_000_000 == (await world.balance()).charged


async def test_the_senders_own_key_makes_nothing_twice_for_one_price(world: World):
    """The same Idempotency-Key again is refused, running or done: the service would do it again."""
    key, again = await world.key(), {"Idempotency-Key": "order-7"}

    first = await ask(world, key, "?model=nano-banana-2", headers=again)
    running = await ask(world, key, "?model=nano-banana-2", headers=again)
    await settle(world, key, first)
    done = await ask(world, key, "?model=nano-banana-2", headers=again)
    retried = await ask(world, key, "?model=nano-banana-2", headers={"x-stainless-retry-count": "1"})

    codes = [each.headers["Gatekeeper-Rejection"] for each in (running, done)]
    assert [200, 409, 409, 200] == [each.status for each in (first, running, done, retried)]
    assert ["generation_in_progress", "already_generated"] == codes


async def test_a_dry_run_is_let_by_nowhere(world: World):
    """A proxy that is told 200 lets a request by, so that header of its sender's is refused."""
    key = await world.key()

    asked = await ask(world, key, "?model=nano-banana-2", headers={"Gatekeeper-Dry-Run": "true"})

    assert (400, 0) == (asked.status, (await world.balance()).held)


REFUSALS = (
    ("none", "model=nano-banana-2", 401, "401", "unauthenticated"),
    ("poor", "model=nano-banana-2", 403, "402", "insufficient_credits"),
    ("frozen", "model=nano-banana-2", 403, "403", "team_frozen"),
    ("rich", "model=nano-banana-2&aspect_ratio=7:5", 403, "422", "unsupported_aspect_ratio"),
    ("rich", "model=bananas", 403, "404", "model_not_found"),
    ("rich", "", 403, "422", "missing_parameter"),
    ("rich", "model=nano-banana-2&modell=x", 403, "400", "malformed_request"),
    ("rich", "model=nano-banana-2&model=nano-banana-2", 403, "400", "malformed_request"),
    ("rich", "model=nano-banana-2&settle=soon", 403, "400", "malformed_request"),
    ("rich", "model=nano-banana-2&ttl_s=-1", 403, "400", "malformed_request"),
    ("rich", "model=nano-banana-2&once=short", 403, "400", "malformed_request"),
    ("rich", "model=nano-banana-2&headers=everything", 403, "400", "malformed_request"),
    ("rich", "model=nano-banana-2&outputs=-1", 403, "400", "malformed_request"),
    ("rich", "model=nano-banana-2&outputs=9", 403, "422", "too_many_outputs"),
)
"""Whose key, what the query asks, the status for nginx, the true one, the code."""


async def test_refusals_for_a_proxy_that_knows_two_statuses(world: World):
    """401 or 403, with the status and the code that it really is in headers; without `deny` it is that itself."""
    keys = {
        "none": None,
        "poor": await world.key("1"),
        "frozen": await world.key(frozen=True),
        "rich": await world.key(),
    }

    found = []
    for key, query, *_ in REFUSALS:
        denied = await ask(world, keys[key], f"?deny=403&{query}")
        plain = await ask(world, keys[key], f"?{query}")
        told = (denied.status, denied.headers["Gatekeeper-Status"], denied.headers["Gatekeeper-Rejection"])
        assert told[1:] == (str(plain.status), plain.json["code"])
        found.append((key, query, *told))

    assert list(REFUSALS) == found
    await world.assert_books_clean()


async def test_a_team_in_shadow_is_let_by(world: World):
    """Without credits, with an aspect ratio that is none, without a model at all; not when it is frozen."""
    key, frozen = await world.key("1", shadow=True), await world.key(shadow=True, frozen=True)

    answers = [
        await ask(world, key, "?model=nano-banana-2"), await ask(world, key, "?model=nano-banana-2&aspect_ratio=7:5"),
        await ask(world, key), await ask(world, frozen, "?model=nano-banana-2"), await ask(world, frozen),
    ]  # fmt: skip
    settled = await settle(world, key, answers[0])

    assert [200, 200, 200, 403, 403] == [each.status for each in answers]
    assert ["49", "49", None] == [each.headers.get("Gatekeeper-Credits-Held") for each in answers[:3]]
    assert ["insufficient_credits", "unsupported_aspect_ratio", "missing_parameter"] == [
        each["code"] for each in world.events("generation.shadowed")
    ][:3]
    assert (200, 49) == (settled.status, settled.json["credits_charged"])


async def test_odd_headers_are_refused(world: World):
    """Twice, no number, no truth value, no text: nothing is let by."""
    key = await world.key()

    answers = [
        await ask(world, key, headers={**MODEL, name: value})
        for name, value in (
            ("Gatekeeper-Outputs", "two"), ("Gatekeeper-Outputs", "9" * 30), ("Gatekeeper-Audio", "maybe"),
            ("Gatekeeper-Duration", "-1"), ("Gatekeeper-Resolution", "x" * 300), ("Gatekeeper-Scale", "NaN"),
        )
    ]  # fmt: skip

    assert {400, 422} >= {each.status for each in answers}
    assert 0 == (await world.balance()).held


async def test_time_frees_what_no_service_told_about(world: World):
    """The service was down: nobody tells, and the hold is its time's, by the policy of the configuration."""
    key = await world.key()
    asked = await ask(world, key, "?model=nano-banana-2&ttl_s=60&on_unknown=charge")

    hold = await world.gateway.store.ledger.open_hold(asked.headers["Gatekeeper-Hold-Id"], "team-0")

    assert hold is not None
    assert ("charge", 60_000) == (hold.on_unknown, (hold.deadline_ms or 0) - hold.held_at_ms)
